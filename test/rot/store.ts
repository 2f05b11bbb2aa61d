// An engine on files in memory, for the stories of this directory: opened, written and read without a promise or a wait.

import type { Logger } from '../../src/base/logger.ts'
import { Slice, sliceOf } from '../../src/base/slice.ts'
import { type Background, inlineBackground } from '../../src/engine/background.ts'
import type { Bitcask } from '../../src/engine/bitcask.ts'
import { type EngineSettings, NONE } from '../../src/engine/engine.ts'
import { openOn } from '../../src/engine/open.ts'
import { settings as testSettings } from '../engine/test-store.ts'
import { randomFrom } from '../harness/random.ts'
import { type Disk, MemoryStorage } from './memory-storage.ts'
import { StillClock } from './still-clock.ts'

export const DATABASES = 4

const settings: EngineSettings = {
  ...testSettings,
  segmentSizeBytes: 6000,
  valueCacheBytes: 0,
  mergeIntervalMs: 2 ** 30,
}

export interface RotOptions extends Partial<EngineSettings> {
  readonly onCorruption?: 'refuse' | 'serve'
  /** False: hints and merges are asked for and never made. A start that is only looked at needs neither, and is faster. */
  readonly works?: boolean
  readonly seed?: number
}

/** What a start ended in. */
export type Start = RotStore | (Error & { code?: string })

const idle = (working: Background): Background => ({
  ...inlineBackground(new MemoryStorage(new Map()), new StillClock()),
  hint: () => {},
  order: working.order,
})

export class RotStore {
  readonly engine: Bitcask
  readonly storage: MemoryStorage
  readonly clock: StillClock
  readonly warnings: string[]
  private readonly value = new Slice()

  private constructor(engine: Bitcask, storage: MemoryStorage, clock: StillClock, warnings: string[]) {
    this.engine = engine
    this.storage = storage
    this.clock = clock
    this.warnings = warnings
  }

  /** Starts an engine on a copy of these files. The bytes of `disk` are not changed. */
  static open(disk: Disk, options: RotOptions = {}): Start {
    const storage = new MemoryStorage(disk)
    const clock = new StillClock()
    const working = inlineBackground(storage, clock)
    const warnings: string[] = []
    const { onCorruption = 'refuse', works = true, seed = 1, ...changed } = options
    const logger: Logger = {
      debug() {},
      verbose() {},
      notice() {},
      warning: (message, fields) => warnings.push(`${message} ${JSON.stringify(fields ?? {})}`),
    }
    let result: Start | null = null
    openOn(
      {
        clock,
        logger,
        settings: { ...settings, ...changed },
        databases: DATABASES,
        onCorruption,
        synchronousIo: true,
        coldReads: 2,
        reserveBytes: 0,
        storage,
        lock: null,
        background: works ? working : idle(working),
        random: randomFrom(seed).next,
      },
      { onReleased() {}, onFailed() {}, onGate() {}, onChange() {} },
      (error, engine) => {
        result = error ?? new RotStore(engine as Bitcask, storage, clock, warnings)
      },
    )
    if (result === null) clock.settle()
    if (result === null) throw new Error('a start did not end')
    const started = result as Start
    if (started instanceof RotStore) started.engine.now = clock.now()
    return started
  }

  // --- writing

  put(database: number, key: string, value: string | Buffer, expiry = 0): void {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value
    this.engine.put(database, sliceOf(key), new Slice(bytes), expiry)
  }

  find(database: number, key: string): number {
    return this.engine.find(database, sliceOf(key))
  }

  remove(database: number, key: string): void {
    const entry = this.find(database, key)
    if (entry !== NONE) this.engine.remove(entry)
  }

  setExpiry(database: number, key: string, expiry: number): void {
    const entry = this.find(database, key)
    if (entry !== NONE) this.engine.setExpiry(entry, expiry)
  }

  batch(writes: () => void): void {
    this.engine.begin()
    writes()
    this.engine.end()
  }

  /** Writes what was appended. */
  flush(): void {
    this.engine.flush()
    this.clock.settle()
  }

  /** Writes and syncs: what follows begins with an anchor. */
  sync(): void {
    this.flush()
    this.clock.advance(1000)
    this.engine.now = this.clock.now()
  }

  // --- reading

  /** The value (valid until the next call), null where there is no such key, an error where it cannot be read: as a client gets it. */
  get(database: number, key: Slice): Slice | Error | null {
    const { engine } = this
    const entry = engine.find(database, key)
    if (entry === NONE) return null
    if (engine.valueOf(entry, this.value)) return this.value
    let result: Slice | Error | null = null
    engine.load(entry, (error, value) => {
      result = error ?? value
    })
    if (result === null) throw new Error('a read did not end')
    return result
  }

  // --- upkeep

  /** Runs what calls back, and gives what it was called back with. */
  wait<T>(start: (done: (error: Error | null, value?: T) => void) => void): T | undefined {
    let ended: { error: Error | null; value: T | undefined } | null = null
    start((error, value) => {
      ended = { error, value }
    })
    for (let turns = 0; ended === null && turns < 100; turns++) this.clock.advance(turns)
    if (ended === null) throw new Error('it never ended')
    const { error, value } = ended as { error: Error | null; value: T | undefined }
    if (error !== null) throw error
    return value
  }

  seal(): void {
    this.wait((done) => this.engine.seal(done))
    this.clock.advance(10)
  }

  merge(): number {
    const freed = this.wait<number>((done) => this.engine.merge.wait(done)) as number
    this.clock.advance(10)
    return freed
  }

  close(): void {
    this.wait((done) => this.engine.close(done))
  }
}
