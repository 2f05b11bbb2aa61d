// What a review with fresh eyes found in the work behind the store (merges, the queue of reads, repairs, full disks), each as the story that
// shows it and named after what broke.

import * as fs from 'node:fs'
import * as path from 'node:path'
import * as v8 from 'node:v8'
import * as vm from 'node:vm'
import { afterEach, expect, test } from 'vitest'
import { sliceOf } from '../../src/base/slice.ts'
import { GATE_FAILED } from '../../src/engine/engine.ts'
import { dataName, RESERVE } from '../../src/engine/filename.ts'
import { maxOutputs, outputSegmentBytes } from '../../src/engine/merge.ts'
import { nodeStorage } from '../../src/engine/node-storage.ts'
import { PORTIONS } from '../../src/engine/portions.ts'
import type { Storage, StorageFile } from '../../src/engine/storage.ts'
import { openStore } from '../../src/engine/store.ts'
import { type Fault, FaultyStorage } from './faulty-storage.ts'
import { cleanUp, freshDirectory, TestStore, turn } from './test-store.ts'
import { watched } from './watched.ts'

afterEach(cleanUp)

const write = async (store: TestStore, pairs: Record<string, string>): Promise<void> => {
  for (const [key, value] of Object.entries(pairs)) store.put(key, value)
  await store.tick()
}

test('the slot of a merged segment is not given back twice by a repair', async () => {
  const { store, storage } = await watched({ appendfsync: 'always' })
  await store.quiet()
  await write(store, { a: 'dead', keep: 'x' })
  await write(store, { a: 'live' }) // all synced: nothing more to sync when MERGE seals it
  const merged = store.engine.log.active.number
  await store.merge()
  await store.quiet()
  expect(store.engine.segments.get(merged)).toBeUndefined()
  const second = dataName(store.engine.log.active.number)
  let full: Fault = null
  storage.rule = (call, name) => {
    if (call === 'sync' && name === second) return 'hold'
    if (call === 'write' && name.endsWith('.data')) {
      const fault = full
      full = null
      return fault
    }
    return null
  }
  store.put('b', 'unsynced')
  store.engine.flush()
  store.engine.seal(() => {}) // another MERGE, or a full segment
  await store.until(
    () => store.engine.segments.count >= 5 || storage.calls.filter((c) => c.startsWith('open')).length > 1,
  )
  for (let i = 0; i < 50; i++) await turn()
  full = 'ENOSPC'
  store.put('c', 'refused')
  store.engine.flush()
  await store.until(() => store.failed.length === 1)
  storage.release()
  storage.rule = () => null
  await store.until(() => !store.engine.log.failed)
  await store.quiet()
  for (const { slot, number } of store.engine.segments.all()) expect(store.engine.segments.at(slot).number).toBe(number)
  await write(store, { d: 'new' })
  expect(await store.get('d')).toBe('new')
  expect(await store.get('a')).toBe('live')
  await store.close()
})

test('a value was another key’s: MERGE of two rounds on an idle store, then a full disk', async () => {
  const { store, storage } = await watched({ appendfsync: 'always', segmentSizeBytes: 1000, valueCacheBytes: 1 << 26 })
  await store.quiet()
  // ten segments of which a third is dead, 63 that are wholly dead, and an active one that is half dead
  for (let i = 0; i < 10; i++) {
    await write(store, { [`k${i}`]: 'x'.repeat(500), dead: 'y'.repeat(250) })
    await store.seal()
  }
  for (let i = 0; i < 63; i++) {
    await write(store, { dead: 'y'.repeat(700) })
    await store.seal()
  }
  await write(store, { dead: 'y'.repeat(300) })
  await write(store, { dead: 'z'.repeat(300) })
  await store.quiet()
  const { active } = store.engine.log
  await store.merge()
  await store.quiet()
  expect(store.engine.merge.status().merges).toBe(2)
  expect(active.retired).toBe(true)
  const before = await store.contents()
  // The next write, a day later: the disk is full.
  storage.failNext('write', '.data', 'ENOSPC')
  store.put('c', 'refused')
  store.engine.flush()
  await store.until(() => store.failed.length === 1)
  await store.until(() => !store.engine.log.failed)
  storage.heal()
  await store.quiet()
  // The log goes over to segments that take the slots which are free.
  for (let i = 0; i < 6; i++) {
    await store.quiet()
    await write(store, { [`more${i}`]: `${i}`.repeat(800) })
    before.set(`0:more${i}`, { value: `${i}`.repeat(800), expiry: 0 })
  }
  for (const [name, { value }] of before) expect(await store.get(name.slice(2))).toBe(value)
  for (const { slot, number } of store.engine.segments.all()) expect(store.engine.segments.at(slot).number).toBe(number)
  await store.close()
})

test('readers that never leave the queue of cold reads empty do not make it grow', async () => {
  const store = await TestStore.open(freshDirectory(), { synchronousIo: false, valueCacheBytes: 0 })
  for (let i = 0; i < 10; i++) store.put(`k${i}`, 'v'.repeat(100))
  await store.tick()
  await store.seal()
  const cold = (store.engine as unknown as { cold: { queue: unknown[] } }).cold
  const READS = 20_000
  let started = 0
  let ended = 0
  let longest = 0
  await new Promise<void>((resolve, reject) => {
    // Eight clients, each with one request under way: two reads run (coldReads), six wait.
    const client = (): void => {
      if (started === READS) return
      const entry = store.find(`k${started++ % 10}`)
      store.engine.load(entry, (error) => {
        if (error !== null) return reject(error)
        longest = Math.max(longest, cold.queue.length)
        if (++ended === READS) resolve()
        else setImmediate(client)
      })
    }
    for (let i = 0; i < 8; i++) client()
  })
  expect(longest).toBeLessThan(2000)
  await store.close()
})

v8.setFlagsFromString('--expose_gc')
const gc = vm.runInNewContext('gc') as () => void

/** Notes the memory that hints are read into. */
function noting(directory: string, read: (memory: ArrayBufferLike) => void): Storage {
  const storage = nodeStorage(directory)
  return {
    ...storage,
    open: (name, mode, done) =>
      storage.open(name, mode, (error, file) => {
        if (error === null && name.endsWith('.hint') && mode === 'read') {
          const inner = file.read.bind(file)
          ;(file as { read: StorageFile['read'] }).read = (into, ...rest) => {
            read(into.buffer)
            inner(into, ...rest)
          }
        }
        done(error, file)
      }),
  }
}

/** Something to merge, and in it a tombstone: it asks all segments outside about its key. */
async function leaveTombstone(store: TestStore): Promise<void> {
  store.put('gone', 'v')
  store.put('dead', '1'.repeat(1000))
  store.put('dead', '2')
  await store.tick()
  store.remove('gone')
  await store.tick()
}

test('a merge keeps filters of the segments outside, not their whole hints', async () => {
  const directory = freshDirectory()
  const memory: WeakRef<ArrayBufferLike>[] = []
  const store = await TestStore.open(directory, {
    storage: noting(directory, (buffer) => memory.push(new WeakRef(buffer))),
    segmentSizeBytes: 1 << 24,
  })
  const SEGMENTS = 20
  for (let i = 0; i < SEGMENTS; i++) {
    for (let k = 0; k < 1000; k++) store.put(`${i}/${k}`.padEnd(200, '.'), 'v')
    await store.tick()
    await store.seal()
    await store.quiet()
  }
  await leaveTombstone(store)
  memory.length = 0
  const { merge } = store.engine
  let held = -1
  const done = store.merge()
  // Stopped between reading the last filter and the end.
  await store.until(() => memory.length >= SEGMENTS)
  merge.pause()
  for (let i = 0; i < 5; i++) await turn()
  gc()
  await turn()
  gc()
  held = memory.filter((each) => each.deref() !== undefined).length
  merge.resume()
  await done
  expect(held).toBeLessThan(3)
  await store.close()
})

test('a stop does not wait for a merge to read the hints of all segments', async () => {
  const directory = freshDirectory()
  let reads = 0
  let onFirst = (): void => {}
  const store = await TestStore.open(directory, {
    storage: noting(directory, () => {
      if (reads++ === 0) onFirst()
    }),
  })
  const SEGMENTS = 60
  for (let i = 0; i < SEGMENTS; i++) {
    for (let k = 0; k < 50; k++) store.put(`${i}/${k}`, 'v')
    await store.tick()
    await store.seal()
  }
  await store.quiet()
  await leaveTombstone(store)
  reads = 0
  const closed = new Promise<void>((resolve) => {
    onFirst = () => void store.close().then(resolve)
  })
  await store.merge().catch(() => {})
  await closed
  expect(reads).toBeLessThan(5)
})

test('a small put beside a large one that is being written resolves, without anybody writing again', async () => {
  const store = await openStore(freshDirectory(), { appendfsync: 'no' })
  const large = store.put(Buffer.from('large'), Buffer.alloc(64 * 1024 * 1024))
  await turn() // it is being written, by the thread pool
  const small = store.put(Buffer.from('small'), Buffer.from('v')).then(() => 'resolved')
  await large
  const ended = await Promise.race([small, new Promise((resolve) => setTimeout(resolve, 3000, 'waits for ever'))])
  expect(ended).toBe('resolved')
  await store.close()
})

test.each([
  'ENOENT',
  'EIO',
])('a segment whose file cannot be opened (%s) ends one merge, and those that follow do without it', async (code) => {
  const directory = freshDirectory()
  const storage = new FaultyStorage(directory)
  const store = await TestStore.open(directory, { storage })
  const numbers: number[] = []
  for (let i = 0; i < 4; i++) {
    store.put(`k${i}`, 'v'.repeat(1000))
    store.put('dead', 'v'.repeat(1000))
    await store.tick()
    numbers.push(store.engine.log.active.number)
    await store.seal()
    await store.quiet()
  }
  const lost = dataName(numbers[1] as number)
  if (code === 'ENOENT') fs.unlinkSync(path.join(directory, lost))
  else storage.rule = (call, name) => (call === 'open' && name === lost ? 'EIO' : null)
  await expect(store.merge()).rejects.toThrow()
  expect(await store.merge()).toBeGreaterThan(0)
  await store.close()
})

test('a segment that cannot be opened now, for want of descriptors, is no damaged one', async () => {
  const { store, storage } = await watched()
  store.put('dead', 'v'.repeat(1000))
  store.put('dead', 'v'.repeat(1000))
  await store.tick()
  const input = store.engine.log.active
  await store.seal()
  await store.quiet()
  storage.rule = (call, name) => (call === 'open' && name === dataName(input.number) ? 'EMFILE' : null)
  await expect(store.merge()).rejects.toThrow('EMFILE')
  expect(input.damaged).toBe(false)
  storage.heal()
  expect(await store.merge()).toBeGreaterThan(0)
  expect(input.retired).toBe(true)
  await store.close()
})

test('a merge that has failed is tried again after ten seconds, not after an interval', async () => {
  const { store, storage } = await watched({ mergeEnabled: true, mergeIntervalMs: 180_000 })
  for (let i = 0; i < 20; i++) store.put('k', `${i}`.repeat(1000))
  await store.tick()
  const input = dataName(store.engine.log.active.number)
  await store.seal()
  await store.quiet() // its hint is made
  storage.failNext('open', input, 'EMFILE')
  const { merge } = store.engine
  for (let i = 0; i < 20 && merge.status().failures === 0; i++) {
    store.clock.advance(100)
    await store.quiet()
    for (let n = 0; n < 20; n++) await turn()
  }
  await store.until(() => merge.status().failures === 1)
  expect(merge.status().merges).toBe(0)
  store.clock.advance(10_100)
  await store.until(() => merge.status().merges === 1)
  await store.close()
})

test('a reserve that cannot be unlinked does not close the store for good', async () => {
  const directory = freshDirectory()
  const storage = new FaultyStorage(directory)
  const store = await TestStore.open(directory, { storage, reserveBytes: 10_000 })
  await store.quiet()
  let full = true
  storage.rule = (call, name) => {
    if (call === 'unlink' && name === RESERVE) return 'EIO'
    if (call === 'write' && name.endsWith('.data') && full) {
      full = false
      return 'ENOSPC'
    }
    return null
  }
  store.put('a', '1')
  store.engine.flush()
  await store.until(() => store.failed.length === 1)
  for (let i = 0; i < 5; i++) {
    await store.quiet()
    store.clock.advance(1100)
  }
  await store.quiet()
  expect(store.engine.gate & GATE_FAILED, store.engine.gateMessage).toBe(0)
  await store.abandon()
})

/** A quota that statfs knows nothing of (ext4's of users and groups): used up until the reserve goes. */
class QuotaStorage extends FaultyStorage {
  code = 'EDQUOT'
  usedUp(directory: string): void {
    const isThere = (): boolean => fs.existsSync(path.join(directory, RESERVE))
    this.rule = (call) => (call === 'write' && isThere() ? (this.code as Fault) : null)
  }
  override space(...[done]: Parameters<FaultyStorage['space']>): void {
    setImmediate(() => done(null, { free: 1e12, total: 1e13 }))
  }
}

test.each([
  'ENOSPC',
  'EDQUOT',
])('a clean stop on a disk that is full (%s) gives up the reserve for its manifest', async (code) => {
  const directory = freshDirectory()
  const storage = new QuotaStorage(directory)
  storage.code = code
  const store = await TestStore.open(directory, { storage, reserveBytes: 100_000 })
  await store.quiet()
  store.put('a', '1')
  await store.tick()
  expect(fs.existsSync(path.join(directory, RESERVE))).toBe(true)
  storage.usedUp(directory)
  await store.close()
})

test.each(['ENOSPC', 'EDQUOT'])('a start on a disk that is full (%s) gives up the reserve', async (code) => {
  const directory = freshDirectory()
  const storage = new QuotaStorage(directory)
  storage.code = code
  const before = await TestStore.open(directory, { storage, reserveBytes: 100_000 })
  await before.quiet()
  before.put('a', '1')
  await before.tick()
  await before.close()
  storage.usedUp(directory)
  const store = await TestStore.open(directory, { storage, reserveBytes: 100_000 })
  expect(await store.get('a')).toBe('1')
  await store.close()
})

test('segments larger than a segment-size that was made tiny: a merge of them makes thousands of files, not millions', async () => {
  const inputBytes = 2 ** 29
  expect(maxOutputs(inputBytes, outputSegmentBytes(inputBytes, 400))).toBeLessThan(10_000)
  expect(outputSegmentBytes(inputBytes, 2 ** 27)).toBe(2 ** 27)
})

test('a hint that cannot be made is tried again later and later', async () => {
  const { store, storage } = await watched()
  await write(store, { a: '1' })
  storage.rule = (call, name) => (call === 'open' && name.includes('.hint') ? 'EIO' : null)
  await store.seal()
  const tries = (): number => storage.calls.filter((call) => /^open .*\.hint/.test(call)).length
  await store.quiet()
  for (let second = 0; second < 300; second++) {
    store.clock.advance(1000)
    await store.quiet()
  }
  expect(tries()).toBeGreaterThan(5)
  expect(tries()).toBeLessThan(12)
  storage.heal()
  store.clock.advance(1000_000)
  await store.quiet()
  expect(fs.readdirSync(store.directory).filter((name) => name.endsWith('.hint'))).not.toEqual([])
  await store.close()
})

test('MERGE beside clients that overwrite everywhere ends', async () => {
  const store = await TestStore.open(freshDirectory(), { segmentSizeBytes: 4000 })
  const overwrite = (round: number): void => {
    for (let i = 0; i < 200; i += 7) store.put(`k${(i + round) % 200}`, `${round}`.padEnd(100))
    store.engine.flush()
  }
  // More than one merge takes.
  for (let i = 0; i < 200; i++) store.put(`k${i}`, 'v'.repeat(100))
  for (let round = 0; round < 100; round++) {
    overwrite(round)
    await store.tick()
    await store.quiet()
  }
  let answered = false
  const { merges } = store.engine.merge.status()
  const merging = store.merge().then(() => {
    answered = true
  })
  for (let round = 0; !answered; round++) {
    overwrite(round)
    await turn()
    if (store.engine.merge.status().merges > merges + 20) break
  }
  expect(answered).toBe(true)
  await merging
  await store.close()
})

test('MERGE right after FLUSHALL counts what that has left behind as dead', async () => {
  const store = await TestStore.open(freshDirectory(), { portions: { ...PORTIONS, freedEntries: 10 } })
  for (let i = 0; i < 1000; i++) store.put(`k${i}`, 'v')
  await store.tick()
  store.engine.flushAll()
  await store.tick()
  expect(store.engine.doomed.isFreeing).toBe(true)
  expect(await store.merge()).toBeGreaterThan(30_000)
  await store.close()
})

test('MERGE while merges are paused waits for RESUME, and none starts before', async () => {
  const store = await TestStore.open(freshDirectory())
  await write(store, { a: 'dead' })
  await write(store, { a: 'live' })
  const { merge } = store.engine
  merge.pause()
  expect(merge.start()).toBe(false)
  let freed = -1
  const waiting = store.merge().then((bytes) => {
    freed = bytes
  })
  for (let i = 0; i < 50; i++) await turn()
  expect([freed, merge.status().merges, merge.status().state]).toEqual([-1, 0, 'paused'])
  merge.resume()
  await waiting
  expect(freed).toBeGreaterThan(0)
  await store.close()
})

test('MERGE while merges are paused is answered when the store closes', async () => {
  const store = await TestStore.open(freshDirectory())
  await write(store, { a: 'dead' })
  store.engine.merge.pause()
  const merging = expect(store.merge()).rejects.toThrow('the store is closing')
  await store.close()
  await merging
})

test('a store where nothing was written has nothing to merge', async () => {
  const store = await TestStore.open(freshDirectory())
  expect(store.engine.merge.estimate()).toEqual({ bytesFreed: 0, segments: 0 })
  expect(store.engine.merge.start()).toBe(false)
  await store.close()
})

test('merge-rate and scrub-rate hold at once, also for what runs', async () => {
  const store = await TestStore.open(freshDirectory(), { mergeRateBytesPerSecond: 1, scrubRateBytesPerSecond: 1 })
  await write(store, { a: 'dead' })
  await write(store, { a: 'live' })
  const merging = store.merge()
  await store.until(() => store.engine.merge.status().bytesRead > 0)
  for (let i = 0; i < 50; i++) await turn()
  expect(store.engine.merge.status().merges).toBe(0)
  store.engine.configure({ mergeRateBytesPerSecond: 0 })
  await merging
  let scrubbed = false
  store.engine.scrub.wait(() => {
    scrubbed = true
  })
  for (let i = 0; i < 50; i++) await turn()
  expect(scrubbed).toBe(false)
  store.engine.configure({ scrubRateBytesPerSecond: 0 })
  await store.until(() => scrubbed)
  await store.close()
})

test('a stop waits for the reserve that is being built: nothing touches the directory after it', async () => {
  const directory = freshDirectory()
  const storage = new FaultyStorage(directory)
  storage.rule = (call, name) => (call === 'write' && name.startsWith('reserve.new') ? 'hold' : null)
  const store = await TestStore.open(directory, { storage, reserveBytes: 4 << 20 })
  await store.until(() => storage.holding > 0)
  let calls = -1
  const closing = store.close().then(() => {
    calls = storage.calls.length
  })
  for (let i = 0; i < 100; i++) await turn()
  expect(calls).toBe(-1)
  storage.heal()
  storage.release()
  await closing
  for (let i = 0; i < 300; i++) await turn()
  expect(storage.calls.slice(calls)).toEqual([])
})

test('a read that nobody waits for any more is not made, and holds no segment', async () => {
  const directory = freshDirectory()
  const storage = new FaultyStorage(directory)
  const store = await TestStore.open(directory, { storage, valueCacheBytes: 0 })
  for (let i = 0; i < 20; i++) store.put(`k${i}`, 'v'.repeat(2000))
  await store.tick()
  await store.seal()
  await store.quiet()
  storage.rule = (call, name) => (call === 'read' && name.endsWith('.data') ? 'hold' : null)
  const { engine } = store
  const answered: number[] = []
  const reads = Array.from({ length: 20 }, (_, i) => {
    const entry = engine.find(0, sliceOf(`k${i}`))
    return engine.load(entry, () => answered.push(i))
  })
  await store.until(() => storage.holding > 0)
  for (const read of reads.slice(5)) read.cancel()
  storage.heal()
  storage.release()
  await store.until(() => answered.length >= 5)
  await store.quiet()
  for (let i = 0; i < 50; i++) await turn()
  const begun = answered.filter((i) => i >= 5) // were being read already
  expect(
    answered
      .slice()
      .sort((a, b) => a - b)
      .slice(0, 5),
  ).toEqual([0, 1, 2, 3, 4])
  expect(begun.length).toBeLessThan(15)
  expect([...engine.segments.all()].every(({ pins }) => pins === 0)).toBe(true)
  await store.close()
})
