// Durability 9: 1,000 races of 8 starters for one lock, one owner each; none stale after kill -9, also as pid 1 of a new
// namespace; and 20 races of 8 whole servers, whose losers say why, exit with 1 and write nothing.
//
//   npx tsx test/acceptance/durability-9-lock.ts [--races 1000] [--servers 20] [--seed N]

import { parseArgs } from 'node:util'
import { races } from '../lock/races.ts'
import { losersWriteNothing, serverRaces } from '../lock/servers.ts'
import { namespacesWork } from '../lock/starter.ts'
import { seconds, Verdict } from './verdict.ts'

const { values } = parseArgs({
  options: {
    races: { type: 'string', default: '1000' },
    servers: { type: 'string', default: '20' },
    seed: { type: 'string' },
  },
})
const wanted = Number(values.races)
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const verdict = new Verdict(`durability 9: ${wanted} races for the lock`)
verdict.figure('seed', seed)
const namespaces = await namespacesWork()
verdict.demand(namespaces, 'processes can be pid 1 of a namespace here')

await verdict.part('races', async () => {
  const started = performance.now()
  const result = await races({ races: wanted, seed, namespaces })
  verdict.figure('races, attempts', `${result.races}, ${result.attempts}`)
  verdict.figure('owners killed, of them as pid 1', `${result.ownersKilled}, ${result.killedAsPidOne}`)
  verdict.figure('killed while trying, time', `${result.killedTrying}, ${seconds(performance.now() - started)}`)
  verdict.demand(
    result.races === wanted && result.problems.length === 0,
    'one owner in each race, none stale',
    result.problems.join('\n'),
  )
  verdict.demand(result.ownersKilled > wanted / 3, 'many owners died by kill -9', `${result.ownersKilled}`)
  verdict.demand(result.killedAsPidOne > wanted / 12, 'many of them as pid 1', `${result.killedAsPidOne}`)
})

await verdict.part('servers', async () => {
  const result = await serverRaces({ races: Number(values.servers), namespaces })
  verdict.figure('races of whole servers, starts', `${result.races}, ${result.starts}`)
  verdict.demand(
    result.races === Number(values.servers) && result.problems.length === 0,
    'one server serves, the others exit with 1 and say why; killed, the next finds its writes',
    result.problems.join('\n'),
  )
})

await verdict.part('losers', async () => {
  const problems = await losersWriteNothing(8)
  verdict.demand(problems.length === 0, 'losers write no byte', problems.join('\n'))
})
verdict.finish()
