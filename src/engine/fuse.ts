// The fuse: how much the event loop may bet on the page cache.
//
// A synchronous read or write of cached pages costs 1-2 us, through the thread pool five times that; but the same call on a disk that
// has to move blocks everybody. So synchronous calls are allowed for a budget a tick, and one call that takes long sends its kind to
// the threads for a while (design: Reads; measured there).

import type { Clock } from '../base/clock.ts'

const BUDGET_MS_A_TICK = 2
const SLOW_CALL_MS = 1
const BLOWN_FOR_MS = 5000

export class Fuse {
  private readonly clock: Clock
  private readonly enabled: boolean
  private spentMs = 0
  private blownUntil = 0
  private startedAt = 0
  /** How often it blew, for statistics. */
  blown = 0

  constructor(clock: Clock, enabled: boolean) {
    this.clock = clock
    this.enabled = enabled
  }

  /** True: one synchronous call may be made now; `end` must follow it. */
  begin(): boolean {
    if (!this.enabled || this.spentMs >= BUDGET_MS_A_TICK) return false
    this.startedAt = this.clock.monotonic()
    return this.startedAt >= this.blownUntil
  }

  end(): void {
    const now = this.clock.monotonic()
    const tookMs = now - this.startedAt
    this.spentMs += tookMs
    if (tookMs > SLOW_CALL_MS) {
      this.blownUntil = now + BLOWN_FOR_MS
      this.blown++
    }
  }

  /** A new tick: a new budget. */
  tick(): void {
    this.spentMs = 0
  }
}
