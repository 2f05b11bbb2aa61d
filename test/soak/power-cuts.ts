// Simulated power cuts, as many as asked for, in a few processes.
//
//   npm run soak -- power-cuts 1000000 [--seed S] [--workers W]
//
// Each worker takes every W-th seed. What a worker finds it tells with the seed and the trace; before that it looks through some of the seeds
// that follow for a run that fails in fewer steps, since the shortest story is the one to read.

import { parseArgs } from 'node:util'
import { powerCuts, replay } from '../simulation/power-cuts.ts'
import { MET_BY_POWER_CUTS, Tally } from '../simulation/tally.ts'
import { availableWorkers, crew, member, report } from './crew.ts'

/** Cuts between two reports of a worker. */
const PORTION = 250
const PROGRESS_MS = 60_000
/** Fewer cuts need not meet everything. */
const ENOUGH_CUTS = 5000
/** How many later seeds are tried for a shorter story. */
const OTHER_SEEDS = 400

/** `COUNT [--seed S] [--workers W]`. Returns the exit code. */
export async function soakPowerCuts(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { seed: { type: 'string' }, workers: { type: 'string' } },
  })
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
  const workers = values.workers === undefined ? undefined : Number(values.workers)
  const { good } = await cutPower({ count: Number(positionals[0] ?? 100_000), seed, workers })
  return good ? 0 : 1
}

export interface PowerCutSoak {
  readonly count: number
  readonly seed: number
  readonly workers?: number | undefined
}

/** Gives the tally, and whether nothing was found and everything met. Prints as it goes. */
export async function cutPower({ count, seed, workers = availableWorkers() }: PowerCutSoak): Promise<{
  readonly good: boolean
  readonly tally: Tally
}> {
  console.log(`power cuts: ${count} from seed ${seed} on, ${workers} workers`)
  const tally = new Tally()
  const started = performance.now()
  let printed = started
  const line = (): string => {
    const seconds = (performance.now() - started) / 1000
    const cuts = tally.counts.get('cut') ?? 0
    return `${cuts} power cuts, ${tally.counts.get('run') ?? 0} runs, ${(cuts / seconds).toFixed(0)}/s, ${seconds.toFixed(0)} s`
  }
  let good = await crew(import.meta.url, [String(seed), String(Math.ceil(count / workers))], workers, (told) => {
    if (told.kind === 'found') console.error(told.text)
    else tally.take(told.figures)
    if (performance.now() - printed < PROGRESS_MS) return
    printed = performance.now()
    console.log(line())
  })
  console.log(`met: ${tally}`)
  const missing = count < ENOUGH_CUTS ? [] : tally.missing(MET_BY_POWER_CUTS)
  if (missing.length > 0) {
    console.error(`never met: ${missing.join(', ')}`)
    good = false
  }
  console.log(`${line()}: ${good ? 'nothing lost, nothing came back' : 'FAILED'}, seed ${seed}`)
  return { good, tally }
}

async function work(first: number, stride: number, count: number): Promise<void> {
  let seed = first
  for (let done = 0; done < count; ) {
    try {
      const result = powerCuts({ count: Math.min(PORTION, count - done), seed, stride })
      done += result.cuts
      seed += result.runs * stride
      const { cuts, runs, opens, operations, faults } = result
      const figures = Object.entries({
        cut: cuts,
        run: runs,
        start: opens,
        operation: operations,
        'life with a fault': faults,
      })
      await report({ kind: 'figures', figures: [...figures, ...result.tally.counts] })
    } catch (error) {
      await report({ kind: 'found', text: shortest((error as Error).message, seed) })
      process.exit(1)
    }
  }
}

/** The shortest of that story and those of some other seeds. */
function shortest(story: string, after: number): string {
  let best = story
  for (let seed = after; seed < after + OTHER_SEEDS; seed++) {
    const other = replay(seed, null, {})
    if (!other.startsWith('no violation') && other.length < best.length) best = other
  }
  return best
}

const me = member()
if (me !== null) await work(Number(me.args[0]) + me.share.index, me.share.of, Number(me.args[1]))
