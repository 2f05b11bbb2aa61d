// Cold reads: values that only the disk has.
//
// They wait in a queue of ours instead of the thread pool's, so that two pool threads stay free for the write and the sync however many
// clients read cold. A read takes the whole record in one piece, at the place captured when it was asked for (the segment is pinned:
// a merge may move the key meanwhile, the old bytes stay), and gives out the value only if head, key, sequence and both crcs agree.

import { Slice } from '../base/slice.ts'
import type { PendingRead } from './engine.ts'
import { HEAD_GOOD, Head, KIND_VALUE, readHead, type Salt, valueIsGood } from './record.ts'
import type { Segment, Segments } from './segments.ts'
import type { StorageFile } from './storage.ts'

/** What identifies a record and proves that bytes are it. */
export class RecordPlace {
  readonly segment: Segment
  readonly offset: number
  readonly length: number // of the whole record
  readonly database: number
  readonly key: Slice
  readonly sequence: number

  constructor(segment: Segment, offset: number, length: number, database: number, key: Slice, sequence: number) {
    this.segment = segment
    this.offset = offset
    this.length = length
    this.database = database
    this.key = key
    this.sequence = sequence
  }
}

export class DamagedRecordError extends Error {
  readonly code = 'EDAMAGED'

  constructor(segment: number, offset: number) {
    super(`the record at ${offset} of segment ${segment} is damaged`)
  }
}

const head = new Head()

/** Checks that bytes[0, length) are the value record of (database, key, sequence); points `into` at its value. */
export function checkRecord(
  bytes: Buffer,
  view: DataView,
  length: number,
  salt: Salt,
  offset: number,
  database: number,
  key: Slice,
  sequence: number,
  into: Slice,
): boolean {
  if (readHead(bytes, view, 0, length, salt, offset, head) !== HEAD_GOOD) return false
  if (head.kind !== KIND_VALUE || head.sequence !== sequence || head.database !== database || head.end !== length) {
    return false
  }
  if (head.keyLength !== key.end - key.start) return false
  for (let i = 0; i < head.keyLength; i++) {
    if (bytes[head.keyStart + i] !== key.bytes[key.start + i]) return false
  }
  if (!valueIsGood(bytes, view, 0, salt, offset, head)) return false
  into.set(bytes, head.valueStart, head.end)
  return true
}

export type ReadDone = (error: Error | null, value: Slice | null) => void

class Waiting implements PendingRead {
  readonly place: RecordPlace
  done: ReadDone | null

  constructor(place: RecordPlace, done: ReadDone) {
    this.place = place
    this.done = done
  }

  cancel(): void {
    this.done = null
  }
}

export class ColdReads {
  private readonly segments: Segments
  private readonly limit: number
  private running = 0
  private queue: Waiting[] = []
  private queueStart = 0
  private readonly idleWaiters: (() => void)[] = []
  /** Reads made. */
  count = 0

  constructor(segments: Segments, limit: number) {
    this.segments = segments
    this.limit = limit
  }

  /** Reads the record at `place`, whose key must be a private copy. `done` gets a slice of its own. */
  read(place: RecordPlace, done: ReadDone): PendingRead {
    this.segments.pin(place.segment)
    const waiting = new Waiting(place, done)
    this.queue.push(waiting)
    this.startSome()
    return waiting
  }

  /** Calls back when no read is under way. */
  whenIdle(done: () => void): void {
    if (this.running === 0) done()
    else this.idleWaiters.push(done)
  }

  private startSome(): void {
    while (this.running < this.limit && this.queueStart < this.queue.length) {
      const next = this.queue[this.queueStart++] as Waiting
      // Also while others wait all the time: what has begun goes, and with it all that its `done` holds.
      if (this.queueStart * 2 >= this.queue.length) {
        this.queue = this.queue.slice(this.queueStart)
        this.queueStart = 0
      }
      if (next.done === null) {
        this.segments.unpin(next.place.segment)
        continue
      }
      this.running++
      this.start(next.place, next.done)
    }
  }

  private start(place: RecordPlace, done: ReadDone): void {
    const finish = (error: Error | null, value: Slice | null): void => {
      this.running--
      this.segments.unpin(place.segment)
      done(error, value)
      this.startSome()
      if (this.running === 0) for (const waiter of this.idleWaiters.splice(0)) waiter()
    }
    this.segments.open(place.segment, (failed) => {
      if (failed !== null) return finish(failed, null)
      const file = place.segment.file as StorageFile
      const bytes = Buffer.allocUnsafeSlow(place.length)
      this.count++
      file.read(bytes, 0, place.length, place.offset, (error, n) => {
        if (error !== null) return finish(error, null)
        const value = new Slice()
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
        const { salt } = place.segment
        const good =
          n === place.length &&
          checkRecord(bytes, view, n, salt, place.offset, place.database, place.key, place.sequence, value)
        if (good) return finish(null, value)
        finish(new DamagedRecordError(place.segment.number, place.offset), null)
      })
    })
  }
}
