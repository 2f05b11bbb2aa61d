// The grammar of redis.conf: one directive a line, words parted by blanks, `#` in the first place for a comment.
//
//   word        bytes without blanks
//   "a\n\x41"   double quotes: \n \r \t \b \a \xHH, and a backslash before anything else gives that
//   'it\'s'     single quotes: only \' is special
//
// A closing quote must be followed by a blank or the end. Nothing follows a value: `timeout 10 # why` has four words too many.
//
// Text here is bytes, one character a byte (latin1), as everywhere in the configuration: a password may hold any byte. Only
// paths are turned into real text, where they are used (kinds.ts).

const BLANKS = ' \t\n\v\f\r'
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' }

/** The words of one line, or null when a quote is not closed or something sticks to a closing one. */
export function splitWords(line: string): string[] | null {
  const words: string[] = []
  let at = 0
  for (;;) {
    while (at < line.length && BLANKS.includes(line[at]!)) at++
    if (at === line.length) return words
    let word = ''
    while (at < line.length && !BLANKS.includes(line[at]!)) {
      const quote = line[at]!
      if (quote !== '"' && quote !== "'") {
        word += quote
        at++
        continue
      }
      at++
      for (;;) {
        if (at === line.length) return null
        const c = line[at]!
        if (c === quote) break
        if (quote === "'" && c === '\\' && line[at + 1] === "'") {
          word += "'"
          at += 2
        } else if (quote === '"' && c === '\\' && at + 1 < line.length) {
          const hex = /^\\x([0-9a-f]{2})/i.exec(line.slice(at, at + 4))
          word += hex ? String.fromCharCode(Number.parseInt(hex[1]!, 16)) : (ESCAPES[line[at + 1]!] ?? line[at + 1]!)
          at += hex ? 4 : 2
        } else {
          word += c
          at++
        }
      }
      at++
      if (at < line.length && !BLANKS.includes(line[at]!)) return null
    }
    words.push(word)
  }
}

/** A word as it must stand in a file: bare when it can, else in double quotes. */
export function quoteIfNeeded(word: string): string {
  return /^[!$-&(-~]+$/.test(word) ? word : quote(word)
}

/** In double quotes, with whatever is not printable ASCII escaped. */
export function quote(word: string): string {
  let out = '"'
  for (const c of word) {
    const named = Object.keys(ESCAPES).find((name) => ESCAPES[name] === c)
    if (c === '"' || c === '\\') out += `\\${c}`
    else if (named !== undefined) out += `\\${named}`
    else if (c < ' ' || c > '~') out += `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`
    else out += c
  }
  return `${out}"`
}

/** Without the blanks at both ends. */
export function trim(line: string): string {
  return line.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '')
}

/** What does not parse: why, in the words that Redis has for it. */
export class Refusal {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}
