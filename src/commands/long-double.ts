// Floats as INCRBYFLOAT means them: x86's 80-bit long double, since that is what Redis computes in and clients see the difference
// (10.5 + 0.1 is 10.6, which no double prints at 17 decimals).
//
// A finite number is m * 2^e with integers m and e. Rounding to a long double keeps 64 bits of m, to the nearest, ties to even, and
// no e below -16445; beyond 2^16384 there is only infinity. All of it is done in exact integers, so nothing is rounded but where
// the processor would. Text is what C's strtold takes: decimal, hexadecimal ("0x1.8p3"), "inf", "infinity"; no blanks, no "nan".
//
// Work is bounded: a text has at most 5119 bytes, and its exponent is cut to where the answer is known to be zero or infinity.

import type { Slice } from '../base/slice.ts'

const MANTISSA_BITS = 64
const MIN_EXPONENT = -16445
/** Numbers from 2^16384 on have no long double. */
const TOP_EXPONENT = 16384
/** Redis's own limit: strings of 5 KiB and more are no numbers. */
const MAX_TEXT_BYTES = 5 * 1024 - 1
const DECIMALS = 17
/** The longest that formatLongDouble writes: a sign, 4933 digits, a point, 17 decimals. */
export const MAX_FLOAT_LENGTH = 1 + 4933 + 1 + DECIMALS
const TEN_TO_DECIMALS = 10n ** BigInt(DECIMALS)
/** Beyond 10^±5000 every number is infinite or rounds to zero (the largest is about 10^4932, the smallest about 10^-4951). */
const DECIMAL_HORIZON = 5000
/** The same in powers of two. */
const BINARY_HORIZON = 17000

export interface LongDouble {
  readonly mantissa: bigint
  readonly exponent: number
}

export const INFINITE = 'infinite'
export const MINUS_INFINITE = 'minus infinite'

export type Float = LongDouble | typeof INFINITE | typeof MINUS_INFINITE

export const ZERO: LongDouble = { mantissa: 0n, exponent: 0 }

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i
const HEXADECIMAL = /^([+-]?)0x([\da-f]*)(?:\.([\da-f]*))?(?:p([+-]?\d+))?$/i
const INFINITY = /^([+-]?)inf(?:inity)?$/i

/** The number that the whole text spells, or null when it is none, or one that no long double comes near to. */
export function parseLongDouble(text: Slice): Float | null {
  if (text.length === 0 || text.length > MAX_TEXT_BYTES) return null
  const spelling = text.key()
  const infinite = INFINITY.exec(spelling)
  if (infinite !== null) return infinite[1] === '-' ? MINUS_INFINITE : INFINITE
  const hexadecimal = HEXADECIMAL.exec(spelling)
  const parts = hexadecimal ?? DECIMAL.exec(spelling)
  if (parts === null) return null
  const fraction = parts[3] ?? ''
  const digits = parts[2] + fraction
  if (digits === '') return null
  const power = Number(parts[4] ?? 0)
  const value =
    hexadecimal === null
      ? fromDecimal(digits, power - fraction.length)
      : fromBinary(BigInt(`0x${digits}`), power - 4 * fraction.length)
  if (value === null || value.mantissa === 0n || parts[1] !== '-') return value
  return { mantissa: -value.mantissa, exponent: value.exponent }
}

/** a + b, rounded; null when that is infinite or no number at all. */
export function addLongDoubles(a: Float, b: Float): LongDouble | null {
  if (typeof a === 'string' || typeof b === 'string') return null
  const exponent = Math.min(a.exponent, b.exponent)
  const sum = (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent))
  return rounded(sum, exponent, false)
}

/** As C's "%.17Lf", without the zeros at the end and without the sign of a zero. */
export function formatLongDouble({ mantissa, exponent }: LongDouble): string {
  const isNegative = mantissa < 0n
  const scaled = (isNegative ? -mantissa : mantissa) * TEN_TO_DECIMALS
  const units = exponent >= 0 ? scaled << BigInt(exponent) : roundedShift(scaled, -exponent, false)
  if (units === 0n) return '0'
  const digits = units.toString().padStart(DECIMALS + 1, '0')
  const whole = digits.slice(0, -DECIMALS)
  const decimals = digits.slice(-DECIMALS).replace(/0+$/, '')
  return `${isNegative ? '-' : ''}${whole}${decimals === '' ? '' : `.${decimals}`}`
}

/** digits * 10^power. */
function fromDecimal(digits: string, power: number): LongDouble | null {
  const value = BigInt(digits)
  if (value === 0n) return ZERO
  const magnitude = value.toString().length + power
  if (magnitude > DECIMAL_HORIZON || magnitude < -DECIMAL_HORIZON) return null
  if (power >= 0) return nonZero(rounded(value * 10n ** BigInt(power), 0, false))
  // A quotient with at least two bits more than are kept; the remainder only says whether it is exact.
  const divisor = 10n ** BigInt(-power)
  const shift = Math.max(0, MANTISSA_BITS + 2 + bitLength(divisor) - bitLength(value))
  const dividend = value << BigInt(shift)
  return nonZero(rounded(dividend / divisor, -shift, dividend % divisor !== 0n))
}

/** value * 2^power. */
function fromBinary(value: bigint, power: number): LongDouble | null {
  if (value === 0n) return ZERO
  const magnitude = bitLength(value) + power
  if (magnitude > BINARY_HORIZON || magnitude < -BINARY_HORIZON) return null
  return nonZero(rounded(value, power, false))
}

/** What is not zero and rounds to zero is out of range, in text. */
function nonZero(value: LongDouble | null): LongDouble | null {
  return value?.mantissa === 0n ? null : value
}

/** The long double nearest to value * 2^exponent and, if `inexact`, a little more (than its absolute); null: infinite. */
function rounded(value: bigint, exponent: number, inexact: boolean): LongDouble | null {
  if (value === 0n) return ZERO
  const isNegative = value < 0n
  let mantissa = isNegative ? -value : value
  let power = exponent
  const drop = Math.max(bitLength(mantissa) - MANTISSA_BITS, MIN_EXPONENT - power)
  if (drop > 0) {
    mantissa = roundedShift(mantissa, drop, inexact)
    power += drop
  }
  if (mantissa === 0n) return ZERO
  if (bitLength(mantissa) + power > TOP_EXPONENT) return null
  return { mantissa: isNegative ? -mantissa : mantissa, exponent: power }
}

/** value / 2^bits to the nearest integer, ties to even. `inexact`: the value is a little more than it says. */
function roundedShift(value: bigint, bits: number, inexact: boolean): bigint {
  const shift = BigInt(bits)
  const quotient = value >> shift
  const rest = value - (quotient << shift)
  const half = 1n << (shift - 1n)
  if (rest > half || (rest === half && (inexact || (quotient & 1n) === 1n))) return quotient + 1n
  return quotient
}

/** Of a positive integer. */
function bitLength(value: bigint): number {
  const digits = value.toString(16)
  return (digits.length - 1) * 4 + 32 - Math.clz32(Number.parseInt(digits[0]!, 16))
}
