// Time, the one door to it. The engine and the server ask a Clock and never Date or setTimeout, so that a simulation can
// stop, jump and turn back time. `now` informs and expires, it never orders: order is by sequence (design: Sequence).

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Wall clock in whole milliseconds since 1970: what TTLs are compared with. May jump. */
  now(): number
  /** Monotonic milliseconds with fractions: for durations and deadlines. Never jumps. */
  monotonic(): number
  /** Calls back once after that many milliseconds, or 24 days if they are more. Does not keep the process alive. */
  after(ms: number, run: () => void): Timer
  /** Calls back once, after I/O that is ready now has had its turn. For work done in slices. */
  soon(run: () => void): void
}

/** Node takes more for a mistake, and calls back after a millisecond. */
export const MAX_TIMER_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(ms, MAX_TIMER_MS))
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
  soon(run) {
    setImmediate(run)
  },
}

const never = new Int32Array(new SharedArrayBuffer(4))

/** Stops the whole thread, with everything that runs in it: for DEBUG SLEEP, which wants just that. */
export function blockThread(ms: number): void {
  Atomics.wait(never, 0, 0, ms)
}
