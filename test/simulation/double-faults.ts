// Two faults: the k-th call of a life fails, and then the j-th of the start that follows a crash, or of the same life. After that the disk is
// well again, the store starts once more, and nothing that was proven is missing.
//
// A life is lived once for each k; each j gets a copy of what it left. In numbers: a life has some 350 calls and a start some 80.

import type { SimulatedDisk } from './disk.ts'
import type { FaultKind } from './faults.ts'
import { DATABASES, type Life, live } from './life.ts'
import { difference, type State, sameState } from './model.ts'
import { judge } from './proof.ts'
import { Random } from './random.ts'
import { Scheduler } from './scheduler.ts'
import { type Trace, Violation, World } from './world.ts'

export const KINDS: readonly FaultKind[] = ['EIO', 'ENOSPC', 'EMFILE', 'short']

export interface Planned {
  readonly at: number
  readonly kind: FaultKind
  readonly forever: boolean
}

/** The fault that is tried at that place when not all of them are: they take turns. */
export function inTurn(at: number, turn: number): Planned {
  const index = at + turn
  return { at, kind: KINDS[index % KINDS.length] as FaultKind, forever: Math.floor(index / KINDS.length) % 3 === 0 }
}

export interface PairReport {
  lives: number
  pairs: number
  /** Starts that the second fault let fail, and those that came up in spite of it. */
  failedStarts: number
  survivedStarts: number
}

export const newPairReport = (): PairReport => ({ lives: 0, pairs: 0, failedStarts: 0, survivedStarts: 0 })

/**
 * The first fault in a life, and after it each `stride`-th call of the start fails, the kinds taking turns from `turn` on; or only that of `second`.
 * Throws an Error with the trace at the first violation.
 */
export function faultThenStart(seed: number, first: Planned, turn: number, stride: number, report: PairReport): void {
  const life = told(seed, first, null, () => live(seed, (disk) => plan(disk, first), endingOf(first)))
  report.lives++
  for (let at = 1 + (turn % stride); ; at += stride) {
    const second = inTurn(at, turn)
    const met = told(
      seed,
      first,
      second,
      () => new Pair(life, seed, first, null).start(second, report),
      () => {
        const lines: string[] = []
        const trace = (line: string): unknown => lines.push(line)
        try {
          new Pair(
            live(seed, (disk) => plan(disk, first), endingOf(first), trace),
            seed,
            first,
            trace,
          ).start(second, newPairReport())
        } catch {}
        return lines
      },
    )
    if (!met) return
    report.pairs++
  }
}

/** Both faults in one life, then a crash and a start without any. */
export function twoFaults(seed: number, first: Planned, second: Planned, report: PairReport): void {
  const both = (trace: Trace | null): void => {
    const life = live(
      seed,
      (disk) => {
        plan(disk, first)
        plan(disk, second)
      },
      endingOf(first),
      trace,
    )
    new Pair(life, seed, first, trace).startsWell(second.at)
  }
  told(
    seed,
    first,
    second,
    () => both(null),
    () => {
      const lines: string[] = []
      try {
        both((line) => lines.push(line))
      } catch {}
      return lines
    },
  )
  report.lives++
  report.pairs++
}

const plan = (disk: SimulatedDisk, { at, kind, forever }: Planned): void => disk.failAt(at, kind, { forever })

/** Half of the lives end with a stop, the others in the middle of it all. */
const endingOf = ({ at }: Planned): 'stop' | 'kill' => (at % 2 === 0 ? 'stop' : 'kill')

function told<T>(
  seed: number,
  first: Planned,
  second: Planned | null,
  run: () => T,
  again: () => string[] = () => [],
): T {
  try {
    return run()
  } catch (error) {
    const text = error instanceof Violation ? error.message : (error as Error).stack
    const lines = again().slice(-400)
    throw new Error(
      `seed ${seed}, ${JSON.stringify(first)} then ${JSON.stringify(second)}: ${text}\n${lines.join('\n')}`,
    )
  }
}

class Pair {
  readonly #life: Life
  readonly #random: Random
  readonly #seed: number
  readonly #trace: Trace | null

  constructor(life: Life, seed: number, first: Planned, trace: Trace | null) {
    this.#life = life
    this.#seed = seed
    this.#random = new Random(seed + first.at)
    this.#trace = trace
  }

  /** Crash, start with the second fault, crash again, start. False: that start had fewer calls. */
  start(second: Planned, report: PairReport): boolean {
    const random = new Random(this.#seed * 1000 + second.at)
    const world = this.#crashed(random)
    const { disk } = world
    plan(disk, second)
    const error = world.open(this.#life.settings, DATABASES)
    let shown: State | null = null
    if (error === null) {
      // A read that fails is an error for that key, not another value: what was readable is compared.
      const unreadable = new Set<string>()
      const state = world.dump(DATABASES, unreadable)
      if (unreadable.size === 0) shown = state
      world.finish((done) => world.engine!.merge.wait((failure) => done(failure)), 'a merge never ended')
    }
    if (disk.faults.fired === 0) return false
    if (error === null) report.survivedStarts++
    else report.failedStarts++
    this.#trace?.(`--- the second start ${error === null ? 'survived' : error.message}; now all is well`)
    const scheduler = new Scheduler(random.bits())
    const left = random.chance(0.5) ? disk.crash(random.bits(), scheduler) : disk.processCrash(random.bits(), scheduler)
    this.#judge(left, scheduler, shown)
    return true
  }

  /** Crash, start. */
  startsWell(salt: number): void {
    const random = new Random(this.#seed * 1000 + salt)
    const world = this.#crashed(random)
    this.#judge(world.disk, world.scheduler, null, world)
  }

  #crashed(random: Random): World {
    const { disk } = this.#life.world
    const scheduler = new Scheduler(random.bits())
    const left = this.#random.chance(0.5)
      ? disk.crash(random.bits(), scheduler)
      : disk.processCrash(random.bits(), scheduler)
    return new World(scheduler, left, this.#trace)
  }

  /** A start that nothing disturbs: it shows what the last one showed, or what is proven. */
  #judge(
    disk: SimulatedDisk,
    scheduler: Scheduler,
    shown: State | null,
    world = new World(scheduler, disk, this.#trace),
  ): void {
    const { model, proof, settings } = this.#life
    const error = world.open(settings, DATABASES)
    if (error !== null) throw new Violation(`the last start failed: ${error.message}`)
    const state = world.dump(DATABASES)
    judge(model, proof?.power ?? 0, state, world.engine!.appended)
    if (shown !== null && !sameState(shown, state)) {
      throw new Violation(`the last start shows another state than the one before\n${difference(shown, state)}`)
    }
  }
}
