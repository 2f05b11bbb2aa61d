// The segments of a store, in memory: who they are, how long, how much of them lives, and their open files.
//
// An entry of the keydir names its segment by slot: a small number, reused only when the segment is gone and nothing names it.
// A segment moves through:  open (the log may end in it)  ->  sealed (synced, exactly sizeBytes long)  ->  retired (unlisted by a
// merge; its files are unlinked when the last pin goes).
//
// Files of sealed segments are opened when they are read and closed again by second chance when too many are open, so that a store of
// ten thousand segments needs no ten thousand descriptors.

import { assert } from '../base/assert.ts'
import { MAX_SEGMENTS } from '../base/limits.ts'
import { ANCHOR_BYTES, ANCHOR_EVERY_BYTES } from './anchor.ts'
import { dataName, hintName } from './filename.ts'
import type { ManifestSegment } from './manifest.ts'
import type { Salt } from './record.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'
import type { Storage, StorageFile } from './storage.ts'

/** Files of sealed segments kept open. */
const OPEN_FILES = 200

/** What deadBeforeIt says until it was looked at: less than anything. */
export const NOT_KNOWN = Number.NEGATIVE_INFINITY

/** From so many on, writes that grow are refused: what is left is for deletes, and for merges, which make room. */
const NEARLY_FULL = (MAX_SEGMENTS / 16) * 15
/** The log takes none of the last ones: merges, repairs and starts need some. */
const LAST_SEGMENTS = MAX_SEGMENTS / 64

/** The code of the error that says that there can be no more segments. */
export const NO_SLOT = 'ESEGMENTS'

/** What residentFrom says of a segment without a byte in memory: beyond any offset. */
export const NOT_RESIDENT = 2 ** 32

export class Segment {
  readonly slot: number
  readonly number: number
  readonly salt: Salt
  readonly merged: boolean
  sealed = false
  /** A bad record was seen: stays listed, is no input of a merge. */
  damaged = false
  /** In the manifest. */
  listed = false
  /** Its hint is on disk and good. */
  hinted = false
  retired = false

  /** End of what was appended; of what the file has; of what is synced. Sealed: all the same. */
  sizeBytes = SEGMENT_HEADER_BYTES
  flushedBytes = SEGMENT_HEADER_BYTES
  syncedBytes = SEGMENT_HEADER_BYTES
  /** From here on its bytes are also in memory: see tail.ts. */
  residentFrom = NOT_RESIDENT
  /** A sync of its file is running: no synchronous call on it now. */
  syncing = false

  lowSequence = 0
  highSequence = 0
  lowTime = 0
  highTime = 0

  /**
   * Bytes of records the keydir points at; bytes and count of tombstones (neither live nor dead until a merge judges them). Where it says that there
   * are no tombstones there must be none: a merge does not look for them then (living.ts).
   */
  liveBytes = 0
  tombstoneBytes = 0
  tombstones = 0

  /** Of what a merge has written: see merge-policy.ts. */
  deadBeforeIt = NOT_KNOWN

  file: StorageFile | null = null
  /** Readers that need the file to stay. */
  pins = 0
  recentlyUsed = false
  /** Monotonic ms, and the bytes sealed in this process by then: see `Segments.seal`. */
  sealedAt = Number.NEGATIVE_INFINITY
  sealedAs = 0
  /** Monotonic ms before which a hint that could not be made is not tried again. */
  hintNotBefore = 0
  hintFailures = 0
  private waiting: ((error: Error | null) => void)[] | null = null

  constructor(slot: number, number: number, salt: Salt, merged: boolean) {
    this.slot = slot
    this.number = number
    this.salt = salt
    this.merged = merged
  }

  /** What a merge could free. The anchors that every segment has are not: a copy has them as well. */
  get deadBytes(): number {
    const body = this.sizeBytes - SEGMENT_HEADER_BYTES
    const anchors = body > 0 ? ANCHOR_BYTES * (1 + Math.floor(body / ANCHOR_EVERY_BYTES)) : 0
    return Math.max(0, body - anchors - this.liveBytes - this.tombstoneBytes)
  }

  /** A record of that sequence and time was appended, or is known to lie here. */
  note(sequence: number, timeMs: number): void {
    if (this.lowSequence === 0 || sequence < this.lowSequence) this.lowSequence = sequence
    if (sequence > this.highSequence) this.highSequence = sequence
    if (this.lowTime === 0 || timeMs < this.lowTime) this.lowTime = timeMs
    if (timeMs > this.highTime) this.highTime = timeMs
  }

  listing(): ManifestSegment {
    const { number, salt, sealed, merged, damaged } = this
    return {
      number,
      salt,
      sealed,
      merged,
      damaged,
      validBytes: sealed ? this.sizeBytes : Math.min(this.syncedBytes, this.sizeBytes),
      lowSequence: sealed ? this.lowSequence : 0,
      highSequence: sealed ? this.highSequence : 0,
      lowTime: sealed ? this.lowTime : 0,
      highTime: sealed ? this.highTime : 0,
    }
  }

  /** Opens the file for reading if it is not open. The caller has pinned the segment. */
  opened(storage: Storage, done: (error: Error | null) => void): void {
    if (this.file !== null) return done(null)
    if (this.waiting !== null) {
      this.waiting.push(done)
      return
    }
    this.waiting = [done]
    storage.open(dataName(this.number), 'read', (error, file) => {
      const waiting = this.waiting ?? []
      this.waiting = null
      if (error === null) this.file = file
      for (const each of waiting) each(error)
    })
  }
}

export class Segments {
  readonly storage: Storage
  private readonly slots: (Segment | null)[] = []
  private readonly freeSlots: number[] = []
  private readonly byNumber = new Map<number, Segment>()
  private sealedBytes = 0
  /** Open files of sealed segments, in the order they are looked at for closing. */
  private readonly openFiles = new Set<Segment>()
  private readonly onUnlinkError: (name: string, error: Error) => void
  /** Files being closed or unlinked. */
  calls = 0
  /** Waits for the last of them. */
  private onQuiet: (() => void) | null = null

  constructor(storage: Storage, onUnlinkError: (name: string, error: Error) => void) {
    this.storage = storage
    this.onUnlinkError = onUnlinkError
  }

  add(number: number, salt: Salt, merged: boolean): Segment {
    if (this.free === 0) throw tooMany()
    const slot = this.freeSlots.pop() ?? this.slots.length
    return this.addAt(slot, number, salt, merged)
  }

  /** With a slot that a keydir image names. */
  addAt(slot: number, number: number, salt: Salt, merged: boolean): Segment {
    const segment = new Segment(slot, number, salt, merged)
    for (let s = this.slots.length; s < slot; s++) {
      this.slots[s] = null
      this.freeSlots.push(s)
    }
    const free = this.freeSlots.indexOf(slot)
    if (free >= 0) this.freeSlots.splice(free, 1)
    this.slots[slot] = segment
    this.byNumber.set(number, segment)
    return segment
  }

  at(slot: number): Segment {
    return this.slots[slot] as Segment
  }

  get(number: number): Segment | undefined {
    return this.byNumber.get(number)
  }

  all(): IterableIterator<Segment> {
    return this.byNumber.values()
  }

  get count(): number {
    return this.byNumber.size
  }

  /** How many more there can be. */
  get free(): number {
    return MAX_SEGMENTS - this.byNumber.size
  }

  get isNearlyFull(): boolean {
    return this.byNumber.size >= NEARLY_FULL
  }

  /** Throws where the log must not have another segment. */
  refuseIfLast(): void {
    if (this.free <= LAST_SEGMENTS) throw tooMany()
  }

  /** Nothing is appended to it any more, and all of it is synced. `now` in monotonic ms. */
  seal(segment: Segment, now: number): void {
    segment.sealed = true
    segment.sealedAt = now
    this.sealedBytes += segment.sizeBytes
    segment.sealedAs = this.sealedBytes
  }

  /** Bytes that were sealed since. */
  sealedSince(segment: Segment): number {
    return this.sealedBytes - segment.sealedAs
  }

  pin(segment: Segment): void {
    segment.pins++
    segment.recentlyUsed = true
  }

  unpin(segment: Segment): void {
    segment.pins--
    assert(segment.pins >= 0, 'pins are balanced')
    if (segment.retired && segment.pins === 0) this.remove(segment)
  }

  /** Opens a pinned segment's file, closing another one where too many are open. */
  open(segment: Segment, done: (error: Error | null) => void): void {
    segment.recentlyUsed = true
    segment.opened(this.storage, (error) => {
      if (error === null && segment.sealed) {
        this.openFiles.add(segment)
        this.closeSome()
      }
      done(error)
    })
  }

  /** The segment is no data any more: its files go as soon as nobody reads them. It must not be listed. */
  retire(segment: Segment): void {
    assert(!segment.listed, 'a listed segment is never unlinked')
    segment.retired = true
    if (segment.pins === 0) this.remove(segment)
  }

  /** Closes a sealed segment's file unless somebody needs it: for segments that were just written. */
  release(segment: Segment): void {
    if (segment.file !== null) this.openFiles.add(segment)
    this.closeSome()
  }

  /** `done` when no file is open, and none is still being closed or unlinked: who looks at the directory then sees it as it stays. */
  closeAll(done: () => void): void {
    for (const segment of this.byNumber.values()) if (segment.file !== null) this.closeFile(segment, () => {})
    if (this.calls === 0) done()
    else this.onQuiet = done
  }

  /** A file that is no data, or no longer, goes; a stop waits for that. */
  unlink(name: string): void {
    this.calls++
    this.storage.unlink(name, (error) => {
      if (error !== null && error.code !== 'ENOENT') this.onUnlinkError(name, error)
      this.ended()
    })
  }

  private remove(segment: Segment): void {
    assert(this.slots[segment.slot] === segment, 'a segment is removed once')
    this.byNumber.delete(segment.number)
    this.slots[segment.slot] = null
    this.freeSlots.push(segment.slot)
    const unlink = (): void => {
      for (const name of [dataName(segment.number), hintName(segment.number)]) this.unlink(name)
    }
    if (segment.file === null) unlink()
    else this.closeFile(segment, unlink)
  }

  private closeSome(): void {
    let look = this.openFiles.size
    while (this.openFiles.size > OPEN_FILES && look-- > 0) {
      const segment = this.openFiles.values().next().value as Segment
      this.openFiles.delete(segment)
      if (segment.pins > 0 || segment.recentlyUsed) {
        segment.recentlyUsed = false
        this.openFiles.add(segment)
      } else {
        this.closeFile(segment, () => {})
      }
    }
  }

  private closeFile(segment: Segment, done: () => void): void {
    const file = segment.file
    this.openFiles.delete(segment)
    segment.file = null
    if (file === null) return done()
    this.calls++
    file.close(() => {
      done()
      this.ended()
    })
  }

  private ended(): void {
    this.calls--
    if (this.calls === 0) this.onQuiet?.()
  }
}

const tooMany = (): Error =>
  Object.assign(new Error(`there can be no more than ${MAX_SEGMENTS} segments`), { code: NO_SLOT })
