// The copy of the log's unproven tail that recovery makes (recovery.ts, step 4): records with their sequences, as plain records, in
// fresh segments that are synced. They count when the next manifest lists them.

import { ANCHOR_BYTES, ANCHOR_EVERY_BYTES, anchorSeed, NO_CLAIM, sealAnchor } from './anchor.ts'
import type { Catalog } from './catalog.ts'
import { FLAG_BATCH, moveRecord } from './record.ts'
import type { SegmentScanner } from './scanner.ts'
import type { Segment } from './segments.ts'
import type { StorageFile } from './storage.ts'
import { sync, type Task, write } from './task.ts'

const BUFFER_BYTES = 1024 * 1024
/** A copy never grows beyond this, however long the tail. */
const COPY_SEGMENT_BYTES = 1024 * 1024 * 1024
export class TailCopy {
  private readonly catalog: Catalog
  private segment: Segment | null = null
  private seed = anchorSeed({ low: 0, high: 0 })
  private anchorAt = 0
  private buffer = Buffer.allocUnsafeSlow(64)
  private view = new DataView(this.buffer.buffer, this.buffer.byteOffset, this.buffer.length)
  private length = 0

  constructor(catalog: Catalog) {
    this.catalog = catalog
  }

  /** Copies the scanner's current record of `from`; returns where it will lie. */
  *add(from: Segment, scanner: SegmentScanner): Task<{ segment: Segment; offset: number }> {
    const { head } = scanner
    const bytes = head.end - scanner.at
    if (this.segment === null || this.segment.sizeBytes + bytes > COPY_SEGMENT_BYTES) {
      yield* this.finish()
      this.segment = yield* this.catalog.createSegment(false)
      this.segment.listed = true
      this.seed = anchorSeed(this.segment.salt)
      this.anchorAt = 0
    }
    const { segment } = this
    yield* this.reserve(bytes + ANCHOR_BYTES)
    if (this.anchorAt === 0 || segment.sizeBytes - this.anchorAt >= ANCHOR_EVERY_BYTES) {
      this.anchor(segment, head.sequence - 1, head.timeMs)
    }
    const offset = segment.sizeBytes
    moveRecord(
      scanner.bytes,
      scanner.view,
      scanner.at,
      from.salt,
      scanner.offset,
      head,
      head.flags & ~FLAG_BATCH,
      this.buffer,
      this.view,
      this.length,
      segment.salt,
      offset,
    )
    this.length += bytes
    segment.sizeBytes += bytes
    return { segment, offset }
  }

  /** Writes and syncs what there is; the segment is sealed. */
  *finish(): Task<void> {
    const { segment } = this
    if (segment === null) return
    yield* this.flush(segment)
    yield* sync(segment.file as StorageFile)
    segment.syncedBytes = segment.sizeBytes
    segment.sealed = true
    this.segment = null
  }

  private anchor(segment: Segment, sequence: number, timeMs: number): void {
    const at = this.length
    const offset = segment.sizeBytes
    sealAnchor(this.buffer, this.view, at, segment.salt, this.seed, offset, NO_CLAIM, sequence, timeMs)
    this.anchorAt = offset
    this.length += ANCHOR_BYTES
    segment.sizeBytes += ANCHOR_BYTES
  }

  private *reserve(bytes: number): Task<void> {
    if (this.length + bytes <= this.buffer.length) return
    if (this.segment !== null) yield* this.flush(this.segment)
    if (bytes > this.buffer.length) {
      this.buffer = Buffer.allocUnsafeSlow(Math.max(bytes, BUFFER_BYTES))
      this.view = new DataView(this.buffer.buffer, this.buffer.byteOffset, this.buffer.length)
    }
  }

  private *flush(segment: Segment): Task<void> {
    if (this.length === 0) return
    yield* write(segment.file as StorageFile, this.buffer, 0, this.length, segment.flushedBytes)
    segment.flushedBytes += this.length
    this.length = 0
  }
}
