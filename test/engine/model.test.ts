// The engine against a plain Map: any sequence of writes, batches, flushes, swaps, seals, merges and clock steps, with clean stops and
// kills in between, each start by way of the image, the hints or the data alone. After each check the state is the model's, and the
// accounts of live bytes and tombstones are what a count over the files says.

import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { sliceOf } from '../../src/base/slice.ts'
import { type Appendfsync, NONE } from '../../src/engine/engine.ts'
import { expectAccounts } from './accounts.ts'
import { ManualClock } from './manual-clock.ts'
import { restart, STARTS, type Start } from './starts.ts'
import { type Contents, cleanUp, freshDirectory, TestStore } from './test-store.ts'

afterEach(cleanUp)

const FULL = process.env['CASKY_TEST_FULL'] === '1'
const KEYS = ['a', 'b', 'key', '', '\xff\x00\r\n', '__proto__', 'é', 'x'.repeat(200)]

type Write =
  | { do: 'put'; database: number; key: number; size: number; ttl: number }
  | { do: 'overwrite'; database: number; key: number; size: number; ttl: number }
  | { do: 'remove'; database: number; key: number }
  | { do: 'setExpiry'; database: number; key: number; ttl: number }

type Step =
  | Write
  | { do: 'batch'; writes: Write[] }
  | { do: 'flushDatabase' | 'swap'; database: number; other: number }
  | { do: 'flushAll' | 'tick' | 'seal' | 'merge' | 'check' }
  | { do: 'advance'; ms: number }
  | { do: 'back'; ms: number }
  | { do: 'mode'; mode: Appendfsync }
  | { do: 'restart'; by: Start }

const database = fc.nat(2)
const key = fc.nat(KEYS.length - 1)
const size = fc.oneof(fc.constant(0), fc.nat(60), fc.constantFrom(300, 4096, 9000))
const ttl = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 3000 }))
const put = fc.record({ do: fc.constant('put' as const), database, key, size, ttl })
const remove = fc.record({ do: fc.constant('remove' as const), database, key })
const setExpiry = fc.record({ do: fc.constant('setExpiry' as const), database, key, ttl })
const overwrite = fc.record({ do: fc.constant('overwrite' as const), database, key, size, ttl })
const write: fc.Arbitrary<Write> = fc.oneof({ weight: 3, arbitrary: put }, remove, setExpiry, overwrite)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 30, arbitrary: write },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('batch' as const), writes: fc.array(write, { maxLength: 5 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('flushDatabase' as const, 'swap' as const), database, other: database }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flushAll' as const) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('tick' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('seal' as const, 'merge' as const, 'check' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 2500 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('back' as const), ms: fc.integer({ min: 1, max: 2500 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('mode' as const), mode: fc.constantFrom('always', 'everysec', 'no') }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('restart' as const), by: fc.constantFrom(...STARTS) }) },
) as fc.Arbitrary<Step>

const options = fc.record({
  appendfsync: fc.constantFrom<Appendfsync>('always', 'everysec', 'no'),
  segmentSizeBytes: fc.constantFrom(400, 700, 3000, 1 << 20),
  valueCacheBytes: fc.constantFrom(0, 1 << 20, 3 << 20),
  synchronousIo: fc.boolean(),
})
type Options = typeof options extends fc.Arbitrary<infer T> ? T : never

/** One run: the store, the model, and what was done so far. */
class Run {
  private readonly chosen: Options
  private readonly clock = new ManualClock()
  private readonly model: Contents = new Map()
  private writes = 0
  private store!: TestStore

  constructor(chosen: Options) {
    this.chosen = chosen
  }

  async play(steps: readonly Step[]): Promise<void> {
    this.store = await TestStore.open(freshDirectory(), { ...this.chosen, clock: this.clock })
    try {
      for (const each of steps) await this.step(each)
      await this.restart('image')
      await this.check()
    } finally {
      await this.store.abandon()
    }
  }

  private async step(each: Step): Promise<void> {
    const { store, model, clock } = this
    switch (each.do) {
      case 'put':
      case 'overwrite':
      case 'remove':
      case 'setExpiry':
        return this.write(each)
      case 'batch':
        return store.batch(() => each.writes.forEach((one) => void this.write(one)))
      case 'flushDatabase':
        store.engine.flushDatabase(each.database)
        for (const name of [...model.keys()]) if (name.startsWith(`${each.database}:`)) model.delete(name)
        return
      case 'flushAll':
        store.engine.flushAll()
        return model.clear()
      case 'swap':
        store.engine.swapDatabases(each.database, each.other)
        return this.swapped(each.database, each.other)
      case 'tick':
        return store.tick()
      case 'seal':
        return store.seal()
      case 'merge':
        await store.merge()
        return
      case 'check':
        return this.check()
      case 'advance':
        clock.advance(each.ms)
        this.expire()
        return
      case 'back':
        clock.originMs -= each.ms
        return
      case 'mode':
        return store.engine.configure({ appendfsync: each.mode })
      default:
        await this.restart(each.by)
        return this.check()
    }
  }

  private write(each: Write): void {
    const { store, model } = this
    this.expireKey(each.database, KEYS[each.key] as string)
    const text = KEYS[each.key] as string
    const name = `${each.database}:${text}`
    const before = model.get(name)
    const expiry = 'ttl' in each && each.ttl > 0 ? this.clock.now() + each.ttl : 0
    const found = store.find(text, each.database)
    expect(found === NONE).toBe(before === undefined)
    if (each.do === 'put' || (each.do === 'overwrite' && before !== undefined)) {
      const value = `${++this.writes}:`.padEnd(each.size, 'v').slice(0, each.size)
      if (each.do === 'put') store.put(text, value, expiry, each.database)
      else store.engine.overwrite(found, sliceOf(value), expiry)
      model.set(name, { value, expiry })
    } else if (before !== undefined) {
      if (each.do === 'remove') {
        store.engine.remove(found)
        model.delete(name)
      } else {
        store.engine.setExpiry(found, expiry)
        model.set(name, { value: before.value, expiry })
      }
    }
  }

  private swapped(a: number, b: number): void {
    const entries = [...this.model]
    this.model.clear()
    for (const [name, kept] of entries) {
      const [from = '', rest] = [name.slice(0, 1), name.slice(1)]
      const to = from === String(a) ? b : from === String(b) ? a : from
      this.model.set(to + rest, kept)
    }
  }

  // Asking for what has expired removes it, whether the cycle came by or not; and it stays gone when the clock is put back.
  private expire(): void {
    for (const [name, { expiry }] of this.model) {
      if (expiry === 0 || expiry >= this.clock.now()) continue
      expect(this.store.find(name.slice(2), Number(name.slice(0, 1)))).toBe(NONE)
      this.model.delete(name)
    }
  }

  private expireKey(inDatabase: number, text: string): void {
    const kept = this.model.get(`${inDatabase}:${text}`)
    if (kept !== undefined && kept.expiry !== 0 && kept.expiry < this.clock.now()) {
      this.model.delete(`${inDatabase}:${text}`)
    }
  }

  private async restart(by: Start): Promise<void> {
    this.store = await restart(this.store, by, this.chosen)
    expect(this.store.warnings).toEqual([])
  }

  private async check(): Promise<void> {
    const { store } = this
    // Freeing flushed databases takes time: before it is asked what has expired.
    await store.tick()
    await store.quiet()
    this.expire()
    await store.tick()
    expect(await store.contents()).toEqual(this.model)
    for (let db = 0; db < 4; db++) {
      const own = [...this.model].filter(([name]) => name.startsWith(`${db}:`))
      expect(store.engine.keyCount(db)).toBe(own.length)
      expect(store.engine.expiringCount(db)).toBe(own.filter(([, { expiry }]) => expiry !== 0).length)
    }
    await store.quiet()
    expectAccounts(store)
  }
}

test('whatever is done in whatever order, the engine is a Map that survives', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(options, fc.array(step, { minLength: 10, maxLength: 60 }), async (chosen, steps) => {
      try {
        await new Run(chosen).play(steps)
      } finally {
        cleanUp()
      }
    }),
    { numRuns: FULL ? 600 : 60, endOnFailure: false },
  )
})
