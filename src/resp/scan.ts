// Where does a reply end? For those who pass replies on or count them without wanting to know what they say.
//
// One counter is enough, whatever the nesting: it says how many values are still to come. A value takes one off, an
// aggregate of n adds n (a map 2n), an attribute adds its 2n and takes nothing off, for the value it speaks about still
// follows. So there is no stack and no recursion, and a million open brackets cost one number.
//
// An incomplete reply is looked at again from its start when more has come; the caller bounds how long that goes on.

/** More bytes are needed. */
export const INCOMPLETE = -1
/** No continuation can make it a reply. */
export const MALFORMED = -2

/** Values one reply may announce, nested ones included. */
const MAX_VALUES = 2 ** 32
/** A length or count has at most so many digits: far beyond any real one, far below 2^53. */
const MAX_DIGITS = 12

const LF = 10
const CR = 13
const MINUS = 45
const ZERO = 48

/** The index behind one complete reply (RESP2 or RESP3) that begins at bytes[start], INCOMPLETE or MALFORMED. */
export function replyEnd(bytes: Buffer, start: number, end: number): number {
  let pending = 1
  let at = start
  while (pending > 0) {
    if (at >= end) return INCOMPLETE
    const type = String.fromCharCode(bytes[at]!)
    const next = lineEnd(bytes, at + 1, end)
    switch (type) {
      case '+': // simple string
      case '-': // error
      case ',': // double
        if (next < 0) return next
        at = next
        pending--
        break
      case ':': // integer
      case '(': // big number
        if (next < 0) return next
        if (!isInteger(bytes, at + 1, next - 2)) return MALFORMED
        at = next
        pending--
        break
      case '_': // null
        if (next < 0) return next
        if (next !== at + 3) return MALFORMED
        at = next
        pending--
        break
      case '#': // boolean
        if (next < 0) return next
        if (next !== at + 4 || (bytes[at + 1] !== 0x74 && bytes[at + 1] !== 0x66)) return MALFORMED
        at = next
        pending--
        break
      case '$': // bulk string
      case '!': // bulk error
      case '=': {
        // verbatim string
        if (next < 0) return next
        const length = readCount(bytes, at + 1, next - 2)
        if (length === MALFORMED || (length < 0 && type !== '$')) return MALFORMED
        at = next
        if (length >= 0) {
          at += length + 2
          if (at - 2 < end && bytes[at - 2] !== CR) return MALFORMED
          if (at - 1 < end && bytes[at - 1] !== LF) return MALFORMED
          if (at > end) return INCOMPLETE
        }
        pending--
        break
      }
      case '*': // array
      case '~': // set
      case '>': // push
      case '%': // map
      case '|': {
        // attribute
        if (next < 0) return next
        const count = readCount(bytes, at + 1, next - 2)
        if (count === MALFORMED || (count < 0 && type !== '*')) return MALFORMED
        at = next
        if (type !== '|') pending--
        if (count > 0) pending += type === '%' || type === '|' ? 2 * count : count
        if (pending > MAX_VALUES) return MALFORMED
        break
      }
      default:
        return MALFORMED
    }
  }
  return at
}

/** The index behind the CRLF that ends the line at `from`. A CR or LF alone is malformed. */
function lineEnd(bytes: Buffer, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    if (bytes[at] === LF) return MALFORMED
    if (bytes[at] === CR) {
      if (at + 1 >= end) return INCOMPLETE
      return bytes[at + 1] === LF ? at + 2 : MALFORMED
    }
  }
  return INCOMPLETE
}

/** A length or count; -1 is the null of RESP2, anything else that is no number is MALFORMED. */
function readCount(bytes: Buffer, from: number, to: number): number {
  if (to - from === 2 && bytes[from] === MINUS && bytes[from + 1] === ZERO + 1) return -1
  if (to <= from || to - from > MAX_DIGITS) return MALFORMED
  let value = 0
  for (let at = from; at < to; at++) {
    const digit = bytes[at]! - ZERO
    if (digit < 0 || digit > 9) return MALFORMED
    value = value * 10 + digit
  }
  return value
}

function isInteger(bytes: Buffer, from: number, to: number): boolean {
  const first = bytes[from] === MINUS || bytes[from] === 43 ? from + 1 : from
  for (let at = first; at < to; at++) {
    const digit = bytes[at]! - ZERO
    if (digit < 0 || digit > 9) return false
  }
  return to > first
}
