import { expect, test } from 'vitest'
import { everyCallFails } from './power-cuts.ts'

// One call after the other is failed, in runs that are alike but for that: with rotation, hints, merges, expiry and starts.

const FULL = process.env['CASKY_TEST_FULL'] === '1'
const KINDS = ['EIO', 'ENOSPC', 'EMFILE', 'short'] as const
const SEEDS = FULL ? [7_000_001, 7_000_004] : [7_000_001]

const cases = SEEDS.flatMap((seed) =>
  KINDS.flatMap((kind) => [false, true].map((forever) => ({ seed, kind, forever }))),
)

test.each(cases)('seed $seed, $kind, for ever: $forever', ({ seed, kind, forever }) => {
  expect(everyCallFails(seed, kind, forever, FULL ? 4 : 45)).toBeGreaterThan(10)
})
