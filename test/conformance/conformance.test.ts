// The conformance suite: every case of families/ is played against Casky and against a real redis-server, in RESP2 and
// in RESP3, and the replies are compared byte for byte. redis-server is the judge of the suite too: what a case expects
// is written nowhere, it is what redis-server answers. Where Casky means to differ, differences.ts has a row.
//
//   npx vitest run test/conformance            needs `npm run build` and redis-server on the PATH

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { skipWithout } from '../harness/programs.ts'
import { type Server, startServer } from '../harness/server.ts'
import { compare } from './compare.ts'
import { type Difference, differences } from './differences.ts'
import { families } from './families.ts'
import { play } from './play.ts'

const used = new Set<Difference>()
const passwords = [...new Set(families.map((family) => family.password))]

describe.skipIf(skipWithout('redis-server'))('Casky answers as redis-server does', () => {
  describe.each(passwords)('with the password %s', (password) => {
    let casky: Server
    let redis: Server
    beforeAll(async () => {
      const options = password === undefined ? {} : { password }
      ;[casky, redis] = await Promise.all([startServer('casky', options), startServer('redis', options)])
    })
    afterAll(async () => {
      await Promise.all([casky?.stop(), redis?.stop()])
    })
    for (const family of families.filter((one) => one.password === password)) {
      describe.each([2, 3] as const)(`${family.name} in RESP%i`, (protocol) => {
        it.each(family.cases.map((one) => [one.title, one] as const))('%s', async (_, one) => {
          const [ours, theirs] = await Promise.all([
            play(one, casky, protocol, password),
            play(one, redis, protocol, password),
          ])
          const verdict = compare(one, protocol, ours, theirs, differences)
          for (const row of verdict.used) used.add(row)
          expect(verdict.problems.join('\n')).toBe('')
        })
      })
    }
  })

  it('every row of differences.ts is used', () => {
    expect(differences.filter((row) => !used.has(row))).toEqual([])
  })
})
