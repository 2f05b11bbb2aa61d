// The scrub as the engine's owner sees it: one segment after the other, what was found, and what follows from it.
//
//   data      the segment is marked: it stays as it is, and is no input of a merge (merge.ts says why). Keys whose newest value lies in a
//             damaged place answer an error; they are counted, so that one knows whether it was only dead bytes
//   hint      it is made again from the data, unless that is damaged too
//   MANIFEST  it is written again: what it should say is in memory. Not only its checksums are looked at, also whether it is the newest
//
// All of it is told, in the log and in the status. It runs when somebody asks for it. Only what is sealed is read: the end of the log is not
// what rots. Segments that come up meanwhile are the next scrub's.

import type { Background } from './background.ts'
import type { Bitcask } from './bitcask.ts'
import type { Catalog } from './catalog.ts'
import type { ScrubControl, ScrubStatus } from './engine.ts'
import { MANIFEST } from './filename.ts'
import { decodeManifest, isWholeManifest } from './manifest.ts'
import type { Steering } from './pace.ts'
import type { Damage, ScrubResult } from './scrub.ts'
import type { Segment } from './segments.ts'
import { close, isMissing, isUnreadable, open, read, size, type Task } from './task.ts'

/** Damages of one segment that get a line of their own in the log. */
const DAMAGES_TOLD = 20
/** Entries looked at in one slice when hurt keys are counted. */
const COUNTED_A_SLICE = 4096

type WaitDone = (error: Error | null, damaged: number) => void

export class Scrubber implements ScrubControl {
  private readonly store: Bitcask
  private readonly catalog: Catalog
  private readonly background: Background
  /** A hint was found bad, and is no longer counted on. */
  private readonly onBadHint: () => void
  private readonly onManifestFailed: (error: Error) => void

  private running: Steering | null = null
  private busy = false
  private paused = false
  private cancelled = false
  private closed = false
  private waiters: WaitDone[] = []
  /** Damaged places of this run, by slot of their segment: what is counted at its end. */
  private damages = new Map<number, readonly Damage[]>()
  private readonly facts = {
    segments: 0,
    segmentsRead: 0,
    bytesTotal: 0,
    bytesRead: 0,
    damaged: 0,
    damagedKeys: 0,
    scrubs: 0,
    failures: 0,
    lastEndedAt: 0,
    lastDurationMs: 0,
    lastSegments: 0,
    lastBytes: 0,
    lastDamaged: 0,
    lastDamagedKeys: 0,
    lastError: '',
  }

  constructor(
    store: Bitcask,
    catalog: Catalog,
    background: Background,
    onBadHint: () => void,
    onManifestFailed: (error: Error) => void,
  ) {
    this.store = store
    this.catalog = catalog
    this.background = background
    this.onBadHint = onBadHint
    this.onManifestFailed = onManifestFailed
  }

  // --- what SCRUB asks

  start(): boolean {
    if (this.busy || this.closed) return false
    this.begin()
    return true
  }

  wait(done: WaitDone): void {
    if (this.closed) return done(new Error('the store is closing'), 0)
    this.waiters.push(done)
    this.start()
  }

  pause(): void {
    this.paused = true
    this.running?.pause()
  }

  limit(bytesPerSecond: number): void {
    this.running?.limit(bytesPerSecond)
  }

  resume(): void {
    this.paused = false
    this.running?.resume()
  }

  cancel(): boolean {
    if (!this.busy) return false
    this.cancelled = true
    this.running?.cancel()
    return true
  }

  status(): ScrubStatus {
    return { ...this.facts, state: this.busy ? (this.paused ? 'paused' : 'running') : 'idle' }
  }

  // --- one run

  private begin(): void {
    const { store, facts } = this
    const startedAt = store.clock.monotonic()
    const segments = [...store.segments.all()].filter((segment) => segment.sealed && segment.listed)
    this.busy = true
    this.cancelled = false
    this.damages = new Map()
    facts.segments = segments.length
    facts.segmentsRead = 0
    facts.bytesTotal = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
    facts.bytesRead = 0
    facts.damaged = 0
    facts.damagedKeys = 0
    const ended = (failure: Error | null): void => {
      const error = failure !== null && this.closed ? new Error('the store is closing') : failure
      this.busy = false
      this.running = null
      if (error === null) {
        facts.scrubs++
        facts.lastEndedAt = store.clock.now()
        facts.lastDurationMs = Math.round(store.clock.monotonic() - startedAt)
        facts.lastSegments = facts.segmentsRead
        facts.lastBytes = facts.bytesRead
        facts.lastDamaged = facts.damaged
        facts.lastDamagedKeys = facts.damagedKeys
        facts.lastError = ''
        const { lastSegments, lastBytes, lastDamaged, lastDamagedKeys } = facts
        const told = { segments: lastSegments, bytes: lastBytes, damaged: lastDamaged, damagedKeys: lastDamagedKeys }
        if (lastDamaged === 0) store.logger.notice('Scrub finished, no damage', told)
        else store.logger.warning('Scrub finished, there is damage', told)
      } else {
        facts.failures++
        facts.lastError = error.message
        if (!this.closed) store.logger.warning('Scrub ended early', { error: error.message })
      }
      for (const waiter of this.waiters.splice(0)) waiter(error, facts.damaged)
    }
    const next = (): void => {
      const segment = segments.shift()
      if (this.cancelled) ended(new Error('cancelled'))
      else if (segment === undefined) this.conclude(ended)
      else if (segment.retired) next()
      else this.scrub(segment, (error) => (error === null ? next() : ended(error)))
    }
    next()
  }

  private scrub(segment: Segment, done: (error: Error | null) => void): void {
    const { store, facts } = this
    const { number, salt, sizeBytes, hinted } = segment
    const before = facts.bytesRead
    // Pinned: a merge may retire it meanwhile, and its files must not go under the eyes of a reader.
    store.segments.pin(segment)
    const rateBytesPerSecond = store.settings.scrubRateBytesPerSecond
    this.running = this.background.scrub(
      { number, salt, validBytes: sizeBytes, hinted, rateBytesPerSecond },
      (bytesRead) => {
        facts.bytesRead = before + bytesRead
      },
      (error, result) => {
        this.running = null
        if (error === null && result !== undefined) {
          facts.bytesRead = before + result.bytesRead
          facts.segmentsRead++
          // What was merged away meanwhile is nobody's any more, nor is its damage.
          if (!segment.retired) this.judge(segment, result)
        }
        store.segments.unpin(segment)
        done(error)
      },
    )
    if (this.paused) this.running.pause()
    if (this.cancelled) this.running.cancel()
  }

  private judge(segment: Segment, { damaged, damages, isHintGood }: ScrubResult): void {
    const { logger } = this.store
    if (damaged > 0) {
      segment.damaged = true
      this.damages.set(segment.slot, damages)
      for (const damage of damages.slice(0, DAMAGES_TOLD)) {
        logger.warning('Damage found', { segment: segment.number, ...damage })
      }
      logger.warning('A segment is damaged: it is kept, and no longer merged', {
        segment: segment.number,
        places: damaged,
      })
      this.facts.damaged += damaged
    }
    if (!isHintGood && segment.hinted) {
      segment.hinted = false
      this.facts.damaged++
      logger.warning('A hint is damaged: it is made again unless its data is damaged as well', {
        segment: segment.number,
      })
      this.onBadHint()
    }
  }

  private conclude(ended: (error: Error | null) => void): void {
    this.catalog.enqueue(
      () => this.checkManifest(),
      (error, isGood) => {
        if (error !== null) return ended(error)
        if (isGood === false) this.facts.damaged++
        this.countKeys(() => ended(this.cancelled ? new Error('cancelled') : null))
      },
    )
  }

  // Alone in the queue of manifests: nobody writes a new one meanwhile.
  private *checkManifest(): Task<boolean> {
    const { segments, logger, log } = this.store
    let what = ''
    try {
      const file = yield* open(segments.storage, MANIFEST, 'read')
      try {
        const bytes = Buffer.alloc(yield* size(file))
        const got = yield* read(file, bytes, 0, bytes.length, 0)
        const manifest = decodeManifest(bytes.subarray(0, got))
        this.facts.bytesRead += got
        if (manifest === null || manifest === 'newer' || !isWholeManifest(bytes.subarray(0, got))) what = 'damaged'
        else if (manifest.epoch !== this.catalog.epoch) what = 'an old one'
      } finally {
        yield* close(file)
      }
    } catch (error) {
      if (isMissing(error)) what = 'missing'
      else if (isUnreadable(error)) what = 'unreadable'
      else throw error
    }
    // After a failed commit nobody knows which one the disk has, and nothing is written any more.
    if (what === '' || log.failed) return what === ''
    logger.warning('MANIFEST is not what was written: it is written again', { what })
    try {
      yield* this.catalog.commit()
    } catch (error) {
      this.onManifestFailed(error as Error)
      throw error
    }
    return false
  }

  // How many keys have their value in a damaged place: one pass over the keydir, in slices, and only where there is damage.
  private countKeys(done: () => void): void {
    const { store, damages, facts } = this
    if (damages.size === 0) return done()
    let cursor = 0
    const slice = (): void => {
      if (this.closed) return done()
      const { keydir } = store
      cursor = keydir.scan(cursor, COUNTED_A_SLICE, (entry) => {
        const places = damages.get(keydir.segment(entry))
        if (places !== undefined && isWithin(keydir.offset(entry), places)) facts.damagedKeys++
      })
      if (cursor === 0) done()
      else store.clock.soon(slice)
    }
    slice()
  }

  /** Ends what runs. */
  close(): void {
    this.closed = true
    this.cancel()
  }
}

// The places are in ascending order.
function isWithin(offset: number, places: readonly Damage[]): boolean {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const place = places[middle] as Damage
    if (offset < place.offset) high = middle
    else if (offset >= place.offset + place.bytes) low = middle + 1
    else return true
  }
  return false
}
