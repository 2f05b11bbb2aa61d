// Values of several words: addresses, flags, save points, limits of output buffers, percentiles. One word is split at each of its
// blanks, as CONFIG SET bind "a b" needs it; nothing at all is a list without words.

import { quoteIfNeeded, Refusal } from './grammar.ts'
import { ARITY, type Kind, notOneOf } from './kinds.ts'
import { readBytes, writeBytes } from './numbers.ts'

/** Any words, not more than `max` of them. */
export function words(max: number, tooMany: string): Kind<string[]> {
  return {
    arity: 'many',
    range: `0..${max} words`,
    parse(given) {
      const kept = given.length === 1 && given[0] === '' ? [] : given
      return kept.length > max ? new Refusal(tooMany) : [...kept]
    },
    text: (value) => value.join(' '),
    lines: (value) => [value.length === 0 ? '""' : value.map(quoteIfNeeded).join(' ')],
  }
}

/** Addresses to listen on. A leading '-' means: no error if this machine does not have it. '*' is every IPv4, '-::*' every IPv6. */
export const addresses: Kind<string[]> = words(16, 'Too many bind addresses specified.')

/** Some of these names at once, answered in their order. The first stands for none. `obstacle` tells what may not go together. */
function flags(names: readonly string[], obstacle: (given: ReadonlySet<string>) => string | null): Kind<string[]> {
  return {
    arity: 'many',
    range: `some of ${names.join(', ')}`,
    parse(given) {
      const said = new Set(given.map((word) => word.toLowerCase()))
      if (said.size === 0 || [...said].some((word) => !names.includes(word))) return notOneOf(names)
      const why = obstacle(said)
      return why === null ? names.slice(1).filter((name) => said.has(name)) : new Refusal(why)
    },
    text: (value) => (value.length === 0 ? names[0]! : value.join(' ')),
    lines: (value) => [value.length === 0 ? names[0]! : value.join(' ')],
  }
}

/** What a signal that ends the server may say, as SHUTDOWN does. */
export const shutdownFlags: Kind<string[]> = flags(['default', 'save', 'nosave', 'now', 'force'], (given) =>
  given.has('save') && given.has('nosave') ? "shutdown options SAVE and NOSAVE can't be used simultaneously" : null,
)

/** Exactly so many whole numbers. */
export function numbers(count: number, min: number, max: number, why: string): Kind<number[]> {
  return {
    arity: 'many',
    range: `${count} numbers, ${min}..${max}`,
    parse(given) {
      if (given.length !== count) return ARITY
      const read = given.map((word) => Number(readLong(word) ?? Number.NaN))
      return read.every((value) => value >= min && value <= max) ? read : new Refusal(why)
    },
    text: (value) => value.join(' '),
    lines: (value) => [value.join(' ')],
  }
}

/** Percentiles, 0 to 100. What is answered has six decimals at most. */
export const percentiles: Kind<number[]> = {
  arity: 'many',
  range: 'numbers, 0..100',
  parse(given) {
    const kept = given.length === 1 && given[0] === '' ? [] : given
    const isNumber = /^[+-]?(0x[0-9a-f]+|[0-9]+\.?[0-9]*(e[+-]?[0-9]+)?|\.[0-9]+(e[+-]?[0-9]+)?|inf(inity)?)$/i
    if (!kept.every((word) => isNumber.test(word))) {
      return new Refusal('Invalid latency-tracking-info-percentiles parameters')
    }
    const read = kept.map((word) => Number(word.replace(/^([+-]?)inf.*/i, '$1Infinity')))
    return read.every((value) => value >= 0 && value <= 100)
      ? read
      : new Refusal('latency-tracking-info-percentiles parameters should sit between [0.0,100.0]')
  },
  text: (value) => value.map(percentileText).join(' '),
  lines: (value) => [value.length === 0 ? '""' : value.map(percentileText).join(' ')],
}

function percentileText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(Number(value.toFixed(6)))
}

/** Pairs of seconds and changes. Lines of a file add up; an empty one forgets them, and so does CONFIG SET. */
export const savePoints: Kind<bigint[]> = {
  arity: 'many',
  range: 'pairs of seconds and changes, or ""',
  parse(given, current, loading) {
    if (given.length === 0 || (given.length === 1 && given[0] === '')) return []
    const read = given.map((word, i) => {
      const value = readLong(word)
      return value === null || i % 2 === 0 ? value : BigInt.asIntN(32, value)
    })
    const isGood = read.every((value, i) => value !== null && value >= (i % 2 === 0 ? 1n : 0n))
    if (given.length % 2 !== 0 || !isGood) return new Refusal('Invalid save parameters')
    return [...(loading ? current : []), ...(read as bigint[])]
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
    if (given.length % 4 !== 0) return new Refusal('Wrong number of arguments in buffer limit configuration.')
    const limits = { ...current }
    for (let i = 0; i < given.length; i += 4) {
      const name = given[i]!.toLowerCase()
      const group = name === 'slave' ? 'replica' : name
      if (group !== 'normal' && group !== 'replica' && group !== 'pubsub') {
        return new Refusal('Invalid client class specified in buffer limit configuration.')
      }
      const hardBytes = readBytes(given[i + 1]!)
      const softBytes = readBytes(given[i + 2]!)
      const seconds = readLong(given[i + 3]!)
      const softSeconds = seconds === null ? -1 : Number(BigInt.asIntN(32, seconds))
      if (hardBytes === null || softBytes === null || softSeconds < 0) {
        return new Refusal('Error in hard, soft or soft_seconds setting in buffer limit configuration.')
      }
      limits[group] = { hardBytes: Number(hardBytes), softBytes: Number(softBytes), softSeconds }
    }
    return limits
  },
  // Redis still says slave here, and tools look for it. In a file it says replica.
  text: (value) => writeLimits(value, String).join(' ').replace('replica', 'slave'),
  lines: (value) => writeLimits(value, writeBytes),
}

function writeLimits(value: OutputLimits, size: (bytes: bigint) => string): string[] {
  return (['normal', 'replica', 'pubsub'] as const).map((group) => {
    const { hardBytes, softBytes, softSeconds } = value[group]
    return `${group} ${size(BigInt(hardBytes))} ${size(BigInt(softBytes))} ${softSeconds}`
  })
}

/** A whole number as C's strtol reads it: blanks and a sign before it, nothing at all is 0, held at the ends of 64 bits. */
function readLong(word: string): bigint | null {
  const match = /^[ \t\n\v\f\r]*([+-]?)([0-9]{0,400})$/.exec(word)
  if (match === null) return null
  const value = BigInt(match[2]!) * (match[1] === '-' ? -1n : 1n)
  return BigInt.asIntN(64, value) === value ? value : value < 0n ? -(2n ** 63n) : 2n ** 63n - 1n
}
