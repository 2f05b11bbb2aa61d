// Each bug of the family has its test, by name, and a mutant that proves that the test can fail.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT, readMutants } from '../mutants/mutants.ts'
import { family } from './family.ts'

const mutants = new Map(readMutants().map((mutant) => [mutant.name, mutant]))

describe.each(family)('$bug', ({ tests, mutants: named }) => {
  test.each([...tests])('%s: %s', (file, name) => {
    const source = fs.readFileSync(path.join(ROOT, file), 'utf8')
    const quoted = [`'${name}'`, `"${name}"`].filter(
      (text) => source.includes(`(${text},`) || source.includes(`)(${text},`),
    )
    expect(quoted.length, `${file} has no such test`).toBe(1)
  })

  test.each([...named])('mutant %s goes red in one of those files', (name) => {
    const mutant = mutants.get(name)
    expect(mutant, 'there is no such patch').toBeDefined()
    const files = new Set(tests.map(([file]) => file))
    expect(mutant!.red.some((file) => files.has(file))).toBe(true)
  })

  test('has both', () => {
    expect(tests.length).toBeGreaterThan(0)
    expect(named.length).toBeGreaterThan(0)
  })
})
