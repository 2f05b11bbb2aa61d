// npm run soak -- lock 1000 [--seed S] [--servers 20]
//
// Races of 8 for the lock of one directory (test/lock): processes that take nothing but the lock, then whole servers.

import { parseArgs } from 'node:util'
import { races } from '../lock/races.ts'
import { losersWriteNothing, serverRaces } from '../lock/servers.ts'
import { namespacesWork } from '../lock/starter.ts'

export async function soakLock(words: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: { seed: { type: 'string' }, servers: { type: 'string', default: '20' } },
  })
  const wanted = Number(positionals[0])
  if (!(wanted > 0)) {
    console.error('usage: lock RACES [--seed S] [--servers RACES]')
    return 2
  }
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
  const namespaces = await namespacesWork()
  console.log(`seed ${seed}, ${wanted} races, namespaces: ${namespaces}`)
  const every = (count: number) => (done: number) => {
    if (done % count === 0) console.log(`${done} races`)
  }
  const found = await races({ races: wanted, seed, namespaces, progress: every(100) })
  console.log(
    `${found.races} races, ${found.attempts} attempts, ${found.ownersKilled} owners killed (${found.killedAsPidOne} as pid 1), ${found.killedTrying} killed while trying`,
  )
  const whole = await serverRaces({ races: Number(values.servers), namespaces, progress: every(5) })
  console.log(`${whole.races} races of whole servers, ${whole.starts} starts`)
  const written = await losersWriteNothing(8)
  const problems = [...found.problems, ...whole.problems, ...written]
  for (const problem of problems) console.error(problem)
  console.log(problems.length === 0 ? 'one owner each, none stale, losers wrote nothing' : 'VIOLATION')
  return problems.length === 0 ? 0 : 1
}
