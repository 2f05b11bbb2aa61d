// Times to live: four ways to say when a key ends, four to ask, one to take it back.
//
// A deadline is absolute, in ms since 1970; 0 means none. One that has passed already deletes the key at once.

import { EVENT_GENERIC } from '../base/event-classes.ts'
import { NONE } from '../engine/engine.ts'
import type { Args } from '../resp/args.ts'
import { countAsAccess } from './access.ts'
import { type Command, FAST, FIRST_KEY, READ, WRITE } from './command.ts'
import { deadline } from './deadlines.ts'
import { invalidExpireTime, NOT_AN_INTEGER } from './errors.ts'
import { findToRead, notify } from './events.ts'
import { parseInteger } from './numbers.ts'
import type { Session } from './session.ts'
import { isWord } from './words.ts'

const RO_ACCESS = [['RO', 'access']] as const
const RW_UPDATE = [['RW', 'update']] as const
const FAR_FUTURE = 'A deadline beyond 2^53 ms is kept as 2^53 - 1 ms.'

export const expiryCommands = [
  {
    name: 'EXPIRE',
    arity: -3,
    flags: WRITE | FAST,
    keys: FIRST_KEY,
    access: RW_UPDATE,
    run: (session, args) => expireAt(session, args, 'EXPIRE', 1000, session.now),
    summary: 'Sets how many seconds a key has left.',
    since: '1.0.0',
    group: 'generic',
    complexity: 'O(1)',
    difference: FAR_FUTURE,
  },
  {
    name: 'PEXPIRE',
    arity: -3,
    flags: WRITE | FAST,
    keys: FIRST_KEY,
    access: RW_UPDATE,
    run: (session, args) => expireAt(session, args, 'PEXPIRE', 1, session.now),
    summary: 'Sets how many milliseconds a key has left.',
    since: '2.6.0',
    group: 'generic',
    complexity: 'O(1)',
    difference: FAR_FUTURE,
  },
  {
    name: 'EXPIREAT',
    arity: -3,
    flags: WRITE | FAST,
    keys: FIRST_KEY,
    access: RW_UPDATE,
    run: (session, args) => expireAt(session, args, 'EXPIREAT', 1000, 0),
    summary: 'Sets the Unix time in seconds at which a key ends.',
    since: '1.2.0',
    group: 'generic',
    complexity: 'O(1)',
    difference: FAR_FUTURE,
  },
  {
    name: 'PEXPIREAT',
    arity: -3,
    flags: WRITE | FAST,
    keys: FIRST_KEY,
    access: RW_UPDATE,
    run: (session, args) => expireAt(session, args, 'PEXPIREAT', 1, 0),
    summary: 'Sets the Unix time in milliseconds at which a key ends.',
    since: '2.6.0',
    group: 'generic',
    complexity: 'O(1)',
    difference: FAR_FUTURE,
  },
  {
    name: 'TTL',
    arity: 2,
    flags: READ | FAST,
    keys: FIRST_KEY,
    access: RO_ACCESS,
    tips: ['nondeterministic_output'],
    run: (session, args) => timeLeft(session, args, session.now, 1000),
    summary: 'Returns the seconds a key has left; -1 when it has no end, -2 when there is no key.',
    since: '1.0.0',
    group: 'generic',
    complexity: 'O(1)',
  },
  {
    name: 'PTTL',
    arity: 2,
    flags: READ | FAST,
    keys: FIRST_KEY,
    access: RO_ACCESS,
    tips: ['nondeterministic_output'],
    run: (session, args) => timeLeft(session, args, session.now, 1),
    summary: 'Returns the milliseconds a key has left; -1 when it has no end, -2 when there is no key.',
    since: '2.6.0',
    group: 'generic',
    complexity: 'O(1)',
  },
  {
    name: 'EXPIRETIME',
    arity: 2,
    flags: READ | FAST,
    keys: FIRST_KEY,
    access: RO_ACCESS,
    run: (session, args) => timeLeft(session, args, 0, 1000),
    summary: 'Returns the Unix time in seconds at which a key ends; -1 when it has no end, -2 when there is no key.',
    since: '7.0.0',
    group: 'generic',
    complexity: 'O(1)',
  },
  {
    name: 'PEXPIRETIME',
    arity: 2,
    flags: READ | FAST,
    keys: FIRST_KEY,
    access: RO_ACCESS,
    run: (session, args) => timeLeft(session, args, 0, 1),
    summary:
      'Returns the Unix time in milliseconds at which a key ends; -1 when it has no end, -2 when there is no key.',
    since: '7.0.0',
    group: 'generic',
    complexity: 'O(1)',
  },
  {
    name: 'PERSIST',
    arity: 2,
    flags: WRITE | FAST,
    keys: FIRST_KEY,
    access: RW_UPDATE,
    run: persist,
    summary: 'Takes the end away from a key.',
    since: '2.2.0',
    group: 'generic',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

const NX = 1
const XX = 2
const GT = 4
const LT = 8

/** EXPIRE and its cousins: they differ in the unit and in whether the time counts from now. */
function expireAt(session: Session, args: Args, command: string, unitMs: number, sinceMs: number): void {
  const { engine, reply, database } = session
  const conditions = parseConditions(session, args)
  if (conditions < 0) return
  const time = parseInteger(args.at(2))
  if (time === null) return reply.error(NOT_AN_INTEGER)
  const expiry = deadline(time, unitMs, sinceMs)
  if (expiry === null) return reply.error(invalidExpireTime(command))

  const key = args.at(1)
  const entry = engine.find(database, key)
  if (entry === NONE) return reply.integer(0)
  if (conditions !== 0 && !conditionsHold(conditions, engine.expiryOf(entry), expiry)) return reply.integer(0)
  if (expiry <= session.now) {
    engine.remove(entry)
    notify(session, EVENT_GENERIC, 'del', key)
  } else {
    countAsAccess(engine, entry)
    engine.setExpiry(entry, expiry)
    notify(session, EVENT_GENERIC, 'expire', key)
  }
  reply.integer(1)
}

/** The bits of NX XX GT LT; -1 when they are none or contradict, and the client has been told. */
function parseConditions(session: Session, args: Args): number {
  let bits = 0
  for (let i = 3; i < args.count; i++) {
    const word = args.at(i)
    const bit = isWord(word, 'NX')
      ? NX
      : isWord(word, 'XX')
        ? XX
        : isWord(word, 'GT')
          ? GT
          : isWord(word, 'LT')
            ? LT
            : 0
    if (bit === 0) {
      session.reply.error(`ERR Unsupported option ${word.key()}`)
      return -1
    }
    bits |= bit
  }
  if ((bits & NX) !== 0 && bits !== NX) {
    session.reply.error('ERR NX and XX, GT or LT options at the same time are not compatible')
    return -1
  }
  if ((bits & GT) !== 0 && (bits & LT) !== 0) {
    session.reply.error('ERR GT and LT options at the same time are not compatible')
    return -1
  }
  return bits
}

/** `current` 0: the key has no end, which counts as infinitely late. */
function conditionsHold(bits: number, current: number, wanted: number): boolean {
  if ((bits & NX) !== 0 && current !== 0) return false
  if ((bits & XX) !== 0 && current === 0) return false
  if ((bits & GT) !== 0 && (current === 0 || wanted <= current)) return false
  if ((bits & LT) !== 0 && current !== 0 && wanted >= current) return false
  return true
}

/** TTL and its cousins: they differ in the unit and in what the deadline is counted from. */
function timeLeft(session: Session, args: Args, sinceMs: number, unitMs: number): void {
  const { engine, reply } = session
  const entry = findToRead(session, args.at(1))
  if (entry === NONE) return reply.integer(-2)
  const expiry = engine.expiryOf(entry)
  if (expiry === 0) return reply.integer(-1)
  const left = Math.max(0, expiry - sinceMs)
  reply.integer(unitMs === 1 ? left : Math.floor((left + unitMs / 2) / unitMs))
}

function persist(session: Session, args: Args): void {
  const { engine, reply, database } = session
  const entry = engine.find(database, args.at(1))
  if (entry === NONE || engine.expiryOf(entry) === 0) return reply.integer(0)
  countAsAccess(engine, entry)
  engine.setExpiry(entry, 0)
  notify(session, EVENT_GENERIC, 'persist', args.at(1))
  reply.integer(1)
}
