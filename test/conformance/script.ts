// The language of the conformance cases. A family is a text; a case is a heading and the lines below it:
//
//   # SET with NX keeps what is there            a case: empty databases, fresh connections
//   SET k v                                      one command on connection "a"; its reply is compared byte for byte
//   b| GET k                                     the same on connection "b" (any single letter; opened at first use)
//   [sorted] KEYS *                              the reply goes through the normaliser of that name (normalise.ts)
//   [silent] CLIENT REPLY OFF                    no reply is expected
//   [until :0] EXISTS k                          asked again until the reply is that (an expiry has passed)
//   [scan] SCAN COUNT 3                          SCAN 0, then on by the cursor; compared: the set of all keys
//   [closed] QUIT                                all bytes until the server closes, and that it does close
//   [raw 2] "PING\r\nPING\r\n"                   bytes as they are, then that many replies
//   [raw closed] "*1\r\n$x\r\n"                  bytes as they are, then all bytes until the server closes
//   [all] SUBSCRIBE x y                          everything that comes up to the reply of a PING sent behind it: for commands that answer
//                                                several times or not at all, and for what is said without being asked
//   [heard] b|                                   everything that has come on "b" so far (a PING again tells the end)
//   [unordered] b|                               the same, sorted, where the order is nobody's promise
//   [heard 2] b|                                 waits for two replies on "b", sending nothing
//   [ids] CLIENT GETREDIR                        the reply may hold numbers of clients: in a case that speaks of them, the numbers of its
//                                                clients are compared as {id:a}, {id:b}, ...
//   [monitor 3] b|                               so many replies, lines of MONITOR among them (times and addresses are left out); may send a command
//   [blocked 1] INFO clients                     asked again until that many clients wait
//   // words                                     a remark
//
// Words are split and quoted as redis-cli does: "..." with \n \r \t \a \b \\ \" \xHH, '...' with \'. In addition
// {x*1000} stands for a thousand x, and {id:b} for the number of the client on connection "b".

export interface Step {
  /** The line as written: it names the step in messages and in differences.ts. */
  readonly text: string
  readonly connection: string
  readonly tag: string | undefined
  readonly words: readonly Buffer[]
}

export interface Case {
  readonly family: string
  readonly title: string
  readonly steps: readonly Step[]
}

export interface Family {
  readonly name: string
  readonly cases: readonly Case[]
  /** Both servers run with this password. */
  readonly password?: string
}

/** Reads a family's text. Throws on a line it does not understand: a case that says nothing must not pass. */
export function family(name: string, text: string, options: { readonly password?: string } = {}): Family {
  const cases: Array<{ family: string; title: string; steps: Step[] }> = []
  for (const raw of text.split('\n')) {
    const line = raw.trim()
    if (line === '' || line.startsWith('//')) continue
    if (line.startsWith('# ')) {
      cases.push({ family: name, title: line.slice(2), steps: [] })
      continue
    }
    const current = cases.at(-1)
    if (current === undefined) throw new Error(`${name}: a step before the first case: ${line}`)
    current.steps.push(step(line))
  }
  const titles = new Set(cases.map((c) => c.title))
  if (titles.size !== cases.length) throw new Error(`${name}: two cases of one title`)
  for (const one of cases) if (one.steps.length === 0) throw new Error(`${name}: ${one.title} has no steps`)
  return { name, cases, ...options }
}

function step(line: string): Step {
  const match = /^(?:\[([^\]]+)\]\s+)?(?:([a-z])\|\s*)?(.*)$/.exec(line)!
  const words = splitWords(match[3]!)
  if (words.length === 0 && !/^(heard|unordered|monitor)\b/.test(match[1] ?? ''))
    throw new Error(`nothing to send: ${line}`)
  return { text: line, connection: match[2] ?? 'a', tag: match[1], words }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' }

/** Splits a line into words of bytes. Throws on an open quote. */
export function splitWords(line: string): Buffer[] {
  const words: Buffer[] = []
  let at = 0
  while (at < line.length) {
    if (line[at] === ' ') {
      at++
      continue
    }
    let word = ''
    while (at < line.length && line[at] !== ' ') {
      const quote = line[at]
      if (quote !== '"' && quote !== "'") {
        word += line[at++]
        continue
      }
      for (at++; line[at] !== quote; ) {
        if (at >= line.length) throw new Error(`an open quote: ${line}`)
        if (line[at] !== '\\') {
          word += line[at++]
        } else if (quote === '"' && line[at + 1] === 'x') {
          word += String.fromCharCode(Number.parseInt(line.slice(at + 2, at + 4), 16))
          at += 4
        } else {
          const escaped = line[at + 1]!
          word += quote === '"' ? (ESCAPES[escaped] ?? escaped) : escaped
          at += 2
        }
      }
      at++
    }
    words.push(Buffer.from(repeat(word), 'latin1'))
  }
  return words
}

function repeat(word: string): string {
  return word.replace(/\{(.)\*(\d+)\}/gs, (_, unit: string, times: string) => unit.repeat(Number(times)))
}
