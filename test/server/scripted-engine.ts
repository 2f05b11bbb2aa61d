// An engine whose disk is the test: everything is in a Map, and the test says when writes are released, when they fail, which
// gates close and whether values are in memory. What the server does with that is what test/server proves.

import { Slice } from '../../src/base/slice.ts'
import {
  CHANGED,
  CREATED,
  type Engine,
  type EngineEvents,
  EXPIRED,
  GATE_STALLED,
  NONE,
  type PendingRead,
} from '../../src/engine/engine.ts'

interface Item {
  database: number
  key: string
  value: Buffer
  expiry: number
  sequence: number
}

export class ScriptedEngine {
  appended = 0
  released = 0
  dependsOn = 0
  now = 0
  gate = 0
  gateMessage = 'MISCONF scripted'
  watching = false
  readsCount = true
  missed = false
  readsSpent = false
  batchBytes = 0
  /** True: flush releases what was appended, as appendfsync everysec does on a good disk. */
  releasesAtFlush = true
  /** True: values are not in memory until `warm()`. */
  isCold = false
  flushes = 0
  closes = 0
  events: EngineEvents = { onReleased() {}, onFailed() {}, onGate() {}, onChange() {} }
  private readonly items: (Item | undefined)[] = []
  private readonly entries: Map<string, number>[] = Array.from({ length: 16 }, () => new Map())
  private readonly loads: (() => void)[] = []
  private readonly pinned = new Set<string>()
  private depth = 0
  batches = 0

  asEngine(): Engine {
    return this as unknown as Engine
  }

  // --- the script

  release(sequence: number = this.appended): void {
    this.released = sequence
    this.events.onReleased()
  }

  /** Everything not released has come to nothing. The Map keeps it: no test here asks. */
  fail(message = 'MISCONF the disk is gone'): void {
    this.events.onFailed(this.released + 1, message)
  }

  setGate(gate: number): void {
    this.gate = gate
    this.events.onGate()
  }

  /** Answers all reads under way, oldest first; the test may reverse that. */
  warm(order: 'first' | 'last' = 'first'): number {
    const loads = this.loads.splice(0)
    if (order === 'last') loads.reverse()
    for (const load of loads) load()
    return loads.length
  }

  get readsUnderWay(): number {
    return this.loads.length
  }

  get stalled(): boolean {
    return (this.gate & GATE_STALLED) !== 0
  }

  // --- the engine

  find(database: number, key: Slice): number {
    const name = key.key()
    const entry = this.entries[database]!.get(name)
    if (entry === undefined) {
      if (this.appended > this.dependsOn) this.dependsOn = this.appended
      return NONE
    }
    const item = this.items[entry]!
    if (item.expiry !== 0 && item.expiry <= this.now) {
      this.remove(entry, EXPIRED)
      return NONE
    }
    if (item.sequence > this.dependsOn) this.dependsOn = item.sequence
    return entry
  }

  prefetch(): void {}

  typeOf(): number {
    return 0
  }

  valueSize(entry: number): number {
    return this.items[entry]!.value.length
  }

  expiryOf(entry: number): number {
    return this.items[entry]!.expiry
  }

  keyOf(entry: number, into: Slice): Slice {
    const key = Buffer.from(this.items[entry]!.key, 'latin1')
    return into.set(key, 0, key.length)
  }

  idleSeconds(): number {
    return 0
  }

  setIdle(): void {}

  valueOf(entry: number, into: Slice): boolean {
    const item = this.items[entry]!
    if (this.isCold && !this.pinned.has(item.key)) return false
    into.set(item.value, 0, item.value.length)
    return true
  }

  keepValueOf(entry: number, into: Slice): boolean {
    return this.valueOf(entry, into)
  }

  load(entry: number, done: (error: Error | null, value: Slice | null) => void): PendingRead {
    const { value } = this.items[entry]!
    const load = (): void => done(null, new Slice(value))
    this.loads.push(load)
    return { cancel: () => this.loads.includes(load) && this.loads.splice(this.loads.indexOf(load), 1) }
  }

  inMemory(database: number, key: Slice): boolean {
    const name = key.key()
    return !this.isCold || this.pinned.has(name) || !this.entries[database]!.has(name)
  }

  bring(_database: number, key: Slice, done: (error: Error | null) => void): number {
    const name = key.key()
    this.loads.push(() => {
      this.pinned.add(name)
      done(null)
    })
    return 1
  }

  drop(): void {
    this.pinned.clear()
  }

  put(database: number, key: Slice, value: Slice, expiry: number): void {
    const name = key.key()
    const bytes = value.copy()
    const sequence = this.append()
    const old = this.entries[database]!.get(name)
    if (old !== undefined) {
      const item = this.items[old]!
      item.value = bytes
      item.expiry = expiry
      item.sequence = sequence
    } else {
      this.entries[database]!.set(name, this.items.length)
      this.items.push({ database, key: name, value: bytes, expiry, sequence })
    }
    this.changed(database, name, old === undefined ? CREATED : CHANGED)
  }

  overwrite(entry: number, value: Slice, expiry: number): void {
    const item = this.items[entry]!
    item.value = value.copy()
    item.expiry = expiry
    item.sequence = this.append()
    this.changed(item.database, item.key)
  }

  remove(entry: number, change = CHANGED): void {
    const item = this.items[entry]!
    this.items[entry] = undefined
    this.entries[item.database]!.delete(item.key)
    this.append()
    this.changed(item.database, item.key, change)
  }

  setExpiry(entry: number, expiry: number): void {
    const item = this.items[entry]!
    item.expiry = expiry
    item.sequence = this.append()
    this.changed(item.database, item.key)
  }

  begin(): void {
    if (this.depth++ === 0) this.batches++
  }

  end(): void {
    this.depth--
  }

  physical(database: number): number {
    return database + 1
  }

  keyCount(database: number): number {
    return this.entries[database]!.size
  }

  averageTtl(): number {
    return 0
  }

  expiringCount(): number {
    return 0
  }

  flushDatabase(database: number): void {
    for (const entry of this.entries[database]!.values()) this.items[entry] = undefined
    this.entries[database]!.clear()
    this.append()
  }

  scan(database: number, cursor: number, budget: number, visit: (entry: number) => void): number {
    const end = Math.min(this.items.length, cursor + budget)
    for (let entry = cursor; entry < end; entry++) {
      if (this.items[entry]?.database === database) visit(entry)
    }
    return end === this.items.length ? 0 : end
  }

  flush(): void {
    this.flushes++
    if (this.releasesAtFlush) this.released = this.appended
  }

  seal(done: (error: Error | null) => void): void {
    this.loads.push(() => done(null))
  }

  close(done: (error: Error | null) => void): void {
    this.closes++
    done(null)
  }

  scrub = {
    status: () => ({ state: 'idle', scrubs: 0, failures: 0, lastDamaged: 0, lastDamagedKeys: 0 }),
  }

  merge = {
    status: () => ({ state: 'idle', merges: 0, failures: 0, lastFreedBytes: 0, lastDurationMs: 0 }),
  }

  stats(): object {
    return {
      keydirBytes: 0,
      cache: { bytes: 0, capacity: 0, entries: 0, hits: 0, misses: 0, evictions: 0 },
      lastSyncMs: 0,
      lastSeal: 0,
      lastWriteOk: true,
      loading: { active: false, startedAt: 0, totalBytes: 0, loadedBytes: 0 },
    }
  }

  private append(): number {
    this.dependsOn = ++this.appended
    return this.appended
  }

  private changed(database: number, key: string, change = CHANGED): void {
    if (this.watching) this.events.onChange(this.physical(database), new Slice(Buffer.from(key, 'latin1')), change)
  }
}
