// The end of a server: what it waits for, and how long.

import { expect, test } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import type { Engine } from '../../src/engine/engine.ts'
import type { Listener } from '../../src/server/listener.ts'
import type { Server } from '../../src/server/server.ts'
import { Shutdown, type ShutdownParts } from '../../src/server/shutdown.ts'

interface Stage {
  readonly shutdown: Shutdown
  readonly log: string[]
  readonly exits: number[]
  /** What is due within that time. */
  pass(ms: number): void
  closeEngine: ((error: Error | null) => void) | null
  isQuick: boolean
  readonly server: { hasReplies: boolean }
}

/** A store that takes its time to close, and time that passes when the test says so. */
function stage(timeoutSeconds: number): Stage {
  let nowMs = 0
  const due: { at: number; run: () => void }[] = []
  const clock: Clock = {
    ...systemClock,
    now: () => nowMs,
    monotonic: () => nowMs,
    after(ms, run) {
      const timer = { at: nowMs + ms, run }
      due.push(timer)
      return { cancel: () => void due.splice(due.indexOf(timer), 1) }
    },
  }
  const log: string[] = []
  const exits: number[] = []
  const engine = {
    gate: 0,
    close: (done: (error: Error | null) => void, isQuick: boolean) => {
      it.closeEngine = done
      it.isQuick = isQuick
    },
  } as unknown as Engine
  const server = { hasReplies: false, closeAllWhenSaid() {}, closeAll() {} }
  const parts: ShutdownParts = {
    clock,
    logger: {
      ...silentLogger,
      warning: (message) => void log.push(message),
      notice: (message) => void log.push(message),
    },
    listener: { close() {} } as unknown as Listener,
    server: server as unknown as Server,
    engine,
    timeoutSeconds: () => timeoutSeconds,
    exit: (code) => void exits.push(code),
  }
  const it: Stage = {
    shutdown: new Shutdown(parts),
    log,
    exits,
    closeEngine: null,
    isQuick: false,
    server,
    pass(ms) {
      const end = nowMs + ms
      for (;;) {
        const next = due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
        if (next === undefined) break
        due.splice(due.indexOf(next), 1)
        nowMs = next.at
        next.run()
      }
      nowMs = end
    },
  }
  return it
}

test('shutdown-timeout: a store that does not close in time is left behind, with exit code 1', () => {
  const it = stage(3)
  it.shutdown.signal('SIGTERM')
  it.pass(2900)
  expect(it.closeEngine).not.toBe(null)
  expect(it.exits).toEqual([])
  it.pass(200)
  expect(it.exits).toEqual([1])
})

test('shutdown-timeout 0: it waits for as long as it takes', () => {
  const it = stage(0)
  it.shutdown.signal('SIGTERM')
  it.pass(3_600_000)
  expect(it.exits).toEqual([])
  it.closeEngine!(null)
  expect(it.exits).toEqual([0])
})

test('SHUTDOWN waits a second for clients that read slowly, with NOW it does not', () => {
  for (const [now, waits] of [
    [false, true],
    [true, false],
  ] as const) {
    const it = stage(10)
    it.server.hasReplies = true
    it.shutdown.begin({ nosave: false, now })
    it.pass(500)
    expect(it.closeEngine === null).toBe(waits)
    it.pass(1000)
    expect(it.closeEngine).not.toBe(null)
  }
})

test('SHUTDOWN NOSAVE closes the store without what only makes the next start faster; signals do not', () => {
  const quick = stage(10)
  quick.shutdown.begin({ nosave: true, now: false })
  quick.pass(100)
  expect(quick.isQuick).toBe(true)
  const whole = stage(10)
  whole.shutdown.signal('SIGTERM')
  whole.pass(100)
  expect(whole.isQuick).toBe(false)
})
