// MANIFEST as it once was, good in itself: a disk that lost a write, or somebody who put back last week's file. What has been written since
// must neither be forgotten nor removed.

import { expect, test } from 'vitest'
import { Slice, sliceOf } from '../../src/base/slice.ts'
import { randomFrom } from '../harness/random.ts'
import { type Live, readDisk, replay } from './reader.ts'
import { DATABASES, RotStore } from './store.ts'

type Files = Map<string, Buffer>

/** A story with rotations, merges and restarts; every manifest it ever had, and the disk at its end. */
function story(seed: number, isKilled: boolean): { manifests: Buffer[]; disk: Files } {
  const random = randomFrom(seed)
  const manifests: Buffer[] = []
  let disk: Files = new Map()
  for (let lives = 0; lives < 4; lives++) {
    const store = RotStore.open(disk, { seed: seed + lives, segmentSizeBytes: 1500 })
    if (!(store instanceof RotStore)) throw store
    const note = (): void => {
      const manifest = store.storage.disk().get('MANIFEST') as Buffer
      if (manifests.at(-1)?.equals(manifest) !== true) manifests.push(manifest)
    }
    for (let i = 0; i < 60; i++) {
      const key = `k${random.below(25)}`
      if (random.chance(0.7)) store.put(random.below(2), key, `${lives} ${i} ${'x'.repeat(random.below(60))}`)
      else store.remove(random.below(2), key)
      store.flush()
      if (random.chance(0.2)) store.sync()
      note()
    }
    if (random.chance(0.6)) store.merge()
    note()
    store.put(0, 'last', `life ${lives}`)
    store.flush()
    if (lives < 3 ? random.chance(0.5) : isKilled) {
      disk = store.storage.disk()
    } else {
      store.close()
      disk = store.storage.disk()
    }
  }
  return { manifests, disk }
}

function expectState(store: RotStore, live: ReadonlyMap<string, Live>): void {
  let count = 0
  for (let database = 0; database < DATABASES; database++) count += store.engine.keyCount(database)
  expect(count).toBe(live.size)
  for (const { database, key, value } of live.values()) {
    const shown = store.get(database, sliceOf(key))
    expect(shown instanceof Slice ? shown.key() : shown).toBe(value.toString('latin1'))
  }
}

test.each([
  ['a clean stop', false],
  ['a kill', true],
])('an older MANIFEST after %s: nothing is forgotten, nothing is removed', (_, isKilled) => {
  let outdated = 0
  for (let seed = 1; seed <= 2; seed++) {
    const { manifests, disk } = story(seed, isKilled)
    const live = replay(
      readDisk(disk).flatMap(({ records }) => records),
      DATABASES,
    )
    for (const manifest of manifests) {
      const stale: Files = new Map([...disk, ['MANIFEST', manifest]])
      let store = RotStore.open(stale)
      if (!(store instanceof RotStore)) {
        expect(store.code).toBe('EDAMAGED')
        store = RotStore.open(stale, { onCorruption: 'serve' })
        if (!(store instanceof RotStore)) throw store
        expect(store.warnings.join()).toContain('Serving although')
      }
      expectState(store, live)
      if (!store.warnings.join().includes('MANIFEST is older than the data')) continue
      outdated++
      for (const name of disk.keys()) if (name.endsWith('.data')) expect(store.storage.has(name)).toBe(true)
    }
  }
  expect(outdated).toBeGreaterThan(2)
})

test('the outputs of a merge that was killed are no sign of an older MANIFEST', () => {
  const { disk } = story(1, false)
  const store = RotStore.open(disk)
  if (!(store instanceof RotStore)) throw store
  let killed: Files | null = null
  const { catalog } = store.engine.upkeep as unknown as { catalog: { commit(): Generator } }
  const { commit } = catalog
  store.put(0, 'k1', 'newer')
  store.flush()
  catalog.commit = function* () {
    killed ??= store.storage.disk()
    yield* commit.call(catalog) as Generator<never>
  }
  store.seal()
  killed = null
  store.merge()
  const left = killed as Files | null
  expect(left).not.toBe(null)
  const again = RotStore.open(left as Files)
  if (!(again instanceof RotStore)) throw again
  expect(again.warnings.join()).not.toContain('MANIFEST')
})

test('a copy made while the log goes on, MANIFEST first and then the data, newest first: a prefix of what was written', () => {
  let outdated = 0
  for (let seed = 1; seed <= 10; seed++) {
    const random = randomFrom(seed)
    const store = RotStore.open(new Map(), { seed, segmentSizeBytes: 1200 })
    if (!(store instanceof RotStore)) throw store
    let written = 0
    const write = (count: number): void => {
      for (let i = 0; i < count; i++) {
        store.put(0, `k${written}`, String(written++))
        if (random.chance(0.3)) store.flush()
        if (random.chance(0.1)) store.sync()
      }
      store.flush()
    }
    write(random.between(20, 80))
    store.seal()
    const before = written
    const copy: Files = new Map([['MANIFEST', store.storage.disk().get('MANIFEST') as Buffer]])
    write(random.below(120))
    const names = [...store.storage.disk().keys()].filter((name) => name.endsWith('.data')).sort()
    for (const name of names.reverse()) {
      const bytes = store.storage.disk().get(name) as Buffer
      // What is being written to may be read in the middle of a write.
      const isNewest = copy.size === 1
      copy.set(name, isNewest ? bytes.subarray(0, bytes.length - random.below(Math.min(40, bytes.length - 59))) : bytes)
      write(random.below(60))
    }
    const restored = RotStore.open(copy)
    if (!(restored instanceof RotStore)) throw restored
    if (restored.warnings.join().includes('older than the data')) outdated++
    const keys = restored.engine.keyCount(0)
    expect(keys, `seed ${seed}`).toBeGreaterThanOrEqual(before)
    for (let i = 0; i < keys; i++)
      expect(restored.get(0, sliceOf(`k${i}`)), `seed ${seed}, k${i}`).toBeInstanceOf(Slice)
    expect(restored.warnings.join()).not.toMatch(/damage/i)
  }
  expect(outdated).toBeGreaterThan(2)
})
