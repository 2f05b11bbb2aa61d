// The patches fit the sources, and the tests notice some of them: five at random here, all by `npm run soak -- mutants`.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { expect, test } from 'vitest'
import { judgeMutants } from '../soak/mutants.ts'
import { applies, isDead, ROOT, readMutants } from './mutants.ts'

const FULL = process.env['CASKY_TEST_FULL'] === '1'
const SAMPLE = 5
const TIMEOUT_MS = 900_000

const mutants = readMutants()

test('there are enough of them, each with a name of its own', () => {
  expect(mutants.length).toBeGreaterThanOrEqual(30)
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
})

test('each names test files that exist', () => {
  const named = new Set(mutants.flatMap(({ red }) => red))
  for (const file of named) expect(fs.statSync(path.join(ROOT, file)).isFile(), file).toBe(true)
})

test('each patch fits the sources', () => {
  expect(mutants.filter((mutant) => !applies(mutant)).map(({ name }) => name)).toEqual([])
})

test.runIf(FULL)(
  `${SAMPLE} at random: the tests go red`,
  async () => {
    const given = process.env['CASKY_TEST_MUTANTS_SEED']
    const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
    console.log(`mutants: CASKY_TEST_MUTANTS_SEED=${seed}`)
    const progress = (line: string): void => console.log(line)
    const judged = await judgeMutants({ names: [], count: SAMPLE, seed, everything: false, progress })
    expect(judged.length).toBe(SAMPLE)
    expect(judged.filter((each) => !isDead(each)).map(({ mutant, by }) => `${mutant.name} ${by}`)).toEqual([])
  },
  TIMEOUT_MS,
)
