// Holds what Casky answered against what redis-server answered, by the rules of differences.ts. Pure: the suite's own
// tests feed it made-up answers to show that it does find what is wrong.

import type { Difference } from './differences.ts'
import type { Protocol } from './play.ts'
import type { Case } from './script.ts'

export interface Verdict {
  /** What is wrong, one entry a step, readable. Empty: the case holds. */
  readonly problems: readonly string[]
  readonly used: readonly Difference[]
}

/** `casky` and `redis`: one result a step, as play() returns them. */
export function compare(
  one: Case,
  protocol: Protocol,
  casky: readonly string[],
  redis: readonly string[],
  rows: readonly Difference[],
): Verdict {
  const problems: string[] = []
  const used: Difference[] = []
  one.steps.forEach((step, i) => {
    const ours = casky[i]!
    const theirs = redis[i]!
    const row = rows.find((candidate) => belongs(candidate, one, step.text, protocol))
    if (row === undefined) {
      if (ours !== theirs) problems.push(report(step.text, theirs, ours))
      return
    }
    used.push(row)
    if (ours === theirs) problems.push(`${step.text}: its row in differences.ts is no difference any more`)
    else if (theirs !== row.redis) problems.push(`redis-server, by its row: ${report(step.text, row.redis, theirs)}`)
    else if (ours !== row.casky) problems.push(`Casky, by its row: ${report(step.text, row.casky, ours)}`)
  })
  return { problems, used }
}

function belongs(row: Difference, one: Case, line: string, protocol: Protocol): boolean {
  return (
    row.family === one.family &&
    row.title === one.title &&
    row.line === line &&
    (row.in === undefined || row.in === protocol)
  )
}

/** Long replies are cut around the first byte that differs. */
function report(line: string, expected: string, got: string): string {
  let same = 0
  while (same < expected.length && same < got.length && expected[same] === got[same]) same++
  const from = Math.max(0, same - 40)
  const cut = (text: string): string => JSON.stringify(text.slice(from, from + 240))
  const where = from > 0 ? ` (from byte ${from})` : ''
  return `${line.slice(0, 120)}${where}\n    expected ${cut(expected)}\n    got      ${cut(got)}`
}
