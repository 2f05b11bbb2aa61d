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
// after twenty times as long, and each that follows soon doubles that, up to a minute. A call of 10 ms or more is the disk (or a kernel that
// makes writers wait for it): that is not tried again for 5 s, then 10, and so on.
//
// A bet that was won is made again: when the calls before the slow one have saved the loop ten times what it cost, it rests no longer than
// twenty times that. (Where one read in seventy found its page gone, one in 20,000 took more than a millisecond; the loop went the long way
// for 90% of the time for it. By turns on such a machine, 10M keys by Zipf's law: 34 to 44 -> 41 to 158 thousand requests a second.)
// And reads that take less than that, but more than the trip to a thread costs, are lost bets all the same: a disk that answers in 0.2 ms is
// better read by several threads.

import type { Clock } from '../base/clock.ts'

const BUDGET_MS_A_TICK = 2
const SLOW_CALL_MS = 1
const VERY_SLOW_CALL_MS = 10
/** Rest for so many times what the slow call took. */
const REST = 20
/** What a trip to the threads and back costs the loop; a call that finds its page takes 5 us. */
const TRIP_MS = 0.025
/** Won, when this many times the slow call has been saved. */
const WON = 10
/** Lost, when calls have cost so much more than the trip. */
const LOST_MS = 2
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
  private restMs = 0
  private savedMs = 0 // since the last rest

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
    const isSlow = tookMs > SLOW_CALL_MS
    if (!isSlow) {
      this.savedMs = Math.max(-LOST_MS, this.savedMs + TRIP_MS - tookMs)
      if (this.savedMs > -LOST_MS || this.blocksRead === null) return tookMs
    }
    if (!this.wasDisk()) {
      this.savedMs = Math.max(0, this.savedMs)
      return tookMs
    }
    const lostMs = isSlow ? tookMs : LOST_MS
    const isWon = this.savedMs >= WON * lostMs
    const leastMs = isWon || lostMs < VERY_SLOW_CALL_MS ? REST * lostMs : LONG_REST_MS
    // Quiet for ten times the last rest: that one is forgotten.
    const isForgotten = isWon || now > this.blownUntil + 10 * this.restMs
    this.restMs = Math.min(LONGEST_REST_MS, Math.max(leastMs, isForgotten ? 0 : this.restMs * 2))
    this.blownUntil = now + this.restMs
    this.savedMs = 0
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

  /** Whether this tick's budget alone is why no more calls may be made. After `end`. */
  get isSpent(): boolean {
    return this.spentMs >= BUDGET_MS_A_TICK && this.blownUntil <= this.startedAt
  }

  /** A new tick: a new budget. */
  tick(): void {
    this.spentMs = 0
  }
}
