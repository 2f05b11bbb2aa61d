// Tombstones: dropped too early, a deleted key comes back; never dropped, deletes fill the disk. The first bug of every Bitcask.

import * as fs from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { KIND_TOMBSTONE } from '../../src/engine/record.ts'
import { allRecords, hintPath, manifestOf } from './files.ts'
import { restart, STARTS } from './starts.ts'
import { cleanUp, freshDirectory, TestStore } from './test-store.ts'

afterEach(cleanUp)

const onDisk = (directory: string, key: string): number =>
  allRecords(directory).filter((record) => record.kind === KIND_TOMBSTONE && record.key === key).length

const auto = { mergeEnabled: true, mergeIntervalMs: 1000 }

/** Lets the engine decide for itself, once. */
async function ownMerge(store: TestStore): Promise<void> {
  await store.quiet()
  const { merges } = store.engine.merge.status()
  store.clock.advance(1200)
  await store.until(() => store.engine.merge.status().merges > merges)
  await store.quiet()
}

/** An old segment, mostly alive, with the victim's value; a young one, mostly dead, with its tombstone. */
async function partialMerge(): Promise<TestStore> {
  const store = await TestStore.open(freshDirectory(), auto)
  for (let i = 0; i < 40; i++) store.put(`live ${i}`, 'x'.repeat(100))
  store.put('victim', 'old value')
  await store.seal()
  for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, 'x'.repeat(100))
  store.put('young', 'v')
  store.remove('victim')
  await store.seal()
  for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, 'y'.repeat(100))
  await store.seal()
  await ownMerge(store)
  return store
}

describe.each(STARTS)('start: %s', (by) => {
  test('not dropped by a partial merge while an older value lies in a segment outside', async () => {
    let store = await partialMerge()
    const { segments } = manifestOf(store.directory)
    // The old one was left alone, the young one merged.
    expect(segments.filter(({ merged }) => merged).length).toBe(1)
    expect(Math.min(...segments.map(({ number }) => number))).toBe(1)
    expect(onDisk(store.directory, 'victim')).toBe(1)
    store = await restart(store, by)
    expect(await store.get('victim')).toBe(null)
    expect(await store.get('young')).toBe('v')
    await store.close()
  })

  test('merge, delete, merge, restart: deleted stays deleted', async () => {
    let store = await TestStore.open(freshDirectory())
    for (let i = 0; i < 10; i++) store.put(`k${i}`, 'v')
    store.put('k0', 'v again')
    await store.merge()
    for (let i = 0; i < 10; i += 2) store.remove(`k${i}`)
    await store.merge()
    store = await restart(store, by)
    expect([...(await store.contents()).keys()].sort()).toEqual(['0:k1', '0:k3', '0:k5', '0:k7', '0:k9'])
    await store.merge()
    store = await restart(store, by)
    expect(store.engine.keyCount(0)).toBe(5)
    await store.close()
  })
})

test('kept where the segment outside has no hint that could deny the key', async () => {
  const store = await TestStore.open(freshDirectory(), auto)
  for (let i = 0; i < 40; i++) store.put(`live ${i}`, 'x'.repeat(100))
  await store.seal()
  await store.quiet()
  // Not even the victim's key is in there: only a good filter would know.
  const old = manifestOf(store.directory).segments[0]!
  fs.writeFileSync(hintPath(store.directory, old.number), 'not a hint')
  for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, 'x'.repeat(100))
  store.put('victim', 'v')
  store.remove('victim')
  await store.seal()
  for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, 'y'.repeat(100))
  await store.seal()
  await ownMerge(store)
  expect(onDisk(store.directory, 'victim')).toBe(1)
  await store.close()
})

test('dropped where the filters of all older segments deny the key', async () => {
  const store = await TestStore.open(freshDirectory(), auto)
  for (let i = 0; i < 40; i++) store.put(`live ${i}`, 'x'.repeat(100))
  await store.seal()
  for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, 'x'.repeat(100))
  store.put('victim', 'v')
  store.remove('victim')
  await store.seal()
  for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, 'y'.repeat(100))
  await store.seal()
  expect(onDisk(store.directory, 'victim')).toBe(1)
  await ownMerge(store)
  expect(onDisk(store.directory, 'victim')).toBe(0)
  expect(allRecords(store.directory).filter(({ key }) => key === 'victim')).toEqual([])
  await store.close()
})

test('dropped in the end: when the old value has been merged away, the tombstone follows', async () => {
  let store = await partialMerge()
  // The old segment is merged because somebody asks: its dead value goes.
  await store.quiet() // a merge asks the hints of what lies outside
  await store.merge()
  await store.quiet()
  // Then the tombstone's segment, as soon as something else in it is dead.
  store.remove('young')
  await store.merge()
  await store.quiet()
  await store.merge()
  expect(allRecords(store.directory).filter(({ key }) => key === 'victim')).toEqual([])
  store = await restart(store, 'data')
  expect(await store.get('victim')).toBe(null)
  expect(store.engine.keyCount(0)).toBe(60)
  await store.close()
})

test('a tombstone under a newer value goes, whatever lies outside', async () => {
  const store = await TestStore.open(freshDirectory(), auto)
  for (let i = 0; i < 40; i++) store.put(`live ${i}`, 'x'.repeat(100))
  store.put('back', 'old')
  await store.seal()
  for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, 'x'.repeat(100))
  store.remove('back')
  await store.seal()
  for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, 'y'.repeat(100))
  store.put('back', 'new')
  await store.seal()
  await ownMerge(store)
  expect(onDisk(store.directory, 'back')).toBe(0)
  const again = await restart(store, 'data')
  expect(await again.get('back')).toBe('new')
  await again.close()
})

test('the tombstones of a flushed-away database go with it', async () => {
  const store = await TestStore.open(freshDirectory())
  for (let i = 0; i < 60; i++) store.put(`k${i}`, 'v')
  for (let i = 0; i < 50; i++) store.remove(`k${i}`)
  store.engine.flushAll()
  store.put('after', 'v')
  await store.tick()
  await store.quiet()
  await store.merge()
  expect(allRecords(store.directory).filter(({ kind }) => kind === KIND_TOMBSTONE)).toEqual([])
  await store.close()
})

/** Lets time pass for the engine's own merges until they have nothing more to do. */
async function ownMerges(store: TestStore): Promise<void> {
  for (let calm = 0; calm < 5; calm++) {
    await store.quiet()
    const { merges } = store.engine.merge.status()
    store.clock.advance(1200)
    await store.until(() => store.engine.merge.status().state !== 'running')
    if (store.engine.merge.status().merges > merges) calm = 0
  }
}

const bytesOnDisk = (store: TestStore): number => store.engine.stats().diskBytes

test('keys that live shortly do not fill the disk: one old key beside them is enough for that', async () => {
  const store = await TestStore.open(freshDirectory(), { ...auto, segmentSizeBytes: 20_000 })
  store.put('old', 'v')
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 300; i++) {
      store.put(`lock ${round} ${i}`, '1')
      store.remove(`lock ${round} ${i}`)
    }
    await store.tick()
    await ownMerges(store)
  }
  expect(bytesOnDisk(store)).toBeLessThan(5 * 20_000) // 600,000 were written
  await store.close()
})

test('deletes go when nothing is left that they hide, beside an old key', async () => {
  const store = await TestStore.open(freshDirectory(), { ...auto, segmentSizeBytes: 20_000 })
  store.put('old', 'v')
  for (let i = 0; i < 2000; i++) store.put(`k${i}`, 'v'.repeat(50))
  await store.tick()
  await ownMerges(store)
  for (let i = 0; i < 2000; i++) store.remove(`k${i}`)
  await store.tick()
  await store.seal()
  await ownMerges(store)
  expect(bytesOnDisk(store)).toBeLessThan(20_000)
  const { merges } = store.engine.merge.status()
  await ownMerges(store)
  expect(store.engine.merge.status().merges).toBe(merges)
  await store.close()
})

test('tombstones that have to stay are not merged again and again', async () => {
  const store = await TestStore.open(freshDirectory(), { ...auto, segmentSizeBytes: 40_000 })
  // Each value that is deleted lies among others that live: its segment is no input.
  for (let i = 0; i < 200; i++) {
    store.put(`live ${i}`, 'v'.repeat(100))
    if (i % 2 === 0) store.put(`gone ${i}`, '')
  }
  await store.seal()
  for (let i = 0; i < 200; i += 2) store.remove(`gone ${i}`)
  for (let i = 0; i < 300; i++) store.put('garbage', `${i}`.repeat(20))
  await store.seal()
  await ownMerges(store)
  const { merges } = store.engine.merge.status()
  expect(merges).toBeGreaterThan(0)
  for (let i = 0; i < 20; i++) await ownMerges(store)
  expect(store.engine.merge.status().merges).toBe(merges)
  await store.close()
})

test('tombstones go also in a store of many segments, where some filter always says perhaps', async () => {
  const store = await TestStore.open(freshDirectory())
  const SEGMENTS = 80
  for (let s = 0; s < SEGMENTS; s++) {
    for (let i = 0; i < 100; i++) store.put(`live ${s} ${i}`, 'v')
    await store.seal()
  }
  await store.quiet()
  for (let i = 0; i < 500; i++) {
    store.put(`short ${i}`, 'v')
    store.remove(`short ${i}`)
  }
  await store.merge()
  const left = allRecords(store.directory).filter(({ kind }) => kind === KIND_TOMBSTONE).length
  expect(left).toBeLessThan(25) // half of them, by the hints' own filters
  await store.close()
})

test('a merge of what lies around a segment that stays: only what that one may hide stays, too', async () => {
  let store = await TestStore.open(freshDirectory(), auto)
  const garbage = (): void => {
    for (let i = 0; i < 20; i++) store.put('garbage', 'x'.repeat(100))
  }
  store.put('before', 'v')
  store.remove('before')
  garbage()
  await store.seal()
  for (let i = 0; i < 40; i++) store.put(`live ${i}`, 'x'.repeat(100))
  store.put('victim', 'v')
  store.put('there', 'v')
  store.remove('there')
  await store.seal()
  store.remove('victim')
  garbage()
  await store.seal()
  garbage()
  await store.tick()
  await ownMerge(store)
  expect(['before', 'there', 'victim'].map((key) => onDisk(store.directory, key))).toEqual([0, 1, 1])
  store = await restart(store, 'killed')
  expect(await store.get('victim')).toBe(null)
  await store.close()
})
