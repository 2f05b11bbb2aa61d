// Replay takes records in, in whatever order segments are read: every order of a key's history ends in the same state.

import { expect, test } from 'vitest'
import { sliceOf } from '../../src/base/slice.ts'
import { Databases } from '../../src/engine/databases.ts'
import { NONE } from '../../src/engine/engine.ts'
import { Keydir } from '../../src/engine/keydir/keydir.ts'
import {
  FLAG_EXPIRY,
  Head,
  KIND_SYSTEM,
  KIND_TOMBSTONE,
  KIND_TOUCH,
  KIND_VALUE,
  TOUCH_BYTES,
} from '../../src/engine/record.ts'
import { Replay } from '../../src/engine/replay.ts'
import { Segments } from '../../src/engine/segments.ts'
import { run } from '../../src/engine/task.ts'

interface Written {
  readonly kind: number
  readonly sequence: number
  readonly expiry?: number
  /** Of a touch: the sequence of its value. */
  readonly of?: number
}

const value = (sequence: number, expiry = 0): Written => ({ kind: KIND_VALUE, sequence, expiry })
const tombstone = (sequence: number): Written => ({ kind: KIND_TOMBSTONE, sequence })
const touch = (sequence: number, of: number, expiry: number): Written => ({ kind: KIND_TOUCH, sequence, of, expiry })

/** What is left of the key when the records were read in that order: its sequence, expiry and touch. */
function after(records: readonly Written[]): number[] | null {
  const keydir = new Keydir({ seed: 1 })
  const segments = new Segments(null as never, () => {})
  const replay = new Replay(keydir, segments, new Databases(1))
  const segment = segments.add(1, { low: 0, high: 0 }, false)
  const bytes = Buffer.alloc(1 + TOUCH_BYTES, 'k')
  for (const { kind, sequence, expiry = 0, of = 0 } of records) {
    const head = new Head()
    bytes.fill(0, 1).writeUInt32LE(of, 1)
    Object.assign(head, { kind, sequence, expiry, database: 1, keyStart: 0, keyLength: 1, valueStart: 1 })
    Object.assign(head, { valueLength: 4, flags: expiry === 0 ? 0 : FLAG_EXPIRY })
    replay.apply(segment, 60 * sequence, head, bytes)
  }
  run(
    replay.tidy(function* () {}),
    (error) => expect(error).toBe(null),
  )
  expect(replay.lastSequence).toBe(Math.max(...records.map(({ sequence }) => sequence)))
  const entry = keydir.find(1, sliceOf('k'))
  if (entry === NONE) {
    expect(segment.liveBytes).toBe(0)
    return null
  }
  expect(keydir.offset(entry)).toBe(60 * keydir.sequence(entry))
  return [keydir.sequence(entry), keydir.expiry(entry), keydir.touchSequence(entry)]
}

function* orders<T>(items: readonly T[]): Iterable<T[]> {
  if (items.length === 0) yield []
  for (const [i, item] of items.entries()) {
    for (const rest of orders(items.filter((_, other) => other !== i))) yield [item, ...rest]
  }
}

test.each([
  ['the newest value', [value(1), value(2), value(3)], [3, 0, 0]],
  ['the newest touch of it', [value(1), touch(2, 1, 500), touch(3, 1, 600)], [1, 600, 3]],
  ['a touch that takes the expiry away', [value(1, 400), touch(2, 1, 500), touch(3, 1, 0)], [1, 0, 3]],
  ['no touch of an older value', [value(1), touch(2, 1, 500), value(3), value(4, 700)], [4, 700, 0]],
  ['the touch of the newer one', [value(1), touch(2, 1, 500), value(3), touch(4, 3, 800)], [3, 800, 4]],
  ['nothing, deleted', [value(1), touch(2, 1, 500), value(3), tombstone(4)], null],
  ['what was written after a delete', [value(1, 300), tombstone(2), value(3), touch(4, 3, 900)], [3, 900, 4]],
  ['two deletes, and a touch between them', [value(1), tombstone(2), value(3), touch(4, 3, 9), tombstone(5)], null],
] as const)('%s is left, whatever the order', (_, records, expected) => {
  for (const order of orders<Written>(records)) expect(after(order), JSON.stringify(order)).toEqual(expected)
})

test('the newest map of databases is left, whatever the order', () => {
  for (const order of orders([3, 4])) {
    const databases = new Databases(1)
    const segments = new Segments(null as never, () => {})
    const replay = new Replay(new Keydir({ seed: 1 }), segments, databases)
    const segment = segments.add(1, { low: 0, high: 0 }, false)
    for (const sequence of order) {
      const of = new Databases(1)
      for (let i = 0; i < sequence; i++) of.renew(0)
      const bytes = Buffer.concat([Buffer.from('k'), of.encode()])
      const head = Object.assign(new Head(), { kind: KIND_SYSTEM, sequence, keyStart: 0, keyLength: 1, valueStart: 1 })
      head.valueLength = bytes.length - 1
      replay.apply(segment, 60, head, bytes)
    }
    run(
      replay.tidy(function* () {}),
      () => {},
    )
    expect([replay.system.sequence, databases.physical[0]]).toEqual([4, 2 ** 20 + 3])
  }
})
