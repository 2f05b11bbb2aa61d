import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Databases } from '../../src/engine/databases.ts'

const changes = fc.array(
  fc.oneof(fc.record({ renew: fc.nat(7) }), fc.record({ swap: fc.tuple(fc.nat(7), fc.nat(7)) })),
  { maxLength: 40 },
)

function changed(databases: Databases, list: typeof changes extends fc.Arbitrary<infer T> ? T : never): number[] {
  const given: number[] = []
  for (const change of list) {
    if ('renew' in change) {
      databases.renew(change.renew)
      given.push(databases.physical[change.renew] as number)
    } else databases.swap(...change.swap)
  }
  return given
}

test('the map survives its encoding, and no physical id is ever given twice or shared', () => {
  fc.assert(
    fc.property(changes, changes, (first, second) => {
      const databases = new Databases(8)
      const given = changed(databases, first)
      const restored = new Databases(8)
      restored.decode(databases.encode())
      expect([...restored.physical]).toEqual([...databases.physical])
      given.push(...changed(restored, second))
      expect(new Set(given).size).toBe(given.length)
      expect(new Set(restored.physical).size).toBe(8)
      expect(restored.physical).not.toContain(0)
    }),
  )
})

test('databases beyond the configured count keep their keys, unseen, until they are configured again', () => {
  const sixteen = new Databases(16)
  sixteen.renew(12)
  sixteen.swap(0, 13)
  const four = new Databases(4)
  four.decode(sixteen.encode())
  expect(four.physical[0]).toBe(14)
  expect(four.isMapped(sixteen.physical[12] as number)).toBe(true)
  expect(four.isMapped(1)).toBe(true)
  four.renew(1)
  const again = new Databases(16)
  again.decode(four.encode())
  expect(again.physical[12]).toBe(sixteen.physical[12])
  expect(again.physical[13]).toBe(1)
  expect(again.physical[1]).toBe(four.physical[1])
})

test('an undone flush brings back the old ids, and does not give out its new ones again', () => {
  const databases = new Databases(4)
  const before = databases.mapped([2])
  databases.renew(2)
  const given = databases.physical[2]
  databases.restore(before)
  expect([...databases.physical]).toEqual([1, 2, 3, 4])
  databases.renew(2)
  expect(databases.physical[2]).not.toBe(given)
})
