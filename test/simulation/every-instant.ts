// A crash at every instant of every call: before it had an effect, with half of its bytes written, after it. At each instant the disk is cut in
// a systematic set of ways, with no dice:
//
//   all that completed is kept          what a killed process leaves
//   nothing that was not synced is kept
//   of all unsynced changes (a name made, moved or removed; a write) one is kept, or one is lost: each in turn
//
// Most of these leave the same files as the instant before, so each different disk is started once, and what it showed is remembered.

import type { EngineSettings } from '../../src/engine/engine.ts'
import type { Instant, SimulatedDisk } from './disk.ts'
import { difference, type Model, type State, sameState } from './model.ts'
import { judge } from './proof.ts'
import { Scheduler } from './scheduler.ts'
import type { Tally } from './tally.ts'
import { type Trace, Violation, World } from './world.ts'

const SECOND_START_EVERY = 4

/** What there is to be judged at an instant. */
export interface Scene {
  readonly model: Model
  /** What a power cut, and what the death of the process, must leave. */
  readonly power: number
  readonly process: number
}

interface Shown {
  readonly state: State
  readonly appended: number
}

export class EveryInstant {
  /** Instants, cuts judged, disks that had to be started for it. */
  readonly figures = { instants: 0, cuts: 0, starts: 0 }
  readonly #settings: EngineSettings
  readonly #databases: number
  readonly #tally: Tally
  readonly #trace: Trace | null
  readonly #known = new Map<string, Shown>()

  constructor(settings: EngineSettings, databases: number, tally: Tally, trace: Trace | null) {
    this.#settings = settings
    this.#databases = databases
    this.#tally = tally
    this.#trace = trace
  }

  /** From now on each instant of that disk is judged, by what `scene` gives then. */
  watch(disk: SimulatedDisk, scene: () => Scene): void {
    disk.onInstant = (instant, call) => {
      this.#tally.add(`killed ${instant} ${call}`)
      this.judge(disk, scene(), `${instant} ${call}`)
    }
  }

  judge(disk: SimulatedDisk, scene: Scene, where: Instant | string): void {
    this.figures.instants++
    const { unsynced } = disk
    this.#outcome(disk, scene.model, scene.process, () => true, `killed ${where}`)
    if (unsynced === 0) return
    this.#outcome(disk, scene.model, scene.power, () => false, `power cut ${where}, nothing kept`)
    for (let one = 0; one < unsynced && unsynced > 1; one++) {
      this.#outcome(disk, scene.model, scene.power, (change) => change === one, `power cut ${where}, only ${one} kept`)
      this.#outcome(disk, scene.model, scene.power, (change) => change !== one, `power cut ${where}, only ${one} lost`)
    }
  }

  #outcome(disk: SimulatedDisk, model: Model, bound: number, keeps: (change: number) => boolean, what: string): void {
    this.figures.cuts++
    const scheduler = new Scheduler(this.figures.cuts)
    const left = disk.cut(keeps, scheduler)
    const print = left.fingerprint()
    try {
      let shown = this.#known.get(print)
      if (shown === undefined) {
        shown = this.#start(left, scheduler)
        this.#known.set(print, shown)
      }
      judge(model, bound, shown.state, shown.appended)
    } catch (error) {
      const why = error instanceof Violation ? error.message : (error as Error).stack
      throw new Violation(`${what}: ${why}`)
    }
  }

  #start(disk: SimulatedDisk, scheduler: Scheduler): Shown {
    this.figures.starts++
    const world = new World(scheduler, disk, this.#trace)
    const error = world.open(this.#settings, this.#databases)
    if (error !== null) throw new Violation(`the start failed: ${error.message}`)
    const state = world.dump(this.#databases)
    const { appended } = world.engine!
    if (this.figures.starts % SECOND_START_EVERY !== 0) return { state, appended }
    // What a start made of it is what the next one finds, however little of it was synced.
    const next = new Scheduler(this.figures.starts)
    const again = new World(
      next,
      world.disk.cut(() => false, next),
      this.#trace,
    )
    const failed = again.open(this.#settings, this.#databases)
    if (failed !== null) throw new Violation(`the second start failed: ${failed.message}`)
    const found = again.dump(this.#databases)
    if (!sameState(state, found))
      throw new Violation(`the second start shows another state\n${difference(state, found)}`)
    return { state, appended }
  }
}
