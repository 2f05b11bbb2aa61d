// The judge of the endurance soak: leaks are seen through noise, noise is not taken for a leak.

import { describe, expect, it } from 'vitest'
import { randomFrom } from '../harness/random.ts'
import { flatness, type Point } from './flatness.ts'

const series = (count: number, value: (i: number) => number): Point[] =>
  Array.from({ length: count }, (_, i) => ({ at: i / 6, value: value(i) }))
const allowed = { share: 0.05, floor: 4 }

describe('flatness', () => {
  it('acquits what is flat, noisy, falling or has outliers', () => {
    const random = randomFrom(1)
    expect(
      flatness(
        series(60, () => 100),
        allowed,
      ).isFlat,
    ).toBe(true)
    expect(
      flatness(
        series(60, () => 100 + random.between(-6, 6)),
        allowed,
      ).isFlat,
    ).toBe(true)
    expect(
      flatness(
        series(60, (i) => 200 - i),
        allowed,
      ).isFlat,
    ).toBe(true)
    expect(
      flatness(
        series(60, (i) => (i > 45 ? 300 : 100)),
        allowed,
      ).isFlat,
    ).toBe(true) // a quarter of outliers
    expect(
      flatness(
        series(60, (i) => (i % 10 < 5 ? 100 : 140)),
        allowed,
      ).isFlat,
    ).toBe(true) // a saw
  })

  it('condemns a slow rise under noise', () => {
    const random = randomFrom(2)
    const leak = flatness(
      series(60, (i) => 100 + i / 4 + random.between(-5, 5)),
      allowed,
    )
    expect(leak.isFlat).toBe(false)
    expect(leak.rise).toBeGreaterThan(10)
    expect(
      flatness(
        series(60, (i) => 50 + Math.floor(i / 10)),
        { share: 0, floor: 3 },
      ).isFlat,
    ).toBe(false) // descriptors
  })

  it('refuses to judge a handful', () => {
    expect(() =>
      flatness(
        series(5, () => 1),
        allowed,
      ),
    ).toThrow('say nothing')
  })
})
