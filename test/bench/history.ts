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
  /** Ratio, Casky to Redis, or Casky's figure where nothing of Redis stands beside it. */
  readonly figures: Readonly<Record<string, number>>
}

/** Adds a run, and prints what has become worse than in the last one by more than a twentieth. */
export function addToHistory(report: {
  readonly when: string
  readonly machine?: string
  readonly casky?: string
  readonly figures: readonly Figure[]
}): void {
  const history: Entry[] = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Entry[]) : []
  const figures = Object.fromEntries(
    report.figures.map((one) => [one.row, Number((one.ratio ?? one.casky).toPrecision(4))]),
  )
  const before = history.at(-1)
  for (const worse of regressions(before?.figures ?? {}, report.figures)) console.log(worse)
  history.push({ when: report.when, machine: report.machine ?? '', casky: report.casky ?? '', figures })
  writeFileSync(path, `${JSON.stringify(history.slice(-KEPT), null, 1)}\n`)
}

/** One line for each row that is more than 5% worse than before. */
export function regressions(before: Readonly<Record<string, number>>, now: readonly Figure[]): string[] {
  const lines: string[] = []
  for (const { row, ratio, casky, aim } of now) {
    const old = before[row]
    if (old === undefined) continue
    const value = ratio ?? casky
    const isSmallGood = aim !== null && 'atMost' in aim
    const worse = isSmallGood ? value / old : old / value
    if (worse > 1.05) lines.push(`${row}: ${value.toPrecision(3)}, was ${old.toPrecision(3)} at the last record`)
  }
  return lines
}
