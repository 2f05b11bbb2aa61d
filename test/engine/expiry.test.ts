import { afterEach, describe, expect, test, vi } from 'vitest'
import { GATE_FAILED, GATE_FULL, NONE } from '../../src/engine/engine.ts'
import { FLAG_EXPIRED, KIND_TOMBSTONE, KIND_TOUCH, KIND_VALUE } from '../../src/engine/record.ts'
import { FaultyStorage } from './faulty-storage.ts'
import { allRecords } from './files.ts'
import { restart, STARTS } from './starts.ts'
import { cleanUp, freshDirectory, TestStore } from './test-store.ts'

afterEach(cleanUp)

const HOUR = 3_600_000

describe.each(STARTS)('start: %s', (by) => {
  test('a key once reported expired never returns, though the clock is put back', async () => {
    let store = await TestStore.open(freshDirectory())
    store.put('k', 'old')
    store.put('k', 'v', store.clock.now() + 1000)
    await store.tick()
    store.clock.originMs += 1001
    expect(await store.get('k')).toBe(null)
    store = await restart(store, by)
    store.clock.originMs -= HOUR
    expect(await store.get('k')).toBe(null)
    expect(await store.merge()).toBeGreaterThan(0)
    store = await restart(store, by)
    expect(await store.contents()).toEqual(new Map())
    await store.close()
  })

  test('a TTL far beyond 32 bits, one in the past and one at the limit are what they are', async () => {
    let store = await TestStore.open(freshDirectory())
    const far = store.clock.now() + 2 ** 45
    store.put('far', 'v', far)
    store.put('now', 'v', store.clock.now())
    store.put('past', 'v', 1)
    store.put('before 1970', 'v', -5)
    store = await restart(store, by)
    expect(store.expiryOf('far')).toBe(far)
    // Redis: expired when the clock has passed it, not when it has reached it.
    expect(await store.get('now')).toBe('v')
    expect(await store.get('past')).toBe(null)
    expect(await store.get('before 1970')).toBe(null)
    await store.close()
  })

  test.each([
    ['in one segment', false],
    ['in different segments', true],
  ])('TTL and PERSIST by touch survive restarts and merges: value and touch %s', async (_, apart) => {
    let store = await TestStore.open(freshDirectory())
    const { clock } = store
    const big = 'x'.repeat(5000)
    const at = clock.now() + HOUR
    for (let i = 0; i < 5; i++) store.put(`garbage ${i}`, big)
    store.put('gets one', big)
    store.put('loses it', big, at)
    store.put('changed twice', big, at)
    store.put('overwritten', big, at)
    await store.tick()
    if (apart) await store.seal()
    store.setExpiry('gets one', at + 1)
    store.setExpiry('loses it', 0)
    store.setExpiry('changed twice', at + 2)
    store.setExpiry('changed twice', at + 3)
    store.setExpiry('overwritten', at + 4)
    store.put('overwritten', 'new')
    const expected = async (): Promise<void> => {
      expect(store.expiryOf('gets one')).toBe(at + 1)
      expect(store.expiryOf('loses it')).toBe(0)
      expect(store.expiryOf('changed twice')).toBe(at + 3)
      expect(store.expiryOf('overwritten')).toBe(0)
      expect(await store.get('changed twice')).toBe(big)
      expect(await store.get('overwritten')).toBe('new')
    }
    await expected()
    store = await restart(store, by)
    await expected()
    // Garbage in the value's segment: it is merged; where they lie apart, the touch's may stay.
    for (let i = 0; i < 5; i++) store.remove(`garbage ${i}`)
    await store.tick()
    expect(await store.merge()).toBeGreaterThan(0)
    await expected()
    store = await restart(store, by)
    await expected()
    // And merged once more, together.
    store.put('gets one more', 'v')
    store.remove('gets one more')
    await store.merge()
    await store.merge()
    store = await restart(store, by)
    await expected()
    expect(allRecords(store.directory).filter(({ kind, key }) => kind === KIND_TOUCH && key === 'overwritten')).toEqual(
      [],
    )
    await store.close()
  })
})

test('a touch does not rewrite the value', async () => {
  const store = await TestStore.open(freshDirectory())
  store.put('k', 'x'.repeat(100_000))
  await store.tick()
  const before = store.engine.stats().bytesWritten
  store.setExpiry('k', store.clock.now() + HOUR)
  await store.tick()
  expect(store.engine.stats().bytesWritten - before).toBeLessThan(300)
  await store.close()
})

test('the cycle removes what has expired, by tombstones that say so', async () => {
  const store = await TestStore.open(freshDirectory())
  const at = store.clock.now() + 1000
  for (let i = 0; i < 500; i++) store.put(`k${i}`, 'v', i % 2 === 0 ? at : 0)
  await store.tick()
  store.clock.advance(990)
  expect(store.engine.keyCount(0)).toBe(500)
  store.clock.advance(200)
  await store.tick()
  expect([store.engine.keyCount(0), store.engine.expiringCount(0), store.engine.stats().expired]).toEqual([250, 0, 250])
  const tombstones = allRecords(store.directory).filter(({ kind }) => kind === KIND_TOMBSTONE)
  expect(tombstones.length).toBe(250)
  expect(tombstones.every(({ flags }) => (flags & FLAG_EXPIRED) !== 0)).toBe(true)
  await store.close()
})

test('merge does not ask the clock: what has expired and was not removed is still there when the clock is put back', async () => {
  const store = await TestStore.open(freshDirectory())
  store.put('k', 'v', store.clock.now() + 1000)
  store.put('garbage', 'v')
  store.remove('garbage')
  await store.tick()
  store.clock.originMs += HOUR
  await store.merge()
  expect(
    allRecords(store.directory)
      .filter(({ kind }) => kind === KIND_VALUE)
      .map(({ key }) => key),
  ).toEqual(['k'])
  store.clock.originMs -= HOUR
  expect(await store.get('k')).toBe('v')
  await store.close()
})

test('while writes are refused an expired key is hidden and nothing is written; afterwards it is removed', async () => {
  const directory = freshDirectory()
  const storage = new FaultyStorage(directory)
  const store = await TestStore.open(directory, { storage })
  store.put('k', 'v', store.clock.now() + 1000)
  store.put('stays', 'v')
  await store.tick()
  await store.quiet()
  storage.failNext('write', '.data', 'ENOSPC')
  store.put('refused', 'v')
  store.engine.flush()
  await store.until(() => (store.engine.gate & GATE_FAILED) === 0)
  expect(store.engine.gate & GATE_FULL).not.toBe(0)
  store.clock.originMs += 2000
  const { appended } = store.engine
  expect(store.find('k')).toBe(NONE)
  const seen: number[] = []
  store.engine.scan(0, 0, 100, (entry) => seen.push(entry))
  expect(seen.length).toBe(1)
  expect(store.engine.appended).toBe(appended)
  expect(store.engine.keyCount(0)).toBe(2)
  // Room again: the reserve can be built (of no bytes here), so the gate opens.
  await store.quiet()
  store.clock.advance(1100)
  await store.until(() => store.engine.gate === 0)
  store.clock.advance(200)
  await store.tick()
  expect(store.engine.keyCount(0)).toBe(1)
  await store.close()
})

test('keys of a flushed database whose time comes before they are freed are no deletes: no tombstone, and none is counted', async () => {
  const directory = freshDirectory()
  const storage = new FaultyStorage(directory)
  const store = await TestStore.open(directory, { storage, appendfsync: 'always' })
  for (let n = 0; n < 100; n++) store.put(`k${n}`, 'v', store.clock.now() + 1000)
  await store.tick()
  store.clock.originMs += 2000
  vi.spyOn(store.engine.doomed, 'free').mockReturnValue() // its turn has not come
  storage.rule = (call) => (call === 'sync' ? 'hold' : null)
  store.engine.flushDatabase(0)
  const { appended } = store.engine
  store.clock.advance(200)
  expect(store.engine.keydir.total, 'the flush may still be undone').toBe(100)
  storage.heal()
  storage.release()
  await store.tick()
  store.clock.advance(200)
  expect(store.engine.keydir.total).toBe(0)
  expect([store.engine.appended, store.engine.stats().expired]).toEqual([appended, 0])
  vi.restoreAllMocks()
  await store.close()
})
