// What a row of the table comes to: one figure for each side, their ratio, and what it should be.

import { type Comparison, compareRounds } from './statistics.ts'

/** What the ratio (Casky to Redis) should be, or Casky's figure where nothing of Redis stands beside it. */
export type Aim = { readonly atLeast: number } | { readonly atMost: number } | null

export interface Figure {
  readonly row: string
  readonly what: string
  readonly unit: string
  readonly casky: number
  /** Casky on another Node, where one was given. */
  readonly other?: number
  readonly redis: number | null
  readonly ratio: number | null
  readonly lowest?: number
  readonly highest?: number
  readonly aim: Aim
  readonly met: boolean | null
}

interface Words {
  readonly row: string
  readonly what: string
  readonly unit: string
  readonly aim?: Aim
}

/** From rounds of both sides: medians. */
export function compared(words: Words, rounds: Rounds): Figure {
  const comparison: Comparison = compareRounds(rounds.casky, rounds.redis)
  const other = rounds.other.length === 0 ? {} : { other: compareRounds(rounds.other, rounds.redis).casky }
  return { ...judged(words, comparison.casky, comparison.redis, comparison.ratio), ...comparison, ...other }
}

/** From one measurement of both sides. */
export function single(words: Words, casky: number, redis: number): Figure {
  return judged(words, casky, redis, casky / redis)
}

/** Casky's alone. */
export function alone(words: Words, casky: number): Figure {
  return judged(words, casky, null, null)
}

function judged(words: Words, casky: number, redis: number | null, ratio: number | null): Figure {
  const aim = words.aim ?? null
  const met = isMet(aim, ratio ?? casky)
  return { row: words.row, what: words.what, unit: words.unit, casky, redis, ratio, aim, met }
}

function isMet(aim: Aim, value: number): boolean | null {
  if (aim === null) return null
  return 'atLeast' in aim ? value >= aim.atLeast : value <= aim.atMost
}

export interface Rounds {
  readonly casky: number[]
  readonly redis: number[]
  readonly other: number[]
}

export const noRounds = (): Rounds => ({ casky: [], redis: [], other: [] })

export const HEADING =
  'row                what                                 redis         casky   ratio  (lowest..highest)  aim'

export function line(figure: Figure): string {
  const ratio = figure.ratio === null ? '' : figure.ratio.toFixed(2)
  const range = figure.lowest === undefined ? '' : `(${figure.lowest.toFixed(2)}..${figure.highest!.toFixed(2)})`
  return (
    `${figure.row.padEnd(18)} ${`${figure.what}, ${figure.unit}`.padEnd(30)} ${number(figure.redis).padStart(11)}   ` +
    `${number(figure.casky).padStart(11)}   ${ratio.padStart(5)}  ${range.padEnd(17)}  ${aimText(figure.aim, figure.ratio ?? figure.casky)}` +
    (figure.other === undefined ? '' : `  other Node: ${number(figure.other).trim()}`)
  )
}

/** What it should be, and whether `value` is. */
export function aimText(aim: Aim, value: number): string {
  if (aim === null) return ''
  const text = 'atLeast' in aim ? `>= ${aim.atLeast}` : `<= ${aim.atMost}`
  return isMet(aim, value) ? `${text} met` : `${text} NOT MET`
}

/** A figure as people read it; null: there is none. */
export function number(value: number | null): string {
  if (value === null) return '-'
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
}
