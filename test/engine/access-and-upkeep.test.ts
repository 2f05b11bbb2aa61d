// What handlers ask of the engine beside reading and writing: times of access, values forgotten, durability waited for, a quick end.

import { readdirSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { Slice, sliceOf } from '../../src/base/slice.ts'
import { cleanUp, freshDirectory, TestStore } from './test-store.ts'

afterAll(cleanUp)

const read = (store: TestStore, key: string): void => {
  store.engine.valueOf(store.find(key), new Slice())
}

describe('times of access', () => {
  it('are those of the last write or read', async () => {
    const store = await TestStore.open(freshDirectory())
    store.put('k', 'v')
    expect(store.engine.idleSeconds(store.find('k'))).toBe(0)
    store.clock.advance(5000)
    expect(store.engine.idleSeconds(store.find('k'))).toBe(5)
    read(store, 'k')
    expect(store.engine.idleSeconds(store.find('k'))).toBe(0)
    store.clock.advance(3000)
    store.put('k', 'w')
    expect(store.engine.idleSeconds(store.find('k'))).toBe(0)
    await store.close()
  })

  it('can be set, and reads that do not count leave them', async () => {
    const store = await TestStore.open(freshDirectory())
    store.put('k', 'v')
    store.engine.setIdle(store.find('k'), 200_000)
    store.engine.readsCount = false
    read(store, 'k')
    expect(store.engine.idleSeconds(store.find('k'))).toBe(200_000)
    store.engine.setIdle(store.find('k'), 2 ** 24 - 2)
    expect(store.engine.idleSeconds(store.find('k'))).toBe(2 ** 24 - 2)
    store.engine.readsCount = true
    read(store, 'k')
    expect(store.engine.idleSeconds(store.find('k'))).toBe(0)
    await store.close()
  })
})

describe('forgetValues', () => {
  it('has every value read from disk again, and the cache goes on working', async () => {
    const store = await TestStore.open(freshDirectory(), { valueCacheBytes: 64 << 20 })
    for (let i = 0; i < 50; i++) store.put(`k${i}`, `value ${i}`)
    await store.tick()
    store.engine.forgetValues()
    const before = store.engine.stats().coldReads
    for (let i = 0; i < 50; i++) expect(await store.get(`k${i}`)).toBe(`value ${i}`)
    expect(store.engine.stats().coldReads - before).toBe(50)
    for (let i = 0; i < 50; i++) expect(await store.get(`k${i}`)).toBe(`value ${i}`)
    expect(store.engine.stats().coldReads - before).toBe(50)
    await store.close()
  })

  it('keeps what no file has yet', async () => {
    const store = await TestStore.open(freshDirectory())
    store.put('k', 'not written')
    store.engine.forgetValues()
    expect(await store.get('k')).toBe('not written')
    await store.tick()
    store.put('l', 'written later')
    await store.tick()
    expect(await store.get('k')).toBe('not written')
    expect(await store.get('l')).toBe('written later')
    await store.close()
  })
})

describe('whenSynced', () => {
  it.each([
    'no',
    'everysec',
    'always',
  ] as const)('under appendfsync %s calls back when nothing is left to sync', async (mode) => {
    const store = await TestStore.open(freshDirectory(), { appendfsync: mode })
    store.put('k', 'v')
    const { syncs } = store.engine.stats()
    await new Promise<void>((resolve, reject) => {
      store.engine.whenSynced((error) => (error === null ? resolve() : reject(error)))
    })
    expect(store.engine.stats().syncs).toBeGreaterThan(syncs)
    expect(store.engine.stats().unsyncedBytes).toBe(0)
    let isAtOnce = false
    store.engine.whenSynced(() => (isAtOnce = true))
    expect(isAtOnce).toBe(true)
    await store.close()
  })
})

describe('expiresInBackground', () => {
  it('off: a key whose time has run out goes when somebody asks', async () => {
    const store = await TestStore.open(freshDirectory())
    store.engine.expiresInBackground = false
    store.put('k', 'v', store.clock.now() + 10)
    await store.tick()
    store.clock.advance(1000)
    expect(store.engine.stats().expired).toBe(0)
    expect(store.find('k')).toBe(-1)
    expect(store.engine.stats().expired).toBe(1)
    store.put('l', 'v', store.clock.now() + 10)
    store.engine.expiresInBackground = true
    store.clock.advance(1000)
    expect(store.engine.stats().expired).toBe(2)
    await store.close()
  })
})

describe('closing', () => {
  it.each([
    [false, true],
    [true, false],
  ])('quick %s: hint and image %s; the data is there either way', async (isQuick, hasThem) => {
    const directory = freshDirectory()
    const store = await TestStore.open(directory)
    store.engine.put(0, sliceOf('k'), sliceOf('v'), 0)
    await new Promise<void>((resolve, reject) => {
      store.engine.close((error) => (error === null ? resolve() : reject(error)), isQuick)
    })
    const files = readdirSync(directory)
    expect(files.some((name) => /hint/i.test(name))).toBe(hasThem)
    expect(files.some((name) => /image|keydir/i.test(name))).toBe(hasThem)
    const again = await TestStore.open(directory)
    expect(await again.get('k')).toBe('v')
    await again.close()
  })
})
