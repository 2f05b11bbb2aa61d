// Which programs of the outside a test needs, and what happens where they are missing: one visible line and a skip at a
// developer's desk, a failure where CI=true, because there a skip would be a judge that stayed at home.

import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The path of a program on PATH, or undefined. */
export function findProgram(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name)
    if (folder !== '' && existsSync(path)) return path
  }
  return undefined
}

/** True when the tests that need this program have to be skipped. Throws where CI=true. */
export function skipWithout(program: string): boolean {
  if (findProgram(program) !== undefined) return false
  const line = `${program} is not installed: the tests against it are skipped`
  if (process.env.CI === 'true') throw new Error(`${line}, and CI=true forbids that`)
  console.warn(line)
  return true
}
