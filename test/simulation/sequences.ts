// All sequences of a few operations, each crashed at every instant of every file call (every-instant.ts). No dice: what random power cuts meet
// by chance, the small cases among it are all met here.
//
//   settled     each operation comes to its end before the next begins. What happens during the first ones was judged in the shorter
//               sequences that they are, so only the last is judged
//   at once     all are asked for in one go, so that their file calls meet; everything is judged
//
// A sequence begins in a store that is used: with a sealed segment, a delete in another, and a value that is overwritten.

import { sliceOf } from '../../src/base/slice.ts'
import { type EngineSettings, NONE } from '../../src/engine/engine.ts'
import { SimulatedDisk } from './disk.ts'
import { EveryInstant, type Scene } from './every-instant.ts'
import { emptyState, Model, type State, sameState, withDatabase, withKey } from './model.ts'
import { judge, Proof } from './proof.ts'
import { Random } from './random.ts'
import { Scheduler } from './scheduler.ts'
import { Tally } from './tally.ts'
import { Workload } from './workload.ts'
import { type Trace, Violation, WORKLOAD_MS, World } from './world.ts'

const DATABASES = 2
const SEED = 11

const SETTINGS: EngineSettings = {
  appendfsync: 'everysec',
  segmentSizeBytes: 400,
  segmentAgeSeconds: 0,
  valueCacheBytes: 0,
  mergeEnabled: false, // a merge is an operation of its own here
  mergeIntervalMs: 1000,
  mergeWindow: 'always',
  mergeRateBytesPerSecond: 0,
  mergeTriggerFragmentation: 1,
  mergeTriggerSegments: 0,
  mergeTriggerDeadBytes: 1,
  mergeThresholdFragmentation: 1,
  mergeThresholdDeadBytes: 1,
  mergeThresholdSmallFile: 3000,
  scrubRateBytesPerSecond: 0,
}

export const OPERATIONS = [
  'set a',
  'set b',
  'set a, large',
  'delete a',
  'expire a',
  'time passes',
  'batch',
  'flush',
  'swap',
  'rotate',
  'merge',
  'sync',
  'always',
  'stop and start',
  'kill and start',
] as const

export type Operation = (typeof OPERATIONS)[number]
export type Manner = 'settled' | 'at once'

/** Every sequence of that many operations, in order; of these each `every`-th, from `from` on. */
export function* sequencesOf(length: number, from = 0, every = 1): Generator<Operation[]> {
  const count = OPERATIONS.length ** length
  for (let index = from; index < count; index += every) {
    const sequence: Operation[] = []
    for (let rest = index, i = 0; i < length; i++) {
      sequence.unshift(OPERATIONS[rest % OPERATIONS.length] as Operation)
      rest = Math.floor(rest / OPERATIONS.length)
    }
    yield sequence
  }
}

/** Runs one sequence. Throws an Error with its name and trace at the first violation. */
export function playSequence(sequence: readonly Operation[], manner: Manner, tally: Tally): EveryInstant['figures'] {
  try {
    return new Play(sequence, manner, tally, null).run()
  } catch (error) {
    const lines: string[] = []
    let told = (error as Error).stack ?? ''
    try {
      new Play(sequence, manner, new Tally(), (line) => lines.push(line)).run()
    } catch (again) {
      told = again instanceof Violation ? again.message : ((again as Error).stack ?? '')
    }
    throw new Error(`${sequence.join('; ')} (${manner}): ${told}\n${lines.slice(-400).join('\n')}`)
  }
}

class Play {
  readonly #sequence: readonly Operation[]
  readonly #manner: Manner
  readonly #tally: Tally
  readonly #trace: Trace | null
  readonly #instants: EveryInstant
  #world: World
  #model: Model
  #proof: Proof
  #expiries: Workload
  #watching = false
  #values = 0
  #starts = 0
  /** Calls of seal, merge and the like that have not come back. */
  #waiting = 0

  constructor(sequence: readonly Operation[], manner: Manner, tally: Tally, trace: Trace | null) {
    this.#sequence = sequence
    this.#manner = manner
    this.#tally = tally
    this.#trace = trace
    this.#instants = new EveryInstant(SETTINGS, DATABASES, tally, null)
    const scheduler = new Scheduler(SEED)
    this.#world = new World(scheduler, new SimulatedDisk(scheduler), trace)
    this.#began(this.#world.open(SETTINGS, DATABASES), emptyState(DATABASES))
    this.#model = this.#modelOf(emptyState(DATABASES))
    this.#proof = new Proof(this.#world)
    this.#expiries = this.#workload()
  }

  run(): EveryInstant['figures'] {
    this.#prepare()
    this.#watching = this.#manner === 'at once'
    if (this.#watching) this.#watch()
    this.#sequence.forEach((operation, index) => {
      this.#trace?.(`=== ${operation}`)
      if (this.#manner === 'settled' && index === this.#sequence.length - 1) {
        this.#watching = true
        this.#watch()
      }
      this.#tally.add(operation)
      this.#do(operation)
      if (this.#manner === 'settled') this.#settle()
    })
    this.#settle()
    return this.#instants.figures
  }

  #prepare(): void {
    this.#set('a', 1)
    this.#set('c', 1)
    this.#do('rotate')
    this.#settle()
    this.#set('b', 1)
    this.#remove('c')
    this.#set('b', 2)
    this.#do('sync')
    this.#settle()
  }

  // --- steps

  #watch(): void {
    this.#instants.watch(this.#world.disk, () => this.#scene())
  }

  #scene(): Scene {
    const { power } = this.#proof
    return { model: this.#model, power, process: Math.max(power, this.#world.engine!.released) }
  }

  #step(): void {
    if (!this.#world.step()) throw new Violation('the world stands still')
    this.#expiries.afterBackground()
    this.#proof.note()
  }

  /** Until nothing is under way. Timers may be set. */
  #settle(): void {
    for (let steps = 0; this.#world.scheduler.pending > 0 || this.#waiting > 0; steps++) {
      if (steps > 20_000) throw new Violation('it never comes to rest')
      this.#step()
    }
  }

  // --- operations

  #do(operation: Operation): void {
    const engine = this.#world.engine!
    this.#world.changes.length = 0
    const now = this.#world.clock.now()
    engine.now = now - (now % 2)
    switch (operation) {
      case 'set a':
        this.#set('a', 10)
        break
      case 'set b':
        this.#set('b', 10)
        break
      case 'set a, large':
        this.#set('a', 700)
        break
      case 'delete a':
        this.#remove('a')
        break
      case 'expire a':
        this.#expire('a')
        break
      case 'batch':
        this.#batch()
        break
      case 'flush': {
        const before = engine.appended
        engine.flushDatabase(0)
        // One that is empty may need no record.
        if (engine.appended !== before) this.#done(withDatabase(this.#model.state, 0, new Map()))
        break
      }
      case 'swap': {
        engine.swapDatabases(0, 1)
        const [first, second] = this.#model.state as [State[number], State[number]]
        this.#done([second, first])
        break
      }
      case 'always':
        engine.configure({ appendfsync: 'always' })
        break
      case 'rotate':
        this.#durable((done) => engine.seal(done))
        break
      case 'sync':
        this.#durable((done) => engine.whenSynced(done))
        break
      case 'merge':
        this.#waiting++
        engine.merge.wait((error) => {
          this.#waiting--
          if (error !== null) throw this.#world.violation(`a merge failed: ${error.message}`)
        })
        break
      case 'time passes':
        this.#pass()
        break
      case 'stop and start':
        return this.#stop()
      case 'kill and start':
        return this.#restart(this.#scene().process)
    }
    engine.flush()
    this.#world.changes.length = 0
  }

  #done(state: State): void {
    this.#model.push(this.#world.engine!.appended, state)
  }

  #set(key: string, length: number): void {
    const value = `${this.#values++} `.padEnd(length, 'x')
    this.#world.engine!.put(0, sliceOf(key), sliceOf(value), 0)
    this.#done(withKey(this.#model.state, 0, key, { value, expiry: 0 }))
  }

  /** The key's entry. One whose time has come goes, which is a write. */
  #find(key: string): number {
    const engine = this.#world.engine!
    const before = engine.appended
    const entry = engine.find(0, sliceOf(key))
    if (engine.appended !== before) this.#done(withKey(this.#model.state, 0, key, null))
    return entry
  }

  #remove(key: string): void {
    const entry = this.#find(key)
    if (entry === NONE) return
    this.#world.engine!.remove(entry)
    this.#done(withKey(this.#model.state, 0, key, null))
  }

  #expire(key: string): void {
    const engine = this.#world.engine!
    const entry = this.#find(key)
    if (entry === NONE) return
    const expiry = engine.now + 1001
    const old = this.#model.state[0]!.get(key)!
    const before = engine.appended
    engine.setExpiry(entry, expiry)
    if (engine.appended !== before) this.#done(withKey(this.#model.state, 0, key, { ...old, expiry }))
  }

  /** Three records: a set, a delete, a set in the other database. */
  #batch(): void {
    const engine = this.#world.engine!
    const value = `${this.#values++}`
    const entry = this.#find('b') // before it begins: what this removes is a write of its own
    engine.begin()
    engine.put(0, sliceOf('a'), sliceOf(value), 0)
    if (entry !== NONE) engine.remove(engine.find(0, sliceOf('b')))
    engine.put(1, sliceOf('a'), sliceOf(value), 0)
    engine.end()
    const put = { value, expiry: 0 }
    this.#done(withKey(withKey(withKey(this.#model.state, 0, 'a', put), 0, 'b', null), 1, 'a', put))
  }

  #durable(ask: (done: (error: Error | null) => void) => void): void {
    const { appended } = this.#world.engine!
    this.#waiting++
    ask((error) => {
      this.#waiting--
      if (error !== null) throw this.#world.violation(`it failed: ${error.message}`)
      this.#proof.promised(appended)
    })
  }

  /** Two seconds by the wall clock, and long enough for the cycle that looks for keys whose time has come. */
  #pass(): void {
    const { clock } = this.#world
    clock.originMs += 2000
    const until = clock.monotonic() + 250
    while (clock.monotonic() < until) this.#step()
  }

  // --- the end of a process, and the next

  #stop(): void {
    let failed: Error | null | undefined
    this.#world.engine!.close((error) => {
      failed = error
    })
    while (failed === undefined || this.#world.disk.openFiles > 0) this.#step()
    if (failed !== null) throw new Violation(`a clean stop failed: ${failed.message}`)
    this.#waiting = 0
    this.#restart(this.#model.last.sequence)
  }

  /** Goes on in a new process, on what the old one has left to it. */
  #restart(bound: number): void {
    const old = this.#world
    const power = this.#proof.power
    const scheduler = new Scheduler(SEED + ++this.#starts)
    const disk = old.disk.processCrash(SEED, scheduler)
    this.#waiting = 0
    this.#world = new World(scheduler, disk, this.#trace)
    const before = this.#model
    // While it starts nothing new is proven, and nothing is taken back.
    if (this.#watching) this.#instants.watch(disk, () => ({ model: before, power, process: power }))
    const error = this.#world.open(SETTINGS, DATABASES)
    disk.onInstant = null
    if (error !== null) throw new Violation(`the start failed: ${error.message}`)
    const state = this.#world.dump(DATABASES)
    judge(before, bound, state, this.#world.engine!.appended)
    this.#began(null, state)
    this.#model = this.#modelOf(state)
    this.#proof = new Proof(this.#world)
    this.#expiries = this.#workload()
    if (this.#watching) this.#watch()
  }

  #began(error: Error | null, state: State): void {
    if (error !== null) throw new Violation(`the start failed: ${error.message}`)
    if (!sameState(state, this.#world.dump(DATABASES))) throw new Violation('the start shows another state')
    this.#world.clock.originMs = WORKLOAD_MS
  }

  #modelOf(state: State): Model {
    return new Model(this.#world.engine!.appended, state)
  }

  /** Only for what the engine removes by itself. */
  #workload(): Workload {
    return new Workload(this.#world, this.#model, new Random(SEED), {
      faulty: () => false,
      synced: () => {},
      tally: this.#tally,
      trace: this.#trace,
    })
  }
}
