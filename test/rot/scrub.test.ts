// SCRUB: it finds every damage there is, on the living and the dead, whatever memory still knows; and what follows from it.

import { beforeAll, describe, expect, test } from 'vitest'
import { Slice, sliceOf } from '../../src/base/slice.ts'
import { hintName, MANIFEST } from '../../src/engine/filename.ts'
import { randomFrom } from '../harness/random.ts'
import { BLOCK_BYTES } from './damage.ts'
import { type DataSet, dataSets } from './data-set.ts'
import type { FoundSegment } from './reader.ts'
import { RotStore } from './store.ts'

const SEED = 2
let set: DataSet

beforeAll(() => {
  set = dataSets(SEED).hints
})

function start(options: Parameters<typeof RotStore.open>[1] = {}): RotStore {
  const store = RotStore.open(set.disk, options)
  if (!(store instanceof RotStore)) throw store
  store.clock.advance(10)
  return store
}

const scrub = (store: RotStore): number => store.wait<number>((done) => store.engine.scrub.wait(done)) as number

/** A sealed segment with records enough. */
const victim = (): FoundSegment => set.segments.find(({ records }) => records.length > 30) as FoundSegment

/** A key that is alive, whose newest value lies in that segment. */
function livingIn(segment: FoundSegment): { database: number; key: string; start: number; end: number } {
  for (const { value, start, end, key } of segment.records) {
    if (value.length < 8) continue
    const live = [...set.live.values()].find((each) => each.key === key && each.value.equals(value))
    if (live !== undefined) return { database: live.database, key, start, end }
  }
  throw new Error('none')
}

test('a whole store: nothing is found, all of it is read', () => {
  const store = start()
  expect(scrub(store)).toBe(0)
  const status = store.engine.scrub.status()
  const bytes = [...set.disk.values()].reduce((sum, each) => sum + each.length, 0)
  // The manifest of this start is a little longer than the one it found.
  expect(status.lastBytes).toBeGreaterThanOrEqual(bytes)
  expect(status).toMatchObject({
    state: 'idle',
    scrubs: 1,
    failures: 0,
    lastSegments: set.segments.length,
    lastError: '',
  })
  expect(status.lastEndedAt).toBe(store.clock.now())
  expect(store.warnings).toEqual([])
  expect(store.engine.stats().damagedSegments).toBe(0)
})

test('every damaged byte of every data file is found: header, living, dead, anchors', () => {
  const random = randomFrom(SEED)
  const store = start()
  const { scrubber } = store.engine.upkeep
  const forget = (): void => {
    for (const segment of store.engine.segments.all()) segment.damaged = false
  }
  for (const { name, validBytes } of set.segments) {
    const bytes = store.storage.rotting(name)
    for (let n = 0; n < (process.env['CASKY_TEST_FULL'] === '1' ? 60 : 6); n++) {
      const at = n === 0 ? random.below(60) : random.below(validBytes)
      bytes[at]! ^= 1 << random.below(8)
      const before = Buffer.from(set.disk.get(name) as Buffer)[at]!
      expect(scrub(store), `byte ${at} of ${name}`).toBe(1)
      expect(scrubber.status().damaged).toBe(1)
      expect(store.engine.stats().damagedSegments).toBe(1)
      bytes[at] = before
      forget()
    }
  }
})

test('what rots while its value is in memory is found, and the next read from disk is an error', () => {
  const store = start({ valueCacheBytes: 16 << 20 })
  const segment = victim()
  const { database, key, end } = livingIn(segment)
  expect(store.get(database, sliceOf(key))).toBeInstanceOf(Slice)
  store.storage.rotting(segment.name)[end - 1]! ^= 4
  expect(store.get(database, sliceOf(key))).toBeInstanceOf(Slice) // from memory, and right
  expect(scrub(store)).toBe(1)
  expect(store.engine.scrub.status()).toMatchObject({ lastDamaged: 1, lastDamagedKeys: 1 })
  expect(store.warnings.join()).toContain(`"segment":${segment.number}`)
  store.engine.forgetValues()
  expect(store.get(database, sliceOf(key))).toBeInstanceOf(Error)
  store.put(database, key, 'written again')
  store.flush()
  expect(store.get(database, sliceOf(key))).toBeInstanceOf(Slice)
  expect(scrub(store)).toBe(1) // still there, but nobody's any more
  expect(store.engine.scrub.status().lastDamagedKeys).toBe(0)
})

test('damage of what is dead hurts no key', () => {
  const store = start()
  const segment = victim()
  const dead = segment.records.find(
    ({ kind, value, key }) =>
      kind === 1 && ![...set.live.values()].some((each) => each.key === key && each.value.equals(value)),
  )
  expect(dead).toBeDefined()
  store.storage.rotting(segment.name)[dead!.end - 1]! ^= 1
  expect(scrub(store)).toBe(1)
  expect(store.engine.scrub.status().lastDamagedKeys).toBe(0)
})

test('a damaged segment is no input of a merge, and a backup-like copy of it starts as damaged', () => {
  const store = start()
  const segment = victim()
  const { database, key, end } = livingIn(segment)
  store.storage.rotting(segment.name)[end - 1]! ^= 4
  scrub(store)
  const verdicts = store.engine.merge.why().segments()
  expect(verdicts.find((each) => each.segment === segment.number)?.verdict).toBe('damaged: kept as it is')
  store.merge()
  expect(store.storage.has(segment.name)).toBe(true)
  expect(store.get(database, sliceOf(key))).toBeInstanceOf(Error)
  for (const live of set.live.values()) {
    if (live.key === key && live.database === database) continue
    expect(store.get(live.database, sliceOf(live.key))).toBeInstanceOf(Slice)
  }
  store.close()
  const again = RotStore.open(store.storage.disk()) as RotStore
  expect(again.engine.stats().damagedSegments).toBe(1) // the manifest says so
  expect(again.get(database, sliceOf(key))).toBeInstanceOf(Error)
})

describe('a hint', () => {
  test.each(['a bit', 'gone', 'of other data, with a good checksum'])('damaged (%s) is told, and made again', (how) => {
    const store = start()
    const segment = victim()
    const name = hintName(segment.number)
    const good = Buffer.from(set.disk.get(name) as Buffer)
    const bytes = store.storage.rotting(name)
    if (how === 'gone') store.storage.unlink(name, () => {})
    else bytes[40]! ^= 1
    if (how.startsWith('of other')) sealAgain(bytes)
    expect(scrub(store)).toBe(1)
    expect(store.warnings.join()).toContain('A hint is damaged')
    store.clock.advance(2000)
    expect(store.storage.disk().get(name)).toEqual(good)
    expect(scrub(store)).toBe(0)
    expect(store.engine.stats().damagedSegments).toBe(0)
  })
})

describe('MANIFEST', () => {
  test.each(['one copy', 'a block', 'gone', 'an old one'])('damaged (%s) is told, and written again', (how) => {
    const store = start()
    store.seal()
    if (how === 'gone') store.storage.unlink(MANIFEST, () => {})
    else {
      const bytes = store.storage.rotting(MANIFEST)
      if (how === 'one copy') bytes[bytes.length - 60]! ^= 1
      else if (how === 'a block') bytes.fill(0, 0, BLOCK_BYTES)
      else {
        store.storage.unlink(MANIFEST, () => {})
        const old = set.disk.get(MANIFEST) as Buffer
        store.storage.open(MANIFEST, 'create', (_, file) => void file.writeSync(old, 0, old.length, 0))
      }
    }
    expect(scrub(store)).toBe(1)
    expect(store.warnings.join()).toContain('MANIFEST is not what was written')
    expect(scrub(store)).toBe(0)
    const again = RotStore.open(store.storage.disk())
    expect(again).toBeInstanceOf(RotStore)
    expect((again as RotStore).warnings).toEqual([])
  })
})

describe('a scrub that runs', () => {
  test('is one at a time, stands still, goes on, is cancelled; clients are served and merges run meanwhile', () => {
    const store = start({ scrubRateBytesPerSecond: 1000 })
    const { scrub: control } = store.engine
    expect(control.cancel()).toBe(false)
    expect(control.start()).toBe(true)
    expect(control.start()).toBe(false)
    const segment = set.segments[0] as FoundSegment
    const seconds = (set.disk.get(segment.name) as Buffer).length / 1000
    store.clock.advance(seconds * 1000 - 500)
    expect(control.status()).toMatchObject({ state: 'running', segmentsRead: 0 })
    // At this rate the first segment and its hint take so long.
    store.clock.advance((set.disk.get(hintName(segment.number)) as Buffer).length + 600)
    expect(control.status().segmentsRead).toBe(1)
    control.pause()
    expect(control.status().state).toBe('paused')
    store.clock.advance(1_000_000)
    expect(control.status().segmentsRead).toBeLessThanOrEqual(2)
    expect(store.get(1, sliceOf(''))).toBeInstanceOf(Slice)
    store.engine.configure({ scrubRateBytesPerSecond: 0 })
    store.merge()
    control.resume()
    store.clock.advance(1_000_000)
    expect(control.status()).toMatchObject({ state: 'idle', scrubs: 1, lastDamaged: 0 })

    store.engine.configure({ scrubRateBytesPerSecond: 1 })
    let ended: Error | null = null
    control.wait((error) => {
      ended = error
    })
    store.clock.advance(1000)
    expect(control.cancel()).toBe(true)
    store.clock.advance(1000)
    expect(ended).toMatchObject({ message: 'cancelled' })
    expect(control.status()).toMatchObject({ state: 'idle', scrubs: 1, failures: 1, lastError: 'cancelled' })
  })

  test('ends with the store', () => {
    const store = start({ scrubRateBytesPerSecond: 1 })
    store.engine.scrub.start()
    store.clock.advance(1000)
    store.close()
    expect(store.engine.scrub.status().state).toBe('idle')
    const again = RotStore.open(store.storage.disk()) as RotStore
    expect(again.engine.keyCount(0)).toBe(start().engine.keyCount(0))
  })
})

// The last four bytes are the checksum of all before them.
function sealAgain(bytes: Buffer): void {
  bytes.writeUInt32LE(crcOf(bytes.subarray(0, -4)), bytes.length - 4)
}

function crcOf(bytes: Buffer): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}
