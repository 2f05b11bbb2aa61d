// The engine embedded: what a program sees that uses it without the server.

import { afterAll, afterEach, expect, test, vi } from 'vitest'
import type { Bitcask } from '../../src/engine/bitcask.ts'
import { GATE_FAILED, GATE_STALLED } from '../../src/engine/engine.ts'
import { openStore, type Store } from '../../src/engine/store.ts'
import { cleanUp, freshDirectory } from './test-store.ts'

afterAll(cleanUp)
afterEach(() => vi.restoreAllMocks())

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

test('puts beside close: each is refused, or there at the next start', async () => {
  const directory = freshDirectory()
  const store = await openStore(directory, { appendfsync: 'always' })
  await store.put(bytes('x'), bytes('1'))
  const kept: string[] = []
  const refusals = new Set<string>()
  let isClosed = false
  const closing = store.close().then(() => {
    isClosed = true
  })
  for (let i = 0; !isClosed || i < 10; i++) {
    const put = store.put(bytes(`k${i}`), bytes('v')).then(
      () => kept.push(`k${i}`),
      (error) => refusals.add((error as Error).message),
    )
    await Promise.race([put, closing])
    await new Promise((resolve) => setImmediate(resolve))
  }
  await closing
  expect([...refusals]).toEqual(['MISCONF The store is closing, writes are refused.'])
  const again = await openStore(directory)
  for (const key of kept) expect(await again.get(bytes(key)), key).toEqual(bytes('v'))
  await again.close()
})

test('what is too long, and what is no buffer, is refused before anything is done; the store goes on', async () => {
  const directory = freshDirectory()
  const store = await openStore(directory, { mergeEnabled: false })
  await expect(store.put(Buffer.alloc(1024 * 1024 + 1), bytes('v'))).rejects.toThrow(
    'a key is longer than 1048576 bytes',
  )
  const half = { put: bytes('b') } as never
  await expect(store.batch([{ put: bytes('a'), value: bytes('1') }, half])).rejects.toThrow(
    'keys and values are Buffers',
  )
  const long = Buffer.alloc(600 * 1024 * 1024)
  const both = [
    { put: bytes('c'), value: long },
    { put: bytes('d'), value: long },
  ]
  await expect(store.batch(both)).rejects.toThrow('the writes of a batch are longer than 1073741824 bytes')
  await expect(store.put(bytes('e'), Buffer.alloc(1024 * 1024 * 1024 + 1))).rejects.toThrow('a value is longer than')
  await store.put(bytes('after'), bytes('2'))
  await store.close()
  const again = await openStore(directory)
  expect(again.stats().keys).toBe(1)
  await again.close()
})

test('a time that is none is refused before anything is done, and the store goes on', async () => {
  const store = await openStore(freshDirectory())
  for (const expiresAt of [5n as never, Number.NaN, 1.5, -1, 2 ** 60]) {
    const writes = [
      { put: bytes('a'), value: bytes('1') },
      { put: bytes('b'), value: bytes('1'), expiresAt },
    ]
    await expect(store.batch(writes)).rejects.toThrow('expiresAt is whole milliseconds since 1970')
  }
  expect(await store.get(bytes('a'))).toBe(null)
  await store.put(bytes('a'), bytes('2'))
  expect(await store.get(bytes('a'))).toEqual(bytes('2'))
  await store.close()
})

test('a store that is closed reads nothing either', async () => {
  const store = await openStore(freshDirectory())
  await store.put(bytes('a'), bytes('1'))
  await store.close()
  await expect(store.get(bytes('a'))).rejects.toThrow('The store is closed.')
  await expect(store.keys().next()).rejects.toThrow('The store is closed.')
})

const engineOf = (store: Store): Bitcask => (store as unknown as { engine: Bitcask }).engine

/** A store whose disk does not sync: the gate stays closed until `end`. */
async function stalled(directory: string): Promise<{ store: Store; end: () => void }> {
  const store = await openStore(directory, { mergeEnabled: false })
  await store.put(bytes('old'), bytes('0'))
  const engine = engineOf(store)
  const judge = vi.spyOn(engine, 'checkStall').mockReturnValue()
  engine.setGate(GATE_STALLED, true)
  return {
    store,
    end: () => {
      judge.mockRestore()
      engine.checkStall()
    },
  }
}

test('everysec on a disk that hangs: writes wait, in their order and as they were given, and go on when it syncs again', async () => {
  const directory = freshDirectory()
  const { store, end } = await stalled(directory)
  const { appended } = engineOf(store)
  const done: string[] = []
  const value = bytes('1')
  const writes = [
    store.put(bytes('a'), value).then(() => done.push('put')),
    store.remove(bytes('old')).then((isThere) => done.push(`removed ${isThere}`)),
    store.batch([{ remove: bytes('a') }, { put: bytes('b'), value }]).then(() => done.push('batch')),
    store.put(bytes('a'), value).then(() => done.push('put again')),
  ]
  value.fill('x')
  expect(await store.get(bytes('old')), 'reads go on').toEqual(bytes('0'))
  expect([done, engineOf(store).appended]).toEqual([[], appended])
  end()
  const last = store.put(bytes('a'), bytes('2')) // the gate is open again, but the others are first
  await Promise.all([...writes, last])
  expect(done).toEqual(['put', 'removed true', 'batch', 'put again'])
  for (const [key, now] of [
    ['a', '2'],
    ['b', '1'],
    ['old', null],
  ] as const)
    expect((await store.get(bytes(key)))?.toString() ?? null, key).toBe(now)
  await store.close()
})

test('a write that waits is refused by a stop, and when the store fails', async () => {
  const first = await stalled(freshDirectory())
  const waiting = [first.store.put(bytes('a'), bytes('1')), first.store.remove(bytes('old'))]
  const refused = Promise.all([
    expect(waiting[0]).rejects.toThrow('The store is closing'),
    expect(waiting[1]).rejects.toThrow('The store is closed'),
  ])
  await first.store.close()
  await refused

  const second = await stalled(freshDirectory())
  const put = second.store.put(bytes('a'), bytes('1'))
  engineOf(second.store).setGate(GATE_FAILED, true, 'MISCONF An fsync of the log failed')
  await expect(put).rejects.toThrow('An fsync of the log failed')
  await expect(second.store.put(bytes('a'), bytes('1'))).rejects.toThrow('An fsync of the log failed')
  await second.store.close()
})
