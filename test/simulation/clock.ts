// A clock that the scheduler drives. Monotonic time creeps with every step and leaps when nothing else is to be done; the wall
// clock follows it from an origin that tests move, forwards and back, since nothing may depend on it but expiry.

import type { Clock, Timer } from '../../src/base/clock.ts'
import type { Scheduler, TimeSource } from './scheduler.ts'

interface Pending {
  readonly dueMs: number
  readonly run: () => void
  cancelled: boolean
}

export class SimulatedClock implements Clock, TimeSource {
  /** Wall clock at monotonic zero, in ms. Adding to it is a clock jump. */
  originMs: number
  #elapsedMs = 0
  #timers: Pending[] = []
  #nextDueMs = Number.POSITIVE_INFINITY
  readonly #scheduler: Scheduler

  constructor(scheduler: Scheduler, originMs: number) {
    this.#scheduler = scheduler
    this.originMs = originMs
    scheduler.time = this
  }

  now(): number {
    return Math.floor(this.originMs + this.#elapsedMs)
  }

  monotonic(): number {
    return this.#elapsedMs
  }

  after(ms: number, run: () => void): Timer {
    const timer: Pending = { dueMs: this.#elapsedMs + Math.max(ms, 0), run, cancelled: false }
    this.#timers.push(timer)
    if (timer.dueMs < this.#nextDueMs) this.#nextDueMs = timer.dueMs
    return {
      cancel: () => {
        timer.cancelled = true
      },
    }
  }

  soon(run: () => void): void {
    this.#scheduler.add('soon', run)
  }

  pass(): void {
    const random = this.#scheduler.random
    this.#elapsedMs += random.chance(0.01) ? random.below(400) : random.next() * 0.3
    if (this.#elapsedMs >= this.#nextDueMs) this.#release()
  }

  jump(): boolean {
    this.#timers = this.#timers.filter((timer) => !timer.cancelled)
    if (this.#timers.length === 0) return false
    this.#elapsedMs = Math.max(this.#elapsedMs, Math.min(...this.#timers.map((timer) => timer.dueMs)))
    this.#release()
    return true
  }

  /** Due timers become tasks; one cancelled between now and its turn does not run. */
  #release(): void {
    const waiting: Pending[] = []
    this.#nextDueMs = Number.POSITIVE_INFINITY
    for (const timer of this.#timers) {
      if (timer.cancelled) continue
      if (timer.dueMs <= this.#elapsedMs) {
        this.#scheduler.add('timer', () => {
          if (!timer.cancelled) timer.run()
        })
        continue
      }
      waiting.push(timer)
      if (timer.dueMs < this.#nextDueMs) this.#nextDueMs = timer.dueMs
    }
    this.#timers = waiting
  }
}
