// What the simulated clients do: one operation at a time, chosen by the seed, told to the engine and to the model alike, and each
// answer compared at once. It behaves as the server does: sets the clock before each command, obeys the gates, and lets a reply
// "leave" only when `released` has reached what it depends on, which here means that dependsOn must be high enough.
//
// Expiries are odd milliseconds and the time of a command is even, so that "expires exactly now" never has to be decided.

import { Slice, sliceOf } from '../../src/base/slice.ts'
import { type Engine, GATE_FAILED, GATE_FULL, GATE_STALLED, NONE, UNLUCKY } from '../../src/engine/engine.ts'
import { difference, type Entry, type Model, type State, withDatabase, withKey } from './model.ts'
import type { Random } from './random.ts'
import type { Tally } from './tally.ts'
import type { Trace, World } from './world.ts'

/** What a workload tells and asks of whoever runs it. */
export interface Around {
  /** True once a fault was met, so that failures are to be expected. */
  readonly faulty: () => boolean
  /** False: the disk pretends, or merges and hints are badly made, so a scrub may well find something. Default: what is on disk is good. */
  readonly honest?: boolean
  /** The engine has said that everything up to that sequence is durable. */
  readonly synced: (sequence: number) => void
  readonly tally: Tally
  readonly trace: Trace | null
}

/** What a stop says to those who still wait for something. */
const CLOSING = 'the store is closing'

const KEYS = [
  '',
  'a',
  'b',
  'c',
  'd',
  'e',
  'a\0\r\n\xff',
  'a key that is longer than most are, and longer than a cache line is'.repeat(2),
]

export class Workload {
  /** Operations done. */
  operations = 0
  /** `key value` of everything that was ever put, also inside of batches. */
  readonly written = new Set<string>()
  readonly #world: World
  readonly #engine: Engine
  readonly #model: Model
  readonly #random: Random
  readonly #databases: number
  readonly #trace: Trace | null
  readonly #around: Around
  readonly #tally: Tally
  #values = 0
  #batch: { state: State } | null = null

  constructor(world: World, model: Model, random: Random, around: Around) {
    this.#world = world
    this.#engine = world.engine!
    this.#model = model
    this.#random = random
    this.#databases = model.state.length
    this.#around = around
    this.#tally = around.tally
    this.#trace = around.trace
    world.onFailed = (first) => this.#failed(first)
  }

  /** One operation, and perhaps the end of a tick. */
  step(): void {
    const random = this.#random
    this.operations++
    this.#begin()
    const kind = random.below(100)
    if (kind < 70) {
      if ((this.#engine.gate & (GATE_FAILED | GATE_STALLED)) !== 0) this.#look()
      else if ((this.#engine.gate & GATE_FULL) !== 0) this.#remove()
      else if (kind < 8) this.#inBatch()
      else if (kind < 10) this.#databaseWrite()
      else this.#write()
    } else if (kind < 82) this.#look()
    else if (kind < 86) this.#lookAll()
    else if (kind < 89) this.#clockJump()
    else if (kind < 91) this.#seal()
    else if (kind < 92) this.#sync()
    else if (kind < 97) this.#merge()
    else this.#configure()
    if (random.chance(0.6)) {
      this.#trace?.('flush')
      this.#engine.flush()
    }
    this.#world.changes.length = 0 // the commands' own: they are in the model
  }

  /** After every step of the scheduler that was not a client's: what the engine changed by itself can only be expiries. */
  afterBackground(): void {
    const { changes } = this.#world
    if (changes.length === 0) return
    const now = this.#world.clock.now()
    // One record each, also for a key of a database that was flushed and is not swept yet: that one no model knows.
    let sequence = this.#engine.appended - changes.length
    for (const [physical, key] of changes.splice(0)) {
      sequence++
      for (let database = 0; database < this.#databases; database++) {
        if (this.#engine.physical(database) !== physical) continue
        const entry = this.#model.state[database]!.get(key)
        if (entry === undefined) continue
        if (entry.expiry === 0 || entry.expiry > now)
          throw this.#world.violation(`key ${JSON.stringify(key)} changed by itself`)
        this.#trace?.(`  expired ${database} ${JSON.stringify(key)} @${sequence}`)
        this.#tally.add('expired in the background')
        this.#model.push(sequence, withKey(this.#model.state, database, key, null))
      }
    }
  }

  /** The state as the commands of an open batch see it. */
  get #state(): State {
    return this.#batch?.state ?? this.#model.state
  }

  #begin(): void {
    this.#world.changes.length = 0
    const now = this.#world.clock.now()
    this.#engine.now = now - (now % 2)
  }

  /** A write has been made: the state is now that. */
  #done(state: State, what: string): void {
    this.#trace?.(`${what} @${this.#engine.appended}`)
    if (this.#batch !== null) this.#batch.state = state
    else this.#model.push(this.#engine.appended, state)
  }

  #place(): { database: number; key: string } {
    return { database: this.#random.below(this.#databases), key: this.#random.pick(KEYS) }
  }

  #value(): string {
    const random = this.#random
    this.#values++
    const size = random.chance(0.03) ? random.between(4090, 4500) : random.chance(0.1) ? 300 : random.below(60)
    return random.chance(0.05) ? '' : `${this.#world.disk.stamp}.${this.#values}`.padEnd(size, 'x')
  }

  #expiry(): number {
    return this.#engine.now + 1 + 2 * this.#random.below(3000)
  }

  /** Finds a key and checks what it shows against the model; an expired one goes. */
  #find(database: number, key: string): number {
    const engine = this.#engine
    const before = engine.appended
    const model = this.#state[database]!.get(key)
    const expired = model !== undefined && model.expiry !== 0 && model.expiry < engine.now
    engine.dependsOn = 0
    const entry = engine.find(database, sliceOf(Buffer.from(key, 'latin1')))
    if (model === undefined || expired) {
      if (entry !== NONE)
        throw this.#world.violation(`${name(database, key)} is there, though ${expired ? 'expired' : 'absent'}`)
    } else if (entry === NONE) {
      throw this.#world.violation(`${name(database, key)} is absent, though written`)
    }
    if (expired && engine.appended > before) {
      this.#tally.add('expired on access')
      this.#done(withKey(this.#state, database, key, null), `expired ${name(database, key)}`)
    } else if (engine.appended !== before) {
      throw this.#world.violation(`find of ${name(database, key)} appended a record`)
    } else if (expired && engine.gate === 0 && this.#batch === null) {
      throw this.#world.violation(`${name(database, key)} has expired and find left it there`)
    }
    return entry
  }

  #write(): void {
    const { database, key } = this.#place()
    const kind = this.#random.below(10)
    if (kind < 5) this.#put(database, key)
    else if (kind < 7) this.#remove(database, key)
    else this.#setExpiry(database, key)
  }

  #put(database: number, key: string): void {
    const engine = this.#engine
    const random = this.#random
    const value = this.#value()
    const expiry = random.chance(0.3) ? this.#expiry() : 0
    const after: Entry = { value, expiry }
    this.written.add(`${key} ${value}`)
    if (random.chance(0.3)) {
      const entry = this.#find(database, key)
      if (entry !== NONE) {
        this.#tally.add('overwrite')
        engine.overwrite(entry, sliceOf(Buffer.from(value, 'latin1')), expiry)
        this.#wrote()
        return this.#done(withKey(this.#state, database, key, after), `overwrite ${name(database, key)} ${expiry}`)
      }
    }
    const before = engine.appended
    this.#tally.add('put')
    engine.put(database, sliceOf(Buffer.from(key, 'latin1')), sliceOf(Buffer.from(value, 'latin1')), expiry)
    this.#wrote()
    // A put over an expired key may remove it first, with a sequence of its own.
    if (this.#batch === null && engine.appended > before + 1) {
      this.#model.push(engine.appended - 1, withKey(this.#state, database, key, null))
    }
    this.#done(withKey(this.#state, database, key, after), `put ${name(database, key)} ${value.length} bytes ${expiry}`)
  }

  #remove(database?: number, key?: string): void {
    const place = this.#place()
    const entry = this.#find((database ??= place.database), (key ??= place.key))
    if (entry === NONE) return
    this.#tally.add('remove')
    this.#engine.remove(entry)
    this.#wrote()
    this.#done(withKey(this.#state, database, key, null), `remove ${name(database, key)}`)
  }

  #setExpiry(database: number, key: string): void {
    const entry = this.#find(database, key)
    if (entry === NONE) return
    const expiry = this.#random.chance(0.3) ? 0 : this.#expiry()
    const before = this.#state[database]!.get(key)!
    const appended = this.#engine.appended
    this.#tally.add('expiry set')
    this.#engine.setExpiry(entry, expiry)
    if (expiry === before.expiry && this.#engine.appended === appended) return // nothing to do, nothing done
    this.#wrote()
    this.#done(withKey(this.#state, database, key, { ...before, expiry }), `setExpiry ${name(database, key)} ${expiry}`)
  }

  /** A write's reply depends on the write. */
  #wrote(): void {
    const { dependsOn, appended } = this.#engine
    if (dependsOn < appended && this.#batch === null)
      throw this.#world.violation(`a write @${appended} depends on ${dependsOn}`)
  }

  #inBatch(): void {
    const random = this.#random
    this.#trace?.('begin')
    this.#engine.begin()
    this.#batch = { state: this.#model.state }
    const before = this.#engine.appended
    for (let writes = random.between(0, 4); writes > 0; writes--) {
      const nested = random.chance(0.1)
      if (nested) this.#engine.begin()
      if (random.chance(0.1)) this.#databaseWrite()
      else this.#write()
      if (random.chance(0.3)) this.#look()
      if (nested) this.#engine.end()
    }
    this.#engine.end()
    const { state } = this.#batch
    this.#batch = null
    if (this.#engine.appended === before) this.#trace?.('end of nothing')
    else {
      this.#tally.add('batch')
      this.#done(state, 'end')
      if (this.#engine.appended > before + 2) this.#model.last.isBatch = true
    }
  }

  #databaseWrite(): void {
    const engine = this.#engine
    const random = this.#random
    const a = random.below(this.#databases)
    const b = random.below(this.#databases)
    const appended = engine.appended
    const state = this.#state
    switch (random.below(4)) {
      case 0:
        this.#tally.add('flush of all')
        engine.flushAll()
        if (engine.appended === appended && state.every((database) => database.size === 0)) return
        return this.#done(
          state.map(() => new Map()),
          'flushAll',
        )
      case 1:
        this.#tally.add('flush of a database')
        engine.flushDatabase(a)
        if (engine.appended === appended && state[a]!.size === 0) return
        return this.#done(withDatabase(state, a, new Map()), `flushDatabase ${a}`)
      default:
        this.#tally.add('swap of databases')
        engine.swapDatabases(a, b)
        if (engine.appended === appended && a === b) return
        return this.#done(withDatabase(withDatabase(state, a, state[b]!), b, state[a]!), `swapDatabases ${a} ${b}`)
    }
  }

  /** Reads one key in every way there is. */
  #look(): void {
    const engine = this.#engine
    const { database, key } = this.#place()
    const entry = this.#find(database, key)
    if (entry === NONE) {
      // Hidden, not removed, because writes are refused: the clock alone says so.
      if (this.#state[database]!.has(key)) return
      this.#mustDependOn((state) => state[database]!.get(key) === undefined, `nil of ${name(database, key)}`)
      return
    }
    const expected = this.#state[database]!.get(key)!
    const { value, expiry } = expected
    if (engine.expiryOf(entry) !== expiry) {
      throw this.#world.violation(`expiry of ${name(database, key)} is ${engine.expiryOf(entry)}, not ${expiry}`)
    }
    if (engine.valueSize(entry) !== value.length) {
      throw this.#world.violation(`size of ${name(database, key)} is ${engine.valueSize(entry)}, not ${value.length}`)
    }
    const check = (found: Slice): void => {
      if (found.key() !== value) {
        throw this.#world.violation(
          `${name(database, key)} reads ${found.key().slice(0, 20)}, not ${value.slice(0, 20)}`,
        )
      }
    }
    const into = new Slice()
    this.#tally.add('look')
    if (engine.valueOf(entry, into)) check(into)
    else this.#tally.add('cold read')
    if (this.#random.chance(0.5)) {
      let answered = false
      engine.load(entry, (error, found) => {
        if (answered) throw this.#world.violation('a load came back twice')
        answered = true
        if (error === null) check(found!)
        else if (!this.#around.faulty()) throw this.#world.violation(`load of ${name(database, key)}: ${error.message}`)
      })
    }
    this.#mustDependOn((state) => state[database]!.get(key)?.value === value, `value of ${name(database, key)}`)
  }

  #mustDependOn(same: (state: State) => boolean, what: string): void {
    if (this.#batch !== null) return
    const without = this.#model.lastWithout(same)
    if (without >= this.#engine.released && this.#engine.dependsOn <= without) {
      throw this.#world.violation(`${what} came after @${without}, but the answer depends on ${this.#engine.dependsOn}`)
    }
  }

  /** The whole state at once, as far as it is in memory. */
  #lookAll(): void {
    const engine = this.#engine
    this.#tally.add('scan of everything')
    engine.now = 0 // nothing is expired then
    const found: Map<string, Entry>[] = []
    const into = new Slice()
    for (let database = 0; database < this.#databases; database++) {
      const content = new Map<string, Entry>()
      found.push(content)
      const visit = (entry: number): void => {
        const key = engine.keyOf(entry, into).key()
        if (content.has(key)) throw this.#world.violation(`scan showed ${JSON.stringify(key)} twice`)
        const expiry = engine.expiryOf(entry)
        const size = engine.valueSize(entry)
        content.set(key, { value: engine.valueOf(entry, into) ? into.key() : `?${size}`, expiry })
      }
      for (let cursor = engine.scan(database, 0, 5, visit); ; cursor = engine.scan(database, cursor, 5, visit)) {
        if (cursor === 0) break
      }
      if (engine.keyCount(database) !== this.#state[database]!.size) {
        throw this.#world.violation(
          `keyCount of db ${database} is ${engine.keyCount(database)}, not ${this.#state[database]!.size}`,
        )
      }
      const random = engine.randomEntry(database)
      if ((random === NONE) !== (content.size === 0))
        throw this.#world.violation(`randomEntry of db ${database}: ${random}`)
      if (random !== NONE && random !== UNLUCKY && !content.has(engine.keyOf(random, into).key()))
        throw this.#world.violation('a random key is foreign')
    }
    const expected = this.#state.map((database, index) => {
      const content = new Map<string, Entry>()
      for (const [key, entry] of database) {
        const unread = found[index]!.get(key)?.value === `?${entry.value.length}`
        content.set(key, unread ? { ...entry, value: `?${entry.value.length}` } : entry)
      }
      return content
    })
    const text = difference(expected, found)
    if (text !== '') throw this.#world.violation(`the live state is wrong\n${text}`)
  }

  #clockJump(): void {
    const ms = this.#random.pick([1000, 100, 5000, -2000, -100])
    this.#trace?.(`clock jumps ${ms} ms`)
    this.#tally.add(ms > 0 ? 'clock forwards' : 'clock back')
    this.#world.clock.originMs += ms
  }

  #seal(): void {
    this.#trace?.('seal')
    const { appended } = this.#engine
    this.#tally.add('seal')
    this.#engine.seal((error) => this.#isDurable('seal', appended, error))
  }

  #sync(): void {
    this.#trace?.('sync')
    const { appended } = this.#engine
    this.#tally.add('sync asked for')
    this.#engine.whenSynced((error) => this.#isDurable('sync', appended, error))
  }

  /** Writes that failed meanwhile have no outcome, so nothing is promised of them. */
  #isDurable(what: string, appended: number, error: Error | null): void {
    this.#trace?.(`  end of ${what} up to ${appended} ${error?.message ?? ''}`)
    if (error === null) {
      if (!this.#around.faulty()) this.#around.synced(appended)
    } else if (error.message !== CLOSING && !this.#around.faulty()) {
      throw this.#world.violation(`${what} failed: ${error.message}`)
    }
  }

  #merge(): void {
    const { merge } = this.#engine
    const kind = this.#random.below(10)
    if (kind === 0) {
      this.#tally.add('merge paused')
      merge.pause()
    } else if (kind < 3) merge.resume()
    else if (kind === 3) {
      const reasons = merge.why()
      while (!reasons.step());
      reasons.segments()
    } else if (kind === 4) {
      merge.estimate()
      this.#scrub()
    } else {
      const started = merge.start() // outside of the trace: its arguments are not evaluated when there is none
      this.#trace?.(`merge ${started}`)
      if (started) this.#tally.add('merge asked for')
    }
  }

  /** Reads everything sealed, beside all else: an undamaged disk shows no damage, whatever is written, merged or undone meanwhile. */
  #scrub(): void {
    const { scrub } = this.#engine
    const { state } = scrub.status()
    if (state === 'running' && this.#random.chance(0.5)) {
      this.#tally.add('scrub paused')
      return scrub.pause()
    }
    scrub.resume()
    if (state !== 'idle') return
    this.#trace?.('scrub')
    scrub.wait((error, damaged) => {
      this.#trace?.(`  end of scrub: ${damaged} ${error?.message ?? ''}`)
      if (this.#around.faulty() || error?.message === CLOSING) return
      if (error !== null) throw this.#world.violation(`scrub failed: ${error.message}`)
      if (damaged > 0 && this.#around.honest !== false) {
        throw this.#world.violation(`scrub found ${damaged} damages on a good disk`)
      }
      this.#tally.add('scrub done')
    })
  }

  #configure(): void {
    const random = this.#random
    const change = random.pick([
      { appendfsync: 'always' as const },
      { appendfsync: 'everysec' as const },
      { appendfsync: 'no' as const },
      { segmentSizeBytes: random.between(400, 3000) },
      { valueCacheBytes: random.pick([0, 65_536, 3 * 1024 * 1024]) },
      { mergeRateBytesPerSecond: random.pick([0, 10_000]) },
    ])
    this.#trace?.(`configure ${JSON.stringify(change)}`)
    this.#tally.add('appendfsync' in change ? 'switch of appendfsync' : 'other settings')
    this.#engine.configure(change)
  }

  /** Unreleased writes were undone: the model goes back too, and the live state must be that at once. */
  #failed(first: number): void {
    if (!this.#around.faulty()) throw this.#world.violation(`onFailed(${first}) without a fault`)
    if (first <= this.#engine.released)
      throw this.#world.violation(`undone from ${first}, released was ${this.#engine.released}`)
    this.#tally.add('writes undone')
    if ((this.#engine.gate & GATE_FAILED) !== 0 && this.#engine.gateMessage.includes('disk is full'))
      this.#tally.add('disk full')
    this.#model.fail(first)
    this.#world.changes.length = 0
    this.#lookAll()
  }
}

const name = (database: number, key: string): string => `${database}:${JSON.stringify(key.slice(0, 12))}`
