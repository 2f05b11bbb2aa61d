// Rot, a sample of it: one damage in so many of those that `npm run soak -- rot` does all of. And the judge judged: damage where he is told
// there is none, and answers that nobody gave, must be found out.

import { describe, expect, test } from 'vitest'
import { type Damage, flipped } from './damage.ts'
import { allRecords, DATA_SET_BYTES, dataSets } from './data-set.ts'
import { emptyTally, Judge } from './judge.ts'
import type { Disk } from './memory-storage.ts'
import { ANCHOR, BATCH_END, SYSTEM, TOMBSTONE, TOUCH, VALUE } from './reader.ts'
import { rot } from './rot.ts'

const SHARE = process.env['CASKY_TEST_FULL'] === '1' ? 151 : 4001
const SEED = 2
const sets = dataSets(SEED)

test('the data set has every kind of record, in plain segments and merged ones, and is as long as it is said to be', () => {
  const { disk, segments, live } = sets.hints
  expect([...disk.values()].reduce((sum, bytes) => sum + bytes.length, 0)).toBe(DATA_SET_BYTES)
  const records = allRecords(segments)
  const kinds = [...new Set(records.map(({ kind }) => kind))].sort()
  expect(kinds).toEqual([VALUE, TOMBSTONE, BATCH_END, TOUCH, SYSTEM, ANCHOR])
  expect(records.filter(({ kind }) => kind === TOUCH).length).toBeGreaterThan(10)
  expect(live.size).toBeGreaterThan(200)
  // Something to come back, if it could: older values of living keys, and values of keys that are deleted.
  expect(records.filter(({ kind }) => kind === VALUE).length).toBeGreaterThan(live.size + 30)
  expect(sets.killed.segments.some(({ isOpen, records }) => isOpen && records.length > 10)).toBe(true)
})

test(`bits, lengths, blocks and files, one in ${SHARE}: nothing wrong or old is served, nothing unhurt is missing`, () => {
  const phases = rot({ seed: SEED, share: SHARE, offset: SHARE === 151 ? 0 : 7 })
  const sum = { ...emptyTally() }
  for (const { tally } of phases) for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += tally[name]
  // All ways to end must have been met.
  for (const count of [sum.refused, sum.errors, sum.readable, sum.starts]) expect(count).toBeGreaterThan(0)
}, 300_000)

describe('the judge', () => {
  const set = sets.hints
  const judge = new Judge(set)
  const { segments, live } = set
  const complaint = (damage: Damage): string => {
    try {
      judge.judge(damage, emptyTally())
    } catch (error) {
      return (error as Error).message
    }
    return ''
  }
  const segment = segments.find(({ records }) => records.length > 30)!
  const record = segment.records.find((each) => judge.ownerOf(segment, each) !== null && each.value.length > 8)!

  test('acquits the unhurt disk, and the hurt one', () => {
    expect(() => judge.baseline()).not.toThrow()
    expect(complaint(flipped(set.disk, segment.name, (record.end - 1) * 8))).toBe('')
  })

  test('an error of a key that is not hurt', () => {
    const damage = flipped(set.disk, segment.name, (record.end - 1) * 8)
    expect(complaint({ ...damage, ranges: [] })).toContain('is unhurt')
  })

  test('an older state, whole in itself', () => {
    for (const disk of set.stale.slice(0, 3))
      expect(complaint({ what: 'a disk of yesterday', ranges: [], disk })).not.toBe('')
  })

  test('a refusal without need', () => {
    const disk: Disk = new Map([...sets.data.disk].filter(([name]) => name !== segment.name))
    expect(complaint({ what: 'said to be nothing', ranges: [], disk })).toContain('refused without need')
  })

  test('a value that is not reported', () => {
    const data = new Judge(sets.data)
    const claimed = [{ file: segment.name, from: record.end - 1, to: record.end }]
    expect(() => data.judge({ what: 'nothing at all', ranges: claimed, disk: sets.data.disk }, emptyTally())).toThrow(
      'no warning',
    )
    expect(live.size).toBeGreaterThan(0)
  })
})
