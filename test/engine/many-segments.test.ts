// As many segments as there can be: here 512, so that they can be made.

import * as fs from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { GATE_FULL } from '../../src/engine/engine.ts'
import { RecoveryError } from '../../src/engine/recovery-error.ts'
import { Segments } from '../../src/engine/segments.ts'
import { cleanUp, copyOf, freshDirectory, TestStore } from './test-store.ts'

const MAX_SEGMENTS = 512
const SMALL = 4096
const LARGE = 1 << 20

vi.mock('../../src/base/limits.ts', async (original) => ({
  ...(await original<typeof import('../../src/base/limits.ts')>()),
  MAX_SEGMENTS: 512,
}))

afterEach(() => {
  vi.restoreAllMocks()
  cleanUp()
})

const dataFiles = ({ directory }: TestStore): number =>
  fs.readdirSync(directory).filter((name) => name.endsWith('.data')).length
const descriptors = (): number => fs.readdirSync('/proc/self/fd').length

/** Two values fill a segment; of each pair one is dead by the end. */
async function fill(store: TestStore, isEnough: () => boolean): Promise<void> {
  for (let n = 0; !isEnough(); n++) {
    store.put(n % 2 === 0 ? 'again and again' : `k${n}`, 'v'.repeat(SMALL / 2))
    await store.tick()
    await store.until(() => store.engine.log.next !== null || isEnough())
  }
  await store.quiet()
}

async function second(store: TestStore): Promise<void> {
  store.clock.advance(1100)
  await store.quiet()
}

/** Deletes come until the log finds no next segment. */
async function deleteOn(store: TestStore): Promise<void> {
  while (store.engine.log.next !== null) {
    store.setExpiry('k1', store.clock.now() + 1e9)
    store.engine.log.rotate()
    await store.tick()
    await store.quiet()
  }
}

test('growth is refused before the last segment, deletes and merges go on, and writes resume once larger segments were merged', async () => {
  const store = await TestStore.open(freshDirectory(), { segmentSizeBytes: SMALL })
  await fill(store, () => store.engine.gate !== 0)
  expect(store.engine.gate).toBe(GATE_FULL)
  expect(store.engine.segments.count, 'and the next one, which was under way').toBe((MAX_SEGMENTS / 16) * 15 + 1)
  expect(store.engine.gateMessage).toContain('Raise segment-size, then MERGE')

  await deleteOn(store)
  expect(store.engine.segments.count).toBe(MAX_SEGMENTS - MAX_SEGMENTS / 64)
  const before = [descriptors(), dataFiles(store)]
  for (let n = 0; n < 5; n++) await second(store)
  expect([descriptors(), dataFiles(store)], 'a try that fails leaves nothing behind').toEqual(before)
  store.remove('k3')
  await store.tick()

  await expect(store.merge(), 'of that size there may be too many outputs').rejects.toThrow('raise segment-size')
  expect(store.why().some(({ verdict }) => verdict.includes('raise segment-size'))).toBe(true)
  const killed = await TestStore.open(copyOf(store.directory), { segmentSizeBytes: LARGE })
  expect(await killed.get('k3'), 'a start finds room').toBe(null)
  await killed.close()

  store.engine.configure({ segmentSizeBytes: LARGE })
  expect(await store.merge()).toBeGreaterThan(0)
  await second(store)
  expect(store.engine.gate).toBe(0)
  expect(store.engine.segments.count).toBeLessThan(MAX_SEGMENTS / 2)
  store.put('grows', 'v')
  await store.tick()
  await store.close()
})

test('a merge that finds no segment left for its outputs is abandoned, and leaves none behind', async () => {
  const store = await TestStore.open(freshDirectory(), { segmentSizeBytes: LARGE })
  for (let n = 0; n < 10; n++) store.put(`k${n}`, 'v')
  await store.seal()
  for (let n = 0; n < 5; n++) store.remove(`k${n}`)
  await store.seal()
  await store.quiet()
  const before = dataFiles(store)
  // The log takes the last ones while it runs.
  const free = vi.spyOn(Segments.prototype, 'free', 'get').mockReturnValueOnce(100).mockReturnValue(0)
  await expect(store.merge()).rejects.toThrow('raise segment-size')
  await store.quiet()
  free.mockRestore()
  expect(dataFiles(store)).toBe(before)
  expect((await store.contents()).size).toBe(5)
  expect(await store.merge()).toBeGreaterThan(0)
  expect((await store.contents()).size).toBe(5)
  await store.close()
})

test('a start without a segment left for its log says so, and leaks no descriptor', async () => {
  const store = await TestStore.open(freshDirectory())
  store.put('k', 'v')
  await store.tick()
  const copy = copyOf(store.directory)
  await store.close()
  const before = descriptors()
  for (const free of [0, 1, 2]) {
    let left = free
    vi.spyOn(Segments.prototype, 'free', 'get').mockImplementation(() => left--)
    const tried = TestStore.open(copy)
    await expect(tried).rejects.toThrow(RecoveryError)
    await expect(tried).rejects.toThrow('as many segments as it can')
  }
  expect(descriptors()).toBe(before)
  vi.restoreAllMocks()
  const again = await TestStore.open(copy)
  expect(await again.get('k')).toBe('v')
  await again.close()
})
