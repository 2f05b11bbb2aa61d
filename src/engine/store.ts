// The engine for programs that embed it: promises over the callbacks, buffers instead of slices, one database.
//
//   const store = await openStore('./data')
//   await store.put(Buffer.from('a'), Buffer.from('1'))    resolves when the write is as durable as `appendfsync` promises
//   await store.get(Buffer.from('a'))                      Buffer, or null
//   await store.close()
//
// It adds what the server's tick does: writes of one turn of the event loop go to disk in one piece, a promise resolves when the
// released position has reached what its answer depends on, and writes wait, in their order, while too much is unwritten or unsynced.

import { systemClock } from '../base/clock.ts'
import { MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES } from '../base/limits.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import { Slice } from '../base/slice.ts'
import {
  type Engine,
  type EngineSettings,
  type EngineStats,
  GATE_FAILED,
  GATE_FULL,
  GATE_STALLED,
  NONE,
} from './engine.ts'
import { openEngine } from './open.ts'

const MIB = 1024 * 1024
const NOTHING = Buffer.alloc(0)

export const defaultSettings: EngineSettings = {
  appendfsync: 'everysec',
  segmentSizeBytes: 128 * MIB,
  segmentAgeSeconds: 0,
  valueCacheBytes: 128 * MIB,
  mergeEnabled: true,
  mergeIntervalMs: 180_000,
  mergeWindow: 'always',
  mergeRateBytesPerSecond: 0,
  mergeTriggerFragmentation: 60,
  mergeTriggerSegments: 3,
  mergeTriggerDeadBytes: 512 * MIB,
  mergeThresholdFragmentation: 40,
  mergeThresholdDeadBytes: 128 * MIB,
  mergeThresholdSmallFile: 10 * MIB,
  scrubRateBytesPerSecond: 32 * MIB,
}

export interface StoreOptions extends Partial<EngineSettings> {
  readonly logger?: Logger
}

export interface PutOptions {
  /** Absolute, in ms since 1970. */
  readonly expiresAt?: number
}

/** One write of a batch. */
export type Write =
  | { readonly put: Buffer; readonly value: Buffer; readonly expiresAt?: number }
  | { readonly remove: Buffer }

/**
 * Opens the store in a directory, which is made if it is missing. Rejects when the directory is in use (ELOCKED), damaged (EDAMAGED) or
 * written by a newer version (EUNSUPPORTED).
 */
export async function openStore(directory: string, options: StoreOptions = {}): Promise<Store> {
  const { logger = silentLogger, ...settings } = options
  return new Promise((resolve, reject) => {
    const releases = new Releases()
    openEngine(
      {
        directory,
        clock: systemClock,
        logger,
        settings: { ...defaultSettings, ...settings },
        databases: 1,
        onCorruption: 'refuse',
        unsafeNoLock: false,
        coldReads: 2,
        synchronousIo: true,
        reserveBytes: 64 * MIB,
      },
      releases,
      (error, engine) => {
        if (error !== null || engine === null) reject(error)
        else resolve(new Store(engine, releases))
      },
    )
  })
}

export class Store {
  private readonly engine: Engine
  private readonly releases: Releases
  private isClosed = false
  /** Writes that wait for the end of a stall, in their order. */
  private readonly parked: (() => void)[] = []
  private isResuming = false
  private readonly key = new Slice()
  private readonly value = new Slice()

  constructor(engine: Engine, releases: Releases) {
    this.engine = engine
    this.releases = releases
    releases.engine = engine
    releases.onGate = () => this.resume()
  }

  /** The value, or null. Rejects when it is damaged on disk: never an older one. */
  async get(key: Buffer): Promise<Buffer | null> {
    const entry = this.find(key)
    const stamp = this.engine.dependsOn
    const value = entry === NONE ? null : await this.read(entry)
    await this.released(stamp)
    return value
  }

  /** Writes a value. Rejects with MISCONF in the message when the disk is full or has failed. */
  put(key: Buffer, value: Buffer, options: PutOptions = {}): Promise<void> {
    return this.batch([{ put: key, value, ...options }])
  }

  /** True when there was something to remove. */
  async remove(key: Buffer): Promise<boolean> {
    const own = this.mustPark ? Buffer.from(key) : key
    const { isThere, stamp } = await this.inTurn(() => this.takeOut(own))
    await this.released(stamp)
    return isThere
  }

  private takeOut(key: Buffer): { isThere: boolean; stamp: number } {
    const entry = this.find(key)
    if (entry !== NONE) {
      this.refuseIfClosed(GATE_FAILED)
      this.engine.remove(entry)
    }
    return { isThere: entry !== NONE, stamp: this.engine.dependsOn }
  }

  /** Several writes, all or nothing also after a crash. Rejects, having done nothing, what is larger than a record or a batch may be. */
  async batch(writes: readonly Write[]): Promise<void> {
    checkWrites(writes)
    const own = this.mustPark ? writes.map(copyOf) : writes
    await this.released(await this.inTurn(() => this.write(own)))
  }

  private write(writes: readonly Write[]): number {
    const { engine } = this
    this.refuseIfClosed(GATE_FAILED | GATE_FULL)
    engine.now = systemClock.now()
    engine.dependsOn = 0
    if (writes.length > 1) engine.begin()
    for (const write of writes) {
      if ('put' in write) engine.put(0, this.keyOf(write.put), this.valueOf(write.value), write.expiresAt ?? 0)
      else {
        const entry = engine.find(0, this.keyOf(write.remove))
        if (entry !== NONE) engine.remove(entry)
      }
    }
    if (writes.length > 1) engine.end()
    return engine.dependsOn
  }

  /** All keys, in no order. A key that is there from the first to the last is given exactly once. */
  async *keys(): AsyncGenerator<Buffer> {
    let cursor = 0
    do {
      this.refuseIfLeft()
      const found: Buffer[] = []
      this.engine.now = systemClock.now()
      cursor = this.engine.scan(0, cursor, 1024, (entry) => found.push(this.engine.keyOf(entry, this.key).copy()))
      yield* found
    } while (cursor !== 0)
  }

  /** Compacts what can be compacted. Resolves with the bytes freed. */
  merge(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.engine.merge.wait((error, freed) => (error === null ? resolve(freed) : reject(error)))
    })
  }

  /** Makes everything written so far durable, whatever `appendfsync` says. */
  sync(): Promise<void> {
    return new Promise((resolve, reject) => this.engine.seal((error) => (error === null ? resolve() : reject(error))))
  }

  stats(): EngineStats {
    return this.engine.stats()
  }

  close(): Promise<void> {
    this.isClosed = true
    return new Promise((resolve, reject) => this.engine.close((error) => (error === null ? resolve() : reject(error))))
  }

  /** Makes a write at once, or when the stall is over and those that came before it are made. */
  private inTurn<T>(write: () => T): T | Promise<T> {
    if (!this.mustPark) return write()
    return new Promise((resolve, reject) => {
      this.parked.push(() => {
        try {
          resolve(write())
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  private get mustPark(): boolean {
    return this.isStalled || this.parked.length > 0
  }

  // A store that has failed, or is closing, lets nothing wait: it refuses.
  private get isStalled(): boolean {
    return (this.engine.gate & (GATE_STALLED | GATE_FAILED)) === GATE_STALLED
  }

  // Not at once, as the gate may open in the middle of a write; and one after the other, as each may close it again.
  private resume(): void {
    if (this.isResuming || this.parked.length === 0) return
    this.isResuming = true
    systemClock.soon(() => {
      this.isResuming = false
      while (!this.isStalled && this.parked.length > 0) this.parked.shift()?.()
    })
  }

  private find(key: Buffer): number {
    this.refuseIfLeft()
    this.engine.now = systemClock.now()
    this.engine.dependsOn = 0
    return this.engine.find(0, this.keyOf(key))
  }

  private read(entry: number): Promise<Buffer | null> | Buffer {
    if (this.engine.valueOf(entry, this.value)) return this.value.copy()
    return new Promise((resolve, reject) => {
      this.engine.load(entry, (error, value) => (error === null ? resolve(value?.copy() ?? null) : reject(error)))
    })
  }

  private released(stamp: number): Promise<void> {
    return this.releases.wait(stamp)
  }

  /** Its files may be another process's by now. */
  private refuseIfLeft(): void {
    if (this.isClosed) throw new Error('The store is closed.')
  }

  private refuseIfClosed(gates: number): void {
    if ((this.engine.gate & gates) !== 0) throw new Error(this.engine.gateMessage)
  }

  private keyOf(bytes: Buffer): Slice {
    return this.key.set(bytes, 0, bytes.length)
  }

  private valueOf(bytes: Buffer): Slice {
    return this.value.set(bytes, 0, bytes.length)
  }
}

// While a write waits its buffers are the caller's, who may change them.
const copyOf = (write: Write): Write =>
  'put' in write
    ? { ...write, put: Buffer.from(write.put), value: Buffer.from(write.value) }
    : { remove: Buffer.from(write.remove) }

// Before anything of them is done: a batch that has begun has to end, and a start does not believe records of such lengths.
function checkWrites(writes: readonly Write[]): void {
  let bytes = 0
  for (const write of writes) {
    const key = 'put' in write ? write.put : write.remove
    const value = 'put' in write ? write.value : NOTHING
    if (!Buffer.isBuffer(key) || !Buffer.isBuffer(value)) throw new TypeError('keys and values are Buffers')
    const expiresAt = ('put' in write ? write.expiresAt : 0) ?? 0
    if (!Number.isSafeInteger(expiresAt) || expiresAt < 0)
      throw new RangeError('expiresAt is whole milliseconds since 1970')
    if (key.length > MAX_KEY_BYTES) throw new RangeError(`a key is longer than ${MAX_KEY_BYTES} bytes`)
    if (value.length > MAX_VALUE_BYTES) throw new RangeError(`a value is longer than ${MAX_VALUE_BYTES} bytes`)
    bytes += key.length + value.length
    if (bytes > MAX_BATCH_BYTES) throw new RangeError(`the writes of a batch are longer than ${MAX_BATCH_BYTES} bytes`)
  }
}

interface Waiting {
  readonly stamp: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Who waits for which position: the engine's events on one side, promises on the other. */
class Releases {
  engine: Engine | null = null
  private waiting: Waiting[] = []
  private scheduled = false

  wait(stamp: number): Promise<void> {
    const { engine } = this
    if (engine === null || stamp <= engine.released) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.waiting.push({ stamp, resolve, reject })
      if (this.scheduled) return
      this.scheduled = true
      systemClock.soon(() => {
        this.scheduled = false
        engine.flush()
        this.onReleased()
      })
    })
  }

  onReleased(): void {
    const released = this.engine?.released ?? 0
    const waiting = this.waiting
    this.waiting = waiting.filter((each) => each.stamp > released)
    for (const each of waiting) if (each.stamp <= released) each.resolve()
  }

  onFailed(first: number, message: string): void {
    const waiting = this.waiting
    this.waiting = waiting.filter((each) => each.stamp < first)
    for (const each of waiting) if (each.stamp >= first) each.reject(new Error(message))
  }

  onGate: () => void = () => {}

  onChange(): void {}
}
