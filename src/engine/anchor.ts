// Anchors: marks in a segment that no client can forge.
//
// An anchor is a record (record.ts) written after each sync and at least every 64 KiB. Its purpose is recovery after a bad head:
// reading resumes at the next anchor, never at bytes inside a value that happen to look like a record. And it tells rot from a torn
// tail: an anchor claims how far the log was synced when it was written, so damage before a claimed position is rot.
//
//   key    16 bytes: 8 that are the same all over the segment, 8 bound to the anchor's offset; both derived from the salt, which
//          never leaves the directory
//   value  20 bytes: proven segment u32, proven offset u32 (all of the log before that position is synced; 0, 0: nothing claimed),
//          predecessor u32 and its length u32 (the log segment before this one; without it a lost tail of the predecessor could go
//          unnoticed; 0, 0 in merge outputs), zero u32

import { createHash } from 'node:crypto'
import { HEAD_BYTES, headMask, KIND_ANCHOR, recordBytes, type Salt, sealRecord } from './record.ts'

export const ANCHOR_KEY_BYTES = 16
export const ANCHOR_VALUE_BYTES = 20
/** Bytes of an anchor on disk. */
export const ANCHOR_BYTES = recordBytes(0, ANCHOR_KEY_BYTES, ANCHOR_VALUE_BYTES)
/** A new anchor is due after that many bytes. */
export const ANCHOR_EVERY_BYTES = 64 * 1024

/** The part of a mark that is the same for a whole segment, and what the other part is made with. */
export interface AnchorSeed {
  readonly constant: Buffer // 8 bytes
  readonly bound: Salt
}

export function anchorSeed(salt: Salt): AnchorSeed {
  const input = Buffer.alloc(8)
  input.writeUInt32LE(salt.low, 0)
  input.writeUInt32LE(salt.high, 4)
  const digest = createHash('sha256').update('casky anchor').update(input).digest()
  return {
    constant: digest.subarray(0, 8),
    bound: { low: digest.readUInt32LE(8), high: digest.readUInt32LE(12) },
  }
}

/** Writes the 16 byte mark for an anchor at `offset` of the segment. */
export function writeMark(seed: AnchorSeed, offset: number, into: Uint8Array, view: DataView, at: number): void {
  into.set(seed.constant, at)
  view.setUint32(at + 8, headMask(seed.bound, offset), true)
  view.setUint32(at + 12, headMask(seed.bound, ~offset), true)
}

/** True when the 16 bytes at `at` are the mark of an anchor at `offset`. */
export function isMark(seed: AnchorSeed, offset: number, bytes: Uint8Array, view: DataView, at: number): boolean {
  for (let i = 0; i < 8; i++) if (bytes[at + i] !== seed.constant[i]) return false
  return (
    view.getUint32(at + 8, true) === headMask(seed.bound, offset) &&
    view.getUint32(at + 12, true) === headMask(seed.bound, ~offset)
  )
}

export interface AnchorClaim {
  provenSegment: number
  provenOffset: number
  previousSegment: number
  previousLength: number
}

export function writeClaim(view: DataView, at: number, claim: AnchorClaim): void {
  view.setUint32(at, claim.provenSegment, true)
  view.setUint32(at + 4, claim.provenOffset, true)
  view.setUint32(at + 8, claim.previousSegment, true)
  view.setUint32(at + 12, claim.previousLength, true)
  view.setUint32(at + 16, 0, true)
}

export const NO_CLAIM: AnchorClaim = { provenSegment: 0, provenOffset: 0, previousSegment: 0, previousLength: 0 }

/** Writes an anchor record for `offset` of the segment with that salt at bytes[at...]: ANCHOR_BYTES long. */
export function sealAnchor(
  bytes: Buffer,
  view: DataView,
  at: number,
  salt: Salt,
  seed: AnchorSeed,
  offset: number,
  claim: AnchorClaim,
  sequence: number,
  timeMs: number,
): void {
  writeMark(seed, offset, bytes, view, at + HEAD_BYTES)
  writeClaim(view, at + HEAD_BYTES + ANCHOR_KEY_BYTES, claim)
  const [keyBytes, valueBytes] = [ANCHOR_KEY_BYTES, ANCHOR_VALUE_BYTES]
  sealRecord(bytes, view, at, salt, offset, KIND_ANCHOR, 0, 0, 0, keyBytes, valueBytes, sequence, timeMs, 0)
}

export function readClaim(view: DataView, at: number): AnchorClaim {
  return {
    provenSegment: view.getUint32(at, true),
    provenOffset: view.getUint32(at + 4, true),
    previousSegment: view.getUint32(at + 8, true),
    previousLength: view.getUint32(at + 12, true),
  }
}
