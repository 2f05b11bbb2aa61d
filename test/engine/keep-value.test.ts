// Values that the caller keeps: they stay what they were, and those that were brought from disk are not copied.

import { afterEach, expect, test } from 'vitest'
import { Slice, sliceOf } from '../../src/base/slice.ts'
import { cleanUp, freshDirectory, TestStore } from './test-store.ts'

afterEach(cleanUp)

test('a value from the cache or the write buffer stays, whatever is written after it', async () => {
  const store = await TestStore.open(freshDirectory(), { valueCacheBytes: 4 << 20 })
  store.put('small', 'a'.repeat(100))
  store.put('large', 'b'.repeat(300_000)) // too large for the cache: it is in the write buffer
  const [small, large] = [new Slice(), new Slice()]
  expect(store.engine.keepValueOf(store.find('small'), small)).toBe(true)
  expect(store.engine.keepValueOf(store.find('large'), large)).toBe(true)
  store.put('small', 'x'.repeat(100))
  store.put('large', 'y'.repeat(300_000))
  for (let i = 0; i < 200; i++) store.put(`other ${i}`, 'z'.repeat(50_000))
  await store.tick()
  expect(small.key()).toBe('a'.repeat(100))
  expect(large.key()).toBe('b'.repeat(300_000))
  await store.close()
})

test('a value that was brought is shared with whoever keeps it, and stays when it is dropped', async () => {
  const store = await TestStore.open(freshDirectory(), { valueCacheBytes: 0, synchronousIo: false })
  store.put('k', 'c'.repeat(300_000))
  await store.tick()
  const key = sliceOf('k')
  expect(store.engine.keepValueOf(store.find('k'), new Slice())).toBe(false)
  const ticket = await new Promise<number>((resolve, reject) => {
    const t: number = store.engine.bring(0, key, (error) => (error === null ? resolve(t) : reject(error)))
  })
  const [one, other] = [new Slice(), new Slice()]
  // With `keep`, as for commands of several keys, it is not copied either.
  expect(store.engine.inMemory(0, key, true)).toBe(true)
  expect(store.engine.keepValueOf(store.find('k'), one)).toBe(true)
  expect(store.engine.keepValueOf(store.find('k'), other)).toBe(true)
  expect(one.bytes.buffer).toBe(other.bytes.buffer)
  store.put('k', 'new')
  store.engine.drop(ticket)
  await store.tick()
  expect(one.key()).toBe('c'.repeat(300_000))
  await store.close()
})
