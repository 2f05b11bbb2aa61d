// A clock that only moves when a test says so: timers of the engine fire inside advance() and nowhere else, so that nothing happens in
// the background that a test did not ask for. `soon` stays real: it is how work in slices goes on.

import type { Clock, Timer } from '../../src/base/clock.ts'

interface Pending {
  readonly dueMs: number
  readonly run: () => void
}

export class ManualClock implements Clock {
  /** Wall clock at monotonic zero: setting it is a jump. */
  originMs = 1_700_000_000_000
  private elapsedMs = 0
  private pending: Pending[] = []

  now(): number {
    return this.originMs + this.elapsedMs
  }

  monotonic(): number {
    return this.elapsedMs
  }

  after(ms: number, run: () => void): Timer {
    const timer = { dueMs: this.elapsedMs + ms, run }
    this.pending.push(timer)
    return {
      cancel: () => {
        this.pending = this.pending.filter((each) => each !== timer)
      },
    }
  }

  soon(run: () => void): void {
    setImmediate(run)
  }

  /** Lets that much time pass; what becomes due runs in order, at its time. */
  advance(ms: number): void {
    const until = this.elapsedMs + ms
    for (;;) {
      let next: Pending | null = null
      for (const each of this.pending)
        if (each.dueMs <= until && (next === null || each.dueMs < next.dueMs)) next = each
      if (next === null) break
      const due = next
      this.pending = this.pending.filter((each) => each !== due)
      this.elapsedMs = Math.max(this.elapsedMs, due.dueMs)
      due.run()
    }
    this.elapsedMs = until
  }
}
