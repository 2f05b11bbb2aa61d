// Kinds of values: how a directive's words become a value, and how the value becomes text again.
//
// `parse` gets the words behind the name, the value that is in force, and whether that is being loaded (repeated lines may add
// to each other) or set by a client; it answers with the value or a Refusal in Redis's words. `text` is the answer of CONFIG GET. `lines` is what a configuration file says: one
// entry a line, without the name. `parse` of the text gives the same value again, for each kind (a test holds them to it).

import { isUtf8 } from 'node:buffer'
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

const ARITY = new Refusal('wrong number of arguments')

/** A whole number, decimal, without sign of plus or leading zeros. */
export function integer(min: number, max: number): Kind<number> {
  return single(`${min}..${max}`, String, (word) => {
    const value = Number(word)
    if (!/^(0|-?[1-9][0-9]*)$/.test(word) || !Number.isSafeInteger(value)) {
      return new Refusal("argument couldn't be parsed into an integer")
    }
    return within(value, min, max)
  })
}

/** As integer, but what is outside `low..high` is moved to the nearer end instead of refused: Redis's hz. */
export function clamped(low: number, high: number): Kind<number> {
  const kind = integer(0, 2147483647)
  return {
    ...kind,
    range: `${low}..${high}`,
    parse(words, current, loading) {
      const value = kind.parse(words, current, loading)
      return value instanceof Refusal ? value : Math.min(Math.max(value, low), high)
    },
  }
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1000 ** 2,
  mb: 1024 ** 2,
  g: 1000 ** 3,
  gb: 1024 ** 3,
}

/** Bytes: 1k is 1000, 1kb is 1024, and so on with m, mb, g, gb. Answered as a plain number. */
export function bytes(min: number, max: number): Kind<number> {
  return single(`${writeBytes(min)}..${writeBytes(max)}`, String, (word) => {
    const value = readBytes(word)
    return value === null ? new Refusal('argument must be a memory value') : within(value, min, max)
  })
}

function readBytes(word: string): number | null {
  const match = /^([0-9]+)([a-z]*)$/i.exec(word)
  const unit = match === null ? undefined : UNITS[match[2]!.toLowerCase()]
  if (match === null || unit === undefined) return null
  const value = Number(match[1]) * unit
  return Number.isSafeInteger(value) ? value : null
}

function writeBytes(value: number): string {
  for (const unit of ['gb', 'mb', 'kb']) {
    const size = UNITS[unit]!
    if (value >= size && value % size === 0) return `${value / size}${unit}`
  }
  return String(value)
}

/** Permission bits, octal. */
export function octal(max: number): Kind<number> {
  const write = (value: number): string => value.toString(8)
  return single(`0..${write(max)}, octal`, write, (word) => {
    if (!/^[0-7]+$/.test(word)) return new Refusal("argument couldn't be parsed as an octal number")
    const value = Number.parseInt(word, 8)
    return value > max ? new Refusal(`argument must be between 0 and ${write(max)} inclusive`) : value
  })
}

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
    (word) =>
      names.find((name) => name === word.toLowerCase()) ??
      new Refusal(`argument(s) must be one of the following: ${names.join(', ')}`),
  )
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

/** One value only, and why the others cannot be had: for what would be dangerous to accept and ignore. */
export function only(value: string, why: string): Kind<string> {
  return single(
    value === '' ? '""' : value,
    () => value,
    (word) => (word.toLowerCase() === value ? value : new Refusal(why)),
  )
}

/** Several words of one shape; one empty word stands for none. */
export function words(
  min: number,
  max: number,
  accepts: (word: string) => boolean,
  why: string,
  tooMany: string = ARITY.text,
): Kind<string[]> {
  return {
    arity: 'many',
    range: min === max ? `${min} words` : `${min}..${max} words`,
    parse(given) {
      const kept = given.length === 1 && given[0] === '' ? [] : given
      if (given.length === 0 || kept.length < min) return ARITY
      if (kept.length > max) return new Refusal(tooMany)
      return kept.every(accepts) ? [...kept] : new Refusal(why)
    },
    text: (value) => value.join(' '),
    lines: (value) => [value.length === 0 ? '""' : value.map(quoteIfNeeded).join(' ')],
  }
}

/** Addresses to listen on. A leading '-' means: no error if this machine does not have it. '*' is every IPv4, '-::*' every IPv6. */
export const addresses: Kind<string[]> = words(
  0,
  16,
  (word) => /^-?[0-9A-Za-z.:%*_-]+$/.test(word),
  'not an address',
  'Too many bind addresses specified.',
)

/** Pairs of seconds and changes. Lines of a file add up; an empty one forgets them, and so does CONFIG SET. */
export const savePoints: Kind<number[]> = {
  arity: 'many',
  range: 'pairs of seconds and changes, or ""',
  parse(given, current, loading) {
    if (given.length === 0) return ARITY
    if (given.length === 1 && given[0] === '') return []
    const numbers = given.map(Number)
    const good = given.every((word, i) => /^[0-9]{1,10}$/.test(word) && (i % 2 === 1 || numbers[i]! > 0))
    return given.length % 2 === 0 && good
      ? [...(loading ? current : []), ...numbers]
      : new Refusal('Invalid save parameters')
  },
  text: (value) => value.join(' '),
  lines(value) {
    const lines: string[] = []
    for (let i = 0; i < value.length; i += 2) lines.push(`${value[i]} ${value[i + 1]}`)
    return lines.length === 0 ? ['""'] : lines
  },
}

export interface OutputLimit {
  readonly hardBytes: number // 0: none
  readonly softBytes: number
  readonly softSeconds: number
}
export interface OutputLimits {
  readonly normal: OutputLimit
  readonly replica: OutputLimit
  readonly pubsub: OutputLimit
}

/** Quadruples of class, hard limit, soft limit, soft seconds. A class that is not named keeps its limits. */
export const outputLimits: Kind<OutputLimits> = {
  arity: 'many',
  range: 'class hard soft seconds, class one of normal, replica, pubsub',
  parse(given, current) {
    if (given.length === 0 || given.length % 4 !== 0) {
      return new Refusal('Wrong number of arguments in buffer limit configuration.')
    }
    const limits = { ...current }
    for (let i = 0; i < given.length; i += 4) {
      const name = given[i]!.toLowerCase()
      const group = name === 'slave' ? 'replica' : name
      if (group !== 'normal' && group !== 'replica' && group !== 'pubsub') {
        return new Refusal('Invalid client class specified in buffer limit configuration.')
      }
      const hardBytes = readBytes(given[i + 1]!)
      const softBytes = readBytes(given[i + 2]!)
      if (hardBytes === null || softBytes === null || !/^[0-9]{1,9}$/.test(given[i + 3]!)) {
        return new Refusal('Error in hard, soft or soft_seconds setting in buffer limit configuration.')
      }
      limits[group] = { hardBytes, softBytes, softSeconds: Number(given[i + 3]) }
    }
    return limits
  },
  // Redis still says slave here, and tools look for it.
  text: (value) => outputLimits.lines(value).join(' '),
  lines: (value) =>
    (['normal', 'replica', 'pubsub'] as const).map((group) => {
      const { hardBytes, softBytes, softSeconds } = value[group]
      return `${group === 'replica' ? 'slave' : group} ${hardBytes} ${softBytes} ${softSeconds}`
    }),
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

function single<T>(range: string, text: (value: T) => string, read: (word: string) => T | Refusal): Kind<T> {
  return {
    arity: 'one',
    range,
    parse: (given) => (given.length === 1 ? read(given[0]!) : ARITY),
    text,
    lines: (value) => [quoteIfNeeded(text(value))],
  }
}

function within(value: number, min: number, max: number): number | Refusal {
  return value >= min && value <= max ? value : new Refusal(`argument must be between ${min} and ${max} inclusive`)
}
