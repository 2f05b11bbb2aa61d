// Kinds of values: how a directive's words become a value, and how the value becomes text again. Numbers are in numbers.ts,
// values of several words in lists.ts.
//
// `parse` gets the words behind the name, the value that is in force, and whether that is being loaded (repeated lines may add
// to each other) or set by a client; it answers with the value or a Refusal in Redis's words. `text` is the answer of CONFIG
// GET. `lines` is what a configuration file says: one entry a line, without the name. `parse` of the text gives the same value
// again, for each kind (a test holds them to it).

import { isUtf8 } from 'node:buffer'
import { EVENT_NEW, readEventClasses, writeEventClasses } from '../base/event-classes.ts'
import { quoteIfNeeded, Refusal } from './grammar.ts'

export interface Kind<T> {
  /** 'one': exactly one word, as it is. 'many': one word is split at its blanks, so that CONFIG SET bind "a b" is two. */
  readonly arity: 'one' | 'many'
  parse(words: readonly string[], current: T, loading: boolean): T | Refusal
  text(value: T): string
  lines(value: T): string[]
  /** For the manual: what may stand here. */
  readonly range: string
}

export type ValueOf<K> = K extends Kind<infer T> ? T : never

export const ARITY = new Refusal('wrong number of arguments')

export const yesNo: Kind<boolean> = single(
  'yes|no',
  (value) => (value ? 'yes' : 'no'),
  (word) => {
    const lower = word.toLowerCase()
    return lower === 'yes' || lower === 'no' ? lower === 'yes' : new Refusal("argument must be 'yes' or 'no'")
  },
)

export function oneOf<const T extends string>(...names: readonly T[]): Kind<T> {
  return single(
    names.join('|'),
    (value) => value,
    (word) => names.find((name) => name === word.toLowerCase()) ?? notOneOf(names),
  )
}

/** The refusal that names what there is. */
export function notOneOf(names: readonly string[]): Refusal {
  return new Refusal(`argument(s) must be one of the following: ${names.join(', ')}`)
}

/** Any bytes. One character a byte. */
export const anyText: Kind<string> = single(
  'text',
  (value) => value,
  (word) => word,
)

/** A path: bytes in the configuration, real (UTF-8) text as a value. */
export const path: Kind<string> = single(
  'path',
  (value) => Buffer.from(value, 'utf8').toString('latin1'),
  (word) => {
    const bytes = Buffer.from(word, 'latin1')
    return isUtf8(bytes) && !word.includes('\0') ? bytes.toString('utf8') : new Refusal('not a path')
  },
)

/** Text that must look like something. */
export function textLike(accepts: (word: string) => boolean, why: string): Kind<string> {
  return single(
    'text',
    (value) => value,
    (word) => (accepts(word) ? word : new Refusal(why)),
  )
}

/**
 * What would be dangerous to accept and ignore: words are judged as their kind judges them, and then only one value is
 * taken. `why` says what to do instead.
 */
export function only<T>(kind: Kind<T>, value: string, why: string): Kind<T> {
  return {
    ...kind,
    range: `only ${value === '' ? '""' : value}`,
    parse(given, current, loading) {
      const parsed = kind.parse(given, current, loading)
      return parsed instanceof Refusal || kind.text(parsed) === value ? parsed : new Refusal(why)
    },
  }
}

/** Classes of keyspace events, as bits. Redis leaves out `n` beside `A` where it writes them; a file of ours has it. */
export const eventClasses: Kind<number> = {
  ...single<number>(
    "letters of 'Ag$lshzxeKEtmdn'",
    writeEventClasses,
    (word) => readEventClasses(word) ?? new Refusal("Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
  ),
  lines(value) {
    const letters = writeEventClasses(value)
    const isSilent = (value & EVENT_NEW) !== 0 && !letters.includes('n')
    return [quoteIfNeeded(isSilent ? `${letters}n` : letters)]
  },
}

/** When merges may start by themselves: always, never, or hours of the day in local time, the second one excluded. */
export const hours: Kind<string> = single(
  'always|never|HH-HH',
  (value) => value,
  (word) => {
    const lower = word.toLowerCase()
    if (lower === 'always' || lower === 'never') return lower
    const match = /^([0-9]{1,2})-([0-9]{1,2})$/.exec(lower)
    const from = Number(match?.[1])
    const to = Number(match?.[2])
    if (match === null || from > 23 || to > 24 || from === to) {
      return new Refusal("argument must be 'always', 'never' or two different hours like 22-06")
    }
    return lower
  },
)

/** A kind of one word. */
export function single<T>(range: string, text: (value: T) => string, read: (word: string) => T | Refusal): Kind<T> {
  return {
    arity: 'one',
    range,
    parse: (given) => (given.length === 1 ? read(given[0]!) : ARITY),
    text,
    lines: (value) => [quoteIfNeeded(text(value))],
  }
}
