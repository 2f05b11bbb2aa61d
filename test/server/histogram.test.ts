// The histogram against its own definition: a list of all durations.

import { expect, it } from 'vitest'
import { Histogram } from '../../src/server/histogram.ts'
import { randomFrom } from '../harness/random.ts'

it('tells percentiles to one part in a hundred', () => {
  const random = randomFrom(7)
  const histogram = new Histogram()
  const all: number[] = []
  for (let i = 0; i < 20_000; i++) {
    const ns = Math.floor(10 ** (random.below(9000) / 1000))
    all.push(ns)
    histogram.record(ns / 1e6, 1)
  }
  all.sort((a, b) => a - b)
  for (const percent of [0.1, 1, 25, 50, 90, 99, 99.9, 100]) {
    const exact = all[Math.max(1, Math.floor((percent / 100) * all.length + 0.5)) - 1]!
    const told = histogram.percentile(percent) * 1000
    expect(told).toBeGreaterThanOrEqual(exact)
    expect(told - exact).toBeLessThanOrEqual(exact / 100)
  }
})

it('gives values as an HDR histogram of two digits does', () => {
  // What redis-server printed for calls of these lengths.
  for (const [ns, micros] of [
    [10_000, 10.047],
    [11_000, 11.007],
    [16_000, 16.063],
    [60_000, 60.159],
    [200, 0.2],
    [1_000_000_000, 1_002.438_655 * 1000],
  ] as const) {
    const histogram = new Histogram()
    histogram.record(ns / 1e6, 1)
    expect(histogram.percentile(50)).toBeCloseTo(micros, 2)
  }
})

it('steps by doublings, cumulative, and says nothing where nothing is added', () => {
  const histogram = new Histogram()
  histogram.record(0.0005, 2)
  histogram.record(0.003, 1)
  histogram.record(0.02, 16)
  histogram.record(5000, 1) // counts as a second
  expect(histogram.total).toBe(20)
  expect(histogram.steps()).toEqual([
    [1, 2],
    [4, 3],
    [33, 19],
    [1_082_130, 20],
  ])
  expect(new Histogram().steps()).toEqual([])
  expect(new Histogram().percentile(50)).toBe(0)
})
