// A batch is a list of steps, played in order against one server and then against the other. Its connections:
//
//   a, b   commands, transactions, protocol switches. Each command brings one reply, so steps in a row are pipelined.
//   s      a subscriber, t: a client that tracks. What comes to them is no answer, so each of their steps is followed by a
//          PING whose text is known, and everything before its reply belongs to the step.
//
// A line of a step is written as in the conformance suite (test/conformance/script.ts): what a failure prints can be pasted
// there as a named test.

import { type Argument, encodeRequest } from '../harness/resp.ts'

export type ConnectionName = 'a' | 'b' | 's' | 't'

export interface Step {
  readonly on: ConnectionName
  /**
   * inline: the words as a line of text. silent: `more` between CLIENT REPLY OFF and ON, or one command behind SKIP. closing: the server hangs up.
   * expiring: the words give a key a millisecond to live, and nobody is asked anything until that is over.
   */
  readonly kind: 'command' | 'inline' | 'silent' | 'closing' | 'expiring'
  readonly words: readonly string[]
  /** silent: what is sent unanswered; `words` is then OFF or SKIP. */
  readonly more?: ReadonlyArray<readonly string[]>
}

export interface Batch {
  readonly seed: number
  readonly steps: readonly Step[]
  /** notify-keyspace-events on both servers. */
  readonly events: string
  /** Keys whose time is over stay until somebody comes across them: otherwise it is chance when the servers find them. */
  readonly keepsExpired: boolean
}

/** In a word: the id that the server gave to connection s. */
export const SUBSCRIBER_ID = '{id:s}'

const DISCARD = ['DISCARD'] // in MULTI what follows would only be queued
const OFF = ['CLIENT', 'REPLY', 'OFF']
const SKIP = ['CLIENT', 'REPLY', 'SKIP']
const ON = ['CLIENT', 'REPLY', 'ON']

/** All commands of a step, in order. */
export function linesOf(step: Step): ReadonlyArray<readonly string[]> {
  if (step.kind === 'expiring') return [DISCARD, step.words]
  if (step.kind !== 'silent') return [step.words]
  const more = step.more ?? []
  return step.words[0] === 'SKIP' ? [DISCARD, SKIP, ...more] : [DISCARD, OFF, ...more, ON]
}

/** How many replies a step of a or b brings. */
export function repliesOf(step: Step): number {
  if (step.kind === 'silent') return step.words[0] === 'SKIP' ? 1 : 2
  return step.kind === 'expiring' ? 2 : 1
}

/** The bytes of a step, for a server that called connection s by this id. */
export function bytesOf(step: Step, subscriberId: string): Buffer {
  if (step.kind === 'closing') return Buffer.from(step.words[0]!, 'latin1')
  if (step.kind === 'inline') return Buffer.from(`${step.words.map(quoted).join(' ')}\r\n`, 'latin1')
  const word = (text: string): Argument => (text === SUBSCRIBER_ID ? subscriberId : text)
  return Buffer.concat(linesOf(step).map((words) => encodeRequest(words.map(word))))
}

/** How many commands a batch sends. */
export const commandsOf = (steps: readonly Step[]): number => steps.reduce((sum, step) => sum + linesOf(step).length, 0)

/** The step as lines of a conformance case. */
export function written(step: Step): string {
  const on = step.on === 'a' ? '' : `${step.on}| `
  switch (step.kind) {
    case 'command':
      return `${on}${step.words.map(quoted).join(' ')}`
    case 'closing':
      return `[raw closed] ${on}${quoted(step.words[0]!)}`
    case 'inline':
      return `[raw 1] ${on}${quoted(`${step.words.map(quoted).join(' ')}\r\n`)}`
    case 'expiring':
      return `${on}DISCARD\n${on}${step.words.map(quoted).join(' ')}\n// a few milliseconds later:`
    case 'silent':
      return linesOf(step)
        .map(
          (words, i, all) =>
            `${i > 0 && (i < all.length - 1 || step.words[0] === 'SKIP') ? '[silent] ' : ''}${on}${words.map(quoted).join(' ')}`,
        )
        .join('\n')
  }
}

const PLAIN = /^[A-Za-z0-9_:.+-]+$/

/** A word as redis-cli reads it. */
export function quoted(word: string): string {
  if (PLAIN.test(word)) return word
  const inner = [...word].map((char) => {
    const code = char.charCodeAt(0)
    if (char === '"' || char === '\\') return `\\${char}`
    return code < 32 || code > 126 ? `\\x${code.toString(16).padStart(2, '0')}` : char
  })
  return `"${inner.join('')}"`
}

/** A command's name, with its subcommand where it has one. */
export function nameOf(words: readonly string[]): string {
  const name = (words[0] ?? '').toUpperCase()
  return CONTAINERS.has(name) && words.length > 1 ? `${name} ${words[1]!.toUpperCase()}` : name
}

const CONTAINERS: ReadonlySet<string> = new Set([
  'ACL', 'CLIENT', 'CLUSTER', 'COMMAND', 'CONFIG', 'FUNCTION', 'LATENCY', 'MEMORY', 'MODULE', 'OBJECT', 'PUBSUB', 'SCRIPT', 'SLOWLOG',
]) // biome-ignore format: a list
