// MANIFEST: which segments are data. Nothing else decides that, least of all which files happen to lie in the directory.
//
// It is written aside, synced, renamed over the old one, and the directory synced; so a crash leaves the old or the new one, whole.
// The file holds the same body twice, each with a crc of its own, so that one damaged block costs nothing.
//
//   body:  offset  size  field
//               0     8  magic "CASKYMAN"
//               8     2  format version, 1
//              10     2  incompatible features
//              12     4  body length, crc included
//              16    16  store id
//              32     6  epoch: one more with each commit
//              38     6  next sequence: no lower one is given out again
//              44     4  next segment number
//              48     4  count of segments
//              52   ...  segments, 44 bytes each:
//                        number u32 | salt 8 | state u8 (0 open: of the log, its end is found by reading; 1 sealed: synced, exactly
//                        valid bytes long) | flags u8 (1 merged: an output of merge, 2 damaged: no input of merge) | 2 zero |
//                        valid bytes u32 | lowest, highest sequence 6+6 | lowest, highest write time 6+6
//           end-4     4  crc-32 of the body before it
// Integers are little-endian. Open segments have zeros for ranges, and for valid bytes how much of them was synced when this was written:
// nothing below may be missing, whatever follows.

import { crc32 } from '../base/crc32.ts'
import { MANIFEST, temporary } from './filename.ts'
import { readUint48, type Salt, writeUint48 } from './record.ts'
import type { Storage } from './storage.ts'
import { close, isMissing, open, read, rename, size, sync, syncDirectory, type Task, unlink, write } from './task.ts'

export interface ManifestSegment {
  readonly number: number
  readonly salt: Salt
  readonly sealed: boolean
  readonly merged: boolean
  readonly damaged: boolean
  readonly validBytes: number
  readonly lowSequence: number
  readonly highSequence: number
  readonly lowTime: number
  readonly highTime: number
}

export interface Manifest {
  readonly storeId: Buffer
  readonly epoch: number
  readonly nextSequence: number
  readonly nextNumber: number
  readonly segments: readonly ManifestSegment[]
}

const MAGIC = Buffer.from('CASKYMAN', 'latin1')
const FIXED_BYTES = 52
const SEGMENT_BYTES = 44
const MERGED = 1
const DAMAGED = 2

function encodeBody(manifest: Manifest): Buffer {
  const length = FIXED_BYTES + manifest.segments.length * SEGMENT_BYTES + 4
  const bytes = Buffer.alloc(length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, length)
  MAGIC.copy(bytes)
  view.setUint16(8, 1, true)
  view.setUint32(12, length, true)
  manifest.storeId.copy(bytes, 16, 0, 16)
  writeUint48(view, 32, manifest.epoch)
  writeUint48(view, 38, manifest.nextSequence)
  view.setUint32(44, manifest.nextNumber, true)
  view.setUint32(48, manifest.segments.length, true)
  let at = FIXED_BYTES
  for (const segment of manifest.segments) {
    view.setUint32(at, segment.number, true)
    view.setUint32(at + 4, segment.salt.low, true)
    view.setUint32(at + 8, segment.salt.high, true)
    view.setUint8(at + 12, segment.sealed ? 1 : 0)
    view.setUint8(at + 13, (segment.merged ? MERGED : 0) | (segment.damaged ? DAMAGED : 0))
    view.setUint32(at + 16, segment.validBytes, true)
    writeUint48(view, at + 20, segment.lowSequence)
    writeUint48(view, at + 26, segment.highSequence)
    writeUint48(view, at + 32, segment.lowTime)
    writeUint48(view, at + 38, segment.highTime)
    at += SEGMENT_BYTES
  }
  view.setUint32(at, crc32(bytes, 0, at), true)
  return bytes
}

/** The whole file: the body twice. */
export function encodeManifest(manifest: Manifest): Buffer {
  const body = encodeBody(manifest)
  return Buffer.concat([body, body])
}

function decodeBody(bytes: Buffer, from: number): Manifest | null | 'newer' {
  if (from + FIXED_BYTES + 4 > bytes.length) return null
  if (!bytes.subarray(from, from + 8).equals(MAGIC)) return null
  const length = bytes.readUInt32LE(from + 12)
  if (length < FIXED_BYTES + 4 || from + length > bytes.length) return null
  if (crc32(bytes, from, from + length - 4) !== bytes.readUInt32LE(from + length - 4)) return null
  if (bytes.readUInt16LE(from + 8) !== 1 || bytes.readUInt16LE(from + 10) !== 0) return 'newer'
  const view = new DataView(bytes.buffer, bytes.byteOffset + from, length)
  const count = view.getUint32(48, true)
  if (FIXED_BYTES + count * SEGMENT_BYTES + 4 !== length) return null
  const segments: ManifestSegment[] = []
  for (let i = 0, at = FIXED_BYTES; i < count; i++, at += SEGMENT_BYTES) {
    const flags = view.getUint8(at + 13)
    segments.push({
      number: view.getUint32(at, true),
      salt: { low: view.getUint32(at + 4, true), high: view.getUint32(at + 8, true) },
      sealed: view.getUint8(at + 12) === 1,
      merged: (flags & MERGED) !== 0,
      damaged: (flags & DAMAGED) !== 0,
      validBytes: view.getUint32(at + 16, true),
      lowSequence: readUint48(view, at + 20),
      highSequence: readUint48(view, at + 26),
      lowTime: readUint48(view, at + 32),
      highTime: readUint48(view, at + 38),
    })
  }
  return {
    storeId: Buffer.from(bytes.subarray(from + 16, from + 32)),
    epoch: readUint48(view, 32),
    nextSequence: readUint48(view, 38),
    nextNumber: view.getUint32(44, true),
    segments,
  }
}

/** Reads a manifest file's bytes: the manifest, 'newer' for a later format, or null when both bodies are damaged. */
export function decodeManifest(bytes: Buffer): Manifest | 'newer' | null {
  const first = decodeBody(bytes, 0)
  // The second body lies in the second half, whatever the first one claims.
  const second = bytes.length % 2 === 0 ? decodeBody(bytes, bytes.length / 2) : null
  if (first === null || first === 'newer') return first ?? second
  // One of them may be a block of an older file.
  return second !== null && second !== 'newer' && second.epoch > first.epoch ? second : first
}

/** True when both bodies are good, and the same: what a healthy disk has. */
export function isWholeManifest(bytes: Buffer): boolean {
  const half = bytes.length / 2
  return decodeBody(bytes, 0) !== null && bytes.subarray(0, half).equals(bytes.subarray(half))
}

/**
 * Reads MANIFEST. 'missing' and 'damaged' are for the caller to judge. Throws on I/O errors. Called damaged is only what was read twice: a read can go
 * wrong where the disk is good (see scanner.ts).
 */
export function* readManifest(storage: Storage): Task<Manifest | 'missing' | 'damaged' | 'newer'> {
  const first = yield* readOnce(storage)
  return first === 'damaged' ? yield* readOnce(storage) : first
}

function* readOnce(storage: Storage): Task<Manifest | 'missing' | 'damaged' | 'newer'> {
  let bytes: Buffer
  try {
    const file = yield* open(storage, MANIFEST, 'read')
    try {
      bytes = Buffer.alloc(yield* size(file))
      const got = yield* read(file, bytes, 0, bytes.length, 0)
      bytes = bytes.subarray(0, got)
    } finally {
      yield* close(file)
    }
  } catch (error) {
    if (isMissing(error)) return 'missing'
    throw error
  }
  return decodeManifest(bytes) ?? 'damaged'
}

/** Makes `manifest` the one that counts. When this returns, it is durable; when it throws, the old one or the new one is. */
export function* commitManifest(storage: Storage, manifest: Manifest): Task<void> {
  const aside = temporary(MANIFEST)
  const bytes = encodeManifest(manifest)
  try {
    yield* unlink(storage, aside)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  const file = yield* open(storage, aside, 'create')
  try {
    yield* write(file, bytes, 0, bytes.length, 0)
    yield* sync(file)
  } finally {
    yield* close(file)
  }
  yield* rename(storage, aside, MANIFEST)
  yield* syncDirectory(storage, '')
}
