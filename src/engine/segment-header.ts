// The header of a segment, and of nothing else.
//
//   offset  size  field
//        0     8  magic "CASKYSEG"
//        8     2  format version, 1
//       10     2  header length, 60; records begin there
//       12     4  incompatible features: an unknown bit means refuse, and write nothing
//       16    16  store id: which directory this belongs to
//       32     4  segment number
//       36     8  salt: 64 random bits that bind records to this file
//       44     4  compatible features: an unknown bit is of no concern
//       48     1  cipher, 0 none          49  3  zero
//       52     4  key id, 0 none
//       56     4  crc-32 of everything before it
// Integers are little-endian. Whatever comes in a later format, these 60 bytes stay, so that this one knows it for newer and not for damage.

import { crc32 } from '../base/crc32.ts'
import type { Salt } from './record.ts'

export const SEGMENT_HEADER_BYTES = 60
export const FORMAT_VERSION = 1
const MAGIC_TEXT = Buffer.from('CASKYSEG', 'latin1')

export interface SegmentHeader {
  readonly storeId: Buffer // 16 bytes
  readonly number: number
  readonly salt: Salt
}

/** The bytes of a header. */
export function encodeSegmentHeader(storeId: Buffer, number: number, salt: Salt): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  MAGIC_TEXT.copy(bytes)
  bytes.writeUInt16LE(FORMAT_VERSION, 8)
  bytes.writeUInt16LE(SEGMENT_HEADER_BYTES, 10)
  storeId.copy(bytes, 16, 0, 16)
  bytes.writeUInt32LE(number, 32)
  bytes.writeUInt32LE(salt.low, 36)
  bytes.writeUInt32LE(salt.high, 40)
  bytes.writeUInt32LE(crc32(bytes, 0, SEGMENT_HEADER_BYTES - 4), SEGMENT_HEADER_BYTES - 4)
  return bytes
}

export type HeaderProblem = 'short' | 'damaged' | 'newer'

/** Reads a header from the first bytes of a file, or says why it cannot. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | HeaderProblem {
  if (bytes.length < SEGMENT_HEADER_BYTES) return 'short'
  if (!bytes.subarray(0, 8).equals(MAGIC_TEXT)) return 'damaged'
  if (crc32(bytes, 0, SEGMENT_HEADER_BYTES - 4) !== bytes.readUInt32LE(SEGMENT_HEADER_BYTES - 4)) return 'damaged'
  if (bytes.readUInt16LE(8) !== FORMAT_VERSION || bytes.readUInt16LE(10) !== SEGMENT_HEADER_BYTES) return 'newer'
  if (bytes.readUInt32LE(12) !== 0 || bytes[48] !== 0) return 'newer'
  return {
    storeId: Buffer.from(bytes.subarray(16, 32)),
    number: bytes.readUInt32LE(32),
    salt: { low: bytes.readUInt32LE(36), high: bytes.readUInt32LE(40) },
  }
}
