import { expect, test, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'

test('a wait longer than Node has timers for is not one of a millisecond', () => {
  vi.useFakeTimers()
  try {
    const run = vi.fn()
    systemClock.after(2 ** 31 * 1.05, run)
    vi.advanceTimersByTime(20 * 24 * 3600 * 1000)
    expect(run).not.toHaveBeenCalled()
  } finally {
    vi.useRealTimers()
  }
})
