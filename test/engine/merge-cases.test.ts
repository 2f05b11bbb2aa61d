// What a merge may meet, case by case: each branch of merge.ts and merger.ts that the stories elsewhere pass by.

import { afterEach, describe, expect, test } from 'vitest'
import { sliceOf } from '../../src/base/slice.ts'
import { GATE_FULL, NONE } from '../../src/engine/engine.ts'
import { dataName } from '../../src/engine/filename.ts'
import { PORTIONS, type Portions } from '../../src/engine/portions.ts'
import { KIND_SYSTEM, KIND_TOMBSTONE, KIND_TOUCH } from '../../src/engine/record.ts'
import { Verdicts } from '../../src/engine/verdicts.ts'
import { expectAccounts } from './accounts.ts'
import { hurt, namesIn } from './damage.ts'
import { FaultyStorage } from './faulty-storage.ts'
import { allRecords, manifestOf } from './files.ts'
import { ManualClock } from './manual-clock.ts'
import { restart, STARTS } from './starts.ts'
import { type Contents, cleanUp, copyOf, freshDirectory, removeFiles, TestStore, turn } from './test-store.ts'
import { watched } from './watched.ts'

afterEach(cleanUp)

/** So small that every record is a portion of its own. */
const CRUMBS: Portions = {
  blockBytes: 200,
  mergeRecords: 2,
  mergeBytes: 150,
  outputBytes: 150,
  syncBytes: 200,
  surveyedEntries: 1,
  movedEntries: 1,
  freedEntries: 1,
  hintsWaitBytes: Number.POSITIVE_INFINITY,
  hintsElsewhereBytes: 0,
}
/** Own merges come when the clock has moved by so much, and take whatever has something dead. */
const SOON = 60
const eager = { mergeEnabled: true, mergeTriggerFragmentation: 1, mergeThresholdFragmentation: 1 } as const

const plain = (contents: Contents): Record<string, string> =>
  Object.fromEntries([...contents].map(([name, { value }]) => [name.slice(2), value]))

const newest = (store: TestStore): number => Math.max(...[...store.engine.segments.all()].map(({ number }) => number))

/** Half of what was written is dead, in one sealed segment. */
async function halfDead(store: TestStore, keys = 20): Promise<void> {
  for (let i = 0; i < keys; i++) store.put(`k${i}`, `old ${i}`)
  for (let i = 0; i < keys; i++) store.put(`k${i}`, `value ${i}`)
  await store.seal()
  await store.quiet()
}

/** Holds back the syncs of a merge's outputs, and waits until one is held. */
async function holdOutputs(store: TestStore, storage: FaultyStorage, begin: () => void): Promise<void> {
  const last = newest(store)
  storage.rule = (call, name) => (call === 'sync' && Number.parseInt(name, 10) > last ? 'hold' : null)
  begin()
  await store.until(() => storage.holding > 0)
}

describe('portions', () => {
  test.each([
    ['of one record each', CRUMBS],
    ['smaller than one value', { ...PORTIONS, mergeBytes: 1000, outputBytes: 500, syncBytes: 3000 }],
  ])('%s: a merge copies the same', async (_, portions) => {
    let store = await TestStore.open(freshDirectory(), { portions, segmentSizeBytes: 20_000 })
    const expected: Record<string, string> = {}
    for (let i = 0; i < 12; i++) {
      store.put(`k${i}`, 'garbage')
      expected[`k${i}`] = `${i}`.repeat(i % 3 === 0 ? 4000 : 30)
    }
    for (const [key, value] of Object.entries(expected)) store.put(key, value)
    store.setExpiry('k1', store.clock.now() + 1e6)
    await store.tick()
    expect(await store.merge()).toBeGreaterThan(0)
    expect(plain(await store.contents())).toEqual(expected)
    await store.quiet()
    expectAccounts(store)
    store = await restart(store, 'data')
    expect(plain(await store.contents())).toEqual(expected)
    expect(store.engine.expiringCount(0)).toBe(1)
    await store.close()
  })

  test('a rate makes a merge wait for its time', async () => {
    const store = await TestStore.open(freshDirectory(), { mergeRateBytesPerSecond: 1000, portions: CRUMBS })
    await halfDead(store)
    let freed = 0
    const merging = store.merge().then((bytes) => {
      freed = bytes
    })
    await store.until(() => store.engine.merge.status().bytesRead > 0)
    for (let i = 0; i < 200; i++) await turn()
    expect(store.engine.merge.status().state).toBe('running')
    const began = store.clock.monotonic()
    await store.until(() => {
      store.clock.advance(10)
      return freed > 0
    })
    await merging
    const { bytesRead, bytesWritten } = store.engine.merge.status()
    // The last batch is not waited for; it is a record or two.
    expect(store.clock.monotonic() - began).toBeGreaterThan(bytesRead + bytesWritten - 500)
    await store.close()
  })
})

describe('what is said to whom asks', () => {
  test('MERGE says whether there is anything to do; one that runs is not begun again', async () => {
    const { store, storage } = await watched()
    const { merge } = store.engine
    expect(merge.start()).toBe(false)
    await halfDead(store)
    expect(merge.estimate()).toMatchObject({ segments: 1 })
    expect(merge.estimate().bytesFreed).toBeGreaterThan(0)
    await holdOutputs(store, storage, () => expect(merge.start()).toBe(true))
    expect(merge.start()).toBe(false)
    // One that was asked for takes in whoever asks meanwhile.
    const second = store.merge()
    storage.heal()
    storage.release()
    expect(await second).toBeGreaterThan(0)
    expect(merge.status()).toMatchObject({ merges: 1, state: 'disabled' })
    await store.close()
    expect(merge.start()).toBe(false)
    await expect(store.merge()).rejects.toThrow('closing')
  })

  test('MERGE during a merge that nobody asked for: another one follows, and takes the active segment too', async () => {
    const { store, storage } = await watched(eager)
    await halfDead(store)
    await holdOutputs(store, storage, () => store.clock.advance(SOON))
    for (let i = 0; i < 20; i++) store.put(`k${i}`, 'newer')
    const asked = store.merge()
    storage.heal()
    storage.release()
    await asked
    expect(store.engine.merge.status().merges).toBe(2)
    expect(allRecords(store.directory).filter(({ key }) => key === 'k3').length).toBe(1)
    await store.close()
  })

  test('and where the store is closed meanwhile, none follows', async () => {
    const { store, storage } = await watched(eager)
    await halfDead(store)
    await holdOutputs(store, storage, () => store.clock.advance(SOON))
    const asked = store.merge()
    const closed = store.close()
    storage.heal()
    storage.release()
    await expect(asked).rejects.toThrow()
    await closed
    const again = await TestStore.open(store.directory)
    expect(again.engine.keyCount(0)).toBe(20)
    await again.close()
  })

  test('more segments than one merge takes: whoever asked waits for all of them', async () => {
    const store = await TestStore.open(freshDirectory(), { segmentSizeBytes: 200 })
    for (let i = 0; i < 70; i++) {
      store.put('k', `${i}`)
      await store.tick()
      await store.seal()
    }
    expect(manifestOf(store.directory).segments.length).toBeGreaterThan(70)
    expect(await store.merge()).toBeGreaterThan(69 * 40)
    expect(store.engine.merge.status().merges).toBe(2)
    expect(
      allRecords(store.directory)
        .filter(({ key }) => key === 'k')
        .map(({ value }) => `${value}`),
    ).toEqual(['69'])
    await store.close()
  })

  test('a paused merge stands still, whether it ran before or not, and goes on', async () => {
    const { store, storage } = await watched({ portions: CRUMBS })
    const { merge } = store.engine
    await halfDead(store)
    merge.pause()
    expect(merge.status().state).toBe('paused')
    let freed = 0
    const merging = store.merge().then((bytes) => {
      freed = bytes
    })
    await store.until(() => storage.calls.filter((call) => call.startsWith('write')).length > 0)
    for (let i = 0; i < 100; i++) await turn()
    expect(freed).toBe(0)
    merge.resume()
    await store.until(() => merge.status().bytesRead > 0)
    merge.pause()
    for (let i = 0; i < 100; i++) await turn()
    expect([freed, merge.status().state]).toEqual([0, 'paused'])
    merge.resume()
    await merging
    expect(freed).toBeGreaterThan(0)
    await store.close()
  })

  test('why: every segment, with what is dead, expired and deleted in it, and the verdict', async () => {
    const store = await TestStore.open(freshDirectory())
    store.put('expires', 'v', store.clock.now() + 50)
    store.put('deleted', 'v')
    await store.seal()
    store.engine.expiresInBackground = false
    store.remove('deleted')
    store.clock.advance(90)
    store.engine.now = store.clock.now()
    const [old, active] = store.why()
    expect(old!.expiredBytes).toBeGreaterThan(40)
    expect(old!.deadBytes).toBeGreaterThan(40)
    expect(old!.verdict).not.toBe('')
    expect(active).toMatchObject({ expiredBytes: 0, tombstones: 1, verdict: 'open: still written to' })
    await store.close()
  })

  test('why, with many expired keys: they are counted in steps, between which they may go', async () => {
    const store = await TestStore.open(freshDirectory())
    for (let n = 0; n < 10_000; n++) store.put(`expires${n}`, 'v', store.clock.now() + 50)
    await store.seal()
    store.engine.expiresInBackground = false
    store.clock.advance(90)
    store.engine.now = store.clock.now()
    const reasons = store.engine.merge.why()
    let steps = 1
    while (!reasons.step()) steps++
    expect(steps).toBeGreaterThan(2)
    const exact = store.engine.stats().liveBytes
    expect(reasons.segments()[0]!.expiredBytes).toBe(exact)

    const meanwhile = store.engine.merge.why()
    expect(meanwhile.step()).toBe(false)
    for (let n = 0; n < 10_000; n++) store.find(`expires${n}`)
    expect(meanwhile.step(), 'none is left').toBe(true)
    expect(meanwhile.segments()[0]!.expiredBytes).toBeLessThan(exact)
    await store.close()
  })
})

describe('when a store merges by itself', () => {
  test('not outside of its window, and not while it is paused', async () => {
    const store = await TestStore.open(freshDirectory(), { ...eager, mergeWindow: 'never', mergeIntervalMs: 1000 })
    await halfDead(store)
    store.clock.advance(5000)
    await store.quiet()
    expect(store.engine.merge.status()).toMatchObject({ merges: 0, state: 'idle' })
    store.engine.merge.pause()
    store.engine.configure({ mergeWindow: 'always' })
    store.clock.advance(5000)
    await store.quiet()
    expect(store.engine.merge.status().merges).toBe(0)
    store.engine.merge.resume()
    store.clock.advance(SOON)
    await store.until(() => store.engine.merge.status().merges === 1)
    await store.close()
  })

  test('one that freed nothing is not tried again before a whole interval has passed', async () => {
    // Segments have become smaller: each output has a header of its own, and together they are larger than the input.
    const options = { ...eager, mergeIntervalMs: 100_000, random: (): number => 0.5 }
    const store = await TestStore.open(freshDirectory(), { ...options, mergeEnabled: false })
    for (let i = 0; i < 50; i++) store.put(`k${i}`, 'x'.repeat(20))
    store.put('k0', 'y')
    await store.seal()
    await store.quiet()
    store.engine.configure({ segmentSizeBytes: 200, mergeEnabled: true })
    store.clock.advance(SOON)
    await store.until(() => store.engine.merge.status().merges === 1)
    expect(store.engine.merge.status().lastFreedBytes).toBeLessThanOrEqual(0)
    for (let i = 1; i < 40; i++) store.put(`k${i}`, 'anew')
    await store.tick()
    store.engine.configure({ segmentSizeBytes: 1 << 20 })
    store.clock.advance(50_000)
    await store.quiet()
    expect(store.engine.merge.status().merges).toBe(1)
    store.clock.advance(110_000)
    await store.until(() => store.engine.merge.status().merges === 2)
    await store.close()
  })

  test('one that failed is tried again after ten seconds', async () => {
    const { store, storage } = await watched({ ...eager, mergeIntervalMs: 500 })
    await halfDead(store)
    const last = newest(store)
    storage.rule = (call, name) => (call === 'open' && Number.parseInt(name, 10) > last ? 'EMFILE' : null)
    store.clock.advance(SOON)
    await store.until(() => store.engine.merge.status().failures === 1)
    storage.heal()
    store.clock.advance(9000)
    await store.quiet()
    expect(store.engine.merge.status()).toMatchObject({ merges: 0, failures: 1, lastError: 'EMFILE: injected' })
    store.clock.advance(2000)
    await store.until(() => store.engine.merge.status().merges === 1)
    expect(store.engine.merge.status().lastError).toBe('')
    await store.close()
  })
})

describe('a disk with little room', () => {
  /** Two sealed segments, a tenth and a half of which live. */
  async function twoSegments(): Promise<{ store: TestStore; storage: FaultyStorage; answer: { free: number } }> {
    const { store, storage } = await watched()
    for (const [name, live] of [
      ['a', 2],
      ['b', 10],
    ] as const) {
      for (let i = 0; i < 20; i++) store.put(`${name}${i}`, 'x'.repeat(100))
      for (let i = live; i < 20; i++) store.remove(`${name}${i}`)
      await store.seal()
    }
    await store.quiet()
    const answer = { free: 0 }
    storage.space = (done): void => {
      setImmediate(() => done(null, { free: answer.free, total: 1e9 }))
    }
    return { store, storage, answer }
  }

  test('a merge takes what fits, and says so when nothing does', async () => {
    const { store, answer } = await twoSegments()
    await expect(store.merge()).rejects.toThrow('no room')
    expect(store.engine.merge.status()).toMatchObject({ merges: 0, failures: 0 })
    answer.free = 1000
    const contents = await store.contents()
    const freed = await store.merge()
    expect(freed).toBeGreaterThan(1000)
    expect(store.engine.merge.status().merges).toBe(1)
    // What it has freed may be what the next one needs.
    answer.free = 1e6
    expect(await store.merge()).toBeGreaterThan(500)
    expect(await store.contents()).toEqual(contents)
    await store.quiet()
    expectAccounts(store)
    await store.close()
  })

  test('where the disk does not say how much room there is, a merge tries', async () => {
    const { store, storage } = await twoSegments()
    storage.space = (done): void => {
      setImmediate(() => done(Object.assign(new Error('EIO: injected'), { code: 'EIO' }), { free: 0, total: 0 }))
    }
    expect(await store.merge()).toBeGreaterThan(1000)
    await store.close()
  })

  test('a store that is closed while the disk has not answered yet begins no merge', async () => {
    const { store, storage } = await twoSegments()
    let answer: (() => void) | null = null
    storage.space = (done): void => {
      answer = () => done(null, { free: 1e9, total: 1e9 })
    }
    const merging = expect(store.merge()).rejects.toThrow('closing')
    await store.until(() => answer !== null)
    const closed = store.close()
    answer!()
    await merging
    await closed
    expect(manifestOf(store.directory).segments.some(({ merged }) => merged)).toBe(false)
  })

  test('on a full one a store merges by itself for less', async () => {
    const store = await TestStore.open(freshDirectory(), { mergeEnabled: true })
    for (let i = 0; i < 20; i++) store.put(`k${i}`, 'x'.repeat(100))
    for (let i = 0; i < 3; i++) store.put(`k${i}`, 'y'.repeat(100))
    await store.seal()
    await store.quiet()
    store.clock.advance(SOON)
    await store.quiet()
    expect(store.engine.merge.status().merges).toBe(0)
    store.engine.setGate(GATE_FULL, true, 'MISCONF full')
    store.engine.merge.resume()
    store.clock.advance(SOON)
    await store.until(() => store.engine.merge.status().merges === 1)
    store.engine.setGate(GATE_FULL, false)
    await store.close()
  })
})

describe('what an own merge must not take', () => {
  test('the active segment, however much of it is dead', async () => {
    const { store, storage } = await watched(eager)
    await halfDead(store)
    for (let i = 0; i < 50; i++) store.put('k0', `again ${i}`)
    await store.tick()
    const active = dataName(store.engine.log.active.number)
    storage.calls.length = 0
    store.clock.advance(SOON)
    await store.until(() => store.engine.merge.status().merges === 1)
    await store.quiet()
    expect(storage.calls).not.toContain(`open ${active}`)
    expect(storage.calls).not.toContain(`unlink ${active}`)
    store.put('k0', 'last')
    expect(await (await restart(store, 'killed')).get('k0')).toBe('last')
  })

  test('a tombstone of a key that expired, while its older value lies in a segment outside', async () => {
    let store = await TestStore.open(freshDirectory())
    for (let i = 0; i < 40; i++) store.put(`live ${i}`, 'x'.repeat(100))
    store.put('k', 'old, without expiry')
    await store.seal()
    for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, 'x'.repeat(100))
    store.put('k', 'young', store.clock.now() + 10)
    store.put('young', 'v')
    store.clock.originMs += 1000
    expect(store.find('k')).toBe(NONE)
    await store.seal()
    for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, 'y'.repeat(100))
    await store.tick()
    store.engine.configure({ mergeEnabled: true })
    store.clock.advance(SOON)
    await store.until(() => store.engine.merge.status().merges === 1)
    const { segments } = manifestOf(store.directory)
    expect(segments.map(({ merged }) => merged)).toContain(true)
    expect(segments[0]!.merged).toBe(false)
    expect(allRecords(store.directory).filter(({ kind, key }) => kind === KIND_TOMBSTONE && key === 'k').length).toBe(1)
    store = await restart(store, 'data')
    expect(await store.get('k')).toBe(null)
    await store.close()
  })

  test('a tombstone whose older value lies outside in a segment that could not be hinted', async () => {
    let { store, storage } = await watched()
    storage.rule = (call, name) => (call === 'write' && name.endsWith('.hint.new') ? 'ENOSPC' : null)
    for (let i = 0; i < 40; i++) store.put(`live ${i}`, 'x'.repeat(100))
    store.put('victim', 'old value')
    await store.seal()
    for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, 'x'.repeat(100))
    store.remove('victim')
    store.put('young', 'v')
    await store.seal()
    for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, 'y'.repeat(100))
    await store.tick()
    store.engine.configure({ mergeEnabled: true })
    store.clock.advance(SOON)
    await store.until(() => store.engine.merge.status().merges === 1)
    storage.heal()
    store = await restart(store, 'data')
    expect(await store.get('victim')).toBe(null)
    await store.close()
  })
})

describe('while a merge runs', () => {
  test.each(
    STARTS,
  )('start: %s; what was deleted, touched again, put back or swapped meanwhile is as it was left', async (by) => {
    const first = await watched()
    const { storage } = first
    let { store } = first
    const at = store.clock.now() + 1e6
    for (let i = 0; i < 30; i++) store.put(`k${i}`, 'garbage')
    for (let i = 0; i < 30; i++) store.put(`k${i}`, `old ${i}`)
    for (let i = 0; i < 30; i += 3) store.setExpiry(`k${i}`, at)
    store.engine.swapDatabases(1, 2)
    store.engine.swapDatabases(1, 2)
    await store.seal()
    await store.quiet()
    let merging: Promise<number> = Promise.resolve(0)
    await holdOutputs(store, storage, () => {
      merging = store.merge()
    })
    for (let i = 0; i < 6; i++) store.remove(`k${i}`)
    for (let i = 6; i < 12; i++) store.setExpiry(`k${i}`, at + 5)
    store.setExpiry('k12', 0)
    store.put('in 2', 'v', 0, 2)
    store.engine.swapDatabases(1, 2)
    // Deleted, and released: its number may be another key's by the time entries move.
    await store.tick()
    for (let i = 0; i < 6; i++) store.put(`new ${i}`, 'v')
    await store.tick()
    // Deleted, and not even written when the entries move.
    store.remove('k29')
    storage.heal()
    storage.release()
    expect(await merging).toBeGreaterThan(0)
    const expected: Record<string, string> = {}
    for (let i = 6; i < 29; i++) expected[`k${i}`] = `old ${i}`
    for (let i = 0; i < 6; i++) expected[`new ${i}`] = 'v'
    const check = async (): Promise<void> => {
      for (const [key, value] of Object.entries(expected)) expect(await store.get(key), key).toBe(value)
      for (let i = 6; i < 12; i++) expect(store.expiryOf(`k${i}`)).toBe(at + 5)
      expect([store.expiryOf('k12'), store.expiryOf('k15'), store.expiryOf('k13')]).toEqual([0, at, 0])
      expect([store.engine.keyCount(0), store.engine.keyCount(1), store.engine.keyCount(2)]).toEqual([29, 1, 0])
    }
    await check()
    await store.quiet()
    expectAccounts(store)
    store = await restart(store, by)
    await check()
    await store.quiet()
    expectAccounts(store)
    await store.close()
  })

  test('a map of databases that another has replaced is not copied', async () => {
    const store = await TestStore.open(freshDirectory())
    store.put('k', 'v', 0, 3)
    for (let i = 0; i < 3; i++) store.engine.swapDatabases(0, 3)
    await store.merge()
    expect(allRecords(store.directory).filter(({ kind }) => kind === KIND_SYSTEM).length).toBe(1)
    const again = await restart(store, 'data')
    expect(await again.get('k')).toBe('v')
    await again.close()
  })

  test('a touch under a newer one is not copied', async () => {
    const store = await TestStore.open(freshDirectory())
    store.put('k', 'v')
    for (let i = 1; i < 5; i++) store.setExpiry('k', store.clock.now() + i * 1e6)
    const at = store.expiryOf('k')
    await store.merge()
    expect(
      allRecords(store.directory)
        .filter(({ kind }) => kind === KIND_TOUCH)
        .map(({ expiry }) => expiry),
    ).toEqual([at])
    await store.close()
  })

  test('a write that fails while entries move brings old values back to life: the inputs stay', async () => {
    const { store, storage } = await watched({ portions: CRUMBS })
    for (let i = 0; i < 30; i++) store.put(`k${i}`, 'garbage')
    for (let i = 0; i < 30; i++) store.put(`k${i}`, `value ${i}`)
    await store.seal()
    await store.quiet()
    const before = await store.contents()
    // Not written yet, and the merge takes the values under them for dead.
    for (let i = 0; i < 10; i++) store.put(`k${i}`, 'never acknowledged')
    store.engine.configure(eager)
    store.clock.advance(SOON)
    await store.until(() => [...store.engine.segments.all()].some((each) => !each.listed && each.liveBytes > 0))
    storage.failNext('write', '.data', 'ENOSPC')
    store.engine.flush()
    expect(store.failed.length).toBe(1)
    await store.until(() => store.engine.gate === GATE_FULL && !store.engine.log.failed)
    await store.until(() => store.engine.merge.status().state !== 'running')
    await store.quiet()
    expect(await store.contents()).toEqual(before)
    for (const ending of ['nothing', '.hint']) {
      const directory = copyOf(store.directory)
      removeFiles(directory, ending)
      const again = await TestStore.open(directory)
      expect(await again.contents(), `without ${ending}`).toEqual(before)
      await again.close()
    }
    await store.abandon()
  })
})

test('inputs whose sequences interleave give an output in ascending sequence', async () => {
  // Portions of less than four records: what comes of one input is added to what has come of another, and the batch grows.
  const portions = { ...PORTIONS, mergeBytes: 140 }
  const store = await TestStore.open(freshDirectory(), { portions, valueCacheBytes: 0 })
  const segment = async (keys: string, times = 1): Promise<void> => {
    for (let i = 0; i < times; i++) for (const key of keys) store.put(key, `${key}${i}`)
    await store.seal()
  }
  await segment('abc', 2)
  await segment('def') // nothing dead: the first merge passes it over
  await segment('ghi', 2)
  expect(await store.merge()).toBeGreaterThan(0)
  await segment('ah') // of the output, which lies around what it passed over
  await segment('e')
  expect(await store.merge()).toBeGreaterThan(0)
  const records = allRecords(store.directory)
  for (const number of new Set(records.map(({ segment }) => segment))) {
    const sequences = records.filter(({ segment }) => segment === number).map(({ sequence }) => sequence)
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b))
  }
  expect(records.map(({ key }) => key).join('')).toContain('bcdfgi')
  const expected = { a: 'a0', b: 'b1', c: 'c1', d: 'd0', e: 'e0', f: 'f0', g: 'g1', h: 'h0', i: 'i1' }
  expect(plain(await store.contents())).toEqual(expected)
  await store.close()
})

test('members of finished batches become plain records: their end is not copied', async () => {
  const store = await TestStore.open(freshDirectory())
  store.batch(() => {
    store.put('a', 'garbage')
    store.put('a', 'v')
    store.put('b', 'v')
  })
  expect(await store.merge()).toBeGreaterThan(0)
  await store.close()
  // Without a manifest a segment is read as if it were the end of the log, where a batch without its end never happened.
  for (const name of ['MANIFEST', '.image', '.hint']) removeFiles(store.directory, name)
  const again = await TestStore.open(store.directory)
  expect(plain(await again.contents())).toEqual({ a: 'v', b: 'v' })
  await again.close()
})

test('a damaged input ends the merge: it stays, the next merge does without it, and its key gets an error', async () => {
  let { store, storage } = await watched({ valueCacheBytes: 0 })
  for (const key of ['a', 'b', 'c', 'damaged']) for (const value of ['garbage', 'v']) store.put(key, value)
  await store.seal()
  await store.quiet()
  await store.close()
  removeFiles(store.directory, '.image')
  hurt(store.directory, 'damaged', 'value')
  storage = new FaultyStorage(store.directory)
  store = await TestStore.open(store.directory, { storage, valueCacheBytes: 0 })
  const { number } = manifestOf(store.directory).segments[0]!
  await expect(store.merge()).rejects.toThrow('is damaged')
  expect(store.engine.segments.get(number)!.damaged).toBe(true)
  expect(store.warnings.join()).toContain('no longer merged')
  expect(await store.merge()).toBe(0)
  expect(manifestOf(store.directory).segments.map((segment) => segment.number)).toContain(number)
  for (const key of ['a', 'b', 'c']) expect(await store.get(key)).toBe('v')
  await expect(store.get('damaged')).rejects.toMatchObject({ code: 'EDAMAGED' })
  await store.close()
})

describe('a merge that fails', () => {
  test.each([
    'EMFILE',
    'EIO',
  ] as const)('at its manifest (%s): inputs and outputs both stay, and say the same', async (fault) => {
    const { store, storage } = await watched(eager)
    await halfDead(store)
    const contents = await store.contents()
    const [input] = manifestOf(store.directory).segments
    storage.failNext('rename', 'MANIFEST', fault)
    store.clock.advance(SOON)
    await store.until(() => store.engine.merge.status().failures === 1)
    storage.heal()
    await store.quiet()
    expect(store.engine.segments.get(input!.number)!.listed).toBe(true)
    // What the disk says is uncertain unless the error is one that passes.
    expect(store.engine.log.failed).toBe(fault === 'EIO')
    expect(await store.contents()).toEqual(contents)
    const again = await TestStore.open(copyOf(store.directory))
    expect(await again.contents()).toEqual(contents)
    await again.close()
    if (fault === 'EMFILE') {
      expect(await store.merge()).toBeGreaterThan(0)
      await store.quiet()
      expect(await store.contents()).toEqual(contents)
      expectAccounts(store)
    }
    await store.abandon()
  })

  test('because the store is closed while it stands still: nothing of it counts, the next start removes it', async () => {
    const { store } = await watched({ portions: CRUMBS })
    await halfDead(store)
    const merging = expect(store.merge()).rejects.toThrow('cancelled')
    store.engine.merge.pause()
    await store.until(() => store.engine.merge.status().bytesRead > 0)
    await store.close()
    await merging
    const again = await TestStore.open(store.directory)
    expect(again.engine.keyCount(0)).toBe(20)
    expect(manifestOf(store.directory).segments.some(({ merged }) => merged)).toBe(false)
    await again.close()
  })

  test('leaves no outputs behind', async () => {
    const { store, storage } = await watched({ portions: CRUMBS })
    await halfDead(store)
    const last = newest(store)
    let writes = 0
    storage.rule = (call, name) =>
      call === 'write' && Number.parseInt(name, 10) > last && ++writes === 3 ? 'EIO' : null
    const files = namesIn(store.directory).sort()
    await expect(store.merge()).rejects.toThrow('EIO')
    await store.quiet()
    await expect.poll(() => namesIn(store.directory).filter((name) => !files.includes(name)).length).toBeLessThan(3)
    const known = new Set([...store.engine.segments.all()].map(({ number }) => number))
    const strangers = (): string[] =>
      namesIn(store.directory).filter((name) => name.endsWith('.data') && !known.has(Number.parseInt(name, 10)))
    await expect.poll(strangers).toEqual([])
    await store.close()
  })

  test('and where the directory cannot even be listed, the next start removes them', async () => {
    const { store, storage } = await watched({ portions: CRUMBS })
    await halfDead(store)
    const last = newest(store)
    const strange = (name: string): boolean => Number.parseInt(name, 10) > last
    storage.rule = (call, name) =>
      (call === 'write' && strange(name) && storage.calls.filter((each) => each === `write ${name}`).length > 2) ||
      (call === 'unlink' && strange(name))
        ? 'EIO'
        : null
    const { list } = storage
    storage.list = (_, done): void => {
      setImmediate(() => done(Object.assign(new Error('EIO: injected'), { code: 'EIO' }), []))
    }
    await expect(store.merge()).rejects.toThrow('EIO')
    await store.quiet()
    storage.heal()
    storage.list = list
    const known = new Set([...store.engine.segments.all()].map(({ number }) => number))
    const left = namesIn(store.directory).filter(
      (name) => name.endsWith('.data') && !known.has(Number.parseInt(name, 10)),
    )
    expect(left.length).toBe(1)
    const again = await store.reopen()
    expect(namesIn(store.directory)).not.toContain(left[0])
    expect(again.engine.keyCount(0)).toBe(20)
    await again.close()
  })
})

test('an older value, a tombstone under it and one above: a merge keeps what hides and drops what is hidden', async () => {
  // Judged directly: the question is what merge.ts asks, the answer decides what is copied.
  const store = await TestStore.open(freshDirectory())
  store.put('k', '1')
  store.remove('k')
  await store.tick()
  const { engine } = store
  const ask = (kind: number, sequence: number): number => {
    const key = sliceOf('k')
    return new Verdicts(engine).answer({
      count: 1,
      kinds: Uint8Array.of(kind),
      databases: Uint32Array.of(engine.physical(0)),
      slots: Uint32Array.of(engine.log.active.slot),
      offsets: Uint32Array.of(engine.log.offset),
      sequences: Float64Array.of(sequence),
      keyStarts: Uint32Array.of(0, 1),
      keys: key.bytes,
    })[0] as number
  }
  const [DEAD, KEEP] = [-1, -2]
  expect(ask(KIND_TOMBSTONE, 2)).toBe(KEEP)
  store.put('k', '3')
  await store.tick()
  expect(ask(KIND_TOMBSTONE, 2)).toBe(DEAD)
  // An entry that is older than the tombstone can only be what a failed write has brought back: the tombstone hides it.
  expect(ask(KIND_TOMBSTONE, 4)).toBe(KEEP)
  // The place alone proves nothing: a number of a slot may have been another segment's.
  expect(ask(1, 3)).toBeGreaterThanOrEqual(0)
  expect(ask(1, 2)).toBe(DEAD)
  await store.close()
})

test('a clock that has gone on does not change when the next look is', async () => {
  const clock = new ManualClock()
  const store = await TestStore.open(freshDirectory(), { clock, ...eager, mergeIntervalMs: 1000, random: () => 0.5 })
  expect(store.engine.merge.status().nextCheckInMs).toBe(1000)
  clock.advance(400)
  expect(store.engine.merge.status().nextCheckInMs).toBe(600)
  clock.advance(700)
  expect(store.engine.merge.status().nextCheckInMs).toBe(900)
  store.engine.merge.resume()
  expect(store.engine.merge.status().nextCheckInMs).toBe(50)
  await store.close()
})
