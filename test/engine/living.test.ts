// What a merge is told of what lives, and what it then does not read.

import { afterEach, expect, test } from 'vitest'
import { dataName } from '../../src/engine/filename.ts'
import { PORTIONS } from '../../src/engine/portions.ts'
import { KIND_SYSTEM } from '../../src/engine/record.ts'
import { expectAccounts } from './accounts.ts'
import { flip } from './damage.ts'
import type { FaultyStorage } from './faulty-storage.ts'
import { allRecords, dataPath } from './files.ts'
import { restart } from './starts.ts'
import { cleanUp, freshDirectory, TestStore, turn } from './test-store.ts'
import { watched } from './watched.ts'

afterEach(cleanUp)

/** Hurts the value of the oldest record of that key. */
function hurtOldest({ directory }: TestStore, key: string): void {
  const records = allRecords(directory).filter((record) => record.key === key)
  const [oldest] = records.sort((a, b) => a.sequence - b.sequence)
  flip(dataPath(directory, oldest!.segment), oldest!.offset + oldest!.length - 1)
}

/** The log's next write fails, and no other. */
function failLog({ engine }: TestStore, storage: FaultyStorage): void {
  const name = dataName(engine.log.active.number)
  let left = 1
  storage.rule = (call, file) => (call === 'write' && file === name && left-- > 0 ? 'ENOSPC' : null)
  engine.flush()
}

async function overwritten(store: TestStore, keys: number, again: number): Promise<void> {
  for (let i = 0; i < keys; i++) store.put(`k${i}`, `old ${i}`)
  for (let i = 0; i < again; i++) store.put(`k${i}`, `new ${i}`)
  await store.seal()
  await store.quiet()
}

test('what is dead is not read: damage there ends no merge, and goes with it', async () => {
  const store = await TestStore.open(freshDirectory())
  await overwritten(store, 20, 20)
  const contents = await store.contents()
  hurtOldest(store, 'k7')
  expect(await store.merge()).toBeGreaterThan(0)
  await store.quiet()
  expect(await store.contents()).toEqual(contents)
  expectAccounts(store)
  const again = await restart(store, 'data')
  expect(await again.contents()).toEqual(contents)
  await again.close()
})

test('what lies far from what lives is not even read', async () => {
  const store = await TestStore.open(freshDirectory(), { segmentSizeBytes: 16 * 1024 * 1024 })
  for (let i = 0; i < 40; i++) store.put(`k${i}`, 'v'.repeat(200_000))
  await store.seal()
  for (let i = 0; i < 40; i++) if (i % 10 !== 9) store.put(`k${i}`, 'short')
  await store.seal()
  await store.quiet()
  const contents = await store.contents()
  expect(await store.merge()).toBeGreaterThan(7_000_000)
  const { bytesRead, bytesTotal } = store.engine.merge.status()
  expect(bytesTotal).toBeGreaterThan(8_000_000)
  expect(bytesRead).toBeLessThan(2_000_000)
  expect(await store.contents()).toEqual(contents)
  await store.close()
})

test('where far more lives than is dead, the inputs are read as a whole: no walk through all keys for that', async () => {
  const store = await TestStore.open(freshDirectory())
  await overwritten(store, 200, 5)
  hurtOldest(store, 'k3')
  await expect(store.merge()).rejects.toThrow('damaged')
  await store.close()
})

test('a segment with a tombstone is read as a whole, beside one of which only what lives is', async () => {
  const store = await TestStore.open(freshDirectory())
  await overwritten(store, 20, 20)
  store.put('kept', 'v')
  await store.seal()
  store.remove('kept')
  store.put('other', 'v')
  store.put('other', 'w')
  await store.seal()
  await store.quiet()
  const contents = await store.contents()
  hurtOldest(store, 'k7')
  expect(await store.merge()).toBeGreaterThan(0)
  await store.quiet()
  const again = await restart(store, 'data')
  expect(await again.contents()).toEqual(contents)
  await again.close()
})

test('a touch is found beside the value whose expiry it changes, and so is the table of databases', async () => {
  const store = await TestStore.open(freshDirectory())
  store.put('k', 'v')
  store.put('swapped', 'v', 0, 1)
  await overwritten(store, 20, 20)
  const expiry = store.clock.now() + 1e6
  store.setExpiry('k', expiry)
  store.engine.swapDatabases(1, 2)
  await overwritten(store, 20, 20)
  const contents = await store.contents()
  expect([contents.get('0:k')?.expiry, contents.has('2:swapped')]).toEqual([expiry, true])
  expect(await store.merge()).toBeGreaterThan(0)
  await store.quiet()
  expect(await store.contents()).toEqual(contents)
  expectAccounts(store)
  const again = await restart(store, 'data')
  expect(await again.contents()).toEqual(contents)
  await again.close()
})

test('a table of databases that another one has replaced is dead, also where its segment is read as a whole', async () => {
  const store = await TestStore.open(freshDirectory())
  store.put('k', 'v', 0, 1)
  store.put('gone', 'v')
  store.remove('gone')
  store.engine.swapDatabases(1, 2)
  await store.seal()
  store.engine.swapDatabases(2, 3)
  await store.seal()
  await store.quiet()
  const contents = await store.contents()
  expect(contents.has('3:k')).toBe(true)
  await store.merge()
  await store.quiet()
  expect(allRecords(store.directory).filter(({ kind }) => kind === KIND_SYSTEM).length).toBe(1)
  const again = await restart(store, 'data')
  expect(await again.contents()).toEqual(contents)
  await again.close()
})

test('what is written, removed and expires during the walk is as it should be', async () => {
  const store = await TestStore.open(freshDirectory(), { portions: { ...PORTIONS, surveyedEntries: 1 } })
  await overwritten(store, 60, 60)
  const merging = store.merge()
  for (let i = 0; i < 20; i++) {
    store.put(`k${i * 3}`, 'newest')
    store.remove(`k${i * 3 + 1}`)
    await turn()
  }
  expect(await merging).toBeGreaterThan(0)
  await store.tick()
  await store.quiet()
  const contents = await store.contents()
  expect(contents.size).toBe(40)
  expectAccounts(store)
  const again = await restart(store, 'data')
  expect(await again.contents()).toEqual(contents)
  await again.close()
})

test('the log fails during the walk: what an undone write brings back to life was passed over, so nothing goes', async () => {
  const { store, storage } = await watched({ portions: { ...PORTIONS, surveyedEntries: 1 } })
  for (let i = 0; i < 200; i++) store.put(`first ${i}`, 'v')
  store.put('k', 'old')
  await overwritten(store, 400, 400)
  const merging = store.merge()
  await store.until(() => store.engine.merge.status().segments > 0)
  store.put('k', 'new')
  for (let i = 0; i < 300; i++) await turn()
  const { bytesRead } = store.engine.merge.status()
  failLog(store, storage)
  await store.until(() => store.failed.length > 0)
  expect(bytesRead, 'it is still walking').toBe(0)
  storage.heal()
  await merging.catch(() => {})
  await store.until(() => !store.engine.log.failed)
  await store.quiet()
  expect(await store.get('k')).toBe('old')
  const again = await store.killed()
  expect(await again.get('k')).toBe('old')
  expect((await again.contents()).size).toBe(601)
  await again.close()
})

test('a stop during the walk: no merge begins', async () => {
  const store = await TestStore.open(freshDirectory(), { portions: { ...PORTIONS, surveyedEntries: 1 } })
  await overwritten(store, 400, 400)
  const merging = store.merge()
  await store.until(() => store.engine.merge.status().segments > 0)
  const closing = store.close()
  await expect(merging).rejects.toThrow('closing')
  await closing
})
