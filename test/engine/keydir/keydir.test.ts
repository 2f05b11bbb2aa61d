// The keydir against a plain Map, and the promises of its design: memory a key at every count, work of one call, what SCAN guarantees.

import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { Slice, sliceOf } from '../../../src/base/slice.ts'
import { Spans } from '../../../src/base/spans.ts'
import { Keydir, NONE } from '../../../src/engine/keydir/keydir.ts'
import type { Memory } from '../../../src/engine/keydir/memory.ts'
import { Rows } from '../../../src/engine/keydir/rows.ts'

interface Model {
  database: number
  key: string
  linked: boolean
  place: [segment: number, offset: number, valueSize: number, sequence: number, type: number, wide: boolean]
  clock: number
  read: boolean
  expiry: number
  touch: [sequence: number, segment: number, offset: number]
}

// Few keys, so that they meet; lengths on both sides of each border in the arena's head and classes.
const keys = ['', 'a', 'b', 'ab', 'abc', 'abcd', 'x'.repeat(16), 'x'.repeat(127), 'x'.repeat(128), 'y'.repeat(254)]
for (const length of [255, 260, 1000, 2040, 2046, 2047, 3000, 70_000]) keys.push('z'.repeat(length))
const anyKey = fc.constantFrom(...keys)
const anyDatabase = fc.constantFrom(0, 1, 127, 128, 16_384, 0xffff_ffff)
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const anySequence = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const pick = fc.nat(1000)

type Step =
  | { do: 'insert'; database: number; key: string }
  | { do: 'unlink' | 'relink' | 'free'; pick: number }
  | { do: 'place'; pick: number; place: Model['place'] }
  | { do: 'clock' | 'read'; pick: number; clock: number }
  | { do: 'prefetch'; database: number }
  | { do: 'expiry'; pick: number; expiry: number }
  | { do: 'touch'; pick: number; touch: Model['touch'] }
  | { do: 'image' }

const place: fc.Arbitrary<Model['place']> = fc.tuple(
  fc.nat(2 ** 18 - 1),
  u32,
  u32,
  anySequence,
  fc.nat(7),
  fc.boolean(),
)
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('insert' as const), database: anyDatabase, key: anyKey }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('unlink', 'relink', 'free'), pick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('place' as const), pick, place }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('clock', 'read'), pick, clock: fc.nat(2 ** 24 - 1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('prefetch' as const), database: anyDatabase }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('expiry' as const),
      pick,
      expiry: fc.oneof(fc.constant(0), fc.nat(5), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('touch' as const),
      pick,
      touch: fc.tuple(fc.oneof(fc.constant(0), anySequence), u32, u32),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('image' as const) }) },
)

function spansOf(list: readonly string[]): Spans {
  const spans = new Spans()
  spans.bytes = Buffer.from(list.join(''), 'latin1')
  let at = 0
  for (const key of list) {
    spans.starts[spans.count] = at
    at += key.length
    spans.ends[spans.count++] = at
  }
  return spans
}

function check(keydir: Keydir, model: Map<number, Model>): void {
  const scratch = new Slice()
  const linked = [...model].filter(([, m]) => m.linked)
  const expiring = linked.filter(([, m]) => m.expiry !== 0)
  expect(keydir.total).toBe(linked.length)
  expect(keydir.totalExpiring).toBe(expiring.length)
  for (const [e, m] of model) {
    expect(keydir.isLinked(e)).toBe(m.linked)
    expect(keydir.key(e, scratch).key()).toBe(m.key)
    expect(keydir.keyLength(e)).toBe(m.key.length)
    expect(keydir.database(e)).toBe(m.database)
    expect([
      keydir.segment(e),
      keydir.offset(e),
      keydir.valueSize(e),
      keydir.sequence(e),
      keydir.type(e),
      keydir.wide(e),
    ]).toEqual(m.place)
    expect(keydir.accessClock(e)).toBe(m.clock)
    expect(keydir.wasRead(e)).toBe(m.read)
    expect(keydir.expiry(e)).toBe(m.expiry)
    expect(keydir.touchSequence(e)).toBe(m.touch[0])
    if (m.touch[0] !== 0) expect([keydir.touchSegment(e), keydir.touchOffset(e)]).toEqual([m.touch[1], m.touch[2]])
    expect(keydir.hasRow(e)).toBe(m.expiry !== 0 || m.touch[0] !== 0)
  }
  for (const database of [0, 1, 127, 128, 16_384, 0xffff_ffff]) {
    const own = linked.filter(([, m]) => m.database === database)
    expect(keydir.count(database)).toBe(own.length)
    expect(keydir.expiring(database)).toBe(own.filter(([, m]) => m.expiry !== 0).length)
    for (const key of keys) {
      const entry = own.find(([, m]) => m.key === key)?.[0] ?? NONE
      expect(keydir.find(database, sliceOf(key))).toBe(entry)
    }
  }
  const soonest = keydir.soonestExpiry()
  if (expiring.length === 0) expect(soonest).toBe(NONE)
  else expect(keydir.expiry(soonest)).toBe(Math.min(...expiring.map(([, m]) => m.expiry)))
  const seen: number[] = []
  for (let cursor = 0; ; ) {
    cursor = keydir.scan(cursor, 3, (e) => seen.push(e))
    if (cursor === 0) break
  }
  expect(seen).toEqual(linked.map(([e]) => e).sort((a, b) => a - b))
}

describe('keydir', () => {
  it('agrees with a Map', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { minLength: 1, maxLength: 120 }), fc.nat(), (steps, seed) => {
        let keydir = new Keydir({ seed })
        const model = new Map<number, Model>()
        for (const step of steps) {
          if (step.do === 'insert') {
            const taken = [...model.values()].some(
              (m) => m.linked && m.key === step.key && m.database === step.database,
            )
            if (taken) continue
            const entry = keydir.insert(step.database, sliceOf(step.key))
            expect(model.has(entry)).toBe(false)
            model.set(entry, {
              database: step.database,
              key: step.key,
              linked: true,
              place: [0, 0, 0, 0, 0, false],
              clock: 0,
              read: false,
              expiry: 0,
              touch: [0, 0, 0],
            })
            continue
          }
          if (step.do === 'prefetch') {
            // A hint: it changes nothing, and what it finds is there.
            const count = keydir.prefetch(step.database, spansOf(keys))
            for (let i = 0; i < count; i++) expect(model.get(keydir.found[i] as number)?.linked).toBe(true)
            continue
          }
          if (step.do === 'image') {
            const { header, parts } = keydir.image()
            keydir = Keydir.fromImage(JSON.parse(JSON.stringify(header)), parts)
            continue
          }
          const entries = [...model.keys()]
          if (entries.length === 0) continue
          const e = entries[step.pick % entries.length] as number
          const m = model.get(e) as Model
          if (step.do === 'unlink' && m.linked) {
            keydir.unlink(e)
            m.linked = false
          } else if (step.do === 'relink' && !m.linked) {
            if ([...model.values()].some((o) => o.linked && o.key === m.key && o.database === m.database)) continue
            keydir.relink(e)
            m.linked = true
          } else if (step.do === 'free') {
            if (m.linked) keydir.unlink(e)
            keydir.free(e)
            model.delete(e)
          } else if (step.do === 'place') {
            keydir.place(e, ...step.place)
            m.place = step.place
            m.read = false
          } else if (step.do === 'clock') {
            keydir.setAccessClock(e, step.clock)
            m.clock = step.clock
          } else if (step.do === 'read') {
            keydir.markRead(e, step.clock)
            m.clock = step.clock
            m.read = true
          } else if (step.do === 'expiry') {
            keydir.setExpiry(e, step.expiry)
            m.expiry = step.expiry
          } else if (step.do === 'touch') {
            keydir.setTouch(e, ...step.touch)
            m.touch = step.touch
          }
        }
        check(keydir, model)
      }),
      { numRuns: 150 },
    )
  })

  it('survives growing and emptying with many keys, and its image too', () => {
    const keydir = new Keydir({ seed: 7 })
    const scratch = new Slice()
    const entryOf = new Map<string, number>()
    const insert = (i: number): void => {
      const key = `key:${i}:${'p'.repeat(i % 40)}`
      const e = keydir.insert(i % 3, sliceOf(key))
      keydir.place(e, 1, i, 2, i + 1, 0, false)
      if (i % 5 === 0) keydir.setExpiry(e, ((i * 7919) % 100_003) + 1)
      entryOf.set(key, e)
    }
    const agree = (k: Keydir): void => {
      expect(k.total).toBe(entryOf.size)
      for (const [key, e] of entryOf) {
        const i = Number(key.split(':')[1])
        if (k.find(i % 3, sliceOf(key)) !== e || k.offset(e) !== i) throw new Error(`${key} is not found as it was`)
        if (k.key(e, scratch).key() !== key) throw new Error(`${key} has another key`)
      }
    }
    for (let i = 0; i < 60_000; i++) insert(i)
    agree(keydir)
    // Nine of ten go, in an order that is not theirs.
    let left = 54_000
    for (const [key, e] of [...entryOf].sort(([a], [b]) =>
      a.length === b.length ? (a < b ? 1 : -1) : a.length - b.length,
    )) {
      if (left-- <= 0) break
      keydir.unlink(e)
      keydir.free(e)
      entryOf.delete(key)
    }
    agree(keydir)
    for (let i = 60_000; i < 80_000; i++) insert(i)
    agree(keydir)

    const { header, parts } = keydir.image()
    const { keydir: other, parts: targets } = Keydir.forImage(JSON.parse(JSON.stringify(header)))
    for (const [n, part] of parts.entries()) (targets[n] as Uint8Array).set(part)
    agree(other)
    expect(other.soonestExpiry()).toBe(keydir.soonestExpiry())
    expect(() => Keydir.fromImage(header, parts.slice(1))).toThrow('number of parts')

    // Expiries come in order.
    let last = 0
    for (let e = other.soonestExpiry(); e !== NONE; e = other.soonestExpiry()) {
      expect(other.expiry(e)).toBeGreaterThanOrEqual(last)
      last = other.expiry(e)
      other.setExpiry(e, 0)
    }
    expect(other.totalExpiring).toBe(0)
  })

  it('gives all memory back to use when keys of other sizes come', () => {
    const keydir = new Keydir({ seed: 1 })
    const live: number[] = []
    let serial = 0
    let most = 0
    for (let round = 0; round < 15; round++) {
      const length = 10 + ((round * 37) % 200)
      let bytes = 0
      while (bytes < 2_000_000) {
        const key = `${serial++}`.padEnd(length, '.')
        live.push(keydir.insert(0, sliceOf(key)))
        bytes += key.length
      }
      most = Math.max(most, keydir.bytes().arena)
      // All but every hundredth go: what stays would pin pages of an allocator that cannot move.
      const stays = live.filter((_, i) => i % 100 === 0)
      for (const [i, e] of live.entries()) {
        if (i % 100 === 0) continue
        keydir.unlink(e)
        keydir.free(e)
      }
      live.splice(0, live.length, ...stays)
    }
    // 2 MB of keys at a time: heads, padding, a slab begun for each of 60 sizes.
    expect(most).toBeLessThan(2_000_000 * 1.3 + 60 * 16_384)
  })

  it('needs at most 40 bytes a key besides the key, and no long step, at every count', () => {
    const full = process.env['CASKY_TEST_FULL'] === '1'
    const keydir = new Keydir({ seed: 3 })
    const key = new Slice(Buffer.from('key:000000000000', 'latin1'))
    const count = full ? 20_000_000 : 1_500_000
    let worst = 0
    let longest = 0
    for (let i = 0; i < count; i++) {
      for (let p = 15, n = i; p > 3; p--) {
        key.bytes[p] = 48 + (n % 10)
        n = Math.floor(n / 10)
      }
      const before = keydir.slotsMoved
      keydir.insert(0, key)
      longest = Math.max(longest, keydir.slotsMoved - before)
      if (i >= 999_999 && i % 5_000 === 0) worst = Math.max(worst, keydir.bytes().total / i - 16)
    }
    expect(worst).toBeLessThanOrEqual(40)
    // Out of a page, its class's last page moved, into two: 3 pages of 1024.
    expect(longest).toBeLessThanOrEqual(3 * 1024)
  }, 600_000)

  it('does no long step while it empties', () => {
    const keydir = new Keydir({ seed: 3 })
    const count = 300_000
    for (let i = 0; i < count; i++) keydir.insert(0, sliceOf(`k${i}`))
    let longest = 0
    for (let e = 0; e < count; e++) {
      const before = keydir.slotsMoved
      keydir.unlink(e)
      keydir.free(e)
      longest = Math.max(longest, keydir.slotsMoved - before)
    }
    expect(keydir.total).toBe(0)
    expect(longest).toBeLessThanOrEqual(4 * 1024)
  })

  it('a bulk load moves little, and settled it is as small as any other', () => {
    const count = 200_000
    const keydir = new Keydir({ seed: 3 })
    keydir.beginBulk()
    const plain = new Keydir({ seed: 3 })
    for (let i = 0; i < count; i++) {
      keydir.insert(0, sliceOf(`k${i}`))
      plain.insert(0, sliceOf(`k${i}`))
    }
    expect(keydir.slotsMoved).toBeLessThan(plain.slotsMoved / 2)
    let longest = 0
    for (let cursor = 0, isFirst = true; isFirst || cursor !== 0; isFirst = false) {
      const before = keydir.slotsMoved
      cursor = keydir.settle(cursor)
      longest = Math.max(longest, keydir.slotsMoved - before)
    }
    expect(longest).toBeLessThanOrEqual(2 * 256 * 1024)
    expect(keydir.bytes().index).toBeLessThanOrEqual(plain.bytes().index * 1.4)
    for (let i = 0; i < 2 * count; i++) {
      if (i >= count) keydir.insert(0, sliceOf(`k${i}`))
      if (keydir.find(0, sliceOf(`k${i}`)) !== i) throw new Error(`k${i} is lost`)
    }
    for (let i = 0; i < 2 * count; i++) if (keydir.find(0, sliceOf(`k${i}`)) !== i) throw new Error(`k${i} is lost`)
  })

  it('a bulk load that knows how much will come moves less still, and one that was told wrong is no larger than four of the same', () => {
    const count = 200_000
    const load = (expected: number): Keydir => {
      const keydir = new Keydir({ seed: 3 })
      keydir.beginBulk()
      keydir.expect(expected)
      for (let i = 0; i < count; i++) keydir.insert(0, sliceOf(`k${i}`))
      for (let cursor = keydir.settle(0); cursor !== 0; ) cursor = keydir.settle(cursor)
      for (let i = 0; i < count; i++) if (keydir.find(0, sliceOf(`k${i}`)) !== i) throw new Error(`k${i} is lost`)
      return keydir
    }
    const plain = load(0)
    const told = load(count)
    const misled = load(count * 1000)
    expect(told.slotsMoved).toBeLessThan(plain.slotsMoved / 2)
    expect(misled.bytes().index).toBeLessThanOrEqual(plain.bytes().index * 4.5)
    // Afterwards it grows as it should, and nothing of the expectation is left.
    for (let i = count; i < 2 * count; i++) misled.insert(0, sliceOf(`k${i}`))
    expect(misled.bytes().index).toBeLessThanOrEqual(12 * 2 * count)
  })

  it('visits what is there during a whole scan exactly once, whatever else happens', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ budget: fc.integer({ min: 1, max: 50 }), changes: fc.array(fc.nat(), { maxLength: 20 }) }),
          {
            minLength: 1,
            maxLength: 30,
          },
        ),
        (rounds) => {
          const keydir = new Keydir({ seed: 5 })
          const always = new Map<number, number>()
          const others: number[] = []
          for (let i = 0; i < 200; i++) {
            const e = keydir.insert(0, sliceOf(`key:${i}`))
            if (i % 3 === 0) always.set(e, 0)
            else others.push(e)
          }
          let serial = 0
          let cursor = 0
          let round = 0
          do {
            const { budget, changes } = rounds[round++ % rounds.length] as (typeof rounds)[number]
            cursor = keydir.scan(cursor, budget, (e) => {
              if (always.has(e)) always.set(e, (always.get(e) as number) + 1)
            })
            for (const change of changes) {
              if (change % 2 === 0 || others.length === 0) others.push(keydir.insert(1, sliceOf(`new:${serial++}`)))
              else {
                const [e] = others.splice(change % others.length, 1) as [number]
                keydir.unlink(e)
                keydir.free(e)
              }
            }
            if (round > 5000) break // only inserts: the end moves away for ever, as it may
          } while (cursor !== 0)
          if (cursor === 0) expect([...always.values()].every((times) => times === 1)).toBe(true)
        },
      ),
      { numRuns: 100 },
    )
  })
})

it('expiries that come and go all over a large keydir leave nothing behind', () => {
  const rows = new Rows()
  const memory = (rows as unknown as { memory: Memory }).memory
  const words = vi.spyOn(memory, 'words')
  const give = vi.spyOn(memory, 'give')
  // Ten at a time, each in another block.
  for (let first = 0; first < 300; first += 10) {
    for (let block = first; block < first + 10; block++) rows.add(block * 4096)
    for (let block = first; block < first + 10; block++) rows.remove(block * 4096)
  }
  expect(words.mock.calls.length).toBeGreaterThan(100)
  expect(words.mock.calls.length - give.mock.calls.length).toBeLessThan(10)
})
