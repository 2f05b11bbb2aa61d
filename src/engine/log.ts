// The log: where every write goes, and how far it has come.
//
//   appended  >=  written  >=  synced          and          released <= written (everysec, no) or <= synced (always)
//
// An append gives a record the next sequence and a place behind all others, in memory (tail.ts). flush(), once a tick, writes all that
// is new there (group commit); sync() makes what is written durable, at most one at a time, segments in log order. `released` is how far
// acknowledgements may go. Positions move only at tick ends, so they never lie inside a batch.
//
// The log runs over segments: the active one, and the next, which is created, synced and listed before it is needed (upkeep.ts).
// segment-size is a wish: while the next segment is not ready, the active one grows, up to a hard limit.
//
// When a write fails, everything after `released` is undone (onFailed) and never written again; its sequences are not used again;
// writing goes on, if at all, in a fresh segment, after the manifest has recorded where the old one ends (upkeep.ts: repair). When a
// sync fails, nothing is synced again and the log is closed until restart: the page cache can no longer be trusted.

import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { copyBytes } from '../base/copy.ts'
import { MAX_BATCH_BYTES, MAX_SEGMENT_BYTES } from '../base/limits.ts'
import type { Slice } from '../base/slice.ts'
import {
  ANCHOR_BYTES,
  ANCHOR_EVERY_BYTES,
  type AnchorClaim,
  type AnchorSeed,
  anchorSeed,
  sealAnchor,
} from './anchor.ts'
import type { Appendfsync } from './engine.ts'
import type { Fuse } from './fuse.ts'
import { FLAG_BATCH, headBytes, KIND_BATCH_END, KIND_TOMBSTONE, sealRecord } from './record.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'
import type { Segment } from './segments.ts'
import type { StorageFile } from './storage.ts'
import type { Block, Piece, Tail } from './tail.ts'
import { shortWrite } from './task.ts'

/** Above this, one tick's bytes go through the thread pool: copying them into the page cache would hold up the loop. */
const SYNCHRONOUS_WRITE_BYTES = 2 * 1024 * 1024
/** A segment this long waits for the next one: what is left to its hard limit must hold the largest batch. */
const CROWDED_BYTES = MAX_SEGMENT_BYTES - 1.25 * MAX_BATCH_BYTES

/** What failed: a write or sync of the log, or the manifest (upkeep.ts). */
export type FailedCall = 'write' | 'sync' | 'manifest'

export interface LogEvents {
  /** `released` moved; `flushed` is true when that happened inside flush(), whose caller sends replies anyway. */
  onReleased(flushed: boolean): void
  /** Everything after `released` must be undone. Only a failed write can be repaired. */
  onFailed(error: Error & { code?: string }, what: FailedCall): void
  /** The log went over to the next segment: another one is wanted, and `sealed` can be sealed. */
  onRotated(old: Segment): void
  onSynced(): void
  /** What was appended has been written; it took so many milliseconds. */
  onWritten(ms: number): void
  /** An append needs another block: about each megabyte, so that whoever asks pays nothing for a small record. */
  onBlock(): void
}

export class Log {
  appended = 0
  written = 0
  synced = 0
  released = 0
  /** Closed by a failure. While `failed`, nothing is appended. */
  failed = false
  mode: Appendfsync
  segmentSizeBytes: number

  active: Segment
  next: Segment | null = null

  // Statistics, and what the stall rule asks.
  unwrittenBytes = 0
  unsyncedBytes = 0
  /** Monotonic ms at which the oldest written byte that no sync covers was written; 0 when all is synced. */
  unsyncedSince = 0
  bytesWritten = 0
  syncs = 0
  lastSyncMs = 0
  private writeBegan = 0 // of the write under way, monotonic ms
  /** A sync failed, or the manifest did: the log stays closed, whatever else happens. */
  final: Error | null = null
  /** File calls under way; repair and close wait for them (whenQuiet). */
  private calls = 0
  private readonly quietWaiters: (() => void)[] = []
  /** Counts failures: a merge that spans one is abandoned. */
  failures = 0

  /** Place of the last append in the active segment, and where its value lies in memory until the next append or flush. */
  offset = 0
  lastBytes: Buffer = Buffer.alloc(0)
  lastValueAt = 0

  private readonly clock: Clock
  private readonly fuse: Fuse
  private readonly events: LogEvents
  readonly tail: Tail
  private batchDepth = 0
  private batchCount = 0
  batchBytes = 0
  private batchFirst = 0

  private seed: AnchorSeed
  private anchorAt = 0 // place of the last anchor in the active segment
  private anchorDue = true
  private readonly claim: AnchorClaim = { provenSegment: 0, provenOffset: 0, previousSegment: 0, previousLength: 0 }

  private writing = false
  private syncing = false
  private syncWanted = false
  /** Where `released` stood in bytes when it was set: the valid length if what follows fails. */
  private releasedSegment: Segment
  private releasedOffset: number
  private writtenSegment: Segment
  private writtenOffset: number
  private syncedAfter = 0 // time of the first write after the running sync began
  private readonly waiters: Waiter[] = []
  /** Log segments before the active one that are not wholly synced, oldest first. */
  private readonly rotated: Segment[] = []
  private wantedMode: Appendfsync
  lastError: Error | null = null

  constructor(
    active: Segment,
    lastSequence: number,
    mode: Appendfsync,
    segmentSizeBytes: number,
    tail: Tail,
    clock: Clock,
    fuse: Fuse,
    events: LogEvents,
  ) {
    this.active = active
    this.appended = lastSequence
    this.written = lastSequence
    this.synced = lastSequence
    this.released = lastSequence
    this.mode = mode
    this.wantedMode = mode
    this.segmentSizeBytes = segmentSizeBytes
    this.tail = tail
    tail.onBlock = () => events.onBlock()
    this.clock = clock
    this.fuse = fuse
    this.events = events
    this.seed = anchorSeed(active.salt)
    // All before it was synced by the start. So every anchor of the log claims something, as none of a copy does (manifest-age.ts).
    this.claim.provenSegment = active.number
    this.claim.provenOffset = active.sizeBytes
    this.releasedSegment = active
    this.writtenSegment = active
    this.releasedOffset = active.sizeBytes
    this.writtenOffset = active.sizeBytes
  }

  // --- appending

  /** Appends a record and returns its sequence; its place is (active, offset). `value` null: nothing. */
  append(
    kind: number,
    type: number,
    flags: number,
    database: number,
    key: Slice,
    value: Slice | null,
    expiry: number,
    timeMs: number,
  ): number {
    const keyLength = key.end - key.start
    const valueLength = value === null ? 0 : value.end - value.start
    if (this.batchDepth > 0) {
      flags |= FLAG_BATCH
      this.batchCount++
    }
    const head = headBytes(flags)
    const length = head + keyLength + valueLength
    this.makeRoom(length, kind)
    const block = this.tail.room(this.active, length)
    const at = block.length
    copyBytes(key.bytes, key.start, key.end, block.bytes, at + head)
    if (value !== null) copyBytes(value.bytes, value.start, value.end, block.bytes, at + head + keyLength)
    this.lastBytes = block.bytes
    this.lastValueAt = at + head + keyLength
    const { active } = this
    const sequence = ++this.appended
    this.offset = active.sizeBytes
    sealRecord(
      block.bytes,
      block.view,
      at,
      active.salt,
      this.offset,
      kind,
      type,
      flags,
      database,
      keyLength,
      valueLength,
      sequence,
      timeMs,
      expiry,
    )
    this.advance(block, length)
    active.note(sequence, timeMs)
    if (kind === KIND_TOMBSTONE) {
      active.tombstones++
      active.tombstoneBytes += length
    }
    return sequence
  }

  beginBatch(): void {
    if (this.batchDepth++ === 0) {
      this.batchCount = 0
      this.batchBytes = 0
      this.batchFirst = this.appended + 1
    }
  }

  /** Ends a batch. Returns the count of its members when the outermost one ended with any: the end record is then due. */
  endBatch(): number {
    assert(this.batchDepth > 0, 'a batch that ends has begun')
    return --this.batchDepth === 0 ? this.batchCount : 0
  }

  get batchStart(): number {
    return this.batchFirst
  }

  get inBatch(): boolean {
    return this.batchDepth > 0
  }

  // Anchors and rotation that are due before a record of that length. A batch and its end stay together, so only its first record goes over
  // (without that, a client that writes nothing but batches would never see a second segment, and nothing would ever be merged).
  private makeRoom(length: number, kind: number): void {
    if (
      (this.batchDepth === 0 ? kind !== KIND_BATCH_END : this.batchCount === 1) &&
      this.next !== null &&
      this.active.sizeBytes + length > this.segmentSizeBytes &&
      this.active.sizeBytes > SEGMENT_HEADER_BYTES
    ) {
      this.rotate()
    }
    assert(this.active.sizeBytes + length + 256 < MAX_SEGMENT_BYTES, 'a segment ends before its offsets do')
    if (this.anchorDue || this.active.sizeBytes - this.anchorAt >= ANCHOR_EVERY_BYTES) this.anchor()
  }

  private anchor(): void {
    const { active } = this
    const length = ANCHOR_BYTES
    const block = this.tail.room(this.active, length)
    const at = block.length
    const offset = active.sizeBytes
    sealAnchor(block.bytes, block.view, at, active.salt, this.seed, offset, this.claim, this.appended, this.clock.now())
    this.advance(block, length)
    this.anchorAt = offset
    this.anchorDue = false
  }

  private advance(block: Block, length: number): void {
    block.length += length
    this.active.sizeBytes += length
    this.unwrittenBytes += length
    this.batchBytes += length
  }

  /** Goes over to the next segment, which must be there. Never inside a batch, at most before its first record. */
  rotate(): void {
    const old = this.active
    const next = this.next
    assert(
      next !== null && (this.batchDepth === 0 || this.batchCount === 1),
      'rotation needs a next segment and no open batch',
    )
    this.active = next
    this.next = null
    this.rotated.push(old)
    this.seed = anchorSeed(next.salt)
    this.anchorDue = true
    this.anchorAt = next.sizeBytes
    this.claim.previousSegment = old.number
    this.claim.previousLength = old.sizeBytes
    this.events.onRotated(old)
  }

  // --- writing

  /** Writes what was appended. Never inside a batch. */
  flush(isAsked = true): void {
    assert(this.batchDepth === 0, 'no flush inside a batch')
    if (this.failed || this.writing || this.unwrittenBytes === 0) return
    this.fuse.tick()
    if (this.unwrittenBytes <= SYNCHRONOUS_WRITE_BYTES && !this.beingSynced() && this.fuse.begin()) {
      this.writeNow(isAsked)
    } else {
      this.writing = true
      this.writeBegan = this.clock.monotonic()
      this.writeLater([...this.tail.unwritten()], 0, this.appended, this.active, this.failures)
    }
  }

  // A write beside a running sync of the same file may have to wait for it: not on the event loop.
  private beingSynced(): boolean {
    for (const { block } of this.tail.unwritten()) if (block.segment.syncing) return true
    return false
  }

  private writeNow(isAsked: boolean): void {
    let error: (Error & { code?: string }) | null = null
    try {
      for (const piece of this.tail.unwritten()) {
        const { block, from, to } = piece
        const n = (block.segment.file as StorageFile).writeSync(block.bytes, from, to - from, block.offset + from)
        if (n !== to - from) throw shortWrite(n, to - from)
        this.pieceWritten(piece)
      }
    } catch (thrown) {
      error = thrown as Error
    }
    const tookMs = this.fuse.end()
    if (error !== null) {
      this.fail(error, 'write')
      return
    }
    this.events.onWritten(tookMs)
    this.afterWrite(this.appended, this.active, isAsked)
  }

  private writeLater(pieces: readonly Piece[], index: number, sequence: number, active: Segment, epoch: number): void {
    const piece = pieces[index]
    if (piece === undefined) {
      this.writing = false
      this.events.onWritten(this.clock.monotonic() - this.writeBegan)
      this.afterWrite(sequence, active, false)
      // What came meanwhile has waited a whole write: it goes now, not at the next command's tick.
      this.flush(false)
      return
    }
    const { block, from, to } = piece
    this.calls++
    ;(block.segment.file as StorageFile).write(block.bytes, from, to - from, block.offset + from, (error, n) => {
      this.callEnded()
      // After a failure these bytes are nobody's any more.
      if (epoch !== this.failures) return
      if (error !== null || n !== to - from) {
        this.fail(error ?? shortWrite(n, to - from), 'write')
        return
      }
      this.pieceWritten(piece)
      this.writeLater(pieces, index + 1, sequence, active, epoch)
    })
  }

  private pieceWritten({ block, from, to }: Piece): void {
    block.written = to
    block.segment.flushedBytes = block.offset + to
    this.unwrittenBytes -= to - from
    this.unsyncedBytes += to - from
    this.bytesWritten += to - from
  }

  private afterWrite(sequence: number, segment: Segment, flushed: boolean): void {
    this.tail.trim()
    this.written = sequence
    this.writtenSegment = segment
    this.writtenOffset = segment.flushedBytes
    const now = this.clock.monotonic()
    if (this.unsyncedSince === 0) this.unsyncedSince = now
    if (this.syncing && this.syncedAfter === 0) this.syncedAfter = now
    if (this.mode !== 'always') this.release(sequence, segment, segment.flushedBytes, flushed)
    if (this.mode === 'always' || this.waiters.length > 0) this.sync()
  }

  private release(sequence: number, segment: Segment, offset: number, flushed: boolean): void {
    this.released = sequence
    this.releasedSegment = segment
    this.releasedOffset = offset
    this.events.onReleased(flushed)
  }

  // --- syncing

  /** Starts making durable what is written. At most one sync runs; a second call makes another one follow. */
  sync(): void {
    if (this.failed) return
    if (this.syncing) {
      this.syncWanted = true
      return
    }
    const targets = this.unsynced()
    const mark = this.written
    const markSegment = this.writtenSegment
    const markOffset = this.writtenOffset
    const covered = this.unsyncedBytes
    const epoch = this.failures
    const startedAt = this.clock.monotonic()
    this.syncing = true
    this.syncWanted = false
    this.syncedAfter = 0
    const each = (index: number): void => {
      const segment = targets[index]
      if (segment === undefined) {
        this.syncing = false
        this.lastSyncMs = this.clock.monotonic() - startedAt
        this.syncs++
        this.afterSync(mark, markSegment, markOffset, covered)
        return
      }
      // Never inside a batch, as a write in several pieces may be under way: what is said to be synced counts, and half a batch must not.
      const upTo = segment === markSegment ? markOffset : segment.flushedBytes
      const isWhole = segment.number <= markSegment.number
      segment.syncing = true
      this.calls++
      ;(segment.file as StorageFile).sync((error) => {
        segment.syncing = false
        // The kernel tells of a failed sync once. Whoever syncs these pages next would be told that all is well.
        if (error !== null) this.final = error
        this.callEnded()
        if (epoch !== this.failures) return
        if (error !== null) {
          this.fail(error, 'sync')
          return
        }
        if (isWhole) segment.syncedBytes = upTo
        each(index + 1)
      })
    }
    each(0)
  }

  // Log segments with bytes that are not synced, in log order: what was written to a later one must not be durable alone.
  private unsynced(): Segment[] {
    const targets = this.rotated.filter((segment) => segment.flushedBytes > segment.syncedBytes)
    if (this.active.flushedBytes > this.active.syncedBytes) targets.push(this.active)
    return targets
  }

  private afterSync(mark: number, segment: Segment, offset: number, coveredBytes: number): void {
    this.synced = mark
    this.unsyncedBytes -= coveredBytes
    this.unsyncedSince = this.syncedAfter
    this.claim.provenSegment = segment.number
    this.claim.provenOffset = offset
    if (coveredBytes > 0) this.anchorDue = true
    if (this.mode === 'always' && mark > this.released) this.release(mark, segment, offset, false)
    const open = this.rotated.findIndex((each) => !this.isSettled(each))
    this.rotated.splice(0, open < 0 ? this.rotated.length : open)
    while (this.waiters.length > 0 && (this.waiters[0] as Waiter).sequence <= mark) {
      ;(this.waiters.shift() as Waiter).done(null)
    }
    this.events.onSynced()
    const more = this.syncWanted || this.waiters.length > 0 || this.mode === 'always'
    if (more && this.written > this.synced && !this.failed) this.sync()
  }

  /**
   * True when all of a segment behind the active one is synced and released, so that it may be sealed. Synced alone is not enough: a sync
   * may fall between two writes of one tick, and when the second fails, what the first has written is undone as well.
   */
  isSettled(segment: Segment): boolean {
    if (segment.syncedBytes < segment.sizeBytes) return false
    const last = this.releasedSegment // numbers grow along the log
    return segment.number < last.number || (segment === last && segment.sizeBytes === this.releasedOffset)
  }

  /** Calls back when everything up to `sequence` is durable, or with the failure that came first. Makes it so. */
  whenSynced(sequence: number, done: (error: Error | null) => void): void {
    if (this.failed) return done(this.lastError)
    if (sequence <= this.synced) return done(null)
    // Sequences only grow, but a waiter for an older one may come late.
    let at = this.waiters.length
    while (at > 0 && (this.waiters[at - 1] as Waiter).sequence > sequence) at--
    this.waiters.splice(at, 0, { sequence, done })
    if (!this.inBatch) this.flush()
    if (this.written > this.synced) this.sync()
  }

  /** `always` takes effect after a sync; the other modes at once. */
  setMode(mode: Appendfsync): void {
    this.wantedMode = mode
    if (mode === this.mode) return
    if (mode === 'always') {
      this.whenSynced(this.appended, (error) => {
        if (error === null && this.wantedMode === 'always') this.mode = 'always'
      })
      return
    }
    this.mode = mode
    if (mode === 'everysec' && this.unsyncedBytes > 0) this.sync() // what waited for no sync may be minutes old
    if (this.written > this.released) this.release(this.written, this.writtenSegment, this.writtenOffset, false)
  }

  /** Bytes that are appended and may not be acknowledged yet. */
  get unreleasedBytes(): number {
    return this.unwrittenBytes + (this.mode === 'always' ? this.unsyncedBytes : 0)
  }

  // --- failing

  /** Closes the log for another's failure: no manifest, no more writes. */
  abort(error: Error & { code?: string }): void {
    this.final = error
    if (!this.failed) this.fail(error, 'manifest')
  }

  /** Calls back when no file call of the log is under way. */
  whenQuiet(done: () => void): void {
    if (this.calls === 0) done()
    else this.quietWaiters.push(done)
  }

  private callEnded(): void {
    if (--this.calls === 0) for (const done of this.quietWaiters.splice(0)) done()
  }

  private fail(error: Error & { code?: string }, what: FailedCall): void {
    this.failed = true
    this.failures++
    this.lastError = error
    this.writing = false
    this.syncing = false
    this.events.onFailed(error, what)
    // The undone bytes do not exist any more, and their sequences are settled: nobody waits for them.
    const log = [...this.rotated, this.active]
    const from = log.indexOf(this.releasedSegment)
    for (const segment of from < 0 ? log : log.slice(from)) {
      const end = segment === this.releasedSegment ? this.releasedOffset : SEGMENT_HEADER_BYTES
      segment.sizeBytes = end
      segment.flushedBytes = Math.min(segment.flushedBytes, end)
    }
    this.tail.reset()
    this.unwrittenBytes = 0
    this.written = this.appended
    this.released = this.appended
    this.writtenSegment = this.releasedSegment
    this.writtenOffset = this.releasedOffset
    for (const waiter of this.waiters.splice(0)) waiter.done(error)
    this.events.onReleased(false)
  }

  /**
   * After a failed write was repaired: the segments before are synced and sealed, their ends recorded. Writing goes on in `active`.
   */
  resume(active: Segment, previous: Segment): void {
    assert(this.failed && this.final === null, 'only a log whose write failed resumes')
    this.failed = false
    // Everything is synced here, so a switch to `always` that came meanwhile may count at once.
    this.mode = this.wantedMode
    this.rotated.length = 0
    this.active = active
    this.next = null
    this.seed = anchorSeed(active.salt)
    this.anchorDue = true
    this.anchorAt = active.sizeBytes
    this.claim.previousSegment = previous.number
    this.claim.previousLength = previous.sizeBytes
    this.claim.provenSegment = previous.number
    this.claim.provenOffset = previous.sizeBytes
    this.releasedSegment = active
    this.releasedOffset = active.sizeBytes
    this.writtenSegment = active
    this.writtenOffset = active.sizeBytes
    this.synced = this.appended
    this.unsyncedBytes = 0
    this.unsyncedSince = 0
    this.tail.reset()
  }

  /** The active segment has outgrown its wish by far and there is no next one: writes must wait. */
  get isCrowded(): boolean {
    return this.next === null && this.active.sizeBytes > CROWDED_BYTES
  }

  /**
   * The log's segments that are not sealed yet, oldest first: what repair and close have to seal. Those that were synced already when the log
   * left them may be sealed, merged and gone by now, and their slots somebody else's.
   */
  openSegments(): Segment[] {
    return [...this.rotated.filter((segment) => !segment.sealed), this.active]
  }
}

interface Waiter {
  readonly sequence: number
  readonly done: (error: Error | null) => void
}
