// Faults of the simulated disk, complete: two faults in every pair of places, or every write lying.
//
//   npm run soak -- double-faults [--seed S] [--stride N] [--workers W]      the k-th call of a life, then the j-th of the start or of the same life
//   npm run soak -- lies [--seed S] [--stride N] [--workers W]               nothing landed, half of it, other bytes; then a stop or a kill
//
// Each starts at the first seed from S on whose life has a rotation, a merge and some hundred calls. With a stride N only each N-th place.

import { parseArgs } from 'node:util'
import { faultThenStart, inTurn, newPairReport, twoFaults } from '../simulation/double-faults.ts'
import { LIES } from '../simulation/faults.ts'
import { lieOnce, newLieReport } from '../simulation/lies.ts'
import { storyFrom } from '../simulation/life.ts'
import { Tally } from '../simulation/tally.ts'
import { availableWorkers, crew, member, report } from './crew.ts'

const PROGRESS_MS = 60_000

export type FaultJob = 'double-faults' | 'lies'

/** `[--seed S] [--stride N] [--workers W]`. Returns the exit code. */
export async function soakSimulatedFaults(job: FaultJob, args: string[]): Promise<number> {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== ''),
    options: { seed: { type: 'string' }, stride: { type: 'string' }, workers: { type: 'string' } },
  })
  const { good } = await failCalls(job, {
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed),
    stride: Number(values.stride ?? 1),
    workers: Number(values.workers ?? availableWorkers()),
  })
  return good ? 0 : 1
}

/** Fails them all. Prints as it goes. */
export async function failCalls(
  job: FaultJob,
  { seed, stride, workers }: { readonly seed: number; readonly stride: number; readonly workers: number },
): Promise<{ readonly good: boolean; readonly tally: Tally }> {
  const story = storyFrom(seed)
  const places = job === 'lies' ? `${story.writes} writes` : `${story.calls} calls`
  console.log(`${job}: seed ${story.seed} (${places}), stride ${stride}, ${workers} workers`)
  const tally = new Tally()
  const started = performance.now()
  let printed = started
  const line = (): string => `${job}: ${tally}, ${((performance.now() - started) / 1000).toFixed(0)} s`
  const good = await crew(import.meta.url, [job, String(story.seed), String(stride)], workers, (told) => {
    if (told.kind === 'found') console.error(told.text)
    else tally.take(told.figures)
    if (performance.now() - printed < PROGRESS_MS) return
    printed = performance.now()
    console.log(line())
  })
  console.log(`${line()}: ${good ? 'nothing lost, nothing wrong shown' : 'FAILED'}, seed ${story.seed}`)
  return { good, tally }
}

/** What fails at one place of a life, and in how many ways. */
function lieAt(seed: number, at: number): object {
  const figures = newLieReport()
  for (const lie of LIES) for (const ending of ['stop', 'kill'] as const) lieOnce(seed, at, lie, ending, figures)
  return figures
}

function pairsAt(seed: number, at: number, stride: number, calls: number): object {
  const figures = newPairReport()
  // Two ways to fail first; the second fault takes turns, so that in all every kind meets every kind.
  for (const turn of [at, at + 5]) faultThenStart(seed, inTurn(at, turn), turn, stride, figures)
  for (let second = at + 1 + (at % stride); second <= calls; second += stride) {
    twoFaults(seed, inTurn(at, second), inTurn(second, at), figures)
  }
  return figures
}

async function work(job: string, seed: number, stride: number, index: number, of: number): Promise<void> {
  const { calls, writes } = storyFrom(seed)
  const last = job === 'lies' ? writes : calls
  for (let at = 1 + index * stride; at <= last; at += of * stride) {
    try {
      const figures = job === 'lies' ? lieAt(seed, at) : pairsAt(seed, at, stride, calls)
      await report({ kind: 'figures', figures: Object.entries(figures) as [string, number][] })
    } catch (error) {
      await report({ kind: 'found', text: (error as Error).message })
      process.exit(1)
    }
  }
}

const me = member()
if (me !== null) await work(me.args[0] as string, Number(me.args[1]), Number(me.args[2]), me.share.index, me.share.of)
