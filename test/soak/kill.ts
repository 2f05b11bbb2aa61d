// npm run soak -- kill 10000 [--seed S] [--parallel P] [--mode random|always|everysec|no]
//
// kill -9 as often as asked (test/crash), in runs of a few hundred over one directory each, several at a time: most of a kill
// is waiting. The mode `random` gives each start another configuration. A failed run is repeated, as far as chance allows,
// by `npx tsx test/crash/main.ts --seed`, with the seed in its message; its directory is kept.
// SIGTERM ends it early, with the sum of what was done.

import { parseArgs } from 'node:util'
import { type CycleResult, killCycles } from '../crash/cycles.ts'

/** Kills over one directory at most, before the next run begins with an empty one. */
const KILLS_A_RUN = 100
const PROGRESS_MS = 60_000
const MODES = ['random', 'always', 'everysec', 'no'] as const

export async function soakKill(words: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: {
      seed: { type: 'string' },
      parallel: { type: 'string', default: '2' },
      mode: { type: 'string', default: 'random' },
    },
  })
  const wanted = Number(positionals[0])
  const mode = MODES.find((one) => one === values.mode)
  if (!(wanted > 0) || mode === undefined) {
    console.error('usage: kill COUNT [--seed S] [--parallel P] [--mode random|always|everysec|no]')
    return 2
  }
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`seed ${seed}, ${wanted} kills, ${values.parallel} at a time, mode ${mode}`)

  const lanes = Number(values.parallel)
  const sum = new Sum()
  let given = 0
  let runs = 0
  let isEnding = false
  const end = (): void => void (isEnding = true)
  process.once('SIGTERM', end)
  const lane = async (): Promise<void> => {
    while (given < wanted && !isEnding && sum.problems.length === 0) {
      const cycles = Math.min(KILLS_A_RUN, Math.ceil(wanted / lanes), wanted - given)
      given += cycles
      let before = 0
      const result = await killCycles({
        cycles,
        seed: seed + runs++,
        ...(mode === 'random' ? {} : { appendfsync: mode }),
        progress: (kills) => {
          sum.tick(kills - before)
          before = kills
        },
        stop: () => isEnding || sum.problems.length > 0,
      })
      sum.add(result)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  process.removeListener('SIGTERM', end)

  for (const [what, count] of sum.figures) console.log(`  ${what.padEnd(40)} ${count}`)
  for (const problem of sum.problems) console.error(problem)
  console.log(sum.line())
  return sum.problems.length === 0 ? 0 : 1
}

/** What all runs came to. */
class Sum {
  readonly figures = new Map<string, number>()
  readonly problems: string[] = []
  private readonly started = performance.now()
  private told = performance.now()
  /** Kills so far, those of unfinished runs among them. */
  private kills = 0
  private operations = 0
  private restarts = 0

  tick(kills: number): void {
    this.kills += kills
    if (performance.now() - this.told < PROGRESS_MS) return
    this.told = performance.now()
    console.log(this.line())
  }

  add(result: CycleResult): void {
    this.operations += result.operations
    this.restarts += result.restarts
    for (const [what, count] of result.moments) this.raise(`killed: ${what}`, count)
    for (const [what, count] of result.halfMade) this.raise(`found half-made: ${what}`, count)
    this.problems.push(...result.problems)
    if (result.keptDir !== undefined) this.problems.push(`the data directory is kept: ${result.keptDir}`)
  }

  line(): string {
    const minutes = ((performance.now() - this.started) / 60_000).toFixed(1)
    const found = this.problems.length === 0 ? 'nothing lost, nothing back' : 'VIOLATION'
    return `${this.kills} kills, ${this.restarts} starts checked and ${this.operations} operations acknowledged in finished runs, ${minutes} min: ${found}`
  }

  private raise(what: string, by: number): void {
    this.figures.set(what, (this.figures.get(what) ?? 0) + by)
  }
}
