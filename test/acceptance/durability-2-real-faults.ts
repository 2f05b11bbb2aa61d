// Durability 2, the real server's part: every file call of a story (open, set, rotate, hint, merge, expire, flush, close, recovery) goes
// wrong in every way, one a run, and a clean start is held against what clients were told; and 2,000 pairs, the second of them in the
// start that follows.
//
//   npx tsx test/acceptance/durability-2-real-faults.ts [--size 400] [--pairs 2000] [--seed N] [--jobs 2]
//
// Without --size all single faults: some 6,500 cases, an hour or two.

import { parseArgs } from 'node:util'
import { realFaults, type Tally } from '../soak/real-faults.ts'
import { seconds, Verdict } from './verdict.ts'

const { values } = parseArgs({
  options: {
    size: { type: 'string' },
    pairs: { type: 'string', default: '2000' },
    seed: { type: 'string' },
    jobs: { type: 'string', default: '2' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const jobs = Number(values.jobs)
const pairs = Number(values.pairs)
/** A run takes another way than the counted one now and then, and its fault meets nobody. More than this part is no proof. */
const MISSED_PART = 0.15

const verdict = new Verdict('durability 2: faults of a real server')
verdict.figure('seed', seed)

const size = values.size === undefined ? {} : { sample: Number(values.size) }
await verdict.part('single faults', async () => {
  const began = performance.now()
  const tally = await realFaults({ seed, jobs, ...size, progress: (line) => console.log(`    ${line}`) })
  report('single faults', tally, began)
})
if (pairs > 0) {
  await verdict.part('pairs', async () => {
    const began = performance.now()
    const tally = await realFaults({ seed: seed + 1, jobs, pairs, progress: (line) => console.log(`    ${line}`) })
    report('pairs', tally, began)
    verdict.demand(tally.cases >= pairs, `${pairs} pairs`, `${tally.cases}`)
  })
}
verdict.finish()

function report(what: string, tally: Tally, began: number): void {
  for (const stage of tally.stages) verdict.figure(what, stage)
  const figures = `${tally.cases}, ${tally.ways.size}, ${tally.missed}, ${seconds(performance.now() - began)}`
  verdict.figure(`${what}: cases, kinds, met no call, time`, figures)
  verdict.demand(
    tally.failures.length === 0,
    `${what}: a clean start shows what was acknowledged`,
    tally.failures.join('\n'),
  )
  verdict.demand(tally.missed <= tally.cases * MISSED_PART, `${what}: the faults happened`, `${tally.missed} did not`)
}
