// All sequences of up to three operations (or --length) in the simulated store, each crashed at every instant, in a few processes.
//
//   npm run soak -- sequences [--length L] [--every E] [--workers W]      --every: only each E-th of the longest

import { parseArgs } from 'node:util'
import { type Manner, playSequence, sequencesOf } from '../simulation/sequences.ts'
import { Tally } from '../simulation/tally.ts'
import { availableWorkers, crew, member, report } from './crew.ts'

const PROGRESS_MS = 60_000
const MANNERS: readonly Manner[] = ['settled', 'at once']

/** `[--length L] [--every E] [--workers W]`. Returns the exit code. */
export async function soakSequences(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== ''),
    options: { length: { type: 'string' }, every: { type: 'string' }, workers: { type: 'string' } },
  })
  const { good } = await playSequences(
    Number(values.length ?? 3),
    Number(values.every ?? 1),
    Number(values.workers ?? availableWorkers()),
  )
  return good ? 0 : 1
}

/** Plays them all. Prints as it goes. */
export async function playSequences(
  length: number,
  every: number,
  workers: number,
): Promise<{ good: boolean; tally: Tally }> {
  console.log(
    `sequences of up to ${length} operations${every === 1 ? '' : `, each ${every}th of the longest`}, ${workers} workers`,
  )
  const tally = new Tally()
  const started = performance.now()
  let printed = started
  const line = (): string => {
    const of = (what: string): number => tally.counts.get(what) ?? 0
    const seconds = (performance.now() - started) / 1000
    return `${of('sequence')} sequences, ${of('instant')} instants, ${of('cut')} cuts, ${of('start')} different disks started, ${seconds.toFixed(0)} s`
  }
  const good = await crew(import.meta.url, [String(length), String(every)], workers, (told) => {
    if (told.kind === 'found') console.error(told.text)
    else tally.take(told.figures)
    if (performance.now() - printed < PROGRESS_MS) return
    printed = performance.now()
    console.log(line())
  })
  console.log(`${line()}: ${good ? 'nothing lost, nothing came back' : 'FAILED'}`)
  return { good, tally }
}

async function work(length: number, every: number, index: number, of: number): Promise<void> {
  for (let size = 1; size <= length; size++) {
    const step = size === length ? every : 1
    for (const manner of MANNERS) {
      for (const sequence of sequencesOf(size, index * step, of * step)) {
        const tally = new Tally()
        try {
          const { instants, cuts, starts } = playSequence(sequence, manner, tally)
          const figures = Object.entries({ sequence: 1, instant: instants, cut: cuts, start: starts })
          await report({ kind: 'figures', figures: [...figures, ...tally.counts] })
        } catch (error) {
          await report({ kind: 'found', text: (error as Error).message })
          process.exit(1)
        }
      }
    }
  }
}

const me = member()
if (me !== null) await work(Number(me.args[0]), Number(me.args[1]), me.share.index, me.share.of)
