// One process on one simulated disk: a scheduler, a clock, an engine, and the questions a test asks it.

import { type Logger, silentLogger } from '../../src/base/logger.ts'
import { Slice, sliceOf } from '../../src/base/slice.ts'
import { type Background, inlineBackground } from '../../src/engine/background.ts'
import { type Engine, type EngineEvents, type EngineSettings, NONE } from '../../src/engine/engine.ts'
import { openOn } from '../../src/engine/open.ts'
import type { Portions } from '../../src/engine/portions.ts'
import type { Storage } from '../../src/engine/storage.ts'
import { SimulatedClock } from './clock.ts'
import type { SimulatedDisk } from './disk.ts'
import type { Entry, State } from './model.ts'
import type { Scheduler } from './scheduler.ts'

/** Wall clock of the workload in ms. Expiries lie behind it, so a world that starts long before sees nothing expire. */
export const WORKLOAD_MS = 1_700_000_000_000
const BEFORE_ALL_MS = 1_000_000
/** More steps than any start, merge or close takes here: something hangs. */
const STEPS = 60_000

/** Tiny, so that even small merges take several questions, writes and turns. */
const PORTIONS: Portions = {
  blockBytes: 150,
  mergeRecords: 3,
  mergeBytes: 400,
  outputBytes: 400,
  syncBytes: 1000,
  surveyedEntries: 2,
  movedEntries: 2,
  freedEntries: 3,
  hintsWaitBytes: 300,
  hintsElsewhereBytes: 1500,
}

/** Small, so that building and giving up the reserve is part of every run. */
const RESERVE_BYTES = 2000

/** What went wrong, in one line; the runner adds seed and trace. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

export type Trace = (line: string) => void

export type BadBackground = (background: Background, storage: Storage) => Background

export class World {
  readonly scheduler: Scheduler
  readonly clock: SimulatedClock
  readonly disk: SimulatedDisk
  engine: Engine | null = null
  /** What the engine reported by onChange, as [physical database, key], until somebody empties it. */
  readonly changes: [number, string][] = []
  onFailed: (first: number) => void = () => {}
  onCorruption: 'refuse' | 'serve' = 'refuse'
  /** What merges and hints are made by: for tests of the judge, which put a bad one in its place. */
  background: BadBackground = (background) => background
  /** What the engine warned of. */
  readonly warnings: string[] = []
  /** The first violation that was raised inside a callback, where the engine might have caught it. */
  raised: Violation | null = null
  readonly #trace: Trace | null

  constructor(scheduler: Scheduler, disk: SimulatedDisk, trace: Trace | null) {
    this.scheduler = scheduler
    this.disk = disk
    this.clock = new SimulatedClock(scheduler, BEFORE_ALL_MS)
    this.#trace = trace
    if (trace !== null) disk.onCall = (call) => trace(`    ${call}`)
  }

  /** Starts the engine. Gives its error, or null. Throws Violation when it never calls back. */
  open(settings: EngineSettings, databases: number): Error | null {
    let result: { error: Error | null; engine: Engine | null } | null = null
    this.beginOpen(settings, databases, (error, engine) => {
      result = { error, engine }
    })
    this.until(() => result !== null, 'the engine never opened')
    const { error, engine } = result as unknown as { error: Error | null; engine: Engine | null }
    this.engine = engine
    return error
  }

  beginOpen(
    settings: EngineSettings,
    databases: number,
    done: (error: Error | null, engine: Engine | null) => void,
  ): void {
    const { scheduler, clock, disk } = this
    const events: EngineEvents = {
      onReleased: () => {},
      onFailed: (first) => {
        this.#trace?.(`  onFailed from ${first}`)
        this.onFailed(first)
      },
      onGate: () => {},
      onChange: (database, key) => this.changes.push([database, key.key()]),
    }
    let calls = 0
    openOn(
      {
        storage: disk,
        clock,
        logger: this.#logger(),
        lock: null,
        settings: { ...settings },
        databases,
        background: this.background(inlineBackground(disk, clock), disk),
        onCorruption: this.onCorruption,
        random: () => scheduler.random.next(),
        synchronousIo: false,
        coldReads: 2,
        reserveBytes: RESERVE_BYTES,
        portions: PORTIONS,
      },
      events,
      (error, engine) => {
        if (++calls > 1) throw this.violation('open called back twice')
        if (engine !== null) engine.watching = true
        done(error, engine)
      },
    )
  }

  #logger(): Logger {
    const logger = this.#trace === null ? silentLogger : traceLogger(this.#trace)
    return {
      ...logger,
      warning: (message, fields) => {
        this.warnings.push(message)
        logger.warning(message, fields)
      },
    }
  }

  /** A violation to throw, remembered in case that the throw gets lost in the engine. */
  violation(text: string): Violation {
    const violation = new Violation(text)
    this.raised ??= violation
    return violation
  }

  /** One step of this world. False: it stands still. */
  step(): boolean {
    const stepped = this.scheduler.step()
    if (this.raised !== null) throw this.raised
    return stepped
  }

  /** Steps until that holds. */
  until(holds: () => boolean, otherwise: string): void {
    const held = this.scheduler.runUntil(() => this.raised !== null || holds(), STEPS)
    if (this.raised !== null) throw this.raised
    if (!held) throw new Violation(otherwise)
  }

  /** Runs one callback-style call to its end and gives its error. */
  finish(call: (done: (error: Error | null) => void) => void, otherwise: string): Error | null {
    let result: { error: Error | null } | null = null
    call((error) => {
      if (result !== null) throw this.violation(`${otherwise}: called back twice`)
      result = { error }
    })
    this.until(() => result !== null, otherwise)
    return (result as unknown as { error: Error | null }).error
  }

  /**
   * Everything in the store, through the engine's own reading calls. Nothing counts as expired. A value that cannot be read is a
   * violation, or, as `database:key`, goes into `unreadable` and shows as empty.
   */
  dump(databases: number, unreadable: Set<string> | null = null): State {
    const engine = this.engine!
    engine.now = 0
    const state: Map<string, Entry>[] = []
    let loading = 0
    let failed: Error | null = null
    const keyOf = new Slice()
    const value = new Slice()
    for (let database = 0; database < databases; database++) {
      const content = new Map<string, Entry>()
      state.push(content)
      let cursor = 0
      let seen = 0
      let rounds = 0
      do {
        cursor = engine.scan(database, cursor, 7, (entry) => {
          const key = engine.keyOf(entry, keyOf).key()
          const expiry = engine.expiryOf(entry)
          const size = engine.valueSize(entry)
          seen++
          const keep = (found: Slice): void => {
            if (found.length !== size) throw this.violation(`size of ${key} is ${size}, its value has ${found.length}`)
            content.set(key, { value: found.key(), expiry })
          }
          if (engine.valueOf(entry, value)) return keep(value)
          loading++
          engine.load(entry, (error, found) => {
            loading--
            if (error !== null && unreadable !== null) {
              unreadable.add(`${database}:${key}`)
              content.set(key, { value: '', expiry })
            } else if (error !== null)
              failed = this.violation(`value of ${JSON.stringify(key)} unreadable: ${error.message}`)
            else keep(found!)
          })
        })
        if (++rounds > 10_000) throw this.violation('scan never ends')
      } while (cursor !== 0)
      this.until(() => loading === 0, 'a load never came back')
      if (failed !== null) throw failed
      if (content.size !== seen)
        throw this.violation(`scan of db ${database} showed ${seen} entries, ${content.size} keys`)
      const count = engine.keyCount(database)
      if (count !== content.size)
        throw this.violation(`keyCount of db ${database} is ${count}, keys are ${content.size}`)
      const expiring = [...content.values()].filter(({ expiry }) => expiry !== 0).length
      if (engine.expiringCount(database) !== expiring) {
        throw this.violation(`expiringCount of db ${database} is ${engine.expiringCount(database)}, not ${expiring}`)
      }
      if (engine.find(database, sliceOf('never written')) !== NONE) throw this.violation('a key never written is there')
      for (const key of content.keys()) {
        if (engine.find(database, sliceOf(key)) === NONE) throw this.violation(`scanned key ${key} is not found`)
      }
    }
    return state
  }
}

function traceLogger(trace: Trace): Logger {
  const line = (message: string, fields?: object): void =>
    trace(`  log: ${message}${fields === undefined ? '' : ` ${JSON.stringify(fields)}`}`)
  return { debug: line, verbose: line, notice: line, warning: line }
}
