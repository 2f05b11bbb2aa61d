// The expiry cycle: keys whose time has come are deleted in the background, soonest first, also when nobody asks for them.
//
// A slice takes a millisecond at most. Where that was not enough the next one comes soon, so that a million keys that expire together
// cost everybody a little for a while, and nobody a pause.
//
// On a full disk it goes on, or a store of sessions would stay full for ever: but only as far as the reserve allows (upkeep.ts, mayExpire).
// Keys of flushed databases are dead already (doomed.ts); those whose time has come are freed here, without a record.

import type { Bitcask } from './bitcask.ts'
import { GATE_FAILED, GATE_LOADING, GATE_STALLED, NONE } from './engine.ts'

const SLICE_MS = 1
const PAUSE_MS = 4
const EVERY_MS = 100
/** Keys between two looks at the clock. */
const KEYS = 32

export class ExpiryCycle {
  private readonly store: Bitcask
  private timer: { cancel(): void } | null = null

  constructor(store: Bitcask) {
    this.store = store
  }

  begin(): void {
    this.schedule(EVERY_MS)
  }

  end(): void {
    this.timer?.cancel()
  }

  private schedule(ms: number): void {
    this.timer = this.store.clock.after(ms, () => this.slice())
  }

  private slice(): void {
    const { store } = this
    if (store.closing) return
    const { keydir, clock } = store
    store.now = clock.now()
    let more = false
    if (store.expiresInBackground && (store.gate & (GATE_LOADING | GATE_FAILED | GATE_STALLED)) === 0) {
      const startedMs = clock.monotonic()
      for (let n = 1; !more; n++) {
        const entry = keydir.soonestExpiry()
        if (entry === NONE || keydir.expiry(entry) >= store.now) break
        if (!(store.doomed.has(keydir.database(entry)) ? store.doomed.freeNow(entry) : store.expire(entry))) break
        more = n % KEYS === 0 && clock.monotonic() > startedMs + SLICE_MS
      }
      store.events.onTook?.('expire-cycle', clock.monotonic() - startedMs)
      store.flush()
    }
    this.schedule(more ? PAUSE_MS : EVERY_MS)
  }
}
