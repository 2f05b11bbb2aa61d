// The fuse: how much the event loop may bet on the page cache.
//
// A synchronous read or write of cached pages costs 1-2 us, through the thread pool five times that; but the same call on a disk that
// has to move blocks everybody. So synchronous calls are allowed for a budget a tick, and one call that takes long sends its kind to
// the threads for a while (design: Reads; measured there).
//
// For reads the system tells which it was: when no block came from a disk, the call was slow for want of a processor, and nothing follows.
// (With merges on two busy cores the fuse for reads was blown for seconds on end, and cold GETs took the long way: p99.9 +17 ms.)
// What it tells counts for the whole process since its start, so it is asked every few ms: else a slow call would answer for blocks that
// somebody else read, and the first one for all that loading did. (After a start on a busy machine 99.8% of the GETs took the long way.)
//
// How long a while? A long call is either a slow disk or this process losing its core in the middle of one: on a busy machine the second
// happens every few seconds, and five seconds of threads for it cost a third of the throughput. So a call of some milliseconds is forgiven
// after 20 ms, and each that follows soon doubles that, up to a minute. A call of 10 ms or more is the disk (or a kernel that makes
// writers wait for it): that is not tried again for 5 s, then 10, and so on.

import type { Clock } from '../base/clock.ts'

const BUDGET_MS_A_TICK = 2
const SLOW_CALL_MS = 1
const VERY_SLOW_CALL_MS = 10
const FIRST_REST_MS = 20
const LONG_REST_MS = 5000
const LONGEST_REST_MS = 60_000
/** Asking the system costs 2 us: at this distance that is nothing. */
const COUNT_BLOCKS_EVERY_MS = 10

/** Reads and writes are judged apart: each has a fuse of its own. */
export class Fuse {
  private readonly clock: Clock
  private readonly enabled: boolean
  private spentMs = 0
  private startedAt = 0
  private blownUntil = 0
  private restMs = FIRST_REST_MS

  private readonly blocksRead: (() => number) | null
  private blocksSeen = 0
  private countAgainAt = Number.NEGATIVE_INFINITY

  /** `blocksRead`: blocks that this process has had read from disks so far, where the system tells. */
  constructor(clock: Clock, enabled: boolean, blocksRead: (() => number) | null = null) {
    this.clock = clock
    this.enabled = enabled
    this.blocksRead = blocksRead
  }

  /** True: one synchronous call may be made now; `end` must follow it. */
  begin(): boolean {
    if (!this.enabled || this.spentMs >= BUDGET_MS_A_TICK) return false
    this.startedAt = this.clock.monotonic()
    if (this.startedAt < this.blownUntil) return false
    if (this.blocksRead !== null && this.startedAt >= this.countAgainAt) {
      this.blocksSeen = this.blocksRead()
      this.countAgainAt = this.startedAt + COUNT_BLOCKS_EVERY_MS
    }
    return true
  }

  /** Returns how long the call took. */
  end(): number {
    const now = this.clock.monotonic()
    const tookMs = now - this.startedAt
    this.spentMs += tookMs
    if (tookMs <= SLOW_CALL_MS || !this.wasDisk()) return tookMs
    // Quiet for ten times the last rest: that one is forgotten.
    if (now > this.blownUntil + 10 * this.restMs) this.restMs = FIRST_REST_MS
    else this.restMs = Math.min(LONGEST_REST_MS, this.restMs * 2)
    if (tookMs >= VERY_SLOW_CALL_MS) this.restMs = Math.max(this.restMs, LONG_REST_MS)
    this.blownUntil = now + this.restMs
    return tookMs
  }

  // Asked after a slow call only. A read without any block from a disk was slow because the process had lost its core.
  private wasDisk(): boolean {
    if (this.blocksRead === null) return true
    const blocks = this.blocksRead()
    const isMore = blocks !== this.blocksSeen
    this.blocksSeen = blocks
    return isMore
  }

  /** A new tick: a new budget. */
  tick(): void {
    this.spentMs = 0
  }
}
