// When to kill. A random moment of a load falls mostly into the plain writing of records; what is short (a manifest being
// written, a hint about to be renamed, the first bytes of a new segment) is met too seldom. So half of the kills wait for a
// change in the directory that tells of such a moment, and strike at once.

import { type FSWatcher, watch } from 'node:fs'
import type { Random } from '../harness/random.ts'

/** Names of files (engine/filename.ts) whose coming or going is worth dying at. */
const TELLING: ReadonlyArray<readonly [what: string, name: RegExp]> = [
  ['a manifest being written', /^MANIFEST\.new$/],
  ['a manifest put in place', /^MANIFEST$/],
  ['a hint being written', /\.hint\.new$/],
  ['a hint put in place', /\.hint$/],
  ['a data file made or gone', /\.data$/],
]

/** Resolves, with its name, at a moment to kill: within `longestMs`. */
export function momentToKill(dir: string, random: Random, longestMs: number): Promise<string> {
  // Squared: short lives are cheap, and more of them fit into an hour.
  const afterMs = 5 + random.next() ** 2 * longestMs
  const telling = random.chance(0.5) ? random.pick(TELLING) : undefined
  let left = random.pick([1, 1, 1, 2, 2, 3, 4, 6, 9])
  return new Promise((resolve) => {
    let watcher: FSWatcher | undefined
    const settle = (what: string): void => {
      watcher?.close()
      clearTimeout(timer)
      resolve(what)
    }
    const timer = setTimeout(settle, telling === undefined ? afterMs : longestMs, 'a random moment')
    if (telling === undefined) return
    try {
      watcher = watch(dir, (_, name) => {
        if (name !== null && telling[1].test(name) && --left === 0) settle(telling[0])
      })
      watcher.on('error', () => {}) // then the timer decides
    } catch {
      // no watching here (other systems, limits): then the timer decides
    }
  })
}
