// Long doubles: what is one, and sums that are exact where 64 bits hold them. That Redis says the same is the conformance suite's question.

import { describe, expect, it } from 'vitest'
import { sliceOf } from '../../src/base/slice.ts'
import { addLongDoubles, formatLongDouble, type LongDouble, parseLongDouble } from '../../src/commands/long-double.ts'
import { randomFrom } from '../harness/random.ts'

function sum(a: string, b: string): string | null {
  const [x, y] = [parseLongDouble(sliceOf(a)), parseLongDouble(sliceOf(b))]
  const added = x === null || y === null ? null : addLongDoubles(x, y)
  return added === null ? null : formatLongDouble(added)
}

describe('parseLongDouble', () => {
  it.each([
    '1',
    '-1',
    '+1',
    '.5',
    '5.',
    '1e3',
    '1E+3',
    '1e-3',
    '007',
    '0x10',
    '0X.8p1',
    '-0',
    '0e99999',
    `${'0'.repeat(5118)}1`,
  ])('takes %s', (text) => expect(parseLongDouble(sliceOf(text))).not.toBeNull())

  it.each([
    '',
    '-',
    '.',
    'e5',
    '1e',
    ' 1',
    '1 ',
    '1\n',
    '1\0',
    '0x',
    '0x.',
    '1p3',
    'nan',
    '1,5',
    `${'0'.repeat(5119)}1`,
    '1e5000',
    '1e-5000',
  ])('refuses %j', (text) => expect(parseLongDouble(sliceOf(text))).toBeNull())

  it('knows the ends of the range', () => {
    expect(parseLongDouble(sliceOf('0x1p16383'))).toEqual({ mantissa: 1n, exponent: 16383 })
    expect(parseLongDouble(sliceOf('0x1p16384'))).toBeNull()
    expect(parseLongDouble(sliceOf('0x1p-16445'))).toEqual({ mantissa: 1n, exponent: -16445 })
    expect(parseLongDouble(sliceOf('0x1p-16447'))).toBeNull()
    // The largest there is, and what would round up to beyond it.
    expect(parseLongDouble(sliceOf('0x1.fffffffffffffffep16383'))).not.toBeNull()
    expect(parseLongDouble(sliceOf('0x1.ffffffffffffffffp16383'))).toBeNull()
  })

  it.each([
    ['0x1.00000000000000010p0', 1n << 63n], // exactly between two: the even one
    ['0x1.00000000000000030p0', (1n << 63n) + 2n],
    ['0x1.00000000000000011p0', (1n << 63n) + 1n],
  ])('rounds %s to the nearest of 64 bits', (text, mantissa) => {
    const { mantissa: m, exponent } = parseLongDouble(sliceOf(text)) as LongDouble
    expect(m << BigInt(exponent + 63)).toBe(mantissa)
  })
})

describe('sums', () => {
  it.each([
    ['0.1', '0.2', '0.3'],
    ['10.5', '0.1', '10.6'],
    ['3.0e3', '200', '3200'],
    ['1', '-1', '0'],
    ['-0', '0', '0'],
    ['1', '-1e-20', '1'],
    ['0', '-1e-20', '0'],
    ['5e-18', '0', '0'], // half a unit of the last place, and a little less as a binary number
    ['1e20', '1', '100000000000000000000'],
    ['18446744073709551615', '1', '18446744073709551616'],
    ['18446744073709551616', '1', '18446744073709551616'],
  ])('%s + %s = %s', (a, b, text) => expect(sum(a, b)).toBe(text))

  it('is null for infinities and beyond the range', () => {
    expect(sum('inf', '1')).toBeNull()
    expect(sum('inf', '-inf')).toBeNull()
    expect(sum('1.18e4932', '1.18e4932')).toBeNull()
  })

  it('is exact for decimals whose sum needs no more than 64 bits', () => {
    const random = randomFrom(7)
    for (let n = 0; n < 2000; n++) {
      // Multiples of 2^-k have k decimals and few bits, so nothing rounds.
      const k = random.below(12)
      const [a, b] = [random.between(-1_000_000, 1_000_000), random.between(-1_000_000, 1_000_000)]
      expect(sum(String(a / 2 ** k), String(b / 2 ** k))).toBe(String((a + b) / 2 ** k || 0))
    }
  })
})
