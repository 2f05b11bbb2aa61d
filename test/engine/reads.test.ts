// Reading: from the write buffer, the cache, the disk; while values change, move and go.

import * as fs from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { Slice, sliceOf } from '../../src/base/slice.ts'
import { dataName } from '../../src/engine/filename.ts'
import { FaultyStorage } from './faulty-storage.ts'
import { dataPath } from './files.ts'
import { cleanUp, freshDirectory, TestStore } from './test-store.ts'

afterEach(cleanUp)

/** Every read goes to the disk, through the thread pool. */
const COLD = { valueCacheBytes: 0, synchronousIo: false }

async function coldStore(): Promise<{ store: TestStore; storage: FaultyStorage }> {
  const directory = freshDirectory()
  const storage = new FaultyStorage(directory)
  const store = await TestStore.open(directory, { ...COLD, storage })
  return { store, storage }
}

test.each([
  ['with a cache', { valueCacheBytes: 1 << 20 }],
  ['value-cache-size 0', { valueCacheBytes: 0 }],
  ['value-cache-size 0, through the threads', COLD],
])('%s: a value is there before it is written, when it is written, and after it moved', async (_, options) => {
  let store = await TestStore.open(freshDirectory(), options)
  const values = new Map(Array.from({ length: 60 }, (_, i) => [`k${i}`, `${i} `.repeat(i * 20)]))
  const check = async (): Promise<void> => {
    for (const [key, value] of values) expect(await store.get(key)).toBe(value)
  }
  for (const [key, value] of values) {
    store.put(key, 'garbage')
    store.put(key, value, Number(key.slice(1)) % 2 === 0 ? store.clock.now() + 1e7 : 0)
  }
  // Not flushed: get reads the buffer.
  for (const [key, value] of values) {
    const into = new Slice()
    expect(store.engine.valueOf(store.find(key), into)).toBe(true)
    expect(into.key()).toBe(value)
  }
  await store.tick()
  await check()
  await store.merge()
  await check()
  store = await store.reopen(options)
  await check()
  await store.close()
})

test('reads on the event loop use up the time of a turn, and say so; the next flush gives time again', async () => {
  const directory = freshDirectory()
  const storage = new FaultyStorage(directory)
  const store = await TestStore.open(directory, { valueCacheBytes: 0, synchronousIo: true, storage })
  for (const key of ['a', 'b', 'c', 'd']) store.put(key, `value of ${key}`)
  await store.tick()
  await store.seal()
  storage.rule = (call) => {
    if (call === 'read') store.clock.advance(0.9)
    return null
  }
  const { engine } = store
  const into = new Slice()
  engine.missed = false
  for (const key of ['a', 'b', 'c']) {
    expect(engine.readsSpent).toBe(false)
    expect(engine.valueOf(store.find(key), into)).toBe(true)
  }
  expect([engine.missed, engine.readsSpent]).toEqual([true, true])
  expect(engine.valueOf(store.find('d'), into)).toBe(false)
  engine.flush()
  expect(engine.readsSpent).toBe(false)
  expect(engine.valueOf(store.find('d'), into)).toBe(true)
  expect(into.key()).toBe('value of d')
  await store.close()
})

test('a load gives the value of its instant, whatever becomes of the key while it is read', async () => {
  const { store, storage } = await coldStore()
  for (const key of ['overwritten', 'removed', 'flushed', 'recreated']) store.put(key, `old ${key}`)
  await store.tick()
  storage.rule = (call) => (call === 'read' ? 'hold' : null)
  const loads = ['overwritten', 'removed', 'flushed', 'recreated'].map((key) => store.load(store.find(key)))
  store.put('overwritten', 'new')
  store.remove('removed')
  store.remove('recreated')
  await store.tick()
  store.put('recreated', 'another')
  store.put('somebody else', 'in the same place') // takes over a freed entry
  await store.tick()
  store.engine.flushAll()
  await store.tick()
  storage.heal()
  storage.release()
  expect(await Promise.all(loads)).toEqual(
    ['overwritten', 'removed', 'flushed', 'recreated'].map((key) => `old ${key}`),
  )
  await store.close()
})

test('reads that race the unlink of merged segments: the files stay until the last reader has left', async () => {
  const { store, storage } = await coldStore()
  for (let i = 0; i < 50; i++) store.put(`k${i}`, `value ${i}`)
  store.put('k0', 'value 0')
  await store.seal()
  await store.quiet()
  const { number } = store.engine.segments.at(store.engine.keydir.segment(store.find('k1')))
  let readers = 0
  // The value reads are held, the merge's own are let through: it reads by windows, not by records.
  storage.rule = (call, name) => (call === 'read' && name === dataName(number) && readers-- > 0 ? 'hold' : null)
  readers = 1
  const loads = Array.from({ length: 50 }, (_, i) => store.load(store.find(`k${i}`)))
  await store.until(() => storage.holding === 1)
  expect(await store.merge()).toBeGreaterThan(0)
  await store.quiet()
  expect(fs.existsSync(dataPath(store.directory, number))).toBe(true)
  expect(await store.get('k7')).toBe('value 7') // by its new place
  storage.release()
  expect(await Promise.all(loads)).toEqual(Array.from({ length: 50 }, (_, i) => `value ${i}`))
  await store.until(() => !fs.existsSync(dataPath(store.directory, number)))
  await store.close()
})

test('a read that fails is an error for that key, that time; an error never becomes an older value', async () => {
  const { store, storage } = await coldStore()
  store.put('k', 'old')
  await store.seal()
  store.put('k', 'new')
  store.put('l', 'other')
  await store.seal()
  storage.failNext('read', '.data', 'EIO')
  await expect(store.get('k')).rejects.toMatchObject({ code: 'EIO' })
  expect(await store.get('l')).toBe('other')
  expect(await store.get('k')).toBe('new')
  expect([store.engine.gate, store.engine.stats().corruptReads]).toEqual([0, 1])
  storage.failNext('open', '.data', 'EMFILE')
  expect(await store.get('k')).toBe('new')
  await store.close()
})

test('bytes of another record in the place of a value are noticed by head, key and sequence', async () => {
  const { store } = await coldStore()
  store.put('a', 'value of a')
  store.put('b', 'value of b')
  await store.tick()
  await store.quiet()
  const { keydir } = store.engine
  const [a, b] = [store.find('a'), store.find('b')]
  const { number } = store.engine.log.active
  const bytes = fs.readFileSync(dataPath(store.directory, number))
  bytes.copyWithin(keydir.offset(a), keydir.offset(b), keydir.offset(b) + 36 + 1 + 10)
  fs.writeFileSync(dataPath(store.directory, number), bytes)
  await expect(store.load(a)).rejects.toMatchObject({ code: 'EDAMAGED' })
  expect(await store.load(b)).toBe('value of b')
  // And a keydir that points at the wrong record gets an error, not that record.
  keydir.place(a, keydir.segment(b), keydir.offset(b), 10, keydir.sequence(a), 0, false)
  await expect(store.load(a)).rejects.toMatchObject({ code: 'EDAMAGED' })
  // An older record of the same key, whole and in its place, is not it either.
  const [slot, offset] = [keydir.segment(b), keydir.offset(b)]
  store.put('b', 'VALUE OF B')
  await store.tick()
  expect(await store.load(b)).toBe('VALUE OF B')
  keydir.place(b, slot, offset, 10, keydir.sequence(b), 0, false)
  await expect(store.load(b)).rejects.toMatchObject({ code: 'EDAMAGED' })
  await store.abandon()
})

test('a value that was brought stays in memory for its sequence, until it is dropped', async () => {
  const { store } = await coldStore()
  store.put('k', 'v')
  await store.tick()
  const into = new Slice()
  const key = sliceOf('k')
  expect(store.engine.inMemory(0, key, false)).toBe(false)
  const ticket = await new Promise<number>((resolve, reject) => {
    const t: number = store.engine.bring(0, key, (error) => (error === null ? resolve(t) : reject(error)))
  })
  expect(store.engine.inMemory(0, key, false)).toBe(true)
  expect(store.engine.valueOf(store.find('k'), into)).toBe(true)
  expect(into.key()).toBe('v')
  // Another value: the one that was brought is not it.
  store.put('k', 'w')
  await store.tick()
  expect(store.engine.inMemory(0, key, false)).toBe(false)
  store.engine.drop(ticket)
  store.engine.drop(ticket)
  expect(store.engine.inMemory(0, sliceOf('absent'), false)).toBe(true)
  await store.close()
})

test('a short value that was read does not pin a large buffer', async () => {
  const { store } = await coldStore()
  store.put('k', 'v')
  await store.tick()
  const entry = store.find('k')
  const value = await new Promise<Slice>((resolve, reject) =>
    store.engine.load(entry, (error, found) => (error === null ? resolve(found as Slice) : reject(error))),
  )
  expect(value.bytes.buffer.byteLength).toBeLessThan(100)
  await store.close()
})

test('thousands of cold reads at once keep to the limit of reads, and all come back', async () => {
  const { store, storage } = await coldStore()
  for (let i = 0; i < 2000; i++) store.put(`k${i}`, `value ${i}`)
  await store.tick()
  let running = 0
  let most = 0
  storage.rule = (call) => {
    if (call === 'read') most = Math.max(most, ++running)
    return null
  }
  const loads = Array.from({ length: 2000 }, (_, i) => store.load(store.find(`k${i}`)).finally(() => running--))
  const values = await Promise.all(loads)
  values.forEach((value, i) => void expect(value).toBe(`value ${i}`))
  expect(most).toBeLessThanOrEqual(4) // 2 in the disk, 2 whose promises have not been told yet
  await store.close()
})

test('hundreds of segments need no hundreds of descriptors', async () => {
  const store = await TestStore.open(freshDirectory(), COLD)
  for (let i = 0; i < 260; i++) {
    store.put(`k${i}`, `value ${i}`)
    await store.seal()
  }
  const open = (): number =>
    fs.readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(store.directory)
      } catch {
        return false
      }
    }).length
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 260; i++) expect(await store.get(`k${i}`)).toBe(`value ${i}`)
    expect(open()).toBeLessThan(210)
  }
  await store.close()
  expect(open()).toBe(0)
})
