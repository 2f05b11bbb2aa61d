// What the engine reports of changes: keyspace events and invalidations are made of it.

import { afterEach, expect, test, vi } from 'vitest'
import { CHANGED, CREATED, EXPIRED, GATE_FULL } from '../../src/engine/engine.ts'
import { cleanUp, freshDirectory, TestStore } from './test-store.ts'

afterEach(cleanUp)

const NAMES = { [CHANGED]: 'changed', [CREATED]: 'created', [EXPIRED]: 'expired' } as const

/** What was reported since it was asked last, as 'created a'. */
function reported(store: TestStore): string[] {
  const kinds = store.kinds.splice(0)
  return store.changes.splice(0).map((change, i) => `${NAMES[kinds[i] as keyof typeof NAMES]} ${change.split(':')[1]}`)
}

test('created, changed, removed, expired', async () => {
  const store = await TestStore.open(freshDirectory())
  store.put('before', 'v')
  store.engine.watching = true
  store.put('a', '1')
  store.put('a', '2')
  store.put('before', '2')
  store.setExpiry('a', store.clock.now() + 1000)
  store.remove('a')
  store.put('a', '3', store.clock.now() + 1000)
  expect(reported(store)).toEqual(['created a', 'changed a', 'changed before', 'changed a', 'changed a', 'created a'])
  store.clock.originMs += 1001
  store.find('a')
  store.find('a')
  expect(reported(store)).toEqual(['expired a'])
  store.batch(() => {
    store.put('b', '1')
    store.put('b', '2')
    store.remove('b')
    store.put('b', '3')
  })
  expect(reported(store)).toEqual(['created b', 'changed b', 'changed b', 'created b'])
  await store.close()
})

test('written over after its time has run out: it expires first, if somebody watches', async () => {
  const store = await TestStore.open(freshDirectory())
  for (const watching of [true, false]) {
    store.engine.watching = false
    store.put('k', 'old', store.clock.now() + 1000)
    store.clock.originMs += 1001
    store.engine.watching = watching
    store.put('k', 'new')
    expect(reported(store)).toEqual(watching ? ['expired k', 'created k'] : [])
    expect(await store.get('k')).toBe('new')
    expect(store.engine.keyCount(0)).toBe(1)
    await store.tick()
  }
  const { directory } = store
  await store.close()
  const again = await TestStore.open(directory)
  expect(await again.get('k')).toBe('new')
  expect(again.engine.keyCount(0)).toBe(1)
  await again.close()
})

test('and where nothing can be removed, because the disk is full, it is written over all the same', async () => {
  const store = await TestStore.open(freshDirectory())
  store.put('k', 'old', store.clock.now() + 1000)
  await store.tick()
  store.clock.originMs += 1001
  store.engine.watching = true
  store.engine.setGate(GATE_FULL, true)
  const mayNot = vi.spyOn(store.engine.upkeep, 'mayExpire').mockReturnValue(false)
  store.put('k', 'new')
  mayNot.mockRestore()
  store.engine.setGate(GATE_FULL, false)
  expect(reported(store)).toEqual(['changed k'])
  expect(store.engine.keyCount(0)).toBe(1)
  expect(await store.get('k')).toBe('new')
  await store.close()
})
