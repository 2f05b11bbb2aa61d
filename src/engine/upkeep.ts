// Upkeep: what must be done beside the writes so that they can go on. Prepares the next segment, seals those that are full, makes hints,
// repairs after a failed write, resumes when a full disk has room again, closes.
//
// Everything here that changes the manifest is a job in the catalog's queue. The failure rules are invariant 6's: a failed write or sync
// of log or manifest closes the write gate; a failed hint, reserve or merge output only ends that job.

import { MAX_SEGMENTS } from '../base/limits.ts'
import type { Background } from './background.ts'
import type { Bitcask } from './bitcask.ts'
import type { Catalog } from './catalog.ts'
import { GATE_FAILED, GATE_FULL } from './engine.ts'
import { SPARE_FILES } from './filename.ts'
import { makeHint } from './hint.ts'
import { writeImage } from './image.ts'
import type { FailedCall } from './log.ts'
import { MAX_MERGE_BYTES } from './merge-policy.ts'
import { Merger } from './merger.ts'
import type { Reserve } from './reserve.ts'
import { Scrubber } from './scrubber.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'
import { NO_SLOT, type Segment } from './segments.ts'
import type { Storage, StorageFile } from './storage.ts'
import { attempt, OUT_OF_ROOM, run, sync, type Task, wait } from './task.ts'

const RETRY_MS = 1000
/** What keys whose time has come may take of the reserve before merges have given it back: the rest is for deletes, merges and manifests. */
const EXPIRY_PART = 4
/** At a clean stop the last segment's hint is made only if that is quick; the next start makes it otherwise. */
const CLOSING_HINT_BYTES = 32 * 1024 * 1024

/** A segment that is younger has not shown yet whether it is being overwritten: it is from so much of it being dead. */
const YOUNG_MS = 1000
const DYING_PART = 0.1
/** Its hint waits until so many bytes were sealed after it: as many as one merge takes, so the next may have it among its inputs. Or so long. */
const SEALED_SINCE = MAX_MERGE_BYTES
const COOL_MS = 30_000

const FULL = new Set([...OUT_OF_ROOM, 'EFBIG'])
/** Whether a file call failed because the disk is full, or a file as long as it may be. */
export const isFull = (error: unknown): boolean => FULL.has((error as { code?: string }).code ?? '')
/** Failures that pass by themselves: nothing was damaged, try again later. */
const PASSING = new Set([...FULL, 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', NO_SLOT])

/** For commands that were under way; those that come later are refused before they run. */
const UNKNOWN_OUTCOME = ' The outcome of this command is unknown.'

const fullMessage = (code: string): string =>
  `MISCONF The disk is full (${code}). Free some space or delete keys; writes resume by themselves.`
const SPENT =
  'MISCONF The disk is full, and the reserve for deletes is used up. Free some space; writes resume by themselves.'

const KEYS_FULL =
  'MISCONF The index holds as many keys as it can (14 GiB of them, or some 800 million). Delete keys; writes resume by themselves.'

const SEGMENTS_FULL = `MISCONF The store has nearly as many segments as it can (${MAX_SEGMENTS}). Raise segment-size, then MERGE; writes resume by themselves.`

const FAILED_CALLS = {
  write: 'A write to the log',
  sync: 'An fsync of the log',
  manifest: 'Writing the manifest',
} as const

/** A job that only waits for those before it. */
function* nothing(): Task<void> {}

export class Upkeep {
  readonly merger: Merger
  readonly scrubber: Scrubber
  quarantinedBytes = 0
  lastSeal: number
  sequenceAtSeal: number

  private readonly store: Bitcask
  private readonly storage: Storage
  private readonly catalog: Catalog
  private readonly background: Background
  private readonly reserve: Reserve
  private preparing = false
  private prepared: Segment | null = null
  private prepareAgainAt = 0
  private hinting = false
  private readonly hintsUnderWay = new Map<Segment, ((failed: boolean) => void)[]>()
  private repairing = false
  private rebuilding = false
  private activeSince: number
  /** On a full disk: bytes that expiry has written, less those that merges have given back since. */
  private expiryBytes = 0
  private closed = false

  constructor(
    store: Bitcask,
    storage: Storage,
    catalog: Catalog,
    background: Background,
    reserve: Reserve,
    random: () => number,
  ) {
    this.store = store
    this.storage = storage
    this.catalog = catalog
    this.background = background
    this.reserve = reserve
    this.lastSeal = store.clock.now()
    this.sequenceAtSeal = 0
    this.activeSince = store.clock.monotonic()
    this.merger = new Merger(
      store,
      catalog,
      background,
      random,
      (done) => this.seal(done),
      (freedBytes) => {
        this.expiryBytes = Math.max(0, this.expiryBytes - freedBytes)
        this.makeHints()
      },
      reserve,
      (helps) => this.giveWay(helps),
    )
    this.scrubber = new Scrubber(
      store,
      catalog,
      background,
      () => this.makeHints(),
      (error) => this.manifestFailed(error),
    )
  }

  /** The engine is open. */
  begin(): void {
    this.sequenceAtSeal = this.store.log.appended
    this.makeHints()
    this.buildReserve()
    this.refuseIfCrowded()
  }

  /** The log went over to its next segment. */
  rotated(): void {
    this.activeSince = this.store.clock.monotonic()
    this.refuseIfCrowded()
    this.prepareNext()
  }

  everySecond(): void {
    const { store } = this
    const { log, settings, clock } = store
    if (this.closed || log.failed) return
    if (log.next === null && clock.monotonic() >= this.prepareAgainAt) this.prepareNext()
    const age = (clock.monotonic() - this.activeSince) / 1000
    if (settings.segmentAgeSeconds > 0 && age >= settings.segmentAgeSeconds && !this.isEmpty(log.active)) {
      if (log.next !== null && !log.inBatch) log.rotate()
    }
    this.refuseIfCrowded()
    if ((store.gate & GATE_FULL) !== 0 || !this.reserve.whole) this.buildReserve()
    if ((store.gate & GATE_FULL) !== 0) this.merger.reconsider()
    this.makeHints()
  }

  // What grows has to end before the store has no way to go on. Here the disk has room, so deletes, expiries and merges go on without limit.
  private refuseIfCrowded(): void {
    const { store } = this
    const message = this.crowded()
    if (message === null || (store.gate & GATE_FULL) !== 0) return
    store.logger.warning(message)
    store.setGate(GATE_FULL, true, message)
  }

  private crowded(): string | null {
    if (this.store.keydir.isNearlyFull) return KEYS_FULL
    return this.store.segments.isNearlyFull ? SEGMENTS_FULL : null
  }

  private isEmpty(segment: Segment): boolean {
    return segment.sizeBytes <= SEGMENT_HEADER_BYTES
  }

  // --- the next segment, and sealing the last one

  private prepareNext(): void {
    if (this.preparing || this.closed || this.store.log.failed) return
    this.preparing = true
    this.catalog.enqueue(
      () => this.prepare(),
      (error) => {
        this.preparing = false
        if (error !== null) {
          this.prepareAgainAt = this.store.clock.monotonic() + RETRY_MS
          if (!this.store.log.failed && !this.closed) {
            this.store.logger.warning('The next segment could not be prepared, trying again', { error: error.message })
            const isNews = (this.store.gate & GATE_FULL) === 0
            if (isNews && isFull(error)) this.noRoomForNext()
          }
          return
        }
        this.makeHints()
        this.merger.reconsider()
      },
    )
  }

  // To a merge that lacks files, on a full disk: hints first, then what is left of the reserve. Nothing that would be given up in vain.
  private *giveWay(helps: (files: number) => boolean): Task<boolean> {
    const { reserve, store } = this
    let hints = 0
    for (const segment of store.segments.all()) if (segment.hinted) hints++
    try {
      if (helps(hints) && (yield* reserve.giveUpCache())) return true
      if (!helps(SPARE_FILES.length)) return false
      const isGiven = yield* reserve.giveUp()
      if (reserve.spent) this.diskIsFull()
      return isGiven
    } catch {
      return false
    }
  }

  // The log can still grow, but not for ever; and what keeps it from going over keeps merges from making room.
  private noRoomForNext(): void {
    this.diskIsFull()
    this.catalog.enqueue(
      () => this.reserve.giveUp(),
      () => this.prepareNext(),
    )
  }

  private *prepare(): Task<void> {
    const { log } = this.store
    if (log.next === null) {
      // Kept when what follows fails: a new one with each try would pile up files and descriptors while the disk is full.
      if (this.prepared === null) this.store.segments.refuseIfLast()
      const next = this.prepared ?? (yield* this.catalog.createSegment(false))
      this.prepared = next
      yield* this.sealRotated()
      next.listed = true
      yield* this.commit()
      this.prepared = null
      log.next = next
    } else {
      yield* this.sealRotated()
      yield* this.commit()
    }
  }

  // Segments behind the active one, once they are synced and released, are sealed: the commit that follows says so.
  private *sealRotated(): Task<void> {
    const { log } = this.store
    const old = log.openSegments().filter((segment) => segment !== log.active)
    if (old.length > 0) yield* wait<void>((done) => log.whenSynced(log.appended, done as never))
    const unused = new Set([log.active, log.next, this.prepared])
    for (const segment of this.store.segments.all()) {
      if (segment.sealed || !segment.listed || unused.has(segment)) continue
      if (log.isSettled(segment)) this.markSealed(segment)
    }
  }

  private markSealed(segment: Segment): void {
    const { clock, segments } = this.store
    segments.seal(segment, clock.monotonic())
    segments.release(segment)
  }

  private *commit(): Task<void> {
    try {
      yield* this.catalog.commit()
    } catch (error) {
      this.manifestFailed(error as Error)
      throw error
    }
  }

  /** A manifest could not be committed: what the disk now says is uncertain unless the error is one that passes. */
  manifestFailed(error: Error & { code?: string }): void {
    if (!PASSING.has(error.code ?? '')) this.store.log.abort(error)
  }

  private closeGate(message: string): void {
    this.store.setGate(GATE_FAILED, true, message)
    this.store.logger.warning(message)
  }

  // --- SAVE

  /** Seals what was written so far, synced, with its hint. */
  seal(done: (error: Error | null) => void): void {
    const { store } = this
    const { log } = store
    if (log.failed) return done(log.lastError)
    if (log.inBatch) {
      // BGSAVE or MERGE inside of EXEC: what belongs together is sealed together, when it has ended.
      store.clock.soon(() => this.seal(done))
      return
    }
    log.flush()
    if (this.isEmpty(log.active)) {
      log.whenSynced(log.appended, (error) => {
        if (error !== null) return done(error)
        // The segment before may be on its way to be sealed: a MERGE wants it as its input.
        this.catalog.enqueue(nothing, () => this.sealed(done))
      })
      return
    }
    if (log.next === null) {
      // Somebody else may take the segment that is made now; then once more.
      this.catalog.enqueue(
        () => this.prepare(),
        (error) => (error !== null ? done(error) : this.seal(done)),
      )
      return
    }
    const target = log.active
    log.rotate()
    this.catalog.enqueue(
      () => this.prepare(),
      (error) => {
        if (error !== null) return done(error)
        if (!target.sealed || target.hinted || target.damaged) return this.sealed(done)
        this.hintOne(target, () => this.sealed(done))
      },
    )
  }

  private sealed(done: (error: Error | null) => void): void {
    this.lastSeal = this.store.clock.now()
    this.sequenceAtSeal = this.store.log.appended
    done(null)
  }

  // --- hints

  private makeHints(): void {
    if (this.hinting || this.closed) return
    // A hint is a cache: it must not eat what deletes and merges are to live on.
    if ((this.store.gate & GATE_FULL) !== 0) return
    const now = this.store.clock.monotonic()
    const segments = [...this.store.segments.all()]
    // A merge asks the hints of older segments whether a tombstone still hides something.
    const mayWait = this.store.settings.mergeEnabled && !segments.some(({ tombstones }) => tombstones > 0)
    for (const segment of segments) {
      if (!segment.sealed || !segment.listed || segment.hinted || segment.damaged || segment.retired) continue
      if (segment.hintNotBefore > now || (mayWait && this.mayDieFirst(segment, now))) continue
      this.hinting = true
      this.hintOne(segment, (failed) => {
        this.hinting = false
        if (failed)
          segment.hintNotBefore = this.store.clock.monotonic() + RETRY_MS * 2 ** Math.min(segment.hintFailures++, 10)
        this.store.clock.soon(() => this.makeHints())
      })
      return
    }
  }

  // A hint costs as much as a merge, and of data that is overwritten as fast as it is written it hardly ever serves: the segment is merged before a
  // start could want it. So a large one has a moment to show whether its records die, and if they do, its hint waits until others were sealed. That bounds what
  // a start after a kill has to read without hints.
  private mayDieFirst(segment: Segment, now: number): boolean {
    const { portions, segments } = this.store
    if (segment.sizeBytes < portions.hintsWaitBytes) return false
    const age = now - segment.sealedAt
    if (age < YOUNG_MS) return true
    const isDying = segment.deadBytes >= segment.sizeBytes * DYING_PART
    return isDying && age < COOL_MS && segments.sealedSince(segment) < SEALED_SINCE
  }

  private hintOne(segment: Segment, done: (failed: boolean) => void): void {
    const { segments, logger } = this.store
    const others = this.hintsUnderWay.get(segment)
    if (others !== undefined) {
      others.push(done)
      return
    }
    const waiting = [done]
    this.hintsUnderWay.set(segment, waiting)
    // Pinned: a merge may retire the segment meanwhile, and the hint must not appear after its files have gone.
    segments.pin(segment)
    const subject = { number: segment.number, salt: segment.salt, validBytes: segment.sizeBytes }
    this.background.hint(subject, (error, result) => {
      if (error === null && result !== undefined) {
        if (result.damagedAt.length > 0) {
          segment.damaged = true
          logger.warning('A segment is damaged: it is kept, and no longer merged', {
            segment: segment.number,
            offset: result.damagedAt[0],
          })
        } else {
          segment.hinted = true
        }
      } else if (!this.closed) {
        logger.warning('A hint could not be made, trying again', { segment: segment.number, error: error?.message })
      }
      segments.unpin(segment)
      this.hintsUnderWay.delete(segment)
      for (const each of waiting) each(error !== null)
    })
  }

  // --- failures

  /** The log failed (log.ts has undone what was not released). */
  failed(error: Error & { code?: string }, what: FailedCall): string {
    const code = error.code ?? error.message
    if (what !== 'write' || !FULL.has(code)) {
      const message = `MISCONF ${FAILED_CALLS[what]} failed (${code}). Writes are refused until restart; reads go on. Check the disk, then restart.`
      this.closeGate(message)
      return message + UNKNOWN_OUTCOME
    }
    const message = fullMessage(code)
    // Closed for all writes until the log stands on a fresh segment, then for those that grow.
    this.closeGate(message)
    this.repair(code)
    return message + UNKNOWN_OUTCOME
  }

  private repair(code: string): void {
    if (this.repairing || this.closed) return
    this.repairing = true
    this.catalog.enqueue(
      () => this.repairLog(code),
      (error) => {
        this.repairing = false
        const { store } = this
        if (error === null) {
          if (code !== 'EFBIG') this.diskIsFull(code)
          if (!this.reserve.spent) store.setGate(GATE_FAILED, false)
          store.logger.warning('Writing goes on in a fresh segment', { segment: store.log.active.number })
          this.prepareNext()
        } else if (PASSING.has((error as { code?: string }).code ?? '')) {
          store.clock.after(RETRY_MS, () => this.repair(code))
        } else {
          this.closeGate(
            `MISCONF The log could not be repaired (${error.message}). Writes are refused until restart; reads go on. Check the disk, then restart.`,
          )
        }
      },
    )
  }

  // The bytes beyond what was released do not exist: once the manifest says so, writing can go on elsewhere.
  private *repairLog(code: string): Task<void> {
    const { store } = this
    const { log } = store
    // A sync may still be under way, and its failure would be told to nobody else.
    yield* wait<void>((done) => log.whenQuiet(() => done(null)))
    // Before the syncs below: one that has failed must not be followed by another over the same pages.
    this.stopIfFinal()
    if (code !== 'EFBIG') yield* attempt(this.reserve.giveUp()) // without it the commit says what there is room for
    const old = log.openSegments()
    for (const segment of old) {
      if (segment.syncedBytes < segment.sizeBytes) yield* this.syncForGood(segment)
    }
    this.stopIfFinal()
    const next = log.next ?? this.prepared ?? (yield* this.catalog.createSegment(false))
    log.next = null
    this.prepared = null
    for (const segment of old) {
      if (this.isEmpty(segment)) segment.listed = false
      else store.segments.seal(segment, store.clock.monotonic())
    }
    next.listed = true
    try {
      yield* this.catalog.commit()
    } catch (error) {
      log.next = next
      for (const segment of old) {
        segment.listed = true
        segment.sealed = false
      }
      throw error
    }
    this.stopIfFinal()
    log.resume(next, old[old.length - 1] as Segment)
    for (const segment of old) {
      if (segment.listed) store.segments.release(segment)
      else store.segments.retire(segment)
    }
  }

  // Whatever has failed for good meanwhile must not be repaired away. An error without a code: nobody tries again.
  private stopIfFinal(): void {
    const { final } = this.store.log
    if (final !== null) throw new Error(final.message)
  }

  private *syncForGood(segment: Segment): Task<void> {
    try {
      yield* sync(segment.file as StorageFile)
    } catch (error) {
      // A sync is never tried twice over the same pages: no code that would have us come back.
      throw new Error(`fsync failed: ${(error as Error).message}`)
    }
    segment.syncedBytes = segment.sizeBytes
  }

  /** Writes that grow are refused until the reserve is whole, and where it is spent all writes are. */
  diskIsFull(code = 'ENOSPC'): void {
    const { store, reserve } = this
    const message = reserve.spent ? SPENT : fullMessage(code)
    if ((store.gate & GATE_FULL) === 0) {
      store.logger.warning(message)
      this.expiryBytes = 0
    }
    store.setGate(GATE_FULL, true, message)
    if (reserve.spent) this.closeGate(SPENT)
    this.merger.reconsider()
  }

  /**
   * Whether a key whose time has come may have its tombstone while writes that grow are refused. On a full disk it comes out of the reserve, as
   * those of deletes do; but nobody has asked for it, and a million may be due at once: they would eat the reserve before a merge has seen
   * what they make room for. So some may, and as many again as merges give back.
   */
  mayExpire(bytes: number): boolean {
    if (this.reserve.whole) return true // it is not the disk that is full
    if (this.expiryBytes + bytes > this.reserve.sizeBytes / EXPIRY_PART) return false
    this.expiryBytes += bytes
    return true
  }

  // The disk has room again when the reserve can be built again.
  private buildReserve(): void {
    if (this.rebuilding || this.closed || this.repairing) return
    this.rebuilding = true
    run(this.reserve.build(), (error) => {
      this.rebuilding = false
      const { store } = this
      if (store.log.failed || store.closing) return
      if ((store.gate & GATE_FAILED) !== 0 && !this.reserve.spent) {
        store.setGate(GATE_FAILED, false)
        store.setGate(GATE_FULL, true, fullMessage('ENOSPC'))
        store.logger.warning('The disk has some room again: deletes resume')
      }
      if (error !== null) {
        if (isFull(error) && (store.gate & GATE_FULL) === 0) this.diskIsFull()
        return
      }
      if ((store.gate & GATE_FULL) !== 0 && this.crowded() === null) {
        store.setGate(GATE_FULL, false)
        store.logger.warning('There is room again: writes resume')
      }
    })
  }

  // --- closing

  /** `isQuick`: without hints and image. */
  close(isQuick: boolean, done: (error: Error | null) => void): void {
    const { store } = this
    this.scrubber.close()
    // A merge that is moving entries commits first: the image must not name segments that no manifest lists.
    this.merger.close(() => {
      if (!store.log.failed) store.log.flush()
      this.catalog.enqueue(
        () => this.closing(isQuick),
        (error) => {
          this.closed = true
          // No file is closed under a call: its number would be another file's soon.
          run(this.reserve.whenStill(), () =>
            this.background.close(() =>
              store.log.whenQuiet(() => store.whenNothingIsRead(() => store.segments.closeAll(() => done(error)))),
            ),
          )
        },
      )
    })
  }

  private *closing(isQuick: boolean): Task<void> {
    const { store } = this
    const { log } = store
    this.catalog.end()
    if (log.failed) throw log.lastError ?? new Error('the log has failed')
    yield* wait<void>((done) => log.whenSynced(log.appended, done as never))
    this.closed = true
    // Also those behind the log that no next segment came to be sealed with.
    const open = [...store.segments.all()].filter((segment) => segment.listed && !segment.sealed)
    for (const spare of [log.next, this.prepared]) if (spare !== null && !open.includes(spare)) open.push(spare)
    for (const segment of open) {
      if (this.isEmpty(segment)) segment.listed = false
      else segment.sealed = true
    }
    yield* this.catalog.commit()
    for (const segment of open) if (!segment.listed) store.segments.retire(segment)
    // Hint and image are caches, and on a full disk the next start needs the room more.
    if (isQuick || (store.gate & GATE_FULL) !== 0) return
    for (const segment of open) {
      if (!segment.listed || segment.hinted || segment.sizeBytes > CLOSING_HINT_BYTES) continue
      try {
        const subject = { number: segment.number, salt: segment.salt, validBytes: segment.sizeBytes }
        const { damagedAt } = yield* makeHint(this.storage, subject)
        segment.hinted = damagedAt.length === 0 // the image says so
      } catch {
        // A hint is a cache.
      }
    }
    try {
      yield* writeImage(this.storage, store, this.catalog.epoch)
    } catch (error) {
      store.logger.warning('The keydir image could not be written; the next start reads hints', {
        error: (error as Error).message,
      })
    }
  }
}
