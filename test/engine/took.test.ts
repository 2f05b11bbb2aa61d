// The engine tells how long its writes, syncs and looks for expired keys take: LATENCY is made of it.

import { afterAll, expect, test } from 'vitest'
import { silentLogger } from '../../src/base/logger.ts'
import { sliceOf } from '../../src/base/slice.ts'
import { inlineBackground } from '../../src/engine/background.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { openOn } from '../../src/engine/open.ts'
import { FaultyStorage } from './faulty-storage.ts'
import { ManualClock } from './manual-clock.ts'
import { cleanUp, freshDirectory, settings } from './test-store.ts'

afterAll(cleanUp)

test('a write and a sync that the disk holds back, and the cycle', async () => {
  const clock = new ManualClock()
  const storage = new FaultyStorage(freshDirectory())
  const took: string[] = []
  const engine = await new Promise<Engine>((resolve, reject) => {
    openOn(
      {
        clock,
        storage,
        logger: silentLogger,
        settings: { ...settings, appendfsync: 'always' },
        databases: 1,
        onCorruption: 'refuse',
        synchronousIo: false,
        coldReads: 1,
        reserveBytes: 0,
        lock: null,
        background: inlineBackground(storage, clock),
        random: Math.random,
      },
      {
        onReleased() {},
        onFailed() {},
        onGate() {},
        onChange() {},
        onTook: (what, ms) => took.push(`${what} ${ms}`),
      },
      (error, opened) => (error === null ? resolve(opened!) : reject(error)),
    )
  })
  const holding = async (): Promise<void> => {
    while (storage.holding === 0) await new Promise(setImmediate)
  }
  storage.rule = (call, name) => ((call === 'write' || call === 'sync') && name.endsWith('.data') ? 'hold' : null)
  engine.now = clock.now()
  engine.put(0, sliceOf('k'), sliceOf('v'), 0)
  engine.flush()
  await holding()
  clock.advance(70)
  storage.release()
  await holding()
  expect(took.filter((line) => line.startsWith('write'))).toEqual(['write 70'])
  clock.advance(30)
  storage.heal()
  storage.release()
  while (engine.released < engine.appended) await new Promise(setImmediate)
  expect(took.filter((line) => line.startsWith('fsync'))).toEqual(['fsync 30'])
  clock.advance(1000)
  expect(took).toContain('expire-cycle 0')
  await new Promise((resolve) => engine.close(resolve))
})
