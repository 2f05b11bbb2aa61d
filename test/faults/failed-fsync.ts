// An fsync that fails for real, and what comes after it. The kernel tells of such an error once, calls the pages clean and keeps
// showing them: whoever syncs again is told that all is well, and whoever restarts reads what the disk does not have.
//
//   the disk fails    writes are answered until an fsync fails, from then on -MISCONF; reads go on; the file that could not be
//                     synced is never synced again
//   start, still ill  the unproven end of the log cannot be copied: no start, exit code 1
//   cache kept        a start on the healed disk serves all that was acknowledged; and what it serves is on the disk: after
//                     a kill and without the cache it is there still
//   cache dropped     `always`: all that was acknowledged; `everysec`: all that the last sync covered, and a prefix of the rest
//   cache evicted     the same, and the server is still running: what it can't read any more is an error, and nothing else is
//
// The kernel may evict pages at any time, so that a cache that was to be kept was not: then the third story has been told.

import { randomFrom } from '../harness/random.ts'
import { ReplyError, show } from '../harness/resp.ts'
import { type Server, startServer } from '../harness/server.ts'
import { type Called, Shim } from './control.ts'
import { FailingDisk } from './failing-disk.ts'
import { find, Teller, tiny, type Weather } from './story.ts'

export interface FsyncStory {
  readonly appendfsync: 'always' | 'everysec'
  readonly cache: 'kept' | 'dropped' | 'evicted'
  /** Small segments and merges all the time: what fails first may be a manifest, a new segment, a merge's output, a hint. */
  readonly restless: boolean
}

export const FSYNC_STORIES: readonly FsyncStory[] = [
  { appendfsync: 'always', cache: 'kept', restless: false },
  { appendfsync: 'always', cache: 'dropped', restless: true },
  { appendfsync: 'always', cache: 'dropped', restless: false },
  { appendfsync: 'everysec', cache: 'kept', restless: true },
  { appendfsync: 'everysec', cache: 'kept', restless: false },
  { appendfsync: 'everysec', cache: 'dropped', restless: true },
  { appendfsync: 'everysec', cache: 'evicted', restless: false },
  { appendfsync: 'always', cache: 'evicted', restless: false },
]

export interface FsyncOutcome {
  /** What was wrong; empty: nothing. */
  readonly problems: string[]
  acknowledged: number
  /** Operations that were answered with an error. */
  refused: number
  /** What the first of them was told. */
  told: string
  /** The page cache let go of what it alone had. */
  evicted: boolean
}

const ROUNDS_LIMIT = 2000

/** Tells one of the stories. Throws only what the test's own machinery does. */
export async function failedFsync(story: FsyncStory, seed: number): Promise<FsyncOutcome> {
  const outcome: FsyncOutcome = { problems: [], acknowledged: 0, refused: 0, told: '', evicted: false }
  const disk = new FailingDisk()
  const shim = new Shim(disk.directory)
  let running: Server | null = null
  try {
    const calm = [
      '--disk-reserve',
      '0',
      '--segment-size',
      '256kb',
      '--value-cache-size',
      '64kb',
      '--merge-enabled',
      'no',
    ]
    const args = [...(story.restless ? tiny : calm), '--appendfsync', story.appendfsync]
    const start = (env = {}): Promise<Server> => startServer('casky', { dir: disk.directory, args, env })
    const random = randomFrom(seed)
    const tellers = [0, 1].map((i) => new Teller(i, randomFrom(random.below(2 ** 32))))
    const { problems } = outcome

    running = await start(shim.env)
    await writeUntilRefused(running, disk, tellers, outcome)
    if (story.cache === 'evicted') disk.evict()
    outcome.evicted = await stillReads(running, tellers, problems)
    if (outcome.evicted && story.appendfsync === 'always') problems.push('what was synced cannot be read')
    const seen = disk.files()
    // The way it ends makes no difference to what is on the disk: by a signal it says that it could not close, or it is killed.
    const stops = random.chance(0.5)
    const exit = await (stops ? running.halt() : running.crash())
    if (stops && exit.code !== 1)
      problems.push(`SIGTERM ended it with ${JSON.stringify(exit)}: it cannot have closed well`)
    if (running.child.output().includes('Bug')) problems.push(running.child.output().slice(-2000))
    problems.push(...syncedTwice(shim.history(), /fsync of the log/.test(outcome.told)))

    if (story.cache === 'dropped') {
      disk.dropCacheAndHeal()
    } else {
      if (story.cache === 'kept') await refusesToStart(start, problems)
      disk.heal()
      for (const [path, now] of disk.files()) if (!(seen.get(path) ?? now).equals(now)) outcome.evicted = true
    }
    const healed = disk.files()
    running = await start()
    // What was dropped as torn stands in quarantine as this start has read it: other bytes than a moment ago, and the cache has let go in between.
    for (const [path, bytes] of disk.files()) {
      const [, name, offset] = /quarantine\/(\d+\.data)\.(\d+)$/.exec(path) ?? []
      if (name === undefined) continue
      const before = healed.get(disk.pathOf(name))
      const at = Number(offset)
      if (before !== undefined && !bytes.equals(before.subarray(at, at + bytes.length))) outcome.evicted = true
    }
    const lossy = story.appendfsync === 'everysec' && (story.cache !== 'kept' || outcome.evicted)
    await settle(running, tellers, lossy, 'after the disk was healed', problems)
    await running.crash()

    disk.dropCacheAndHeal()
    running = await start()
    await settle(running, tellers, false, 'after that, without the page cache', problems)
    await writesAgain(running, problems)
    const end = await running.halt()
    if (end.code !== 0) problems.push(`the last stop ended with ${JSON.stringify(end)}`)
    running = null
    return outcome
  } finally {
    await running?.crash()
    shim.close()
    disk.close()
  }
}

/** Clients write; the disk fails; they go on until an fsync has told the server. */
async function writeUntilRefused(
  server: Server,
  disk: FailingDisk,
  tellers: readonly Teller[],
  outcome: FsyncOutcome,
): Promise<void> {
  let ill = false
  const weather: Weather = { bad: () => ill, readsFail: false }
  const connections = await Promise.all(tellers.map(() => server.connect()))
  await Promise.all(tellers.map((teller, i) => teller.ask(connections[i]!, weather, 60)))
  // What SAVE has confirmed is on the disk in every mode.
  const saved = await connections[0]!.call('SAVE')
  if (saved !== 'OK') outcome.problems.push(`SAVE was answered ${show(saved)}`)
  for (const teller of tellers) teller.history.mark()
  ill = true
  disk.fail()
  for (let round = 0; round < ROUNDS_LIMIT; round++) {
    await Promise.all(
      tellers.map(async (teller, i) => {
        await teller.ask(connections[i]!, weather, 2)
        await teller.burst(connections[i]!, weather, 4)
      }),
    )
    if (tellers.every((teller) => teller.errors.length > 0)) break
  }
  for (const connection of connections) connection.close()
  for (const teller of tellers) {
    outcome.acknowledged += teller.acknowledged
    outcome.refused += teller.errors.length
    outcome.problems.push(...teller.problems.splice(0))
    const strange = teller.errors.find((error) => !error.startsWith('MISCONF ') && !error.startsWith('EXECABORT '))
    if (strange !== undefined) outcome.problems.push(`refused in other words: ${strange}`)
  }
  outcome.told = tellers.flatMap((teller) => teller.errors)[0] ?? ''
  // The first that fails may be that of a segment still to come, which has no data: then the disk, which says ENOSPC, counts as full.
  if (!/fsync|disk is full/.test(outcome.told)) outcome.problems.push(`no fsync failed: ${outcome.told}`)
}

/** The running server shows what it has acknowledged, and nothing it has refused. True: some of it cannot be read any more. */
async function stillReads(server: Server, tellers: readonly Teller[], problems: string[]): Promise<boolean> {
  const connection = await server.connect()
  let unreadable = false
  for (const teller of tellers) {
    const found = await find(connection, teller.databases, problems, true)
    problems.push(...teller.history.compareLive(found).map((wrong) => `while writes were refused: ${wrong}`))
    for (const [key, error] of found.errors) {
      unreadable = true
      if (!error.endsWith('is damaged')) problems.push(`while writes were refused: GET ${key}: ${error}`)
    }
  }
  const refused = await connection.call('SET', 'while', 'refused')
  if (!(refused instanceof ReplyError && refused.message.startsWith('MISCONF'))) {
    problems.push(`SET was answered ${show(refused)} after a failed fsync`)
  }
  connection.close()
  return unreadable
}

/** A data file that could not be synced is never synced again. */
// A merge may meet the disk first, and then it was the manifest's sync.
function syncedTwice(calls: readonly Called[], wasLog: boolean): string[] {
  const failed = new Set<string>()
  const wrong: string[] = []
  for (const { kind, name, errno, number } of calls) {
    if (kind !== 'sync' || !name.endsWith('.data')) continue
    if (failed.has(name)) wrong.push(`call ${number} syncs ${name} again after a sync of it has failed`)
    if (errno !== 0) failed.add(name)
  }
  if (wasLog && failed.size === 0) wrong.push('no sync of a data file has failed')
  return wrong
}

async function refusesToStart(start: () => Promise<Server>, problems: string[]): Promise<void> {
  let server: Server
  try {
    server = await start()
  } catch (error) {
    if (!(error as Error).message.includes('ended (1)'))
      problems.push(`the start on an ill disk: ${(error as Error).message}`)
    return
  }
  // What it copied happened to fit into blocks that the disk has. Then it may serve.
  await server.crash()
}

async function settle(
  server: Server,
  tellers: readonly Teller[],
  lossy: boolean,
  when: string,
  problems: string[],
): Promise<void> {
  const connection = await server.connect()
  for (const { databases, history } of tellers) {
    const found = await find(connection, databases, problems)
    const wrong = lossy ? history.settleAfterLoss(found) : history.settle(found)
    problems.push(...wrong.slice(0, 10).map((each) => `${when}: ${each}`))
  }
  connection.close()
}

async function writesAgain(server: Server, problems: string[]): Promise<void> {
  const connection = await server.connect()
  const reply = await connection.call('SET', 'healed', 'yes')
  if (reply !== 'OK') problems.push(`SET on the healed disk was answered ${show(reply)}`)
  connection.close()
}
