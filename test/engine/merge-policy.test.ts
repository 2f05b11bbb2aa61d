import { describe, expect, test } from 'vitest'
import { chooseInputs, inWindow, type Occasion, type SegmentFacts } from '../../src/engine/merge-policy.ts'
import { settings as defaults } from './test-store.ts'

const settings = {
  ...defaults,
  segmentSizeBytes: 200, // so 600 dead bytes are enough for a merge
  mergeTriggerFragmentation: 60,
  mergeTriggerSegments: 3,
  mergeTriggerDeadBytes: 5000,
  mergeThresholdFragmentation: 40,
  mergeThresholdDeadBytes: 2000,
  mergeThresholdSmallFile: 100,
  scrubRateBytesPerSecond: 0,
}

/** A sealed segment of a thousand bytes, all alive, unless said otherwise. */
function segment(number: number, facts: Partial<SegmentFacts> = {}): SegmentFacts {
  const deadBytes = facts.deadBytes ?? 0
  return {
    number,
    bytes: 1000,
    liveBytes: 1000 - deadBytes,
    deadBytes,
    tombstoneBytes: 0,
    tombstones: 0,
    sealed: true,
    hinted: true,
    damaged: false,
    lowSequence: number * 100,
    highSequence: number * 100 + 99,
    deadBeforeIt: null,
    ...facts,
  }
}

const picked = (all: SegmentFacts[], occasion: Occasion = 'due', change = {}): number[] => {
  const { inputs } = chooseInputs(all, { ...settings, ...change }, occasion)
  return [...inputs].sort((a, b) => a - b)
}

describe('what is merged', () => {
  const half = { deadBytes: 500 }
  const most = { deadBytes: 700 }
  test.each<[string, SegmentFacts[], Occasion, number[]]>([
    ['nothing, of nothing', [], 'due', []],
    ['nothing, when all lives, even if asked', [segment(1), segment(2)], 'asked', []],
    ['nothing below the trigger', [segment(1, half), segment(2, half)], 'due', []],
    ['what is worth it, when asked', [segment(1, half), segment(2), segment(3, { deadBytes: 1 })], 'asked', [1, 3]],
    ['what is above the threshold, once one passes the trigger', [segment(1, half), segment(2, most)], 'due', [1, 2]],
    ['not what is below the threshold', [segment(1, { deadBytes: 300 }), segment(2, most)], 'due', [2]],
    [
      'what has many dead bytes however large it is',
      [segment(1, { bytes: 100_000, deadBytes: 5000 }), segment(2)],
      'due',
      [1],
    ],
    ['never the active file', [segment(1, { ...most, sealed: false }), segment(2, most)], 'asked', [2]],
    ['never a damaged one', [segment(1, { ...most, damaged: true }), segment(2, most)], 'asked', [2]],
    ['three small files, together', [1, 2, 3].map((n) => segment(n, { bytes: 50, liveBytes: 40 })), 'due', [1, 2, 3]],
    ['not two', [1, 2].map((n) => segment(n, { bytes: 50, liveBytes: 40 })), 'due', []],
  ])('%s', (_, all, occasion, expected) => {
    expect(picked(all, occasion)).toEqual(expected)
  })

  test('a file is small only if it is far from a full one, whatever the threshold says', () => {
    const all = [1, 2, 3].map((n) => segment(n, { bytes: 600, liveBytes: 600 }))
    expect(picked(all, 'due', { mergeThresholdSmallFile: 10_000 })).toEqual([])
    expect(picked(all, 'due', { mergeThresholdSmallFile: 10_000, segmentSizeBytes: 1300 })).toEqual([1, 2, 3])
  })
})

describe('tombstones', () => {
  const tombstones = { tombstones: 10, tombstoneBytes: 700, liveBytes: 300 }

  test('count as dead where nothing older is left outside', () => {
    expect(picked([segment(1, tombstones), segment(2)])).toEqual([1])
  })

  test('count as far as dead records with older sequences are too few for them to hide', () => {
    expect(picked([segment(1), segment(2, tombstones)])).toEqual([2])
    expect(picked([segment(1, { deadBytes: 100 }), segment(2, tombstones)])).toEqual([2])
    expect(picked([segment(1, { deadBytes: 101 }), segment(2, tombstones)])).toEqual([])
    expect(picked([segment(1, { deadBytes: 101 }), segment(2, tombstones)], 'asked')).toEqual([1, 2])
    expect(picked([segment(1), segment(2, tombstones), segment(3, { deadBytes: 590 })])).toEqual([2, 3])
  })

  test('count for nothing while an older segment cannot be asked', () => {
    expect(picked([segment(1, { hinted: false }), segment(2, tombstones)], 'asked')).toEqual([])
    expect(picked([segment(1), segment(2, { ...tombstones, hinted: false })], 'asked')).toEqual([2])
    expect(picked([segment(1, { ...tombstones, hinted: false }), segment(2)])).toEqual([1])
  })

  test('of what a merge has written: as far as dead bytes have gone since, or the same segment would be merged for ever', () => {
    const kept = { ...tombstones, deadBeforeIt: 400 }
    expect(picked([segment(1, { deadBytes: 400 }), segment(2, kept)], 'asked')).toEqual([1])
    expect(picked([segment(1, { deadBytes: 390 }), segment(2, kept)], 'asked')).toEqual([1, 2])
    expect(picked([segment(1), segment(2, { ...kept, deadBeforeIt: 0 })], 'asked')).toEqual([])
    expect(picked([segment(1), segment(2, { ...kept, deadBeforeIt: Number.NEGATIVE_INFINITY })], 'asked')).toEqual([])
    expect(picked([segment(1), segment(2, { ...kept, deadBeforeIt: 5000 })])).toEqual([2])
    // Nothing older outside: whatever it is.
    expect(picked([segment(1, { ...kept, deadBeforeIt: 0 }), segment(2)])).toEqual([1])
  })

  test('of overlapping segments: dead records of any lower sequence outside may keep them', () => {
    const overlapping = segment(2, { lowSequence: 150, highSequence: 400, deadBytes: 300 })
    expect(picked([segment(1, tombstones), overlapping])).toEqual([])
    expect(picked([segment(1, { ...tombstones, highSequence: 149 }), overlapping])).toEqual([1])
  })
})

test('what triggers a merge is merged, wherever the threshold is', () => {
  expect(
    picked([segment(1, { deadBytes: 350 })], 'due', { segmentSizeBytes: 50, mergeTriggerFragmentation: 30 }),
  ).toEqual([1])
})

test('a percentage starts nothing before three full segments are dead in all, unless the disk is full; many dead bytes do', () => {
  const sized = { segmentSizeBytes: 1000 }
  const dead = (count: number): SegmentFacts[] =>
    Array.from({ length: count }, (_, i) => segment(i + 1, { deadBytes: 800 }))
  expect(picked(dead(3), 'due', sized)).toEqual([])
  expect(picked(dead(4), 'due', sized)).toEqual([1, 2, 3, 4])
  expect(picked(dead(1), 'full', sized)).toEqual([1])
  expect(picked(dead(1), 'asked', sized)).toEqual([1])
  expect(picked(dead(1), 'due', { ...sized, mergeTriggerDeadBytes: 800 })).toEqual([1])
  const little = Array.from({ length: 20 }, (_, i) => segment(i + 4, { deadBytes: 300 }))
  expect(picked([...dead(3), ...little], 'due', sized), 'what is not worth it does not count').toEqual([])
  const { verdicts } = chooseInputs(dead(3), { ...settings, ...sized }, 'due')
  expect(verdicts.get(1)).toBe('worth it, but too little in all')
})

test('on a full disk a few dead records are worth it', () => {
  expect(picked([segment(1, { deadBytes: 50 }), segment(2, { deadBytes: 49 })], 'full')).toEqual([1])
})

test('what is newer than the request is not merged for it', () => {
  const all = [segment(1, { deadBytes: 1 }), segment(2, { deadBytes: 900 })]
  const { inputs, verdicts } = chooseInputs(all, settings, 'asked', undefined, 2)
  expect([inputs, verdicts.get(2)]).toEqual([[1], 'newer than the MERGE that runs'])
})

test('one merge takes a bounded amount, most reclaimed first, and leaves the rest for the next', () => {
  const MIB = 1024 * 1024
  const all = Array.from({ length: 10 }, (_, i) =>
    segment(i + 1, { bytes: 128 * MIB, deadBytes: (50 + i) * MIB, liveBytes: (78 - i) * MIB }),
  )
  const { inputs, verdicts, freedBytes } = chooseInputs(all, settings, 'asked')
  expect(inputs.reduce((sum, n) => sum + all[n - 1]!.bytes, 0)).toBeLessThanOrEqual(512 * MIB)
  expect(inputs).toEqual([10, 9, 8, 7])
  expect(freedBytes).toBe((59 + 58 + 57 + 56) * MIB)
  expect(verdicts.get(10)).toBe('picked')
  expect(verdicts.get(1)).toMatch(/^next time/)
  // One that is too large by itself is still taken: it would never go otherwise.
  expect(picked([segment(1, { bytes: 1500 * MIB, deadBytes: 1000 * MIB })])).toEqual([1])
})

test('every segment has its verdict', () => {
  const all = [
    segment(1, { deadBytes: 500 }),
    segment(2, { sealed: false }),
    segment(3, { damaged: true }),
    segment(4),
    segment(5, { deadBytes: 100 }),
    segment(6, { bytes: 50, liveBytes: 50 }),
  ]
  const { verdicts } = chooseInputs(all, settings, 'due')
  expect([...verdicts.keys()].sort()).toEqual([1, 2, 3, 4, 5, 6])
  expect(verdicts.get(2)).toMatch(/open/)
  expect(verdicts.get(3)).toMatch(/damaged/)
})

describe('the window of hours', () => {
  test.each<[string, number[]]>([
    ['always', Array.from({ length: 24 }, (_, hour) => hour)],
    ['never', []],
    ['2-5', [2, 3, 4, 5]],
    ['22-01', [0, 1, 22, 23]],
    ['7-7', [7]],
    ['00-23', Array.from({ length: 24 }, (_, hour) => hour)],
  ])('%s', (window, hours) => {
    expect(Array.from({ length: 24 }, (_, hour) => hour).filter((hour) => inWindow(window, hour))).toEqual(hours)
  })
})
