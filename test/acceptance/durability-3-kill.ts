// Durability 3: 10,000 kill -9 cycles with a configuration of chance at each start and each appendfsync, the ledger with all
// its cross-checks; and 32 clients on shared keys, each key's history judged for linearizability, through 300 kills.
//
//   npx tsx test/acceptance/durability-3-kill.ts [--size 10000] [--shared 300] [--parallel 2] [--seed N]

import { parseArgs } from 'node:util'
import { soakKill } from '../soak/kill.ts'
import { soakLinearizable } from '../soak/linearizable.ts'
import { Verdict } from './verdict.ts'

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '10000' },
    shared: { type: 'string', default: '300' },
    parallel: { type: 'string', default: '2' },
    seed: { type: 'string' },
  },
})
const seed = values.seed ?? String(Math.floor(Math.random() * 2 ** 31))
const verdict = new Verdict(`durability 3: ${values.size} kills, and ${values.shared} with shared keys`)

await verdict.part('the ledger', async () => {
  const exit = await soakKill([values.size, '--seed', seed, '--parallel', values.parallel])
  verdict.demand(exit === 0, `${values.size} kills: nothing acknowledged is lost, nothing comes back, whole prefixes`)
})
await verdict.part('shared keys', async () => {
  const exit = await soakLinearizable([values.shared, '--seed', seed])
  verdict.demand(exit === 0, `${values.shared} kills under 32 clients on the same keys: every history is linearizable`)
})
verdict.finish()
