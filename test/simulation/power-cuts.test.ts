import { expect, test } from 'vitest'
import { powerCuts, replay } from './power-cuts.ts'
import { MET_BY_POWER_CUTS, Tally } from './tally.ts'

// How many crashes are judged here; with power-cuts-more.test.ts `npm run test:full` judges 10,000.
const CUTS = process.env['CASKY_TEST_FULL'] === '1' ? 5000 : 600
const PARTS = 10

const seed = process.env['CASKY_TEST_SEED']
const tally = new Tally()

if (seed !== undefined) {
  test(`seed ${seed}`, () => {
    const text = replay(Number(seed), null, {})
    console.log(text)
    expect(text.split('\n')[0]).toBe('no violation')
  })
} else {
  test.each(Array.from({ length: PARTS }, (_, part) => 1 + part * 1_000_000))('power cuts from seed %i on', (first) => {
    const report = powerCuts({ count: CUTS / PARTS, seed: first })
    expect(report.cuts).toBeGreaterThanOrEqual(CUTS / PARTS)
    expect(report.faults).toBeGreaterThan(0)
    tally.take(report.tally.counts)
  })

  test('and all that was to happen did happen', () => {
    console.log(`power cuts met: ${tally}`)
    expect(tally.missing(MET_BY_POWER_CUTS)).toEqual([])
  })
}
