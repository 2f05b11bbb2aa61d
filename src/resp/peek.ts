// Looking ahead: which keys the next commands will ask for.
//
// Only a hint for prefetching (server/gather.ts, Connection.lookAhead): the first argument of each command that lies there whole and is an
// ordinary array of bulk strings. Nothing is consumed or judged; what is not understood ends it, and request.ts will say what it is.

import { MAX_SPANS, type Spans } from '../base/spans.ts'

const CR = 13
const DOLLAR = 36
const STAR = 42
const ZERO = 48

/** Adds the first arguments of the commands in bytes[start, end) to `into`, whose buffer this is. */
export function peekKeys(bytes: Buffer, start: number, end: number, into: Spans): void {
  let at = start
  while (into.count < MAX_SPANS && at + 4 <= end && bytes[at] === STAR && bytes[at + 2] === CR) {
    const elements = bytes[at + 1]! - ZERO
    if (elements < 2 || elements > 9) return
    at += 4
    for (let i = 0; i < elements; i++) {
      if (at + 6 > end || bytes[at] !== DOLLAR) return
      let length = bytes[at + 1]! - ZERO
      at += 2
      for (; bytes[at] !== CR; at++) {
        const digit = bytes[at]! - ZERO
        if (!(digit >= 0 && digit <= 9) || at >= end) return
        length = length * 10 + digit
      }
      at += 2
      if (i === 1) {
        if (at + length > end) return
        into.starts[into.count] = at
        into.ends[into.count] = at + length
        into.count++
      }
      at += length + 2
    }
  }
}
