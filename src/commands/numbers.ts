// Integers in arguments and values: signed 64 bits, as Redis reads and writes them.
//
// One spelling for each number: a sign only when negative, no leading zeros, nothing around it. So '+1', '01', ' 1', '-0' and ''
// are not integers, and a value that is one can be written back byte for byte.
//
// A JS number is exact up to 2^53, so an integer is a number up to there and a bigint beyond. Comparisons may mix the two;
// arithmetic goes through the functions here. Nearly every integer a client sends is small: those are read and written digit
// by digit, with no string and no bigint in between.

import type { Slice } from '../base/slice.ts'

export type Integer = number | bigint

export const INT64_MAX = 2n ** 63n - 1n
export const INT64_MIN = -(2n ** 63n)
/** Room for the longest: '-9223372036854775808'. */
export const MAX_INTEGER_LENGTH = 20

const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
/** This many digits always fit a number exactly. */
const SAFE_DIGITS = 15

/** The integer that the whole slice spells, or null when it is none or does not fit 64 bits. */
export function parseInteger(text: Slice): Integer | null {
  const { bytes, end } = text
  let at = text.start
  const length = end - at
  if (length === 0 || length > MAX_INTEGER_LENGTH) return null
  const negative = bytes[at] === MINUS
  if (negative && ++at === end) return null
  const first = bytes[at]!
  if (first === ZERO) return length === 1 ? 0 : null
  if (end - at > SAFE_DIGITS) return parseLong(text, at)
  let value = 0
  for (; at < end; at++) {
    const digit = bytes[at]!
    if (digit < ZERO || digit > NINE) return null
    value = value * 10 + (digit - ZERO)
  }
  return negative ? -value : value
}

function parseLong(text: Slice, digits: number): Integer | null {
  for (let i = digits; i < text.end; i++) {
    const digit = text.bytes[i]!
    if (digit < ZERO || digit > NINE) return null
  }
  return within64(BigInt(text.key()))
}

/** A number that fits C's int, or what it answers instead: null (no integer at all), undefined (out of that range). */
export function parseInt32(text: Slice): number | null | undefined {
  const value = parseInteger(text)
  if (value === null) return null
  return value >= -0x8000_0000 && value <= 0x7fff_ffff ? Number(value) : undefined
}

/** a + b, or null when 64 bits do not hold the sum. */
export function add(a: Integer, b: Integer): Integer | null {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    // A sum that was rounded is at least 2^53, so it is never taken for a safe one.
    if (Number.isSafeInteger(sum)) return sum
  }
  return within64(BigInt(a) + BigInt(b))
}

/** -a, or null for the one integer that has no opposite. */
export function negate(a: Integer): Integer | null {
  if (typeof a === 'number') return a === 0 ? 0 : -a
  return within64(-a)
}

/** a * factor, or null when 64 bits do not hold it. */
export function multiply(a: Integer, factor: number): Integer | null {
  if (typeof a === 'number' && Number.isSafeInteger(a * factor)) return a * factor
  return within64(BigInt(a) * BigInt(factor))
}

function within64(value: bigint): Integer | null {
  if (value < INT64_MIN || value > INT64_MAX) return null
  const small = Number(value)
  return Number.isSafeInteger(small) ? small : value
}

/** Writes the digits at the start of `into` and returns how many bytes they take (at most MAX_INTEGER_LENGTH). */
export function formatInteger(value: Integer, into: Buffer): number {
  if (typeof value === 'bigint' || value > 0x7fff_ffff || value < -0x7fff_ffff)
    return into.write(String(value), 0, 'latin1')
  let rest = value < 0 ? -value : value
  let length = value < 0 ? 2 : 1
  for (let limit = 10; rest >= limit; limit *= 10) length++
  let at = length
  do {
    into[--at] = ZERO + (rest % 10)
    rest = (rest / 10) | 0
  } while (rest > 0)
  if (value < 0) into[0] = MINUS
  return length
}
