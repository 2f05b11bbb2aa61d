// Merge (compaction): copies what lives in some sealed segments into new ones, so that the old ones can go.
//
// This task only reads the inputs and writes the outputs; it changes nothing that counts. It has one question, put in batches: which of
// these records are live? The keydir's owner answers (verdicts.ts), and when the task has returned its outputs, synced and sealed, it is
// again the owner who moves the entries and commits a manifest (merger.ts).
//
// Inputs are read as one k-way merge by sequence, so that every output is in ascending sequence like every other segment. A live record
// is copied as it is, bound to its new place; members of finished batches become plain records; anchors and batch ends are not copied.
//
// A tombstone of sequence s goes when nothing it hides can come back: its key has a newer record (which will hide the old value as
// well), or each listed segment outside of the merge has only sequences above s, or a filter that denies the key. Older records of the
// key in the inputs themselves are dead, hence not copied.
//
// Of an input without tombstones only the records at places that live by the keydir's account are read, where that is less work (living.ts).
//
// A damaged input ends the merge: its outputs are removed, and the caller marks the segment and merges without it the next time. Going
// on without the lost records could drop a tombstone whose old value lies in the part that stays.

import { assert } from '../base/assert.ts'
import { copyBytes } from '../base/copy.ts'
import { ANCHOR_BYTES, ANCHOR_EVERY_BYTES, anchorSeed, NO_CLAIM, sealAnchor } from './anchor.ts'
import type { MergeHandlers } from './background.ts'
import { dataName } from './filename.ts'
import { filterHas, filterHash, type SharpFilter } from './filter.ts'
import { type Hint, readHint, sharpFilterOf } from './hint.ts'
import type { Pace } from './pace.ts'
import type { Portions } from './portions.ts'
import {
  FLAG_BATCH,
  HEAD_END,
  HEAD_GOOD,
  Head,
  KIND_ANCHOR,
  KIND_BATCH_END,
  KIND_SYSTEM,
  KIND_TOMBSTONE,
  moveRecord,
  readHead,
  type Salt,
} from './record.ts'
import { SegmentScanner } from './scanner.ts'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-header.ts'
import type { Storage, StorageFile } from './storage.ts'
import { begin, close, isMissing, isUnreadable, open, sync, type Task, unlink, wait, write } from './task.ts'

export interface MergeInput {
  readonly number: number
  readonly slot: number
  readonly salt: Salt
  readonly validBytes: number
  /** Offsets of the records that may live, in no order; null: it is read as a whole. See living.ts. */
  readonly places: Uint32Array<ArrayBuffer> | null
}

/** A listed segment that is not merged and has older records: what a tombstone may still have to hide there. */
export interface OutsideSegment {
  readonly number: number
  readonly salt: Salt
  readonly validBytes: number
  /** 0: not known. */
  readonly lowSequence: number
  readonly hinted: boolean
}

const MANY_OUTPUTS = 4096

export interface MergeJob {
  readonly storeId: Uint8Array
  readonly inputs: readonly MergeInput[]
  readonly outside: readonly OutsideSegment[]
  /** Number of the first output, and the salts of as many outputs as there can be. */
  readonly firstNumber: number
  readonly salts: readonly Salt[]
  /** Another one for each merge: u32. */
  readonly seed: number
  readonly segmentSizeBytes: number
  readonly rateBytesPerSecond: number // 0: unlimited
  readonly portions: Portions
}

/**
 * How large outputs become: `segment-size`; or more, where that would make files without number (it may have been set to a few hundred bytes
 * since the inputs were written).
 */
export function outputSegmentBytes(inputBytes: number, segmentSizeBytes: number): number {
  return Math.max(segmentSizeBytes, Math.ceil(inputBytes / MANY_OUTPUTS))
}

/** Outputs that inputs of so many bytes can need at most: two neighbours always exceed one segment's size together. */
export function maxOutputs(inputBytes: number, segmentSizeBytes: number): number {
  const overhead = SEGMENT_HEADER_BYTES + ANCHOR_BYTES
  return 2 * Math.ceil(inputBytes / Math.max(64, segmentSizeBytes - overhead)) + 4
}

/** Records of one batch, keys concatenated: keys[keyStarts[i], keyStarts[i + 1]). */
export interface Question {
  readonly count: number
  readonly kinds: Uint8Array
  readonly databases: Uint32Array
  readonly slots: Uint32Array
  readonly offsets: Uint32Array
  readonly sequences: Float64Array
  readonly keyStarts: Uint32Array
  readonly keys: Uint8Array
}

/** One number a record: DEAD, or for a live record its entry (0 for system records); for a tombstone DEAD (hidden) or KEEP. */
export type Answer = Int32Array
export const DEAD = -1
/** A tombstone without a newer record of its key: whether it goes is the filters' decision. */
export const KEEP = -2

/** Where live records went, in copying order. */
export interface Moves {
  count: number
  kinds: Uint8Array
  entries: Int32Array
  fromSlots: Uint32Array
  fromOffsets: Uint32Array
  outputs: Uint32Array // index into MergeResult.outputs
  toOffsets: Uint32Array
  sequences: Float64Array
}

export interface MergeOutput {
  readonly number: number
  readonly salt: Salt
  validBytes: number
  lowSequence: number
  highSequence: number
  lowTime: number
  highTime: number
  tombstones: number
  tombstoneBytes: number
}

export interface MergeResult {
  readonly outputs: MergeOutput[]
  readonly moves: Moves
  readonly bytesRead: number
  readonly bytesWritten: number
}

export class DamagedInputError extends Error {
  readonly segment: number
  readonly offset: number

  constructor(segment: number, offset: number) {
    super(`segment ${segment} is damaged at ${offset}`)
    this.segment = segment
    this.offset = offset
  }
}

const WINDOWS_BYTES = 32 * 1024 * 1024
const MAX_WINDOW_BYTES = 256 * 1024

interface Reader {
  readonly input: MergeInput
  readonly file: StorageFile
  readonly scanner: SegmentScanner
  done: boolean
}

export function* mergeTask(storage: Storage, job: MergeJob, handlers: MergeHandlers, pace: Pace): Task<MergeResult> {
  const readers: Reader[] = []
  const writer = new OutputWriter(storage, job)
  let batch = new Batch(job.portions)
  let next = new Batch(job.portions)
  const hidden = new Hidden(storage, job, pace)
  let bytesRead = 0
  let spent = 0
  try {
    const window = Math.max(4096, Math.min(MAX_WINDOW_BYTES, Math.floor(WINDOWS_BYTES / job.inputs.length)))
    for (const input of job.inputs) {
      const file = yield* openInput(storage, input)
      const { salt, validBytes, places } = input
      places?.sort()
      const scanner = new SegmentScanner(file, salt, SEGMENT_HEADER_BYTES, validBytes, window, places)
      const reader = { input, file, scanner, done: false }
      readers.push(reader)
      yield* step(reader)
      bytesRead += scanner.bytesRead
    }
    const ask = (of: Batch): (() => Task<Answer>) =>
      begin<Answer>((done) => handlers.ask(of.question(), (reply) => done(null, reply)))
    // While one batch is with the keydir's owner, who is busy, the next is read and the one before is copied.
    const { mergeBytes } = job.portions
    bytesRead += yield* fill(batch, readers, mergeBytes)
    let answered = ask(batch)
    while (batch.count > 0) {
      bytesRead += yield* fill(next, readers, mergeBytes)
      const answer = yield* answered()
      if (next.count > 0) answered = ask(next)
      for (let i = 0; i < batch.count; i++) {
        const verdict = answer[i] as number
        if (verdict === DEAD) continue
        if (verdict === KEEP && !(yield* hidden.maybe(batch, i))) continue
        const bytes = batch.lengthOf(i)
        if (!writer.hasRoom(bytes)) yield* writer.makeRoom(bytes)
        writer.copy(batch, i, verdict)
      }
      handlers.progress(bytesRead, writer.bytesWritten)
      const bytes = bytesRead + writer.bytesWritten - spent
      spent += bytes
      yield* wait<void>((done) => pace.spend(bytes, done as never))
      const done = batch
      batch = next
      next = done
    }
    const outputs = yield* writer.finish()
    return { outputs, moves: writer.takeMoves(), bytesRead, bytesWritten: writer.bytesWritten }
  } catch (error) {
    yield* writer.abandon()
    throw error
  } finally {
    for (const reader of readers) yield* close(reader.file)
  }
}

// One that is gone, or that the disk will not open, is damaged from its first byte on.
function* openInput(storage: Storage, { number }: MergeInput): Task<StorageFile> {
  try {
    return yield* open(storage, dataName(number), 'read')
  } catch (error) {
    if (isMissing(error) || isUnreadable(error)) throw new DamagedInputError(number, 0)
    throw error
  }
}

// Takes in the records that come next in sequence. Returns the bytes that were read for it: where few of them live, many more than theirs, and
// no batch is to take long.
function* fill(batch: Batch, readers: readonly Reader[], mostBytes: number): Task<number> {
  let bytes = 0
  batch.clear()
  while (!batch.full && bytes < mostBytes) {
    const reader = lowest(readers, null)
    if (reader === null) break
    const next = lowest(readers, reader)
    const isHeld = batch.take(reader, next === null ? Number.POSITIVE_INFINITY : next.scanner.head.sequence)
    const { bytesRead } = reader.scanner
    if (!isHeld) yield* step(reader)
    bytes += reader.scanner.bytesRead - bytesRead
  }
  return bytes
}

// Reads a reader's next record that concerns a merge.
function* step(reader: Reader): Task<void> {
  const { scanner } = reader
  while (!stepHeld(scanner)) {
    const status = yield* scanner.next()
    if (status === HEAD_END) {
      reader.done = true
      return
    }
    if (status !== HEAD_GOOD || !scanner.valueGood) throw new DamagedInputError(reader.input.number, scanner.offset)
    if (isCopied(scanner.head.kind)) return
  }
}

// The same, as far as they are in memory and good. False: ask the scanner.
function stepHeld(scanner: SegmentScanner): boolean {
  while (scanner.nextHeld()) {
    if (isCopied(scanner.head.kind)) return true
  }
  return false
}

const isCopied = (kind: number): boolean => kind !== KIND_ANCHOR && kind !== KIND_BATCH_END

function lowest(readers: readonly Reader[], but: Reader | null): Reader | null {
  let best: Reader | null = null
  for (const reader of readers) {
    if (reader.done || reader === but) continue
    if (best === null || reader.scanner.head.sequence < best.scanner.head.sequence) best = reader
  }
  return best
}

/**
 * Records read and not yet judged, copied out of the readers' windows: as many at a time as come one after the other. Segments seldom overlap in
 * their sequences. To copy each record by itself, with a generator for each, was a third of what merging short ones costs.
 */
class Batch {
  count = 0
  bytes: Buffer
  view: DataView
  length = 0
  /** Record i lies at bytes[starts[i], ends[i]); between two there may be others that nobody asks for: anchors, ends of batches, what is dead. */
  readonly starts: Uint32Array
  readonly ends: Uint32Array
  readonly inputs: MergeInput[] = []
  readonly kinds: Uint8Array
  readonly databases: Uint32Array
  readonly slots: Uint32Array
  readonly offsets: Uint32Array
  readonly sequences: Float64Array
  readonly keyAt: Uint32Array
  readonly keyLengths: Uint32Array
  private readonly portions: Portions

  constructor(portions: Portions) {
    const { mergeRecords, mergeBytes } = portions
    this.portions = portions
    this.bytes = Buffer.allocUnsafeSlow(mergeBytes)
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length)
    this.starts = new Uint32Array(mergeRecords)
    this.ends = new Uint32Array(mergeRecords)
    this.kinds = new Uint8Array(mergeRecords)
    this.databases = new Uint32Array(mergeRecords)
    this.slots = new Uint32Array(mergeRecords)
    this.offsets = new Uint32Array(mergeRecords)
    this.sequences = new Float64Array(mergeRecords)
    this.keyAt = new Uint32Array(mergeRecords)
    this.keyLengths = new Uint32Array(mergeRecords)
  }

  get full(): boolean {
    return this.count === this.portions.mergeRecords || this.length >= this.portions.mergeBytes
  }

  clear(): void {
    this.count = 0
    this.length = 0
  }

  lengthOf(i: number): number {
    return (this.ends[i] as number) - (this.starts[i] as number)
  }

  /**
   * Takes the reader's record, and those behind it as far as they are in its window and come before `sequence`. True: the reader stands at the
   * next one. False: it has to read on.
   */
  take({ input, scanner }: Reader, sequence: number): boolean {
    const { head } = scanner
    const from = scanner.at
    const before = this.length
    let isHeld: boolean
    let to: number
    do {
      this.note(input, scanner, before + scanner.at - from)
      to = head.end // from here on `head` is the next record's, or nobody's
      this.length = before + to - from
      isHeld = stepHeld(scanner)
    } while (isHeld && head.sequence < sequence && !this.full)
    this.grow(before)
    copyBytes(scanner.bytes, from, to, this.bytes, before)
    return isHeld
  }

  private note(input: MergeInput, { head, at, offset }: SegmentScanner, start: number): void {
    const i = this.count++
    this.starts[i] = start
    this.ends[i] = start + (head.end - at)
    this.inputs[i] = input
    this.kinds[i] = head.kind
    this.databases[i] = head.database
    this.slots[i] = input.slot
    this.offsets[i] = offset
    this.sequences[i] = head.sequence
    this.keyAt[i] = start + (head.keyStart - at)
    this.keyLengths[i] = head.keyLength
  }

  // Makes room for this.length bytes; the first `kept` of them are there already.
  private grow(kept: number): void {
    if (this.length <= this.bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length))
    this.bytes.copy(grown, 0, 0, kept)
    this.bytes = grown
    this.view = new DataView(grown.buffer, grown.byteOffset, grown.length)
  }

  question(): Question {
    const { count } = this
    const keyStarts = new Uint32Array(count + 1)
    for (let i = 0; i < count; i++) keyStarts[i + 1] = (keyStarts[i] as number) + (this.keyLengths[i] as number)
    const keys = new Uint8Array(keyStarts[count] as number)
    for (let i = 0; i < count; i++) {
      const at = this.keyAt[i] as number
      copyBytes(this.bytes, at, at + (this.keyLengths[i] as number), keys, keyStarts[i] as number)
    }
    return {
      count,
      kinds: this.kinds.slice(0, count),
      databases: this.databases.slice(0, count),
      slots: this.slots.slice(0, count),
      offsets: this.offsets.slice(0, count),
      sequences: this.sequences.slice(0, count),
      keyStarts,
      keys,
    }
  }
}

/**
 * What lies outside of the merge, as far as tombstones must know. Hints are read when the first tombstone asks for them, and again for what
 * the filter of one of them does not deny: in a store of some hundred segments one or another says "perhaps" to almost every key, so then a
 * sharper filter is made of the hint's records.
 */
class Hidden {
  private readonly storage: Storage
  private readonly outside: readonly OutsideSegment[]
  private readonly seed: number
  private readonly filters = new Map<number, Uint8Array | null>()
  private readonly sharp = new Map<number, SharpFilter | null>()
  private readonly pair = new Uint32Array(2)
  private readonly pace: Pace

  constructor(storage: Storage, job: MergeJob, pace: Pace) {
    this.storage = storage
    this.outside = job.outside
    this.seed = job.seed
    this.pace = pace
  }

  /** True when some segment outside may still hold an older record of that tombstone's key. */
  *maybe(batch: Batch, i: number): Task<boolean> {
    const sequence = batch.sequences[i] as number
    const at = batch.keyAt[i] as number
    filterHash(batch.databases[i] as number, batch.bytes, at, at + (batch.keyLengths[i] as number), this.pair)
    for (const segment of this.outside) {
      if (segment.lowSequence > sequence) continue
      let filter = this.filters.get(segment.number)
      if (filter === undefined) {
        const hint = yield* this.hint(segment)
        filter = hint === null ? null : new Uint8Array(hint.filter) // a copy: a Buffer's own slice() would keep the whole hint
        this.filters.set(segment.number, filter)
      }
      if (filter !== null && !filterHas(filter, this.pair)) continue
      let sharp = this.sharp.get(segment.number)
      if (sharp === undefined) {
        const hint = filter === null ? null : yield* this.hint(segment)
        sharp = hint === null ? null : sharpFilterOf(hint, this.seed)
        this.sharp.set(segment.number, sharp)
      }
      if (sharp === null || sharp.has(this.pair)) return true
    }
    return false
  }

  // At the merge's rate, as all that it reads.
  private *hint(segment: OutsideSegment): Task<Hint | null> {
    const hint = segment.hinted ? yield* readHint(this.storage, segment) : null
    yield* wait<void>((done) => this.pace.spend(hint === null ? 0 : hint.bytes.length, done as never))
    return hint
  }
}

class OutputWriter {
  bytesWritten = 0
  private readonly storage: Storage
  private readonly job: MergeJob
  private readonly outputs: MergeOutput[] = []
  private file: StorageFile | null = null
  private seed = anchorSeed({ low: 0, high: 0 })
  private anchorAt = 0
  private buffer: Buffer
  private view: DataView
  private length = 0
  private unsynced = 0
  private written = 0 // bytes of the current output that its file has
  private moves = newMoves(1024)
  private readonly head = new Head()

  constructor(storage: Storage, job: MergeJob) {
    this.storage = storage
    this.job = job
    this.buffer = Buffer.allocUnsafeSlow(job.portions.outputBytes)
    this.view = new DataView(this.buffer.buffer, this.buffer.byteOffset, this.buffer.length)
  }

  /** Whether a record of so many bytes can be copied at once; else `makeRoom` comes first. */
  hasRoom(bytes: number): boolean {
    const output = this.outputs[this.outputs.length - 1]
    if (output === undefined || this.isFull(output, bytes) || this.wantsAnchor(output)) return false
    return this.length + bytes <= this.buffer.length
  }

  copy(batch: Batch, i: number, verdict: number): void {
    const input = batch.inputs[i] as MergeInput
    const from = batch.starts[i] as number
    const fromOffset = batch.offsets[i] as number
    const { head } = this
    const status = readHead(batch.bytes, batch.view, from, batch.ends[i] as number, input.salt, fromOffset, head)
    assert(status === HEAD_GOOD, 'what was read as good is good in the batch')
    const bytes = head.end - from
    assert(this.hasRoom(bytes), 'room for the record was made')
    const output = this.outputs[this.outputs.length - 1] as MergeOutput
    const toOffset = output.validBytes
    moveRecord(
      batch.bytes,
      batch.view,
      from,
      input.salt,
      fromOffset,
      head,
      head.flags & ~FLAG_BATCH,
      this.buffer,
      this.view,
      this.length,
      output.salt,
      toOffset,
    )
    this.length += bytes
    output.validBytes += bytes
    if (output.lowSequence === 0) output.lowSequence = head.sequence
    output.highSequence = head.sequence
    if (output.lowTime === 0 || head.timeMs < output.lowTime) output.lowTime = head.timeMs
    if (head.timeMs > output.highTime) output.highTime = head.timeMs
    if (head.kind === KIND_TOMBSTONE) {
      output.tombstones++
      output.tombstoneBytes += bytes
      return
    }
    const { moves } = this
    if (moves.count === moves.entries.length) this.moves = grownMoves(moves)
    const m = this.moves
    const n = m.count++
    m.kinds[n] = head.kind
    m.entries[n] = head.kind === KIND_SYSTEM ? 0 : verdict
    m.fromSlots[n] = input.slot
    m.fromOffsets[n] = fromOffset
    m.outputs[n] = this.outputs.length - 1
    m.toOffsets[n] = toOffset
    m.sequences[n] = head.sequence
  }

  /** Syncs and closes the last output. Returns all of them, durable but for their names: the owner syncs the directory (merger.ts). */
  *finish(): Task<MergeOutput[]> {
    yield* this.closeOutput()
    return this.outputs
  }

  takeMoves(): Moves {
    return this.moves
  }

  /** Removes what was written: nobody has heard of it. */
  *abandon(): Task<void> {
    if (this.file !== null) {
      try {
        yield* close(this.file)
      } catch {
        // Closed or not, it is unlinked next.
      }
      this.file = null
    }
    for (const output of this.outputs) {
      try {
        yield* unlink(this.storage, dataName(output.number))
      } catch {
        // Unlisted files are removed by the next start.
      }
    }
  }

  /** For the next record, of so many bytes: what is due before it (another output, an anchor, a write) is done. */
  *makeRoom(bytes: number): Task<void> {
    const output = this.outputs[this.outputs.length - 1]
    if (output === undefined || this.isFull(output, bytes)) {
      yield* this.closeOutput()
      yield* this.openOutput()
    }
    const current = this.outputs[this.outputs.length - 1] as MergeOutput
    if (this.wantsAnchor(current)) {
      yield* this.reserve(ANCHOR_BYTES)
      this.anchor(current)
    }
    yield* this.reserve(bytes)
  }

  private isFull({ validBytes }: MergeOutput, bytes: number): boolean {
    return validBytes + bytes > this.job.segmentSizeBytes && validBytes > SEGMENT_HEADER_BYTES + ANCHOR_BYTES
  }

  private wantsAnchor({ validBytes }: MergeOutput): boolean {
    return validBytes - this.anchorAt >= ANCHOR_EVERY_BYTES || this.anchorAt === 0
  }

  private anchor(output: MergeOutput): void {
    const at = this.length
    const offset = output.validBytes
    sealAnchor(
      this.buffer,
      this.view,
      at,
      output.salt,
      this.seed,
      offset,
      NO_CLAIM,
      output.highSequence,
      output.highTime,
    )
    this.anchorAt = offset
    this.length += ANCHOR_BYTES
    output.validBytes += ANCHOR_BYTES
  }

  private *reserve(bytes: number): Task<void> {
    if (this.length + bytes <= this.buffer.length) return
    yield* this.flush()
    if (bytes > this.buffer.length) {
      this.buffer = Buffer.allocUnsafeSlow(bytes)
      this.view = new DataView(this.buffer.buffer, this.buffer.byteOffset, bytes)
    }
  }

  private *flush(): Task<void> {
    yield* write(this.file as StorageFile, this.buffer, 0, this.length, this.written)
    this.written += this.length
    this.bytesWritten += this.length
    this.unsynced += this.length
    this.length = 0
    if (this.unsynced >= this.job.portions.syncBytes) {
      this.unsynced = 0
      yield* sync(this.file as StorageFile)
    }
  }

  private *openOutput(): Task<void> {
    const { job } = this
    const index = this.outputs.length
    const salt = job.salts[index] as Salt
    const number = job.firstNumber + index
    this.file = yield* open(this.storage, dataName(number), 'create')
    const header = encodeSegmentHeader(Buffer.from(job.storeId), number, salt)
    this.outputs.push({
      number,
      salt,
      validBytes: SEGMENT_HEADER_BYTES,
      lowSequence: 0,
      highSequence: 0,
      lowTime: 0,
      highTime: 0,
      tombstones: 0,
      tombstoneBytes: 0,
    })
    this.seed = anchorSeed(salt)
    this.anchorAt = 0
    this.written = 0
    header.copy(this.buffer, 0)
    this.length = SEGMENT_HEADER_BYTES
  }

  private *closeOutput(): Task<void> {
    if (this.file === null) return
    yield* this.flush()
    yield* sync(this.file)
    const { file } = this
    this.file = null
    yield* close(file)
  }
}

function newMoves(capacity: number): Moves {
  return {
    count: 0,
    kinds: new Uint8Array(capacity),
    entries: new Int32Array(capacity),
    fromSlots: new Uint32Array(capacity),
    fromOffsets: new Uint32Array(capacity),
    outputs: new Uint32Array(capacity),
    toOffsets: new Uint32Array(capacity),
    sequences: new Float64Array(capacity),
  }
}

function grownMoves(moves: Moves): Moves {
  const grown = newMoves(moves.entries.length * 2)
  grown.count = moves.count
  grown.kinds.set(moves.kinds)
  grown.entries.set(moves.entries)
  grown.fromSlots.set(moves.fromSlots)
  grown.fromOffsets.set(moves.fromOffsets)
  grown.outputs.set(moves.outputs)
  grown.toOffsets.set(moves.toOffsets)
  grown.sequences.set(moves.sequences)
  return grown
}
