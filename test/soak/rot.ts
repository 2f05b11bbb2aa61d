// The soak of rot: all 524,288 bits of the data set, and all the rest of it (test/rot/rot.ts), in a few processes. Twenty minutes of one
// core that has nothing else to do.
//
//   npm run soak -- rot [--seed S] [--share N] [--workers W]         --share 100: one case in a hundred
//
// The work is cut into parts that are each an even sample of all of it, so that whoever stops early has seen something of everything.

import { parseArgs } from 'node:util'
import { rot } from '../rot/rot.ts'
import { availableWorkers, crew, member, report } from './crew.ts'

const PARTS = 64
const PROGRESS_MS = 60_000
/** The data set that the tests use. */
const SEED = 2

export interface RotSoak {
  readonly seed: number
  readonly share: number
  readonly workers?: number | undefined
}

/** `[--seed S] [--share N] [--workers W]`. Returns the exit code. */
export async function soakRot(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { seed: { type: 'string' }, share: { type: 'string' }, workers: { type: 'string' } },
  })
  const workers = values.workers === undefined ? undefined : Number(values.workers)
  const { good } = await letRot({ seed: Number(values.seed ?? SEED), share: Number(values.share ?? 1), workers })
  return good ? 0 : 1
}

/** Gives what was counted, by name, and whether all was as promised. Prints as it goes. */
export async function letRot({ seed, share, workers = availableWorkers() }: RotSoak): Promise<{
  readonly good: boolean
  readonly counts: ReadonlyMap<string, number>
}> {
  console.log(`rot: data set of seed ${seed}, one case in ${share}, ${workers} workers`)
  const counts = new Map<string, number>()
  const started = performance.now()
  let printed = started
  const line = (): string => {
    const seconds = (performance.now() - started) / 1000
    const of = (name: string): number => counts.get(name) ?? 0
    return `${of('parts')} of ${PARTS} parts, ${of('damages')} damages, ${of('starts')} starts, ${of('refused')} refused, ${of('errors')} errors, ${of('values read')} values read, ${seconds.toFixed(0)} s`
  }
  const good = await crew(import.meta.url, [String(seed), String(share)], workers, (told) => {
    if (told.kind === 'found') console.error(told.text)
    else for (const [name, count] of told.figures) counts.set(name, (counts.get(name) ?? 0) + count)
    if (performance.now() - printed < PROGRESS_MS) return
    printed = performance.now()
    console.log(line())
  })
  console.log(
    `${line()}: ${good ? 'nothing wrong or old was served, nothing unhurt was missing' : 'FAILED'}, seed ${seed}`,
  )
  return { good, counts }
}

async function work(seed: number, share: number, index: number, of: number): Promise<void> {
  // Errors are made by the hundred thousand here, and nobody reads where.
  Error.stackTraceLimit = 3
  for (let part = index; part < PARTS; part += of) {
    try {
      const figures: [string, number][] = [['parts', 1]]
      for (const { name, tally } of rot({ seed, share: PARTS * share, offset: part })) {
        const { cases, starts, refused, errors, readable } = tally
        figures.push([name, cases], ['damages', cases], ['starts', starts], ['refused', refused])
        figures.push(['errors', errors], ['values read', readable])
      }
      await report({ kind: 'figures', figures })
    } catch (error) {
      await report({ kind: 'found', text: (error as Error).message })
      process.exit(1)
    }
  }
}

const me = member()
if (me !== null) await work(Number(me.args[0]), Number(me.args[1]), me.share.index, me.share.of)
