// A clock that stands still until a test moves it. Work in slices waits in a queue that the test empties, or forgets with the engine.

import type { Clock, Timer } from '../../src/base/clock.ts'

export class StillClock implements Clock {
  private elapsedMs = 0
  private queue: (() => void)[] = []
  private timers: { dueMs: number; run: () => void }[] = []

  now(): number {
    return 1_800_000_000_000 + this.elapsedMs
  }

  monotonic(): number {
    return this.elapsedMs
  }

  after(ms: number, run: () => void): Timer {
    const timer = { dueMs: this.elapsedMs + ms, run }
    this.timers.push(timer)
    return {
      cancel: () => {
        this.timers = this.timers.filter((each) => each !== timer)
      },
    }
  }

  soon(run: () => void): void {
    this.queue.push(run)
  }

  /** Does what waits for a turn, until nothing does. */
  settle(): void {
    for (let run = this.queue.shift(); run !== undefined; run = this.queue.shift()) run()
  }

  /** Lets time pass; what becomes due runs at its time. */
  advance(ms: number): void {
    const until = this.elapsedMs + ms
    for (;;) {
      this.settle()
      const due = this.timers.filter((timer) => timer.dueMs <= until).sort((a, b) => a.dueMs - b.dueMs)[0]
      if (due === undefined) break
      this.timers = this.timers.filter((timer) => timer !== due)
      this.elapsedMs = Math.max(this.elapsedMs, due.dueMs)
      due.run()
    }
    this.elapsedMs = until
  }
}
