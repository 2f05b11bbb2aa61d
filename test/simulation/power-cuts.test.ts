import { expect, test } from 'vitest'
import { powerCuts, replay } from './power-cuts.ts'

// How many crashes are judged; `npm run test:full` judges five times as many.
const CUTS = process.env['CASKY_TEST_FULL'] === '1' ? 6000 : 2000
const PARTS = 10

const seed = process.env['CASKY_TEST_SEED']

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
    expect(report.merges).toBeGreaterThan(0)
    expect(report.faults).toBeGreaterThan(0)
  }, 120_000)
}
