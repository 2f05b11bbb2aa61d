import { expect, test } from 'vitest'
import { faultThenStart, inTurn, newPairReport, twoFaults } from './double-faults.ts'
import { storyFrom } from './life.ts'

// Pairs of failing calls, a sample. Every pair: `npm run soak -- double-faults`.

const isFull = process.env['CASKY_TEST_FULL'] === '1'
const STRIDE = isFull ? 11 : 90
const { seed, calls } = storyFrom(1)

test('a call fails, and then one of the start after it', () => {
  const report = newPairReport()
  for (let at = 1; at <= calls; at += STRIDE) faultThenStart(seed, inTurn(at, at >> 3), at, STRIDE, report)
  expect(report.pairs).toBeGreaterThan(report.lives)
  for (const met of [report.failedStarts, report.survivedStarts]) expect(met).toBeGreaterThan(0)
}, 300_000)

test('two calls of one life fail', () => {
  const report = newPairReport()
  for (let first = 1; first <= calls; first += STRIDE) {
    for (let second = first + 1; second <= calls; second += STRIDE) {
      twoFaults(seed, inTurn(first, second), inTurn(second, first), report)
    }
  }
  expect(report.pairs).toBeGreaterThan(5)
}, 300_000)
