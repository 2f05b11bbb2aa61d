// Whole servers that race for one directory: one serves, each of the others ends with exit code 1, says why, and has not
// written a byte.

import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { type Child, startChild } from '../harness/child.ts'
import { RawConnection } from '../harness/connection.ts'
import { show } from '../harness/resp.ts'
import { caskyMain } from '../harness/server.ts'
import { inNamespace, pidInside, Starter } from './starter.ts'

export interface ServerRaceOptions {
  readonly races: number
  readonly servers?: number
  readonly namespaces: boolean
  progress?(races: number): void
}

export interface ServerRaceResult {
  readonly races: number
  readonly starts: number
  readonly problems: readonly string[]
}

/** On a machine that has twenty times more to do than it can, a start takes minutes. */
const START_LIMIT_MS = 300_000
const REFUSAL = /Cannot open the store: .+ is in use by another process\. Stop that one first/

interface Runner {
  readonly child: Child
  readonly socket: string
  readonly isPidOne: boolean
}

/** Each race: all at once, one winner that counts one up; it is killed, and the next winner finds what it counted. */
export async function serverRaces(options: ServerRaceOptions): Promise<ServerRaceResult> {
  const home = mkdtempSync(join(tmpdir(), 'casky-lock-'))
  const problems: string[] = []
  const count = options.servers ?? 8
  let races = 0
  while (races < options.races && problems.length === 0) {
    races++
    const runners = await startAll(home, count, options.namespaces)
    const losers = await untilOneIsLeft(runners, problems)
    judgeLosers(losers, problems)
    const winner = runners.find((runner) => !losers.includes(runner))
    if (winner === undefined) problems.push('nobody serves')
    else {
      try {
        const connection = await RawConnection.open({ path: winner.socket })
        const counted = await connection.call('INCR', 'races')
        if (counted !== races) problems.push(`the winner counts ${show(counted)}, it is race ${races}`)
        connection.close()
      } catch (error) {
        problems.push(`the winner does not answer: ${(error as Error).message}`)
      }
    }
    for (const runner of runners) await kill(runner)
    options.progress?.(races)
  }
  if (problems.length === 0) rmSync(home, { recursive: true })
  return { races, starts: races * count, problems: problems.map((problem) => `race ${races}, ${home}: ${problem}`) }
}

/**
 * The directory of a store whose lock somebody has, who does nothing: the servers that try are refused, and no file of it has
 * changed. Returns what is wrong.
 */
export async function losersWriteNothing(servers: number): Promise<string[]> {
  const home = mkdtempSync(join(tmpdir(), 'casky-lock-'))
  const problems: string[] = []
  // A store after a kill: one that any start would repair, hint and add to.
  const [first] = await startAll(home, 1, false)
  await untilReady(first!)
  const connection = await RawConnection.open({ path: first!.socket })
  await connection.call('MSET', 'a', '1', 'b', '2')
  connection.close()
  await kill(first!)

  const owner = await Starter.start(false)
  const answer = await owner.ask(`try ${join(home, 'data')}`)
  if (answer !== 'won') problems.push(`the lock of a killed server is stale: ${answer}`)
  const before = fingerprint(join(home, 'data'))
  const runners = await startAll(home, servers, false)
  await Promise.all(runners.map((runner) => runner.child.exited))
  judgeLosers(runners, problems)
  const changed = fingerprint(join(home, 'data'))
  if (changed !== before) problems.push(`losers changed the directory:\n${before}\nis now\n${changed}`)
  await owner.kill()
  rmSync(home, { recursive: true })
  return problems
}

function startAll(home: string, count: number, namespaces: boolean): Promise<Runner[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, i): Promise<Runner> => {
      const socket = join(home, `socket-${i}`)
      const args = [
        caskyMain,
        '--port',
        '0',
        '--unixsocket',
        socket,
        '--dir',
        join(home, 'data'),
        '--disk-reserve',
        '0',
      ]
      const isPidOne = namespaces && i % 2 === 1
      const command = isPidOne ? inNamespace(process.execPath, args) : ([process.execPath, args] as const)
      return { child: await startChild(...command, { cwd: home }), socket, isPidOne }
    }),
  )
}

/** Waits until all but one have ended and that one serves. Returns who has ended. */
async function untilOneIsLeft(runners: readonly Runner[], problems: string[]): Promise<Runner[]> {
  const deadline = performance.now() + START_LIMIT_MS
  for (;;) {
    const ended = runners.filter((runner) => runner.child.exit !== undefined)
    const ready = runners.filter((runner) => runner.child.stdout().includes('Ready to accept connections'))
    if (ready.length > 1) problems.push(`${ready.length} servers serve one directory`)
    if (ready.length > 1 || (ended.length === runners.length - 1 && ready.length === 1)) return ended
    if (ended.length === runners.length || performance.now() > deadline) {
      problems.push(`${ended.length} of ${runners.length} ended, ${ready.length} serve`)
      return ended
    }
    await after(10) // the interval of the next look
  }
}

async function untilReady({ child }: Runner): Promise<void> {
  while (!child.stdout().includes('Ready to accept connections')) {
    if (child.exit !== undefined) throw new Error(child.output())
    await after(10)
  }
}

function judgeLosers(losers: readonly Runner[], problems: string[]): void {
  for (const { child } of losers) {
    const said = child.output()
    const isClear = REFUSAL.test(said) && !/^\s+at /m.test(said)
    if (child.exit?.code !== 1 || !isClear) problems.push(`a loser ended with ${JSON.stringify(child.exit)}:\n${said}`)
  }
}

async function kill({ child, isPidOne }: Runner): Promise<void> {
  const pid = isPidOne ? pidInside(child.pid) : child.pid
  if (child.exit === undefined && pid !== undefined) process.kill(pid, 'SIGKILL')
  await child.exited
}

/** Every file with its size, its time and its bytes. */
function fingerprint(dir: string): string {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const path = join(dir, name)
      const stat = statSync(path)
      const bytes = stat.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16) : 'dir'
      return `${name} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs} ${bytes}`
    })
    .join('\n')
}
