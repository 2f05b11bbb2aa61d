// A hint: what a start needs to know of a sealed segment, without its values.
//
//   records   every record of the segment in its order, but anchors and batch ends:
//               0  4  kind u8 | type u8 | flags u16
//               4  4  database        8  4  key length        12  4  value length
//              16  6  sequence       22  6  write time        28  4  offset of the record in the segment
//              32 [8] expiry, with the expiry flag; then the key; then, of touches and system records only, the value
//   filter    filter.ts, over keys that have a record other than a tombstone
//   footer      0  8  magic "CASKYHNT"   8  2  version, 1   10  2  zero
//              12  4  count             16  4  bytes of records   20  4  bytes of filter
//              24  4  valid bytes of the segment   28  8  its salt   36  4  its number
//              40  4  crc-32 of the whole file before this field
//
// A hint is made by reading the synced, sealed segment, so making it verifies the data; batches of a sealed segment are complete. It
// is a cache: missing, short, damaged or of another segment, length or salt, and the data is read instead and the hint made again.
// It carries no hashes of keys: the keydir's hash is seeded, and hashing a key anew costs less than reading four more bytes of it.

import { copyBytes } from '../base/copy.ts'
import { crc32 } from '../base/crc32.ts'
import { dataName, hintName, temporary } from './filename.ts'
import { FilterBuilder, filterHash, SharpFilter } from './filter.ts'
import {
  FLAG_BATCH,
  FLAG_EXPIRY,
  HEAD_END,
  HEAD_GOOD,
  type Head,
  KIND_ANCHOR,
  KIND_BATCH_END,
  KIND_SYSTEM,
  KIND_TOMBSTONE,
  KIND_TOUCH,
  readUint48,
  type Salt,
  writeUint48,
} from './record.ts'
import { SegmentScanner } from './scanner.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'
import type { Storage, StorageFile } from './storage.ts'
import { attempt, close, isMissing, open, read, rename, size, sync, type Task, unlink, write } from './task.ts'

const MAGIC = Buffer.from('CASKYHNT', 'latin1')
const ENTRY_BYTES = 32
const FOOTER_BYTES = 44

/** What identifies the segment a hint belongs to. */
export interface HintSubject {
  readonly number: number
  readonly salt: Salt
  readonly validBytes: number
}

const inlineValue = (kind: number): boolean => kind === KIND_TOUCH || kind === KIND_SYSTEM

/** Collects records into a hint. */
export class HintBuilder {
  private bytes = Buffer.allocUnsafeSlow(64 * 1024)
  private view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length)
  private length = 0
  private count = 0
  private readonly filter = new FilterBuilder()

  /** `from` holds the record that `head` was read from; `offset` is its place in the segment. */
  add(from: Uint8Array, head: Head, offset: number): void {
    if (head.kind === KIND_ANCHOR || head.kind === KIND_BATCH_END) return
    const wide = (head.flags & FLAG_EXPIRY) !== 0
    const value = inlineValue(head.kind) ? head.valueLength : 0
    const length = ENTRY_BYTES + (wide ? 8 : 0) + head.keyLength + value
    this.reserve(length)
    const { view } = this
    let at = this.length
    view.setUint32(at, head.kind | (head.type << 8) | ((head.flags & ~FLAG_BATCH) << 16), true)
    view.setUint32(at + 4, head.database, true)
    view.setUint32(at + 8, head.keyLength, true)
    view.setUint32(at + 12, head.valueLength, true)
    writeUint48(view, at + 16, head.sequence)
    writeUint48(view, at + 22, head.timeMs)
    view.setUint32(at + 28, offset, true)
    at += ENTRY_BYTES
    if (wide) {
      view.setUint32(at, head.expiry >>> 0, true)
      view.setInt32(at + 4, Math.floor(head.expiry / 2 ** 32), true)
      at += 8
    }
    copyBytes(from, head.keyStart, head.keyStart + head.keyLength + value, this.bytes, at)
    this.length += length
    this.count++
    if (head.kind !== KIND_TOMBSTONE) this.filter.add(head.database, from, head.keyStart, head.valueStart)
  }

  finish(subject: HintSubject): Buffer {
    const filter = this.filter.build()
    this.reserve(filter.length + FOOTER_BYTES)
    this.bytes.set(filter, this.length)
    const at = this.length + filter.length
    MAGIC.copy(this.bytes, at)
    const { view } = this
    view.setUint32(at + 8, 1, true)
    view.setUint32(at + 12, this.count, true)
    view.setUint32(at + 16, this.length, true)
    view.setUint32(at + 20, filter.length, true)
    view.setUint32(at + 24, subject.validBytes, true)
    view.setUint32(at + 28, subject.salt.low, true)
    view.setUint32(at + 32, subject.salt.high, true)
    view.setUint32(at + 36, subject.number, true)
    view.setUint32(at + 40, crc32(this.bytes, 0, at + 40), true)
    return this.bytes.subarray(0, at + FOOTER_BYTES)
  }

  private reserve(length: number): void {
    if (this.length + length <= this.bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + length))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
    this.view = new DataView(grown.buffer, grown.byteOffset, grown.length)
  }
}

/** A hint file's content, checked. */
export interface Hint {
  readonly bytes: Buffer
  readonly view: DataView
  readonly count: number
  /** Records lie in bytes[0, recordsEnd). */
  readonly recordsEnd: number
  readonly filter: Uint8Array
}

/** Checks a hint file's bytes against its segment. Null: do not use it. */
export function decodeHint(bytes: Buffer, subject: HintSubject): Hint | null {
  const at = bytes.length - FOOTER_BYTES
  if (at < 0) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (!bytes.subarray(at, at + 8).equals(MAGIC) || view.getUint32(at + 8, true) !== 1) return null
  const recordsEnd = view.getUint32(at + 16, true)
  if (recordsEnd + view.getUint32(at + 20, true) !== at) return null
  if (view.getUint32(at + 24, true) !== subject.validBytes || view.getUint32(at + 36, true) !== subject.number)
    return null
  if (view.getUint32(at + 28, true) !== subject.salt.low || view.getUint32(at + 32, true) !== subject.salt.high)
    return null
  if (crc32(bytes, 0, at + 40) !== view.getUint32(at + 40, true)) return null
  return { bytes, view, count: view.getUint32(at + 12, true), recordsEnd, filter: bytes.subarray(recordsEnd, at) }
}

/** Where the key of the hint entry at `at` begins. */
export function hintEntryKey(view: DataView, at: number): number {
  return at + ((view.getUint16(at + 2, true) & FLAG_EXPIRY) !== 0 ? ENTRY_BYTES + 8 : ENTRY_BYTES)
}

/** Where the hint entry at `at` ends. */
export function hintEntryEnd(view: DataView, at: number): number {
  const value = inlineValue(view.getUint8(at)) ? view.getUint32(at + 12, true) : 0
  return hintEntryKey(view, at) + view.getUint32(at + 8, true) + value
}

/** Reads the hint entry at `at` into `head` (key and inline value positions included) and returns the record's offset. */
export function readHintEntry(view: DataView, at: number, head: Head): number {
  head.kind = view.getUint8(at)
  head.type = view.getUint8(at + 1)
  head.flags = view.getUint16(at + 2, true)
  head.database = view.getUint32(at + 4, true)
  head.keyLength = view.getUint32(at + 8, true)
  head.valueLength = view.getUint32(at + 12, true)
  head.sequence = readUint48(view, at + 16)
  head.timeMs = readUint48(view, at + 22)
  const offset = view.getUint32(at + 28, true)
  let next = at + ENTRY_BYTES
  head.expiry = 0
  if ((head.flags & FLAG_EXPIRY) !== 0) {
    head.expiry = view.getUint32(next, true) + view.getInt32(next + 4, true) * 2 ** 32
    next += 8
  }
  head.keyStart = next
  head.valueStart = next + head.keyLength
  head.end = head.valueStart + (inlineValue(head.kind) ? head.valueLength : 0)
  return offset
}

/** A filter over the same keys as the hint's own. */
export function sharpFilterOf({ bytes, view, count, recordsEnd }: Hint, seed: number): SharpFilter {
  const filter = new SharpFilter(count, seed)
  const pair = new Uint32Array(2)
  for (let at = 0; at < recordsEnd; at = hintEntryEnd(view, at)) {
    if (view.getUint8(at) === KIND_TOMBSTONE) continue
    const key = hintEntryKey(view, at)
    filterHash(view.getUint32(at + 4, true), bytes, key, key + view.getUint32(at + 8, true), pair)
    filter.add(pair)
  }
  return filter
}

/** Reads and checks the hint of a segment. Null when there is none that can be used. `take` gives the memory for its bytes. */
export function* readHint(
  storage: Storage,
  subject: HintSubject,
  take: (bytes: number) => Buffer = Buffer.allocUnsafeSlow,
): Task<Hint | null> {
  try {
    const file = yield* open(storage, hintName(subject.number), 'read')
    try {
      const bytes = take(yield* size(file))
      const got = yield* read(file, bytes, 0, bytes.length, 0)
      return got === bytes.length ? decodeHint(bytes, subject) : null
    } finally {
      yield* close(file)
    }
  } catch {
    // A hint is a cache: one that cannot be read is one that is not there. The data will say whether the disk is ill.
    return null
  }
}

/** Writes a hint's bytes in place: aside, synced, renamed. */
export function* storeHint(storage: Storage, number: number, bytes: Buffer): Task<void> {
  const name = hintName(number)
  try {
    yield* unlink(storage, temporary(name))
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  try {
    const file = yield* open(storage, temporary(name), 'create')
    try {
      yield* write(file, bytes, 0, bytes.length, 0)
      yield* sync(file)
    } finally {
      yield* close(file)
    }
    yield* rename(storage, temporary(name), name)
  } catch (error) {
    // Half a hint on a full disk would keep from deletes and merges what they live on.
    yield* attempt(unlink(storage, temporary(name)))
    throw error
  }
  // The directory is not synced: a name that a crash takes back is a hint that is not there. And who syncs a directory takes its errors; this
  // one would go to a job that nobody depends on, and the commit of a manifest beside it would be told that all is well (catalog.ts).
}

export interface HintResult {
  /** Places where the data is damaged; with any of them no hint was written. */
  readonly damagedAt: readonly number[]
}

/** Makes the hint of a synced, sealed segment by reading all of it. */
export function* makeHint(storage: Storage, subject: HintSubject): Task<HintResult> {
  const builder = new HintBuilder()
  let file: StorageFile
  try {
    file = yield* open(storage, dataName(subject.number), 'read')
  } catch (error) {
    if (isMissing(error)) return { damagedAt: [0] }
    throw error
  }
  try {
    const scanner = new SegmentScanner(file, subject.salt, SEGMENT_HEADER_BYTES, subject.validBytes)
    for (;;) {
      const status = scanner.nextHeld() ? HEAD_GOOD : yield* scanner.next()
      if (status === HEAD_END) break
      // One damaged place is enough: the data must then be read at each start, and the start will report it.
      if (status !== HEAD_GOOD || !scanner.valueGood) return { damagedAt: [scanner.offset] }
      builder.add(scanner.bytes, scanner.head, scanner.offset)
    }
  } finally {
    yield* close(file)
  }
  yield* storeHint(storage, subject.number, builder.finish(subject))
  return { damagedAt: [] }
}
