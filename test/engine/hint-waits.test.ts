// Hints that wait: of what is overwritten as fast as it is written the segment is merged before a start could want its hint.

import { afterEach, expect, test } from 'vitest'
import { PORTIONS } from '../../src/engine/portions.ts'
import { namesIn } from './damage.ts'
import { cleanUp, freshDirectory, type TestOptions, TestStore } from './test-store.ts'

afterEach(cleanUp)

const hints = ({ directory }: TestStore): number => namesIn(directory).filter((name) => name.endsWith('.hint')).length

/** A sealed segment that the log has left by itself, a third of it dead if `again`. Merges may come, but nothing passes their trigger. */
async function rotated(again: boolean, options: TestOptions = {}): Promise<TestStore> {
  const store = await TestStore.open(freshDirectory(), {
    portions: { ...PORTIONS, hintsWaitBytes: 0 },
    segmentSizeBytes: 10_000,
    mergeEnabled: true,
    mergeTriggerFragmentation: 90,
    ...options,
  })
  await store.quiet()
  for (let i = 0; store.engine.log.active.number === 1; i++) store.put(`k${again ? i % 80 : i}`, 'v'.repeat(50))
  await store.tick()
  await store.quiet()
  expect(store.engine.segments.get(1)?.sealed).toBe(true)
  return store
}

async function later(store: TestStore, seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    store.clock.advance(1000)
    await store.quiet()
  }
}

test('what lives has its hint after a second', async () => {
  const store = await rotated(false)
  expect(hints(store)).toBe(0)
  await later(store, 2)
  expect(hints(store)).toBe(1)
  await store.close()
})

test('what is being overwritten has it after half a minute', async () => {
  const store = await rotated(true)
  await later(store, 20)
  expect(hints(store)).toBe(0)
  await later(store, 12)
  expect(hints(store)).toBe(1)
  await store.close()
})

test('or when as much was sealed after it as one merge takes', async () => {
  const store = await rotated(true)
  await later(store, 5)
  expect(hints(store)).toBe(0)
  const segments = store.engine.segments as unknown as { sealedBytes: number }
  segments.sealedBytes += 512 * 1024 * 1024
  await later(store, 1)
  expect(hints(store)).toBe(1)
  await store.close()
})

test.each<[string, TestOptions]>([
  ['no merge will come', { mergeEnabled: false }],
  ['it takes no time', { portions: { ...PORTIONS, hintsWaitBytes: 100_000 } }],
])('at once where %s', async (_, options) => {
  const store = await rotated(true, options)
  expect(hints(store)).toBe(1)
  await store.close()
})

test('at once for SAVE, and at the next start', async () => {
  const store = await rotated(true)
  await store.seal()
  await store.quiet()
  expect(hints(store)).toBe(1)
  const again = await store.killed()
  await again.quiet()
  expect(hints(again)).toBe(2)
  await again.close()
})
