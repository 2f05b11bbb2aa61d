// The engine: a Bitcask, embeddable. Knows nothing of RESP, clients or configuration files.
//
// The core is synchronous in memory: every call below answers at once from the keydir, the write buffer and the value cache.
// Whatever the disk has to do happens behind tickets: a write gets a sequence number, `released` says how far acknowledgements
// may go, `flush()` (once a tick) moves it. `dependsOn` collects the newest sequence that the answers given since it was last
// set to zero depend on; the server stamps a reply with it and sends the reply when `released` has reached it.
//
// Slices that come in are borrowed (copied if kept); slices that go out are valid until the next call of the engine.

import type { Slice } from '../base/slice.ts'
import type { Spans } from '../base/spans.ts'

/** No such key. */
export const NONE = -1

/** There are keys, but chance has not met one: a small database among many keys of others. Look with `scan`. */
export const UNLUCKY = -2

/** What onChange tells. A key that is written over by another value has CHANGED; one that is removed too, unless its time ran out. */
export const CHANGED = 0
export const CREATED = 1
export const EXPIRED = 2

/** Gate bits: why commands of some kinds must not run now. Policy opens and closes them, dispatch does one AND. */
export const GATE_LOADING = 1
/** A write or sync of the log failed for good: read-only until restart. Command flag WRITE is refused with MISCONF. */
export const GATE_FAILED = 2
/** The disk is full: commands that grow (flag GROWS) are refused, deletes go on. Opens again by itself. */
export const GATE_FULL = 4
/** Too much acknowledged but unsynced, or too much unreleased: writes are parked (not refused) until `onGate` reports it open. */
export const GATE_STALLED = 8

export type Appendfsync = 'always' | 'everysec' | 'no'

export interface EngineEvents {
  /** `released` moved outside of flush(): replies may leave. */
  onReleased(): void
  /** Unreleased writes with sequences >= first were undone: replies stamped >= first become `message` (MISCONF ...). */
  onFailed(first: number, message: string): void
  /** `gate` changed. */
  onGate(): void
  /** A key's value, expiry or existence changed: CHANGED, CREATED or EXPIRED. Called only while `watching` is true. Physical database. */
  onChange(database: number, key: Slice, change: number): void
  /** A write or sync of the log, or a look for keys whose time has come, took that long. For LATENCY; whoever does not care leaves it out. */
  onTook?(what: 'write' | 'fsync' | 'expire-cycle', ms: number): void
}

export interface Engine {
  /** Sequence of the newest append; of the newest that may be acknowledged; what the answers since the last reset depend on. */
  readonly appended: number
  readonly released: number
  dependsOn: number
  /** Wall clock in ms that expiry is judged by: the server sets it before each command or batch of commands. */
  now: number
  /** GATE_* bits. 0: everything goes. */
  readonly gate: number
  /** For gates.ts: the message of a closed FAILED or FULL gate (without '-'), e.g. 'MISCONF ...'. */
  readonly gateMessage: string
  /** Set while anybody wants to know of changes (WATCH, keyspace events, tracking), so that onChange is not called for nothing. */
  watching: boolean

  // --- reading. `database` is the logical number (SELECT). An entry is a small integer, valid until the next write.
  /** The key's entry, or NONE. An expired key is removed first (a tombstone), or only hidden where that cannot be written. */
  find(database: number, key: Slice): number
  /** A hint that these keys will be looked up next: with many at once that is several times faster. Changes nothing. */
  prefetch(database: number, keys: Spans): void
  typeOf(entry: number): number
  valueSize(entry: number): number
  /** Absolute expiry in ms, 0 when none. */
  expiryOf(entry: number): number
  keyOf(entry: number, into: Slice): Slice
  /** Seconds since last access, for OBJECT IDLETIME and eviction. */
  idleSeconds(entry: number): number
  /** As if last accessed so many seconds ago (at most 2^24 - 2); 0: now. */
  setIdle(entry: number, seconds: number): void
  /** False while a client is served whose reads shall not count as access: `valueOf` then leaves the time of last access alone. */
  readsCount: boolean
  /** True once a value was wanted that is not in memory; set to false by whoever wants to know. */
  missed: boolean
  /** This turn's time for cheap reads is used up: until the next flush(), what is not in memory is better asked for later. */
  readsSpent: boolean
  /** True: the value's bytes are in `into` (memory, or a cheap read under the fuse). False: use `load`. */
  valueOf(entry: number, into: Slice): boolean
  /** The same, and the bytes are the caller's to keep (not to change): those that were brought are shared, others are copied. */
  keepValueOf(entry: number, into: Slice): boolean
  /** Reads the value as it is at this instant, whatever happens to the key afterwards. The slice is the caller's to keep. */
  load(entry: number, done: (error: Error | null, value: Slice | null) => void): PendingRead
  /**
   * For parked commands: true when the key is absent or `valueOf` will succeed for it now.
   * False: call `bring`, and ask again when it is done (the value may have changed meanwhile). The answer holds until the next put or
   * read of another key (the cache may evict); with `keep`, for commands that touch several keys, until the next flush().
   */
  inMemory(database: number, key: Slice, keep: boolean): boolean
  /** Starts reading the value; it stays in memory, for its current sequence, until `drop(ticket)`. Returns the ticket. */
  bring(database: number, key: Slice, done: (error: Error | null) => void): number
  drop(ticket: number): void

  // --- writing. Each call appends a record and changes the keydir at once. Sets dependsOn.
  /** expiry: absolute ms, 0 none. */
  put(database: number, key: Slice, value: Slice, expiry: number): void
  /** New value for an existing key. The value must not point into what valueOf returned after another engine call. */
  overwrite(entry: number, value: Slice, expiry: number): void
  remove(entry: number): void
  /** Sets or (0) takes away the expiry without rewriting the value (a touch record). */
  setExpiry(entry: number, expiry: number): void
  /** Between begin and end every write is one batch: all or nothing after a crash. Nests. */
  begin(): void
  end(): void
  /** Bytes appended in the current batch, 0 outside of one: over MAX_BATCH_BYTES a further write must be refused before it is made. */
  readonly batchBytes: number

  // --- databases
  /** Physical id of a logical database: what onChange reports. SWAPDB and FLUSH change it. */
  physical(database: number): number
  keyCount(database: number): number
  expiringCount(database: number): number
  /** Milliseconds that keys with an expiry have left, on average over some of them; 0 when none was met. */
  averageTtl(database: number): number
  flushDatabase(database: number): void
  flushAll(): void
  swapDatabases(a: number, b: number): void
  /** Visits keys of one database; budget bounds the entries looked at. Returns the next cursor, 0 at the end. Skips expired keys. */
  scan(database: number, cursor: number, budget: number, visit: (entry: number) => void): number
  /** Some key's entry, NONE in an empty database, or UNLUCKY. */
  randomEntry(database: number): number

  /** False: keys whose time has run out are removed when somebody asks for them, not in the background (DEBUG SET-ACTIVE-EXPIRE). */
  expiresInBackground: boolean
  /** Forgets all values in memory, so that they are read from disk again. Keys stay. */
  forgetValues(): void

  // --- durability and upkeep
  /** Calls back when everything appended so far is durable, also across a power cut, or with the error that prevents it. Makes it so. */
  whenSynced(done: (error: Error | null) => void): void
  /** Once a tick, after commands ran: writes what was appended. Replies up to `released` may then leave. */
  flush(): void
  /** SAVE: seals the active segment, syncs everything, makes its hint. */
  seal(done: (error: Error | null) => void): void
  readonly settings: EngineSettings
  /** Changes settings at run time; each takes effect as its comment says. */
  configure(change: Partial<EngineSettings>): void
  readonly merge: MergeControl
  readonly scrub: ScrubControl
  stats(): EngineStats
  /**
   * Commits, syncs, writes hint and keydir image, gives up the lock. Replies must have left before. `isQuick` leaves out hint and
   * image, which only make the next start faster.
   */
  close(done: (error: Error | null) => void, isQuick?: boolean): void
}

/** A value that was asked for. */
export interface PendingRead {
  /** Nobody wants it any more: if it is not being read yet it never will be, and `done` is not called. */
  cancel(): void
}

export interface EngineSettings {
  appendfsync: Appendfsync
  segmentSizeBytes: number
  segmentAgeSeconds: number // 0: never rotate by age
  valueCacheBytes: number
  mergeEnabled: boolean
  mergeIntervalMs: number
  mergeWindow: string // always | never | HH-HH
  mergeRateBytesPerSecond: number // 0: unlimited
  mergeTriggerFragmentation: number // percent of dead records in a segment that starts a merge
  mergeTriggerSegments: number // and so many segments' worth of dead bytes that can be had in all; 0: any
  mergeTriggerDeadBytes: number // or so many dead bytes in a segment
  mergeThresholdFragmentation: number // what is included once a merge runs
  mergeThresholdDeadBytes: number
  mergeThresholdSmallFile: number
  scrubRateBytesPerSecond: number // 0: unlimited; of a running scrub, from its next segment on
}

export interface MergeControl {
  /** Starts a merge in the background. False: one is running already or nothing is worth it. */
  start(): boolean
  /** Starts a merge if none runs, calls back when it has ended, with the bytes freed. */
  wait(done: (error: Error | null, bytesFreed: number) => void): void
  pause(): void
  resume(): void
  status(): MergeStatus
  estimate(): { bytesFreed: number; segments: number }
  /** Counting keys that have expired and are still there takes its time: `step` until it says true, then `segments`. */
  why(): { step(): boolean; segments(): SegmentReason[] }
}

export interface SegmentReason {
  readonly segment: number
  readonly bytes: number
  readonly liveBytes: number
  readonly deadBytes: number
  readonly expiredBytes: number
  readonly tombstones: number
  readonly verdict: string
}

export interface MergeStatus {
  state: 'idle' | 'running' | 'paused' | 'disabled'
  segments: number
  bytesTotal: number
  bytesRead: number
  bytesWritten: number
  merges: number
  failures: number
  lastFreedBytes: number
  lastDurationMs: number
  lastError: string
  nextCheckInMs: number
}

export interface ScrubControl {
  /** Starts reading everything that is sealed, in the background. False: that is going on already. */
  start(): boolean
  /** Starts one unless one runs, calls back when it has ended, with the number of damaged places. */
  wait(done: (error: Error | null, damaged: number) => void): void
  pause(): void
  resume(): void
  /** Ends the running one with an error. False: none runs. */
  cancel(): boolean
  status(): ScrubStatus
}

export interface ScrubStatus {
  state: 'idle' | 'running' | 'paused'
  /** Of the running one, or the last: segments it has to read, has read; the same in bytes; damaged places, and keys that lie in them. */
  segments: number
  segmentsRead: number
  bytesTotal: number
  bytesRead: number
  damaged: number
  damagedKeys: number
  scrubs: number
  /** Those that ended early: cancelled, or the disk could not be asked. */
  failures: number
  lastEndedAt: number // unix ms of the last that came to its end; 0 none
  lastDurationMs: number
  lastSegments: number
  lastBytes: number
  lastDamaged: number
  lastDamagedKeys: number
  lastError: string
}

export interface EngineStats {
  keys: number
  expiring: number
  keydirBytes: number
  cache: { bytes: number; capacity: number; entries: number; hits: number; misses: number; evictions: number }
  segments: number
  /** Of which so many hold damage: they are kept, and no input of a merge. */
  damagedSegments: number
  diskBytes: number
  liveBytes: number
  deadBytes: number
  unsyncedBytes: number
  unreleasedBytes: number
  writes: number
  bytesWritten: number
  syncs: number
  lastSyncMs: number
  coldReads: number
  expired: number
  corruptReads: number
  quarantinedBytes: number
  lastWriteOk: boolean
  lastSeal: number // unix ms of the last seal, close or start
  changesSinceSeal: number
  loading: { active: boolean; startedAt: number; totalBytes: number; loadedBytes: number }
}
