// Races for the lock of one directory: all starters are told at once, exactly one may get it. Then the owner lets go, or is
// killed, and the next race begins at once: a lock that a dead owner left behind would show as a race without a winner.
//
// Half of the starters are pid 1 of a namespace of their own: a lock that goes by pids would take them for one another, or
// for alive. Now and then a starter is killed in the midst of its attempt. Whether that one had won nobody can say, and its
// `flock` may outlive it by a moment, so that only the race after it has to have a winner, within a few tries.

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { type Random, randomFrom } from '../harness/random.ts'
import { Starter } from './starter.ts'

export interface RaceOptions {
  readonly races: number
  readonly seed: number
  readonly starters?: number
  /** Whether every second starter is pid 1 of its namespace. */
  readonly namespaces: boolean
  /** A module with another lockDirectory: false ones judge the races. */
  readonly lockModule?: string
  progress?(races: number): void
}

export interface RaceResult {
  readonly races: number
  readonly attempts: number
  /** Owners killed, and how many of them were pid 1; starters killed while they tried. */
  readonly ownersKilled: number
  readonly killedAsPidOne: number
  readonly killedTrying: number
  readonly problems: readonly string[]
}

/** What a loser has to say. */
const REFUSAL = /^lost ELOCKED .+ is in use by another process\. Stop that one first/
/** A killed starter's `flock` program is gone after this, even on a machine that is very busy. */
const ORPHAN_MS = 120_000

/** Runs the races. What went wrong is in `problems`, and the first that has any is the last. */
export async function races(options: RaceOptions): Promise<RaceResult> {
  const random = randomFrom(options.seed)
  const directory = mkdtempSync(join(tmpdir(), 'casky-lock-'))
  const count = options.starters ?? 8
  const isPidOne = (i: number): boolean => options.namespaces && i % 2 === 1
  const starters = await Promise.all(
    Array.from({ length: count }, (_, i) => Starter.start(isPidOne(i), options.lockModule)),
  )
  const result = {
    races: 0,
    attempts: 0,
    ownersKilled: 0,
    killedAsPidOne: 0,
    killedTrying: 0,
    problems: [] as string[],
  }
  const replace = async (i: number): Promise<void> => {
    await starters[i]!.kill()
    starters[i] = await Starter.start(isPidOne(i), options.lockModule)
  }
  for (const [i, starter] of starters.entries()) {
    if (isPidOne(i) && starter.ownPid !== 1) result.problems.push(`starter ${i} is pid ${starter.ownPid} and not 1`)
  }
  const outcome = { orphan: false }
  while (result.races < options.races && result.problems.length === 0) {
    result.races++
    const owner = await race(starters, directory, outcome.orphan, result)
    outcome.orphan = false
    if (owner === undefined) break
    const late = (owner + 1 + random.below(count - 1)) % count
    judgeLoser(await starters[late]!.ask(`try ${directory}`), `starter ${late}, after the race`, result.problems)
    if (random.chance(0.5) || result.races === 1) {
      result.ownersKilled++
      if (isPidOne(owner)) result.killedAsPidOne++
      await replace(owner)
    } else if ((await starters[owner]!.ask('release')) !== 'released') {
      result.problems.push(`starter ${owner} did not let go`)
    }
    if (random.chance(0.05)) {
      result.killedTrying++
      outcome.orphan = true
      await killOneTrying(starters, random, directory, replace)
    }
    options.progress?.(result.races)
  }
  const files = readdirSync(directory)
  if (files.join() !== 'LOCK' || statSync(join(directory, 'LOCK')).size !== 0) {
    result.problems.push(`the races left ${files.join(', ')}`)
  }
  for (const starter of starters) await starter.kill()
  rmSync(directory, { recursive: true })
  return {
    ...result,
    problems: result.problems.map((problem) => `race ${result.races}, seed ${options.seed}: ${problem}`),
  }
}

/** All at once. Returns who won. With an orphan about, nobody may win at first. */
async function race(
  starters: readonly Starter[],
  directory: string,
  isOrphanAbout: boolean,
  result: { attempts: number; problems: string[] },
): Promise<number | undefined> {
  const deadline = performance.now() + (isOrphanAbout ? ORPHAN_MS : 0)
  for (;;) {
    const answers = await Promise.all(starters.map((starter) => starter.ask(`try ${directory}`)))
    result.attempts += answers.length
    const owners = answers.flatMap((answer, i) => (answer === 'won' ? [i] : []))
    for (const [i, answer] of answers.entries()) {
      if (answer !== 'won') judgeLoser(answer, `starter ${i}`, result.problems)
    }
    if (owners.length === 1) return owners[0]
    if (owners.length > 1) result.problems.push(`${owners.length} owners at once: ${owners.join(', ')}`)
    else if (performance.now() < deadline) {
      await after(20)
      continue
    } else result.problems.push('nobody got the lock, and nobody had it')
    return undefined
  }
}

function judgeLoser(answer: string, who: string, problems: string[]): void {
  if (!REFUSAL.test(answer)) problems.push(`${who} had to lose and was told: ${answer}`)
}

/** One starter tries and is killed while it does, at any moment of its few milliseconds. */
async function killOneTrying(
  starters: readonly Starter[],
  random: Random,
  directory: string,
  replace: (i: number) => Promise<void>,
): Promise<void> {
  const victim = random.below(starters.length)
  void starters[victim]!.ask(`try ${directory}`)
  await after(random.between(0, 6))
  await replace(victim)
}
