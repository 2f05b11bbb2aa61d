// The README's table, from the JSON of one run or several (`npm run bench -- --json FILE`): medians over the runs, and how far they lie apart.
//
//   npx tsx test/bench/table.ts run1.json run2.json run3.json

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { aimText, type Figure, number } from './figure.ts'
import { median } from './statistics.ts'

/** What a run is written down as (main.ts). */
export interface Report {
  readonly when: string
  /** Part of the processors' time that the host took. */
  readonly stolen: number
  readonly rounds: number
  readonly seconds: number
  readonly scale: number
  readonly figures: readonly Figure[]
}

/** Lines of Markdown. A row that some run does not have is judged by the others. */
export function table(reports: readonly Report[]): string[] {
  const all = reports.flatMap(({ figures }) => figures)
  const hasOther = all.some(({ other }) => other !== undefined)
  const heading = ['', 'redis-server', 'Casky', ...(hasOther ? ['on the other Node'] : []), 'ratio', 'aim']
  const lines = [`| ${heading.join(' | ')} |`, `|${'---|'.repeat(heading.length)}`]
  for (const row of new Set(all.map((figure) => figure.row))) {
    const runs = all.filter((figure) => figure.row === row)
    lines.push(`| ${cells(runs, hasOther).join(' | ')} |`)
  }
  return lines
}

function cells(runs: readonly Figure[], hasOther: boolean): string[] {
  const [first] = runs as [Figure, ...Figure[]]
  const values = (pick: (figure: Figure) => number | null | undefined): number[] =>
    runs.map(pick).filter((value): value is number => typeof value === 'number')
  const middle = (list: readonly number[]): number | null => (list.length === 0 ? null : median(list))
  const ratios = values(({ ratio }) => ratio)
  const ratio = middle(ratios)
  const casky = middle(values((figure) => figure.casky)) as number
  // Of several runs how far they lie apart, of one how far its rounds do.
  const range = first.lowest === undefined ? '' : ` (${first.lowest.toFixed(2)}..${first.highest!.toFixed(2)})`
  const spread = (list: readonly number[]): string =>
    list.length < 2 ? range : ` (${Math.min(...list).toFixed(2)}..${Math.max(...list).toFixed(2)})`
  const isPercentile = / p99/.test(first.row) && !first.what.includes('p99')
  return [
    `${isPercentile ? 'p99 of ' : ''}${first.what}, ${first.unit}`,
    number(middle(values(({ redis }) => redis))),
    number(casky),
    ...(hasOther ? [number(middle(values(({ other }) => other)))] : []),
    ratio === null ? '' : `${ratio.toFixed(2)}${spread(ratios)}`,
    aimText(first.aim, ratio ?? casky),
  ]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const reports = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, 'utf8')) as Report)
  if (reports.length === 0) {
    console.error('usage: table.ts FILE.json ...')
    process.exit(1)
  }
  const efforts = new Set(reports.map(({ rounds, seconds, scale }) => JSON.stringify({ rounds, seconds, scale })))
  if (efforts.size > 1) {
    console.error(`these runs cannot be compared: ${[...efforts].join(' ')}`)
    process.exit(1)
  }
  for (const { when, stolen } of reports) console.log(`${when}: the host took ${(stolen * 100).toFixed(1)}%`)
  console.log(table(reports).join('\n'))
}
