// The engine on real files in a directory of its own, with a clock that stands still, and calls that take and give plain strings (one
// character a byte). Merge and hints run inline on the same storage, so that a fault injected there meets them too; tests of the worker
// thread use openEngine itself.

import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import type { Logger } from '../../src/base/logger.ts'
import { Slice, sliceOf } from '../../src/base/slice.ts'
import { type Background, inlineBackground } from '../../src/engine/background.ts'
import type { Bitcask } from '../../src/engine/bitcask.ts'
import { type Engine, type EngineSettings, NONE, type SegmentReason } from '../../src/engine/engine.ts'
import { nodeStorage } from '../../src/engine/node-storage.ts'
import { openOn } from '../../src/engine/open.ts'
import { PORTIONS, type Portions } from '../../src/engine/portions.ts'
import type { Storage } from '../../src/engine/storage.ts'
import { ManualClock } from './manual-clock.ts'

export const settings: EngineSettings = {
  appendfsync: 'everysec',
  segmentSizeBytes: 1 << 20,
  segmentAgeSeconds: 0,
  valueCacheBytes: 1 << 20,
  mergeEnabled: false,
  mergeIntervalMs: 60_000,
  mergeWindow: 'always',
  mergeRateBytesPerSecond: 0,
  mergeTriggerFragmentation: 60,
  mergeTriggerSegments: 0,
  mergeTriggerDeadBytes: 1 << 29,
  mergeThresholdFragmentation: 40,
  mergeThresholdDeadBytes: 1 << 27,
  mergeThresholdSmallFile: 0,
  scrubRateBytesPerSecond: 0,
}

export interface TestOptions extends Partial<EngineSettings> {
  /** Called when loading has begun. */
  readonly onLoading?: (engine: Engine) => void
  readonly clock?: ManualClock
  readonly storage?: Storage
  readonly onCorruption?: 'refuse' | 'serve'
  readonly synchronousIo?: boolean
  readonly reserveBytes?: number
  readonly databases?: number
  readonly background?: Background
  readonly portions?: Portions
  readonly random?: () => number
}

export interface Kept {
  readonly value: string
  /** Absolute ms, 0 none. */
  readonly expiry: number
}

/** All keys, by `database:key`. */
export type Contents = Map<string, Kept>

// Thousands of small files made and removed: in memory where there is a file system for that, the engine cannot tell.
const SHARED_MEMORY = '/dev/shm'
const ROOM_BYTES = 256 * 1024 * 1024
const inMemory = fs.existsSync(SHARED_MEMORY) && roomIn(SHARED_MEMORY) > ROOM_BYTES
const root = inMemory ? SHARED_MEMORY : os.tmpdir()

function roomIn(directory: string): number {
  const { bavail, bsize } = fs.statfsSync(directory)
  return bavail * bsize
}

const directories: string[] = []

/** A fresh temporary directory; cleanUp() removes all of them. */
export function freshDirectory(): string {
  const directory = fs.mkdtempSync(path.join(root, 'casky-engine-'))
  directories.push(directory)
  return directory
}

/** For afterEach. */
export function cleanUp(): void {
  for (const directory of directories.splice(0)) fs.rmSync(directory, { recursive: true, force: true })
}

const COPY_ATTEMPTS = 20

/** A copy of all files as they are at this instant: what a process that is killed now leaves behind. */
export function copyOf(directory: string): string {
  for (let attempt = 1; ; attempt++) {
    const copy = freshDirectory()
    try {
      fs.cpSync(directory, copy, { recursive: true })
      return copy
    } catch (error) {
      // A thread has removed a file since it was listed: that was no instant, the next one may be.
      if ((error as { code?: string }).code !== 'ENOENT' || attempt === COPY_ATTEMPTS) throw error
    }
  }
}

export function removeFiles(directory: string, ending: string): string[] {
  const names = fs.readdirSync(directory).filter((name) => name.endsWith(ending))
  for (const name of names) fs.unlinkSync(path.join(directory, name))
  return names
}

/** Everything in a directory, byte for byte: to show that nothing was written. */
export function bytesOf(directory: string): Record<string, string> {
  const names = fs.readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()
  const files = names.filter((name) => fs.statSync(path.join(directory, name)).isFile())
  return Object.fromEntries(files.map((name) => [name, fs.readFileSync(path.join(directory, name), 'latin1')]))
}

/** What does not come within this does not come. */
const HANG_MS = 120_000

export class TestStore {
  readonly directory: string
  readonly clock: ManualClock
  readonly engine: Bitcask
  /** What the events said. */
  readonly failed: { first: number; message: string }[]
  readonly warnings: string[]
  readonly changes: string[]
  /** Beside each of `changes`: CHANGED, CREATED, EXPIRED. */
  readonly kinds: number[]

  private constructor(
    directory: string,
    clock: ManualClock,
    engine: Bitcask,
    events: Pick<TestStore, 'failed' | 'warnings' | 'changes' | 'kinds'>,
  ) {
    this.directory = directory
    this.clock = clock
    this.engine = engine
    this.failed = events.failed
    this.warnings = events.warnings
    this.changes = events.changes
    this.kinds = events.kinds
  }

  static open(directory: string, options: TestOptions = {}): Promise<TestStore> {
    const { clock = new ManualClock(), onCorruption = 'refuse', synchronousIo = true, reserveBytes = 0 } = options
    const storage = options.storage ?? nodeStorage(directory)
    const events = {
      failed: [] as { first: number; message: string }[],
      warnings: [] as string[],
      changes: [] as string[],
      kinds: [] as number[],
    }
    const logger: Logger = {
      debug() {},
      verbose() {},
      notice() {},
      warning: (message, fields) => events.warnings.push(`${message} ${JSON.stringify(fields ?? {})}`),
    }
    const chosen = Object.fromEntries(
      Object.entries(settings).map(([name, value]) => [name, options[name as keyof EngineSettings] ?? value]),
    ) as unknown as EngineSettings
    return new Promise((resolve, reject) => {
      const engine = openOn(
        {
          clock,
          logger,
          settings: chosen,
          databases: options.databases ?? 4,
          onCorruption,
          synchronousIo,
          coldReads: 2,
          reserveBytes,
          storage,
          lock: null,
          background: options.background ?? inlineBackground(storage, clock),
          portions: options.portions ?? PORTIONS,
          random: options.random ?? Math.random,
        },
        {
          onReleased() {},
          onFailed: (first, message) => events.failed.push({ first, message }),
          onGate() {},
          onChange: (database, key, kind) => {
            events.changes.push(`${database}:${key.key()}`)
            events.kinds.push(kind)
          },
        },
        (error, engine) => {
          if (error === null) resolve(new TestStore(directory, clock, engine as Bitcask, events))
          else reject(error)
        },
      )
      options.onLoading?.(engine)
    })
  }

  // --- writing: in memory until tick()

  put(key: string, value: string, expiry = 0, database = 0): void {
    this.engine.now = this.clock.now()
    this.engine.put(database, sliceOf(key), sliceOf(value), expiry)
  }

  /** NONE when it is not there (or expired). */
  find(key: string, database = 0): number {
    this.engine.now = this.clock.now()
    return this.engine.find(database, sliceOf(key))
  }

  remove(key: string, database = 0): void {
    const entry = this.find(key, database)
    if (entry !== NONE) this.engine.remove(entry)
  }

  setExpiry(key: string, expiry: number, database = 0): void {
    const entry = this.find(key, database)
    if (entry !== NONE) this.engine.setExpiry(entry, expiry)
  }

  batch(writes: () => void): void {
    this.engine.begin()
    writes()
    this.engine.end()
  }

  /** Writes what was appended, and waits until it may be acknowledged. */
  async tick(): Promise<void> {
    this.engine.flush()
    await this.until(() => this.engine.released === this.engine.appended)
  }

  // --- reading

  /** The value, null when there is none; as a client would get it: from memory, or by a cold read. Rejects for a damaged one. */
  async get(key: string, database = 0): Promise<string | null> {
    const entry = this.find(key, database)
    return entry === NONE ? null : this.value(entry)
  }

  private value(entry: number): Promise<string> {
    const into = new Slice()
    if (this.engine.valueOf(entry, into)) return Promise.resolve(into.key())
    return this.load(entry)
  }

  load(entry: number): Promise<string> {
    return new Promise((resolve, reject) => {
      this.engine.load(entry, (error, value) => (error === null ? resolve((value as Slice).key()) : reject(error)))
    })
  }

  expiryOf(key: string, database = 0): number {
    const entry = this.find(key, database)
    return entry === NONE ? -1 : this.engine.expiryOf(entry)
  }

  /** Every key of every database with its value and expiry, read the way clients read. */
  async contents(): Promise<Contents> {
    const found: { name: string; entry: number; expiry: number }[] = []
    const { engine } = this
    engine.flush()
    engine.now = this.clock.now()
    const key = new Slice()
    for (let database = 0; database < 4; database++) {
      let cursor = 0
      do {
        cursor = engine.scan(database, cursor, 7, (entry) => {
          found.push({ name: `${database}:${engine.keyOf(entry, key).key()}`, entry, expiry: engine.expiryOf(entry) })
        })
      } while (cursor !== 0)
    }
    const contents: Contents = new Map()
    for (const { name, entry, expiry } of found) {
      if (contents.has(name)) throw new Error(`scan showed ${name} twice`)
      contents.set(name, { value: await this.value(entry), expiry })
    }
    return contents
  }

  // --- upkeep

  seal(): Promise<void> {
    return new Promise((resolve, reject) => this.engine.seal((error) => (error === null ? resolve() : reject(error))))
  }

  merge(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.engine.merge.wait((error, freed) => (error === null ? resolve(freed) : reject(error))),
    )
  }

  /** MERGE WHY. */
  why(): SegmentReason[] {
    const reasons = this.engine.merge.why()
    while (!reasons.step());
    return reasons.segments()
  }

  /** Waits for a condition that completions of file calls will bring about. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + HANG_MS
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`waited in vain for ${condition}`)
      await turn()
    }
  }

  /** Waits until nothing goes on in the background: segments prepared, hints made, flushed databases freed, unlinks done. */
  async quiet(): Promise<void> {
    let calm = 0
    await this.until(() => {
      if (this.freeing) this.clock.advance(1)
      calm = this.busy ? 0 : calm + 1
      return calm === 3
    })
  }

  // What only the engine's own fields tell.
  private get busy(): boolean {
    const { catalog, hinting, rebuilding } = this.engine.upkeep as unknown as {
      catalog: { busy: boolean; jobs: unknown[] }
      hinting: boolean
      rebuilding: boolean
    }
    const isUnlinking = this.engine.segments.calls > 0
    return catalog.busy || catalog.jobs.length > 0 || hinting || rebuilding || isUnlinking || this.freeing
  }

  private get freeing(): boolean {
    return this.engine.doomed.isFreeing
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => this.engine.close((error) => (error === null ? resolve() : reject(error))))
  }

  /** Gives up the files however the engine stands: after tests that broke it. */
  async abandon(): Promise<void> {
    await this.close().catch(() => {})
  }

  /** Clean stop and start again. `options` as for open; the clock goes on. */
  async reopen(options: TestOptions = {}): Promise<TestStore> {
    await this.close()
    return TestStore.open(this.directory, { clock: this.clock, ...options })
  }

  /** What a kill -9 at this instant leaves, opened; this engine is given up. */
  async killed(options: TestOptions = {}): Promise<TestStore> {
    const copy = copyOf(this.directory)
    await this.abandon()
    return TestStore.open(copy, { clock: this.clock, ...options })
  }
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
