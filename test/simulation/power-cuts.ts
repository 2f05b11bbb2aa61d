// Power cuts: the engine on the simulated disk, crashed again and again, and judged by the prefix rule.
//
// A run is one seed. It has a few generations: an engine is opened on what the one before left, clients work, and at instants that
// the seed picks the disk is forked and crashed (the power fails, or only the process dies). Each fork is then judged:
//
//   open it; perhaps crash it again in the middle of that, and open what is left
//   the whole state equals the model at some moment not older than what was proven
//   then one of: another power cut; all hints gone; a merge; a clean stop - and after each the very same state
//
// What is proven: after a process crash, everything that was released. After a power cut, what was released in mode `always`, and
// what the disk knows to be durable: when each write to a data file up to some instant is synced, then so is every sequence that
// was released by that instant.
//
// A violation is reported with its seed and the trace of a second, identical run.

import type { Appendfsync, EngineSettings } from '../../src/engine/engine.ts'
import { SimulatedDisk } from './disk.ts'
import type { CallKind, FaultKind } from './faults.ts'
import { difference, emptyState, Model, type State, sameState } from './model.ts'
import { judge, Proof } from './proof.ts'
import { Random } from './random.ts'
import { Scheduler } from './scheduler.ts'
import { Tally } from './tally.ts'
import { Workload } from './workload.ts'
import { type BadBackground, type Trace, Violation, WORKLOAD_MS, World } from './world.ts'

export interface PowerCutOptions {
  /** Crashes to judge, at least. */
  readonly count: number
  /** First seed; the runs take this and those that follow, `stride` apart (1): so several workers share them. */
  readonly seed: number
  readonly stride?: number
  readonly mischief?: Mischief
}

/** What a test does to a run on top of what its seed does. */
export interface Mischief {
  /** These calls of the disk pretend to succeed: for tests of the judge. */
  readonly sabotage?: (call: CallKind, name: string) => boolean
  /** Merges and hints are made by this one: for tests of the judge. */
  readonly background?: BadBackground
  /** One fault, where otherwise the seed would choose; null: none at all. */
  readonly fault?: ChosenFault | null
}

export interface ChosenFault {
  /** During the work of the clients, or during the start after each crash. */
  readonly when: 'work' | 'start'
  readonly at: number
  readonly kind: FaultKind
  readonly forever: boolean
}

export interface PowerCutReport {
  cuts: number
  runs: number
  opens: number
  operations: number
  merges: number
  /** Lives in which a fault was met. */
  faults: number
  readonly tally: Tally
  /** Calls of the disk while clients worked, and in the longest start. */
  workCalls: number
  startCalls: number
}

const newReport = (): PowerCutReport => ({
  cuts: 0,
  runs: 0,
  opens: 0,
  operations: 0,
  merges: 0,
  faults: 0,
  tally: new Tally(),
  workCalls: 0,
  startCalls: 0,
})

const DATABASES = 3
const TRACE_LINES = 400

/** Runs until `count` crashes were judged. Throws an Error with seed and trace at the first violation. */
export function powerCuts(options: PowerCutOptions): PowerCutReport {
  const report = newReport()
  const stride = options.stride ?? 1
  for (let seed = options.seed; report.cuts < options.count; seed += stride) {
    report.runs++
    try {
      new Run(seed, report, options.mischief ?? {}, null).go()
    } catch (error) {
      throw new Error(replay(seed, error as Error, options.mischief ?? {}))
    }
  }
  return report
}

/** Runs one seed again with a trace, and says what happened. */
export function replay(seed: number, first: Error | null, mischief: Mischief): string {
  const lines: string[] = []
  let again: Error | null = null
  try {
    new Run(seed, newReport(), mischief, (line) => lines.push(line)).go()
  } catch (error) {
    again = error as Error
  }
  const shown = lines.slice(-TRACE_LINES)
  if (shown.length < lines.length) shown.unshift(`... ${lines.length - shown.length} lines before`)
  const what = again ?? first
  const text = what instanceof Violation ? what.message : (what?.stack ?? 'no violation')
  const same = first === null || again?.message === first.message ? '' : `\n(the first time: ${first.message})`
  return `${text}${same}\nreplay: CASKY_TEST_SEED=${seed} npx vitest run test/simulation\n${shown.join('\n')}`
}

class Run {
  readonly #seed: number
  readonly #random: Random
  readonly #report: PowerCutReport
  readonly #mischief: Mischief
  readonly #trace: Trace | null
  readonly #settings: EngineSettings
  readonly #sectorBytes: number

  constructor(seed: number, report: PowerCutReport, mischief: Mischief, trace: Trace | null) {
    this.#mischief = mischief
    this.#seed = seed
    this.#random = new Random(seed)
    this.#report = report
    this.#trace = trace
    this.#settings = settingsOf(this.#random)
    this.#sectorBytes = this.#random.pick([512, 512, 128, 32])
  }

  go(): void {
    this.#trace?.(`seed ${this.#seed} sector ${this.#sectorBytes} ${JSON.stringify(this.#settings)}`)
    let disk = new SimulatedDisk(this.#scheduler(), { sectorBytes: this.#sectorBytes })
    let state = emptyState(DATABASES)
    const generations = this.#random.between(1, 3)
    for (let generation = 1; generation <= generations; generation++) {
      this.#trace?.(`--- generation ${generation}`)
      const [left, survived] = this.#live(disk, state)
      disk = left
      state = survived
    }
  }

  /** What is on disk is what was written, so a scrub finds nothing. */
  get #honest(): boolean {
    return this.#mischief.sabotage === undefined && this.#mischief.background === undefined
  }

  /** The fault of a life or a start, or null. */
  #fault(when: 'work' | 'start'): Omit<ChosenFault, 'when'> | null {
    const { fault } = this.#mischief
    if (fault !== undefined) return fault?.when === when ? fault : null
    const random = this.#random
    if (!random.chance(0.25)) return null
    const kind = random.pick(['EIO', 'ENOSPC', 'EMFILE', 'short'] as const)
    const forever = when === 'work' && random.chance(0.3)
    return { at: random.between(1, when === 'work' ? 150 : 60), kind, forever }
  }

  #scheduler(): Scheduler {
    const scheduler = new Scheduler(this.#random.bits())
    scheduler.slowKind = this.#random.pick([null, null, 'sync', 'write', 'syncDirectory', 'rename', 'unlink', 'read'])
    return scheduler
  }

  /** One process: opened, worked, crashed on the way and at the end. Gives what its last crash left, and the state in that. */
  #live(from: SimulatedDisk, state: State): [SimulatedDisk, State] {
    const random = this.#random
    const scheduler = this.#scheduler()
    const disk = from.crash(random.bits(), scheduler) // nothing is pending: a copy
    const world = this.#open(disk, scheduler, 'opening a generation')
    const engine = world.engine!
    const found = world.dump(DATABASES)
    if (!sameState(state, found)) {
      throw new Violation(`the state is not that of the last recovery\n${difference(state, found)}`)
    }
    const model = new Model(engine.appended, state)
    const proof = new Proof(world)
    const { tally } = this.#report
    world.clock.originMs = WORKLOAD_MS
    const before = disk.faults.calls
    const fault = this.#fault('work')
    if (fault !== null) {
      this.#trace?.(`fault: ${fault.kind} at call ${fault.at} from now${fault.forever ? ', for ever' : ''}`)
      disk.failAt(fault.at, fault.kind, { forever: fault.forever })
    }
    const workload = new Workload(world, model, random, {
      faulty: () => disk.faults.fired > 0,
      honest: this.#honest,
      synced: (sequence) => proof.promised(sequence),
      tally,
      trace: this.#trace,
    })
    const budget = random.between(10, 60)
    // How much the disk gets done between two operations of the clients.
    const thinking = random.pick([0, 0.5, 0.9])
    const client = (): void => {
      if (!scheduler.random.chance(thinking)) workload.step()
      if (workload.operations < budget) scheduler.add('client', client)
    }
    scheduler.add('client', client)
    const rate = random.pick([0.002, 0.005])
    let last: [SimulatedDisk, State] | null = null
    while (workload.operations < budget) {
      if (!world.step()) throw new Violation('the world stands still')
      workload.afterBackground()
      proof.note()
      if (random.chance(rate)) last = this.#crash(world, model, proof)
    }
    // Whatever was begun may come to an end before the last crash, or not.
    for (let steps = random.pick([0, 3, 300]); steps > 0; steps--) {
      world.step()
      workload.afterBackground()
      proof.note()
    }
    last = this.#crash(world, model, proof)
    this.#report.operations += workload.operations
    const { merges } = engine.merge.status()
    this.#report.merges += merges
    tally.add('merge done', merges)
    tally.add('segment created', disk.made.data)
    tally.add('hint made', disk.made.hints)
    this.#report.workCalls += disk.faults.calls - before
    if (disk.faults.fired > 0) this.#report.faults++
    return last
  }

  #world(disk: SimulatedDisk, scheduler: Scheduler): World {
    const { sabotage, background } = this.#mischief
    if (sabotage !== undefined) disk.faults.lieAbout(sabotage)
    this.#report.opens++
    const world = new World(scheduler, disk, this.#trace)
    if (background !== undefined) world.background = background
    return world
  }

  #open(disk: SimulatedDisk, scheduler: Scheduler, when: string): World {
    const world = this.#world(disk, scheduler)
    const error = world.open(this.#settings, DATABASES)
    if (error !== null) throw new Violation(`${when}: ${error.message}`)
    return world
  }

  /** Crashes a fork of the world and judges what is left. */
  #crash(world: World, model: Model, proof: Proof): [SimulatedDisk, State] {
    const random = this.#random
    this.#report.cuts++
    const seed = random.bits()
    const scheduler = this.#scheduler()
    const power = random.chance(0.75)
    const afterPower = proof.power
    const { tally } = this.#report
    if (world.engine!.merge.status().state === 'running') tally.add('cut while a merge runs')
    if (model.batchBehind(afterPower)) tally.add('cut with a batch at risk')
    if (world.engine!.appended > afterPower) tally.add('cut with unsynced bytes')
    const proven = power || world.disk.doomed ? afterPower : world.engine!.released
    this.#trace?.(`--- ${power ? 'power cut' : 'process crash'}, proven ${proven}, appended ${world.engine!.appended}`)
    let disk = power ? world.disk.crash(seed, scheduler) : world.disk.processCrash(seed, scheduler)
    let bound = proven
    const starts = this.#mischief.fault === undefined ? random.pick([0, 0, 1, 2]) : 1
    for (let times = starts; times > 0; times--) {
      disk = this.#crashWhileOpening(disk)
      bound = afterPower
    }
    const next = this.#scheduler()
    const again = disk.processCrash(random.bits(), next)
    const left = this.#open(again, next, 'opening after the crash')
    const state = left.dump(DATABASES)
    const moment = judge(model, bound, state, left.engine!.appended)
    this.#trace?.(`recovered to ${moment.sequence}`)
    return [this.#same(left, state), state]
  }

  /** A start that is crashed, or fails by a fault, before it ends. */
  #crashWhileOpening(disk: SimulatedDisk): SimulatedDisk {
    const random = this.#random
    const scheduler = this.#scheduler()
    const copy = disk.processCrash(random.bits(), scheduler)
    const world = this.#world(copy, scheduler)
    let done = false
    if (random.chance(0.3))
      copy.failAt(random.between(1, 60), random.pick(['EIO', 'ENOSPC', 'EMFILE', 'short'] as const))
    world.beginOpen(this.#settings, DATABASES, (error) => {
      done = true
      if (error !== null && copy.faults.fired === 0) throw new Violation(`opening after the crash: ${error.message}`)
    })
    const steps = this.#mischief.fault === undefined ? random.between(1, 120) : Number.POSITIVE_INFINITY
    for (let step = 0; step < steps && !done; step++) world.step()
    this.#report.startCalls = Math.max(this.#report.startCalls, copy.faults.calls)
    this.#trace?.(`--- crash while opening${done ? ', just when it was done' : ''}`)
    this.#report.tally.add('cut while starting')
    const power = random.chance(0.75)
    return power ? copy.crash(random.bits(), this.#scheduler()) : copy.processCrash(random.bits(), this.#scheduler())
  }

  /** Whatever is done now, the state stays the same. Gives a disk from which a generation may go on. */
  #same(world: World, state: State): SimulatedDisk {
    const random = this.#random
    const { tally } = this.#report
    const check = (disk: SimulatedDisk, what: string): SimulatedDisk => {
      this.#trace?.(`--- ${what}`)
      const scheduler = this.#scheduler()
      const copy = disk.crash(random.bits(), scheduler) // nothing is pending: a copy
      const found = this.#open(copy, scheduler, what).dump(DATABASES)
      if (!sameState(state, found)) throw new Violation(`${what}: the state has changed\n${difference(state, found)}`)
      return disk
    }
    const powerCut = (): SimulatedDisk => world.disk.crash(random.bits(), this.#scheduler())
    switch (random.below(5)) {
      case 0:
        return check(powerCut(), 'a power cut right after the recovery')
      case 1: {
        const disk = powerCut()
        for (const name of disk.files()) {
          if (name.endsWith('.hint') || name.endsWith('.image')) disk.place(name, null)
        }
        tally.add('start without hints')
        return check(disk, 'without hints')
      }
      case 2: {
        const { merge, scrub } = world.engine!
        const error = world.finish((done) => merge.wait((failure) => done(failure)), 'a merge never ended')
        if (error !== null) throw new Violation(`merge after the recovery: ${error.message}`)
        // What a crash has torn off is not damage: everything sealed is whole.
        let damaged = 0
        const failed = world.finish(
          (done) =>
            scrub.wait((failure, places) => {
              damaged = places
              done(failure)
            }),
          'a scrub never ended',
        )
        if (failed !== null) throw new Violation(`scrub after the recovery: ${failed.message}`)
        if (damaged > 0 && this.#honest) throw new Violation(`scrub after the recovery found ${damaged} damages`)
        const found = world.dump(DATABASES)
        if (!sameState(state, found)) throw new Violation(`a merge changed the state\n${difference(state, found)}`)
        tally.add('cut after a merge')
        return check(powerCut(), 'a power cut after a merge')
      }
      case 3: {
        const error = world.finish((done) => world.engine!.close(done), 'close never ended')
        if (error !== null) throw new Violation(`close after the recovery: ${error.message}`)
        // A hint or merge that was under way may come to its end.
        world.until(() => world.disk.openFiles === 0, `${world.disk.openFiles} files open after close`)
        tally.add('cut after a clean stop')
        tally.add('image made', world.disk.made.images)
        return check(powerCut(), 'a power cut after a clean stop')
      }
      default:
        return powerCut()
    }
  }
}

/** Fewer calls are no story: there was no rotation, no merge. */
const STORY_CALLS = 300

/**
 * Runs one seed (the first from `seed` on that merges and has a story to tell) once for each call that its disk gets, while clients work
 * and while it starts after each crash, and fails that call. Takes every `stride`-th call. Throws as powerCuts does; returns how many
 * calls were failed.
 */
export function everyCallFails(seed: number, kind: FaultKind, forever: boolean, stride: number): number {
  const undisturbed = (): PowerCutReport => powerCuts({ count: 1, seed, mischief: { fault: null } })
  let calls = undisturbed()
  while (calls.merges === 0 || calls.workCalls < STORY_CALLS) {
    seed++
    calls = undisturbed()
  }
  let failed = 0
  for (const when of ['work', 'start'] as const) {
    const last = when === 'work' ? calls.workCalls : calls.startCalls
    for (let at = 1 + (failed % stride); at <= last; at += stride) {
      powerCuts({ count: 1, seed, mischief: { fault: { when, at, kind, forever } } })
      failed++
    }
  }
  return failed
}

export function settingsOf(random: Random): EngineSettings {
  return {
    appendfsync: random.pick(['always', 'everysec', 'no'] as Appendfsync[]),
    segmentSizeBytes: random.pick([400, 400, 400, 1000, 3000]),
    segmentAgeSeconds: random.pick([0, 0, 1]),
    valueCacheBytes: random.chance(0.05) ? 3 * 1024 * 1024 : random.pick([0, 0, 65_536]), // less than 2 MiB beside the tail: no cache
    mergeEnabled: random.chance(0.8),
    mergeIntervalMs: random.pick([5, 50, 500]),
    mergeWindow: 'always',
    mergeRateBytesPerSecond: random.pick([0, 0, 20_000]),
    mergeTriggerFragmentation: random.pick([1, 30, 60]),
    mergeTriggerSegments: random.pick([0, 0, 1, 3]),
    mergeTriggerDeadBytes: random.pick([1, 200, 2000]),
    mergeThresholdFragmentation: random.pick([1, 20, 50, 80]), // the higher, the more stays outside of a merge
    mergeThresholdDeadBytes: random.pick([1, 200, 1000, 5000]),
    mergeThresholdSmallFile: random.pick([0, 0, 300, 3000]),
    scrubRateBytesPerSecond: 0,
  }
}
