// Bugs that Bitcask stores really had, each as the story that shows it. Where a whole file tests the matter (tombstones, expiry, recovery,
// failures, the lock), the story is there; here are those that have no other home.

import * as fs from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { dataName, MANIFEST } from '../../src/engine/filename.ts'
import { nodeStorage } from '../../src/engine/node-storage.ts'
import { KIND_TOMBSTONE } from '../../src/engine/record.ts'
import { close, open, run, type Task } from '../../src/engine/task.ts'
import { expectAccounts } from './accounts.ts'
import { FaultyStorage } from './faulty-storage.ts'
import { allRecords, manifestOf } from './files.ts'
import { restart, STARTS } from './starts.ts'
import { type Contents, cleanUp, copyOf, freshDirectory, type TestOptions, TestStore } from './test-store.ts'
import { watched } from './watched.ts'

afterEach(cleanUp)

const plain = (contents: Contents): Record<string, string> =>
  Object.fromEntries([...contents].map(([name, { value }]) => [name.slice(2), value]))

describe.each(STARTS)('start: %s', (by) => {
  test('in-band tombstones: no value and no length of it is a delete', async () => {
    let store = await TestStore.open(freshDirectory(), { segmentSizeBytes: 400 })
    const values = [
      '',
      '\x00',
      'bitcask_tombstone',
      '__tombstone__',
      'TOMBSTONE',
      '\xff\xff\xff\xff',
      '-1',
      'nil',
      '2',
      '\x02'.repeat(36),
    ]
    values.forEach((value, i) => void store.put(`k${i}`, value))
    store = await restart(store, by)
    await store.merge()
    values.forEach((_, i) => void store.put(`garbage ${i}`, 'v'))
    values.forEach((_, i) => void store.remove(`garbage ${i}`))
    await store.merge()
    store = await restart(store, by)
    expect(plain(await store.contents())).toEqual(Object.fromEntries(values.map((value, i) => [`k${i}`, value])))
    await store.close()
  })

  test('keys decoded as UTF-8: keys that differ in invalid bytes only are different keys', async () => {
    let store = await TestStore.open(freshDirectory())
    const keys = ['\xff', '\xfe', '\xc3', '\xc3\x28', '\xed\xa0\x80', '\xef\xbf\xbd', '\x00', '\x00\x00', '']
    for (const key of keys) store.put(key, `value of ${Buffer.from(key, 'latin1').toString('hex')}`)
    store = await restart(store, by)
    expect(store.engine.keyCount(0)).toBe(keys.length)
    for (const key of keys) {
      expect(await store.get(key)).toBe(`value of ${Buffer.from(key, 'latin1').toString('hex')}`)
    }
    await store.close()
  })

  test('16-bit lengths, 32-bit times', async () => {
    let store = await TestStore.open(freshDirectory())
    const key = 'k'.repeat(70_000)
    const value = 'v'.repeat(200_000)
    const at = 2 ** 42 + 12_345
    store.put(key, value, at)
    store.put('long ago', 'v', at - 1)
    store = await restart(store, by)
    await store.merge()
    expect(await store.get(key)).toBe(value)
    expect([store.expiryOf(key), store.expiryOf('long ago')]).toEqual([at, at - 1])
    await store.close()
  })

  test('order by wall clock: the last write wins, though the clock went back between the writes', async () => {
    let store = await TestStore.open(freshDirectory(), { segmentSizeBytes: 400 })
    for (let i = 0; i < 12; i++) {
      store.put('k', `write ${i}`)
      store.put('removed', 'v')
      store.remove('removed')
      await store.tick()
      store.clock.originMs -= 86_400_000
    }
    expect(await store.get('k')).toBe('write 11')
    await store.quiet()
    store = await restart(store, by)
    expect(plain(await store.contents())).toEqual({ k: 'write 11' })
    await store.merge()
    store = await restart(store, by)
    expect(plain(await store.contents())).toEqual({ k: 'write 11' })
    await store.close()
  })

  test('an expired record dropped by a partial merge: the older value does not come back', async () => {
    const options = { mergeEnabled: true, mergeIntervalMs: 1000 }
    let store = await TestStore.open(freshDirectory(), options)
    for (let i = 0; i < 40; i++) store.put(`live ${i}`, 'x'.repeat(100))
    store.put('k', 'old, without expiry')
    await store.seal()
    for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, 'x'.repeat(100))
    store.put('k', 'young', store.clock.now() + 100)
    await store.seal()
    for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, 'y'.repeat(100))
    await store.tick()
    store.clock.advance(200)
    await store.tick()
    await store.seal()
    await store.quiet()
    store.clock.advance(1200)
    await store.until(() => store.engine.merge.status().merges > 0)
    expect(manifestOf(store.directory).segments[0]!.merged).toBe(false)
    store = await restart(store, by, options)
    expect(await store.get('k')).toBe(null)
    await store.close()
  })

  test('a delete or put racing a merge: what was written while it ran is newer than what it copied', async () => {
    const first = await watched()
    const { storage } = first
    let { store } = first
    for (let i = 0; i < 40; i++) store.put(`k${i}`, 'garbage')
    for (let i = 0; i < 40; i++) store.put(`k${i}`, `old ${i}`, i === 7 ? store.clock.now() + 1e6 : 0)
    await store.seal()
    await store.quiet()
    const last = Math.max(...[...store.engine.segments.all()].map(({ number }) => number))
    storage.rule = (call, name) => (call === 'sync' && Number.parseInt(name, 10) > last ? 'hold' : null)
    const merging = store.merge()
    await store.until(() => storage.holding > 0)
    for (let i = 0; i < 10; i++) store.remove(`k${i}`)
    for (let i = 10; i < 20; i++) store.put(`k${i}`, `new ${i}`)
    for (let i = 20; i < 25; i++) store.setExpiry(`k${i}`, store.clock.now() + 1e6)
    for (let i = 25; i < 30; i++) {
      store.remove(`k${i}`)
      store.put(`k${i}`, `again ${i}`)
    }
    await store.tick()
    store.put('k30', 'after the last tick') // not even written when the merge moves its entries
    storage.heal()
    storage.release()
    expect(await merging).toBeGreaterThan(0)
    const expected: Record<string, string> = { k30: 'after the last tick' }
    for (let i = 10; i < 20; i++) expected[`k${i}`] = `new ${i}`
    for (let i = 20; i < 40; i++) expected[`k${i}`] ??= i >= 25 && i < 30 ? `again ${i}` : `old ${i}`
    expect(plain(await store.contents())).toEqual(expected)
    await store.quiet()
    expectAccounts(store)
    store = await restart(store, by)
    expect(plain(await store.contents())).toEqual(expected)
    expect(store.engine.expiringCount(0)).toBe(5)
    await store.close()
  })
})

describe('the order of a merge', () => {
  /** The calls of one merge, and the numbers of its inputs and outputs. */
  async function merged(
    options: TestOptions,
  ): Promise<{ calls: string[]; inputs: string[]; outputs: string[]; active: string }> {
    const { store, storage } = await watched(options)
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 20; i++) store.put(`k${i}`, `round ${round} ${i}`.padEnd(60))
      store.put(`live ${round}`, 'v')
      await store.tick()
      await store.seal()
    }
    await store.quiet()
    // Something newer than a record of an input, that only the page cache has.
    const active = dataName(store.engine.log.active.number)
    store.put('live 0', 'newer')
    await store.tick()
    storage.calls.length = 0
    const inputs = manifestOf(store.directory)
      .segments.filter(({ sealed }) => sealed)
      .map(({ number }) => dataName(number))
    const segmentsBefore = new Set([...store.engine.segments.all()].map(({ number }) => number))
    // An own merge: nobody seals the active segment for it.
    store.engine.configure({ mergeEnabled: true })
    store.clock.advance(200)
    await store.until(() => store.engine.merge.status().merges > 0)
    await store.quiet()
    await store.until(() => storage.calls.includes(`unlink ${inputs[0]}`))
    const { segments } = manifestOf(store.directory)
    const outputs = segments.filter(({ merged }) => merged).map(({ number }) => dataName(number))
    expect(outputs.every((name) => !segmentsBefore.has(Number.parseInt(name, 10)))).toBe(true)
    const calls = [...storage.calls]
    await store.close()
    return { calls, inputs, outputs, active }
  }

  test.each([
    'everysec',
    'no',
    'always',
  ] as const)('appendfsync %s: outputs, then log, then manifest, each durable; then the inputs go', async (appendfsync) => {
    const { calls, inputs, outputs, active } = await merged({ appendfsync })
    const commit = calls.indexOf(`rename ${MANIFEST}`)
    expect(outputs.length).toBeGreaterThan(0)
    for (const output of outputs) {
      const sync = calls.lastIndexOf(`sync ${output}`, commit)
      expect(sync).toBeGreaterThan(calls.lastIndexOf(`write ${output}`))
      expect(sync).toBeLessThan(commit)
      expect(calls.slice(sync, commit)).toContain('syncDirectory ')
    }
    // A synced old value merged away because of a newer one that only the page cache held.
    if (appendfsync !== 'always') expect(calls.slice(0, commit)).toContain(`sync ${active}`)
    expect(calls.slice(0, commit)).toContain(`sync ${MANIFEST}.new`)
    const durable = calls.indexOf('syncDirectory ', commit)
    for (const input of inputs) {
      const unlink = calls.indexOf(`unlink ${input}`)
      // Inputs deleted before outputs were renamed: total loss.
      if (unlink >= 0) expect(unlink).toBeGreaterThan(durable)
    }
    expect(calls.filter((call) => call.startsWith('unlink') && call.endsWith('.data')).length).toBeGreaterThan(0)
  })

  test('the active file is no input', async () => {
    const { calls, active } = await merged({ appendfsync: 'no' })
    expect(calls).not.toContain(`open ${active}`)
    expect(calls).not.toContain(`unlink ${active}`)
  })

  test('outputs are made where they stay: no rename of data, no other directory', async () => {
    const { calls } = await merged({ appendfsync: 'no' })
    expect(calls.filter((call) => call.startsWith('rename') && call.endsWith('.data'))).toEqual([])
    expect(calls.filter((call) => call.includes('/'))).toEqual([])
  })
})

test('no directory sync: no segment, manifest or hint counts before its bytes and its name are durable', async () => {
  const { store, storage } = await watched({ segmentSizeBytes: 500 })
  for (let i = 0; i < 30; i++) {
    store.put(`k${i}`, 'x'.repeat(80))
    await store.tick()
    await store.quiet()
  }
  await store.close()
  const { calls } = storage
  const renames = calls.flatMap((call, i) => (call.startsWith('rename ') ? [{ name: call.slice(7), i }] : []))
  expect(renames.length).toBeGreaterThan(20)
  for (const { name, i } of renames) {
    expect(calls.lastIndexOf(`sync ${name}.new`, i), name).toBeGreaterThan(calls.lastIndexOf(`write ${name}.new`, i))
    expect(calls.indexOf('syncDirectory ', i), name).toBeGreaterThan(i)
  }
  const segments = new Set(calls.filter((call) => /^write .*data$/.test(call)).map((call) => call.slice(6)))
  expect(segments.size).toBeGreaterThan(5)
  for (const name of segments) {
    let at = -1
    const steps = [
      `open ${name}`,
      `write ${name}`,
      `sync ${name}`,
      'syncDirectory ',
      `rename ${MANIFEST}`,
      'syncDirectory ',
    ]
    for (const step of steps) {
      const next = calls.indexOf(step, at + 1)
      expect(next, `${name}: ${step}`).toBeGreaterThan(at)
      at = next
    }
    // Its header was its only write so far: records come when it is listed.
    expect(calls.slice(0, at).filter((call) => call === `write ${name}`).length, name).toBe(1)
  }
})

test('bytes written twice: every data file is only ever appended to, through failures, merges and restarts', async () => {
  const directory = freshDirectory()
  const ends = new Map<string, number>()
  let store: TestStore | null = null
  for (let life = 0; life < 4; life++) {
    const storage = new FaultyStorage(directory)
    store = await TestStore.open(directory, { storage, segmentSizeBytes: 600, synchronousIo: life % 2 === 0 })
    for (let i = 0; i < 40; i++) {
      store.put(`k${i % 9}`, `life ${life} ${i}`.padEnd(50))
      if (i === 20) {
        storage.failNext('write', '.data', life % 2 === 0 ? 'short' : 'ENOSPC')
        store.engine.flush()
        const { engine } = store
        await store.until(() => engine.gate !== 0 && (engine.gate & 2) === 0)
        store.clock.advance(1100)
      }
      await store.tick()
      if (i === 30) await store.merge()
      await store.quiet()
    }
    await store.close()
    for (const { name, position, length } of storage.writes) {
      if (!name.endsWith('.data')) continue
      const end = ends.get(name) ?? 0
      if (position < end) expect.fail(`${name} was written at ${position} after ${end}`)
      ends.set(name, position + length)
    }
    // Names are never used again either: a later life must not know this one's.
    for (const name of ends.keys()) if (!fs.existsSync(`${directory}/${name}`)) ends.set(name, Number.MAX_SAFE_INTEGER)
  }
  expect(ends.size).toBeGreaterThan(20)
})

test('a raw descriptor used after close writes into another file: a closed file refuses', async () => {
  const directory = freshDirectory()
  const storage = nodeStorage(directory)
  const codes: (string | undefined)[] = []
  function* work(): Task<void> {
    const file = yield* open(storage, 'a', 'create')
    yield* close(file)
    yield* open(storage, 'b', 'create') // takes over the descriptor's number
    const bytes = Buffer.from('stray')
    for (const call of [
      (done: (error: { code?: string } | null) => void): void => file.write(bytes, 0, 5, 0, done),
      (done: (error: { code?: string } | null) => void): void => file.read(bytes, 0, 5, 0, done),
      (done: (error: { code?: string } | null) => void): void => file.sync(done),
      (done: (error: { code?: string } | null) => void): void => file.size(done),
      (done: (error: { code?: string } | null) => void): void => file.close(done),
    ]) {
      yield (done): void =>
        call((error) => {
          codes.push(error?.code)
          done(null)
        })
    }
    expect(() => file.writeSync(bytes, 0, 5, 0)).toThrow()
    expect(() => file.readSync(bytes, 0, 5, 0)).toThrow()
  }
  await new Promise<void>((resolve, reject) => run(work(), (error) => (error === null ? resolve() : reject(error))))
  expect(codes).toEqual(Array(5).fill('EBADF'))
  expect(fs.readFileSync(`${directory}/b`, 'utf8')).toBe('')
})

test('a batch stays in one segment, however small segments are; one larger than a segment gets its own', async () => {
  let store = await TestStore.open(freshDirectory(), { segmentSizeBytes: 500 })
  for (let round = 0; round < 10; round++) {
    store.batch(() => {
      for (let i = 0; i < round * 3; i++) store.put(`k${i}`, `round ${round}`.padEnd(40))
    })
    await store.tick()
    await store.quiet()
  }
  const bySegment = new Map<number, number>()
  for (const { sequence, kind, value, segment } of allRecords(store.directory)) {
    if (kind !== 3) {
      if (kind !== 6) bySegment.set(sequence, segment)
      continue
    }
    const first = value.readUIntLE(0, 6)
    for (let s = first; s < first + value.readUInt32LE(6); s++) expect(bySegment.get(s)).toBe(segment)
  }
  store = await restart(store, 'killed')
  expect(store.engine.keyCount(0)).toBe(27)
  await store.close()
})

test('an open batch that a kill cuts never happened, and plain writes around it did', async () => {
  const { store, storage } = await watched({ synchronousIo: false })
  store.put('before', 'v')
  await store.tick()
  store.batch(() => {
    store.put('member', 'x'.repeat(3000))
    store.put('before', 'changed')
  })
  // Written but for its last byte: the end of the batch.
  storage.failNext('write', '.data', 'hold')
  store.engine.flush()
  const copy = copyOf(store.directory)
  storage.heal()
  storage.release()
  await store.tick()
  const whole = copyOf(store.directory)
  const { number, sizeBytes } = store.engine.log.active
  await store.close()
  fs.truncateSync(`${whole}/${dataName(number)}`, sizeBytes - 1)
  for (const directory of [copy, whole]) {
    const again = await TestStore.open(directory)
    expect(plain(await again.contents())).toEqual({ before: 'v' })
    await again.close()
  }
})

test('a delete of a key that is not there, and of one that was there twice: one tombstone a delete', async () => {
  const store = await TestStore.open(freshDirectory())
  store.remove('absent')
  store.put('k', '1')
  store.put('k', '2')
  store.remove('k')
  store.remove('k')
  await store.tick()
  expect(allRecords(store.directory).filter(({ kind }) => kind === KIND_TOMBSTONE).length).toBe(1)
  await store.close()
})

test('events: a key that changes is reported under its physical database, only while somebody watches', async () => {
  const store = await TestStore.open(freshDirectory())
  store.put('a', '1')
  store.engine.watching = true
  store.put('a', '2')
  store.put('b', '1', store.clock.now() + 50, 1)
  store.setExpiry('a', store.clock.now() + 1e6)
  store.remove('a')
  store.clock.advance(150)
  store.engine.watching = false
  store.put('c', '1')
  const [first, second] = [store.engine.physical(0), store.engine.physical(1)]
  expect(store.changes).toEqual([`${first}:a`, `${second}:b`, `${first}:a`, `${first}:a`, `${second}:b`])
  await store.close()
})

test('what an answer depends on: a hit on its record, a miss on the newest delete, a count on everything', async () => {
  const store = await TestStore.open(freshDirectory(), { appendfsync: 'always' })
  const { engine } = store
  const asked = (question: () => void): number => {
    engine.dependsOn = 0
    question()
    return engine.dependsOn
  }
  store.put('a', '1') // 1
  store.put('b', '1') // 2
  store.remove('b') // 3
  store.put('c', '1') // 4
  store.setExpiry('a', store.clock.now() + 1e6) // 5
  store.put('d', '1') // 6
  expect(asked(() => store.find('c'))).toBe(4)
  expect(asked(() => store.find('a'))).toBe(5)
  expect(asked(() => store.find('absent'))).toBe(3)
  expect(asked(() => engine.keyCount(0))).toBe(6)
  expect(asked(() => engine.scan(0, 0, 10, () => {}))).toBe(6)
  engine.swapDatabases(2, 3) // 7
  expect(asked(() => store.find('c'))).toBe(7)
  expect(asked(() => store.find('absent'))).toBe(7)
  expect([engine.appended, engine.released]).toEqual([7, 0])
  await store.tick()
  expect(engine.released).toBe(7)
  await store.close()
})
