// Disks that fail while the engine runs: what was not acknowledged is undone as if it had never been, reads go on, nothing is synced
// again after a failed sync, and a restart finds all that was acknowledged.

import * as fs from 'node:fs'
import * as path from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { Slice } from '../../src/base/slice.ts'
import type { Catalog } from '../../src/engine/catalog.ts'
import type { Appendfsync } from '../../src/engine/engine.ts'
import { GATE_FAILED, GATE_FULL } from '../../src/engine/engine.ts'
import { dataName, IMAGE, RESERVE } from '../../src/engine/filename.ts'
import { expectAccounts } from './accounts.ts'
import { namesIn } from './damage.ts'
import { FaultyStorage } from './faulty-storage.ts'
import { manifestOf } from './files.ts'
import { restart } from './starts.ts'
import {
  type Contents,
  cleanUp,
  copyOf,
  freshDirectory,
  removeFiles,
  type TestOptions,
  TestStore,
} from './test-store.ts'

afterEach(cleanUp)

const HOUR = 3_600_000

async function faulty(options: TestOptions = {}): Promise<{ store: TestStore; storage: FaultyStorage }> {
  const directory = freshDirectory()
  const storage = new FaultyStorage(directory)
  const store = await TestStore.open(directory, { ...options, storage })
  return { store, storage }
}

/** Some of everything, released. */
async function filled(store: TestStore): Promise<void> {
  const at = store.clock.now() + HOUR
  for (const key of ['a', 'b', 'c', 'd', 'e']) store.put(key, `value of ${key}`)
  store.put('expires', 'v', at)
  store.put('expires too', 'v', at)
  store.put('touched too', 'v')
  store.setExpiry('touched too', at + 2)
  store.put('touched', 'v', at)
  store.setExpiry('touched', at + 1)
  store.put('other', 'database', 0, 1)
  store.put('gone', 'v')
  store.remove('gone')
  await store.tick()
  await store.quiet()
}

/** One of every change, unreleased. */
function changeEverything(store: TestStore): void {
  const at = store.clock.now() + 2 * HOUR
  store.put('new', 'v')
  store.put('new with expiry', 'v', at)
  store.put('a', 'overwritten')
  store.put('b', 'overwritten', at)
  store.put('b', 'and again')
  store.remove('c')
  store.put('c', 'inserted again')
  store.remove('d')
  store.setExpiry('e', at)
  store.setExpiry('e', at + 5)
  store.setExpiry('expires', 0)
  store.put('expires too', 'overwritten')
  store.put('touched too', 'overwritten', at)
  store.setExpiry('touched', 0)
  store.put('touched', 'overwritten')
  store.put('gone', 'back')
  store.remove('new')
  store.batch(() => {
    store.put('member', 'v')
    store.remove('a')
  })
  store.engine.swapDatabases(0, 1)
  store.put('after the swap', 'v')
  store.engine.flushDatabase(1)
  store.engine.flushAll()
  store.put('after the flush', 'v', at)
}

describe.each<Appendfsync>(['always', 'everysec', 'no'])('appendfsync %s', (appendfsync) => {
  test.each([
    ['ENOSPC', true],
    ['short', true],
    ['EIO', true],
    ['ENOSPC', false],
    ['short', false],
    ['EIO', false],
  ] as const)('a write fails (%s, synchronous: %s): everything unreleased is undone, in memory and after a restart', async (fault, synchronousIo) => {
    const { store, storage } = await faulty({ appendfsync, synchronousIo })
    await filled(store)
    const before = await store.contents()
    const { released } = store.engine
    storage.failNext('write', '.data', fault)
    changeEverything(store)
    expect(peek(store)).not.toEqual(names(before))
    store.engine.flush()
    await store.until(() => store.failed.length > 0)
    expect(store.failed).toEqual([{ first: released + 1, message: expect.stringMatching(/^MISCONF /) }])
    expect(store.failed[0]!.message).toContain('outcome of this command is unknown')
    expect(await store.contents()).toEqual(before)
    expect(store.engine.released).toBe(store.engine.appended)

    if (fault === 'EIO') {
      await store.quiet()
      expect(store.engine.gate).toBe(GATE_FAILED)
      expect(store.engine.gateMessage).toContain('until restart')
      storage.heal()
      store.clock.advance(10_000)
      await store.quiet()
      expect(store.engine.gate).toBe(GATE_FAILED)
      expect(await store.contents()).toEqual(before)
    } else {
      await store.until(() => store.engine.gate === GATE_FULL)
      expect(store.engine.gateMessage).toContain('disk is full')
      await store.quiet()
      // Deletes go on.
      store.remove('e')
      before.delete('0:e')
      await store.tick()
      store.clock.advance(1100)
      await store.until(() => store.engine.gate === 0)
      store.put('resumed', 'v')
      before.set('0:resumed', { value: 'v', expiry: 0 })
      await store.tick()
      await store.quiet()
      expect(await store.contents()).toEqual(before)
      expectAccounts(store)
    }
    const again = await store.killed()
    expect(await again.contents()).toEqual(before)
    await again.quiet()
    expectAccounts(again)
    await again.close()
  })

  test('a sync fails: what was acknowledged stands, the rest is undone, and nothing is ever synced or written again', async () => {
    const { store, storage } = await faulty({ appendfsync })
    await filled(store)
    const before = await store.contents()
    await store.until(() => !(store.engine.log as unknown as { syncing: boolean }).syncing)
    storage.failNext('sync', '.data', 'EIO')
    changeEverything(store)
    const after = peek(store)
    store.engine.flush()
    if (appendfsync === 'no') store.engine.log.sync()
    store.clock.advance(1000)
    await store.until(() => store.failed.length > 0)
    storage.heal()
    expect(names(await store.contents())).toEqual(appendfsync === 'always' ? names(before) : after)
    expect(store.engine.gate).toBe(GATE_FAILED)
    const calls = storage.calls.length
    store.clock.advance(10_000)
    store.engine.seal(() => {})
    await store.merge().catch(() => {})
    await store.quiet()
    await expect(store.close()).rejects.toThrow()
    expect(storage.calls.slice(calls).filter((call) => !call.startsWith('read') && !call.startsWith('open'))).toEqual(
      [],
    )
    const again = await TestStore.open(store.directory)
    // `always`: what was refused has an unknown outcome, and the page cache still shows it.
    expect(names(await again.contents())).toEqual(after)
    await again.close()
  })
})

describe('what is not the log', () => {
  test('a manifest that cannot be written closes the gate; what was acknowledged is there after a restart', async () => {
    const { store, storage } = await faulty({ segmentSizeBytes: 600 })
    await filled(store)
    storage.failNext('rename', 'MANIFEST', 'EIO', 1000)
    for (let i = 0; i < 40 && store.engine.gate === 0; i++) {
      store.put(`k${i}`, 'x'.repeat(100))
      store.engine.flush()
      await store.quiet()
    }
    expect(store.engine.gate & GATE_FAILED).not.toBe(0)
    expect(store.failed[0]!.message).toContain('manifest')
    const acknowledged = await store.contents()
    expect(acknowledged.size).toBeGreaterThan(7)
    storage.heal()
    const again = await store.killed()
    expect(await again.contents()).toEqual(acknowledged)
    await again.close()
  })

  test('a next segment that cannot be prepared for want of descriptors is tried again; writes go on meanwhile', async () => {
    const { store, storage } = await faulty({ segmentSizeBytes: 600 })
    await filled(store)
    storage.failNext('open', '.data', 'EMFILE', 1000)
    for (let i = 0; i < 30; i++) {
      store.put(`k${i}`, 'x'.repeat(100))
      await store.tick()
      await store.quiet()
    }
    expect(store.engine.gate).toBe(0)
    const grown = store.engine.log.active.number
    expect(store.engine.log.active.sizeBytes).toBeGreaterThan(2000)
    storage.heal()
    store.clock.advance(2100)
    await store.quiet()
    store.put('more', 'v')
    await store.tick()
    expect(store.engine.log.active.number).toBeGreaterThan(grown)
    const contents = await store.contents()
    const again = await store.killed()
    expect(await again.contents()).toEqual(contents)
    await again.close()
  })

  /** Three segments, most of the first two dead, but for a few keys of the first. Gives what it holds. */
  async function layered(store: TestStore): Promise<Contents> {
    for (let i = 0; i < 5; i++) store.put(`live ${i}`, 'v')
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 30; i++) store.put(`k${i}`, `${round}`)
      await store.seal()
    }
    await store.quiet()
    return store.contents()
  }

  test.each([
    ['open', 'EMFILE'],
    ['write', 'ENOSPC'],
    ['write', 'short'],
    ['write', 'EIO'],
    ['sync', 'EIO'],
    ['syncDirectory', 'EIO'],
    ['read', 'EIO'],
  ] as const)('a merge whose %s fails (%s) is abandoned, and nothing else happens', async (call, fault) => {
    const { store, storage } = await faulty()
    const contents = await layered(store)
    const { segments } = manifestOf(store.directory)
    const last = Math.max(...[...store.engine.segments.all()].map(({ number }) => number))
    // Outputs have numbers that no segment had before; reads fail on the input in which something lives: of the other nothing is read.
    const concerns = (name: string): boolean =>
      call === 'syncDirectory' ||
      (call === 'read' ? name === dataName(segments[0]!.number) : Number.parseInt(name, 10) > last)
    let failures = 0
    storage.rule = (made, name) =>
      made === call && concerns(name) && (failures++ === 0 || call === 'read') ? fault : null
    await expect(store.merge()).rejects.toThrow()
    expect(failures).toBeGreaterThan(0)
    storage.heal()
    expect([store.engine.gate, store.failed]).toEqual([0, []])
    expect(await store.contents()).toEqual(contents)
    await store.quiet()
    expectAccounts(store)
    expect(store.engine.merge.status().failures).toBe(1)
    // Its outputs go, sooner or later.
    const strangers = (): string[] =>
      namesIn(store.directory).filter(
        (name) => name.endsWith('.data') && store.engine.segments.get(Number.parseInt(name, 10)) === undefined,
      )
    await expect.poll(strangers).toEqual([])
    expect(await store.merge()).toBeGreaterThan(0)
    expect(await store.contents()).toEqual(contents)
    await store.close()
  })

  test('a merge that sees a sync of the directory fail for somebody else is abandoned: it may have been about its outputs', async () => {
    const { store, storage } = await faulty()
    const contents = await layered(store)
    const last = Math.max(...[...store.engine.segments.all()].map(({ number }) => number))
    // As soon as there is an output, somebody else syncs the directory, in vain.
    const { catalog } = store.engine.upkeep as unknown as { catalog: Catalog }
    let synced: Error | null | undefined
    let asked = false
    storage.rule = (made, name) => {
      if (made === 'syncDirectory' && asked && synced === undefined) return 'EIO'
      if (made === 'write' && Number.parseInt(name, 10) > last && !asked) {
        asked = true
        catalog.enqueue(
          () => catalog.syncNames(),
          (error) => {
            synced = error
          },
        )
      }
      return null
    }
    await expect(store.merge()).rejects.toThrow('a sync of the directory failed meanwhile')
    expect(synced).toBeInstanceOf(Error)
    storage.heal()
    expect(await store.contents()).toEqual(contents)
    expect(await store.merge()).toBeGreaterThan(0)
    expect(await store.contents()).toEqual(contents)
    await store.close()
  })

  test('a hint that cannot be made is made later', async () => {
    const { store, storage } = await faulty()
    await filled(store)
    storage.failNext('write', '.hint.new', 'ENOSPC')
    await store.seal()
    await store.quiet()
    expect(store.engine.gate).toBe(0)
    store.clock.advance(2100)
    await store.quiet()
    expect(namesIn(store.directory).filter((name) => name.endsWith('.hint')).length).toBe(1)
    await store.close()
  })

  test.each(['write', 'sync', 'rename'] as const)('an image whose %s fails does not fail the stop', async (call) => {
    const { store, storage } = await faulty()
    await filled(store)
    const contents = await store.contents()
    storage.failNext(call, call === 'rename' ? IMAGE : `${IMAGE}.new`, 'ENOSPC')
    await store.close()
    expect(namesIn(store.directory)).not.toContain(IMAGE)
    const again = await TestStore.open(store.directory, { clock: store.clock })
    expect(await again.contents()).toEqual(contents)
    await again.close()
  })

  test('the reserve is given up when the disk is full, and built again before writes resume', async () => {
    const { store, storage } = await faulty({ reserveBytes: 100_000 })
    await store.quiet()
    const reserve = path.join(store.directory, RESERVE)
    expect(fs.statSync(reserve).size).toBe(100_000)
    await filled(store)
    let full = true
    storage.rule = (call, name) =>
      full && call === 'write' && (name === `${RESERVE}.new` || calls++ === 0) ? 'ENOSPC' : null
    let calls = 0
    store.put('k', 'v')
    store.engine.flush()
    await store.until(() => store.engine.gate === GATE_FULL)
    await store.quiet()
    expect(fs.existsSync(reserve)).toBe(false)
    store.clock.advance(5000)
    await store.quiet()
    expect(store.engine.gate).toBe(GATE_FULL)
    full = false
    store.clock.advance(1100)
    await store.quiet()
    expect([store.engine.gate, fs.statSync(reserve).size]).toEqual([0, 100_000])
    await store.close()
  })
})

describe('a merge under way while the log fails', () => {
  /** Half of everything dead, in several segments; unreleased changes wait for the next flush. */
  async function merging(): Promise<{ store: TestStore; storage: FaultyStorage }> {
    const { store, storage } = await faulty({ segmentSizeBytes: 2000 })
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 20; i++) store.put(`k${i}`, `round ${round}`.padEnd(40))
      if (round === 2) store.setExpiry('k3', store.clock.now() + HOUR)
      store.remove('k19')
      await store.tick()
      await store.quiet()
    }
    await store.seal()
    await store.quiet()
    return { store, storage }
  }

  const newest = (store: TestStore): number => Math.max(...[...store.engine.segments.all()].map(({ number }) => number))

  test.each(['ENOSPC', 'EIO'] as const)('before its outputs are whole (%s): it is abandoned', async (fault) => {
    const { store, storage } = await merging()
    const contents = await store.contents()
    const last = newest(store)
    storage.rule = (call, name) => (call === 'sync' && Number.parseInt(name, 10) > last ? 'hold' : null)
    const merged = store.merge().then(
      () => 'merged',
      () => 'abandoned',
    )
    await store.until(() => storage.holding > 0)
    // The merge has judged these dead or alive already; now they are taken back.
    for (let i = 0; i < 20; i++) store.put(`k${i}`, 'never acknowledged')
    storage.failNext('write', '.data', fault)
    store.engine.flush()
    await store.until(() => store.failed.length > 0)
    storage.release()
    expect(await merged).toBe('abandoned')
    await store.quiet()
    expect(await store.contents()).toEqual(contents)
    for (const by of ['data', 'hints'] as const) {
      const copy = await restartCopy(store, by)
      expect(await copy.contents(), by).toEqual(contents)
      await copy.quiet()
      expectAccounts(copy)
      await copy.close()
    }
    await store.abandon()
  })

  test.each([
    'ENOSPC',
    'EIO',
  ] as const)('between its moves and its commit (%s): inputs and outputs stay, nothing is lost', async (fault) => {
    const { store, storage } = await merging()
    // Dead by writes that are not released: the merge must not let their old values go.
    const before = await store.contents()
    const last = newest(store)
    storage.rule = (call, name) => (call === 'sync' && Number.parseInt(name, 10) > last ? 'hold' : null)
    const merged = store.merge().then(
      () => 'merged',
      () => 'abandoned',
    )
    await store.until(() => storage.holding > 0)
    let done = false
    storage.rule = (call, name) => {
      if (done || call !== 'write' || !name.endsWith('.data')) return null
      done = true
      return fault
    }
    storage.release()
    // Written by the merge itself, when it makes the log durable before it commits.
    for (let i = 0; i < 20; i += 2) store.put(`k${i}`, 'never acknowledged')
    store.remove('k1')
    await store.until(() => store.failed.length > 0)
    expect(await merged).toBe('abandoned')
    expect(store.engine.merge.status().lastError).toContain('about to commit')
    await store.quiet()
    expect(await store.contents()).toEqual(before)
    for (const by of ['data', 'hints'] as const) {
      const copy = await restartCopy(store, by)
      expect(await copy.contents(), by).toEqual(before)
      await copy.close()
    }
    if (fault === 'ENOSPC') {
      await store.until(() => store.engine.gate === GATE_FULL)
      store.clock.advance(1100)
      await store.quiet()
      expect(store.engine.gate).toBe(0)
      store.put('resumed', 'v')
      before.set('0:resumed', { value: 'v', expiry: 0 })
      await store.merge()
      expect(await store.contents()).toEqual(before)
      const again = await restart(store, 'data')
      expect(await again.contents()).toEqual(before)
      await again.quiet()
      expectAccounts(again)
      await again.close()
    } else await store.abandon()
  })

  async function restartCopy(store: TestStore, by: 'data' | 'hints'): Promise<TestStore> {
    const copy = copyOf(store.directory)
    if (by === 'data') removeFiles(copy, '.hint')
    return TestStore.open(copy, { clock: store.clock })
  }
})

test(
  'whatever was written when a write fails, before and after: the state is that of the last acknowledgement',
  { timeout: 600_000 },
  async () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd')
    const change = fc.oneof(
      fc.record({ put: key, expiry: fc.boolean() }),
      fc.record({ remove: key }),
      fc.record({ touch: key, expiry: fc.boolean() }),
      fc.record({ swap: fc.nat(1) }),
      fc.record({ flush: fc.nat(1) }),
    )
    const round = fc.record({
      good: fc.array(change, { maxLength: 6 }),
      bad: fc.array(change, { minLength: 1, maxLength: 8 }),
      fault: fc.constantFrom('ENOSPC' as const, 'short' as const),
      mode: fc.constantFrom<Appendfsync>('always', 'everysec'),
    })
    let value = 0
    const apply = (store: TestStore, each: typeof change extends fc.Arbitrary<infer T> ? T : never): void => {
      const at = store.clock.now() + HOUR + value
      if ('put' in each) store.put(each.put, `v${++value}`, each.expiry ? at : 0)
      else if ('remove' in each) store.remove(each.remove)
      else if ('touch' in each) store.setExpiry(each.touch, each.expiry ? at : 0)
      else if ('swap' in each) store.engine.swapDatabases(0, 1)
      else store.engine.flushDatabase(each.flush)
    }
    const property = fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 4 }), async (rounds) => {
      const { store, storage } = await faulty({ segmentSizeBytes: 1000 })
      for (const { good, bad, fault, mode } of rounds) {
        store.engine.configure({ appendfsync: mode })
        for (const each of good) apply(store, each)
        await store.tick()
        await store.quiet()
        const before = await store.contents()
        const counts = [0, 1].map((database) => [store.engine.keyCount(database), store.engine.expiringCount(database)])
        for (const each of bad) apply(store, each)
        const failures = store.failed.length
        const { appended, released } = store.engine
        storage.failNext('write', '.data', fault)
        store.engine.flush()
        if (appended > released) {
          await store.until(() => store.failed.length > failures && store.engine.gate === GATE_FULL)
        }
        storage.heal()
        await store.quiet()
        expect(await store.contents()).toEqual(before)
        const now = [0, 1].map((database) => [store.engine.keyCount(database), store.engine.expiringCount(database)])
        expect(now).toEqual(counts)
        store.clock.advance(1100)
        await store.quiet()
        expect(store.engine.gate).toBe(0)
        expectAccounts(store)
      }
      const contents = await store.contents()
      const again = await store.killed()
      expect(await again.contents()).toEqual(contents)
      await again.quiet()
      expectAccounts(again)
      await again.close()
      cleanUp()
    })
    await fc.assert(property, { numRuns: process.env['CASKY_TEST_FULL'] === '1' ? 1000 : 60 })
  },
)

const names = (contents: Contents): string[] => [...contents.keys()].sort()

// The keys that the engine shows, without a flush.
function peek(store: TestStore): string[] {
  const seen: string[] = []
  const key = new Slice()
  for (let database = 0; database < 4; database++) {
    store.engine.scan(database, 0, 1000, (entry) => seen.push(`${database}:${store.engine.keyOf(entry, key).key()}`))
  }
  return seen.sort()
}
