import { expect, test } from 'vitest'
import { difference, emptyState, Model, sameState, withKey } from './model.ts'

const empty = emptyState(2)
const a1 = withKey(empty, 0, 'a', { value: '1', expiry: 0 })
const a2 = withKey(a1, 0, 'a', { value: '2', expiry: 0 })
const b1 = withKey(a2, 1, 'b', { value: '1', expiry: 5 })

function model(): Model {
  const line = new Model(10, empty)
  line.push(11, a1)
  line.push(14, a2)
  line.push(15, b1)
  return line
}

const sequences = (line: Model, proven: number): number[] => line.possible(proven).map(({ sequence }) => sequence)

test('a crash may leave any moment that is not older than what is proven', () => {
  expect(sequences(model(), 10)).toEqual([15, 14, 11, 10])
  expect(sequences(model(), 11)).toEqual([15, 14, 11])
  // 12 and 13 lie inside a batch: the moment before it stands for them.
  expect(sequences(model(), 13)).toEqual([15, 14, 11])
  expect(sequences(model(), 14)).toEqual([15, 14])
  expect(sequences(model(), 99)).toEqual([15])
})

test('undone writes may come back only while nothing later is proven', () => {
  const line = model()
  line.fail(14)
  expect(line.state).toBe(a1)
  line.push(16, empty)
  expect(new Set(sequences(line, 11))).toEqual(new Set([16, 11, 15, 14]))
  expect(sequences(line, 16)).toEqual([16])
})

test('a change needs a sequence of its own', () => {
  expect(() => model().push(15, empty)).toThrow('without a sequence')
  expect(() => model().push(14, b1)).toThrow('after 15')
  expect(() => model().fail(10)).toThrow('at the start')
})

test('lastWithout tells after which sequence an answer became true', () => {
  const line = model()
  expect(line.lastWithout((state) => state[0]!.get('a')?.value === '2')).toBe(11)
  expect(line.lastWithout((state) => state[1]!.get('b') !== undefined)).toBe(14)
  expect(line.lastWithout((state) => state[1]!.get('c') === undefined)).toBe(-1)
})

test('states are compared by content', () => {
  const other = withKey(withKey(empty, 1, 'b', { value: '1', expiry: 5 }), 0, 'a', { value: '2', expiry: 0 })
  expect(sameState(b1, other)).toBe(true)
  expect(difference(b1, other)).toBe('')
  for (const wrong of [a2, withKey(b1, 1, 'b', { value: '1', expiry: 6 }), withKey(b1, 0, 'a', null)]) {
    expect(sameState(b1, wrong)).toBe(false)
    expect(difference(b1, wrong)).not.toBe('')
  }
})
