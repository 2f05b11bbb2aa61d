// Hostile clients before a real server with small limits: memory stays within them, others are served, descriptors come back.
//
//   npx vitest run test/hostile        needs `npm run build`; CASKY_TEST_FULL=1: 300 of each kind (1,000: test/acceptance/durability-8-hostile.ts)
//
// Latency is measured by test/acceptance/durability-8-hostile.ts; here others only have to be answered.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cost, Siege, SLACK_BYTES, ways } from './siege.ts'

const size = process.env.CASKY_TEST_FULL === '1' ? 300 : 40
/** In short only those that take no time. */
const SHORT = [
  'never authenticate',
  'arguments without number',
  'subscribe and never read',
  'reset',
  'come in greater numbers than may',
]
const names = size >= 300 ? Object.keys(ways) : SHORT

describe(`${size} clients that`, () => {
  let siege: Siege
  beforeAll(async () => {
    siege = await Siege.lay()
  })
  afterAll(async () => {
    await siege.lift()
    expect(siege.problems).toEqual([])
  })

  it.each(names)('%s', async (name) => {
    const cost: Cost = await siege.stand(name, size)
    expect(siege.problems.splice(0)).toEqual([])
    expect(cost.clients).toBeGreaterThan(0)
    expect(cost.grownBytes).toBeLessThan(cost.allowedBytes + SLACK_BYTES)
  }, 240_000)
})
