// Integers: what is one, what a sum may be, and that reading gives back what was written. Oracle: BigInt.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sliceOf } from '../../src/base/slice.ts'
import { deadline } from '../../src/commands/deadlines.ts'
import {
  add,
  formatInteger,
  INT64_MAX,
  INT64_MIN,
  type Integer,
  MAX_INTEGER_LENGTH,
  multiply,
  negate,
  parseInt32,
  parseInteger,
} from '../../src/commands/numbers.ts'

const parse = (text: string): Integer | null => parseInteger(sliceOf(text))
const exact = (value: bigint): Integer | null => {
  if (value < INT64_MIN || value > INT64_MAX) return null
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}
/** Any int64, with a liking for the edges and for what numbers cannot hold. */
const int64 = fc.oneof(
  fc.bigInt({ min: INT64_MIN, max: INT64_MAX }),
  fc.integer().map(BigInt),
  fc.maxSafeInteger().map(BigInt),
  fc.constantFrom(
    INT64_MIN,
    INT64_MAX,
    2n ** 53n,
    -(2n ** 53n),
    2n ** 53n - 1n,
    10n ** 15n,
    10n ** 15n - 1n,
    2n ** 31n,
    -(2n ** 31n),
  ),
)

describe('reading an integer', () => {
  it.each([
    ['0', 0],
    ['7', 7],
    ['-1', -1],
    ['999999999999999', 999999999999999],
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['-9007199254740993', -9007199254740993n],
    ['9223372036854775807', INT64_MAX],
    ['-9223372036854775808', INT64_MIN],
  ])('%s', (text, value) => expect(parse(text)).toBe(value))

  it.each([
    '',
    '-',
    '+1',
    '-0',
    '00',
    '01',
    '-01',
    ' 1',
    '1 ',
    '1a',
    '1.0',
    '1e3',
    '0x1',
    '--1',
    '9223372036854775808',
    '-9223372036854775809',
    '99999999999999999999',
    '12345678901234567890123',
    '1\0',
    '１',
  ])('refuses %j', (text) => expect(parse(text)).toBeNull())

  it('reads only its own bytes', () => {
    const slice = sliceOf('99123456')
    slice.set(slice.bytes, 2, 5)
    expect(parseInteger(slice)).toBe(123)
  })

  it('takes exactly the one spelling of each int64, and gives it back when written', () => {
    const into = Buffer.alloc(MAX_INTEGER_LENGTH)
    fc.assert(
      fc.property(int64, (value) => {
        const read = parse(String(value))
        expect(read).toBe(exact(value))
        expect(into.toString('latin1', 0, formatInteger(read!, into))).toBe(String(value))
      }),
    )
  })

  it('takes nothing else', () => {
    const text = fc.string({ unit: fc.constantFrom('-', '+', '0', '1', '9', ' ', '.'), maxLength: 22 })
    fc.assert(
      fc.property(text, (it) => {
        const isInteger = /^(0|-?[1-9][0-9]*)$/.test(it)
        expect(parse(it)).toBe(isInteger ? exact(BigInt(it)) : null)
      }),
    )
  })

  it('tells no integer from one that C has no int for', () => {
    const parse32 = (text: string) => parseInt32(sliceOf(text))
    expect(parse32('2147483647')).toBe(2147483647)
    expect(parse32('-2147483648')).toBe(-2147483648)
    expect(parse32('2147483648')).toBeUndefined()
    expect(parse32('-99999999999')).toBeUndefined()
    expect(parse32('x')).toBeNull()
  })
})

describe('arithmetic is that of 64 bits', () => {
  it('adds, negates and multiplies exactly or says that it overflows', () => {
    fc.assert(
      fc.property(int64, int64, (a, b) => {
        expect(add(exact(a)!, exact(b)!)).toBe(exact(a + b))
        expect(negate(exact(a)!)).toBe(exact(-a))
        expect(multiply(exact(a)!, 1000)).toBe(exact(a * 1000n))
      }),
    )
  })
})

describe('deadlines', () => {
  const now = 1_700_000_000_000
  it('counts from now or from 1970, in seconds or milliseconds', () => {
    expect(deadline(10, 1000, now)).toBe(now + 10_000)
    expect(deadline(10, 1, now)).toBe(now + 10)
    expect(deadline(1_800_000_000, 1000, 0)).toBe(1_800_000_000_000)
    expect(deadline(-10, 1000, now)).toBe(now - 10_000)
  })

  it('overflows where 64 bits do', () => {
    expect(deadline(9223372036854775n, 1000, 0)).toBe(Number.MAX_SAFE_INTEGER)
    expect(deadline(9223372036854776n, 1000, 0)).toBeNull()
    expect(deadline(-9223372036854776n, 1000, 0)).toBeNull()
    expect(deadline(INT64_MAX, 1, 1)).toBeNull()
    expect(deadline(INT64_MAX, 1, 0)).toBe(Number.MAX_SAFE_INTEGER)
    expect(deadline(INT64_MIN, 1, now)).toBe(Number.MIN_SAFE_INTEGER)
  })
})
