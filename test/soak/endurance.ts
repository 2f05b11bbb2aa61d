// npm run soak -- endurance --minutes 120 [--seed S] [--leak]
//
// One server under load for hours, merges all the time, and one trouble after the other (troubles.ts; a full disk among them,
// where a tmpfs can be mounted). After every ten seconds all is quiet for a moment, and what the server holds is written
// down: resident memory, heap and external memory after a collection, descriptors, threads, active handles. After the
// warm-up none of them may rise (flatness.ts).
//
// Increments acknowledged are counted, so that a server that stays flat because it forgets is found out too.
// --leak lets the probe (probe.cjs) keep a little at each sample: the verdict has to be guilty.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { restless } from '../crash/configuration.ts'
import { startVictim, type Victim } from '../crash/victim.ts'
import { run } from '../harness/child.ts'
import { ConnectionClosed, RawConnection } from '../harness/connection.ts'
import { type Random, randomFrom } from '../harness/random.ts'
import { type Argument, encodeRequest, type Reply, ReplyError, show } from '../harness/resp.ts'
import { freePort } from '../harness/server.ts'
import { type Allowed, flatness, type Point } from './flatness.ts'
import { type Stage, troubles } from './troubles.ts'

const ROUND_MS = 8000
const DISK = '384m'
const KEYS = 8000
const PROGRESS_MS = 60_000
const probe = fileURLToPath(new URL('probe.cjs', import.meta.url))

/** What must not rise, and how much of a rise over the window is noise. Bytes, or pieces. */
const measures: Readonly<Record<string, Allowed>> = {
  'resident memory': { share: 0.05, floor: 12 * 1024 ** 2 },
  'heap in use': { share: 0.05, floor: 1024 ** 2 },
  'external memory': { share: 0.05, floor: 2 * 1024 ** 2 },
  // How many segments there are changes from sample to sample, within the bound of the engine's cache of handles.
  'data files open': { share: 0.5, floor: 64 },
  'other descriptors': { share: 0, floor: 2 },
  threads: { share: 0, floor: 1 },
  'active handles': { share: 0, floor: 2 },
}

export async function soakEndurance(words: string[]): Promise<number> {
  const { values } = parseArgs({
    args: words.filter((word) => word !== ''),
    options: { minutes: { type: 'string', default: '120' }, seed: { type: 'string' }, leak: { type: 'boolean' } },
  })
  const minutes = Number(values.minutes)
  if (!(minutes >= 2)) {
    console.error('usage: endurance --minutes M (2 or more) [--seed S] [--leak]')
    return 2
  }
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`seed ${seed}, ${minutes} minutes`)
  const result = await endure({ minutes, seed, leak: values.leak === true, say: (line) => console.log(line) })
  for (const problem of result.problems) console.error(problem)
  console.log(
    `${result.requests} requests, ${result.samples} samples, ${result.merges} merges, ${result.refused} writes refused: ${
      result.problems.length === 0 ? 'flat' : 'NOT FLAT, OR WRONG'
    }`,
  )
  return result.problems.length === 0 ? 0 : 1
}

export interface EnduranceOptions {
  readonly minutes: number
  readonly seed: number
  readonly leak: boolean
  say(line: string): void
}

export interface EnduranceResult {
  readonly requests: number
  /** Answered -MISCONF, which a full disk may do. */
  readonly refused: number
  readonly samples: number
  readonly merges: number
  readonly problems: readonly string[]
}

interface Sample {
  readonly at: number
  readonly values: Readonly<Record<string, number>>
}

export async function endure(options: EnduranceOptions): Promise<EnduranceResult> {
  const random = randomFrom(options.seed)
  const home = mkdtempSync(join(tmpdir(), 'casky-endurance-'))
  const disk = join(home, 'disk')
  mkdirSync(disk)
  const isMounted = (await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', disk])).code === 0
  if (!isMounted) options.say('no tmpfs can be mounted here: the disk never gets full')
  const place: Place = { home, dir: join(disk, 'data'), record: join(home, 'probe'), port: await freePort(), isMounted }
  const tally = new Tally()
  const samples: Sample[] = []
  let merges = 0
  let victim: Victim | undefined
  try {
    victim = await startServer(place, options.leak)
    const started = performance.now()
    const sinceStart = (): number => (performance.now() - started) / 60_000
    let told = 0
    while (sinceStart() < options.minutes && tally.problems.length === 0) {
      await round(victim, place, randomFrom(random.below(2 ** 32)), tally)
      samples.push({ at: sinceStart(), values: await measure(victim, place) })
      if (performance.now() - told > PROGRESS_MS) {
        told = performance.now()
        options.say(`${sinceStart().toFixed(1)} min, ${tally.requests} requests: ${tell(samples.at(-1)!.values)}`)
      }
    }
    merges = await close(victim, tally)
  } catch (error) {
    tally.problems.push((error as Error).stack ?? String(error), victim?.child.output().slice(-3000) ?? '')
  } finally {
    await victim?.crash()
    if (isMounted) await run('umount', [disk])
    rmSync(home, { recursive: true, force: true })
  }
  tally.problems.push(...judge(samples, options))
  return { requests: tally.requests, refused: tally.refused, samples: samples.length, merges, problems: tally.problems }
}

interface Place {
  readonly home: string
  readonly dir: string
  /** Where the probe writes. */
  readonly record: string
  /** TCP, since only TCP has resets. */
  readonly port: number
  readonly isMounted: boolean
}

class Tally {
  requests = 0
  refused = 0
  /** Increments acknowledged, and those whose outcome is unknown. */
  incremented = 0
  doubtful = 0
  readonly problems: string[] = []
}

function startServer(place: Place, leak: boolean): Promise<Victim> {
  return startVictim({
    kind: 'casky',
    dir: place.dir,
    socket: join(place.home, 'socket'),
    args: [
      ...['--port', String(place.port)],
      ...restless,
      '--value-cache-size',
      '16mb',
      '--disk-reserve',
      '4mb',
      '--client-output-buffer-limit',
      'normal 8mb 0 0',
    ],
    env: {
      NODE_OPTIONS: `--require ${probe}`,
      CASKY_TEST_PROBE: place.record,
      ...(leak ? { CASKY_TEST_LEAK: '1' } : {}),
      GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1048576',
    },
  })
}

/** Load and troubles for some seconds, then quiet. */
async function round(victim: Victim, place: Place, random: Random, tally: Tally): Promise<void> {
  const until = performance.now() + ROUND_MS
  const stage: Stage = {
    open: () => RawConnection.open({ port: place.port, replyLimitMs: 180_000 }),
    random,
    dir: place.dir,
    freeBytes: () => {
      if (!place.isMounted) return 0
      const { bavail, bsize } = statfsSync(join(place.dir, '..'))
      return bavail * bsize
    },
  }
  const loads = Array.from({ length: 6 }, () => load(victim, randomFrom(random.below(2 ** 32)), until, tally))
  const makers = [1, 2].map(async () => {
    while (performance.now() < until) {
      const [name, trouble] = random.pick(Object.entries(troubles))
      try {
        await trouble(stage)
      } catch (error) {
        if (!(error instanceof ConnectionClosed)) tally.problems.push(`${name}: ${(error as Error).message}`)
      }
      await after(random.between(10, 300))
    }
  })
  await Promise.all([...loads, ...makers])
  if (victim.child.exit !== undefined) throw new Error(`the server ended: ${victim.child.output().slice(-3000)}`)
}

/** One client with pipelines of ordinary commands over a bounded set of keys. */
async function load(victim: Victim, random: Random, until: number, tally: Tally): Promise<void> {
  const connection = await victim.connect()
  let asked: Argument[] = []
  try {
    while (performance.now() < until) {
      const commands = Array.from({ length: random.between(1, 60) }, () => command(random))
      connection.send(Buffer.concat(commands.map((words) => encodeRequest(words))))
      for (const words of commands) {
        asked = words
        note(words, (await connection.reply()).value, tally)
      }
    }
  } catch (error) {
    tally.problems.push(`${asked[0]} ${asked[1]}: ${(error as Error).message}`)
  } finally {
    connection.close()
  }
}

function note(words: readonly Argument[], reply: Reply, tally: Tally): void {
  tally.requests++
  const isRefused = reply instanceof ReplyError && reply.message.startsWith('MISCONF')
  if (isRefused) tally.refused++
  else if (reply instanceof ReplyError) tally.problems.push(`${words[0]} was answered ${reply.message}`)
  if (words[0] !== 'INCR') return
  if (isRefused) tally.doubtful++
  else tally.incremented++
}

function command(random: Random): Argument[] {
  const key = `k${random.below(KEYS)}`
  const value = (): string => 'v'.repeat(random.chance(0.05) ? random.between(4000, 20_000) : random.between(1, 400))
  const dice = random.next()
  if (dice < 0.35) return ['GET', key]
  if (dice < 0.65) return ['SET', key, value()]
  if (dice < 0.72) return ['DEL', key]
  if (dice < 0.77) return ['INCR', 'increments']
  if (dice < 0.82) return ['SET', key, value(), 'PX', random.between(50, 60_000)]
  if (dice < 0.87) return ['PEXPIRE', key, random.between(50, 100_000)]
  if (dice < 0.91) return ['MSET', key, value(), `k${random.below(KEYS)}`, value()]
  if (dice < 0.94) return ['MGET', key, `k${random.below(KEYS)}`, `k${random.below(KEYS)}`]
  if (dice < 0.97) return ['GETRANGE', key, 0, 10]
  return ['COPY', key, `copy${random.below(500)}`, 'REPLACE']
}

/** What it holds now that all clients are gone. */
async function measure(victim: Victim, place: Place): Promise<Record<string, number>> {
  const asker = await victim.connect()
  await untilAlone(asker)
  asker.close()
  const { pid } = victim.child
  const seen = lines(place.record).length
  process.kill(pid, 'SIGUSR2')
  while (lines(place.record).length === seen) {
    if (victim.child.exit !== undefined) throw new Error(`the server ended: ${victim.child.output().slice(-3000)}`)
    await after(5)
  }
  const inside = JSON.parse(lines(place.record).at(-1)!) as {
    heapUsed: number
    external: number
    handles: Record<string, number>
  }
  const files = openFiles(pid)
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1])
  return {
    'resident memory': field('VmRSS') * 1024,
    'heap in use': inside.heapUsed,
    'external memory': inside.external,
    'data files open': files.filter((name) => name.startsWith(place.dir)).length,
    'other descriptors': files.filter((name) => !name.startsWith(place.dir)).length,
    threads: field('Threads'),
    'active handles': Object.values(inside.handles).reduce((sum, count) => sum + count, 0),
  }
}

/** What the descriptors of a process stand for. */
function openFiles(pid: number): string[] {
  const names: string[] = []
  for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
    try {
      names.push(readlinkSync(`/proc/${pid}/fd/${descriptor}`))
    } catch {
      // closed since it was listed
    }
  }
  return names
}

/** Waits until the server has noticed that everybody left, and no merge runs. */
async function untilAlone(asker: RawConnection): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const info = String(await asker.call('INFO', 'everything'))
    if (/\r\nconnected_clients:1\r/.test(info) && !/casky_merge_state:running/.test(info)) return
    await after(10)
  }
}

// Whole lines only: the last one may be on its way.
const lines = (file: string): string[] => {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(0, -1)
  } catch {
    return [] // nothing written yet
  }
}

/** The last look at the data, and a clean end. Returns how many merges there were. */
async function close(victim: Victim, tally: Tally): Promise<number> {
  const connection = await victim.connect()
  const counted = Number(await connection.call('INCRBY', 'increments', 0))
  if (counted < tally.incremented || counted > tally.incremented + tally.doubtful) {
    tally.problems.push(`${tally.incremented} increments acknowledged, ${tally.doubtful} doubtful, ${counted} counted`)
  }
  const info = show(await connection.call('INFO', 'everything'))
  connection.close()
  const exit = await victim.halt()
  if (exit.code !== 0) tally.problems.push(`the end: ${JSON.stringify(exit)}\n${victim.child.output().slice(-2000)}`)
  return Number(/casky_merges:(\d+)/.exec(info)?.[1] ?? Number.NaN)
}

/** The later two thirds (at most the first ten minutes are warm-up) have to be flat. */
function judge(samples: readonly Sample[], { minutes, say }: EnduranceOptions): string[] {
  const warm = Math.min(10, minutes / 3)
  const later = samples.filter((sample) => sample.at >= warm)
  if (later.length < 8) return ['too few samples for a verdict']
  const problems: string[] = []
  for (const [name, allowed] of Object.entries(measures)) {
    const points: Point[] = later.map(({ at, values }) => ({ at, value: values[name]! }))
    const found = flatness(points, allowed)
    const unit = (value: number): string => amount(value, allowed)
    const line = `${name}: ${unit(found.median)}, ${unit(found.slope * 60)} an hour, rise ${unit(found.rise)} of ${unit(found.allowed)} allowed`
    say(`  ${found.isFlat ? 'flat  ' : 'RISING'}  ${line}`)
    if (!found.isFlat) problems.push(line)
  }
  return problems
}

const amount = (value: number, { floor }: Allowed): string =>
  floor > 1000 ? `${(value / 1024 ** 2).toFixed(2)} MiB` : value.toFixed(1)
const tell = (values: Readonly<Record<string, number>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${amount(value, measures[name]!)}`)
    .join(', ')
