// Opening a store: lock, manifest, recovery, then a fresh active segment and the one after it. The engine is returned at once, with its
// gate closed (LOADING), so that a server can answer its clients meanwhile.

import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Background } from './background.ts'
import { Bitcask, tailShare } from './bitcask.ts'
import { Catalog } from './catalog.ts'
import { Databases } from './databases.ts'
import type { Engine, EngineEvents, EngineSettings } from './engine.ts'
import { dataName, hintName, parseSegmentName } from './filename.ts'
import { Fuse } from './fuse.ts'
import { readImage, removeImage } from './image.ts'
import { Keydir } from './keydir/keydir.ts'
import { type Lock, lockDirectory } from './lock.ts'
import { Log } from './log.ts'
import { type Manifest, type ManifestSegment, readManifest } from './manifest.ts'
import { type ManifestAge, manifestAge } from './manifest-age.ts'
import { ensureDirectory, nodeStorage } from './node-storage.ts'
import { PORTIONS, type Portions } from './portions.ts'
import { type Recovered, Recovery, removeUnlisted } from './recovery.ts'
import { RecoveryError, unsupported } from './recovery-error.ts'
import { Reserve } from './reserve.ts'
import { NO_SLOT, type Segment, Segments } from './segments.ts'
import type { Storage } from './storage.ts'
import { Tail } from './tail.ts'
import { attempt, list, run, type Task, unlink } from './task.ts'
import { isFull, Upkeep } from './upkeep.ts'
import { workerBackground } from './worker-driver.ts'

export interface CommonOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly settings: EngineSettings
  /** How many logical databases there are. */
  readonly databases: number
  /** What to do when records are lost and their keys unknown: not start, or serve what is left. */
  readonly onCorruption: 'refuse' | 'serve'
  /** Synchronous file calls under the fuse. False: never. */
  readonly synchronousIo: boolean
  /** Cold reads at once: the size of the thread pool less two, at least one. */
  readonly coldReads: number
  /** Bytes held back for a full disk, 0 none. */
  readonly reserveBytes: number
}

export interface EngineOptions extends CommonOptions {
  readonly storage: Storage
  readonly lock: Lock | null
  readonly background: Background
  /** Left out: those of a server. */
  readonly portions?: Portions
  /** [0, 1): salts, store id, jitter, RANDOMKEY. */
  readonly random: () => number
}

export interface DirectoryOptions extends CommonOptions {
  /** Made if it is missing. */
  readonly directory: string
  /** Start even where no lock can be had. Two writers destroy a directory. */
  readonly unsafeNoLock: boolean
}

export type OpenDone = (error: Error | null, engine: Engine | null) => void

/** Opens the store in a directory of real files. Throws when the directory cannot be made, used or locked. */
export function openEngine(options: DirectoryOptions, events: EngineEvents, done: OpenDone): Engine {
  ensureDirectory(options.directory)
  let lock: Lock | null = null
  try {
    lock = lockDirectory(options.directory)
  } catch (error) {
    if (!options.unsafeNoLock || (error as { code?: string }).code !== 'ENOLOCK') throw error
    options.logger.warning('No lock could be had: --unsafe-no-lock is set, so nothing keeps a second process out')
  }
  const storage = nodeStorage(options.directory)
  return openOn(
    {
      ...options,
      storage,
      lock,
      background: workerBackground(options.directory),
      // Salts need to be unlike each other and unknown to clients, no more.
      random: cryptoRandom,
    },
    events,
    done,
  )
}

/** Opens a store on any storage. */
export function openOn(options: EngineOptions, events: EngineEvents, done: OpenDone): Engine {
  const { storage, clock, logger } = options
  const segments = new Segments(storage, (name, error) => {
    logger.warning('A file that is no data any more could not be removed', { name, error: error.message })
  })
  const store = new Bitcask({
    keydir: new Keydir({ seed: Math.floor(options.random() * 2 ** 32) }),
    segments,
    databases: new Databases(options.databases),
    clock,
    logger,
    readFuse: new Fuse(clock, options.synchronousIo, () => process.resourceUsage().fsRead),
    settings: { ...options.settings },
    events,
    coldReads: options.coldReads,
    lock: options.lock,
    portions: options.portions ?? PORTIONS,
    random: options.random,
  })
  run(opening(store, options), (error) => {
    if (error !== null) {
      options.background.close(() =>
        segments.closeAll(() => {
          options.lock?.release()
          done(isFull(error) ? withoutRoom(error) : hasNoSlot(error) ? withoutSlot(error) : error, null)
        }),
      )
      return
    }
    done(null, store)
  })
  return store
}

function* opening(store: Bitcask, options: EngineOptions): Task<void> {
  const { storage, clock, logger, random } = options
  const { segments } = store
  const found = yield* readManifest(storage)
  if (found === 'newer') throw unsupported('The MANIFEST')
  const names = yield* list(storage, '')
  const age = typeof found === 'string' ? 'current' : yield* manifestAge(storage, found, names)
  if (age !== 'current') logger.warning('MANIFEST is older than the data, and not believed', { age })
  const manifest: Manifest | null = typeof found === 'string' || age !== 'current' ? null : found
  const storeId = Buffer.from(Array.from({ length: 16 }, () => Math.floor(random() * 256)))
  const catalog = new Catalog(storage, segments, random, manifest, storeId)
  if (typeof found !== 'string') catalog.nextNumber = Math.max(catalog.nextNumber, found.nextNumber)
  for (const name of names) {
    // Also of files that no manifest lists: a number is never used twice.
    catalog.nextNumber = Math.max(catalog.nextNumber, (parseSegmentName(name)?.number ?? 0) + 1)
  }
  const fresh = found === 'missing' && !names.some((name) => name.endsWith('.data'))

  const reserve = new Reserve(storage, options.reserveBytes, () => giveUpCache(storage, segments))
  catalog.giveUpReserve = () => reserve.giveUp()
  const recovered =
    (yield* fromImage(store, storage, manifest, names)) ??
    (yield* fromSegments(store, options, catalog, reserve, fresh ? emptyManifest(storeId) : manifest, names, age))
  yield* removeImage(storage)

  yield* reserve.makeRoom(0)
  const active = yield* firstSegment(catalog, reserve)
  const next = yield* nextSegment(catalog)
  active.listed = true
  if (next !== null) next.listed = true
  for (const segment of recovered.emptied) segment.listed = false
  catalog.nextSequence = () => Math.max(recovered.lastSequence, store.loading.active ? 0 : store.log.appended) + 1
  yield* catalog.commit()
  // Only now: the manifest that was read may be one whose rename a crash had left in the page cache only. What it does not list must not
  // go before a manifest that does not list it either is durable.
  if (manifest !== null) yield* removeUnlisted(storage, manifest, names)
  for (const segment of recovered.emptied) segments.retire(segment)

  const room = yield* reserve.look()

  store.system = recovered.system
  const log = new Log(
    active,
    recovered.lastSequence,
    store.settings.appendfsync, // not options.settings: CONFIG SET may have come while it was loading
    store.settings.segmentSizeBytes,
    new Tail(tailShare(store.settings.valueCacheBytes, store.portions.blockBytes), store.portions.blockBytes),
    clock,
    new Fuse(clock, options.synchronousIo),
    {
      onReleased: (flushed) => store.afterRelease(flushed),
      onFailed: (error, what) => store.unwind(store.upkeep.failed(error, what)),
      onRotated: () => store.upkeep.rotated(),
      onSynced: () => {
        store.events.onTook?.('fsync', log.lastSyncMs)
        store.checkStall()
      },
      onWritten: (ms) => store.events.onTook?.('write', ms),
      onBlock: () => store.stallInTurn(),
    },
  )
  log.next = next
  const upkeep = new Upkeep(store, storage, catalog, options.background, reserve, random)
  upkeep.quarantinedBytes = recovered.quarantinedBytes
  // Before the first write can come: a disk that was full when the store ended is full still.
  if (room === 'full') upkeep.diskIsFull()
  store.attach(log, upkeep)
  upkeep.begin()
  logger.notice('The data is loaded', {
    keys: store.keydir.total,
    segments: segments.count,
    tookMs: Math.round(clock.now() - store.loading.startedAt),
  })
}

const withoutRoom = (error: Error): RecoveryError =>
  new RecoveryError(
    'ENOSPC',
    `The disk is full (${error.message}), and nothing is left to give up. Free some space there, then start again; nothing is lost.`,
  )

const hasNoSlot = (error: unknown): boolean => (error as { code?: string }).code === NO_SLOT

const withoutSlot = (error: Error): RecoveryError =>
  new RecoveryError(
    NO_SLOT,
    `The store has as many segments as it can, and its log needs one more (${error.message}). Nothing is lost.`,
  )

// A hint. Of a segment whose data says the same: that of a damaged one may be all there is. And of one that nobody reads: a scrub would call it
// damage. It must not be made again before it has gone.
function* giveUpCache(storage: Storage, segments: Segments): Task<boolean> {
  for (const segment of segments.all()) {
    if (!segment.hinted || segment.damaged || segment.pins > 0) continue
    segment.hinted = false
    segment.hintNotBefore = Number.POSITIVE_INFINITY
    const isGone = yield* attempt(unlink(storage, hintName(segment.number)))
    segment.hintNotBefore = 0
    if (isGone) return true
  }
  return false
}

// What is free is judged by what the system says, and of a quota it may say nothing: then the first write tells.
function* firstSegment(catalog: Catalog, reserve: Reserve): Task<Segment> {
  for (let given = 0; ; given++) {
    try {
      return yield* catalog.createSegment(false)
    } catch (error) {
      if (given === 2 || !isFull(error)) throw error
      yield* attempt(reserve.giveUp())
    }
  }
}

// On a full disk, or with as many segments as there can be, the log begins without a next segment: upkeep makes it later.
function* nextSegment(catalog: Catalog): Task<Segment | null> {
  try {
    return yield* catalog.createSegment(false)
  } catch (error) {
    if (!isFull(error) && !hasNoSlot(error)) throw error
    return null
  }
}

const emptyManifest = (storeId: Buffer): Manifest => ({
  storeId,
  epoch: 0,
  nextSequence: 1,
  nextNumber: 1,
  segments: [],
})

// After a clean stop everything is sealed, and an image of that very epoch says all that reading would find.
function* fromImage(
  store: Bitcask,
  storage: Storage,
  manifest: Manifest | null,
  names: readonly string[],
): Task<Recovered | null> {
  if (manifest === null || manifest.segments.some((segment) => !segment.sealed)) return null
  // A missing segment is for recovery to judge.
  const present = new Set(names)
  if (manifest.segments.some((segment) => !present.has(dataName(segment.number)))) return null
  const image = yield* readImage(storage, manifest.epoch, (bytes) => {
    store.loading.loadedBytes = bytes
  })
  if (image === null) return null
  const { header } = image
  const facts = new Map(header.segments.map((segment) => [segment.number, segment]))
  // An epoch is a small number, and other stores have the same ones.
  const isOurs = ({ number, salt, validBytes }: ManifestSegment): boolean => {
    const fact = facts.get(number)
    return fact?.salt.low === salt.low && fact.salt.high === salt.high && fact.validBytes === validBytes
  }
  if (!manifest.segments.every(isOurs)) return null
  store.adoptKeydir(image.keydir)
  for (const each of manifest.segments) {
    const fact = facts.get(each.number) as (typeof header.segments)[number]
    const segment = store.segments.addAt(fact.slot, each.number, each.salt, each.merged)
    segment.listed = true
    segment.sealed = true
    segment.damaged = each.damaged
    // Its name may have been lost by a sync of the directory that failed in an earlier life (found by power cuts).
    segment.hinted = fact.hinted && present.has(hintName(each.number))
    segment.sizeBytes = each.validBytes
    segment.flushedBytes = each.validBytes
    segment.syncedBytes = each.validBytes
    segment.lowSequence = each.lowSequence
    segment.highSequence = each.highSequence
    segment.lowTime = each.lowTime
    segment.highTime = each.highTime
    segment.liveBytes = fact.liveBytes
    segment.tombstones = fact.tombstones
    segment.tombstoneBytes = fact.tombstoneBytes
  }
  store.databases.decode(Buffer.from(header.databases, 'base64'))
  // Databases that were flushed and not yet freed when the image was made.
  store.doomed.add(
    header.keydir.databases.map(([id]) => id).filter((id) => !store.databases.isMapped(id)),
    0,
  )
  const system =
    header.system === null
      ? { segment: null, offset: 0, bytes: 0, sequence: 0 }
      : {
          segment: store.segments.get(header.system.segment) ?? null,
          offset: header.system.offset,
          bytes: header.system.bytes,
          sequence: header.system.sequence,
        }
  const lastSequence = Math.max(header.lastSequence, manifest.nextSequence - 1)
  return { lastSequence, system, quarantinedBytes: 0, emptied: [] }
}

function* fromSegments(
  store: Bitcask,
  options: EngineOptions,
  catalog: Catalog,
  reserve: Reserve,
  manifest: Manifest | null,
  names: readonly string[],
  age: ManifestAge,
): Task<Recovered> {
  const recovery = new Recovery({
    storage: options.storage,
    clock: options.clock,
    logger: options.logger,
    keydir: store.keydir,
    segments: store.segments,
    databases: store.databases,
    catalog,
    background: options.background,
    portions: store.portions,
    reserve,
    onCorruption: options.onCorruption,
    progress: store.loading,
  })
  if (age === 'doubtful') recovery.lost.push('MANIFEST lists segments that are missing, and not some that are there')
  return yield* recovery.load(manifest, names)
}

/** Drawn in bulk: a merge wants thousands, and each asking costs microseconds. */
const drawn = new Uint32Array(256)
let left = 0

function cryptoRandom(): number {
  if (left === 0) {
    crypto.getRandomValues(drawn)
    left = drawn.length
  }
  return (drawn[--left] as number) / 2 ** 32
}
