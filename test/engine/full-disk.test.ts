// Full disks, as the engine's own tests can make them: the storage says how much is free. For real they are in test/disk-full.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { GATE_FAILED, GATE_FULL, NONE } from '../../src/engine/engine.ts'
import { IMAGE, LAST_RESERVE, MANIFEST, RESERVE, temporary } from '../../src/engine/filename.ts'
import { Keydir } from '../../src/engine/keydir/keydir.ts'
import type { Reserve } from '../../src/engine/reserve.ts'
import { FaultyStorage } from './faulty-storage.ts'
import { cleanUp, copyOf, freshDirectory, type TestOptions, TestStore } from './test-store.ts'

afterEach(cleanUp)

const reserveBytes = 100_000

/** A disk of which the test says how much is free. */
class NarrowStorage extends FaultyStorage {
  free = 1e9
  freeFiles: number | undefined
  spaceFails = false
  /** Called when it is asked how much is free. */
  onSpace: () => void = () => {}

  override space(...[done]: Parameters<FaultyStorage['space']>): void {
    this.onSpace()
    const { free, freeFiles } = this
    const space = freeFiles === undefined ? { free, total: 1e10 } : { free, total: 1e10, freeFiles }
    setImmediate(() => done(this.spaceFails ? Object.assign(new Error('EIO'), { code: 'EIO' }) : null, space))
  }
}

/** So many bytes for the whole directory, as a small file system has. Counted as the calls are made: several may be under way. */
class SmallStorage extends FaultyStorage {
  private readonly sizes = new Map<string, number>()

  constructor(directory: string, bytes: number) {
    super(directory)
    this.rule = (call, name, position, length) => {
      if (call === 'unlink') this.sizes.delete(name)
      if (call !== 'write') return null
      const before = this.sizes.get(name) ?? 0
      const after = Math.max(before, position + length)
      if (this.used - before + after > bytes) return 'ENOSPC'
      this.sizes.set(name, after)
      return null
    }
    this.space = (done) => setImmediate(() => done(null, { free: bytes - this.used, total: 1e10 }))
  }

  private get used(): number {
    return [...this.sizes.values()].reduce((sum, size) => sum + size, 0)
  }

  override rename(...[from, to, done]: Parameters<FaultyStorage['rename']>): void {
    this.sizes.set(to, this.sizes.get(from) ?? 0)
    this.sizes.delete(from)
    super.rename(from, to, done)
  }
}

/** So many files for the whole directory. */
class FewFiles extends FaultyStorage {
  constructor(directory: string, most: () => number) {
    super(directory)
    const free = (): number => Math.max(0, most() - fs.readdirSync(directory).length)
    this.rule = (call, name) =>
      call === 'open' && !fs.existsSync(path.join(directory, name)) && free() === 0 ? 'ENOSPC' : null
    this.space = (done) => setImmediate(() => done(null, { free: 1e9, total: 1e10, freeFiles: free() }))
  }
}

/** Not a byte free; each file of such a name that goes gives so many. */
function fullUntilGone(directory: string, ending: string, bytes: number): NarrowStorage {
  const storage = new NarrowStorage(directory)
  storage.free = 0
  const unlink = storage.unlink.bind(storage)
  storage.unlink = (name, done) => {
    if (name.endsWith(ending)) storage.free += bytes
    unlink(name, done)
  }
  return storage
}

async function narrow(
  options: TestOptions = {},
  directory = freshDirectory(),
  free = 1e9,
): Promise<{ store: TestStore; storage: NarrowStorage }> {
  const storage = new NarrowStorage(directory)
  storage.free = free
  const store = await TestStore.open(directory, { storage, reserveBytes, ...options })
  await store.quiet()
  return { store, storage }
}

const has = ({ directory }: TestStore, name: string): boolean => fs.existsSync(path.join(directory, name))

async function second(store: TestStore): Promise<void> {
  store.clock.advance(1100)
  await store.quiet()
}

const isBuilding = (reserve: Reserve): boolean => (reserve as unknown as { building: boolean }).building

/** Segments in which every other record is dead. */
async function halfDead(store: TestStore, segments: number): Promise<void> {
  for (let i = 0; i < segments; i++) {
    for (let k = 0; k < 40; k++) store.put(`${i}/${k}`, 'v'.repeat(50))
    await store.tick()
    await store.seal()
    await store.quiet()
  }
  for (let i = 0; i < segments; i++) for (let k = 0; k < 40; k += 2) store.remove(`${i}/${k}`)
  await store.tick()
  await store.quiet()
}

describe('a disk without room', () => {
  test('at a start without a reserve, and none to be made: writes that grow are refused from the first on, deletes go on', async () => {
    const { store: before } = await narrow()
    before.put('k', 'v')
    before.put('gone', 'v')
    await before.tick()
    await before.quiet()
    const copy = copyOf(before.directory)
    await before.close()
    fs.unlinkSync(path.join(copy, RESERVE))
    const { store, storage } = await narrow({}, copy, 2 * reserveBytes - 1)
    expect(store.engine.gate).toBe(GATE_FULL)
    expect(store.engine.gateMessage).toContain('The disk is full')
    expect(store.engine.stats().lastWriteOk, 'INFO: aof_last_write_status').toBe(false)
    store.remove('gone')
    await store.tick()
    await second(store)
    expect(store.engine.gate).toBe(GATE_FULL)
    storage.free = 1e9
    await second(store)
    expect([store.engine.gate, has(store, RESERVE), store.engine.stats().lastWriteOk]).toEqual([0, true, true])
    expect([...(await store.contents()).keys()]).toEqual(['0:k'])
    await store.close()
  })

  test('the reserve used up by deletes: the last one repairs the log, all writes are refused, and go on as room comes', async () => {
    const { store, storage } = await narrow()
    for (let i = 0; i < 10; i++) store.put(`k${i}`, 'v')
    await store.tick()
    storage.free = 0
    storage.failNext('write', '.data', 'ENOSPC')
    store.put('k', 'v')
    store.engine.flush()
    await store.until(() => store.engine.gate === GATE_FULL)
    await store.quiet()
    expect([has(store, RESERVE), has(store, LAST_RESERVE)]).toEqual([false, true])
    storage.failNext('write', '.data', 'ENOSPC')
    store.remove('k1')
    store.engine.flush()
    await store.until(() => store.engine.gateMessage.includes('used up') && !store.engine.log.failed)
    await store.quiet()
    expect([store.engine.gate, has(store, LAST_RESERVE)]).toEqual([GATE_FAILED | GATE_FULL, false])
    expect((await store.contents()).size).toBe(10)

    const again = await narrow({}, copyOf(store.directory), 0)
    expect(again.store.engine.gate).toBe(GATE_FAILED | GATE_FULL)
    expect((await again.store.contents()).size).toBe(10)
    await again.store.close()

    storage.free = reserveBytes
    await second(store)
    expect([store.engine.gate, has(store, LAST_RESERVE)]).toEqual([GATE_FULL, true])
    storage.free = 1e9
    await second(store)
    expect(store.engine.gate).toBe(0)
    store.remove('k1')
    await store.tick()
    expect((await store.contents()).size).toBe(9)
    await store.close()
  })

  test('not a byte left at a start, and no reserve: as many hints go as it needs, none that is all there is; they come back with the room', async () => {
    const { store: before } = await narrow()
    for (let i = 0; i < 4; i++) {
      before.put(`k${i}`, 'v'.repeat(2000))
      await before.tick()
      await before.seal()
      await before.quiet()
    }
    const copy = copyOf(before.directory)
    await before.close()
    for (const name of [RESERVE, LAST_RESERVE]) fs.unlinkSync(path.join(copy, name))
    const hints = (): string[] => fs.readdirSync(copy).filter((name) => name.endsWith('.hint'))
    const all = hints()
    expect(all.length).toBe(4)
    fs.truncateSync(path.join(copy, (all[0] as string).replace('hint', 'data')), 100)

    const storage = fullUntilGone(copy, '.hint', 600_000)
    const store = await TestStore.open(copy, { storage, reserveBytes: 10_000_000 })
    await store.quiet()
    expect(hints(), 'a mebibyte was wanted, so two of them went').toEqual([all[0], all[3]])
    expect(store.engine.keydir.total, 'also the key whose value is lost').toBe(4)

    storage.free = 1e9
    await second(store)
    await second(store)
    expect(hints().length).toBe(4)
    await store.close()
  })

  test('a hint that found no room leaves nothing behind, and what an interrupted one has left goes first', async () => {
    const { store, storage } = await narrow()
    storage.rule = (call, name) => (call === 'write' && name.includes('.hint') ? 'short' : null)
    store.put('k', 'v')
    await store.seal()
    await store.quiet()
    expect(fs.readdirSync(store.directory).filter((name) => name.includes('.hint'))).toEqual([])
    storage.heal()
    await second(store)
    await second(store)
    const copy = copyOf(store.directory)
    await store.close()
    for (const name of [RESERVE, LAST_RESERVE]) fs.unlinkSync(path.join(copy, name))
    fs.writeFileSync(path.join(copy, '0000000009.hint.new'), 'half')
    const full = fullUntilGone(copy, '.hint.new', 2_000_000)
    const again = await TestStore.open(copy, { storage: full, reserveBytes: 10_000_000 })
    expect(fs.readdirSync(copy).filter((name) => name.includes('.hint'))).toEqual(['0000000001.hint'])
    await again.close()
  })

  test('not a byte left at a start, and nothing to give up: it says what to do, and loses nothing', async () => {
    const { store: before } = await narrow()
    before.put('k', 'v')
    await before.tick()
    const copy = copyOf(before.directory)
    await before.close()
    const storage = new NarrowStorage(copy)
    storage.free = 0
    storage.rule = (call) => (call === 'write' ? 'ENOSPC' : null)
    const tried = TestStore.open(copy, { storage, reserveBytes })
    await expect(tried).rejects.toThrow(
      /^The disk is full .* Free some space there, then start again; nothing is lost\.$/,
    )
    const { store } = await narrow({}, copy)
    expect((await store.contents()).size).toBe(1)
    await store.close()
  })

  test('no more files: the next segment cannot be made, and writes that grow are refused before the log has nowhere to go', async () => {
    const { store, storage } = await narrow({ segmentSizeBytes: 1000 })
    storage.freeFiles = 0
    storage.rule = (call, name) =>
      call === 'open' && name.endsWith('.data') && fs.existsSync(path.join(store.directory, RESERVE)) ? 'ENOSPC' : null
    for (let i = 0; i < 40; i++) store.put(`k${i}`, 'v'.repeat(40))
    await store.tick()
    store.put('over', 'v'.repeat(1000))
    await store.tick()
    await store.quiet()
    expect([store.engine.gate, has(store, RESERVE)]).toEqual([GATE_FULL, false])
    expect(store.engine.log.next).not.toBe(null)
    storage.freeFiles = 1000
    await second(store)
    expect([store.engine.gate, has(store, RESERVE), has(store, `${RESERVE}.1`)]).toEqual([0, true, true])
    await store.close()
  })

  test('no more files, and no reserve: deletes were refused for ever; now hints go, and what a merge wants comes out of what is left', async () => {
    const { store: before } = await narrow()
    await halfDead(before, 6)
    const copy = copyOf(before.directory)
    await before.close()
    for (const name of fs.readdirSync(copy)) if (name.startsWith(RESERVE)) fs.unlinkSync(path.join(copy, name))
    const hints = (): number => fs.readdirSync(copy).filter((name) => name.endsWith('.hint')).length
    expect(hints()).toBe(6)

    let most = fs.readdirSync(copy).length + 3 // what a start has to make
    const store = await TestStore.open(copy, { storage: new FewFiles(copy, () => most), reserveBytes })
    expect(store.engine.gate, 'it is known at once').toBe(GATE_FAILED | GATE_FULL)
    await second(store)
    expect([store.engine.gate, has(store, LAST_RESERVE)]).toEqual([GATE_FULL, true])
    expect(hints(), 'no more than were needed').toBe(2)
    store.remove('0/1')
    await store.tick()

    expect(await store.merge()).toBeGreaterThan(0)
    await store.quiet()
    expect((await store.contents()).size).toBe(119)
    most = 1000
    await second(store)
    expect(store.engine.gate).toBe(0)
    await store.close()
  })

  test('a manifest that has no room takes the reserve’s', async () => {
    const { store, storage } = await narrow()
    store.put('k', 'v')
    await store.tick()
    storage.free = 0
    storage.rule = (call, name) =>
      call === 'open' && name.startsWith(MANIFEST) && fs.existsSync(path.join(store.directory, RESERVE))
        ? 'ENOSPC'
        : null
    await store.seal()
    await store.quiet()
    expect(has(store, RESERVE)).toBe(false)
    await second(store)
    expect(store.engine.gate, 'and now the disk is known to be full').toBe(GATE_FULL)
    await store.close()
  })

  test('a stop writes neither hint nor image, and half an image is no use to anybody', async () => {
    const { store, storage } = await narrow()
    store.put('k', 'v')
    await store.tick()
    store.engine.setGate(GATE_FULL, true)
    storage.free = 0
    fs.writeFileSync(path.join(store.directory, temporary(IMAGE)), 'half')
    await store.close()
    expect([has(store, IMAGE), fs.readdirSync(store.directory).some((name) => name.endsWith('.hint'))]).toEqual([
      false,
      false,
    ])
    const again = await narrow({}, store.directory, 0)
    expect(has(again.store, temporary(IMAGE))).toBe(false)
    expect((await again.store.contents()).size).toBe(1)
    await again.store.close()
  })

  test('a reserve that cannot be written whole leaves nothing behind; one that may not be that long is as long as may be', async () => {
    const { store, storage } = await narrow()
    fs.unlinkSync(path.join(store.directory, RESERVE))
    store.engine.setGate(GATE_FULL, true)
    storage.rule = (call, name) => (call === 'write' && name.startsWith(RESERVE) ? 'ENOSPC' : null)
    await second(store)
    expect([store.engine.gate, has(store, temporary(RESERVE))]).toEqual([GATE_FULL, false])
    let writes = 0
    storage.rule = (call, name) =>
      call !== 'write' || !name.startsWith(RESERVE) ? null : writes++ === 0 ? 'short' : ('EFBIG' as 'EIO')
    await second(store)
    expect([store.engine.gate, fs.statSync(path.join(store.directory, RESERVE)).size]).toEqual([0, reserveBytes / 2])
    await store.close()
  })
})

describe('a merge takes what fits', () => {
  test('one segment after the other where there is room for the live half of one', async () => {
    const { store, storage } = await narrow()
    await halfDead(store, 4)
    // What one leaves is what the next may have.
    storage.free = 3000
    const before = store.engine.stats().diskBytes
    expect(await store.merge()).toBeGreaterThan(0)
    await store.quiet()
    expect(store.engine.merge.status().merges).toBeGreaterThan(1)
    expect(store.engine.stats().diskBytes).toBeLessThan(before * 0.7)
    expect((await store.contents()).size).toBe(80)
    await store.close()
  })

  test('no output fits: what lives not at all goes first, then what that has made room for', async () => {
    const { store, storage } = await narrow()
    await halfDead(store, 2)
    for (let k = 0; k < 40; k++) store.remove(`0/${k}`)
    await store.tick()
    await store.seal()
    await store.quiet()
    storage.freeFiles = 0
    const segments = (): number[] => [...store.engine.segments.all()].map(({ number }) => number)
    const first = Math.min(...segments())
    await store.merge().catch(() => {})
    expect(segments()).not.toContain(first)
    expect(segments()).toContain(first + 1)
    storage.freeFiles = 4
    expect(await store.merge()).toBeGreaterThan(0)
    await store.quiet()
    expect((await store.contents()).size).toBe(20)
    await store.close()
  })

  test('nothing is given up for one that lacks bytes: deletes go on, and hints are there', async () => {
    const { store, storage } = await narrow()
    await halfDead(store, 3)
    store.engine.setGate(GATE_FULL, true)
    const { reserve } = store.engine.upkeep as unknown as { reserve: Reserve }
    reserve.whole = false
    fs.unlinkSync(path.join(store.directory, RESERVE))
    storage.free = 100
    storage.freeFiles = 100
    const before = fs.readdirSync(store.directory).filter((name) => name.endsWith('.hint') || name === LAST_RESERVE)
    await expect(store.merge()).rejects.toThrow('no room')
    await store.quiet()
    expect(fs.readdirSync(store.directory)).toEqual(expect.arrayContaining(before))
    expect(store.engine.gate).toBe(GATE_FULL)
    await store.abandon()
  })

  test('what it counts on is not taken by the reserve, and a disk that has room for both is not called full', async () => {
    const { store, storage } = await narrow()
    await halfDead(store, 2)
    for (const name of fs.readdirSync(store.directory)) {
      if (name.startsWith(RESERVE)) fs.unlinkSync(path.join(store.directory, name))
    }
    const { reserve } = store.engine.upkeep as unknown as { reserve: Reserve }
    reserve.whole = false
    storage.free = 2 * reserveBytes + 1000
    storage.rule = (call, name) =>
      call === 'write' && name.endsWith('.data') && reserve.claim.files === 2 ? 'hold' : null
    const merging = store.merge()
    await store.until(() => storage.holding > 0)
    store.clock.advance(1100)
    await store.until(() => has(store, LAST_RESERVE) && !isBuilding(reserve))
    expect([reserve.claim.files, store.engine.gate, has(store, LAST_RESERVE), has(store, RESERVE)]).toEqual([
      2,
      0,
      true,
      false,
    ])
    storage.heal()
    storage.release()
    await merging
    await second(store)
    expect([reserve.claim.files, store.engine.gate, has(store, RESERVE)]).toEqual([0, 0, true])
    await store.close()
  })

  test('nothing fits: MERGE says so, and nothing is touched', async () => {
    const { store, storage } = await narrow()
    await halfDead(store, 2)
    storage.free = 100
    await expect(store.merge()).rejects.toThrow('no room')
    expect(store.why().some(({ verdict }) => verdict.includes('dead') || verdict !== '')).toBe(true)
    storage.spaceFails = true // nobody knows: it is tried
    expect(await store.merge()).toBeGreaterThan(0)
    await store.close()
  })

  test('nobody asks: on a full disk little that is dead is enough', async () => {
    const { store, storage } = await narrow({ mergeEnabled: true })
    await halfDead(store, 3)
    await second(store)
    expect(store.engine.merge.status().merges).toBe(0)
    storage.free = 50_000
    store.engine.setGate(GATE_FULL, true)
    fs.unlinkSync(path.join(store.directory, RESERVE))
    await second(store)
    await second(store)
    await store.until(() => store.engine.merge.status().merges > 0)
    await store.quiet()
    expect((await store.contents()).size).toBe(60)
    await store.close()
  })

  test('a stop while it is asked how much is free: no merge begins', async () => {
    const { store, storage } = await narrow()
    await halfDead(store, 2)
    let closed: Promise<void> | undefined
    storage.onSpace = () => {
      closed ??= store.close()
    }
    await expect(store.merge()).rejects.toThrow('closing')
    await closed
  })
})

describe('keys that expire while the disk is full', () => {
  const HOUR = 3_600_000
  const tombstoneBytes = ({ engine }: TestStore): number =>
    [...engine.segments.all()].reduce((sum, segment) => sum + segment.tombstoneBytes, 0)

  /** Sessions of an hour, until their disk is full; then the hour is over. */
  async function fullOfSessions(options: TestOptions): Promise<TestStore> {
    const directory = freshDirectory()
    const storage = new SmallStorage(directory, 1 << 20)
    const store = await TestStore.open(directory, {
      storage,
      reserveBytes: 1 << 16,
      segmentSizeBytes: 1 << 16,
      ...options,
    })
    await store.quiet()
    const isFull = (): boolean => (store.engine.gate & (GATE_FULL | GATE_FAILED)) !== 0
    for (let n = 0; !isFull(); ) {
      for (const end = n + 100; n < end; n++) store.put(`session:${n}`, 'v'.repeat(100), store.clock.now() + HOUR)
      store.engine.flush()
      await store.quiet()
    }
    await store.until(() => store.engine.gate === GATE_FULL && !store.engine.log.failed)
    await store.quiet()
    store.clock.originMs += 2 * HOUR
    return store
  }

  test('make room: a store of sessions that was full comes back by itself', async () => {
    const store = await fullOfSessions({ mergeEnabled: true, mergeIntervalMs: 1000 })
    expect(store.engine.keydir.total).toBeGreaterThan(3000)
    for (let n = 0; n < 300 && (store.engine.gate !== 0 || store.engine.keydir.total > 0); n++) {
      store.clock.advance(500)
      await store.until(() => store.engine.merge.status().state !== 'running')
      await store.quiet()
    }
    expect([store.engine.gate, store.engine.keydir.total]).toEqual([0, 0])
    store.put('again', 'v')
    await store.tick()
    expect(await store.contents()).toEqual(new Map([['0:again', { value: 'v', expiry: 0 }]]))
    await store.close()
  })

  test('take a quarter of the reserve, by themselves or by being asked for, and more when a merge has made room', async () => {
    const store = await fullOfSessions({})
    const keys = store.engine.keydir.total
    const quarter = (1 << 16) / 4
    const most = Math.floor(quarter / 40) // no tombstone is shorter
    for (let n = 0; n < 20; n++) {
      store.clock.advance(100)
      store.engine.flush()
    }
    const byThemselves = tombstoneBytes(store)
    expect(byThemselves).toBeGreaterThan(quarter - 100)
    expect(byThemselves).toBeLessThanOrEqual(quarter)
    for (let n = 0; n < keys; n++) expect(store.find(`session:${n}`), 'hidden').toBe(NONE)
    expect(tombstoneBytes(store), 'nothing is written for those').toBe(byThemselves)
    expect(store.engine.keydir.total).toBeGreaterThan(keys - most)
    await store.tick()

    // The gate stays closed: what is free now is not the reserve twice.
    const before = store.engine.stats().expired
    expect(await store.merge()).toBeGreaterThan(quarter)
    await store.quiet()
    expect(store.engine.gate).toBe(GATE_FULL)
    for (let n = 0; n < keys; n++) store.find(`session:${n}`)
    await store.tick()
    expect(store.engine.stats().expired).toBeGreaterThan(before)
    expect(store.engine.stats().expired).toBeLessThan(keys)
    await store.abandon()
  })
})

test('an index that can hold no more keys: new writes are refused before it is full, deletes go on, writes resume', async () => {
  const { store } = await narrow()
  store.put('k', 'v')
  const isFull = vi.spyOn(Keydir.prototype, 'isNearlyFull', 'get').mockReturnValue(true)
  await second(store)
  expect(store.engine.gate).toBe(GATE_FULL)
  expect(store.engine.gateMessage).toContain('as many keys as it can')
  store.put('session', 'v', store.clock.now() + 100)
  store.remove('k')
  await store.tick()
  await second(store)
  expect(store.engine.gate).toBe(GATE_FULL)
  expect(store.engine.keydir.total, 'what has expired goes as well: the disk has room for that').toBe(0)
  isFull.mockReturnValue(false)
  await second(store)
  expect(store.engine.gate).toBe(0)
  isFull.mockRestore()
  await store.close()
})

test('a stop while the reserve is being built is a stop on a disk with room: the image is written', async () => {
  const directory = freshDirectory()
  const storage = new NarrowStorage(directory)
  storage.rule = (call, name) => (call === 'sync' && name.startsWith(RESERVE) ? 'hold' : null)
  const store = await TestStore.open(directory, { storage, reserveBytes })
  store.put('k', 'v')
  await store.tick()
  await store.until(() => storage.holding > 0)
  const closing = store.close()
  // The build ends in the middle of the stop.
  storage.rule = (call, name) => (call === 'rename' && name.startsWith(MANIFEST) ? 'hold' : null)
  storage.release()
  const { reserve } = store.engine.upkeep as unknown as { reserve: { whole: boolean } }
  await store.until(() => reserve.whole && storage.holding === 1)
  storage.heal()
  storage.release()
  await closing
  expect(has(store, IMAGE)).toBe(true)
})
