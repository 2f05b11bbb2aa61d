// What a start may meet, case by case: each branch of recovery.ts, hint.ts and manifest.ts that the stories elsewhere pass by.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { crc32 } from '../../src/base/crc32.ts'
import { anchorSeed, sealAnchor } from '../../src/engine/anchor.ts'
import type { Background } from '../../src/engine/background.ts'
import { dataName, hintName, MANIFEST, QUARANTINE } from '../../src/engine/filename.ts'
import { makeHint, readHint } from '../../src/engine/hint.ts'
import { decodeManifest, encodeManifest, isWholeManifest } from '../../src/engine/manifest.ts'
import { nodeStorage } from '../../src/engine/node-storage.ts'
import { PORTIONS } from '../../src/engine/portions.ts'
import { FLAG_BATCH, KIND_ANCHOR, KIND_BATCH_END, KIND_TOMBSTONE, KIND_TOUCH } from '../../src/engine/record.ts'
import { SEGMENT_HEADER_BYTES } from '../../src/engine/segment-header.ts'
import type { Storage, StorageError } from '../../src/engine/storage.ts'
import { run, type Task } from '../../src/engine/task.ts'
import { workerBackground } from '../../src/engine/worker-driver.ts'
import { flip, hurt, newestOf } from './damage.ts'
import { FaultyStorage } from './faulty-storage.ts'
import { allRecords, dataPath, type FoundRecord, hintPath, manifestOf, recordsOf } from './files.ts'
import { restart } from './starts.ts'
import { type Contents, cleanUp, copyOf, freshDirectory, removeFiles, TestStore } from './test-store.ts'
import { watched } from './watched.ts'

afterEach(cleanUp)

function perform<T>(task: Task<T>): Promise<T> {
  return new Promise((resolve, reject) =>
    run(task, (error, value) => (error === null ? resolve(value as T) : reject(error))),
  )
}

const plain = (contents: Contents): Record<string, string> =>
  Object.fromEntries([...contents].map(([name, { value }]) => [name.slice(2), value]))

/** Written, synced, and an anchor that says so stands behind it. */
async function synced(store: TestStore): Promise<void> {
  await store.tick()
  store.clock.advance(1000)
  await store.until(() => store.engine.log.synced === store.engine.appended)
}

/** What a kill leaves now; the store goes. */
async function leftBy(store: TestStore): Promise<string> {
  const directory = copyOf(store.directory)
  await store.close()
  return directory
}

describe('records that a merge has put behind newer ones', () => {
  const eager = { mergeEnabled: true, mergeIntervalMs: 1e9 }

  /** Garbage, most of a segment of it: the next own merge takes that segment, and those like it. */
  function garbage(store: TestStore, name: string, value: string): void {
    for (let i = 0; i < 20; i++) store.put(`${name} ${i}`, value.padEnd(100))
  }

  async function ownMerge(store: TestStore): Promise<void> {
    await store.tick()
    await store.quiet()
    const { merges } = store.engine.merge.status()
    store.engine.configure({ mergeEnabled: true })
    store.clock.advance(60)
    await store.until(() => store.engine.merge.status().merges > merges)
    store.engine.configure({ mergeEnabled: false })
    await store.quiet()
  }

  /** The place of records in the order of the manifest, which is not that in which a start reads them (recovery.ts). */
  const order = (directory: string, wanted: (record: FoundRecord) => boolean): number[] =>
    allRecords(directory)
      .filter(wanted)
      .map(({ sequence }) => sequence)

  test('a segment that begins earlier and ends later is read first: what is older and read behind it is passed over', async () => {
    let store = await TestStore.open(freshDirectory(), { ...eager, mergeEnabled: false })
    store.put('first', 'v')
    garbage(store, 'a', 'old')
    await store.seal()
    // Alive, so that the merge leaves it alone.
    for (let i = 0; i < 30; i++) store.put(`between ${i}`, 'x'.repeat(100))
    store.put('k', 'old')
    store.put('gone', 'old')
    await store.seal()
    garbage(store, 'a', 'newer')
    store.put('k', 'new')
    store.remove('gone')
    await store.seal()
    garbage(store, 'a', 'newest')
    await ownMerge(store)
    await store.quiet()
    const segmentOf = (key: string, kind: number): number =>
      allRecords(store.directory).findLast((record) => record.key === key && record.kind === kind)!.segment
    const { segments } = manifestOf(store.directory)
    const lowOf = (number: number): number => segments.find((segment) => segment.number === number)!.lowSequence
    const olds = allRecords(store.directory).filter(({ key, kind }) => key === 'k' && kind === 1)
    expect(olds.length).toBe(2)
    expect(lowOf(segmentOf('k', 1))).toBeLessThan(lowOf(segmentOf('between 0', 1)))
    expect(segmentOf('gone', KIND_TOMBSTONE)).toBe(segmentOf('k', 1))
    for (const by of ['data', 'hints', 'image'] as const) {
      store = await restart(store, by)
      expect(await store.get('k')).toBe('new')
      expect(await store.get('gone')).toBe(null)
    }
    await store.close()
  })

  test('an older value, its touch, an older tombstone and an older map are passed over', async () => {
    let store = await TestStore.open(freshDirectory(), { ...eager, mergeEnabled: false })
    // Alive outside of the merge, so that the tombstone has something to hide.
    for (let i = 0; i < 30; i++) store.put(`outside ${i}`, 'x'.repeat(100))
    store.put('deleted', 'oldest')
    await store.seal()
    garbage(store, 'g', 'old')
    store.put('k', 'old')
    store.setExpiry('k', store.clock.now() + 1e6)
    store.remove('deleted')
    store.engine.swapDatabases(1, 2)
    await store.seal()
    garbage(store, 'g', 'new')
    await ownMerge(store)
    // Into the segment that was the active one, whose number is lower than the output's.
    store.put('k', 'new')
    store.put('deleted', 'back')
    store.engine.swapDatabases(2, 3)
    store.put('in 3', 'v', 0, 3)
    const ofKey = (key: string) => (record: FoundRecord) => record.key === key && record.kind !== KIND_TOUCH
    await store.seal()
    await store.quiet()
    for (const key of ['k', 'databases']) {
      const sequences = order(store.directory, ofKey(key))
      expect(sequences, key).toEqual([...sequences].sort((a, b) => b - a))
      expect(sequences.length, key).toBe(2)
    }
    expect(allRecords(store.directory).findLast(({ key }) => key === 'deleted')!.kind).toBe(KIND_TOMBSTONE)
    for (const by of ['data', 'hints', 'image'] as const) {
      store = await restart(store, by)
      expect([await store.get('k'), store.expiryOf('k')]).toEqual(['new', 0])
      expect(await store.get('deleted')).toBe('back')
      expect(await store.get('in 3', 3)).toBe('v')
    }
    await store.close()
  })

  test('touches that are read before their value, and in the wrong order, leave the newest expiry', async () => {
    let store = await TestStore.open(freshDirectory(), { ...eager, mergeEnabled: false })
    const at = store.clock.now() + 1e6
    garbage(store, 'a', 'old')
    store.put('k', 'v')
    await store.seal()
    garbage(store, 'b', 'old')
    for (let i = 0; i < 5; i++) store.put(`filler ${i}`, 'x'.repeat(100))
    store.setExpiry('k', at + 1)
    await store.seal()
    // The touch moves behind the active segment, into which the next one goes.
    garbage(store, 'b', 'new')
    await ownMerge(store)
    store.setExpiry('k', at + 2)
    await store.seal()
    await store.quiet()
    const touches = (): number[] => order(store.directory, ({ kind }) => kind === KIND_TOUCH)
    expect(touches()).toEqual([...touches()].sort((a, b) => b - a))
    expect(touches().length).toBe(2)
    // The value first, the newer touch, then the older one.
    store = await restart(store, 'data', { mergeEnabled: false, mergeIntervalMs: 1e9 })
    expect(store.expiryOf('k')).toBe(at + 2)
    // Now the value moves behind both.
    garbage(store, 'a', 'new')
    await ownMerge(store)
    const records = allRecords(store.directory).filter(({ key }) => key === 'k')
    expect(records.map(({ kind }) => kind)).toEqual([KIND_TOUCH, KIND_TOUCH, 1])
    store = await restart(store, 'data')
    expect([await store.get('k'), store.expiryOf('k')]).toEqual(['v', at + 2])
    await store.close()
  })
})

describe('batches', () => {
  test('one that is longer than the distance between anchors, and cut: it never happened', async () => {
    const store = await TestStore.open(freshDirectory(), { appendfsync: 'no' })
    store.put('before', 'v')
    await store.tick()
    store.batch(() => {
      for (let i = 0; i < 30; i++) store.put(`member ${i}`, 'x'.repeat(5000))
    })
    await store.tick()
    const directory = await leftBy(store)
    const segment = manifestOf(directory).segments[0]!
    const records = recordsOf(directory, segment)
    const inside = records.findLastIndex(({ kind }) => kind === KIND_ANCHOR)
    expect(records.length - inside).toBeGreaterThan(2)
    expect(records[inside - 1]!.flags & FLAG_BATCH).toBe(FLAG_BATCH)
    for (const cut of [1, 6000]) {
      const copy = copyOf(directory)
      const file = dataPath(copy, segment.number)
      const last = records.at(-1)!
      fs.truncateSync(file, last.offset + last.length - cut)
      const again = await TestStore.open(copy)
      expect(plain(await again.contents())).toEqual({ before: 'v' })
      await again.close()
    }
    const whole = await TestStore.open(directory)
    expect(whole.engine.keyCount(0)).toBe(31)
    await whole.close()
  })

  test('whole ones between the proven position and a gap across it are kept, the one that the gap has cut is not', async () => {
    const { store, storage } = await watched()
    for (let i = 10; i < 30; i++) store.put(`a${i}`, 'v'.repeat(60))
    await store.tick()
    storage.rule = (call, name) => (call === 'sync' && name.endsWith('.data') ? 'hold' : null)
    store.engine.log.sync()
    const proven = store.engine.log.active.flushedBytes
    for (const name of ['b', 'c'])
      store.batch(() => {
        for (let i = 10; i < 13; i++) store.put(`${name}${i}`, 'v'.repeat(60))
      })
    await store.tick()
    storage.heal()
    storage.release()
    await store.until(() => store.engine.log.synced > 0)
    store.put('d', 'v')
    await store.tick()
    const file = store.engine.log.active.number
    const directory = await leftBy(store)
    // The head of the last record below the proven position, so that reading resumes at the anchor behind c; and a member of c.
    const below = newestOf(directory, 'a29')
    expect(below.offset + below.length).toBe(proven)
    const member = newestOf(directory, 'c11')
    flip(dataPath(directory, file), below.offset + 24)
    flip(dataPath(directory, file), member.offset + 24)
    const served = await TestStore.open(directory, { onCorruption: 'serve' })
    const names = [...(await served.contents()).keys()].map((name) => name.slice(2))
    expect(names.filter((name) => name.startsWith('a')).length).toBe(19)
    expect(names.filter((name) => !name.startsWith('a')).sort()).toEqual(['b10', 'b11', 'b12'])
    await served.close()
  })
})

describe('damage between two anchors of a sealed segment', () => {
  test('costs what lies between them: reading goes on at the second', async () => {
    const store = await TestStore.open(freshDirectory())
    for (const key of ['a', 'b']) store.put(key, 'v')
    await synced(store)
    for (const key of ['c', 'd']) store.put(key, 'v')
    await store.seal()
    await store.close()
    for (const ending of ['.hint', '.image']) removeFiles(store.directory, ending)
    hurt(store.directory, 'a', 'head')
    await expect(TestStore.open(store.directory)).rejects.toMatchObject({ code: 'EDAMAGED' })
    const served = await TestStore.open(store.directory, { onCorruption: 'serve' })
    expect([...(await served.contents()).keys()]).toEqual(['0:c', '0:d'])
    await served.close()
  })
})

describe('two open segments', () => {
  /** a and b proven in the older one, c behind them; d, e and f, each behind an anchor, in the newer one; none of that synced. */
  async function twoOpen(): Promise<{ directory: string; older: number; newer: number }> {
    const { store, storage } = await watched({ segmentSizeBytes: 400 })
    store.put('a', 'value of a')
    store.put('b', 'value of b')
    await synced(store)
    storage.rule = (call, name) => (call === 'sync' && name.endsWith('.data') ? 'hold' : null)
    store.put('c', 'value of c')
    await store.tick()
    const older = store.engine.log.active.number
    store.batch(() => store.put('d', 'd'.repeat(200)))
    await store.tick()
    // Far enough for another anchor.
    store.put('e', 'e'.repeat(70_000))
    await store.tick()
    store.put('f', 'v')
    await store.tick()
    const newer = store.engine.log.active.number
    expect([newer > older, store.engine.log.openSegments().length]).toEqual([true, 2])
    const directory = copyOf(store.directory)
    storage.heal()
    storage.release()
    await store.close()
    return { directory, older, newer }
  }

  test('the older one cut and the head of the newer one hurt: the log ends at the first gap, not at the one found first', async () => {
    const { directory, newer } = await twoOpen()
    const { segment, offset } = newestOf(directory, 'c')
    fs.truncateSync(dataPath(directory, segment), offset)
    flip(dataPath(directory, newer), SEGMENT_HEADER_BYTES + 24)
    const store = await TestStore.open(directory)
    expect([...(await store.contents()).keys()]).toEqual(['0:a', '0:b'])
    await store.close()
  })

  test('an anchor that names another predecessor tells nothing of this one', async () => {
    const { directory, newer } = await twoOpen()
    const file = dataPath(directory, newer)
    const bytes = fs.readFileSync(file)
    const { salt } = manifestOf(directory).segments.find(({ number }) => number === newer)!
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const claim = { provenSegment: 0, provenOffset: 0, previousSegment: 4_000_000, previousLength: 1 << 20 }
    sealAnchor(bytes, view, SEGMENT_HEADER_BYTES, salt, anchorSeed(salt), SEGMENT_HEADER_BYTES, claim, 3, 1)
    fs.writeFileSync(file, bytes)
    const store = await TestStore.open(directory)
    expect([...(await store.contents()).keys()]).toEqual(['0:a', '0:b', '0:c', '0:d', '0:e', '0:f'])
    await store.close()
  })
})

describe('a disk that', () => {
  test('reads the end of the log differently the second time ends it there', async () => {
    const store = await TestStore.open(freshDirectory(), { appendfsync: 'no' })
    for (const key of ['a', 'b', 'c']) store.put(key, 'v'.repeat(5000))
    await store.tick()
    const { number } = store.engine.log.active
    const directory = await leftBy(store)
    const { offset } = newestOf(directory, 'b')
    const storage = new FaultyStorage(directory)
    let reads = 0
    storage.rule = (call, name, position, length) => {
      if (call !== 'read' || name !== dataName(number) || position === 0 || position + length <= offset + 5000)
        return null
      return ++reads > 1 ? 'EIO' : null
    }
    const again = await TestStore.open(directory, { storage })
    expect(again.warnings.join()).toContain('reads differently each time')
    expect([...(await again.contents()).keys()]).toEqual(['0:a'])
    storage.heal()
    await again.close()
  })

  /** A killed store with a torn tail, a hint of an open segment and a stray file; and the name of its active segment. */
  async function torn(): Promise<{ directory: string; active: string; end: number }> {
    const store = await TestStore.open(freshDirectory())
    store.put('k', 'v')
    await store.tick()
    const { number, sizeBytes } = store.engine.log.active
    const directory = await leftBy(store)
    fs.appendFileSync(dataPath(directory, number), 'torn off here')
    fs.writeFileSync(hintPath(directory, number), 'left by a crash')
    fs.writeFileSync(path.join(directory, dataName(900)), 'stray')
    return { directory, active: dataName(number), end: sizeBytes }
  }

  const faults: [string, string, (active: string, end: number) => FaultyStorage['rule']][] = [
    [
      'cannot read a header',
      'EMFILE',
      (active) => (call, name, at) => (call === 'read' && name === active && at === 0 ? 'EMFILE' : null),
    ],
    [
      'cannot read what is dropped',
      'EMFILE',
      (active, end) => {
        let reads = 0 // the first makes sure that it is bad
        return (call, name, at) => (call === 'read' && name === active && at === end && ++reads > 1 ? 'EMFILE' : null)
      },
    ],
    [
      'cannot remove a hint',
      'EIO',
      (active) => (call, name) => (call === 'unlink' && name === active.replace('data', 'hint') ? 'EIO' : null),
    ],
    [
      'cannot remove a stray file',
      'EIO',
      () => (call, name) => (call === 'unlink' && name === dataName(900) ? 'EIO' : null),
    ],
    [
      'cannot open the manifest',
      'EMFILE',
      () => (call, name) => (call === 'open' && name === MANIFEST ? 'EMFILE' : null),
    ],
    [
      'cannot open a segment',
      'EMFILE',
      (active) => (call, name) => (call === 'open' && name === active ? 'EMFILE' : null),
    ],
  ]
  test.each(faults)('%s fails the start with %s, and nothing is lost by it', async (_, code, rule) => {
    const { directory, active, end } = await torn()
    const storage = new FaultyStorage(directory)
    storage.rule = rule(active, end)
    await expect(TestStore.open(directory, { storage })).rejects.toMatchObject({ code })
    const store = await TestStore.open(directory)
    expect(plain(await store.contents())).toEqual({ k: 'v' })
    expect(fs.existsSync(path.join(directory, hintName(Number.parseInt(active, 10))))).toBe(false)
    await store.close()
  })

  test('cannot read the torn bytes at all: they are dropped, and it is said', async () => {
    const { directory, active, end } = await torn()
    const storage = new FaultyStorage(directory)
    storage.rule = (call, name, at) => (call === 'read' && name === active && at === end ? 'EIO' : null)
    const store = await TestStore.open(directory, { storage })
    expect(store.warnings.join()).toContain('cannot be read: dropped')
    expect(plain(await store.contents())).toEqual({ k: 'v' })
    expect(fs.existsSync(path.join(directory, QUARANTINE))).toBe(false)
    await store.close()
  })
})

test('without a manifest, a segment of a newer version refuses the start', async () => {
  const store = await TestStore.open(freshDirectory())
  store.put('k', 'v')
  await store.tick()
  const { number } = store.engine.log.active
  const directory = await leftBy(store)
  fs.unlinkSync(path.join(directory, MANIFEST))
  const bytes = fs.readFileSync(dataPath(directory, number))
  bytes.writeUInt16LE(2, 8)
  bytes.writeUInt32LE(crc32(bytes, 0, SEGMENT_HEADER_BYTES - 4), SEGMENT_HEADER_BYTES - 4)
  fs.writeFileSync(dataPath(directory, number), bytes)
  await expect(TestStore.open(directory)).rejects.toMatchObject({ code: 'EUNSUPPORTED' })
})

test('more segments than files are kept open, and no hint: each is opened again to be read', async () => {
  const store = await TestStore.open(freshDirectory(), { segmentSizeBytes: 100 })
  const count = 210
  for (let i = 0; i < count; i++) {
    store.put(`k${i}`, 'x'.repeat(60))
    await store.tick()
    await store.seal()
  }
  await store.close()
  for (const ending of ['.hint', '.image']) removeFiles(store.directory, ending)
  const first = dataName(manifestOf(store.directory).segments[0]!.number)
  const storage = new FaultyStorage(store.directory)
  let opened = 0
  storage.rule = (call, name) => (call === 'open' && name === first && ++opened === 2 ? 'EMFILE' : null)
  await expect(TestStore.open(store.directory, { storage })).rejects.toMatchObject({ code: 'EMFILE' })
  // And one that has gone between two looks at it is missing.
  storage.rule = (call, name) => {
    if (call === 'open' && name === first && opened++ === 3) fs.unlinkSync(path.join(store.directory, first))
    return null
  }
  const copy = copyOf(store.directory)
  await expect(TestStore.open(store.directory, { storage })).rejects.toMatchObject({ code: 'EDAMAGED' })
  const again = await TestStore.open(copy)
  expect(again.engine.keyCount(0)).toBe(count)
  await again.close()
})

describe('hints', () => {
  async function hinted(): Promise<{ directory: string; segment: ReturnType<typeof manifestOf>['segments'][number] }> {
    const store = await TestStore.open(freshDirectory())
    store.put('k', 'v')
    await store.seal()
    await store.close()
    return { directory: store.directory, segment: manifestOf(store.directory).segments[0]! }
  }

  test.each([
    ['by the thread', (directory: string): Background => workerBackground(directory)],
    [
      'by a thread that cannot, so that the data is read',
      (directory: string): Background => ({
        ...workerBackground(directory),
        order: (_subject, _seed, _spare, done) => done(new Error('it has died'), null),
      }),
    ],
  ])('read %s, a start shows what it shows without', async (name, background) => {
    const store = await TestStore.open(freshDirectory(), { mergeEnabled: false })
    const value = (i: number): string => `value ${i} `.repeat((i % 7) + 1)
    for (let round = 0; round < 4; round++) {
      for (let i = round; i < 300; i += 1 + round) store.put(`key ${i}`, value(i + round), 0, i % 3)
      for (let i = 0; i < 300; i += 50) {
        store.remove(`key ${i + round}`, (i + round) % 3)
        store.setExpiry(`key ${i + 4}`, store.clock.now() + 1e9, (i + 4) % 3)
      }
      await store.seal()
    }
    await store.quiet()
    const expected = await store.contents()
    await store.close()
    removeFiles(store.directory, '.image')
    const portions = { ...PORTIONS, hintsElsewhereBytes: 0 }
    const again = await TestStore.open(store.directory, {
      mergeEnabled: false,
      portions,
      background: background(store.directory),
    })
    expect(await again.contents()).toEqual(expected)
    const told = again.warnings.filter((line) => line.includes('A hint could not be put in order'))
    expect([told.length, again.warnings.length]).toEqual(name === 'by the thread' ? [0, 0] : [4, 4])
    await again.close()
  })

  test('a file that becomes shorter while it is read is none', async () => {
    const { directory, segment } = await hinted()
    const real = nodeStorage(directory)
    const longer: Storage = {
      ...real,
      open: (name, mode, done) =>
        real.open(name, mode, (error, file) => {
          if (error === null) {
            const { size } = file
            file.size = (sized): void => size.call(file, (failed, n) => sized(failed, n + 1))
          }
          done(error, file)
        }),
    }
    expect(await perform(readHint(real, segment))).not.toBe(null)
    expect(await perform(readHint(longer, segment))).toBe(null)
  })

  test('of a segment whose file is missing: damage at its start; of one that cannot be opened: its error', async () => {
    const { directory, segment } = await hinted()
    const storage = new FaultyStorage(directory)
    storage.failNext('open', '.data', 'EMFILE')
    await expect(perform(makeHint(storage, segment))).rejects.toMatchObject({ code: 'EMFILE' })
    storage.failNext('unlink', '.hint.new', 'EIO')
    await expect(perform(makeHint(storage, segment))).rejects.toMatchObject({ code: 'EIO' })
    fs.unlinkSync(dataPath(directory, segment.number))
    expect(await perform(makeHint(storage, segment))).toEqual({ damagedAt: [0] })
  })
})

describe('a manifest', () => {
  test('that names more segments than it has room for is damaged, whatever its checksum says', async () => {
    const store = await TestStore.open(freshDirectory())
    await store.close()
    const body = encodeManifest(manifestOf(store.directory))
    const half = body.length / 2
    for (const from of [0, half]) {
      body.writeUInt32LE(body.readUInt32LE(from + 48) + 1, from + 48)
      body.writeUInt32LE(crc32(body, from, from + half - 4), from + half - 4)
    }
    expect(decodeManifest(body)).toBe(null)
  })

  test('whose bodies are of two times is the newer of them, and not whole', async () => {
    const store = await TestStore.open(freshDirectory())
    await store.close()
    const manifest = manifestOf(store.directory)
    const body = (epoch: number): Buffer => {
      const both = encodeManifest({ ...manifest, epoch })
      return both.subarray(both.length / 2)
    }
    const later = Buffer.from(body(9))
    later.writeUInt16LE(2, 8)
    later.writeUInt32LE(crc32(later, 0, later.length - 4), later.length - 4)
    const bad = Buffer.from(body(9))
    bad[40]! ^= 1
    const epochOf = (...bodies: Buffer[]): unknown => {
      const decoded = decodeManifest(Buffer.concat(bodies))
      return decoded === null || decoded === 'newer' ? decoded : decoded.epoch
    }
    expect([epochOf(body(7), body(8)), epochOf(body(8), body(7)), epochOf(body(8), body(8))]).toEqual([8, 8, 8])
    expect([epochOf(body(7), bad), epochOf(bad, body(7)), epochOf(bad, bad)]).toEqual([7, 7, null])
    expect([epochOf(body(7), later), epochOf(later, body(7)), epochOf(bad, later)]).toEqual([7, 'newer', 'newer'])
    const whole = (...bodies: Buffer[]): boolean => isWholeManifest(Buffer.concat(bodies))
    expect([whole(body(7), body(7)), whole(body(7), body(8)), whole(bad, bad)]).toEqual([true, false, false])
    expect(epochOf(body(7), Buffer.of(0))).toBe(7)
  })

  test('whose old draft cannot be removed is not committed', async () => {
    const directory = freshDirectory()
    const storage = new FaultyStorage(directory)
    storage.failNext('unlink', `${MANIFEST}.new`, 'EIO')
    await expect(TestStore.open(directory, { storage })).rejects.toMatchObject({ code: 'EIO' } as Partial<StorageError>)
    expect(fs.existsSync(path.join(directory, MANIFEST))).toBe(false)
  })
})

test('the end of a batch has a sequence too: none is given out again after its segment was copied', async () => {
  const store = await TestStore.open(freshDirectory())
  store.batch(() => store.put('k', 'v'))
  await store.tick()
  const { appended } = store.engine
  const directory = await leftBy(store)
  expect(allRecords(directory).findLast(({ kind }) => kind === KIND_BATCH_END)!.sequence).toBe(appended)
  const again = await TestStore.open(directory)
  expect(again.engine.appended).toBeGreaterThanOrEqual(appended)
  await again.close()
})
