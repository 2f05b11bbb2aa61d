// The scheduler: whatever could happen next in the simulated world is a task in one list, and a seeded generator picks.
//
// Client steps, completions of the disk, due timers and `soon` callbacks are all the same to it, so every interleaving that
// callbacks allow can come up, and a seed replays it. Nothing here is asynchronous: a run is a plain loop. A process that dies
// is a scheduler that is no longer stepped; the next process gets a new one.

import { Random } from './random.ts'

interface Task {
  readonly kind: string
  readonly run: () => void
}

/** What knows about time: asked before every step, and when nothing is ready. */
export interface TimeSource {
  /** A little time passes; timers that are due become tasks. */
  pass(): void
  /** Nothing is ready: jump to the next timer. False when there is none. */
  jump(): boolean
}

export class Scheduler {
  readonly random: Random
  /** Tasks of this kind are picked rarely: a slow disk, a slow sync. Null: all alike. */
  slowKind: string | null = null
  time: TimeSource | null = null
  /** Called with each task's kind before it runs: for traces. */
  onStep: ((kind: string) => void) | null = null
  readonly #ready: Task[] = []

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  add(kind: string, run: () => void): void {
    this.#ready.push({ kind, run })
  }

  get pending(): number {
    return this.#ready.length
  }

  /** Runs one task. False: nothing is ready and no timer is set, the world stands still. */
  step(): boolean {
    this.time?.pass()
    if (this.#ready.length === 0) {
      if (this.time === null || !this.time.jump()) return false
    }
    let at = this.random.below(this.#ready.length)
    // Rarely, not never: what is slow still ends.
    for (let again = 0; again < 6 && this.#ready[at]!.kind === this.slowKind; again++) {
      at = this.random.below(this.#ready.length)
    }
    const task = this.#ready[at]!
    const last = this.#ready.pop()!
    if (at < this.#ready.length) this.#ready[at] = last
    this.onStep?.(task.kind)
    task.run()
    return true
  }

  /** Steps until `done()`; false when it stood still or took more than `limit` steps before. */
  runUntil(done: () => boolean, limit: number): boolean {
    for (let steps = 0; !done(); steps++) {
      if (steps >= limit || !this.step()) return done()
    }
    return true
  }
}
