// Durability 7: a disk on which fdatasync takes 2 s and a read 50 ms. Others' PING and GET of a value in memory: p99 < 10 ms from the
// second slow call on. The two-second rule holds: with everysec writes stall at the bound and only there; with always a
// slow sync holds up the replies that depend on it, and no others.
//
//   npx tsx test/acceptance/durability-7-slow-disk.ts [--seconds 15]
//
// The first part is the same load on a well disk: what the machine itself makes of it.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Rule, Shim } from '../faults/control.ts'
import type { RawConnection } from '../harness/connection.ts'
import { type Random, randomFrom } from '../harness/random.ts'
import { show } from '../harness/resp.ts'
import { type Server, startServer } from '../harness/server.ts'
import { Verdict } from './verdict.ts'

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '15' } } })
const runMs = Number(values.seconds) * 1000

const KEYS = 60_000
const VALUE = Buffer.alloc(1000, 'v')
const WRITERS = 4
const COLD_READERS = 8
const LIMIT_MS = 10

const verdict = new Verdict('durability 7: a slow disk')

interface Figures {
  readonly ping: number[]
  readonly hot: number[]
  readonly set: number[]
  readonly cold: number[]
  /** Slow calls so far. */
  slow: number
}

const slowSync = (ms: number): Rule => ({ action: 'delay', ms, kinds: ['sync', 'syncDirectory'] })
const slowRead: Rule = { action: 'delay', ms: 50, kinds: ['read'] }

const well = await load('a well disk, everysec', 'everysec', [])
verdict.demand(p(well.ping, 50) < LIMIT_MS, 'this machine answers PING at all')

const always = await load('always, fdatasync 2 s, reads 50 ms', 'always', [slowSync(2000), slowRead])
unharmed(always, 'always')
verdict.demand(p(always.set, 50) > 1000, 'a SET waits for its sync', `p50 ${p(always.set, 50)}`)
verdict.demand(p(always.set, 100) < 6500, 'and for no more than two of them', `longest ${p(always.set, 100)}`)

const everysec = await load('everysec, fdatasync 2 s, reads 50 ms', 'everysec', [slowSync(2000), slowRead])
unharmed(everysec, 'everysec')
verdict.demand(p(everysec.set, 50) < 100, 'SETs are answered before they are synced', `p50 ${p(everysec.set, 50)}`)
verdict.demand(p(everysec.set, 100) > 500, 'they stall when the bound is reached', `longest ${p(everysec.set, 100)}`)
verdict.demand(p(everysec.set, 100) < 4500, 'until a sync has ended', `longest ${p(everysec.set, 100)}`)

const below = await load('everysec, fdatasync 0.5 s, reads 50 ms', 'everysec', [slowSync(500), slowRead])
unharmed(below, 'everysec with syncs below the bound')
verdict.demand(p(below.set, 100) < 500, 'below the bound no SET waits for a sync', `longest ${p(below.set, 100)}`)
verdict.finish()

function unharmed(figures: Figures, when: string): void {
  for (const [what, times] of [
    ['PING', figures.ping],
    ['GET of a value in memory', figures.hot],
  ] as const) {
    verdict.demand(times.length > 200 && p(times, 99) < LIMIT_MS, `${when}: ${what} p99 < ${LIMIT_MS} ms`, told(times))
  }
  verdict.demand(figures.slow > 10, `${when}: the disk was slow`, `${figures.slow} slow calls`)
}

/** Everybody asks for some seconds; what was answered before the second slow call does not count. */
async function load(title: string, appendfsync: string, rules: readonly Rule[]): Promise<Figures> {
  const dir = mkdtempSync(join(tmpdir(), 'casky-slow-'))
  const shim = new Shim(dir)
  const args = ['--appendfsync', 'no', '--value-cache-size', '16mb', '--merge-enabled', 'no']
  const server = await startServer('casky', { dir, args, env: shim.env })
  try {
    await fill(server, appendfsync)
    for (const rule of rules) shim.add(rule)
    const figures: Figures = { ping: [], hot: [], set: [], cold: [], slow: 0 }
    let going = true
    const counts = (): boolean => rules.length === 0 || shim.fired >= 2
    const random = randomFrom(7)
    const loop = async (
      times: number[],
      restMs: number,
      ask: (connection: RawConnection) => Promise<void>,
    ): Promise<void> => {
      const connection = await server.connect({ replyLimitMs: 60_000 })
      while (going) {
        const began = performance.now()
        await ask(connection)
        if (counts()) times.push(performance.now() - began)
        if (restMs > 0) await after(restMs)
      }
      connection.close()
    }
    const all = [
      loop(figures.ping, 2, (connection) => expectReply(connection, 'PONG', 'PING')),
      loop(figures.hot, 2, (connection) => expectReply(connection, VALUE, 'GET', 'hot')),
      ...Array.from({ length: WRITERS }, () =>
        loop(figures.set, 1, (connection) => expectReply(connection, 'OK', 'SET', key(random), VALUE)),
      ),
      ...Array.from({ length: COLD_READERS }, () =>
        loop(figures.cold, 0, (connection) => expectReply(connection, VALUE, 'GET', key(random))),
      ),
    ]
    await after(runMs)
    going = false
    figures.slow = shim.fired
    shim.heal()
    await Promise.all(all)
    verdict.figure(title, `${figures.slow} slow calls`)
    for (const [what, times] of Object.entries(figures))
      if (Array.isArray(times)) verdict.figure(`  ${what}`, told(times))
    return figures
  } finally {
    await server.crash()
    shim.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function fill(server: Server, appendfsync: string): Promise<void> {
  const connection = await server.connect({ replyLimitMs: 60_000 })
  for (let i = 0; i < KEYS; i += 1000) {
    const words: (string | Buffer)[] = ['MSET']
    for (let j = i; j < i + 1000; j++) words.push(`key:${j}`, VALUE)
    await expectReply(connection, 'OK', ...words)
  }
  await expectReply(connection, 'OK', 'SAVE')
  await expectReply(connection, 'OK', 'CONFIG', 'SET', 'appendfsync', appendfsync)
  await expectReply(connection, 'OK', 'SET', 'hot', VALUE) // `always` counts after a sync
  for (let i = 0; i < 10; i++) await expectReply(connection, VALUE, 'GET', 'hot')
  connection.close()
}

async function expectReply(
  connection: RawConnection,
  wanted: string | Buffer,
  ...words: (string | Buffer)[]
): Promise<void> {
  const reply = await connection.call(...words)
  const good = Buffer.isBuffer(wanted) ? Buffer.isBuffer(reply) && wanted.equals(reply) : reply === wanted
  if (!good) verdict.demand(false, `${words[0]} is answered`, show(reply))
}

function key(random: Random): string {
  return `key:${random.below(KEYS)}`
}

/** A percentile in ms; 100 is the longest. */
function p(times: readonly number[], percent: number): number {
  const sorted = [...times].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN
}

function told(times: readonly number[]): string {
  const figure = (percent: number): string => p(times, percent).toFixed(1)
  return `${times.length} answered, p50 ${figure(50)}, p99 ${figure(99)}, p99.9 ${figure(99.9)}, longest ${figure(100)} ms`
}
