// The kill -9 judge: load, SIGKILL at a random moment, restart, ask for everything, hold it against the ledger; again
// and again over one directory, with tiny segments and merges all the time, so that rotation, hints and merges are
// mostly under way when the server dies.
//
// After each check one encore, by chance: a second kill and start gives the same answers; so does a clean restart; with
// the caches (hints, keydir image) removed or cut short, the same; killed while starting, the same; after MERGE WAIT and
// a restart, the same.

import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import type { RawConnection } from '../harness/connection.ts'
import { type Random, randomFrom } from '../harness/random.ts'
import { encodeRequest, ReplyError, show } from '../harness/resp.ts'
import { freePort, type Kind, launch, type Server, startServer } from '../harness/server.ts'
import type { Observed } from './ledger.ts'
import { Owner, watch } from './owner.ts'
import { MORTAL_KEYS } from './workload.ts'

export interface CycleOptions {
  readonly cycles: number
  readonly seed: number
  readonly appendfsync: 'always' | 'everysec' | 'no'
  /** Default casky. redis-server judges the judge. */
  readonly kind?: Kind
  /** Directives that replace the tiny segments and restless merges. */
  readonly args?: readonly string[]
  readonly connections?: number
  /** The longest load before the kill, in ms. */
  readonly loadMs?: number
  /** Told after each cycle. */
  progress?(cycle: number, operations: number): void
}

export interface CycleResult {
  readonly cycles: number
  /** Operations acknowledged in all. */
  readonly operations: number
  /** Restarts in all. */
  readonly restarts: number
  /** What went wrong, with the cycle; empty: nothing. The run stops at the first cycle that has any. */
  readonly problems: readonly string[]
  /** The data directory of a failed run, kept to be looked at. */
  readonly keptDir?: string
}

const restless = [
  ...['--segment-size', '256kb', '--merge-interval-ms', '50'],
  ...['--merge-trigger-fragmentation', '10', '--merge-trigger-dead-bytes', '64kb'],
  ...['--merge-threshold-fragmentation', '5', '--merge-threshold-dead-bytes', '16kb'],
  ...['--merge-threshold-small-file', '64kb', '--value-cache-size', '256kb'],
]

/** Runs the cycles. Never throws for what the server does wrong: that is in `problems`. */
export async function killCycles(options: CycleOptions): Promise<CycleResult> {
  const kind = options.kind ?? 'casky'
  const random = randomFrom(options.seed)
  const dir = mkdtempSync(join(tmpdir(), 'casky-crash-'))
  const defaults = kind === 'casky' ? restless : ['--appendonly', 'yes']
  const args = [...(options.args ?? defaults), '--appendfsync', options.appendfsync]
  const owners = Array.from(
    { length: options.connections ?? 6 },
    (_, i) => new Owner(i, randomFrom(random.below(2 ** 32))),
  )
  const run: Run = { kind, dir, args, random, owners, restarts: 0, problems: [] }
  let cycle = 0
  try {
    let server = await start(run)
    while (cycle < options.cycles && run.problems.length === 0) {
      cycle++
      await load(run, server, options.loadMs ?? 500)
      server = await start(run)
      await check(run, server, 'after kill -9')
      if (run.problems.length === 0) server = await encore(run, server)
      options.progress?.(cycle, total(owners))
    }
    await server.crash()
  } catch (error) {
    run.problems.push(`the server did not come back: ${(error as Error).message}`)
  }
  const failed = run.problems.length > 0
  if (!failed) rmSync(dir, { recursive: true, force: true })
  return {
    cycles: cycle,
    operations: total(owners),
    restarts: run.restarts,
    problems: run.problems.map((problem) => `cycle ${cycle}, seed ${options.seed}: ${problem}`),
    ...(failed ? { keptDir: dir } : {}),
  }
}

interface Run {
  readonly kind: Kind
  readonly dir: string
  readonly args: readonly string[]
  readonly random: Random
  readonly owners: readonly Owner[]
  restarts: number
  readonly problems: string[]
}

const total = (owners: readonly Owner[]): number => owners.reduce((sum, owner) => sum + owner.operations, 0)

function start(run: Run): Promise<Server> {
  run.restarts++
  return startServer(run.kind, { dir: run.dir, args: run.args })
}

/** All owners write, a reader reads, now and then somebody asks for a merge, and at a random moment SIGKILL. */
async function load(run: Run, server: Server, longestMs: number): Promise<void> {
  const open = (): Promise<RawConnection> => server.connect({ replyLimitMs: 60_000 })
  const connections = await Promise.all(run.owners.map(open))
  const reader = await open()
  const merger = await open()
  const writing = Promise.all(run.owners.map((owner, i) => owner.run(connections[i]!)))
  const reading = watch(reader, run.owners, randomFrom(run.random.below(2 ** 32)))
  const moment = run.random.between(20, longestMs)
  await after(moment / 2)
  if (run.kind === 'casky' && run.random.chance(0.5)) merger.send(encodeRequest(['MERGE']))
  await after(moment / 2) // the moment of the kill: chance, not a wait for something to be ready
  await server.crash()
  await writing
  run.problems.push(...(await reading))
  for (const owner of run.owners) run.problems.push(...owner.problems.splice(0))
  if (run.problems.length > 0)
    run.problems.push(`before the kill the server said:\n${server.child.output().slice(-3000)}`)
}

/** Reads every database and holds it against its ledger. */
async function check(run: Run, server: Server, when: string): Promise<void> {
  const connection = await server.connect({ replyLimitMs: 60_000 })
  for (const owner of run.owners) {
    const problems: string[] = []
    const observed = await observe(connection, owner.database, problems)
    problems.push(...owner.ledger.settle(observed))
    run.problems.push(...problems.slice(0, 12).map((problem) => `${when}, database ${owner.database}: ${problem}`))
  }
  connection.close()
  if (run.problems.length > 0) run.problems.push(`the server said:\n${server.child.output().slice(-3000)}`)
}

/** The whole of one database, read by SCAN, GET and PEXPIRETIME. DBSIZE has to agree with what is found. */
async function observe(connection: RawConnection, database: number, problems: string[]): Promise<Observed> {
  const fromMs = Date.now()
  await connection.call('SELECT', database)
  const keys = await scanAll(connection)
  connection.send(
    Buffer.concat(keys.flatMap((key) => [encodeRequest(['GET', key]), encodeRequest(['PEXPIRETIME', key])])),
  )
  const entries = new Map<string, { value: string; expiresAt: number }>()
  for (const key of keys) {
    const { value } = await connection.reply()
    const expiresAt = (await connection.reply()).value
    if (value instanceof ReplyError) problems.push(`GET ${key}: ${value.message}`)
    if (Buffer.isBuffer(value) && typeof expiresAt === 'number' && expiresAt !== -2) {
      entries.set(key, { value: value.toString('latin1'), expiresAt })
    }
  }
  // Asking for a key whose time has come removes it, so that DBSIZE counts what a reader can find.
  await connection.call('EXISTS', ...MORTAL_KEYS)
  const size = await connection.call('DBSIZE')
  const never = await connection.call('EXISTS', 'never', 'written', `p${Number.MAX_SAFE_INTEGER}`)
  if (never !== 0) problems.push(`keys never written exist: ${show(never)}`)
  const toMs = Date.now()
  const lasting = [...entries.values()].filter(
    (entry) => entry.expiresAt === -1 || entry.expiresAt > toMs + 1000,
  ).length
  if (typeof size !== 'number' || size < lasting || size > keys.length) {
    problems.push(
      `DBSIZE is ${show(size)}, SCAN found ${keys.length} keys, of which ${lasting} are not about to expire`,
    )
  }
  return { entries, fromMs, toMs }
}

async function scanAll(connection: RawConnection): Promise<string[]> {
  const keys = new Set<string>()
  let cursor = '0'
  do {
    const reply = await connection.call('SCAN', cursor, 'COUNT', 500)
    if (!Array.isArray(reply)) throw new Error(`SCAN was answered ${show(reply)}`)
    const [next, found] = reply as [Buffer, Buffer[]]
    for (const key of found) keys.add(key.toString('latin1'))
    cursor = next.toString()
  } while (cursor !== '0')
  return [...keys]
}

const ways = [
  'a second kill',
  'a clean restart',
  'a kill while starting',
  'a kill and no caches',
  'a kill and caches cut short',
  'a clean stop and no caches',
  'a clean stop and caches cut short',
  'a merge',
] as const

/** One more restart, in one of several ways; whatever the way, the answers are the same. */
async function encore(run: Run, server: Server): Promise<Server> {
  const way = run.random.pick(run.kind === 'casky' ? ways : ways.slice(0, 3))
  if (way === 'a merge') await merge(run, server)
  if (way.startsWith('a clean')) {
    const exit = await server.halt()
    if (exit.code !== 0) run.problems.push(`SIGTERM ended with ${JSON.stringify(exit)}: ${server.child.output()}`)
  } else {
    await server.crash()
  }
  if (way.endsWith('no caches')) forEachCache(run.dir, (path) => rmSync(path))
  if (way.endsWith('cut short'))
    forEachCache(run.dir, (path) => truncateSync(path, Math.floor(statSync(path).size / 2)))
  if (way === 'a kill while starting') {
    const starting = await launch(run.kind, await freePort(), run.dir, { args: run.args })
    await after(run.random.between(0, 250))
    starting.kill('SIGKILL')
    await starting.exited
  }
  const again = await start(run)
  await check(run, again, `after ${way}`)
  return again
}

async function merge(run: Run, server: Server): Promise<void> {
  const connection = await server.connect({ replyLimitMs: 60_000 })
  const reply = await connection.call('MERGE', 'WAIT')
  connection.close()
  if (typeof reply !== 'number') run.problems.push(`MERGE WAIT was answered ${show(reply)}`)
  await check(run, server, 'after MERGE WAIT')
}

/** Hints and keydir image: everything in them can be had from the data. */
function forEachCache(dir: string, change: (path: string) => void): void {
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && /\.(hint|image)$/.test(entry.name)) change(join(entry.parentPath, entry.name))
  }
}
