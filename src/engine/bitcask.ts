// The engine itself: keydir, log, cache and segments put together behind the calls of engine.ts.
//
// Every write takes the same three steps: append a record, remember in the undo ring what the keydir said before, change the keydir.
// `write`, `takeOut` and `setExpiry` are those writes, `discard` forgets keys of flushed databases, `undoRow` takes a write back. Outside
// of loading and merge moves nobody else changes an entry: accounting of live bytes, cache, watched keys and undo hang there.

import type { Clock } from '../base/clock.ts'
import { MAX_UNRELEASED_BYTES, MAX_UNSYNCED_MS } from '../base/limits.ts'
import type { Logger } from '../base/logger.ts'
import { Slice, shown } from '../base/slice.ts'
import { MAX_SPANS, type Spans } from '../base/spans.ts'
import { BroughtValues } from './brought.ts'
import { ValueCache } from './cache/value-cache.ts'
import { ColdReads, checkRecord, type ReadDone, RecordPlace } from './cold-reads.ts'
import { DATABASES_KEY, type Databases, type Mapped } from './databases.ts'
import { DoomedDatabases } from './doomed.ts'
import {
  CHANGED,
  CREATED,
  type Engine,
  type EngineEvents,
  type EngineSettings,
  type EngineStats,
  EXPIRED,
  GATE_FAILED,
  GATE_FULL,
  GATE_LOADING,
  GATE_STALLED,
  type MergeControl,
  NONE,
  type PendingRead,
  type ScrubControl,
  UNLUCKY,
} from './engine.ts'
import { ExpiryCycle } from './expiry-cycle.ts'
import type { Fuse } from './fuse.ts'
import type { Keydir } from './keydir/keydir.ts'
import type { Lock } from './lock.ts'
import type { Log } from './log.ts'
import type { Portions } from './portions.ts'
import {
  BATCH_END_BYTES,
  FLAG_EXPIRED,
  FLAG_EXPIRY,
  HEAD_BYTES,
  KIND_BATCH_END,
  KIND_SYSTEM,
  KIND_TOMBSTONE,
  KIND_TOUCH,
  KIND_VALUE,
  recordBytes,
  TOUCH_BYTES,
  TYPE_STRING,
  WIDE_HEAD_BYTES,
  writeUint48,
} from './record.ts'
import type { Segment, Segments } from './segments.ts'
import {
  type SideState,
  UNDO_DATABASES,
  UNDO_INSERT,
  UNDO_REMOVE,
  UNDO_REPLACE,
  UNDO_TOUCH,
  UndoRing,
  type UndoRow,
} from './undo.ts'
import type { Upkeep } from './upkeep.ts'

/** A synchronous read is for small values; a large one takes its time and goes to the threads. */
const SYNCHRONOUS_READ_BYTES = 64 * 1024
/** Keys with an expiry that are looked at for their average time to live. */
const TTL_SAMPLES = 64
/** A record this large is looked at at once: it may alone be too much to have waiting. */
const LARGE_VALUE_BYTES = 1024 * 1024
const RANDOM_TRIES = 128
/** Expired keys that are counted in one go: half a millisecond. */
const EXPIRED_KEYS = 4096
/** An eighth of value-cache-size is for what was just written. */
const TAIL_SHARE = 8
const CLOSING = 'MISCONF The store is closing, writes are refused.'

const NO_KEY = new Slice()
/** The read of a value that was in memory. */
const READ: PendingRead = { cancel: () => {} }

/** Where the newest map of databases lies; segment null before the first one. */
export interface SystemRecord {
  segment: Segment | null
  offset: number
  bytes: number
  sequence: number
}

interface DatabasesBefore {
  readonly mapped: Mapped
  readonly system: SystemRecord
  readonly doomed: number[]
}

export class Bitcask implements Engine {
  dependsOn = 0
  now = 0
  gate = GATE_LOADING
  gateMessage = ''
  watching = false
  readsCount = true
  missed = false
  readsSpent = false
  expiresInBackground = true
  readonly settings: EngineSettings

  keydir: Keydir
  readonly segments: Segments
  readonly databases: Databases
  readonly cache: ValueCache
  readonly events: EngineEvents
  readonly clock: Clock
  readonly logger: Logger
  readonly portions: Portions
  /** Set once loading has come that far (attach). */
  log!: Log
  upkeep!: Upkeep
  system: SystemRecord = { segment: null, offset: 0, bytes: 0, sequence: 0 }
  readonly loading = { active: true, startedAt: 0, totalBytes: 0, loadedBytes: 0 }

  private readonly readFuse: Fuse
  private readonly lock: Lock | null
  /** State of RANDOMKEY's dice: asking the system for each throw would cost two microseconds. */
  private dice: number
  private readonly cold: ColdReads
  private readonly undo = new UndoRing()
  /** Sequence of the newest delete or flush: what a miss depends on. */
  private lastRemoval = 0
  readonly doomed = new DoomedDatabases(this)
  private readonly brought = new BroughtValues()
  private readonly expiryCycle = new ExpiryCycle(this)
  private expiredCount = 0
  private syncTimer: { cancel(): void } | null = null
  /** A stop has begun: no gate is opened or judged any more. */
  closing = false
  private damagedReads = 0
  private tailHits = 0
  private readonly cached = new Int32Array(MAX_SPANS)

  private readonly keySlice = new Slice()
  private readonly valueSlice = new Slice()
  private readonly small = Buffer.alloc(16)
  private readonly smallView = new DataView(this.small.buffer, this.small.byteOffset, 16)
  private readonly smallSlice = new Slice()
  private scratch = Buffer.allocUnsafeSlow(8 * 1024)
  private scratchView = new DataView(this.scratch.buffer, 0, this.scratch.length)

  constructor(parts: {
    keydir: Keydir
    segments: Segments
    databases: Databases
    clock: Clock
    logger: Logger
    readFuse: Fuse
    settings: EngineSettings
    events: EngineEvents
    coldReads: number
    lock: Lock | null
    portions: Portions
    /** [0, 1), asked once. */
    random: () => number
  }) {
    this.keydir = parts.keydir
    this.segments = parts.segments
    this.databases = parts.databases
    this.clock = parts.clock
    this.logger = parts.logger
    this.readFuse = parts.readFuse
    this.lock = parts.lock
    this.portions = parts.portions
    this.dice = Math.floor(parts.random() * 2 ** 32) | 1
    this.settings = parts.settings
    this.events = parts.events
    this.cache = new ValueCache(cacheShare(parts.settings.valueCacheBytes, this.portions.blockBytes))
    this.cold = new ColdReads(parts.segments, parts.coldReads)
    this.loading.startedAt = parts.clock.now()
    this.now = parts.clock.now()
  }

  /** Before anything was loaded: a keydir image takes the place of the empty keydir. */
  adoptKeydir(keydir: Keydir): void {
    this.keydir = keydir
  }

  /** Loading is done: writing can begin. */
  attach(log: Log, upkeep: Upkeep): void {
    this.log = log
    this.upkeep = upkeep
    this.lastRemoval = log.appended
    this.loading.active = false
    this.setGate(GATE_LOADING, false)
    this.expiryCycle.begin()
    this.scheduleSync()
    this.doomed.free()
  }

  get appended(): number {
    return this.loading.active ? 0 : this.log.appended
  }

  get released(): number {
    return this.loading.active ? 0 : this.log.released
  }

  get batchBytes(): number {
    return this.log.inBatch ? this.log.batchBytes : 0
  }

  get merge(): MergeControl {
    return this.upkeep.merger
  }

  get scrub(): ScrubControl {
    return this.upkeep.scrubber
  }

  private depend(sequence: number): void {
    if (sequence > this.dependsOn) this.dependsOn = sequence
  }

  // --- reading

  find(database: number, key: Slice): number {
    const { keydir } = this
    // Which keys there are depends on the map of databases: what a SWAPDB shows must not leave before it.
    this.depend(this.system.sequence)
    const entry = keydir.find(this.databases.physical[database] as number, key)
    if (entry === NONE) {
      this.depend(this.lastRemoval)
      return NONE
    }
    if (keydir.hasRow(entry)) {
      const expiry = keydir.expiry(entry)
      if (expiry !== 0 && expiry < this.now) {
        this.expire(entry)
        this.depend(this.lastRemoval)
        return NONE
      }
      this.depend(keydir.touchSequence(entry))
    }
    this.depend(keydir.sequence(entry))
    return entry
  }

  prefetch(database: number, keys: Spans): void {
    const { keydir, segments, log, cached } = this
    const { found } = keydir
    const count = keydir.prefetch(this.databases.physical[database] as number, keys)
    if (this.loading.active) return
    let some = 0
    for (let i = 0; i < count; i++) {
      const entry = found[i] as number
      if (!keydir.wasRead(entry)) continue
      const segment = segments.at(keydir.segment(entry))
      const offset = keydir.offset(entry)
      if (offset >= segment.residentFrom) log.tail.touch(segment, offset)
      else cached[some++] = entry
    }
    if (some > 1) this.cache.prefetch(cached, some)
  }

  typeOf(entry: number): number {
    return this.keydir.type(entry)
  }

  valueSize(entry: number): number {
    return this.keydir.valueSize(entry)
  }

  expiryOf(entry: number): number {
    return this.keydir.hasRow(entry) ? this.keydir.expiry(entry) : 0
  }

  keyOf(entry: number, into: Slice): Slice {
    return this.keydir.key(entry, into)
  }

  idleSeconds(entry: number): number {
    return (Math.floor(this.now / 1000) - this.keydir.accessClock(entry)) & 0xffffff
  }

  setIdle(entry: number, seconds: number): void {
    this.keydir.setAccessClock(entry, (Math.floor(this.now / 1000) - seconds) & 0xffffff)
  }

  valueOf(entry: number, into: Slice): boolean {
    const { keydir } = this
    keydir.markRead(entry, this.readsCount ? Math.floor(this.now / 1000) & 0xffffff : keydir.accessClock(entry))
    return this.inHand(entry, into) || this.readNow(entry, into)
  }

  keepValueOf(entry: number, into: Slice): boolean {
    if (!this.valueOf(entry, into)) return false
    const brought = this.brought.valueOf(entry, this.keydir.sequence(entry))
    into.set(brought ?? into.copy(), 0, into.length)
    return true
  }

  // The log's tail, the cache, values kept for a parked command: no disk.
  private inHand(entry: number, into: Slice): boolean {
    const { keydir } = this
    const segment = this.segments.at(keydir.segment(entry))
    const offset = keydir.offset(entry)
    if (offset >= segment.residentFrom) {
      const { tail } = this.log
      if (tail.find(segment, offset)) {
        const start = tail.at + (keydir.wide(entry) ? WIDE_HEAD_BYTES : HEAD_BYTES) + keydir.keyLength(entry)
        into.set(tail.bytes, start, start + keydir.valueSize(entry))
        this.tailHits++
        return true
      }
    }
    const sequence = keydir.sequence(entry)
    if (this.cache.get(entry, sequence, into)) return true
    const brought = this.brought.anyOf(entry, sequence)
    if (brought === null) return false
    into.set(brought, 0, brought.length)
    return true
  }

  // One synchronous read, if the fuse allows it: the page cache nearly always has what the value cache has not.
  private readNow(entry: number, into: Slice): boolean {
    const { keydir } = this
    const segment = this.segments.at(keydir.segment(entry))
    const { file } = segment
    const length = this.recordLength(entry)
    this.missed = true
    if (file === null || segment.syncing || length > SYNCHRONOUS_READ_BYTES || !this.readFuse.begin()) return false
    if (length > this.scratch.length) {
      this.scratch = Buffer.allocUnsafeSlow(SYNCHRONOUS_READ_BYTES)
      this.scratchView = new DataView(this.scratch.buffer, 0, this.scratch.length)
    }
    const offset = keydir.offset(entry)
    let n = 0
    try {
      n = file.readSync(this.scratch, 0, length, offset)
    } catch {
      // The slower way round meets the same error and reports it.
    }
    this.readFuse.end()
    this.readsSpent = this.readFuse.isSpent
    if (n !== length) return false
    const key = keydir.key(entry, this.keySlice)
    const database = keydir.database(entry)
    const sequence = keydir.sequence(entry)
    if (!checkRecord(this.scratch, this.scratchView, n, segment.salt, offset, database, key, sequence, into))
      return false
    segment.recentlyUsed = true
    this.cold.count++
    this.cache.put(entry, sequence, into.bytes, into.start, into.end)
    return true
  }

  load(entry: number, done: ReadDone): PendingRead {
    if (this.inHand(entry, this.valueSlice)) {
      const copy = this.valueSlice.copy()
      done(null, new Slice(copy))
      return READ
    }
    const sequence = this.keydir.sequence(entry)
    const place = this.placeOf(entry)
    return this.cold.read(place, (error, value) => {
      if (error === null && value !== null) {
        // The entry's number may be somebody else's by now; its sequence cannot be.
        if (this.keydir.sequence(entry) === sequence && this.keydir.isLinked(entry)) {
          this.cache.put(entry, sequence, value.bytes, value.start, value.end)
        }
      } else if (error !== null) {
        this.damagedReads++
        this.logger.warning('A value could not be read', { error: error.message, key: shown(place.key) })
      }
      done(error, value)
    })
  }

  private placeOf(entry: number): RecordPlace {
    const { keydir } = this
    const key = new Slice(keydir.key(entry, this.keySlice).copy())
    const segment = this.segments.at(keydir.segment(entry))
    const length = this.recordLength(entry)
    return new RecordPlace(segment, keydir.offset(entry), length, keydir.database(entry), key, keydir.sequence(entry))
  }

  inMemory(database: number, key: Slice, keep: boolean): boolean {
    const entry = this.find(database, key)
    if (entry === NONE) return true
    const value = this.valueSlice
    const inHand = this.inHand(entry, value)
    if (!inHand && !this.readNow(entry, value)) return false
    // What was just read may not have been taken into the cache, and with several keys the next read or write may evict this one.
    if (keep || !inHand) {
      const sequence = this.keydir.sequence(entry)
      this.brought.keep(entry, sequence, this.brought.valueOf(entry, sequence) ?? value.copy())
    }
    return true
  }

  bring(database: number, key: Slice, done: (error: Error | null) => void): number {
    const entry = this.find(database, key)
    if (entry === NONE) {
      done(null)
      return this.brought.ticket(NONE, 0)
    }
    const sequence = this.keydir.sequence(entry)
    const ticket = this.brought.ticket(entry, sequence)
    this.load(entry, (error, value) => {
      if (error === null && value !== null) {
        const isCurrent = this.keydir.sequence(entry) === sequence
        this.brought.came(entry, sequence, value.bytes.subarray(value.start, value.end), isCurrent)
      }
      done(error)
    })
    return ticket
  }

  drop(ticket: number): void {
    this.brought.drop(ticket)
  }

  // --- writing

  put(database: number, key: Slice, value: Slice, expiry: number): void {
    const physical = this.databases.physical[database] as number
    let entry = this.keydir.find(physical, key)
    if (this.watching && entry !== NONE && this.isExpired(entry)) {
      this.expire(entry) // nobody has noticed it yet, and it is to be told before the key is there again
      entry = this.keydir.find(physical, key)
    }
    this.write(entry, physical, key, value, expiry)
  }

  overwrite(entry: number, value: Slice, expiry: number): void {
    this.write(entry, this.keydir.database(entry), this.keydir.key(entry, this.keySlice), value, expiry)
  }

  private write(entry: number, database: number, key: Slice, value: Slice, expiry: number): void {
    const flags = expiry === 0 ? 0 : FLAG_EXPIRY
    const { log } = this
    const sequence = log.append(KIND_VALUE, TYPE_STRING, flags, database, key, value, expiry, this.now)
    const valueSize = value.end - value.start
    const isNew = entry === NONE
    let wasRead = false
    if (isNew) {
      entry = this.keydir.insert(database, key)
      this.undo.pushInsert(sequence, entry)
    } else {
      wasRead = this.keydir.wasRead(entry)
      this.replace(entry, sequence)
    }
    const { active } = log
    active.liveBytes += recordBytes(flags, key.end - key.start, valueSize)
    this.keydir.place(entry, active.slot, log.offset, valueSize, sequence, TYPE_STRING, flags !== 0)
    this.keydir.setAccessClock(entry, Math.floor(this.now / 1000) & 0xffffff)
    if (expiry !== 0 || this.keydir.hasRow(entry)) {
      this.keydir.setExpiry(entry, expiry)
      this.keydir.setTouch(entry, 0, 0, 0)
    }
    // A value that was read and is written anew will be read again. What is only written needs no room in the cache: the tail has it for a while.
    // From the block, not from `value`: that one may lie in the cache itself (RENAME), in a page that this put evicts.
    if (wasRead) this.cache.put(entry, sequence, log.lastBytes, log.lastValueAt, log.lastValueAt + valueSize)
    this.dependsOn = sequence
    if (valueSize >= LARGE_VALUE_BYTES) this.checkStall()
    if (this.watching) this.events.onChange(database, key, isNew ? CREATED : CHANGED)
  }

  // The entry is about to get a new place: its old one is dead, and remembered.
  private replace(entry: number, sequence: number): void {
    const { keydir } = this
    const segment = keydir.segment(entry)
    this.segments.at(segment).liveBytes -= this.recordLength(entry)
    this.undo.push(
      UNDO_REPLACE,
      sequence,
      entry,
      segment,
      keydir.offset(entry),
      keydir.valueSize(entry),
      keydir.type(entry),
      keydir.wide(entry),
      keydir.sequence(entry),
      this.takeSide(entry),
    )
  }

  // What the side row says; the touch it names is dead from now on. Null for the many entries without one.
  private takeSide(entry: number): SideState | null {
    const { keydir } = this
    if (!keydir.hasRow(entry)) return null
    const side = {
      expiry: keydir.expiry(entry),
      touchSequence: keydir.touchSequence(entry),
      touchSegment: keydir.touchSegment(entry),
      touchOffset: keydir.touchOffset(entry),
    }
    if (side.touchSequence !== 0) this.segments.at(side.touchSegment).liveBytes -= this.touchLength(entry, side.expiry)
    return side
  }

  remove(entry: number): void {
    this.takeOut(entry, 0)
  }

  private takeOut(entry: number, flags: number): void {
    const { keydir } = this
    const database = keydir.database(entry)
    const key = keydir.key(entry, this.keySlice)
    const sequence = this.log.append(KIND_TOMBSTONE, 0, flags, database, key, null, 0, this.now)
    this.debit(entry)
    // The row's place is the tombstone's: what it is counted as goes with it.
    this.undo.push(UNDO_REMOVE, sequence, entry, this.log.active.slot, this.log.offset, 0, 0, false, 0, null)
    keydir.unlink(entry)
    this.cache.remove(entry)
    this.lastRemoval = sequence
    this.dependsOn = sequence
    if (this.watching) this.events.onChange(database, key, (flags & FLAG_EXPIRED) !== 0 ? EXPIRED : CHANGED)
  }

  setExpiry(entry: number, expiry: number): void {
    const { keydir, log } = this
    const database = keydir.database(entry)
    const key = keydir.key(entry, this.keySlice)
    writeUint48(this.smallView, 0, keydir.sequence(entry))
    const reference = this.smallSlice.set(this.small, 0, TOUCH_BYTES)
    const flags = expiry === 0 ? 0 : FLAG_EXPIRY
    const sequence = log.append(KIND_TOUCH, 0, flags, database, key, reference, expiry, this.now)
    const before = this.takeSide(entry) ?? { expiry: 0, touchSequence: 0, touchSegment: 0, touchOffset: 0 }
    this.undo.push(UNDO_TOUCH, sequence, entry, 0, 0, 0, 0, false, 0, before)
    keydir.setExpiry(entry, expiry)
    keydir.setTouch(entry, sequence, log.active.slot, log.offset)
    log.active.liveBytes += this.touchLength(entry, expiry)
    this.dependsOn = sequence
    if (this.watching) this.events.onChange(database, key, CHANGED)
  }

  averageTtl(database: number): number {
    const { keydir } = this
    const physical = this.databases.physical[database] as number
    let sum = 0
    let count = 0
    keydir.sampleRows(this.roll(), TTL_SAMPLES, (entry) => {
      const expiry = keydir.isLinked(entry) ? keydir.expiry(entry) : 0
      if (expiry === 0 || keydir.database(entry) !== physical) return
      sum += Math.max(0, expiry - this.now)
      count++
    })
    return count === 0 ? 0 : Math.floor(sum / count)
  }

  begin(): void {
    this.log.beginBatch()
  }

  end(): void {
    const first = this.log.batchStart
    const count = this.log.endBatch()
    if (count === 0) return
    writeUint48(this.smallView, 0, first)
    this.smallView.setUint32(6, count, true)
    const body = this.smallSlice.set(this.small, 0, BATCH_END_BYTES)
    this.dependsOn = this.log.append(KIND_BATCH_END, 0, 0, 0, NO_KEY, body, 0, this.now)
  }

  /**
   * A delete like any other. Where none can be made, or the full disk has no more room for those that nobody asked for, the key is only not
   * shown. Says whether it went.
   */
  expire(entry: number): boolean {
    if ((this.gate & (GATE_LOADING | GATE_FAILED)) !== 0 || this.closing) return false
    if ((this.gate & GATE_FULL) !== 0 && !this.upkeep.mayExpire(recordBytes(0, this.keydir.keyLength(entry), 0)))
      return false
    this.takeOut(entry, FLAG_EXPIRED)
    this.expiredCount++
    return true
  }

  // --- databases

  physical(database: number): number {
    return this.databases.physical[database] as number
  }

  keyCount(database: number): number {
    this.depend(this.appended) // 0 while loading, when INFO asks
    return this.keydir.count(this.physical(database))
  }

  expiringCount(database: number): number {
    this.depend(this.appended) // 0 while loading, when INFO asks
    return this.keydir.expiring(this.physical(database))
  }

  flushDatabase(database: number): void {
    if (this.keydir.count(this.physical(database)) > 0) this.flushSome([database])
    else this.depend(this.lastRemoval)
  }

  flushAll(): void {
    const filled = [...this.databases.physical.keys()].filter((n) => this.keydir.count(this.physical(n)) > 0)
    if (filled.length > 0) this.flushSome(filled)
    else this.depend(this.lastRemoval)
  }

  private flushSome(databases: readonly number[]): void {
    const before = this.databases.mapped(databases)
    const doomed = databases.map((n) => this.databases.renew(n))
    this.appendDatabases(before, doomed)
    this.doomed.add(doomed, this.log.appended)
    this.lastRemoval = this.log.appended
    this.doomed.free()
  }

  swapDatabases(a: number, b: number): void {
    if (a === b) return
    const before = this.databases.mapped([a, b])
    this.databases.swap(a, b)
    this.appendDatabases(before, [])
    this.lastRemoval = this.log.appended
  }

  private appendDatabases(mapped: Mapped, doomed: number[]): void {
    const { log } = this
    const key = this.keySlice.set(DATABASES_KEY, 0, DATABASES_KEY.length)
    const map = this.databases.encode()
    const sequence = log.append(KIND_SYSTEM, 0, 0, 0, key, this.valueSlice.set(map, 0, map.length), 0, this.now)
    const system = { ...this.system }
    this.creditSystem(-1)
    const bytes = recordBytes(0, DATABASES_KEY.length, map.length)
    this.system = { segment: log.active, offset: log.offset, bytes, sequence }
    this.creditSystem(1)
    const row: DatabasesBefore = { mapped, system, doomed }
    this.undo.push(UNDO_DATABASES, sequence, 0, 0, 0, 0, 0, false, 0, row)
    this.dependsOn = sequence
  }

  private creditSystem(sign: number): void {
    if (this.system.segment !== null) this.system.segment.liveBytes += sign * this.system.bytes
  }

  /** Forgets an entry without a record: of flushed databases, or of a write that is undone. */
  discard(entry: number): void {
    this.debit(entry)
    this.keydir.unlink(entry)
    this.cache.remove(entry)
    this.keydir.free(entry)
  }

  scan(database: number, cursor: number, budget: number, visit: (entry: number) => void): number {
    this.depend(this.log.appended)
    const { keydir } = this
    const physical = this.physical(database)
    return keydir.scan(cursor, budget, (entry) => {
      if (keydir.database(entry) === physical && !this.isExpired(entry)) visit(entry)
    })
  }

  randomEntry(database: number): number {
    this.depend(this.log.appended)
    const { keydir } = this
    const physical = this.physical(database)
    if (keydir.count(physical) === 0) return NONE
    const good = (entry: number): boolean => keydir.database(entry) === physical && !this.isExpired(entry)
    for (let n = 0; n < RANDOM_TRIES; n++) {
      const entry = Math.floor(this.roll() * keydir.capacity)
      if (keydir.isLinked(entry) && good(entry)) return entry
    }
    return UNLUCKY
  }

  // Xorshift, [0, 1).
  private roll(): number {
    let x = this.dice
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.dice = x
    return (x >>> 0) / 2 ** 32
  }

  private isExpired(entry: number): boolean {
    if (!this.keydir.hasRow(entry)) return false
    const expiry = this.keydir.expiry(entry)
    return expiry !== 0 && expiry < this.now
  }

  // --- accounting

  private recordLength(entry: number): number {
    const { keydir } = this
    return (keydir.wide(entry) ? WIDE_HEAD_BYTES : HEAD_BYTES) + keydir.keyLength(entry) + keydir.valueSize(entry)
  }

  private touchLength(entry: number, expiry: number): number {
    return recordBytes(expiry === 0 ? 0 : FLAG_EXPIRY, this.keydir.keyLength(entry), TOUCH_BYTES)
  }

  /** The entry's records (value and touch) are dead (sign -1) or live (+1). */
  credit(entry: number, sign: number): void {
    const { keydir } = this
    this.segments.at(keydir.segment(entry)).liveBytes += sign * this.recordLength(entry)
    if (keydir.hasRow(entry) && keydir.touchSequence(entry) !== 0) {
      const length = this.touchLength(entry, keydir.expiry(entry))
      this.segments.at(keydir.touchSegment(entry)).liveBytes += sign * length
    }
  }

  private debit(entry: number): void {
    this.credit(entry, -1)
  }

  /** Adds to `bytes`, by segment number, those of keys past their expiry that the cycle has not removed yet: of some, from `places` on. */
  expiredBytes(places: number[], bytes: Map<number, number>): void {
    this.keydir.visitExpired(this.now, places, EXPIRED_KEYS, (entry) => {
      const { number } = this.segments.at(this.keydir.segment(entry))
      bytes.set(number, (bytes.get(number) ?? 0) + this.recordLength(entry))
    })
  }

  // --- released and undone

  /** The log says so: writes up to its `released` stand. */
  afterRelease(flushed: boolean): void {
    this.undo.release(this.log.released, this.freeEntry)
    this.doomed.goOn()
    if (flushed) return
    this.checkStall()
    this.events.onReleased()
  }

  private readonly freeEntry = (entry: number): void => this.keydir.free(entry)

  /** The log failed: everything after `released` never happened. */
  unwind(message: string): void {
    const { released } = this.log
    this.undo.unwind(released, this.undoRow)
    this.brought.forgetKept()
    if (this.lastRemoval > released) this.lastRemoval = released
    this.events.onFailed(released + 1, message)
  }

  private readonly undoRow = (row: UndoRow): void => {
    const { keydir } = this
    const { entry } = row
    switch (row.operation) {
      case UNDO_INSERT:
        this.discard(entry)
        return
      case UNDO_REPLACE:
        this.debit(entry)
        keydir.place(entry, row.segment, row.offset, row.valueSize, row.before, row.type, row.wide)
        this.restoreSide(entry, row.extra as SideState | null)
        this.credit(entry, 1)
        this.cache.remove(entry)
        return
      case UNDO_REMOVE: {
        keydir.relink(entry)
        this.credit(entry, 1)
        const tombstoneIn = this.segments.at(row.segment)
        tombstoneIn.tombstones--
        tombstoneIn.tombstoneBytes -= recordBytes(0, keydir.keyLength(entry), 0)
        return
      }
      case UNDO_TOUCH:
        this.debit(entry)
        this.restoreSide(entry, row.extra as SideState)
        this.credit(entry, 1)
        return
      case UNDO_DATABASES: {
        const before = row.extra as DatabasesBefore
        this.databases.restore(before.mapped)
        this.doomed.restore(before.doomed)
        this.creditSystem(-1)
        this.system = before.system
        this.creditSystem(1)
        return
      }
    }
  }

  private restoreSide(entry: number, side: SideState | null): void {
    const { keydir } = this
    if (side === null && !keydir.hasRow(entry)) return
    keydir.setExpiry(entry, side === null ? 0 : side.expiry)
    if (side === null) keydir.setTouch(entry, 0, 0, 0)
    else keydir.setTouch(entry, side.touchSequence, side.touchSegment, side.touchOffset)
  }

  // --- gates, durability, upkeep

  setGate(bit: number, closed: boolean, message = ''): void {
    // What is written beside a stop lies behind the end that the stop records: nothing opens a gate any more.
    if (this.closing && !closed) return
    const gate = closed ? this.gate | bit : this.gate & ~bit
    if (message !== '') this.gateMessage = message
    if (gate === this.gate) return
    this.gate = gate
    this.events.onGate()
  }

  flush(): void {
    this.readFuse.tick()
    this.readsSpent = false
    this.brought.forgetKept()
    const { log } = this
    if (this.loading.active) return
    if (log.unwrittenBytes > 0) {
      log.flush()
      this.checkStall()
    }
  }

  /** Parks writes while too much is unreleased, or acknowledged bytes have waited too long for their sync. */
  checkStall(): void {
    const { log } = this
    const late =
      log.mode === 'everysec' && log.unsyncedSince !== 0 && this.clock.monotonic() - log.unsyncedSince > MAX_UNSYNCED_MS
    this.setGate(GATE_STALLED, !log.failed && (late || log.unreleasedBytes > MAX_UNRELEASED_BYTES || log.isCrowded))
  }

  /**
   * The log needs another block. One turn may bring many values before flush() asks, so writes are parked from here on if they are too
   * many. Only closes: an open gate lets parked commands run, and this is in the middle of one.
   */
  stallInTurn(): void {
    const { log } = this
    if (log.unreleasedBytes > MAX_UNRELEASED_BYTES || log.isCrowded) this.setGate(GATE_STALLED, true)
  }

  private scheduleSync(): void {
    this.syncTimer = this.clock.after(1000, () => {
      if (this.closing) return
      if (this.log.mode === 'everysec' && this.log.unsyncedBytes > 0) this.log.sync()
      this.checkStall()
      this.upkeep.everySecond()
      this.scheduleSync()
    })
  }

  seal(done: (error: Error | null) => void): void {
    this.upkeep.seal(done)
  }

  whenSynced(done: (error: Error | null) => void): void {
    this.log.whenSynced(this.log.appended, done)
  }

  forgetValues(): void {
    const { capacity } = this.cache.stats()
    this.cache.resize(0)
    this.cache.resize(capacity)
    const { tail } = this.log
    const { keepBytes } = tail
    tail.keepBytes = 0
    tail.trim()
    tail.keepBytes = keepBytes
  }

  configure(change: Partial<EngineSettings>): void {
    Object.assign(this.settings, change)
    if (change.valueCacheBytes !== undefined) {
      this.cache.resize(cacheShare(change.valueCacheBytes, this.portions.blockBytes))
      this.trimCache()
      if (!this.loading.active) this.log.tail.keepBytes = tailShare(change.valueCacheBytes, this.portions.blockBytes)
    }
    if (this.gate & GATE_LOADING) return
    if (change.appendfsync !== undefined) this.log.setMode(change.appendfsync)
    if (change.segmentSizeBytes !== undefined) this.log.segmentSizeBytes = change.segmentSizeBytes
    if (change.mergeRateBytesPerSecond !== undefined) this.upkeep.merger.limit(change.mergeRateBytesPerSecond)
    if (change.scrubRateBytesPerSecond !== undefined) this.upkeep.scrubber.limit(change.scrubRateBytesPerSecond)
    this.upkeep.merger.reconsider()
  }

  // A smaller cache gives its pages back one a turn: emptying gigabytes takes its time.
  private trimCache(): void {
    if (this.cache.trim() && !this.closing) this.clock.soon(() => this.trimCache())
  }

  stats(): EngineStats {
    let damagedSegments = 0
    let diskBytes = 0
    let liveBytes = 0
    let deadBytes = 0
    for (const segment of this.segments.all()) {
      if (segment.damaged) damagedSegments++
      diskBytes += segment.sizeBytes
      liveBytes += segment.liveBytes
      deadBytes += segment.deadBytes
    }
    const { log, upkeep, keydir } = this
    const ready = !this.loading.active
    let keys = 0
    let expiring = 0
    for (const id of this.databases.physical) {
      keys += keydir.count(id)
      expiring += keydir.expiring(id)
    }
    return {
      keys,
      expiring,
      keydirBytes: keydir.bytes().total,
      cache: this.cacheStats(),
      segments: this.segments.count,
      damagedSegments,
      diskBytes,
      liveBytes,
      deadBytes,
      unsyncedBytes: ready ? log.unsyncedBytes : 0,
      unreleasedBytes: ready ? log.unreleasedBytes : 0,
      writes: ready ? log.appended : 0,
      bytesWritten: ready ? log.bytesWritten : 0,
      syncs: ready ? log.syncs : 0,
      lastSyncMs: ready ? log.lastSyncMs : 0,
      coldReads: this.cold.count,
      expired: this.expiredCount,
      corruptReads: this.damagedReads,
      quarantinedBytes: ready ? upkeep.quarantinedBytes : 0,
      lastWriteOk: !ready || (!log.failed && (this.gate & (GATE_FAILED | GATE_FULL)) === 0),
      lastSeal: ready ? upkeep.lastSeal : 0,
      changesSinceSeal: ready ? log.appended - upkeep.sequenceAtSeal : 0,
      loading: this.loading,
    }
  }

  private cacheStats(): EngineStats['cache'] {
    const stats = this.cache.stats()
    const tailBytes = this.loading.active ? 0 : this.log.tail.heldBytes
    return {
      ...stats,
      bytes: stats.bytes + tailBytes,
      capacity: this.settings.valueCacheBytes,
      hits: stats.hits + this.tailHits,
    }
  }

  /** Calls back when no value is on its way from a file. */
  whenNothingIsRead(done: () => void): void {
    this.cold.whenIdle(done)
  }

  close(done: (error: Error | null) => void, isQuick = false): void {
    if (this.closing || this.loading.active) return done(new Error('not open'))
    // First of all: a write from now on would be acknowledged, and forgotten by the next start.
    this.setGate(GATE_FAILED, true, CLOSING)
    this.closing = true
    this.expiryCycle.end()
    this.doomed.goOn()
    this.syncTimer?.cancel()
    this.upkeep.close(isQuick, (error) => {
      this.lock?.release()
      done(error)
    })
  }
}

/** Of value-cache-size: what the log's tail may keep (whole blocks), and what is the cache's own. */
export function tailShare(valueCacheBytes: number, blockBytes: number): number {
  return Math.floor(valueCacheBytes / TAIL_SHARE / blockBytes) * blockBytes
}

function cacheShare(valueCacheBytes: number, blockBytes: number): number {
  return valueCacheBytes - tailShare(valueCacheBytes, blockBytes)
}
