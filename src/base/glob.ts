// Redis's glob: KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET.
//
//   *        any number of bytes, also none       [abc] [a-z] [^x]   one byte of a class, or outside of it
//   ?        one byte                             \x                 x itself
//
// Bytes, not characters; never a RegExp, never a recursion. Where Redis is odd, so is this:
// - an empty text is matched by an empty pattern only, not by '*' (KEYS and SCAN treat a lone '*' apart, before they ask);
// - a class that is not closed ends with the pattern; in `[a-]` the bracket is the range's end, so that class is not closed;
// - in ranges bytes from 128 on come before 0, since C's char has a sign (so [\xff-a] has \xff, \0 and all up to a);
// - a reversed range `[z-a]` means `[a-z]`; an escaped byte in a class is compared with its case even when the rest is not.
//
// One star is remembered, the last: when what follows it fails, the star takes one byte more. Earlier stars never have to
// be tried again, because the last one can swallow whatever they could. That is quadratic at worst (`*aaaa...b` over a text
// of a's), and keys reach 1 MiB, so the steps of one match are counted: beyond STEPS plus both lengths the answer is no.
// A pattern and a text of a thousand bytes each never get there.

import type { Slice } from './slice.ts'

/** What one key and one pattern may cost everybody else: 2 ms where both have a thousand bytes, 20 ms where both have a million. */
const STEPS = 1_000_000

const STAR = 0x2a
const ANY = 0x3f
const OPEN = 0x5b
const CLOSE = 0x5d
const ESCAPE = 0x5c
const CARET = 0x5e
const DASH = 0x2d

/** Whether the whole text matches the pattern. `ignoreCase` folds ASCII letters only. */
export function globMatch(pattern: Slice, text: Slice, ignoreCase = false): boolean {
  const patternBytes = pattern.bytes
  const patternEnd = pattern.end
  const textBytes = text.bytes
  const textEnd = text.end
  let p = pattern.start
  let t = text.start
  let retryPattern = -1 // just behind the last star
  let retryText = 0 // the first byte that star has not swallowed
  let steps = STEPS + pattern.length + text.length

  if (t === textEnd) return p === patternEnd

  for (;;) {
    if (--steps < 0) return false

    if (t === textEnd) {
      while (p < patternEnd && patternBytes[p] === STAR) p++
      // What follows the last star is too long for what is left; a longer star leaves even less.
      return p === patternEnd
    }

    if (p < patternEnd) {
      const wanted = patternBytes[p]!
      if (wanted === STAR) {
        while (p < patternEnd && patternBytes[p] === STAR) p++
        if (p === patternEnd) return true
        retryPattern = p
        retryText = t
        continue
      }
      const byte = textBytes[t]!
      if (wanted === OPEN) {
        const end = classEnd(patternBytes, p + 1, patternEnd)
        steps -= 2 * (end - p) // looked through here and in inClass
        if (inClass(patternBytes, p + 1, end, byte, ignoreCase)) {
          p = end < patternEnd ? end + 1 : end
          t++
          continue
        }
      } else if (wanted === ANY) {
        p++
        t++
        continue
      } else {
        const at = wanted === ESCAPE && p + 1 < patternEnd ? p + 1 : p
        const literal = patternBytes[at]!
        if (literal === byte || (ignoreCase && fold(literal) === fold(byte))) {
          p = at + 1
          t++
          continue
        }
      }
    }

    if (retryPattern < 0) return false
    p = retryPattern
    t = ++retryText
    if (t === textEnd) return false
  }
}

/** Position of the bracket that closes the class whose inside begins at `from`, or `end` when none does. */
function classEnd(pattern: Buffer, from: number, end: number): number {
  let p = pattern[from] === CARET && from < end ? from + 1 : from
  while (p < end) {
    if (pattern[p] === ESCAPE && p + 1 < end) p += 2
    else if (pattern[p] === CLOSE) return p
    else if (p + 2 < end && pattern[p + 1] === DASH) p += 3
    else p++
  }
  return end
}

function inClass(pattern: Buffer, from: number, end: number, byte: number, ignoreCase: boolean): boolean {
  const inverted = from < end && pattern[from] === CARET
  const folded = ignoreCase ? fold(byte) : byte
  let p = inverted ? from + 1 : from
  let found = false
  while (p < end) {
    const first = pattern[p]!
    if (first === ESCAPE && p + 1 < end) {
      if (pattern[p + 1] === byte) found = true
      p += 2
    } else if (p + 2 < end && pattern[p + 1] === DASH) {
      const last = pattern[p + 2]!
      const isReversed = signed(first) > signed(last)
      if (inRange(folded, isReversed ? last : first, isReversed ? first : last, ignoreCase)) found = true
      p += 3
    } else {
      if ((ignoreCase ? fold(first) : first) === folded) found = true
      p++
    }
  }
  return found !== inverted
}

function inRange(byte: number, from: number, to: number, ignoreCase: boolean): boolean {
  const low = ignoreCase ? fold(from) : from
  const high = ignoreCase ? fold(to) : to
  return signed(byte) >= signed(low) && signed(byte) <= signed(high)
}

/** A byte as C's char where that has a sign. */
function signed(byte: number): number {
  return (byte << 24) >> 24
}

function fold(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
}
