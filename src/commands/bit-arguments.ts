// Arguments that name bits: offsets, and ranges from a first to a last byte or bit.

import { Slice } from '../base/slice.ts'
import { type Integer, parseInteger } from './numbers.ts'
import type { Session } from './session.ts'

const HASH = 0x23

/**
 * A bit's offset; -1 when it is none or lies beyond the longest string there may be, and the client has been told.
 * With `fieldBits` the offset may be '#n': the n-th field of that many bits.
 */
export function readBitOffset(session: Session, text: Slice, fieldBits = 0): number {
  const isCounted = fieldBits > 0 && text.length > 0 && text.bytes[text.start] === HASH
  const number = parseInteger(isCounted ? new Slice(text.bytes, text.start + 1, text.end) : text)
  if (number !== null) {
    // Redis multiplies in 64 bits and lets what does not fit wrap around; only then it looks whether the offset is one.
    const offset = isCounted ? BigInt.asIntN(64, BigInt(number) * BigInt(fieldBits)) : number
    if (offset >= 0 && offset < session.server.maxBulkBytes * 8) return Number(offset)
  }
  session.reply.error('ERR bit offset is not an integer or out of range')
  return -1
}

export type BitUnit = 'BYTE' | 'BIT'

/** A range of bits that is not empty: its bytes, and which bits of the first and of the last byte belong to it. */
export interface Bits {
  readonly firstByte: number
  readonly lastByte: number
  readonly inFirst: number
  readonly inLast: number
}

/** The range from `first` to `last`, both included, of a string of so many bytes; null when it is empty. Below 0: counted from the end. */
export function bitRange(first: Integer, last: Integer, size: number, unit: BitUnit): Bits | null {
  const total = unit === 'BIT' ? size * 8 : size
  const from = fromStart(Number(first), total)
  const to = Math.min(fromStart(Number(last), total), total - 1)
  if (from > to) return null
  if (unit === 'BYTE') return { firstByte: from, lastByte: to, inFirst: 0xff, inLast: 0xff }
  return {
    firstByte: Math.floor(from / 8),
    lastByte: Math.floor(to / 8),
    inFirst: 0xff >> (from & 7),
    inLast: (0xff << (7 - (to & 7))) & 0xff,
  }
}

function fromStart(offset: number, total: number): number {
  return Math.max(0, offset < 0 ? total + offset : offset)
}
