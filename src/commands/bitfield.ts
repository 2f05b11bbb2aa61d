// BITFIELD: integers of 1 to 64 bits at any bit of a string, read, written and counted up in one command.
//
//   BITFIELD key [GET type offset] [SET type offset value] [INCRBY type offset amount] [OVERFLOW WRAP|SAT|FAIL] ...
//
// A field is big-endian, its first bit is bit `offset`; beyond the end of the string every bit is 0. The type is 'u' or 'i' and a
// width (u1 to u63, i1 to i64). OVERFLOW is for the operations after it: what does not fit wraps around, stays at the end of the
// range, or is not done and answered with null.
//
// All operations are read before any is done, so an error changes nothing. Fields are computed as bigints: 64 bits do not fit a number.

import { EVENT_STRING } from '../base/event-classes.ts'
import { Slice } from '../base/slice.ts'
import { NONE } from '../engine/engine.ts'
import type { Args } from '../resp/args.ts'
import { readBitOffset } from './bit-arguments.ts'
import { type Command, FAST, FIRST_KEY, GROWS, READ, WRITE } from './command.ts'
import { NOT_AN_INTEGER, SYNTAX_ERROR } from './errors.ts'
import { findToRead, notify } from './events.ts'
import { INT64_MAX, parseInteger } from './numbers.ts'
import type { Session } from './session.ts'
import { isString, mayStore, valueInHand } from './values.ts'
import { isWord } from './words.ts'

export const bitfieldCommands = [
  {
    name: 'BITFIELD',
    arity: -2,
    flags: WRITE | GROWS,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    access: [['RW', 'access', 'update', 'variable_flags']],
    accessNow: bitfieldAccess,
    run: bitfield,
    summary: 'Reads, writes and counts up integers of any width at any bit of a string.',
    since: '3.2.0',
    group: 'bitmap',
    complexity:
      'O(1) for each operation, O(N) for N bytes of the string if it changes: it is written again as a whole.',
    difference: 'Writes the whole string again, once a command.',
  },
  {
    name: 'BITFIELD_RO',
    arity: -2,
    flags: READ | FAST,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    access: [['RO', 'access']],
    run: bitfieldRo,
    summary: 'Reads integers of any width at any bit of a string.',
    since: '6.0.0',
    group: 'bitmap',
    complexity: 'O(1) for each operation.',
  },
] as const satisfies readonly Command[]

type Overflow = 'WRAP' | 'SAT' | 'FAIL'
const OVERFLOWS: readonly Overflow[] = ['WRAP', 'SAT', 'FAIL']

interface Operation {
  readonly verb: 'GET' | 'SET' | 'INCRBY'
  readonly type: FieldType
  readonly offset: number
  /** SET's value, INCRBY's amount. */
  readonly number: bigint
  readonly overflow: Overflow
}

interface FieldType {
  readonly isSigned: boolean
  readonly bits: number
}

function bitfield(session: Session, args: Args): void {
  const operations = parseOperations(session, args)
  if (operations === null) return
  if (operations.every(({ verb }) => verb === 'GET')) readFields(session, args.at(1), operations)
  else changeFields(session, args.at(1), operations)
}

function bitfieldRo(session: Session, args: Args): void {
  const operations = parseOperations(session, args)
  if (operations === null) return
  if (operations.every(({ verb }) => verb === 'GET')) readFields(session, args.at(1), operations)
  else session.reply.error('ERR BITFIELD_RO only supports the GET subcommand')
}

/** For COMMAND GETKEYSANDFLAGS: GETs leave the key as it is; whatever else there may be is taken for a write. */
function bitfieldAccess(args: Args, name: number): readonly string[] {
  let i = name + 2
  for (;;) {
    const following = args.count - i - 1
    if (following < 0) return ['RO', 'access']
    if (isWord(args.at(i), 'GET') && following >= 2) i += 3
    else if (isWord(args.at(i), 'OVERFLOW') && following >= 1) i += 2
    else return ['RW', 'access', 'update']
  }
}

// --- arguments

/** null: there is an error, and the client has been told. */
function parseOperations(session: Session, args: Args): Operation[] | null {
  const operations: Operation[] = []
  let overflow: Overflow = 'WRAP'
  for (let i = 2; i < args.count; ) {
    const verb = args.at(i)
    const following = args.count - i - 1
    if (isWord(verb, 'OVERFLOW') && following >= 1) {
      const word = OVERFLOWS.find((each) => isWord(args.at(i + 1), each))
      if (word === undefined) return refuse(session, 'ERR Invalid OVERFLOW type specified')
      overflow = word
      i += 2
      continue
    }
    const isGet = isWord(verb, 'GET') && following >= 2
    const isSet = isWord(verb, 'SET') && following >= 3
    if (!isGet && !isSet && !(isWord(verb, 'INCRBY') && following >= 3)) return refuse(session, SYNTAX_ERROR)

    const type = parseType(args.at(i + 1))
    if (type === null) return refuse(session, INVALID_TYPE)
    const offset = readBitOffset(session, args.at(i + 2), type.bits)
    if (offset < 0) return null
    const number = isGet ? 0 : parseInteger(args.at(i + 3))
    if (number === null) return refuse(session, NOT_AN_INTEGER)
    operations.push({ verb: isGet ? 'GET' : isSet ? 'SET' : 'INCRBY', type, offset, number: BigInt(number), overflow })
    i += isGet ? 3 : 4
  }
  return operations
}

function refuse(session: Session, text: string): null {
  session.reply.error(text)
  return null
}

const INVALID_TYPE = 'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.'
const LETTER_I = 0x69
const LETTER_U = 0x75

function parseType(text: Slice): FieldType | null {
  const letter = text.length > 0 ? text.bytes[text.start] : 0
  if (letter !== LETTER_I && letter !== LETTER_U) return null
  const bits = parseInteger(new Slice(text.bytes, text.start + 1, text.end))
  const isSigned = letter === LETTER_I
  if (bits === null || bits < 1 || bits > (isSigned ? 64 : 63)) return null
  return { isSigned, bits: Number(bits) }
}

// --- operations

function readFields(session: Session, key: Slice, operations: readonly Operation[]): void {
  const { reply } = session
  const entry = findToRead(session, key)
  if (entry !== NONE && !isString(session, entry)) return
  const value = entry === NONE ? NOTHING : valueInHand(session, entry)
  reply.array(operations.length)
  for (const { type, offset } of operations) replyWith(session, readField(value, offset, type))
}

const NOTHING = new Slice()

function changeFields(session: Session, key: Slice, operations: readonly Operation[]): void {
  const { engine, reply, database } = session
  const entry = engine.find(database, key)
  if (entry !== NONE && !isString(session, entry)) return
  const size = entry === NONE ? 0 : engine.valueSize(entry)
  let total = size
  for (const { verb, offset, type } of operations) {
    if (verb !== 'GET') total = Math.max(total, Math.floor((offset + type.bits - 1) / 8) + 1)
  }
  if (!mayStore(session, key, total)) return
  const whole = new Slice(Buffer.alloc(total))
  if (entry !== NONE) {
    const value = valueInHand(session, entry)
    value.bytes.copy(whole.bytes, 0, value.start, value.end)
  }

  reply.array(operations.length)
  let hasChanged = false
  for (const operation of operations) {
    const { verb, type, offset, number, overflow } = operation
    const old = readField(whole, offset, type)
    if (verb === 'GET') {
      replyWith(session, old)
      continue
    }
    const wanted = verb === 'SET' ? given(number, type) : old + number
    const fresh = fitted(wanted, type, overflow)
    if (fresh === null) {
      reply.null()
      continue
    }
    replyWith(session, verb === 'SET' ? old : fresh)
    if (fresh !== old) writeField(whole.bytes, offset, type.bits, fresh)
    if (fresh !== old || total > size) hasChanged = true
  }
  // A string that only had to grow for operations that failed has grown all the same, but that is no event.
  if (!hasChanged && total === size) return
  if (entry === NONE) engine.put(database, key, whole, 0)
  else engine.overwrite(entry, whole, engine.expiryOf(entry))
  if (hasChanged) notify(session, EVENT_STRING, 'setbit', key)
}

/**
 * What SET gives, as Redis compares it with the largest number of the field: in 64 bits. So for an unsigned field a negative number is
 * too large, not too small; and for a signed one so is a number so low that its distance from the largest has more than 63 bits.
 */
function given(number: bigint, { isSigned, bits }: FieldType): bigint {
  if (!isSigned) return BigInt.asUintN(64, number)
  const largest = (1n << BigInt(bits - 1)) - 1n
  return bits < 64 && largest - number > INT64_MAX ? BigInt.asUintN(64, number) : number
}

/** The number as the field can hold it; null when it cannot and the operation shall fail. */
function fitted(number: bigint, { isSigned, bits }: FieldType, overflow: Overflow): bigint | null {
  const wrapped = isSigned ? BigInt.asIntN(bits, number) : BigInt.asUintN(bits, number)
  if (wrapped === number || overflow === 'WRAP') return wrapped
  if (overflow === 'FAIL') return null
  const range = 1n << BigInt(isSigned ? bits - 1 : bits)
  if (number >= range) return range - 1n
  return isSigned ? -range : 0n
}

function readField(value: Slice, offset: number, { isSigned, bits }: FieldType): bigint {
  const first = Math.floor(offset / 8)
  const last = Math.floor((offset + bits - 1) / 8)
  let field = 0n
  for (let i = first; i <= last; i++) {
    field = (field << 8n) | BigInt(i < value.length ? value.bytes[value.start + i]! : 0)
  }
  field >>= BigInt(last * 8 + 8 - offset - bits)
  return isSigned ? BigInt.asIntN(bits, field) : BigInt.asUintN(bits, field)
}

/** The bytes are there. */
function writeField(bytes: Buffer, offset: number, bits: number, field: bigint): void {
  const first = Math.floor(offset / 8)
  const last = Math.floor((offset + bits - 1) / 8)
  const after = BigInt(last * 8 + 8 - offset - bits) // bits of the last byte behind the field
  let mask = ((1n << BigInt(bits)) - 1n) << after
  let rest = (BigInt.asUintN(bits, field) << after) & mask
  for (let i = last; i >= first; i--) {
    bytes[i] = (bytes[i]! & ~Number(mask & 0xffn)) | Number(rest & 0xffn)
    mask >>= 8n
    rest >>= 8n
  }
}

function replyWith(session: Session, field: bigint): void {
  const number = Number(field)
  if (Number.isSafeInteger(number)) session.reply.integer(number)
  else session.reply.bigInteger(field)
}
