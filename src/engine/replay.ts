// Replay: records become entries of the keydir, whatever the order in which they are read. The newest sequence of a key wins; no clock is asked.
//
// A delete is an entry too while loading, or an older value that is read after it would come back. A touch may be read before its value, and waits
// for it. Live bytes are counted as entries come and go, so that nothing has to be walked in the end where there are no deletes, touches, keys with
// an expiry or flushed databases.

import { Slice } from '../base/slice.ts'
import type { Databases } from './databases.ts'
import { NONE } from './engine.ts'
import { TYPE_AWAITED, TYPE_TOMBSTONE } from './keydir/entries.ts'
import type { Keydir } from './keydir/keydir.ts'
import {
  FLAG_EXPIRY,
  type Head,
  KIND_SYSTEM,
  KIND_TOMBSTONE,
  KIND_TOUCH,
  KIND_VALUE,
  readUint48,
  recordBytes,
  TOUCH_BYTES,
} from './record.ts'
import type { Segment, Segments } from './segments.ts'
import type { Task } from './task.ts'

interface Touch {
  readonly sequence: number
  readonly expiry: number
  readonly segment: Segment
  readonly offset: number
}

/** Where the newest map of databases lies. */
export interface SystemRecord {
  readonly segment: Segment | null
  readonly offset: number
  readonly bytes: number
  readonly sequence: number
}

export class Replay {
  /** The highest sequence that was read: none up to it is ever given out again. */
  lastSequence = 0
  system: SystemRecord = { segment: null, offset: 0, bytes: 0, sequence: 0 }

  private readonly keydir: Keydir
  private readonly segments: Segments
  private readonly databases: Databases
  private readonly key = new Slice()
  private systemValue: Buffer | null = null
  private highestDatabase = 0
  /** Entries that stand for a delete. */
  private tombstones = 0

  constructor(keydir: Keydir, segments: Segments, databases: Databases) {
    this.keydir = keydir
    this.segments = segments
    this.databases = databases
  }

  /** A sequence is used up. */
  used(sequence: number): void {
    if (sequence > this.lastSequence) this.lastSequence = sequence
  }

  /**
   * Takes a record in. `known`: the hash of its key, where that is known already.
   * Its bytes are looked at only while this runs.
   */
  apply(segment: Segment, offset: number, head: Head, bytes: Buffer, known: number | null = null): void {
    if (head.sequence > this.lastSequence) this.lastSequence = head.sequence
    const key = this.key.set(bytes, head.keyStart, head.valueStart)
    const hash = known ?? this.keydir.hash(head.database, key)
    switch (head.kind) {
      case KIND_VALUE:
        this.applyValue(segment, offset, head, key, hash)
        return
      case KIND_TOMBSTONE:
        segment.tombstones++
        segment.tombstoneBytes += recordBytes(0, head.keyLength, 0)
        this.applyTombstone(segment, head, key, hash)
        return
      case KIND_TOUCH: {
        const view = new DataView(bytes.buffer, bytes.byteOffset + head.valueStart, TOUCH_BYTES)
        const reference = readUint48(view, 0)
        const { sequence, expiry } = head
        this.applyTouch(head.database, key, hash, reference, { sequence, expiry, segment, offset })
        return
      }
      case KIND_SYSTEM:
        if (head.sequence > this.system.sequence) {
          const value = bytes.subarray(head.valueStart, head.valueStart + head.valueLength)
          this.systemValue = Buffer.from(value)
          const length = recordBytes(0, head.keyLength, head.valueLength)
          this.system = { segment, offset, bytes: length, sequence: head.sequence }
        }
        return
    }
  }

  private applyValue(segment: Segment, offset: number, head: Head, key: Slice, hash: number): void {
    const { keydir } = this
    if (head.database > this.highestDatabase) this.highestDatabase = head.database
    let entry = keydir.find(head.database, key, hash)
    const current = entry === NONE ? 0 : keydir.sequence(entry)
    // A touch of it was read before it: expiry and touch are there.
    const isAwaited = entry !== NONE && current === head.sequence && keydir.type(entry) === TYPE_AWAITED
    if (entry === NONE) entry = keydir.insert(head.database, key, hash)
    else if (current >= head.sequence && !isAwaited) return
    else this.replaced(entry)
    const wide = (head.flags & FLAG_EXPIRY) !== 0
    keydir.place(entry, segment.slot, offset, head.valueLength, head.sequence, head.type, wide)
    segment.liveBytes += recordBytes(head.flags & FLAG_EXPIRY, head.keyLength, head.valueLength)
    if (!isAwaited) this.setExpiry(entry, head.expiry)
  }

  // The state of a newer record: an older one's touch is nothing to it.
  private setExpiry(entry: number, expiry: number): void {
    const { keydir } = this
    if (expiry === 0 && !keydir.hasRow(entry)) return
    keydir.setExpiry(entry, expiry)
    if (keydir.hasRow(entry)) keydir.setTouch(entry, 0, 0, 0)
  }

  // Most touches lie behind their value. One that is read before it keeps its place: what is older of that key is dead in any case. (Kept
  // beside the keydir, ten million of them would be more than a heap can hold.)
  private applyTouch(database: number, key: Slice, hash: number, reference: number, touch: Touch): void {
    const { keydir } = this
    let entry = keydir.find(database, key, hash)
    const current = entry === NONE ? 0 : keydir.sequence(entry)
    if (current > reference) return
    if (current < reference) {
      if (entry === NONE) entry = keydir.insert(database, key, hash)
      else this.replaced(entry)
      keydir.place(entry, touch.segment.slot, 0, 0, reference, TYPE_AWAITED, false)
      this.setExpiry(entry, 0)
    } else if (keydir.hasRow(entry) && keydir.touchSequence(entry) >= touch.sequence) return
    keydir.setExpiry(entry, touch.expiry)
    keydir.setTouch(entry, touch.sequence, touch.segment.slot, touch.offset)
  }

  private applyTombstone(segment: Segment, head: Head, key: Slice, hash: number): void {
    const { keydir } = this
    let entry = keydir.find(head.database, key, hash)
    if (entry === NONE) entry = keydir.insert(head.database, key, hash)
    else if (keydir.sequence(entry) >= head.sequence) return
    else this.replaced(entry)
    keydir.place(entry, segment.slot, 0, 0, head.sequence, TYPE_TOMBSTONE, false)
    this.tombstones++
    this.setExpiry(entry, 0)
  }

  // What an entry stood for is not the newest any more.
  private replaced(entry: number): void {
    const { keydir, segments } = this
    if (keydir.type(entry) === TYPE_TOMBSTONE) {
      this.tombstones--
      return
    }
    if (keydir.type(entry) === TYPE_AWAITED) return
    const length = recordBytes(keydir.wide(entry) ? FLAG_EXPIRY : 0, keydir.keyLength(entry), keydir.valueSize(entry))
    segments.at(keydir.segment(entry)).liveBytes -= length
  }

  // --- tidying

  /** All is taken in. `giveWay` lets others have their turn when it is time. */
  *tidy(giveWay: () => Task<void>): Task<void> {
    const { keydir, databases } = this
    const { system } = this
    if (this.systemValue !== null) databases.decode(this.systemValue)
    databases.used(this.highestDatabase)
    if (system.segment !== null) system.segment.liveBytes += system.bytes
    let cursor = 0
    do {
      cursor = keydir.settle(cursor)
      yield* giveWay()
    } while (cursor !== 0)
    // Most stores have nothing to tidy: looking at each entry would be a sixth of the time that loading takes.
    if (this.tombstones === 0 && keydir.rowCount === 0 && keydir.databaseIds().every((id) => databases.isMapped(id)))
      return
    do {
      cursor = keydir.scan(cursor, 1024, (entry) => this.tidyEntry(entry))
      yield* giveWay()
    } while (cursor !== 0)
  }

  private tidyEntry(entry: number): void {
    const { keydir, segments, databases } = this
    const type = keydir.type(entry)
    if (type === TYPE_TOMBSTONE || type === TYPE_AWAITED || !databases.isMapped(keydir.database(entry))) {
      this.replaced(entry)
      keydir.unlink(entry)
      keydir.free(entry)
    } else if (keydir.touchSequence(entry) !== 0) {
      const expires = keydir.expiry(entry) !== 0 ? FLAG_EXPIRY : 0
      segments.at(keydir.touchSegment(entry)).liveBytes += recordBytes(expires, keydir.keyLength(entry), TOUCH_BYTES)
    }
  }
}
