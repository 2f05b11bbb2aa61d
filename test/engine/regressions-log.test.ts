// What a review with fresh eyes found in the running store, each as the story that shows it and named after what broke.

import * as fs from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { MAX_UNRELEASED_BYTES } from '../../src/base/limits.ts'
import { Slice, sliceOf } from '../../src/base/slice.ts'
import { type Background, inlineBackground } from '../../src/engine/background.ts'
import { GATE_FAILED, GATE_FULL, GATE_STALLED, NONE, UNLUCKY } from '../../src/engine/engine.ts'
import { dataName, IMAGE, MANIFEST } from '../../src/engine/filename.ts'
import type { MergeJob } from '../../src/engine/merge.ts'
import { chooseInputs, type SegmentFacts } from '../../src/engine/merge-policy.ts'
import { nodeStorage } from '../../src/engine/node-storage.ts'
import { PORTIONS } from '../../src/engine/portions.ts'
import { run, type Task } from '../../src/engine/task.ts'
import { namesIn } from './damage.ts'
import { type Fault, FaultyStorage } from './faulty-storage.ts'
import { allRecords, manifestOf } from './files.ts'
import { ManualClock } from './manual-clock.ts'
import { cleanUp, copyOf, freshDirectory, settings, TestStore, turn } from './test-store.ts'
import { watched } from './watched.ts'

afterEach(() => {
  vi.restoreAllMocks()
  cleanUp()
})

const isSync = (call: string, name: string): boolean => call === 'sync' && name.endsWith('.data')
const isWrite = (call: string, name: string): boolean => call === 'write' && name.endsWith('.data')

/** Enough turns for whatever is wrongly under way to show. */
async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await turn()
}

function asked(store: TestStore, question: () => void): number {
  store.engine.dependsOn = 0
  question()
  return store.engine.dependsOn
}

describe('a sync is in flight while the disk is full', () => {
  /** a is acknowledged and being synced; the write of b fails and is to be repaired. */
  async function repairWaits(): Promise<{ store: TestStore; storage: FaultyStorage; file: string }> {
    const { store, storage } = await watched()
    await store.quiet()
    store.put('a', 'acknowledged')
    await store.tick()
    const file = dataName(store.engine.log.active.number)
    let full: Fault = 'ENOSPC'
    storage.rule = (call, name) => {
      if (isSync(call, name)) return 'hold'
      if (!isWrite(call, name)) return null
      const fault = full
      full = null
      return fault
    }
    store.engine.log.sync()
    storage.calls.length = 0
    store.put('b', 'refused')
    store.engine.flush()
    await store.until(() => store.failed.length === 1)
    await turns()
    return { store, storage, file }
  }

  test('no second sync of its file is begun beside it', async () => {
    const { store, storage, file } = await repairWaits()
    expect(storage.holding).toBe(1)
    expect(storage.calls).not.toContain(`sync ${file}`)
    storage.heal()
    storage.release()
    await store.until(() => store.engine.gate === GATE_FULL)
    store.clock.advance(1100)
    await store.until(() => store.engine.gate === 0)
    expect(await store.get('a')).toBe('acknowledged')
    await store.close()
  })

  test('when it fails, that is final: nothing is synced over it, and writes do not resume', async () => {
    const { store, storage } = await repairWaits()
    storage.heal()
    storage.release('EIO')
    storage.calls.length = 0
    await store.quiet()
    store.clock.advance(10_000)
    await store.quiet()
    expect(store.engine.gate & GATE_FAILED).toBe(GATE_FAILED)
    expect(store.engine.gateMessage).toContain('until restart')
    expect(storage.calls.filter((call) => call.startsWith('sync'))).toEqual([])
    expect(await store.get('a')).toBe('acknowledged')
    await store.abandon()
  })
})

test('a manifest that fails for good while a repair waits its turn is not repaired away', async () => {
  const { store, storage } = await watched()
  await store.quiet()
  store.put('a', '1')
  await store.tick()
  storage.rule = (call, name) => (call === 'rename' && name === MANIFEST ? 'hold' : null)
  store.engine.seal(() => {})
  await store.until(() => storage.holding === 1)
  storage.failNext('write', '.data', 'ENOSPC')
  store.put('b', '2')
  store.engine.flush()
  await store.until(() => store.failed.length === 1)
  storage.heal()
  storage.release('EIO')
  await store.quiet()
  store.clock.advance(10_000)
  await store.quiet()
  expect(store.engine.gate & GATE_FAILED).toBe(GATE_FAILED)
  expect(store.engine.log.failed).toBe(true)
  await store.abandon()
})

test.each([
  'before',
  'after',
])('appendfsync always, set just %s a write fails, is in force when writes resume', async (when) => {
  const { store, storage } = await watched()
  await store.quiet()
  let full: Fault = 'ENOSPC'
  storage.rule = (call, name) => {
    if (!isWrite(call, name)) return null
    const fault = full
    full = null
    return fault
  }
  store.put('a', 'refused')
  if (when === 'before') store.engine.configure({ appendfsync: 'always' })
  store.engine.flush()
  await store.until(() => store.failed.length === 1)
  if (when === 'after') store.engine.configure({ appendfsync: 'always' })
  await store.until(() => store.engine.gate === GATE_FULL)
  store.clock.advance(1100)
  await store.until(() => store.engine.gate === 0)
  await store.quiet()
  const { released } = store.engine
  storage.rule = (call, name) => (isSync(call, name) ? 'hold' : null)
  store.put('b', 'acknowledged when it is synced')
  store.engine.flush()
  await store.until(() => storage.holding === 1)
  expect(store.engine.released).toBe(released)
  storage.heal()
  storage.release()
  await store.tick()
  expect([store.engine.log.mode, store.engine.log.synced]).toEqual(['always', store.engine.appended])
  await store.close()
})

test.each([
  ['FLUSHDB', (store: TestStore): void => store.engine.flushDatabase(0)],
  ['FLUSHALL', (store: TestStore): void => store.engine.flushAll()],
] as const)('%s of what somebody else has just emptied waits for that delete', async (_, flush) => {
  const { store, storage } = await watched({ appendfsync: 'always' })
  store.put('k', 'v')
  await store.tick()
  storage.rule = (call, name) => (isSync(call, name) ? 'hold' : null)
  store.remove('k')
  const removal = store.engine.appended
  store.engine.flush()
  const dependsOn = asked(store, () => flush(store))
  expect(dependsOn).toBe(removal)
  expect(store.engine.released).toBeLessThan(dependsOn)
  storage.heal()
  storage.release()
  await store.tick()
  await store.close()
})

test('SAVE with nothing in the active segment waits for the sync of the one before', async () => {
  const { store, storage } = await watched()
  await store.quiet()
  store.put('k', 'v')
  await store.tick()
  storage.rule = (call, name) => (isSync(call, name) ? 'hold' : null)
  const saved: string[] = []
  const save = (name: string): Promise<void> => store.seal().then(() => void saved.push(name))
  const first = save('first')
  await store.until(() => storage.holding > 0)
  const second = save('second')
  await turns()
  expect(saved).toEqual([])
  storage.heal()
  storage.release()
  await Promise.all([first, second])
  expect(store.engine.log.synced).toBe(store.engine.appended)
  await store.close()
})

describe('writes are parked', () => {
  test('and let go again when the write that was too much has ended, not a second later', async () => {
    const { store } = await watched({ segmentSizeBytes: 1 << 30, valueCacheBytes: 0 })
    await store.quiet()
    const value = Buffer.alloc(MAX_UNRELEASED_BYTES + 1)
    store.engine.put(0, sliceOf('large'), new Slice(value), 0)
    store.engine.flush()
    expect(store.engine.gate).toBe(GATE_STALLED)
    await store.until(() => store.engine.released === store.engine.appended)
    // No time has passed, and nobody has called flush.
    expect(store.engine.gate).toBe(0)
    await store.close()
  })

  test.each([
    ['values below the size that is looked at alone', 500_000],
    ['smaller values', 30_000],
  ])('within one turn, before flush could ask: %s', async (_, bytes) => {
    const { store } = await watched({ segmentSizeBytes: 1 << 30, valueCacheBytes: 0 })
    const value = new Slice(Buffer.alloc(bytes))
    let written = 0
    for (; store.engine.gate === 0 && written < 2 * MAX_UNRELEASED_BYTES; written += bytes) {
      store.engine.put(0, sliceOf(`k${written}`), value, 0)
    }
    expect(store.engine.gate).toBe(GATE_STALLED)
    expect(written).toBeGreaterThan(0.9 * MAX_UNRELEASED_BYTES)
    expect(written).toBeLessThan(MAX_UNRELEASED_BYTES + 3_000_000)
    await store.tick()
    expect(store.engine.gate).toBe(0)
    await store.close()
  })
})

describe('one unreadable sector', () => {
  /** Several sealed segments, whose first cannot be read; everything in all of them is dead but a few keys. */
  async function unreadable(): Promise<{ store: TestStore; bad: number }> {
    const { store, storage } = await watched()
    const bad = store.engine.log.active.number
    storage.rule = (call, name) => (call === 'read' && name === dataName(bad) ? 'EIO' : null)
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 30; i++) store.put(`k${i}`, `round ${round}`.padEnd(100))
      store.put(`live ${round}`, 'v')
      await store.tick()
      await store.seal()
      await store.quiet()
    }
    return { store, bad }
  }

  test('costs that segment its hint, and no other', async () => {
    const { store, bad } = await unreadable()
    for (const { number, sealed, hinted, damaged } of store.engine.segments.all()) {
      if (sealed)
        expect({ number, hinted, damaged }).toEqual({ number, hinted: number !== bad, damaged: number === bad })
    }
    await store.close()
  })

  test('ends one merge, and those that follow do without that segment', async () => {
    const { store, bad } = await unreadable()
    const segment = store.engine.segments.get(bad)!
    segment.damaged = false // as it is when the sector dies after the hint was made
    await expect(store.merge()).rejects.toThrow(`segment ${bad} is damaged`)
    expect(segment.damaged).toBe(true)
    expect(await store.merge()).toBeGreaterThan(0)
    expect(store.engine.merge.status().failures).toBe(1)
    for (let round = 1; round < 4; round++) expect(await store.get(`live ${round}`)).toBe('v')
    await store.close()
  })
})

test('a manifest that cannot be written for long costs one spare segment, not one a second', async () => {
  const { store, storage } = await watched({ segmentSizeBytes: 1000 })
  await store.quiet()
  storage.rule = (call, name) => (call === 'open' && name.startsWith(MANIFEST) ? 'ENOSPC' : null)
  for (let i = 0; i < 10; i++) {
    store.put(`k${i}`, 'x'.repeat(300))
    await store.tick()
  }
  await store.quiet()
  const { count } = store.engine.segments
  const tries = storage.calls.filter((call) => call.includes(MANIFEST)).length
  for (let second = 0; second < 10; second++) {
    store.clock.advance(1000)
    await store.quiet()
  }
  expect(storage.calls.filter((call) => call.includes(MANIFEST)).length).toBeGreaterThan(tries + 3)
  expect(store.engine.segments.count).toBe(count)
  const data = namesIn(store.directory).filter((name) => name.endsWith('.data'))
  expect(data.length).toBe(count)
  storage.heal()
  store.clock.advance(2000)
  await store.quiet()
  expect(store.engine.log.next).not.toBe(null)
  await store.close()
})

/** Runs hints inline and hands every merge to the test. */
function backgroundOf(
  directory: string,
  clock: ManualClock,
  merge: Background['merge'],
  hint?: Background['hint'],
): Background {
  const inline = inlineBackground(nodeStorage(directory), clock)
  return { ...inline, hint: hint ?? inline.hint, merge }
}

const noRun = { pause(): void {}, resume(): void {}, limit(): void {}, cancel(): void {} }

test('a merge whose thread died leaves no outputs behind', async () => {
  const directory = freshDirectory()
  const clock = new ManualClock()
  let job: MergeJob | null = null
  const background = backgroundOf(directory, clock, (asked, _handlers, done) => {
    job = asked
    for (const number of [asked.firstNumber, asked.firstNumber + 1]) {
      fs.writeFileSync(`${directory}/${dataName(number)}`, 'half an output')
    }
    setImmediate(() => done(new Error('the background thread has ended'), undefined))
    return noRun
  })
  const store = await TestStore.open(directory, { clock, background })
  for (let i = 0; i < 20; i++) store.put('k', `v${i}`)
  await store.tick()
  const before = new Set([...store.engine.segments.all()].map(({ number }) => dataName(number)))
  await expect(store.merge()).rejects.toThrow('ended')
  const { firstNumber } = job as unknown as MergeJob
  const outputs = [firstNumber, firstNumber + 1].map((number) => `${directory}/${dataName(number)}`)
  await store.until(() => outputs.every((file) => !fs.existsSync(file)))
  await store.quiet()
  const listed = manifestOf(directory).segments.map(({ number }) => dataName(number))
  expect(namesIn(directory).filter((name) => name.endsWith('.data'))).toEqual(listed)
  for (const name of before) expect(listed).toContain(name)
  await store.close()
})

test('appendfsync always, writes without pause: a flushed database is freed all the same', async () => {
  const { store } = await watched({ appendfsync: 'always' })
  for (let i = 0; i < 500; i++) store.put(`k${i}`, 'v')
  await store.tick()
  store.engine.flushAll()
  const { keydir } = store.engine
  let round = 0
  for (; round < 3000 && keydir.total > 5; round++) {
    // There is always something that may still be undone, whenever anybody looks.
    store.put(`w${round % 5}`, 'v')
    store.engine.flush()
    store.put(`w${(round + 1) % 5}`, 'v')
    store.clock.advance(5)
    await turn()
  }
  expect(keydir.total).toBeLessThanOrEqual(5)
  await store.tick()
  await store.close()
})

describe('long steps on the event loop', () => {
  test('RANDOMKEY in a small database beside a large one gives up after some tries, and never says that it is empty', async () => {
    const { store } = await watched()
    for (let i = 0; i < 20_000; i++) store.put(`k${i}`, 'v')
    store.put('one', 'v', 0, 1)
    const { engine } = store
    const one = store.find('one', 1)
    const looks = vi.spyOn(engine.keydir, 'isLinked')
    for (let i = 0; i < 50; i++) expect([one, UNLUCKY]).toContain(engine.randomEntry(1))
    expect(looks.mock.calls.length).toBeLessThanOrEqual(50 * 128)
    expect(engine.randomEntry(2)).toBe(NONE)
    await store.tick()
    await store.close()
  })

  test('what to merge is decided in time that grows with the segments, not with their square', () => {
    let looks = 0
    const all = Array.from({ length: 2000 }, (_, i): SegmentFacts => {
      const lowSequence = 1000 * (2001 - i)
      return {
        number: i + 1,
        bytes: 10_000,
        liveBytes: 5000,
        deadBytes: 4000,
        tombstoneBytes: 1000,
        tombstones: 10,
        sealed: true,
        hinted: true,
        damaged: false,
        deadBeforeIt: null,
        highSequence: lowSequence + 999,
        get lowSequence() {
          looks++
          return lowSequence
        },
      }
    })
    chooseInputs(all, settings, 'asked')
    expect(looks).toBeLessThan(20 * all.length)
  })
})

test('MERGE still sealing when the store is closed begins no merge afterwards', async () => {
  const directory = freshDirectory()
  const clock = new ManualClock()
  const hints: (() => void)[] = []
  let merges = 0
  const background = backgroundOf(
    directory,
    clock,
    (_job, _handlers, done) => {
      merges++
      setImmediate(() => done(new Error('the store is closing'), undefined))
      return noRun
    },
    (_subject, done) => hints.push(() => done(new Error('the store is closing'), undefined)),
  )
  // As the thread's: what it has not done fails when it is ended.
  const endHints = (): void => {
    for (const fail of hints.splice(0)) fail()
  }
  background.close = (done): void => {
    endHints()
    done()
  }
  const store = await TestStore.open(directory, { clock, background })
  for (let i = 0; i < 50; i++) store.put('k', `v${i}`)
  await store.tick()
  const merging = store.merge().catch((error: Error) => error.message)
  await store.until(() => hints.length > 0)
  let closed = false
  const closing = store.close().then(() => {
    closed = true
  })
  // The thread dies before the seal could have its hint.
  await store.until(() => {
    endHints()
    return closed
  })
  await closing
  await merging
  expect(merges).toBe(0)
})

test('two commands that wait for one large value see it again after the write between them was undone', async () => {
  const { store, storage } = await watched({ valueCacheBytes: 0 })
  const { engine } = store
  await store.quiet()
  const key = sliceOf('large')
  store.put('large', 'old'.repeat(30_000))
  await store.tick()
  store.put('large', 'new'.repeat(30_000))
  // The first command has the new value in hand, which then never was.
  const first = engine.bring(0, key, () => {})
  storage.failNext('write', '.data', 'ENOSPC')
  engine.flush()
  await store.until(() => store.failed.length === 1)
  let brought = false
  const second = engine.bring(0, key, () => {
    brought = true
  })
  await store.until(() => brought)
  expect(engine.inMemory(0, key, false)).toBe(true)
  const value = new Slice()
  expect(engine.valueOf(store.find('large'), value)).toBe(true)
  expect(value.key()).toBe('old'.repeat(30_000))
  engine.drop(first)
  engine.drop(second)
  await store.until(() => engine.gate === GATE_FULL)
  await store.close()
})

test('no descriptor is closed under a call of the log, also after a failure', async () => {
  const { store, storage } = await watched({ appendfsync: 'always' })
  await store.quiet()
  store.put('a', '1')
  await store.tick()
  const file = dataName(store.engine.log.active.number)
  storage.rule = (call, name) => (isSync(call, name) ? 'hold' : isWrite(call, name) ? 'EIO' : null)
  store.engine.log.sync()
  store.put('b', '2')
  storage.rule = (call, name) => (isSync(call, name) ? 'hold' : null)
  store.engine.flush()
  await store.until(() => storage.holding === 1)
  storage.rule = (call, name) => (isWrite(call, name) ? 'EIO' : null)
  store.put('c', '3')
  store.engine.flush()
  await store.until(() => store.failed.length === 1)
  const closing = store.close().catch(() => 'failed')
  await turns()
  expect(storage.closes).not.toContain(file)
  storage.heal()
  storage.release()
  expect(await closing).toBe('failed')
  expect(storage.closes).toContain(file)
  const again = await TestStore.open(copyOf(store.directory))
  expect(await again.get('a')).toBe('1')
  await again.close()
})

test('BGSAVE and MERGE inside of EXEC seal when it has ended, all of it', async () => {
  const { store } = await watched()
  await store.quiet()
  for (let i = 0; i < 20; i++) store.put('k', `v${i}`)
  await store.tick()
  const { number } = store.engine.log.active
  const said: string[] = []
  store.batch(() => {
    store.put('k', 'first')
    store.engine.seal((error) => said.push(error?.message ?? 'saved'))
    expect(store.engine.merge.start()).toBe(true)
    store.put('l', 'last')
  })
  await store.tick()
  await store.until(() => said.length > 0 && store.engine.merge.status().state !== 'running')
  expect(said).toEqual(['saved'])
  expect(store.engine.merge.status().merges).toBe(1)
  const inside = allRecords(store.directory).filter(({ key }) => key === 'l')
  expect(inside.every(({ segment }) => segment !== store.engine.log.active.number)).toBe(true)
  expect(store.engine.log.active.number).toBeGreaterThan(number)
  // A merge that never ends would keep the store from closing.
  await store.close()
})

describe('syncs of the directory beside the commit of a manifest', () => {
  test('a hint is made without one: its error would be told to the hint, and the manifest beside it would go on as if its name were durable', async () => {
    const { store, storage } = await watched()
    store.put('a', 'value')
    await store.tick()
    await store.seal()
    await store.quiet()
    const before = storage.calls.length
    const hints = storage.calls.filter((call) => call.startsWith('rename') && call.endsWith('.hint')).length
    expect(hints).toBeGreaterThan(0)
    // Every sync of the directory follows the creation of a segment or the rename of a manifest, none that of a hint.
    const names = storage.calls.slice(0, before).filter((call) => /^(rename|create|open|syncDirectory)/.test(call))
    for (const [i, call] of names.entries()) {
      if (call.startsWith('syncDirectory')) expect(names[i - 1]).not.toMatch(/^rename.*\.hint$/)
    }
    await store.close()
  })
})

test('a batch of several pieces, a sync between two of them, a manifest committed then: a crash leaves all of it or nothing', async () => {
  const { store, storage } = await watched({ synchronousIo: false, portions: { ...PORTIONS, blockBytes: 200 } })
  await store.quiet()
  store.put('before', 'v')
  await store.tick()
  let pieces = 0
  storage.rule = (call, name) => (isWrite(call, name) && pieces++ === 1 ? 'hold' : null)
  store.batch(() => {
    for (const key of ['a', 'b', 'c']) store.put(key, 'v'.repeat(150))
  })
  store.engine.flush()
  await store.until(() => storage.holding === 1)
  store.engine.log.sync()
  await turns()
  const catalog = (store.engine.upkeep as unknown as { catalog: { commit(): Task<void> } }).catalog
  await new Promise<void>((resolve) => run(catalog.commit(), () => resolve()))
  const copy = copyOf(store.directory)
  storage.release()
  await store.quiet()
  expect((await store.contents()).size).toBe(4)
  await store.close()
  const again = await TestStore.open(copy)
  expect([...(await again.contents()).keys()]).toEqual(['0:before'])
  await again.close()
})

test('a key that is set and deleted thousands of times before a release is one key', async () => {
  let { store } = await watched({ appendfsync: 'always' })
  for (let i = 0; i < 5000; i++) {
    store.put('k', `${i}`)
    store.remove('k')
    store.put(`other ${i % 100}`, 'v')
  }
  store.put('k', 'last')
  await store.tick()
  await store.quiet()
  expect(await store.get('k')).toBe('last')
  expect(store.engine.keydir.total).toBe(101)
  store = await store.killed()
  expect(await store.get('k')).toBe('last')
  await store.close()
})

test('a file vanished from the directory after the stop: a stop ends when nothing is being unlinked any more', async () => {
  const directory = freshDirectory()
  const storage = new FaultyStorage(directory)
  const store = await TestStore.open(directory, { storage })
  store.put('k', 'v')
  await store.tick()
  await store.until(() => store.engine.log.next !== null)
  storage.rule = (call, name) => (call === 'unlink' && name.endsWith('.data') ? 'hold' : null)
  let closed = false
  const closing = store.close().then(() => {
    closed = true
  })
  await store.until(() => storage.holding > 0) // the segment that was ready for the log, and was not needed
  await store.until(() => storage.calls.includes(`rename ${IMAGE}`)) // the last that a stop writes
  for (let i = 0; i < 10; i++) await turns()
  expect(closed).toBe(false)
  storage.heal()
  storage.release()
  await closing
  expect(fs.readdirSync(directory).filter((name) => name.endsWith('.data')).length).toBe(1)
})

test('a client that writes nothing but batches gets new segments, and what it overwrites is merged', async () => {
  let store = await TestStore.open(freshDirectory(), { segmentSizeBytes: 4096 })
  for (let i = 0; i < 100; i++) {
    store.batch(() => {
      store.put('a', `${i}`.repeat(100))
      store.put('b', `${i}`.repeat(100))
    })
    await store.tick()
    await store.quiet()
  }
  expect(store.engine.segments.count).toBeGreaterThan(5)
  expect(store.engine.log.active.sizeBytes).toBeLessThan(2 * 4096)
  expect(await store.merge()).toBeGreaterThan(10_000)
  expect(await store.get('a')).toBe('99'.repeat(100))
  store = await store.killed()
  expect([...(await store.contents()).values()].map(({ value }) => value)).toEqual(Array(2).fill('99'.repeat(100)))
  await store.close()
})

test('appendfsync everysec after no: what waited for no sync waits no second more', async () => {
  const { store, storage } = await watched({ appendfsync: 'no' })
  await store.quiet()
  store.put('k', 'v')
  await store.tick()
  expect(store.engine.log.unsyncedBytes).toBeGreaterThan(0)
  storage.calls.length = 0
  store.engine.configure({ appendfsync: 'everysec' })
  await store.until(() => store.engine.log.unsyncedBytes === 0)
  expect(storage.calls).toContain(`sync ${dataName(store.engine.log.active.number)}`)
  await store.close()
})

test('a stop after segments that could not be followed by another: all are sealed, and the next start takes the image', async () => {
  const { store, storage } = await watched({ segmentSizeBytes: 2000 })
  await store.quiet()
  // No descriptor for another segment: the log goes over to the one it has, and the one behind it is not sealed.
  storage.rule = (call, name) => (call === 'open' && name.endsWith('.data') ? 'EMFILE' : null)
  for (let i = 0; i < 30; i++) {
    store.put(`k${i}`, 'v'.repeat(100))
    await store.tick()
  }
  await store.until(() => store.engine.log.next === null && store.engine.segments.count > 1)
  await store.close()
  const { segments } = manifestOf(store.directory)
  expect(segments.map(({ sealed }) => sealed)).toEqual(segments.map(() => true))
  const again = await TestStore.open(store.directory)
  expect((await again.contents()).size).toBe(30)
  await again.close()
})
