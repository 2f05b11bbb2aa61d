// Faults of the real server's disk, by hand and for long (test/faults):
//
//   npm run soak -- real-faults [--sample N] [--seed S] [--jobs J]     every call and way; or N of them, by chance
//   npm run soak -- real-faults --from K [--seed S] [--jobs J]         every one from the K-th on: to go on with a run that was ended
//   npm run soak -- real-faults --pairs N [--seed S] [--jobs J]        N pairs: one in the story, one in the start after it
//   npm run soak -- real-faults --only K [--seed S]                    the K-th of a seed's cases again
//
// Prints the seed first and a line each minute; ends with 1 when anything was wrong.

import { parseArgs } from 'node:util'
import {
  everyFault,
  type Fault,
  type Outcome,
  SCENES,
  type Scene,
  type Stage,
  setStage,
  tellTwice,
  tellUnder,
} from '../faults/real-faults.ts'
import { type Random, randomFrom } from '../harness/random.ts'

const LINE_EVERY_MS = 60_000
/** So many second faults share a first one. */
const SECONDS_EACH = 8

export interface Tally {
  cases: number
  /** Cases whose fault met no call: the run went another way than the counted one. */
  missed: number
  readonly failures: string[]
  /** Cases by what was done, `write: fail EIO`. */
  readonly ways: Map<string, number>
  /** Calls of each counted story, and how many cases there are in all. */
  readonly stages: string[]
}

export interface Wanted {
  readonly seed: number
  /** Single faults: how many; undefined: all. */
  readonly sample?: number
  /** Pairs instead of single faults: how many. */
  readonly pairs?: number
  /** Only that case. */
  readonly only?: number
  /** Leaves out as many. */
  readonly from?: number
  /** Default: all. */
  readonly scenes?: readonly Scene[]
  /** Runs at once. Default 2. */
  readonly jobs?: number
  progress?(line: string): void
}

/** Runs the cases. Stops after ten failures. */
export async function realFaults(wanted: Wanted): Promise<Tally> {
  const { seed } = wanted
  const say = wanted.progress ?? (() => {})
  const random = randomFrom(seed)
  const tally: Tally = { cases: 0, missed: 0, failures: [], ways: new Map(), stages: [] }
  const stages: Stage[] = []
  try {
    for (const scene of wanted.scenes ?? SCENES) {
      const stage = await setStage(scene, random.below(2 ** 32))
      stages.push(stage)
      const cases = [...everyFault(stage.calls)].length
      tally.stages.push(
        `after a ${scene.end}, ${scene.appendfsync}: ${stage.calls.length} calls (${stage.startCalls} of the start), ${cases} cases`,
      )
      say(tally.stages.at(-1)!)
    }
    const jobs = wanted.pairs === undefined ? singles(stages, wanted, random) : pairs(stages, wanted.pairs, random)
    let told = performance.now()
    const worker = async (): Promise<void> => {
      for (const job of jobs) {
        for (const outcome of await job()) count(tally, outcome, say)
        if (tally.failures.length >= 10) return
        if (performance.now() - told < LINE_EVERY_MS) continue
        told = performance.now()
        say(`${tally.cases} cases, ${tally.missed} missed, ${tally.failures.length} failures`)
      }
    }
    await Promise.all(Array.from({ length: wanted.jobs ?? 2 }, worker))
  } finally {
    for (const stage of stages) stage.close()
  }
  return tally
}

function count(tally: Tally, outcome: Outcome, say: (line: string) => void): void {
  tally.cases++
  if (!outcome.fired) tally.missed++
  const way = outcome.fault.replace(/call \d+ \((\w+) [^)]*\)/g, '$1')
  tally.ways.set(way, (tally.ways.get(way) ?? 0) + 1)
  if (outcome.problems.length === 0) return
  const story = `${outcome.fault} [seed ${outcome.seed}]\n${outcome.problems.join('\n')}`
  tally.failures.push(story)
  say(story)
}

type Job = () => Promise<Outcome[]>

// One generator, shared by all workers.
function* singles(stages: readonly Stage[], wanted: Wanted, random: Random): Generator<Job> {
  const all = stages.flatMap((stage) => [...everyFault(stage.calls)].map((fault) => ({ stage, fault })))
  if (wanted.sample !== undefined || wanted.only !== undefined) shuffle(all, random)
  const from = wanted.only ?? wanted.from ?? 0
  const to = wanted.only === undefined ? (wanted.sample ?? all.length) : from + 1
  for (const { stage, fault } of all.slice(from, to)) {
    const seed = random.below(2 ** 32)
    yield async () => [await tellUnder(stage, fault, seed)]
  }
}

function* pairs(stages: readonly Stage[], wanted: number, random: Random): Generator<Job> {
  const firsts = stages.map((stage) => [...everyFault(stage.calls)])
  // What fails in a start: the calls of a start after a kill are those of any recovery.
  const starts = stages.flatMap((stage) => [...everyFault(stage.calls.slice(0, stage.startCalls))])
  for (let left = wanted; left > 0; left -= SECONDS_EACH) {
    const which = random.below(stages.length)
    const fault = random.pick(firsts[which]!)
    const seconds: Fault[] = Array.from({ length: Math.min(left, SECONDS_EACH) }, () => random.pick(starts))
    const seed = random.below(2 ** 32)
    yield () => tellTwice(stages[which]!, fault, seconds, seed)
  }
}

function shuffle<T>(items: T[], random: Random): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    ;[items[i], items[j]] = [items[j]!, items[i]!]
  }
}

/** The soak's own command line. Returns the exit code. */
export async function soakRealFaults(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sample: { type: 'string' },
      pairs: { type: 'string' },
      only: { type: 'string' },
      from: { type: 'string' },
      seed: { type: 'string' },
      jobs: { type: 'string', default: '2' },
    },
  })
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`seed ${seed}`)
  const tally = await realFaults({
    seed,
    jobs: Number(values.jobs),
    ...(values.sample === undefined ? {} : { sample: Number(values.sample) }),
    ...(values.pairs === undefined ? {} : { pairs: Number(values.pairs) }),
    ...(values.only === undefined ? {} : { only: Number(values.only) }),
    ...(values.from === undefined ? {} : { from: Number(values.from) }),
    progress: (line) => console.log(line),
  })
  console.log(
    `seed ${seed}: ${tally.cases} cases (${tally.ways.size} kinds), ${tally.missed} met no call, ${tally.failures.length} failures`,
  )
  return tally.failures.length === 0 && tally.cases > 0 ? 0 : 1
}
