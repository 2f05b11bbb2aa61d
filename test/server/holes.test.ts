// The queue of holes against an array, and what is told of each.

import { expect, it } from 'vitest'
import { Slice } from '../../src/base/slice.ts'
import { Hole, HoleQueue } from '../../src/server/holes.ts'
import { randomFrom } from '../harness/random.ts'

const owner = { counted: () => {}, messageDropped: () => {}, filled: () => {} }
const hole = (at: number): Hole => new Hole(owner, 0, at, 10, () => {})

it('is a queue that also gives back its last', () => {
  const random = randomFrom(7)
  const queue = new HoleQueue()
  let model: number[] = []
  for (let step = 0; step < 5000; step++) {
    const what = random.below(4)
    if (what < 2) {
      queue.push(hole(step))
      model.push(step)
    } else if (what === 2 && model.length > 0) {
      expect(queue.pop().at).toBe(model.pop())
    } else if (what === 3) {
      const count = random.below(model.length + 1)
      expect(queue.take(count).map(({ at }) => at)).toEqual(model.slice(0, count))
      model = model.slice(count)
    }
    expect([queue.length, queue.last?.at, queue.at(0)?.at, queue.at(model.length)]).toEqual([
      model.length,
      model.at(-1),
      model[0],
      undefined,
    ])
  }
})

it('cancels the read of a hole that nobody waits for any more, and of no other', () => {
  const cancelled: string[] = []
  const reading = (name: string): Hole => {
    const one = hole(0)
    one.waitsFor({ cancel: () => cancelled.push(name) })
    return one
  }
  const [filled, dropped] = [reading('filled'), reading('dropped')]
  filled.fillBulk(new Slice(Buffer.from('v')))
  for (const one of [filled, dropped, dropped]) one.drop()
  expect(cancelled).toEqual(['dropped'])
  dropped.waitsFor({ cancel: () => cancelled.push('late') })
  expect(cancelled).toEqual(['dropped', 'late'])
})
