// What a review with fresh eyes found in stopping and starting, each as the story that shows it and named after what broke.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Slice } from '../../src/base/slice.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { dataName, hintName, IMAGE, MANIFEST, QUARANTINE, RESERVE } from '../../src/engine/filename.ts'
import type { Keydir } from '../../src/engine/keydir/keydir.ts'
import { KIND_ANCHOR, KIND_BATCH_END, KIND_SYSTEM, KIND_TOUCH } from '../../src/engine/record.ts'
import { Recovery } from '../../src/engine/recovery.ts'
import { Replay } from '../../src/engine/replay.ts'
import { SEGMENT_HEADER_BYTES } from '../../src/engine/segment-header.ts'
import { flip, hurt, namesIn, newestOf } from './damage.ts'
import { FaultyStorage } from './faulty-storage.ts'
import { allRecords, dataPath, manifestOf } from './files.ts'
import { ManualClock } from './manual-clock.ts'
import { restart } from './starts.ts'
import { cleanUp, copyOf, freshDirectory, removeFiles, TestStore, turn } from './test-store.ts'
import { watched } from './watched.ts'

afterEach(() => {
  vi.restoreAllMocks()
  cleanUp()
})

async function refusal(directory: string): Promise<{ code?: string; name: string; message: string }> {
  try {
    await (await TestStore.open(directory)).close()
  } catch (error) {
    return error as Error
  }
  return expect.fail('it started')
}

function keys(store: TestStore): string[] {
  const names: string[] = []
  store.engine.scan(0, 0, 1_000_000, (entry) => names.push(store.engine.keyOf(entry, new Slice()).key()))
  return names.sort()
}

describe('a clean stop while a finished merge moves its entries', () => {
  const KEYS = 9000

  test('commits the merge first: every key is there, by image and without', async () => {
    const { store, storage } = await watched()
    for (let i = 0; i < KEYS; i++) store.put(`k${i}`, `v${i}`)
    for (let i = 0; i < KEYS; i += 3) store.put(`k${i}`, `w${i}`)
    await store.tick()
    await store.seal()
    const merging = store.merge().catch(() => 0)
    // Some entries lie in an output, which no manifest lists.
    await store.until(() => [...store.engine.segments.all()].some((each) => !each.listed && each.liveBytes > 0))
    await store.close()
    const calls = storage.calls.length
    await merging
    await turn()
    // The lock is gone: nothing may touch the files now.
    expect(storage.calls.slice(calls)).toEqual([])
    for (const by of ['image', 'data']) {
      const directory = copyOf(store.directory)
      expect(namesIn(directory)).toContain(IMAGE)
      if (by === 'data') for (const ending of ['.image', '.hint']) removeFiles(directory, ending)
      const again = await TestStore.open(directory)
      for (let i = 0; i < KEYS; i++) expect(await again.get(`k${i}`)).toBe(`${i % 3 === 0 ? 'w' : 'v'}${i}`)
      await again.close()
    }
  })
})

describe('proven records at the end of an open segment that is not the last', () => {
  /** A segment that was rotated away and synced but is not sealed in any manifest; its last record is the newest of k. */
  async function rotatedAway(): Promise<{ directory: string; offset: number; file: string }> {
    const { store, storage } = await watched({ segmentSizeBytes: 4000 })
    storage.rule = (call, name) => (call === 'open' && name.startsWith(MANIFEST) ? 'ENOSPC' : null)
    store.put('k', 'old')
    while (store.engine.log.active.sizeBytes < 3000) store.put('fill', 'x'.repeat(100))
    store.put('k', 'new')
    await store.tick()
    const { number } = store.engine.log.active
    store.put('larger than what is left', 'y'.repeat(2000))
    await store.tick()
    expect(store.engine.log.active.number).not.toBe(number)
    // Twice: an anchor claims the sync before it.
    for (let i = 0; i < 2; i++) {
      store.put('other', `${i}`)
      await store.tick()
      store.clock.advance(1000)
      await store.until(() => store.engine.log.synced === store.engine.appended)
    }
    store.put('other', 'last')
    await store.tick()
    const directory = copyOf(store.directory)
    await store.abandon()
    expect(manifestOf(directory).segments.find((each) => each.number === number)!.sealed).toBe(false)
    const { offset, segment } = newestOf(directory, 'k')
    expect(segment).toBe(number)
    return { directory, offset, file: dataPath(directory, segment) }
  }

  test.each([
    'cut',
    'damaged',
  ])('%s: the start is refused, the older value is not served as the newest', async (how) => {
    const { directory, offset, file } = await rotatedAway()
    if (how === 'cut') fs.truncateSync(file, offset)
    else for (const at of [5, 30]) flip(file, offset + at)
    const { code, message } = await refusal(directory)
    expect([code, message]).toEqual(['EDAMAGED', expect.stringContaining(path.basename(file))])
  })
})

test('fewer databases, a merge, and more again: the keys of the hidden ones are there', async () => {
  let store = await TestStore.open(freshDirectory())
  for (let i = 0; i < 50; i++) {
    store.put(`k${i}`, `v${i}`, 0, 3)
    store.put(`z${i}`, 'old')
  }
  // One that has its first id no more is hidden in another way.
  store.put('swapped', 'v', 0, 2)
  store.engine.swapDatabases(1, 2)
  store = await restart(store, 'data', { databases: 1 })
  for (let i = 0; i < 50; i++) store.put(`z${i}`, 'new')
  expect(await store.merge()).toBeGreaterThan(0)
  store = await restart(store, 'image')
  expect([1, 2, 3].map((database) => store.engine.keyCount(database))).toEqual([1, 0, 50])
  for (let i = 0; i < 50; i++) expect(await store.get(`k${i}`, 3)).toBe(`v${i}`)
  expect(await store.get('swapped', 1)).toBe('v')
  await store.close()
})

test('touches without end of few keys cost recovery no memory each', async () => {
  class Restless extends ManualClock {
    onSoon: () => void = () => {}
    // Each look at the clock finds a slice's time over, so that recovery gives way as often as it can.
    private looks = 0
    override monotonic(): number {
      return super.monotonic() + 100 * this.looks++
    }
    override soon(run: () => void): void {
      this.onSoon()
      super.soon(run)
    }
  }
  let store = await TestStore.open(freshDirectory())
  for (let i = 0; i < 10; i++) store.put(`k${i}`, 'v')
  for (let i = 0; i < 20_000; i++) store.setExpiry(`k${i % 10}`, store.clock.now() + 1e7 + i)
  await store.tick()
  const load = vi.spyOn(Recovery.prototype, 'load')
  const clock = new Restless()
  let most = 0
  let looks = 0
  clock.onSoon = (): void => {
    const { p } = load.mock.contexts[0] as unknown as { p: { keydir: Keydir } }
    looks++
    most = Math.max(most, p.keydir.rowCount)
  }
  store = await store.killed({ clock })
  expect(looks).toBeGreaterThan(50)
  expect(most).toBeLessThanOrEqual(10)
  for (let i = 0; i < 10; i++) expect(store.expiryOf(`k${i}`)).toBe(clock.originMs + 1e7 + 19_990 + i)
  await store.close()
})

describe('one bad block at the proven position', () => {
  /** a: synced. b: appended while that sync ran. c: behind the anchor that claims it. `proven`: where b begins. */
  async function syncedWhileWriting(): Promise<{ directory: string; file: string; proven: number }> {
    const { store, storage } = await watched()
    const fill = async (name: string): Promise<void> => {
      for (let i = 10; i < 30; i++) store.put(`${name}${i}`, 'v'.repeat(60))
      await store.tick()
    }
    await fill('a')
    storage.rule = (call, name) => (call === 'sync' && name.endsWith('.data') ? 'hold' : null)
    store.engine.log.sync()
    const proven = store.engine.log.active.flushedBytes
    await fill('b')
    storage.heal()
    storage.release()
    await store.until(() => store.engine.log.synced > 0)
    await fill('c')
    const directory = copyOf(store.directory)
    const file = dataPath(directory, store.engine.log.active.number)
    await store.close()
    return { directory, file, proven }
  }

  function zero(file: string, from: number, to: number): void {
    const bytes = fs.readFileSync(file)
    bytes.fill(0, from, to)
    fs.writeFileSync(file, bytes)
  }

  test('across it: refused as damage, and `serve` starts with what lies before', async () => {
    const { directory, file, proven } = await syncedWhileWriting()
    zero(file, proven - 150, proven + 150)
    const { code, name, message } = await refusal(directory)
    expect([code, name, message]).toEqual(['EDAMAGED', 'Error', expect.stringMatching(/bytes \d+ to \d+/)])
    const dropped = fs.readFileSync(file).subarray(proven)
    const store = await TestStore.open(directory, { onCorruption: 'serve' })
    // The block begins inside the value of the last but one: its key is known, so it gets an error.
    expect(keys(store)).toEqual(Array.from({ length: 19 }, (_, i) => `a${10 + i}`))
    expect(await store.get('a27')).toBe('v'.repeat(60))
    await expect(store.get('a28')).rejects.toMatchObject({ code: 'EDAMAGED' })
    // What follows a gap beyond the proven position is no data, but it is kept for whoever wants to look.
    const kept = fs.readdirSync(path.join(directory, QUARANTINE))
    expect(kept.length).toBe(1)
    expect(fs.readFileSync(path.join(directory, QUARANTINE, kept[0]!))).toEqual(dropped)
    await store.close()
  })

  test('just below it: what lies between there and the next anchor is not lost with it', async () => {
    const { directory, file, proven } = await syncedWhileWriting()
    zero(file, proven - 150, proven - 20)
    expect((await refusal(directory)).code).toBe('EDAMAGED')
    const store = await TestStore.open(directory, { onCorruption: 'serve' })
    const names = keys(store)
    expect(names.filter((name) => !name.startsWith('a')).length).toBe(40)
    expect(names.length).toBe(59)
    expect(await store.get('b10')).toBe('v'.repeat(60))
    await store.close()
  })
})

test.each([
  ['empty', 0],
  ['a part of its header', 20],
  ['zeros', SEGMENT_HEADER_BYTES],
] as const)('killed in the very first start, its first file %s: the next start goes on', async (what, bytes) => {
  const directory = freshDirectory()
  const header = Buffer.alloc(bytes)
  if (what === 'a part of its header') {
    const other = await TestStore.open(freshDirectory())
    const file = fs.readFileSync(dataPath(other.directory, other.engine.log.active.number))
    file.copy(header, 0, 0, bytes)
    await other.close()
  }
  fs.writeFileSync(path.join(directory, dataName(1)), header)
  let store = await TestStore.open(directory)
  store.put('k', 'v')
  store = await restart(store, 'killed')
  expect(await store.get('k')).toBe('v')
  expect(store.warnings).toEqual([])
  await store.close()
})

describe('a start by image', () => {
  test('frees what a flush had not freed at the stop', async () => {
    const { store, storage } = await watched()
    for (let i = 0; i < 300; i++) store.put(`k${i}`, 'v')
    await store.tick()
    store.engine.flushAll()
    store.put('after', 'v')
    await store.close()
    expect(store.engine.keydir.total).toBe(301)
    expect(storage.calls).toContain(`rename ${IMAGE}`)
    const again = await TestStore.open(store.directory, { clock: store.clock })
    await again.quiet()
    expect(again.engine.keydir.total).toBe(1)
    const { liveBytes, diskBytes } = again.engine.stats()
    expect(liveBytes).toBeLessThan(300)
    expect(await again.merge()).toBeGreaterThan(diskBytes / 2)
    await again.close()
  })

  test('removes files that no manifest lists', async () => {
    const store = await TestStore.open(freshDirectory())
    store.put('k', 'v')
    await store.close()
    for (const name of [dataName(999), hintName(999)]) fs.writeFileSync(path.join(store.directory, name), 'left')
    expect(namesIn(store.directory)).toContain(IMAGE)
    const again = await TestStore.open(store.directory)
    expect(namesIn(store.directory).filter((name) => name.includes('999'))).toEqual([])
    expect(await again.get('k')).toBe('v')
    await again.close()
  })

  test.each([true, false])('notices a listed file that is missing (hint there: %s)', async (hinted) => {
    const store = await TestStore.open(freshDirectory())
    store.put('k', 'v')
    await store.tick()
    const { number } = store.engine.log.active
    await store.close()
    fs.unlinkSync(dataPath(store.directory, number))
    if (!hinted) {
      removeFiles(store.directory, '.hint')
      expect((await refusal(store.directory)).message).toContain(`${dataName(number)} is missing`)
      return
    }
    const again = await TestStore.open(store.directory)
    expect(again.warnings.join()).toContain('its file is missing')
    await expect(again.get('k')).rejects.toThrow()
    await again.close()
  })
})

test('one unreadable sector, no hint: damage as any other, so `serve` starts', async () => {
  let { store, storage } = await watched()
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 20; i++) store.put(`k${round} ${i}`, 'v'.repeat(50))
    await store.seal()
  }
  await store.quiet()
  await store.close()
  removeFiles(store.directory, '.image')
  removeFiles(store.directory, '.hint')
  const bad = dataName(manifestOf(store.directory).segments[0]!.number)
  storage = new FaultyStorage(store.directory)
  let reads = 0
  // The header is read well, the records behind it are not.
  storage.rule = (call, name) => (call === 'read' && name === bad && ++reads > 1 ? 'EIO' : null)
  await expect(TestStore.open(store.directory, { storage })).rejects.toMatchObject({ code: 'EDAMAGED' })
  reads = 0
  store = await TestStore.open(store.directory, { storage, onCorruption: 'serve' })
  expect(store.engine.keyCount(0)).toBe(20)
  expect(await store.get('k1 7')).toBe('v'.repeat(50))
  await store.close()
})

describe('a value that nobody reads again, damaged', () => {
  /** Sealed, with neither hint nor image. */
  async function stopped(store: TestStore): Promise<string> {
    await store.seal()
    await store.close()
    for (const ending of ['.hint', '.image']) removeFiles(store.directory, ending)
    return store.directory
  }

  function hurtValue(directory: string, key: string, kind: number): void {
    const { segment, offset, length } = newestOf(directory, key, kind)
    flip(dataPath(directory, segment), offset + length - 1)
  }

  test('the map of databases: refused, and not followed', async () => {
    const store = await TestStore.open(freshDirectory())
    store.put('k', 'v')
    store.engine.swapDatabases(0, 1)
    const directory = await stopped(store)
    hurtValue(directory, 'databases', KIND_SYSTEM)
    expect((await refusal(directory)).code).toBe('EDAMAGED')
  })

  test('a touch: refused, the expiry before it is not taken for the newest', async () => {
    const store = await TestStore.open(freshDirectory())
    store.put('k', 'v', store.clock.now() + 1e6)
    store.setExpiry('k', 0)
    const directory = await stopped(store)
    hurtValue(directory, 'k', KIND_TOUCH)
    expect((await refusal(directory)).code).toBe('EDAMAGED')
  })

  test.each([
    'data',
    'image',
  ] as const)('what lay under a lost map does not come back when its id is given out again (%s)', async (by) => {
    let store = await TestStore.open(freshDirectory())
    store.put('before', 'v')
    store.engine.flushAll()
    store.put('after', 'v')
    const directory = await stopped(store)
    hurtValue(directory, 'databases', KIND_SYSTEM)
    store = await TestStore.open(directory, { onCorruption: 'serve' })
    store.put('new', 'v')
    if (by === 'image') store = await restart(store, 'image')
    store.engine.flushDatabase(0)
    store.put('newer', 'v')
    store = await restart(store, 'data', { onCorruption: 'serve' })
    expect(keys(store)).toEqual(['newer'])
    await store.close()
  })
})

test('one unreadable sector in the end of the log: no start fails with the bare error', async () => {
  const { store } = await watched()
  for (let i = 10; i < 90; i++) store.put(`k${i}`, 'v'.repeat(100))
  await store.tick()
  store.clock.advance(1000)
  await store.until(() => store.engine.log.synced === store.engine.appended)
  store.put('last', 'v')
  await store.tick()
  const directory = copyOf(store.directory)
  const bad = dataName(store.engine.log.active.number)
  await store.close()
  const storage = new FaultyStorage(directory)
  // Reads that touch the second sector of the file fail, whatever else they would have read.
  storage.rule = (call, name, position, length) =>
    call === 'read' && name === bad && position < 8192 && position + length > 4096 ? 'EIO' : null
  await expect(TestStore.open(directory, { storage })).rejects.toMatchObject({ code: 'EDAMAGED' })
  const served = await TestStore.open(directory, { storage, onCorruption: 'serve' })
  const there = keys(served)
  expect(there).toEqual(expect.arrayContaining(['k10', 'k36', 'last']))
  expect(there.length).toBeLessThan(50)
  await served.close()
})

test('an unreadable header costs no record: the manifest knows what it says', async () => {
  const { store } = await watched()
  store.put('k', 'v')
  await store.tick()
  const directory = copyOf(store.directory)
  const bad = dataName(store.engine.log.active.number)
  await store.close()
  const storage = new FaultyStorage(directory)
  storage.rule = (call, name, position) => (call === 'read' && name === bad && position === 0 ? 'EIO' : null)
  const again = await TestStore.open(directory, { storage })
  expect(again.warnings.join()).toContain('its header is damaged')
  expect(await again.get('k')).toBe('v')
  await again.close()
})

test('a header whose first read goes wrong is good: its segment is not called damaged for ever', async () => {
  const { store } = await watched()
  store.put('k', 'v')
  await store.seal()
  const directory = copyOf(store.directory)
  await store.close()
  const storage = new FaultyStorage(directory)
  const misread = new Set<string>()
  storage.rule = (call, name, position) => {
    if (call !== 'read' || !name.endsWith('.data') || position !== 0 || misread.has(name)) return null
    misread.add(name)
    return 'EIO'
  }
  const again = await TestStore.open(directory, { storage })
  expect(misread.size).toBeGreaterThan(0)
  expect(again.warnings.join()).not.toContain('damaged')
  expect([...again.engine.segments.all()].some((segment) => segment.damaged)).toBe(false)
  await again.close()
})

test('a damaged anchor or batch end below the proven position costs no record, so it refuses nothing', async () => {
  const store = await TestStore.open(freshDirectory())
  store.batch(() => {
    store.put('a', '1')
    store.put('b', '2')
  })
  await store.seal()
  await store.close()
  for (const ending of ['.hint', '.image']) removeFiles(store.directory, ending)
  const kinds = new Set([KIND_ANCHOR, KIND_BATCH_END])
  const found = allRecords(store.directory).filter(({ kind }) => kinds.has(kind))
  expect(found.length).toBe(2)
  for (const { segment, offset, length } of found) {
    flip(dataPath(store.directory, segment), offset + length - 1)
  }
  const again = await TestStore.open(store.directory)
  expect(keys(again)).toEqual(['a', 'b'])
  expect(again.warnings.join()).toContain('Damage found')
  await again.close()
})

test('records that a merge has synced and no anchor claims yet: their loss is damage, not a torn tail', async () => {
  const { store } = await watched()
  for (let i = 0; i < 20; i++) store.put(`k${i}`, `old ${i}`)
  store.put('stays', 'v')
  await store.tick()
  await store.seal()
  await store.quiet()
  // The old values go because of these, which the merge makes durable first.
  for (let i = 0; i < 20; i++) store.put(`k${i}`, `new ${i}`)
  await store.tick()
  const { offset } = newestOf(store.directory, 'k0')
  store.engine.configure({ mergeEnabled: true, mergeTriggerFragmentation: 1, mergeThresholdFragmentation: 1 })
  store.clock.advance(200)
  await store.until(() => store.engine.merge.status().merges > 0)
  await store.quiet()
  const directory = copyOf(store.directory)
  const file = dataPath(directory, store.engine.log.active.number)
  await store.close()
  fs.truncateSync(file, offset)
  expect((await refusal(directory)).code).toBe('EDAMAGED')
})

test.each([
  'clean stop',
  'kill',
])('a disk that has been filled since a %s: the start gives up the reserve and comes back', async (how) => {
  const reserveBytes = 100_000
  const { store } = await watched({ reserveBytes })
  for (let i = 0; i < 20; i++) store.put(`k${i}`, 'v')
  await store.tick()
  await store.quiet()
  const directory = how === 'kill' ? copyOf(store.directory) : store.directory
  await store.close()
  const reserve = path.join(directory, RESERVE)
  expect(fs.existsSync(reserve)).toBe(true)
  const storage = new FaultyStorage(directory)
  storage.rule = (call) => (call === 'write' && fs.existsSync(reserve) ? 'ENOSPC' : null)
  storage.space = (done): void => {
    setImmediate(() => done(null, { free: fs.existsSync(reserve) ? 0 : reserveBytes, total: 1e9 }))
  }
  const again = await TestStore.open(directory, { storage, reserveBytes })
  expect(keys(again).length).toBe(20)
  again.remove('k3')
  await again.tick()
  expect(keys(again).length).toBe(19)
  await again.close()
})

test('without a manifest, what is taken for a torn tail is reported and kept', async () => {
  let store = await TestStore.open(freshDirectory())
  for (let i = 0; i < 5; i++) store.put(`k${i}`, 'v')
  await store.tick()
  const { directory } = store
  const { segment, offset } = newestOf(directory, 'k3')
  await store.close()
  for (const ending of ['.image', '.hint', MANIFEST]) removeFiles(directory, ending)
  flip(dataPath(directory, segment), offset + 8)
  const dropped = fs.readFileSync(dataPath(directory, segment)).subarray(offset)
  store = await TestStore.open(directory)
  expect(keys(store)).toEqual(['k0', 'k1', 'k2'])
  expect(store.warnings.join()).toContain('a copy is kept')
  expect(fs.readFileSync(path.join(directory, QUARANTINE, `${dataName(segment)}.${offset}`))).toEqual(dropped)
  await store.close()
})

test('a start that is refused, again and again, leaves no copies of the end of the log', async () => {
  const { store } = await watched({ mergeEnabled: false })
  store.put('a', '1')
  store.put('b', '2')
  await store.seal()
  await store.quiet()
  for (let i = 0; i < 50; i++) store.put(`tail ${i}`, 'v'.repeat(100))
  await store.tick()
  const directory = copyOf(store.directory)
  await store.close()
  removeFiles(directory, '.hint')
  const [first] = fs
    .readdirSync(directory)
    .filter((name) => name.endsWith('.data'))
    .sort()
  flip(path.join(directory, first as string), 80)
  const files = (): string[] => fs.readdirSync(directory).filter((name) => name.endsWith('.data'))
  const before = files()
  for (let i = 0; i < 3; i++) expect((await refusal(directory)).code).toBe('EDAMAGED')
  expect(files()).toEqual(before)
})

describe('touches that are read before their values wait in the keydir, and nowhere else', () => {
  const KEYS = 500

  /** The largest collection that a start keeps of them beside it. */
  function watched(): { most: number; before: number } {
    const seen = { most: 0, before: 0 }
    const apply = Replay.prototype.apply
    vi.spyOn(Replay.prototype, 'apply').mockImplementation(function (this: Replay, ...args) {
      if (args[2].kind === KIND_TOUCH && args[3].length > 0) seen.before++
      apply.apply(this, args)
      for (const kept of Object.values(this)) if (kept instanceof Map) seen.most = Math.max(seen.most, kept.size)
    })
    return seen
  }

  async function sessions(store: TestStore): Promise<void> {
    for (let i = 0; i < KEYS; i++) store.put(`k${i}`, 'v'.repeat(20))
    await store.seal()
    for (let i = 0; i < KEYS; i++) store.setExpiry(`k${i}`, store.clock.now() + 1e7 + i)
  }

  async function check(store: TestStore, seen: { most: number; before: number }): Promise<void> {
    expect(seen.before).toBeGreaterThan(0)
    expect(seen.most).toBe(0)
    expect(store.engine.keyCount(0)).toBe(KEYS + 2)
    for (const i of [0, 7, KEYS - 1]) {
      expect(store.expiryOf(`k${i}`)).toBe(store.clock.originMs + 1e7 + i)
      expect(await store.get(`k${i}`)).toBe('v'.repeat(20))
    }
    await store.merge() // which counts what lives
    expect(store.engine.keyCount(0)).toBe(KEYS + 2)
    await store.close()
  }

  test('where a merge has put the values into a newer file, and the manifest is lost', async () => {
    const store = await TestStore.open(freshDirectory())
    store.put('old', 'v')
    for (let i = 0; i < 2 * KEYS; i++) store.put('dead', `${i}`.repeat(20))
    await sessions(store)
    await store.seal()
    expect(await store.merge()).toBeGreaterThan(0)
    await store.close()
    for (const ending of ['.image', '.hint', 'MANIFEST']) removeFiles(store.directory, ending)
    const seen = watched()
    await check(await TestStore.open(store.directory), seen)
  })

  test('where an old key was merged together with the touches, so that they come first', async () => {
    const store = await TestStore.open(freshDirectory())
    store.put('old', 'v')
    for (let i = 0; i < 100; i++) store.put('dead', `${i}`.repeat(20))
    await store.seal()
    await sessions(store)
    for (let i = 0; i < 2 * KEYS; i++) store.put('dead', `${i}`.repeat(20))
    await store.seal()
    expect(await store.merge()).toBeGreaterThan(0)
    const seen = watched()
    await check(await store.killed(), seen)
  })
})

test('what CONFIG SET says while it loads holds afterwards', async () => {
  const onLoading = (engine: Engine): void => engine.configure({ appendfsync: 'always', segmentSizeBytes: 5000 })
  const store = await TestStore.open(freshDirectory(), { onLoading })
  store.put('k', 'v')
  await store.tick()
  const { log } = store.engine
  expect([log.mode, log.segmentSizeBytes, log.unsyncedBytes]).toEqual(['always', 5000, 0])
  await store.close()
})

// The simulator found it: a directory's sync failed, the process died, the next one found the hint (in the page cache), counted on it in its image,
// and a power cut took the name.
test('a hint whose name was lost after the image counted on it is made again, and a scrub of that good disk finds no damage', async () => {
  const store = await TestStore.open(freshDirectory())
  store.put('k', 'v')
  await store.tick()
  await store.seal()
  await store.quiet()
  const [segment] = [...store.engine.segments.all()]
  const name = hintName(segment!.number)
  await store.close()
  expect([IMAGE, name].map((each) => fs.existsSync(path.join(store.directory, each)))).toEqual([true, true])
  fs.unlinkSync(path.join(store.directory, name))

  const again = await TestStore.open(store.directory)
  await again.quiet()
  expect(fs.existsSync(path.join(store.directory, name))).toBe(true)
  const damaged = new Promise((resolve) => again.engine.scrub.wait((_error, found) => resolve(found)))
  await again.quiet()
  expect(await damaged).toBe(0)
  await again.close()
})

test('the image of another store with the same epoch is not believed: its keys would be ours, and a merge would remove our data', async () => {
  const mine = await TestStore.open(freshDirectory())
  for (let i = 0; i < 100; i++) mine.put(`mine ${i}`, 'v'.repeat(200))
  await mine.tick()
  await mine.close()
  const other = await TestStore.open(freshDirectory())
  other.put('other', 'v')
  await other.tick()
  await other.close()
  const epochs = [mine, other].map(({ directory }) => manifestOf(directory).epoch)
  expect(epochs[0]).toBe(epochs[1])
  fs.copyFileSync(path.join(other.directory, IMAGE), path.join(mine.directory, IMAGE))
  const again = await TestStore.open(mine.directory)
  expect(keys(again).length).toBe(100)
  await again.merge()
  expect(await again.get('mine 7')).toBe('v'.repeat(200))
  await again.close()
})

test('starts that are refused for damage in what was proven of the open end do not fill the disk with copies of what was not', async () => {
  const store = await TestStore.open(freshDirectory())
  store.put('a', '1')
  store.put('b', '2')
  await store.tick()
  await new Promise<void>((resolve) => store.engine.whenSynced(() => resolve()))
  for (let i = 0; i < 200; i++) store.put(`tail ${i}`, 'v'.repeat(400))
  await store.tick()
  const directory = copyOf(store.directory)
  await store.close()
  hurt(directory, 'a', 'head')
  const look = (): string[] => fs.readdirSync(directory).filter((name) => name.endsWith('.data'))
  const before = look()
  for (let i = 0; i < 3; i++) expect((await refusal(directory)).code).toBe('EDAMAGED')
  expect(look()).toEqual(before)
})

test('a start without a manifest keeps no more files open than any other', async () => {
  const store = await TestStore.open(freshDirectory(), { segmentSizeBytes: 400 })
  for (let n = 0; n < 300; n++) {
    store.put(`k${n}`, 'v'.repeat(300))
    await store.tick()
    await store.until(() => store.engine.log.next !== null)
  }
  await store.quiet()
  await store.close()
  for (const ending of ['.image', '.hint', 'MANIFEST']) removeFiles(store.directory, ending)
  const descriptors = (): number => fs.readdirSync('/proc/self/fd').length
  const before = descriptors()
  const again = await TestStore.open(store.directory)
  expect(descriptors() - before).toBeLessThan(250)
  expect(again.engine.keyCount(0)).toBe(300)
  await again.close()
})

test('a copy of what is dropped is spoken of only where there is one', async () => {
  const store = await TestStore.open(freshDirectory())
  store.put('a', '1')
  await store.tick()
  const directory = copyOf(store.directory)
  await store.close()
  fs.mkdirSync(path.join(directory, QUARANTINE))
  for (let i = 0; i < 16; i++) fs.writeFileSync(path.join(directory, QUARANTINE, `old.${i}`), 'x')
  const data = namesIn(directory).find((name) => name.endsWith('.data')) as string
  fs.appendFileSync(path.join(directory, data), 'half a record')
  const again = await TestStore.open(directory)
  expect(again.warnings.join()).toContain('without a copy: there are 16')
  expect(again.warnings.join()).not.toContain('a copy is kept')
  await again.close()
})

test('the hint that a clean stop makes is known to the start after it', async () => {
  const store = await TestStore.open(freshDirectory())
  for (let i = 0; i < 50; i++) store.put(`k${i}`, 'v')
  await store.tick()
  await store.close()
  const storage = new FaultyStorage(store.directory)
  const again = await TestStore.open(store.directory, { storage })
  await again.quiet()
  expect(again.engine.segments.get(1)?.hinted).toBe(true)
  expect(storage.calls.filter((call) => call.includes('.hint'))).toEqual([])
  await again.close()
})
