import { expect, test } from 'vitest'
import { replayRot, rot } from './rot.ts'

const RUNS = process.env['CASKY_TEST_FULL'] === '1' ? 2000 : 120
const PARTS = 4
/** A manifest was disbelieved because a lost segment and the inputs of a merge, not removed yet, lay side by side. */
const FOUND = [40, 3_000_744]

const seed = process.env['CASKY_TEST_ROT_SEED']

if (seed !== undefined) {
  test(`seed ${seed}`, () => {
    const text = replayRot(Number(seed), null)
    console.log(text)
    expect(text.split('\n')[0]).toBe('no violation')
  })
} else {
  test.each(FOUND)('a lost segment beside the inputs of a merge: seed %i', (found) => {
    expect(replayRot(found, null).split('\n')[0]).toBe('no violation')
  })

  const met = { started: 0, refused: 0, salvaged: 0, errors: 0 }

  test.each(Array.from({ length: PARTS }, (_, part) => 1 + part * 1_000_000))('rot from seed %i on', (first) => {
    const report = rot({ runs: RUNS / PARTS, seed: first })
    expect(report.runs).toBe(RUNS / PARTS)
    for (const what of Object.keys(met) as (keyof typeof met)[]) met[what] += report[what]
  })

  test('and it was met from all sides, or this says nothing', () => {
    for (const [what, count] of Object.entries(met)) expect(count, what).toBeGreaterThan(0)
  })
}
