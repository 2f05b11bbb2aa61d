// Durability 2, in simulation: every file call fails, once and for ever, in each way; every pair of calls; every write lies.
//
//   npx tsx test/acceptance/durability-2-simulated-faults.ts [--seed S] [--stride 1] [--pairs-stride 1] [--workers W]
//
// The real server's disk is durability-2-real-faults.ts. All pairs take an hour or two; with --pairs-stride 5 a few minutes.

import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { everyCallFails } from '../simulation/power-cuts.ts'
import { failCalls } from '../soak/double-faults.ts'
import { playSequences } from '../soak/sequences.ts'
import { Verdict } from './verdict.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    stride: { type: 'string', default: '1' },
    'pairs-stride': { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
  },
})
const seed = Number(values.seed)
const stride = Number(values.stride)
const workers = Number(values.workers)
const verdict = new Verdict(
  `durability 2: faults in simulation, seed ${seed}, stride ${stride}, pairs ${values['pairs-stride']}`,
)

/** What the issue names; each is a call that was met as killed before, half-way and after. */
const CALLS = ['create', 'open', 'read', 'write', 'sync', 'rename', 'unlink', 'syncDirectory', 'close', 'list', 'size']

await verdict.part('killed', async () => {
  const { good, tally } = await playSequences(1, 1, workers)
  verdict.demand(good, 'killed before, half-way through and after every call')
  const wanted = CALLS.flatMap((call) => [`killed before ${call}`, `killed after ${call}`])
  const missing = tally.missing([...wanted, 'killed half write'])
  verdict.demand(missing.length === 0, 'and every kind of call was met', missing.join(', '))
})

for (const kind of ['EIO', 'ENOSPC', 'EMFILE', 'short'] as const) {
  for (const forever of [false, true]) {
    await verdict.part(`${kind}${forever ? ' for ever' : ''}`, async () => {
      const failed = everyCallFails(seed, kind, forever, stride)
      verdict.demand(failed > 100 / stride, `${kind} ${forever ? 'for ever' : 'once'}: ${failed} calls failed in turn`)
    })
  }
}

await verdict.part('lies', async () => {
  const { good, tally } = await failCalls('lies', { seed, stride, workers })
  verdict.figure('lies', String(tally))
  verdict.demand(good && (tally.counts.get('lies') ?? 0) > 0, 'no lie of a write is believed')
})

await verdict.part('pairs', async () => {
  const { good, tally } = await failCalls('double-faults', { seed, stride: Number(values['pairs-stride']), workers })
  verdict.figure('pairs', String(tally))
  verdict.demand(good && (tally.counts.get('pairs') ?? 0) > 0, 'no pair of faults loses anything')
})

verdict.finish()
