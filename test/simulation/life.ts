// One life of a store: opened on an empty disk, used by clients, perhaps stopped, while this or that call fails. What the tests of single faults,
// pairs of faults and lies have in common.

import type { EngineSettings } from '../../src/engine/engine.ts'
import { SimulatedDisk } from './disk.ts'
import { emptyState, Model } from './model.ts'
import { settingsOf } from './power-cuts.ts'
import { Proof } from './proof.ts'
import { Random } from './random.ts'
import { Scheduler } from './scheduler.ts'
import { Tally } from './tally.ts'
import { Workload } from './workload.ts'
import { type Trace, Violation, WORKLOAD_MS, World } from './world.ts'

export const DATABASES = 2
const OPERATIONS = 60
/** Fewer calls are no story: there was no rotation, no merge. */
const STORY_CALLS = 300

export interface Life {
  readonly world: World
  readonly settings: EngineSettings
  readonly model: Model
  readonly proof: Proof | null // null: it never opened
  readonly written: ReadonlySet<string>
  /** Calls of the disk. */
  readonly calls: number
  readonly merges: number
  /** It was stopped, and said that went well. */
  readonly stopped: boolean
}

/** Plans the faults of a disk before anything has called it. */
export type Plan = (disk: SimulatedDisk) => void

/** Lives once, and ends in good order or in the middle of it all. Throws Violation when what it shows meanwhile is wrong. */
export function live(seed: number, plan: Plan, ending: 'stop' | 'kill' = 'stop', trace: Trace | null = null): Life {
  const random = new Random(seed)
  const settings = { ...settingsOf(random), mergeEnabled: true, segmentSizeBytes: 400 }
  const scheduler = new Scheduler(random.bits())
  const disk = new SimulatedDisk(scheduler, { sectorBytes: 128 })
  plan(disk)
  const world = new World(scheduler, disk, trace)
  const disturbed = (): boolean => disk.faults.fired + disk.faults.lied > 0
  const error = world.open(settings, DATABASES)
  const failed = { world, settings, model: new Model(0, emptyState(DATABASES)), written: new Set<string>(), merges: 0 }
  if (error !== null) {
    if (!disturbed()) throw new Violation(`opening: ${error.message}`)
    return { ...failed, proof: null, calls: disk.faults.calls, stopped: false }
  }
  const engine = world.engine!
  const model = new Model(engine.appended, emptyState(DATABASES))
  const proof = new Proof(world)
  world.clock.originMs = WORKLOAD_MS
  const workload = new Workload(world, model, random, {
    faulty: disturbed,
    synced: (sequence) => proof.promised(sequence),
    tally: new Tally(),
    trace,
  })
  const step = (): void => {
    if (!world.step()) throw new Violation('the world stands still')
    workload.afterBackground()
    proof.note()
  }
  const client = (): void => {
    if (!scheduler.random.chance(0.5)) workload.step()
    if (workload.operations < OPERATIONS) scheduler.add('client', client)
  }
  scheduler.add('client', client)
  while (workload.operations < OPERATIONS) step()
  const lived = (stopped: boolean): Life => {
    const { merges } = engine.merge.status()
    return { world, settings, model, proof, written: workload.written, calls: disk.faults.calls, merges, stopped }
  }
  if (ending === 'kill') return lived(false)
  // A stop is a part of it: its calls fail as well.
  let stopped: boolean | null = null
  trace?.('--- stop')
  engine.close((closing) => {
    if (closing !== null && !disturbed()) throw world.violation(`stop: ${closing.message}`)
    stopped = closing === null
  })
  for (let steps = 0; stopped === null || disk.openFiles > 0; steps++) {
    if (steps > 60_000) throw new Violation('the stop never ended')
    step()
  }
  if (stopped && !disturbed()) proof.promised(engine.appended)
  return lived(stopped)
}

/** The first seed from there on whose undisturbed life has a story to tell, and how many calls and writes that makes. */
export function storyFrom(seed: number): { readonly seed: number; readonly calls: number; readonly writes: number } {
  for (; ; seed++) {
    let writes = 0
    const counting: Plan = (disk) => {
      disk.onInstant = (instant, call) => {
        if (instant === 'before' && call === 'write') writes++
      }
    }
    const { calls, merges } = live(seed, counting)
    if (merges > 0 && calls >= STORY_CALLS) return { seed, calls, writes }
  }
}
