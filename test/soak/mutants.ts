// Every mutant (test/mutants) against the tests: each must go red, or a promise is only written down.

import { parseArgs } from 'node:util'
import { randomFrom } from '../harness/random.ts'
import { isDead, type Judged, Laboratory, line, pick, readMutants } from '../mutants/mutants.ts'

export interface MutantsOptions {
  /** Only mutants with one of these in their names; none: all of them. */
  readonly names: readonly string[]
  /** Take so many, by the seed; 0: all. */
  readonly count: number
  readonly seed: number
  /** Whether everything is run over those that the named files do not notice. */
  readonly everything: boolean
  readonly progress: (line: string) => void
}

/** Judges mutants one after the other. Throws where the tests are red without any. */
export async function judgeMutants(options: MutantsOptions): Promise<Judged[]> {
  const { names, count, seed, everything, progress } = options
  const named = readMutants().filter(({ name }) => names.length === 0 || names.some((part) => name.includes(part)))
  const chosen = count === 0 ? named : pick(named, count, randomFrom(seed).next)
  if (chosen.length === 0) throw new Error(`no mutant is called ${names.join(' or ')}`)
  const laboratory = new Laboratory()
  const results: Judged[] = []
  try {
    const red = await laboratory.healthy(chosen)
    if (red !== null) throw new Error(`the tests are red without any mutant: ${red}`)
    for (const mutant of chosen) {
      const judged = await laboratory.judge(mutant, everything ? [] : null)
      results.push(judged)
      progress(line(judged))
    }
  } finally {
    laboratory.remove()
  }
  return results
}

/** `npm run soak -- mutants [NAME ...] [--count N] [--seed S]`: all of them, those named, or so many by chance. */
export async function soakMutants(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { count: { type: 'string', default: '0' }, seed: { type: 'string' } },
    allowPositionals: true,
  })
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
  console.log(`seed ${seed}`)
  const results = await judgeMutants({
    names: positionals,
    count: Number(values.count),
    seed,
    everything: true,
    progress: (text) => console.log(text),
  })
  const alive = results.filter((judged) => !isDead(judged))
  console.log(`${results.length} mutants, ${results.length - alive.length} killed, ${alive.length} not`)
  for (const { mutant } of alive) console.error(`not killed: ${mutant.name}, which breaks: ${mutant.breaks}`)
  return alive.length === 0 ? 0 : 1
}
