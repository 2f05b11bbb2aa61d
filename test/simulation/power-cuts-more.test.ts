import { expect, test } from 'vitest'
import { powerCuts } from './power-cuts.ts'

// The other half of the power cuts of `npm run test:full`, in a file of its own so that two cores share them.

const CUTS = 5000
const PARTS = 10
const isFull = process.env['CASKY_TEST_FULL'] === '1' && process.env['CASKY_TEST_SEED'] === undefined

test.runIf(isFull).each(Array.from({ length: PARTS }, (_, part) => 20_000_001 + part * 1_000_000))(
  'power cuts from seed %i on',
  (first) => {
    expect(powerCuts({ count: CUTS / PARTS, seed: first }).cuts).toBeGreaterThanOrEqual(CUTS / PARTS)
  },
  120_000,
)
