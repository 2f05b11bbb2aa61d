import { expect, test } from 'vitest'
import { OPERATIONS, type Operation, playSequence, sequencesOf } from './sequences.ts'
import { Tally } from './tally.ts'

// All sequences of one operation at each commit; before a release all of two and some of three. `npm run soak -- sequences` plays all of three.

const isFull = process.env['CASKY_TEST_FULL'] === '1'
const PARTS = 5
const parts = Array.from({ length: PARTS }, (_, part) => part)

/** Where all is synced these make no file call, nor does what is done twice. Whatever else is done makes some. */
const MAY_BE_IDLE: ReadonlySet<Operation> = new Set(['time passes', 'sync', 'always'])

function play(length: number, manner: 'settled' | 'at once', from: number, every: number): void {
  const tally = new Tally()
  const sum = { cuts: 0, starts: 0 }
  for (const sequence of sequencesOf(length, from, every)) {
    const { cuts, starts } = playSequence(sequence, manner, tally)
    const last = sequence.at(-1) as Operation
    if (length === 1 && !MAY_BE_IDLE.has(last)) expect(starts, sequence.join('; ')).toBeGreaterThan(0)
    sum.cuts += cuts
    sum.starts += starts
  }
  expect(sum.cuts).toBeGreaterThan(sum.starts)
  if (length === 1) expect(tally.missing(OPERATIONS)).toEqual([])
}

test('one operation, crashed at every instant', () => play(1, 'settled', 0, 1), 120_000)

test.runIf(isFull).each(parts)(
  'two operations, one after the other, part %i',
  (part) => play(2, 'settled', part, PARTS),
  300_000,
)

test.runIf(isFull).each(parts)(
  'some of two operations at once, part %i',
  (part) => play(2, 'at once', part, 3 * PARTS),
  300_000,
)

test.runIf(isFull)('some of three operations at once', () => play(3, 'at once', 17, 149), 300_000)
