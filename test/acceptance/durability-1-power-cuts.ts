// Durability 1: power cuts on the simulated storage, as many as asked for (a million by default), and every sequence of up to three operations
// crashed at every instant of every file call.
//
//   npx tsx test/acceptance/durability-1-power-cuts.ts [--size N] [--seed S] [--workers W] [--length 3] [--every 1]
//
// A million takes hours: let it run in the background.

import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { MET_BY_POWER_CUTS } from '../simulation/tally.ts'
import { cutPower } from '../soak/power-cuts.ts'
import { playSequences } from '../soak/sequences.ts'
import { Verdict } from './verdict.ts'

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
    length: { type: 'string', default: '3' },
    every: { type: 'string', default: '1' },
  },
})
const count = Number(values.size)
const workers = Number(values.workers)
const verdict = new Verdict(
  `durability 1: ${count} power cuts from seed ${values.seed}, sequences of up to ${values.length}`,
)

await verdict.part('power cuts', async () => {
  const { good, tally } = await cutPower({ count, seed: Number(values.seed), workers })
  const cuts = tally.counts.get('cut') ?? 0
  verdict.figure('power cuts and killed processes', cuts)
  verdict.figure('starts judged', tally.counts.get('start') ?? 0)
  verdict.demand(good && cuts >= count, 'nothing proven was lost, nothing came back')
  if (count >= 5000) verdict.demand(tally.missing(MET_BY_POWER_CUTS).length === 0, 'all that was to happen did happen')
})

await verdict.part('sequences', async () => {
  const { good, tally } = await playSequences(Number(values.length), Number(values.every), workers)
  verdict.figure('sequences', tally.counts.get('sequence') ?? 0)
  verdict.figure('instants, cuts', `${tally.counts.get('instant') ?? 0}, ${tally.counts.get('cut') ?? 0}`)
  verdict.demand(good && (tally.counts.get('cut') ?? 0) > 0, 'every sequence survives a crash at every instant')
})

verdict.finish()
