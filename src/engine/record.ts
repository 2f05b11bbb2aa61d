// A record: the only thing Casky writes into a segment behind its header.
//
//   offset  size  field
//        0     4  head crc    crc-32 of bytes 8 .. end of key, xor mask(salt, offset of the record)
//        4     4  value crc   crc-32 of the value, xor valueMask(salt, offset of the record)
//        8     1  kind        1 value, 2 tombstone, 3 batch end, 4 touch, 5 system, 6 anchor  (7 range tombstone, 8 element: reserved)
//        9     1  type        of value: 0 string (1 list, 2 set, 3 sorted set, 4 hash, 5 stream: reserved)
//       10     2  flags       1 has expiry, 2 member of a batch, 4 expired (a tombstone made by expiry), 8 compressed (reserved)
//       12     4  database    physical id; 0 is the system's
//       16     4  key length  at most 1 MiB
//       20     4  value length, at most 1 GiB
//       24     6  sequence    orders everything
//       30     6  write time  ms since 1970; informs, never orders
//       36     8  expiry      ms since 1970, signed; only with flag 1
//    36/44        key, then value
// Integers are little-endian. Records follow each other without gaps.
//
// The masks, in 32-bit arithmetic (x: multiplication modulo 2^32, >>: unsigned), from the salt's two words and the offset:
//   h = low ^ (offset x 9e3779b1);  h = ((h ^ h>>15) x 85ebca6b) ^ high;  h = (h ^ h>>13) x c2b2ae35;  mask = h ^ h>>16
//   valueMask = (mask ^ 5bd1e995) x 27d4eb2f
// They bind a record to its place: a block of another file, or from elsewhere in this one, has good crcs for another salt and
// offset and fails here. A record can be moved without reading its value: crc xor old mask xor new mask.
//
// What stands in key and value, by kind:
//   value      key; value.                               tombstone  key; nothing.
//   touch      key; 6 bytes: sequence of the value record whose expiry this replaces (no expiry flag: persists).
//   batch end  nothing; 6 bytes first sequence, 4 bytes count of the members before it. Members without an end never happened.
//   system     a name; what it names (databases.ts).
//   anchor     16 byte mark; see anchor.ts. Its sequence is that of the newest record before it: it has none of its own.
//
// A record is valid iff head and key end inside the segment's valid bytes, the head crc agrees, kind and flags are known, the lengths
// are within limits and the value ends inside, and the value crc agrees. An unknown kind or flag under a good crc is no damage: it was
// written by a newer Casky, and the answer is to refuse, not to skip.
//
// This file says what it sees. What to do about it is for the caller (recovery, merge, a read).

import { copyBytes } from '../base/copy.ts'
import { crc32 } from '../base/crc32.ts'
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from '../base/limits.ts'

export const KIND_VALUE = 1
export const KIND_TOMBSTONE = 2
export const KIND_BATCH_END = 3
export const KIND_TOUCH = 4
export const KIND_SYSTEM = 5
export const KIND_ANCHOR = 6

export const FLAG_EXPIRY = 1
export const FLAG_BATCH = 2
export const FLAG_EXPIRED = 4
const KNOWN_FLAGS = FLAG_EXPIRY | FLAG_BATCH | FLAG_EXPIRED

export const TYPE_STRING = 0

export const HEAD_BYTES = 36
export const WIDE_HEAD_BYTES = 44
/** Value bytes of a touch and of a batch end. */
export const TOUCH_BYTES = 6
export const BATCH_END_BYTES = 10

const TWO_32 = 2 ** 32

/** A segment's salt: 64 random bits, as two u32. */
export interface Salt {
  readonly low: number
  readonly high: number
}

/** The record's place, folded into 32 bits. */
export function headMask(salt: Salt, offset: number): number {
  let h = salt.low ^ Math.imul(offset, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b) ^ salt.high
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

export function valueMask(mask: number): number {
  return Math.imul(mask ^ 0x5bd1e995, 0x27d4eb2f) >>> 0
}

export const headBytes = (flags: number): number => ((flags & FLAG_EXPIRY) !== 0 ? WIDE_HEAD_BYTES : HEAD_BYTES)

/** Bytes of a record on disk. */
export const recordBytes = (flags: number, keyLength: number, valueLength: number): number =>
  headBytes(flags) + keyLength + valueLength

/**
 * Writes the head at `at` and seals head and value with their crcs. Key and value must already lie behind the head. `salt` and
 * `offset` are the segment's and the record's place in it. `expiry` is written with FLAG_EXPIRY only.
 */
export function sealRecord(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  salt: Salt,
  offset: number,
  kind: number,
  type: number,
  flags: number,
  database: number,
  keyLength: number,
  valueLength: number,
  sequence: number,
  timeMs: number,
  expiry: number,
): void {
  view.setUint32(at + 8, kind | (type << 8) | (flags << 16), true)
  view.setUint32(at + 12, database, true)
  view.setUint32(at + 16, keyLength, true)
  view.setUint32(at + 20, valueLength, true)
  view.setUint32(at + 24, sequence >>> 0, true)
  view.setUint16(at + 28, (sequence / TWO_32) & 0xffff, true)
  view.setUint32(at + 30, timeMs >>> 0, true)
  view.setUint16(at + 34, (timeMs / TWO_32) & 0xffff, true)
  let body = at + HEAD_BYTES
  if ((flags & FLAG_EXPIRY) !== 0) {
    view.setUint32(body, expiry >>> 0, true)
    view.setInt32(body + 4, Math.floor(expiry / TWO_32), true)
    body += 8
  }
  const mask = headMask(salt, offset)
  const keyEnd = body + keyLength
  view.setUint32(at, crc32(bytes, at + 8, keyEnd) ^ mask, true)
  view.setUint32(at + 4, crc32(bytes, keyEnd, keyEnd + valueLength) ^ valueMask(mask), true)
}

// What reading a head finds.
export const HEAD_GOOD = 0
/** Nothing more: the valid bytes end exactly here. */
export const HEAD_END = 1
/** The bytes cannot be a record: crc, or an end beyond the valid bytes. Torn or damaged: the caller knows where it stands. */
export const HEAD_BAD = 2
/** A record of a newer Casky: refuse. */
export const HEAD_UNKNOWN = 3

/** A parsed head; reused by readers. Positions are indexes into the bytes that were read. */
export class Head {
  kind = 0
  type = 0
  flags = 0
  database = 0
  keyLength = 0
  valueLength = 0
  sequence = 0
  timeMs = 0
  /** ms, or 0 without FLAG_EXPIRY. */
  expiry = 0
  keyStart = 0
  valueStart = 0
  /** Where the next record begins. */
  end = 0
}

/** Lengths as they stand at `at`, unverified: how many bytes the record would take. 0 when fewer than a head are there. */
export function claimedBytes(view: DataView, at: number, limit: number): number {
  if (at + HEAD_BYTES > limit) return 0
  const flags = view.getUint16(at + 10, true)
  const keyLength = view.getUint32(at + 16, true)
  const valueLength = view.getUint32(at + 20, true)
  if (keyLength > MAX_KEY_BYTES || valueLength > MAX_VALUE_BYTES) return 0
  return recordBytes(flags, keyLength, valueLength)
}

/**
 * Reads the head of the record at `at`; `limit` is the end of the bytes at hand, `offset` the record's place in its segment. With
 * HEAD_GOOD, `head` is filled and key and value lie inside the limit; the value's crc is not yet checked (valueIsGood).
 */
export function readHead(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  limit: number,
  salt: Salt,
  offset: number,
  head: Head,
): number {
  if (at === limit) return HEAD_END
  if (at + HEAD_BYTES > limit) return HEAD_BAD
  const flags = view.getUint16(at + 10, true)
  const keyLength = view.getUint32(at + 16, true)
  const valueLength = view.getUint32(at + 20, true)
  const keyStart = at + headBytes(flags)
  const valueStart = keyStart + keyLength
  // Lengths are compared before they are added to anything: a wild u32 must not wrap, and not reach the crc.
  if (keyLength > MAX_KEY_BYTES || valueLength > MAX_VALUE_BYTES || valueStart + valueLength > limit) return HEAD_BAD
  const stored = (view.getUint32(at, true) ^ headMask(salt, offset)) >>> 0
  if (crc32(bytes, at + 8, valueStart) !== stored) return HEAD_BAD
  const kind = view.getUint8(at + 8)
  if (kind < KIND_VALUE || kind > KIND_ANCHOR || (flags & ~KNOWN_FLAGS) !== 0) return HEAD_UNKNOWN
  head.kind = kind
  head.type = view.getUint8(at + 9)
  head.flags = flags
  head.database = view.getUint32(at + 12, true)
  head.keyLength = keyLength
  head.valueLength = valueLength
  head.sequence = readUint48(view, at + 24)
  head.timeMs = readUint48(view, at + 30)
  head.expiry =
    (flags & FLAG_EXPIRY) !== 0
      ? view.getUint32(at + HEAD_BYTES, true) + view.getInt32(at + HEAD_BYTES + 4, true) * TWO_32
      : 0
  head.keyStart = keyStart
  head.valueStart = valueStart
  head.end = valueStart + valueLength
  return HEAD_GOOD
}

/** Checks the value of a record whose head is good. */
export function valueIsGood(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  salt: Salt,
  offset: number,
  head: Head,
): boolean {
  const stored = (view.getUint32(at + 4, true) ^ valueMask(headMask(salt, offset))) >>> 0
  return crc32(bytes, head.valueStart, head.end) === stored
}

export const readUint48 = (view: DataView, at: number): number =>
  view.getUint32(at, true) + view.getUint16(at + 4, true) * TWO_32

export function writeUint48(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true)
  view.setUint16(at + 4, (value / TWO_32) & 0xffff, true)
}

/**
 * Copies a good record to another place, bound to it: `flags` replace the old ones (a merged record is no batch member any more).
 * The value's crc is re-bound, not recomputed. Returns the bytes written.
 */
export function moveRecord(
  from: Uint8Array,
  fromView: DataView,
  fromAt: number,
  fromSalt: Salt,
  fromOffset: number,
  head: Head,
  flags: number,
  to: Uint8Array,
  toView: DataView,
  toAt: number,
  toSalt: Salt,
  toOffset: number,
): number {
  const length = head.end - fromAt
  copyBytes(from, fromAt, head.end, to, toAt)
  const fromMask = headMask(fromSalt, fromOffset)
  const toMask = headMask(toSalt, toOffset)
  toView.setUint16(toAt + 10, flags, true)
  const keyEnd = toAt + (head.valueStart - fromAt)
  toView.setUint32(toAt, crc32(to, toAt + 8, keyEnd) ^ toMask, true)
  const value = (fromView.getUint32(fromAt + 4, true) ^ valueMask(fromMask) ^ valueMask(toMask)) >>> 0
  toView.setUint32(toAt + 4, value, true)
  return length
}
