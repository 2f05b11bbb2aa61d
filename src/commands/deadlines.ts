// Times to live as clients give them (seconds or milliseconds, from now or from 1970) become deadlines: absolute milliseconds.
//
// Redis counts in signed 64 bits and calls what overflows them an invalid expire time; so does this. What fits is kept as a JS
// number, and a deadline beyond 2^53 ms (the year 287396) becomes 2^53 - 1. That is a difference, visible only to
// EXPIRETIME and TTL of such keys.

import { add, type Integer, multiply } from './numbers.ts'

/** Absolute ms, at or below zero when long past; null when 64 bits do not hold it. `unitMs` 1 or 1000; `sinceMs` 0 or now. */
export function deadline(time: Integer, unitMs: number, sinceMs: number): number | null {
  const span = multiply(time, unitMs)
  const moment = span === null ? null : add(span, sinceMs)
  if (moment === null) return null
  if (typeof moment === 'number') return moment
  return moment > 0n ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER
}
