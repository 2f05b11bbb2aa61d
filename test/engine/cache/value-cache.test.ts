// The value cache against a Map: it may forget, it may never be wrong; it stays within its capacity; a scan does not empty it.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Slice } from '../../../src/base/slice.ts'
import { MAX_CACHED_BYTES, MIN_CAPACITY_BYTES, ValueCache } from '../../../src/engine/cache/value-cache.ts'
import { type Random, randomFrom } from '../../harness/random.ts'

const MIB = 1024 * 1024

/** A value that says whose it is, in every byte. */
function valueFor(entry: number, sequence: number, length: number): Buffer {
  const value = Buffer.alloc(length)
  for (let i = 0; i < length; i++) value[i] = (entry * 31 + sequence * 17 + i) & 255
  return value
}

function putValue(cache: ValueCache, entry: number, sequence: number, length: number): void {
  const value = valueFor(entry, sequence, length)
  cache.put(entry, sequence, value, 0, length)
}

/** Zipf-like: a few ranks take most of the draws. */
function skewed(random: Random, count: number): number {
  return Math.floor(count ** random.next()) - 1
}

describe('value cache', () => {
  it('finds what was put, at its sequence only, and forgets what is removed', () => {
    const cache = new ValueCache(4 * MIB)
    const into = new Slice()
    const padded = Buffer.from('..value..', 'latin1')
    cache.put(7, 2 ** 40 + 5, padded, 2, 7)
    expect(cache.get(7, 2 ** 40 + 5, into)).toBe(true)
    expect(into.key()).toBe('value')
    expect(cache.get(7, 5, into)).toBe(false)
    expect(cache.get(8, 2 ** 40 + 5, into)).toBe(false)
    cache.put(7, 2 ** 40 + 6, padded, 3, 3)
    expect(cache.get(7, 2 ** 40 + 5, into)).toBe(false)
    expect(cache.get(7, 2 ** 40 + 6, into)).toBe(true)
    expect(into.length).toBe(0)
    cache.remove(7)
    cache.remove(7)
    expect(cache.get(7, 2 ** 40 + 6, into)).toBe(false)
    expect(cache.stats()).toMatchObject({ entries: 0, hits: 2, misses: 4, evictions: 0 })
  })

  it('holds nothing when it is off or too small', () => {
    for (const capacity of [0, 1, MIN_CAPACITY_BYTES - 1]) {
      const cache = new ValueCache(capacity)
      putValue(cache, 1, 1, 10)
      expect(cache.get(1, 1, new Slice())).toBe(false)
      cache.remove(1)
      expect(cache.trim()).toBe(false)
      expect(cache.stats()).toEqual({ bytes: 0, capacity, entries: 0, hits: 0, misses: 1, evictions: 0 })
    }
  })

  it('does not keep the old value when the new one is too large for it', () => {
    const cache = new ValueCache(4 * MIB)
    putValue(cache, 1, 1, MAX_CACHED_BYTES)
    expect(cache.get(1, 1, new Slice())).toBe(true)
    putValue(cache, 1, 2, MAX_CACHED_BYTES + 1)
    expect(cache.get(1, 1, new Slice())).toBe(false)
    expect(cache.get(1, 2, new Slice())).toBe(false)
    expect(cache.stats().entries).toBe(0)
  })

  it('is never wrong and never larger than its capacity', () => {
    const step = fc.record({
      entry: fc.nat(400),
      length: fc.oneof(fc.nat(100), fc.nat(5000), fc.integer({ min: 30_000, max: MAX_CACHED_BYTES + 10 })),
      act: fc.constantFrom('put', 'put', 'put', 'get', 'get', 'remove', 'same size'),
    })
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 200, maxLength: 600 }),
        fc.integer({ min: MIN_CAPACITY_BYTES, max: 4 * MIB }),
        (steps, capacity) => {
          const cache = new ValueCache(capacity)
          const model = new Map<number, { sequence: number; length: number }>()
          const into = new Slice()
          let sequence = 2 ** 32 - 100
          for (const { entry, length, act } of steps) {
            const known = model.get(entry)
            if (act === 'get') {
              if (cache.get(entry, known?.sequence ?? 1, into)) {
                if (known === undefined) throw new Error('a hit on what was never put')
                expect(into.copy().equals(valueFor(entry, known.sequence, known.length))).toBe(true)
              }
            } else if (act === 'remove') {
              cache.remove(entry)
              model.delete(entry)
            } else {
              const size = act === 'same size' && known !== undefined ? known.length : length
              putValue(cache, entry, ++sequence, size)
              model.set(entry, { sequence, length: size })
            }
            expect(cache.stats().bytes).toBeLessThanOrEqual(capacity)
          }
          let found = 0
          for (const [entry, { sequence, length }] of model) {
            if (!cache.get(entry, sequence, into)) continue
            found++
            expect(into.copy().equals(valueFor(entry, sequence, length))).toBe(true)
          }
          expect(cache.stats().entries).toBe(found)
        },
      ),
      { numRuns: 30 },
    )
  })

  it('uses most of its capacity, whatever the size of the values', () => {
    const capacity = 16 * MIB
    for (const length of [8, 64, 1000, 20_000, 60_000]) {
      const cache = new ValueCache(capacity)
      const value = Buffer.alloc(length)
      const count = Math.ceil((2 * capacity) / (length + 16))
      let most = 0
      for (let entry = 0; entry < count; entry++) {
        cache.put(entry, 1, value, 0, length)
        if (entry % 16 === 0) most = Math.max(most, cache.stats().bytes)
      }
      expect(most).toBeLessThanOrEqual(capacity)
      const stats = cache.stats()
      // Head 16, padding up to 15, index about 10, ghost; of a page of large values the end stays empty.
      const each = length + 16 + 15 + 14
      expect(stats.entries * each).toBeGreaterThan(capacity * 0.7)
    }
  })

  it('keeps the hot set while a scan of cold keys goes through', () => {
    const capacity = 16 * MIB
    const length = 1000
    const hot = 4000 // a quarter of what fits
    const cache = new ValueCache(capacity)
    const into = new Slice()
    const value = Buffer.alloc(length)
    const random = randomFrom(1)
    const read = (entry: number): boolean => {
      if (cache.get(entry, 1, into)) return true
      cache.put(entry, 1, value, 0, length)
      return false
    }
    for (let i = 0; i < 100_000; i++) read(skewed(random, hot))
    let hits = 0
    let reads = 0
    // Ten cold reads, each of a key never read before, for each hot one: 300,000 cold values, 18 times the cache.
    for (let i = 0; i < 30_000; i++) {
      for (let cold = 0; cold < 10; cold++) read(1_000_000 + i * 10 + cold)
      reads++
      if (read(skewed(random, hot))) hits++
    }
    expect(hits / reads).toBeGreaterThan(0.85)
  })

  it('takes on a new hot set', () => {
    const cache = new ValueCache(8 * MIB)
    const into = new Slice()
    const value = Buffer.alloc(1000)
    const random = randomFrom(2)
    const read = (entry: number): boolean => {
      if (cache.get(entry, 1, into)) return true
      cache.put(entry, 1, value, 0, 1000)
      return false
    }
    for (let i = 0; i < 100_000; i++) read(random.below(5000))
    for (let i = 0; i < 60_000; i++) read(100_000 + random.below(5000))
    let hits = 0
    for (let i = 0; i < 10_000; i++) if (read(100_000 + random.below(5000))) hits++
    expect(hits / 10_000).toBeGreaterThan(0.9)
  })

  it('lets go of what was hot once', () => {
    const cache = new ValueCache(8 * MIB)
    const into = new Slice()
    const value = Buffer.alloc(1000)
    const random = randomFrom(3)
    // Four hot sets in turn: one that kept its hits for ever would still hold a fifth of the first.
    for (let set = 0; set < 4; set++) {
      for (let i = 0; i < 20_000; i++) {
        const entry = set * 100_000 + random.below(5000)
        if (!cache.get(entry, 1, into)) cache.put(entry, 1, value, 0, 1000)
      }
    }
    let left = 0
    for (let entry = 0; entry < 5000; entry++) if (cache.get(entry, 1, into)) left++
    expect(left).toBe(0)
  })

  it('takes what comes back soon for good', () => {
    const cache = new ValueCache(8 * MIB)
    const into = new Slice()
    const value = Buffer.alloc(1000)
    let cold = 1000
    const scan = (): void => {
      for (let i = 0; i < 10_000; i++) cache.put(cold++, 1, value, 0, 1000)
    }
    scan()
    for (let entry = 0; entry < 100; entry++) cache.put(entry, 1, value, 0, 1000)
    scan()
    for (let entry = 0; entry < 100; entry++) expect(cache.get(entry, 1, into)).toBe(false)
    for (let entry = 0; entry < 100; entry++) cache.put(entry, 1, value, 0, 1000)
    scan()
    let left = 0
    for (let entry = 0; entry < 100; entry++) if (cache.get(entry, 1, into)) left++
    // The ghost remembers about one entry for 512 bytes, a few of them are overwritten by others.
    expect(left).toBeGreaterThan(30)
  })

  it('shrinks page by page, grows again, and is right all the way', () => {
    const cache = new ValueCache(32 * MIB)
    const into = new Slice()
    const count = 200_000
    for (let entry = 0; entry < count; entry++) putValue(cache, entry, 1, 40)
    const before = cache.stats()
    cache.resize(4 * MIB)
    let steps = 0
    while (cache.trim()) steps++
    expect(steps).toBeGreaterThan(20)
    expect(cache.stats().bytes).toBeLessThanOrEqual(4 * MIB)
    for (let entry = 0; entry < count; entry++) putValue(cache, entry, 2, 40)
    expect(cache.stats().bytes).toBeLessThanOrEqual(4 * MIB)
    expect(cache.stats().entries).toBeGreaterThan(0)
    let found = 0
    for (let entry = 0; entry < count; entry++) {
      if (cache.get(entry, 1, into)) throw new Error(`entry ${entry} still has its old value`)
      if (!cache.get(entry, 2, into)) continue
      found++
      if (!into.copy().equals(valueFor(entry, 2, 40))) throw new Error(`entry ${entry} has another's value`)
    }
    expect(found).toBe(cache.stats().entries)
    cache.resize(32 * MIB)
    for (let entry = 0; entry < count; entry++) putValue(cache, entry, 3, 40)
    expect(cache.stats().entries).toBeGreaterThan(before.entries * 0.9)
    cache.resize(0)
    expect(cache.stats()).toMatchObject({ bytes: 0, entries: 0 })
    cache.resize(4 * MIB)
    putValue(cache, 1, 4, 10)
    expect(cache.get(1, 4, into)).toBe(true)
  })

  it('shrinks by puts alone', () => {
    const cache = new ValueCache(16 * MIB)
    for (let entry = 0; entry < 20_000; entry++) putValue(cache, entry, 1, 1000)
    cache.resize(4 * MIB)
    for (let entry = 0; entry < 200; entry++) putValue(cache, entry, 2, 1000)
    expect(cache.stats().bytes).toBeLessThanOrEqual(4 * MIB)
  })
})
