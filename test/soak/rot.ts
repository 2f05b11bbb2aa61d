// The soak of rot: all 524,288 bits of the data set, and all the rest (test/rot/rot.ts). Twenty minutes of one idle core.

import { rot } from '../rot/rot.ts'

/** `share` 1: all of it; 100: one case in a hundred, the `offset`th. Returns the exit code. */
export function soakRot(share: number, seed: number, offset = 0): number {
  console.log(`rot: seed ${seed}, one case in ${share}, from case ${offset} on`)
  // Errors are made by the hundred thousand here, and nobody reads where.
  Error.stackTraceLimit = 3
  const begun = performance.now()
  try {
    const phases = rot({ seed, share, offset, progress: (line) => console.log(line) })
    const sum = (count: (phase: (typeof phases)[number]) => number): number =>
      phases.reduce((total, phase) => total + count(phase), 0)
    const seconds = ((performance.now() - begun) / 1000).toFixed(0)
    console.log(
      `${sum(({ tally }) => tally.cases)} damages, ${sum(({ tally }) => tally.starts)} starts in ${seconds} s: ` +
        `${sum(({ tally }) => tally.errors)} errors, ${sum(({ tally }) => tally.readable)} values read, nothing wrong or old, nothing unhurt missing`,
    )
    return 0
  } catch (error) {
    console.error((error as Error).message)
    return 1
  }
}
