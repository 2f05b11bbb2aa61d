// How far the log says it has come: never further than the disk has.

import { afterEach, expect, test } from 'vitest'
import { GATE_STALLED } from '../../src/engine/engine.ts'
import { FaultyStorage } from './faulty-storage.ts'
import { cleanUp, freshDirectory, type TestOptions, TestStore } from './test-store.ts'

afterEach(cleanUp)

async function watched(options: TestOptions): Promise<{ store: TestStore; storage: FaultyStorage }> {
  const directory = freshDirectory()
  const storage = new FaultyStorage(directory)
  const store = await TestStore.open(directory, { ...options, storage })
  await store.quiet()
  store.clock.advance(10) // at 0 nothing can have waited
  storage.rule = (call, name) => (call === 'sync' && name.endsWith('.data') ? 'hold' : null)
  return { store, storage }
}

test('appendfsync always: nothing is released by its write, and a sync releases what was written before it began', async () => {
  const { store, storage } = await watched({ appendfsync: 'always' })
  const { engine } = store
  store.put('a', '1')
  engine.flush()
  await store.until(() => storage.holding === 1)
  expect([engine.log.written, engine.released, engine.log.synced]).toEqual([1, 0, 0])
  store.put('b', '2')
  engine.flush()
  await store.until(() => engine.log.written === 2)
  storage.release()
  await store.until(() => engine.released > 0)
  expect([engine.released, engine.log.synced]).toEqual([1, 1])
  await store.until(() => storage.holding === 1)
  storage.heal()
  storage.release()
  await store.until(() => engine.released === 2)
  await store.close()
})

test('appendfsync everysec: a write that has waited two seconds for its sync stalls writes, until the sync has come', async () => {
  const { store, storage } = await watched({ appendfsync: 'everysec' })
  const { engine } = store
  store.put('a', '1')
  await store.tick()
  expect(engine.released).toBe(1)
  store.clock.advance(1000)
  await store.until(() => storage.holding === 1)
  store.put('b', '2')
  await store.tick()
  store.clock.advance(900)
  store.put('c', '3')
  await store.tick()
  expect(engine.gate).toBe(0)
  store.clock.advance(1200)
  expect(engine.gate).toBe(GATE_STALLED)
  storage.heal()
  storage.release()
  await store.until(() => engine.log.synced >= 1)
  store.clock.advance(1000)
  await store.until(() => engine.log.synced === 3)
  expect(engine.gate).toBe(0)
  await store.close()
})

test('appendfsync no: writes neither wait nor stall', async () => {
  const { store, storage } = await watched({ appendfsync: 'no' })
  for (let i = 1; i < 6; i++) {
    store.put('k', `${i}`)
    await store.tick()
    store.clock.advance(1000)
    expect([store.engine.released, store.engine.gate, storage.holding]).toEqual([i, 0, 0])
  }
  storage.heal()
  await store.close()
})
