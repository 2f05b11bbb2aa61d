// Numbers as Redis's configuration has them: whole ones, sizes in memory with units, percents, octal permission bits.
//
// Two widths. `integer` and `bytes` give a JavaScript number and are for what fits one exactly. `long` and `amount` give a
// bigint: many limits of Redis reach to 2^63-1, and what is set to that must be read back as that. Who uses such a limit makes
// a number of it, Number(config.get(...)): beyond 2^53 no limit is ever met.
//
// Sizes are read as C reads them, since that is what scripts were tried with: digits, then a unit; no digits are 0, and 64 bits
// wrap around.

import { Refusal } from './grammar.ts'
import { type Kind, single } from './kinds.ts'

export const INT_MIN = -(2 ** 31)
export const INT_MAX = 2 ** 31 - 1
export const UINT_MAX = 2 ** 32 - 1
export const LONG_MAX = 2n ** 63n - 1n
export const ULONG_MAX = 2n ** 64n - 1n
const LONG_MIN = -(2n ** 63n)

/** A whole number, decimal, without a plus sign or leading zeros. */
export function integer(min: number, max: number): Kind<number> {
  return narrow(long(BigInt(min), BigInt(max)))
}

/** The same in 64 bits. */
export function long(min: bigint, max: bigint): Kind<bigint> {
  return single(`${min}..${max}`, String, (word) => {
    const value = readInteger(word)
    return value === null ? new Refusal("argument couldn't be parsed into an integer") : within(value, min, max)
  })
}

/** As integer, but what is outside `low..high` is moved to the nearer end instead of refused: Redis's hz. */
export function clamped(low: number, high: number): Kind<number> {
  const kind = integer(0, INT_MAX)
  return {
    ...kind,
    range: `${low}..${high}`,
    parse(words, current, loading) {
      const value = kind.parse(words, current, loading)
      return value instanceof Refusal ? value : Math.min(Math.max(value, low), high)
    },
  }
}

/** Bytes: 1k is 1000, 1kb is 1024, and so on with m, mb, g, gb. Answered as a plain number. */
export function bytes(min: number, max: number): Kind<number> {
  return narrow(amount(BigInt(min), BigInt(max)))
}

/** The same in 64 bits. What is below `floor` is taken, and becomes `floor`. */
export function amount(min: bigint, max: bigint, floor: bigint = min): Kind<bigint> {
  const kind = single<bigint>(`${writeBytes(min)}..${writeBytes(max)}`, String, (word) => {
    const value = readBytes(word)
    if (value === null) return new Refusal('argument must be a memory value')
    const checked = within(value, min, max)
    return checked instanceof Refusal || checked >= floor ? checked : floor
  })
  return { ...kind, lines: (value) => [writeBytes(value)] }
}

/** Bytes, or a percentage ("5%"), which is kept as a negative number. */
export const bytesOrPercent: Kind<bigint> = single(
  '0..9223372036854775807, or 0%..100%',
  (value) => (value < 0n ? `${-value}%` : String(value)),
  (word) => {
    const size = readBytes(word)
    const percent = word.endsWith('%') ? readInteger(word.slice(0, -1)) : null
    const value = size !== null ? BigInt.asIntN(64, size) : percent !== null && percent >= 0n ? -percent : null
    if (value === null) return new Refusal('argument must be a memory or percent value')
    return value >= -100n ? value : new Refusal('percentage argument must be less or equal to 100')
  },
)

/** Permission bits, octal, read as C reads them. */
export function octal(max: number): Kind<number> {
  const write = (value: number): string => value.toString(8)
  return single(`0..${write(max)}, octal`, write, (word) => {
    const match = /^[ \t\n\v\f\r]*([+-]?)([0-7]*)$/.exec(word)
    const value = match === null ? Number.NaN : Number.parseInt(`${match[1]}0${match[2]}`, 8)
    if (!Number.isSafeInteger(value)) return new Refusal("argument couldn't be parsed as an octal number")
    return value >= 0 && value <= max ? value : new Refusal(`argument must be between 0 and ${write(max)} inclusive`)
  })
}

/** A size with its unit, or null. */
export function readBytes(word: string): bigint | null {
  const match = /^([0-9]{0,127})([a-z]*)$/i.exec(word)
  const unit = match === null ? undefined : UNITS[match[2]!.toLowerCase()]
  if (match === null || unit === undefined) return null
  const digits = BigInt(match[1]!)
  return BigInt.asUintN(64, (digits > ULONG_MAX ? ULONG_MAX : digits) * unit)
}

const UNITS: Readonly<Record<string, bigint>> = {
  '': 1n,
  b: 1n,
  k: 1000n,
  kb: 1024n,
  m: 1000n ** 2n,
  mb: 1024n ** 2n,
  g: 1000n ** 3n,
  gb: 1024n ** 3n,
}

/** As a file says it: in the largest unit that leaves a whole number. */
export function writeBytes(value: bigint): string {
  for (const unit of ['gb', 'mb', 'kb']) {
    const size = UNITS[unit]!
    if (value >= size && value % size === 0n) return `${value / size}${unit}`
  }
  return String(value)
}

function readInteger(word: string): bigint | null {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(word)) return null
  const value = BigInt(word)
  return value >= LONG_MIN && value <= LONG_MAX ? value : null
}

function within(value: bigint, min: bigint, max: bigint): bigint | Refusal {
  return value >= min && value <= max ? value : new Refusal(`argument must be between ${min} and ${max} inclusive`)
}

/** For ranges that a JavaScript number holds exactly. */
function narrow(kind: Kind<bigint>): Kind<number> {
  return {
    ...kind,
    parse(words, current, loading) {
      const value = kind.parse(words, BigInt(current ?? 0), loading)
      return value instanceof Refusal ? value : Number(value)
    },
    text: String,
    lines: (value) => kind.lines(BigInt(value)),
  }
}
