// Bitmaps: a string as a row of bits. Bit 0 is the most significant bit of byte 0; beyond the end every bit is 0.
//
// What only reads (BITCOUNT, BITPOS) goes over a long value in steps, a millisecond each, while others are served: it answers for
// the value as it was when the command began. What writes (SETBIT, BITOP) does it in one go, or somebody could write in between and
// the result would belong to no moment. BITOP over hundreds of megabytes therefore takes its time, about as long as writing
// the result does.

import { EVENT_GENERIC, EVENT_STRING } from '../base/event-classes.ts'
import { Slice } from '../base/slice.ts'
import { NONE } from '../engine/engine.ts'
import type { Args } from '../resp/args.ts'
import { type Bits, type BitUnit, bitRange, readBitOffset } from './bit-arguments.ts'
import { type Combination, combine, countOnes, firstBit, firstOther, invert } from './bits.ts'
import { type Command, FAST, FIRST_KEY, GROWS, READ, WRITE } from './command.ts'
import { NOT_AN_INTEGER, SYNTAX_ERROR } from './errors.ts'
import { findToRead, notify } from './events.ts'
import { type Integer, parseInteger } from './numbers.ts'
import type { Session } from './session.ts'
import { isString, mayStore, valueInHand, valueToKeep } from './values.ts'
import { isWord } from './words.ts'

const RO_ACCESS = [['RO', 'access']] as const
const NOT_A_BIT = 'ERR bit is not an integer or out of range'
/** Bytes that one step looks at. */
const STEP_BYTES = 1024 * 1024

export const bitmapCommands = [
  {
    name: 'SETBIT',
    arity: 4,
    flags: WRITE | GROWS,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    access: [['RW', 'access', 'update']],
    run: setbit,
    summary: 'Sets one bit of a string, which grows as far as needed, and returns what it was.',
    since: '2.2.0',
    group: 'bitmap',
    complexity: 'O(N) for N bytes of the string: unless nothing changes it is written again as a whole.',
    difference: 'Writes the whole string again, so many single bits of one large bitmap are slow.',
  },
  {
    name: 'GETBIT',
    arity: 3,
    flags: READ | FAST,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    access: RO_ACCESS,
    run: getbit,
    summary: 'Returns one bit of a string, 0 beyond its end.',
    since: '2.2.0',
    group: 'bitmap',
    complexity: 'O(1)',
  },
  {
    name: 'BITCOUNT',
    arity: -2,
    flags: READ,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    access: RO_ACCESS,
    run: bitcount,
    summary: 'Counts the bits that are set, in a string or in a range of its bytes or bits.',
    since: '2.6.0',
    group: 'bitmap',
    complexity: 'O(N) for N bytes looked at.',
  },
  {
    name: 'BITPOS',
    arity: -3,
    flags: READ,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    access: RO_ACCESS,
    run: bitpos,
    summary: 'Finds the first bit that is set, or clear, in a string or in a range of its bytes or bits.',
    since: '2.8.7',
    group: 'bitmap',
    complexity: 'O(N) for N bytes looked at.',
  },
  {
    name: 'BITOP',
    arity: -4,
    flags: WRITE | GROWS,
    keys: { first: 2, last: -1, step: 1 },
    values: { first: 3, last: -1, step: 1 },
    access: [
      ['OW', 'update'],
      ['RO', 'access'],
    ],
    run: bitop,
    summary: 'Stores strings combined bit by bit (AND, OR, XOR), or one inverted (NOT), under another key.',
    since: '2.6.0',
    group: 'bitmap',
    complexity: 'O(N) for N bytes of all strings together.',
  },
] as const satisfies readonly Command[]

// --- one bit

function setbit(session: Session, args: Args): void {
  const { engine, reply, database } = session
  const key = args.at(1)
  const offset = readBitOffset(session, args.at(2))
  if (offset < 0) return
  const bit = parseInteger(args.at(3))
  if (bit !== 0 && bit !== 1) return reply.error(NOT_A_BIT)
  const entry = engine.find(database, key)
  if (entry !== NONE && !isString(session, entry)) return

  const size = entry === NONE ? 0 : engine.valueSize(entry)
  const at = Math.floor(offset / 8)
  const mask = 0x80 >> (offset & 7)
  const old = at < size ? byteOf(valueInHand(session, entry), at) : 0
  const wasSet = (old & mask) !== 0
  if (at >= size || wasSet !== (bit === 1)) {
    const total = Math.max(size, at + 1)
    if (!mayStore(session, key, total)) return
    const whole = Buffer.alloc(total)
    if (entry !== NONE) copyInto(whole, valueInHand(session, entry))
    whole[at] = bit === 1 ? old | mask : old & ~mask
    if (entry === NONE) engine.put(database, key, new Slice(whole), 0)
    else engine.overwrite(entry, new Slice(whole), engine.expiryOf(entry))
    notify(session, EVENT_STRING, 'setbit', key)
  }
  reply.integer(wasSet ? 1 : 0)
}

function getbit(session: Session, args: Args): void {
  const { engine, reply } = session
  const offset = readBitOffset(session, args.at(2))
  if (offset < 0) return
  const entry = findToRead(session, args.at(1))
  if (entry === NONE) return reply.integer(0)
  if (!isString(session, entry)) return
  const at = Math.floor(offset / 8)
  const byte = at < engine.valueSize(entry) ? byteOf(valueInHand(session, entry), at) : 0
  reply.integer((byte >> (7 - (offset & 7))) & 1)
}

function byteOf(value: Slice, at: number): number {
  return value.bytes[value.start + at]!
}

function copyInto(target: Buffer, source: Slice): void {
  source.bytes.copy(target, 0, source.start, source.end)
}

// --- ranges of bits
//
// Whole bytes are looked at in bulk. Of the first and the last byte only a part may belong to the range: `inFirst` and `inLast` are
// the bits that do.

function bitcount(session: Session, args: Args): void {
  const { engine, reply } = session
  const entry = findToRead(session, args.at(1))
  if (entry === NONE) return reply.integer(0)
  if (!isString(session, entry)) return
  if (args.count === 3 || args.count > 5) return reply.error(SYNTAX_ERROR)

  const size = engine.valueSize(entry)
  let range: Bits | null
  if (args.count === 2) range = bitRange(0, -1, size, 'BYTE')
  else {
    const first = parseInteger(args.at(2))
    const last = parseInteger(args.at(3))
    if (first === null || last === null) return reply.error(NOT_AN_INTEGER)
    // The unit is not even read then, whatever it says. So does Redis.
    if (first < 0 && last < 0 && first > last) return reply.integer(0)
    const unit = args.count === 5 ? unitOf(args.at(4)) : 'BYTE'
    if (unit === null) return reply.error(SYNTAX_ERROR)
    range = bitRange(first, last, size, unit)
  }
  if (range === null) return reply.integer(0)

  const { firstByte, lastByte, inFirst, inLast } = range
  const value = valueInHand(session, entry)
  let sum = -onesIn(byteOf(value, firstByte) & ~inFirst) - onesIn(byteOf(value, lastByte) & ~inLast)
  overBytes(
    session,
    entry,
    firstByte,
    lastByte + 1,
    (bytes, start, end) => {
      sum += countOnes(bytes, start, end)
      return false
    },
    () => reply.integer(sum),
  )
}

function onesIn(byte: number): number {
  let ones = 0
  for (let rest = byte & 0xff; rest !== 0; rest &= rest - 1) ones++
  return ones
}

function bitpos(session: Session, args: Args): void {
  const { engine, reply } = session
  const bit = parseInteger(args.at(2))
  if (bit === null) return reply.error(NOT_AN_INTEGER)
  if (bit !== 0 && bit !== 1) return reply.error('ERR The bit argument must be 1 or 0.')
  const entry = findToRead(session, args.at(1))
  if (entry === NONE) return reply.integer(bit === 1 ? -1 : 0)
  if (!isString(session, entry)) return
  if (args.count > 6) return reply.error(SYNTAX_ERROR)

  let first: Integer | null = 0
  let last: Integer | null = -1
  let unit: BitUnit | null = 'BYTE'
  if (args.count >= 4) {
    first = parseInteger(args.at(3))
    if (first === null) return reply.error(NOT_AN_INTEGER)
    if (args.count === 6 && (unit = unitOf(args.at(5))) === null) return reply.error(SYNTAX_ERROR)
    if (args.count >= 5 && (last = parseInteger(args.at(4))) === null) return reply.error(NOT_AN_INTEGER)
  }
  const size = engine.valueSize(entry)
  const range = bitRange(first, last, size, unit)
  if (range === null) return reply.integer(-1)

  const { firstByte, lastByte, inFirst, inLast } = range
  // In a range whose end was not given, the first clear bit may be the one behind the string.
  const nowhere = bit === 1 || args.count >= 5 ? -1 : size * 8
  const value = valueInHand(session, entry)
  const inOnly = firstByte === lastByte ? inFirst & inLast : inFirst
  const atOnce = firstOf(byteOf(value, firstByte), inOnly, bit)
  if (atOnce < 8) return reply.integer(firstByte * 8 + atOnce)
  if (firstByte === lastByte) return reply.integer(nowhere)

  const dull = bit === 1 ? 0 : 255
  const lastBit = firstOf(byteOf(value, lastByte), inLast, bit)
  let found = lastBit < 8 ? lastByte * 8 + lastBit : nowhere
  overBytes(
    session,
    entry,
    firstByte + 1,
    lastByte,
    (bytes, start, end, offset) => {
      const at = firstOther(bytes, start, end, dull)
      if (at === end) return false
      found = (offset + at - start) * 8 + firstBit(bytes[at]!, bit)
      return true
    },
    () => reply.integer(found),
  )
}

/** The first bit of a byte that is `bit`, among those of the mask; 8 when there is none. */
function firstOf(byte: number, mask: number, bit: 0 | 1): number {
  return firstBit(bit === 1 ? byte & mask : byte | (~mask & 0xff), bit)
}

function unitOf(word: Slice): BitUnit | null {
  return isWord(word, 'BIT') ? 'BIT' : isWord(word, 'BYTE') ? 'BYTE' : null
}

/** `look` is given the value's bytes [from, to) in one piece, or in several, one a tick; then, or when it returns true, `done` replies. */
function overBytes(
  session: Session,
  entry: number,
  from: number,
  to: number,
  look: (bytes: Buffer, start: number, end: number, offset: number) => boolean,
  done: () => void,
): void {
  if (to - from <= STEP_BYTES) {
    const { bytes, start } = valueInHand(session, entry)
    look(bytes, start + from, start + to, from)
    return done()
  }
  const { bytes, start } = valueToKeep(session, entry)
  let at = from
  session.stepwise(() => {
    const end = Math.min(at + STEP_BYTES, to)
    const isFound = look(bytes, start + at, start + end, at)
    at = end
    if (!isFound && at < to) return false
    done()
    return true
  })
}

// --- BITOP

const COMBINATIONS: readonly Combination[] = ['AND', 'OR', 'XOR']

function bitop(session: Session, args: Args): void {
  const { engine, reply, database } = session
  const how = COMBINATIONS.find((word) => isWord(args.at(1), word)) ?? null
  if (how === null && !isWord(args.at(1), 'NOT')) return reply.error(SYNTAX_ERROR)
  if (how === null && args.count !== 4) return reply.error('ERR BITOP NOT must be called with a single source key.')
  let total = 0
  for (let i = 3; i < args.count; i++) {
    const entry = findToRead(session, args.at(i))
    if (entry === NONE) continue
    if (!isString(session, entry)) return
    total = Math.max(total, engine.valueSize(entry))
  }
  const target = args.at(2)
  if (total > 0) {
    if (!mayStore(session, target, total)) return
    const result = Buffer.alloc(total)
    // What is missing, and what is missing behind the end of a shorter string, counts as zeros.
    for (let i = 3; i < args.count; i++) {
      const entry = engine.find(database, args.at(i))
      const value = entry === NONE ? NOTHING : valueInHand(session, entry)
      if (i === 3) copyInto(result, value)
      else combine(how!, result, value.bytes, value.start, value.end)
      if (i > 3 && how === 'AND') result.fill(0, value.length)
    }
    if (how === null) invert(result)
    engine.put(database, target, new Slice(result), 0)
    notify(session, EVENT_STRING, 'set', target)
  } else {
    const entry = engine.find(database, target)
    if (entry !== NONE) {
      engine.remove(entry)
      notify(session, EVENT_GENERIC, 'del', target)
    }
  }
  reply.integer(total)
}

const NOTHING = new Slice()
