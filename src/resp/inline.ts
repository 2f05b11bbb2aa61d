// Inline commands: a line of words, as a human types it into telnet and a load balancer's health check sends it.
//
//   word       bytes up to a space, tab, CR or LF
//   "word"     escapes: \xHH, \n \r \t \b \a; a backslash before anything else is that byte
//   'word'     one escape: \'
//   a"b c"     a quote may open inside a word (one word: ab c), but what closes it also ends the word, so that a blank
//              or the end of the line must follow: "a"b is refused, as is a quote that stays open
//
// These are Redis's rules, its oddities included (vertical tab and form feed are skipped between words but do not end one).
// One difference: a NUL is an ordinary byte here. Redis takes it for the end of its buffer and waits for ever.

import type { Args } from './args.ts'

const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const DOUBLE_QUOTE = 34
const SINGLE_QUOTE = 39
const BACKSLASH = 92
const LOWER_X = 120

/**
 * Splits the line bytes[start..end), without its line end, into `args`. Plain words are slices of the line itself; a line
 * with quotes is unescaped into a buffer of its own. False: the quotes are not balanced.
 */
export function splitInline(bytes: Buffer, start: number, end: number, args: Args): boolean {
  for (let i = start; i < end; i++) {
    if (bytes[i] === DOUBLE_QUOTE || bytes[i] === SINGLE_QUOTE) return splitQuoted(bytes, start, end, args)
  }
  let at = skipBlanks(bytes, start, end)
  while (at < end) {
    const from = at
    while (at < end && !endsWord(bytes[at]!)) at++
    args.push(bytes, from, at)
    at = skipBlanks(bytes, at, end)
  }
  return true
}

function splitQuoted(bytes: Buffer, start: number, end: number, args: Args): boolean {
  const words = Buffer.allocUnsafe(end - start) // unescaping only ever shortens
  let length = 0
  let at = skipBlanks(bytes, start, end)
  while (at < end) {
    const from = length
    let quote = 0
    let closed = false
    while (at < end && !closed) {
      const byte = bytes[at]!
      if (quote === 0) {
        if (endsWord(byte)) break
        if (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE) quote = byte
        else words[length++] = byte
        at++
      } else if (byte === quote) {
        closed = true
        at++
      } else if (byte === BACKSLASH && at + 1 < end && (quote === DOUBLE_QUOTE || bytes[at + 1] === SINGLE_QUOTE)) {
        const high = quote === DOUBLE_QUOTE && bytes[at + 1] === LOWER_X && at + 3 < end ? hexDigit(bytes[at + 2]!) : -1
        const low = high >= 0 ? hexDigit(bytes[at + 3]!) : -1
        if (low >= 0) {
          words[length++] = high * 16 + low
          at += 4
        } else {
          words[length++] = quote === DOUBLE_QUOTE ? unescaped(bytes[at + 1]!) : SINGLE_QUOTE
          at += 2
        }
      } else {
        words[length++] = byte
        at++
      }
    }
    if (quote !== 0 && !closed) return false
    if (closed && at < end && !isBlank(bytes[at]!)) return false
    args.push(words, from, length)
    at = skipBlanks(bytes, at, end)
  }
  return true
}

function skipBlanks(bytes: Buffer, at: number, end: number): number {
  while (at < end && isBlank(bytes[at]!)) at++
  return at
}

/** C's isspace. */
function isBlank(byte: number): boolean {
  return byte === SPACE || (byte >= TAB && byte <= CR)
}

function endsWord(byte: number): boolean {
  return byte === SPACE || byte === CR || byte === LF || byte === TAB
}

function unescaped(byte: number): number {
  switch (byte) {
    case 0x6e: // n
      return LF
    case 0x72: // r
      return CR
    case 0x74: // t
      return TAB
    case 0x62: // b
      return 8
    case 0x61: // a
      return 7
    default:
      return byte
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1
}
