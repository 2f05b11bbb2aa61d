// Counters: numbers kept as text, integers (INCR and its faces) and long doubles (INCRBYFLOAT).
//
// The new number is written as text again and the key keeps its time to live. What a number is, is told in numbers.ts and
// long-double.ts.

import { EVENT_STRING } from '../base/event-classes.ts'
import { Slice, sliceOf } from '../base/slice.ts'
import { NONE } from '../engine/engine.ts'
import type { Args } from '../resp/args.ts'
import { type Command, FAST, FIRST_KEY, GROWS, WRITE } from './command.ts'
import { NOT_AN_INTEGER } from './errors.ts'
import { notify } from './events.ts'
import { addLongDoubles, type Float, formatLongDouble, MAX_FLOAT_LENGTH, parseLongDouble, ZERO } from './long-double.ts'
import { add, formatInteger, type Integer, MAX_INTEGER_LENGTH, negate, parseInteger } from './numbers.ts'
import type { Session } from './session.ts'
import { isString, mayStore, valueInHand } from './values.ts'

const ACCESS = [['RW', 'access', 'update']] as const
const NOT_A_FLOAT = 'ERR value is not a valid float'

export const counterCommands = [
  {
    name: 'INCR',
    arity: 2,
    flags: WRITE | GROWS | FAST,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    access: ACCESS,
    run: incr,
    summary: 'Adds one to the integer a key holds; a missing key counts as 0.',
    since: '1.0.0',
    group: 'string',
    complexity: 'O(1)',
  },
  {
    name: 'DECR',
    arity: 2,
    flags: WRITE | GROWS | FAST,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    access: ACCESS,
    run: decr,
    summary: 'Subtracts one from the integer a key holds; a missing key counts as 0.',
    since: '1.0.0',
    group: 'string',
    complexity: 'O(1)',
  },
  {
    name: 'INCRBY',
    arity: 3,
    flags: WRITE | GROWS | FAST,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    access: ACCESS,
    run: incrby,
    summary: 'Adds an integer to the integer a key holds; a missing key counts as 0.',
    since: '1.0.0',
    group: 'string',
    complexity: 'O(1)',
  },
  {
    name: 'DECRBY',
    arity: 3,
    flags: WRITE | GROWS | FAST,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    access: ACCESS,
    run: decrby,
    summary: 'Subtracts an integer from the integer a key holds; a missing key counts as 0.',
    since: '1.0.0',
    group: 'string',
    complexity: 'O(1)',
  },
  {
    name: 'INCRBYFLOAT',
    arity: 3,
    flags: WRITE | GROWS | FAST,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    access: ACCESS,
    run: incrbyfloat,
    summary: 'Adds a decimal number to the number a key holds, in 64 bits of precision; a missing key counts as 0.',
    since: '2.6.0',
    group: 'string',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

const digits = new Slice(Buffer.alloc(MAX_INTEGER_LENGTH))

function incr(session: Session, args: Args): void {
  increment(session, args.at(1), 1)
}

function decr(session: Session, args: Args): void {
  increment(session, args.at(1), -1)
}

function incrby(session: Session, args: Args): void {
  const amount = parseInteger(args.at(2))
  if (amount === null) session.reply.error(NOT_AN_INTEGER)
  else increment(session, args.at(1), amount)
}

function decrby(session: Session, args: Args): void {
  const amount = parseInteger(args.at(2))
  if (amount === null) return session.reply.error(NOT_AN_INTEGER)
  const opposite = negate(amount)
  if (opposite === null) session.reply.error('ERR decrement would overflow')
  else increment(session, args.at(1), opposite)
}

function increment(session: Session, key: Slice, amount: Integer): void {
  const { engine, reply, database } = session
  if (!mayStore(session, key, MAX_INTEGER_LENGTH)) return
  const entry = engine.find(database, key)
  if (entry !== NONE && !isString(session, entry)) return
  const old = entry === NONE ? 0 : parseInteger(valueInHand(session, entry))
  if (old === null) return reply.error(NOT_AN_INTEGER)
  const sum = add(old, amount)
  if (sum === null) return reply.error('ERR increment or decrement would overflow')

  digits.end = formatInteger(sum, digits.bytes)
  if (entry === NONE) engine.put(database, key, digits, 0)
  else engine.overwrite(entry, digits, engine.expiryOf(entry))
  notify(session, EVENT_STRING, 'incrby', key)
  if (typeof sum === 'number') reply.integer(sum)
  else reply.bigInteger(sum)
}

function incrbyfloat(session: Session, args: Args): void {
  const { engine, reply, database } = session
  const key = args.at(1)
  if (!mayStore(session, key, MAX_FLOAT_LENGTH)) return
  const entry = engine.find(database, key)
  if (entry !== NONE && !isString(session, entry)) return
  const old: Float | null = entry === NONE ? ZERO : parseLongDouble(valueInHand(session, entry))
  const amount = parseLongDouble(args.at(2))
  if (old === null || amount === null) return reply.error(NOT_A_FLOAT)
  const sum = addLongDoubles(old, amount)
  if (sum === null) return reply.error('ERR increment would produce NaN or Infinity')

  const text = sliceOf(formatLongDouble(sum))
  if (entry === NONE) engine.put(database, key, text, 0)
  else engine.overwrite(entry, text, engine.expiryOf(entry))
  notify(session, EVENT_STRING, 'incrbyfloat', key)
  reply.bulk(text.bytes, text.start, text.end)
}
