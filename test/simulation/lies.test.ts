import { expect, test } from 'vitest'
import { LIES } from './faults.ts'
import { lieOnce, misreadEach, newLieReport } from './lies.ts'
import { storyFrom } from './life.ts'

// Some writes of one life lie, each in three ways; before a release every one of two lives. By hand: `npm run soak -- lies`.

const isFull = process.env['CASKY_TEST_FULL'] === '1'
const STRIDE = isFull ? 1 : 7

test.each(isFull ? [1, 200] : [1])('a write that lies is found out, or nothing was lost by it (seed %i)', (from) => {
  const { seed, writes } = storyFrom(from)
  const report = newLieReport()
  for (let at = 1; at <= writes; at += STRIDE) {
    for (const lie of LIES) for (const ending of ['stop', 'kill'] as const) lieOnce(seed, at, lie, ending, report)
  }
  expect(report.lies).toBeGreaterThan(writes / STRIDE)
  // It must be met from all sides, or this says nothing.
  for (const met of [report.refused, report.warned, report.harmless]) expect(met).toBeGreaterThan(0)
}, 300_000)

// A shim that lied to the real server found it: one bad read of the open segment, and the log ended there.
test.each(['kill', 'stop'] as const)('one read of a start that goes wrong loses nothing (after a %s)', (ending) => {
  let lies = 0
  for (let seed = 1; seed <= (isFull ? 200 : 2); seed++) lies += misreadEach(seed, ending)
  expect(lies).toBeGreaterThan(50)
}, 300_000)
