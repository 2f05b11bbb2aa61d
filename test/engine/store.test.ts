// The engine embedded: what a program sees that uses it without the server.

import { afterAll, expect, test } from 'vitest'
import { openStore } from '../../src/engine/store.ts'
import { cleanUp, freshDirectory } from './test-store.ts'

afterAll(cleanUp)

const bytes = (text: string): Buffer => Buffer.from(text)

test('put, get, remove, batch, keys, merge, sync, close, and everything is there again', async () => {
  const directory = freshDirectory()
  const store = await openStore(directory, { appendfsync: 'always', mergeEnabled: false })
  await store.put(bytes('a'), bytes('1'))
  expect(await store.get(bytes('a'))).toEqual(bytes('1'))
  await store.batch([
    { put: bytes('b'), value: bytes('2') },
    { put: bytes('c'), value: bytes('3') },
    { remove: bytes('a') },
  ])
  expect(await store.get(bytes('a'))).toBeNull()
  expect(await store.remove(bytes('c'))).toBe(true)
  expect(await store.remove(bytes('c'))).toBe(false)
  await store.put(bytes('gone'), bytes('4'), { expiresAt: 1 })
  expect(await store.get(bytes('gone'))).toBeNull()
  await store.sync()
  expect(await store.merge()).toBeGreaterThan(0)
  const keys: string[] = []
  for await (const key of store.keys()) keys.push(key.toString())
  expect(keys).toEqual(['b'])
  expect(store.stats().keys).toBe(1)
  await expect(openStore(directory)).rejects.toMatchObject({ code: 'ELOCKED' })
  await store.close()

  const again = await openStore(directory, { valueCacheBytes: 0 })
  expect(await again.get(bytes('b'))).toEqual(bytes('2'))
  await again.close()
})
