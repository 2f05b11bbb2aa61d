// Plain writes were counted as one batch that never ended: after a gibibyte of them every SET was refused as too large a transaction.

import { afterAll, expect, test } from 'vitest'
import { cleanUp, freshDirectory, TestStore } from './test-store.ts'

afterAll(cleanUp)

test('bytes of plain writes are no batch', async () => {
  const store = await TestStore.open(freshDirectory())
  store.put('a', 'x'.repeat(1000))
  expect(store.engine.batchBytes).toBe(0)
  store.engine.begin()
  store.put('b', 'x'.repeat(1000))
  expect(store.engine.batchBytes).toBeGreaterThan(1000)
  store.engine.end()
  expect(store.engine.batchBytes).toBe(0)
  await store.close()
})
