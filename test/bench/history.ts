// A small history of figures (history.json), so that a regression is seen: one entry a recorded run, the ratios alone.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Figure } from './figure.ts'

/** Older entries go. */
const KEPT = 20
const path = fileURLToPath(new URL('./history.json', import.meta.url))

interface Entry {
  readonly when: string
  readonly machine: string
  readonly casky: string
  readonly node: string
  readonly rounds: number
  readonly seconds: number
  /** Part of the processors' time that the host took. */
  readonly stolen: number
  /** Ratio, Casky to Redis, or Casky's figure where nothing of Redis stands beside it. */
  readonly figures: Readonly<Record<string, number>>
}

export type Recorded = Omit<Entry, 'figures'> & { readonly figures: readonly Figure[] }

/** Adds a run, and prints what has become worse by more than a twentieth than when it was last recorded on such a machine, with as many rounds. */
export function addToHistory(report: Recorded): void {
  const history: Entry[] = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Entry[]) : []
  const before = lastOf(history, report)
  for (const worse of regressions(before, report.figures)) console.log(worse)
  const { when, machine, casky, node, rounds, seconds, stolen } = report
  const figures = Object.fromEntries(
    report.figures.map((one) => [one.row, Number((one.ratio ?? one.casky).toPrecision(4))]),
  )
  history.push({ when, machine, casky, node, rounds, seconds, stolen: Number(stolen.toPrecision(2)), figures })
  writeFileSync(path, `${JSON.stringify(history.slice(-KEPT), null, 2)}\n`)
}

/** For each row its newest figure of the same machine and effort. */
function lastOf(history: readonly Entry[], { machine, rounds, seconds }: Recorded): Record<string, number> {
  const figures: Record<string, number> = {}
  for (const entry of history) {
    if (entry.machine === machine && entry.rounds === rounds && entry.seconds === seconds) {
      Object.assign(figures, entry.figures)
    }
  }
  return figures
}

/** One line for each row that is more than 5% worse than before. Without an aim only rates are better when they are larger. */
export function regressions(before: Readonly<Record<string, number>>, now: readonly Figure[]): string[] {
  const lines: string[] = []
  for (const { row, ratio, casky, aim, unit } of now) {
    const old = before[row]
    if (old === undefined) continue
    const value = ratio ?? casky
    const isSmallGood = aim === null ? unit !== '/s' : 'atMost' in aim
    const worse = isSmallGood ? value / old : old / value
    if (worse > 1.05) lines.push(`${row}: ${value.toPrecision(3)}, was ${old.toPrecision(3)} at the last record`)
  }
  return lines
}
