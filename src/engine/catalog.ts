// The catalog: the manifest as the running engine keeps it, and the queue that everything passes which changes it.
//
// Jobs that change what the manifest says (a new segment, a seal, a merge's outcome, a repair) run one after the other. Each commits a
// manifest made at that moment from all segments that are `listed`; there is no other way to the file.
//
// Whatever syncs the directory passes it too. The kernel tells of a failed sync once: a job beside a commit could be told of an error that was
// about the manifest's new name, and the commit would hear nothing, and remove what the manifest on disk still lists (found by failing every call
// of a run once: a hint's sync of the directory took the error).
//
// And it tells nobody what the error was about: a sync that failed for one job may have lost the names that another one, outside of the queue, has made
// meanwhile, and the next sync will say that all is well. That other one is a merge, whose outputs' names count once the manifest lists them; so
// failures are counted, and a merge that has seen one begins anew (found by power cuts: a segment that the manifest listed was not there).

import { dataName } from './filename.ts'
import type { Manifest } from './manifest.ts'
import { commitManifest } from './manifest.ts'
import type { Salt } from './record.ts'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-header.ts'
import type { Segment, Segments } from './segments.ts'
import type { Storage } from './storage.ts'
import { attempt, close, isOutOfRoom, open, run, sync, syncDirectory, type Task, unlink, write } from './task.ts'

export class Catalog {
  readonly storeId: Buffer
  epoch: number
  nextNumber: number
  /** No lower sequence is given out again; asked at each commit. */
  nextSequence: () => number = () => 1
  giveUpReserve: () => Task<unknown> = function* () {}
  /** How often a sync of the directory has failed, or may have. Names made before the last time, and not synced before it, may be lost. */
  directoryFailures = 0

  private readonly storage: Storage
  private readonly segments: Segments
  private readonly random: () => number
  private readonly jobs: (() => void)[] = []
  private readonly refusals: (() => void)[] = []
  private busy = false
  private ended = false

  constructor(storage: Storage, segments: Segments, random: () => number, from: Manifest | null, storeId: Buffer) {
    this.storage = storage
    this.segments = segments
    this.random = random
    this.storeId = from === null ? storeId : from.storeId
    this.epoch = from === null ? 0 : from.epoch
    this.nextNumber = from === null ? 1 : from.nextNumber
  }

  /** Runs a job when those before it have ended; not at all after `end`. */
  enqueue<T>(job: () => Task<T>, done: (error: Error | null, value: T | undefined) => void): void {
    if (this.ended) {
      done(new Error('the store is closing'), undefined)
      return
    }
    this.refusals.push(() => done(new Error('the store is closing'), undefined))
    this.jobs.push(() =>
      run(job(), (error, value) => {
        this.busy = false
        done(error, value)
        this.startNext()
      }),
    )
    this.startNext()
  }

  /** From within the last job: nothing may change the manifest after it. Jobs that still wait are refused. */
  end(): void {
    this.ended = true
    const refused = this.refusals.splice(0)
    this.jobs.length = 0
    for (const refuse of refused) refuse()
  }

  private startNext(): void {
    if (this.busy) return
    const job = this.jobs.shift()
    if (job === undefined) return
    this.busy = true
    this.refusals.shift()
    job()
  }

  /**
   * Makes durable what the segments say now. Only from within a job (or while nothing else runs, at open). On a full disk the reserve is
   * given up for it: a manifest is what merges, seals and a clean stop end with.
   */
  *commit(): Task<void> {
    try {
      yield* this.commitNow()
    } catch (error) {
      if (!isOutOfRoom(error)) throw error
      yield* attempt(this.giveUpReserve())
      yield* this.commitNow()
    }
  }

  private *commitNow(): Task<void> {
    const listed = [...this.segments.all()].filter((segment) => segment.listed)
    listed.sort((a, b) => a.number - b.number)
    try {
      yield* commitManifest(this.storage, {
        storeId: this.storeId,
        epoch: ++this.epoch,
        nextNumber: this.nextNumber,
        nextSequence: this.nextSequence(),
        segments: listed.map((segment) => segment.listing()),
      })
    } catch (error) {
      this.directoryFailures++
      throw error
    }
  }

  /** Makes names durable. Only from within a job. */
  *syncNames(): Task<void> {
    try {
      yield* syncDirectory(this.storage, '')
    } catch (error) {
      this.directoryFailures++
      throw error
    }
  }

  newSalt(): Salt {
    const u32 = (): number => Math.floor(this.random() * 2 ** 32) >>> 0
    return { low: u32(), high: u32() }
  }

  /** Creates a segment's file with its header, synced, its name durable; not yet listed. */
  *createSegment(merged: boolean): Task<Segment> {
    const number = this.nextNumber++
    const salt = this.newSalt()
    const name = dataName(number)
    const file = yield* open(this.storage, name, 'create')
    try {
      const header = encodeSegmentHeader(this.storeId, number, salt)
      yield* write(file, header, 0, SEGMENT_HEADER_BYTES, 0)
      yield* sync(file)
      yield* this.syncNames()
      const segment = this.segments.add(number, salt, merged)
      segment.file = file
      return segment
    } catch (error) {
      yield* close(file)
      try {
        yield* unlink(this.storage, name)
      } catch {
        // It is unlisted: the next start removes it.
      }
      throw error
    }
  }
}
