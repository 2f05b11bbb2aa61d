// One owner a directory, whoever starts at the same time and whoever is killed; and the races can see a lock that is none.
//
//   npx vitest run test/lock                   some races; CASKY_TEST_FULL=1: more
//   npm run soak -- lock 1000                  as many as asked, and twenty with whole servers

import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { skipWithout } from '../harness/programs.ts'
import { anySeed } from '../harness/seed.ts'
import { races } from './races.ts'
import { losersWriteNothing, serverRaces } from './servers.ts'
import { namespacesWork } from './starter.ts'

const isFull = process.env.CASKY_TEST_FULL === '1'

describe('the races', () => {
  const found: ReadonlyArray<readonly [string, RegExp]> = [
    ['none', /owners at once/],
    ['exclusive-file', /nobody got the lock, and nobody had it/],
    ['pid-file', /owners at once|had to lose and was told: won|the races left/],
  ]
  it.each(found)('condemn a lock that is none: %s', async (name, what) => {
    const lockModule = fileURLToPath(new URL(`false-locks/${name}.mjs`, import.meta.url))
    const result = await races({ races: 40, seed: 1, starters: 4, namespaces: await namespacesWork(), lockModule })
    expect(result.problems.join('\n')).toMatch(what)
  })
})

describe.skipIf(skipWithout('flock'))('the lock', () => {
  const seed = anySeed()

  it('has one owner in every race, also after kill -9 and as pid 1', async () => {
    const namespaces = await namespacesWork()
    const result = await races({ races: isFull ? 150 : 8, seed, namespaces })
    expect(result.problems).toEqual([])
    expect(result.races).toBe(isFull ? 150 : 8)
    expect(result.ownersKilled).toBeGreaterThan(0)
  })

  it('lets one of many servers serve; the others say why not', async () => {
    const namespaces = await namespacesWork()
    const result = await serverRaces({ races: isFull ? 4 : 1, servers: isFull ? 8 : 3, namespaces })
    expect(result.problems).toEqual([])
  })

  it.runIf(isFull)('a server that loses writes nothing', async () => {
    expect(await losersWriteNothing(4)).toEqual([])
  })
})
