// How fast a merge or a scrub goes: it asks between two portions, and waits here for its rate, while it is paused, and to be told to stop.
//
// What is behind its rate catches up for a second's worth and no more, so that hours of a pause are not followed by a rush.

import type { Clock } from '../base/clock.ts'

const CATCH_UP_MS = 1000

/** How the owner of a job steers it. */
export interface Steering {
  pause(): void
  resume(): void
  /** From now on so many bytes a second; 0: no limit. */
  limit(bytesPerSecond: number): void
  /** Ends the job as soon as possible, with an error. */
  cancel(): void
}

export class Pace implements Steering {
  private readonly clock: Clock
  private bytesPerSecond: number
  /** Monotonic ms at which all that was spent so far is due. */
  private dueMs: number
  private paused = false
  private cancelled = false
  private waiting: (() => void) | null = null
  private timer: { cancel(): void } | null = null

  /** 0: no limit. */
  constructor(clock: Clock, bytesPerSecond: number) {
    this.clock = clock
    this.bytesPerSecond = bytesPerSecond
    this.dueMs = clock.monotonic()
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.wake()
  }

  limit(bytesPerSecond: number): void {
    this.bytesPerSecond = bytesPerSecond
    this.dueMs = this.clock.monotonic()
    this.wake()
  }

  cancel(): void {
    this.cancelled = true
    this.wake()
  }

  /** So many bytes were read or written: calls back when the next portion may begin, with an error when there is to be none. */
  spend(bytes: number, done: (error: Error | null) => void): void {
    const now = this.clock.monotonic()
    if (this.bytesPerSecond === 0) this.dueMs = now
    else this.dueMs = Math.max(this.dueMs, now - CATCH_UP_MS) + (bytes / this.bytesPerSecond) * 1000
    const check = (): void => {
      this.timer = null
      if (this.cancelled) done(new Error('cancelled'))
      else if (this.paused) this.waiting = check
      else done(null)
    }
    if (this.dueMs > now && !this.cancelled) {
      // A long rest is cut short by cancel and limit; resume only looks earlier.
      this.waiting = check
      this.timer = this.clock.after(this.dueMs - now, () => {
        this.waiting = null
        check()
      })
    } else if (this.paused || this.cancelled) check()
    else this.clock.soon(check)
  }

  private wake(): void {
    const { waiting } = this
    this.waiting = null
    this.timer?.cancel()
    this.timer = null
    waiting?.()
  }
}
