import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FilterBuilder, filterHas, filterHash, SharpFilter } from '../../src/engine/filter.ts'

function has(filter: Uint8Array, database: number, key: Uint8Array): boolean {
  const pair = new Uint32Array(2)
  filterHash(database, key, 0, key.length, pair)
  return filterHas(filter, pair)
}

test('never denies a key that was added, wherever its bytes lay', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(5), fc.uint8Array({ maxLength: 20 })), { maxLength: 300 }), (keys) => {
      const builder = new FilterBuilder()
      for (const [database, key] of keys) {
        const around = Buffer.concat([Buffer.from('before'), key, Buffer.from('behind')])
        builder.add(database, around, 6, 6 + key.length)
      }
      const filter = builder.build()
      for (const [database, key] of keys) expect(has(filter, database, key)).toBe(true)
    }),
  )
})

test('denies nearly every other key: at most two in a hundred pass', () => {
  const builder = new FilterBuilder()
  const key = (i: number): Buffer => Buffer.from(`user:${i}`)
  for (let i = 0; i < 20_000; i++) builder.add(1, key(i), 0, key(i).length)
  const filter = builder.build()
  expect(filter.length).toBe(25_000)
  let foreign = 0
  let otherDatabase = 0
  for (let i = 0; i < 20_000; i++) {
    if (has(filter, 1, key(20_000 + i))) foreign++
    if (has(filter, 2, key(i))) otherDatabase++
  }
  expect(foreign).toBeLessThan(400)
  expect(otherDatabase).toBeLessThan(400)
})

test('an empty filter denies everything', () => {
  expect(has(new FilterBuilder().build(), 1, Buffer.from('k'))).toBe(false)
})

test('the hash is part of the file format: it stays what it is', () => {
  const pair = new Uint32Array(2)
  filterHash(1, Buffer.from('key'), 0, 3, pair)
  const builder = new FilterBuilder()
  builder.add(1, Buffer.from('key'), 0, 3)
  expect({ pair: [...pair], filter: Buffer.from(builder.build()).toString('hex') }).toMatchInlineSnapshot(`
    {
      "filter": "f007",
      "pair": [
        1072888442,
        2993099359,
      ],
    }
  `)
})

test('a sharp filter has all that was added, next to nothing else, and errs elsewhere with another seed', () => {
  const pair = new Uint32Array(2)
  const hash = (name: string): Uint32Array => {
    const key = Buffer.from(name)
    filterHash(1, key, 0, key.length, pair)
    return pair
  }
  const KEYS = 5000
  const PROBES = 200_000
  const wrong = [11, 12].map((seed) => {
    const filter = new SharpFilter(KEYS, seed)
    for (let i = 0; i < KEYS; i++) filter.add(hash(`key ${i}`))
    for (let i = 0; i < KEYS; i++) expect(filter.has(hash(`key ${i}`))).toBe(true)
    return Array.from({ length: PROBES }, (_, i) => i).filter((i) => filter.has(hash(`other ${i}`)))
  })
  for (const each of wrong) expect(each.length).toBeLessThan(PROBES / 4000)
  expect(wrong[0]!.filter((i) => wrong[1]!.includes(i))).toEqual([])
  expect(new SharpFilter(0, 1).has(hash('k'))).toBe(false)
})
