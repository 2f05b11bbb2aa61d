// Numbers as a drawing of four lines of text, for LATENCY GRAPH, each with a label that is written downwards below it:
//
//      #_
//     _||
//    _|||
//   _||||
//
//   11186
//   542ss
//   sss

const ROWS = 4
/** A column ends in one of these, by how much of its topmost line it fills. */
const TOPS = '_o#'
const FILLED = '|'

/** One column for each value, with a line end after each line. */
export function sparkline(values: readonly number[], labels: readonly string[]): string {
  const low = Math.min(...values)
  const range = Math.max(...values) - low || 1
  const steps = ROWS * TOPS.length
  const heights = values.map((value) => Math.min(steps - 1, Math.floor(((value - low) * steps) / range)))
  const lines: string[] = []
  for (let row = ROWS - 1; row >= 0; row--) {
    lines.push(heights.map((height) => cell(height - row * TOPS.length)).join(''))
  }
  lines.push(' '.repeat(values.length))
  const longest = Math.max(...labels.map((label) => label.length))
  for (let i = 0; i < longest; i++) lines.push(labels.map((label) => label[i] ?? ' ').join(''))
  return `${lines.join('\n')}\n`
}

/** `above`: how many steps a column reaches into this line. */
function cell(above: number): string {
  if (above < 0) return ' '
  return TOPS[above] ?? FILLED
}
