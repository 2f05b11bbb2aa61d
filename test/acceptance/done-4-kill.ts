// Done 4: 300 kill -9 cycles under load each in `always` and `everysec`, merges on, 256 KiB segments: nothing acknowledged
// is lost, nothing comes back.
//
//   npx tsx test/acceptance/done-4-kill.ts [--cycles 300] [--seed N]

import { parseArgs } from 'node:util'
import { killCycles } from '../crash/cycles.ts'
import { seconds, Verdict } from './verdict.ts'

const { values } = parseArgs({
  options: { cycles: { type: 'string', default: '300' }, seed: { type: 'string' } },
})
const cycles = Number(values.cycles)
const verdict = new Verdict(`done 4: ${cycles} kill -9 cycles a mode`)

for (const appendfsync of ['always', 'everysec'] as const) {
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
  verdict.figure(`appendfsync ${appendfsync}, seed`, seed)
  const started = performance.now()
  const result = await killCycles({
    cycles,
    seed,
    appendfsync,
    progress: (kills, operations) => {
      if (kills % 50 === 0) verdict.figure(`  after ${kills} kills`, `${operations} operations acknowledged`)
    },
  })
  verdict.figure(
    'cycles, starts, time',
    `${result.cycles}, ${result.restarts}, ${seconds(performance.now() - started)}`,
  )
  verdict.demand(
    result.problems.length === 0 && result.cycles === cycles,
    `appendfsync ${appendfsync}: nothing lost, nothing back`,
    [...result.problems, `kept: ${result.keptDir}`].join('\n'),
  )
  verdict.demand(result.operations > cycles * 200, 'the load was a load', `${result.operations} operations`)
}
verdict.finish()
