// DUMP and RESTORE: a value leaves one server as a payload (dump-payload.ts) and enters another.
//
// Summing and compressing megabytes takes its time, so both work in steps. RESTORE looks for a key in its way twice: before it reads
// the payload, since that error comes first, and when it writes, since somebody may have made the key meanwhile.

import { EVENT_GENERIC, EVENT_NEW } from '../base/event-classes.ts'
import { Slice } from '../base/slice.ts'
import { NONE } from '../engine/engine.ts'
import type { Args } from '../resp/args.ts'
import { type Command, FIRST_KEY, GROWS, READ, WRITE } from './command.ts'
import { deadline } from './deadlines.ts'
import { Deserialization, isMadeAtOnce, isReadAtOnce, Serialization } from './dump-payload.ts'
import { NOT_AN_INTEGER, SYNTAX_ERROR } from './errors.ts'
import { findToRead, notify } from './events.ts'
import { type Integer, parseInteger } from './numbers.ts'
import type { Session } from './session.ts'
import { inSteps, inStepsToWrite } from './steps.ts'
import { isString, mayStore, valueInHand } from './values.ts'
import { isWord } from './words.ts'

/** The longest idle time the store can express. */
const MAX_IDLE_SECONDS = 2 ** 24 - 2
const BUSY_KEY = 'BUSYKEY Target key name already exists.'

export const dumpCommands = [
  {
    name: 'DUMP',
    arity: 2,
    flags: READ,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    access: [['RO', 'access']],
    tips: ['nondeterministic_output'],
    run: dump,
    summary: 'Returns what a key holds as a payload for RESTORE, of this server or of a redis-server from 7.0 on.',
    since: '2.6.0',
    group: 'generic',
    complexity: 'O(N) for N bytes of the value.',
    difference: 'Compressed strings may be longer or shorter than in Redis; both read both.',
  },
  {
    name: 'RESTORE',
    arity: -4,
    flags: WRITE | GROWS,
    keys: FIRST_KEY,
    access: [['OW', 'update']],
    categories: ['dangerous'],
    run: restore,
    summary: 'Makes a key of a payload that DUMP has given, with a time to live in milliseconds, 0 for none.',
    since: '2.6.0',
    group: 'generic',
    complexity: 'O(N) for N bytes of the value.',
    difference:
      "Strings only. Takes payloads of Redis 7.2 too. FREQ is checked and forgotten: frequencies aren't counted.",
  },
  {
    name: 'RESTORE-ASKING',
    arity: -4,
    flags: WRITE | GROWS,
    keys: FIRST_KEY,
    access: [['OW', 'update']],
    categories: ['keyspace', 'dangerous'],
    run: restore,
    summary: 'The same as RESTORE: servers of a cluster move keys with it.',
    since: '3.0.0',
    group: 'server',
    complexity: 'O(N) for N bytes of the value.',
    difference: 'As RESTORE.',
  },
] as const satisfies readonly Command[]

function dump(session: Session, args: Args): void {
  const { engine, reply } = session
  const entry = findToRead(session, args.at(1))
  if (entry === NONE) return reply.null()
  if (!isString(session, entry)) return
  const { length } = valueInHand(session, entry)
  const value = new Slice()
  // What takes several steps must not change meanwhile.
  if (isMadeAtOnce(length)) engine.valueOf(entry, value)
  else engine.keepValueOf(entry, value)
  const work = new Serialization(value, session.server.compressesPayloads)
  inSteps(
    session,
    () => work.step(),
    () => reply.bulk(work.bytes, 0, work.bytes.length),
  )
}

interface Options {
  readonly replace: boolean
  /** ABSTTL: the time to live is a moment. */
  readonly absolute: boolean
  /** null: not given. */
  readonly idleSeconds: number | null
}

function restore(session: Session, borrowed: Args): void {
  const { engine, reply, database } = session
  const options = parseOptions(session, borrowed)
  if (options === null) return
  if (!options.replace && engine.find(database, borrowed.at(1)) !== NONE) return reply.error(BUSY_KEY)
  const time = parseInteger(borrowed.at(2))
  if (time === null) return reply.error(NOT_AN_INTEGER)
  if (time < 0) return reply.error('ERR Invalid TTL value, must be >= 0')

  const args = isReadAtOnce(borrowed.at(3)) ? borrowed : borrowed.copy()
  const work = new Deserialization(args.at(3))
  inStepsToWrite(
    session,
    () => work.step(),
    () => {
      if (work.problem !== null) reply.error(work.problem)
      else store(session, args.at(1), work.value, time, options)
    },
  )
}

function store(session: Session, key: Slice, value: Slice, time: Integer, options: Options): void {
  const { engine, reply, database } = session
  const isTaken = engine.find(database, key) !== NONE
  if (isTaken && !options.replace) return reply.error(BUSY_KEY)
  if (!mayStore(session, key, value.length)) return

  const sinceMs = options.absolute ? 0 : session.now
  // A moment beyond 64 bits has come round to the distant past in Redis: the key is gone at once.
  const expiry = time === 0 ? 0 : (deadline(time, 1, sinceMs) ?? 1)
  if (expiry !== 0 && expiry <= session.now) {
    if (isTaken) {
      engine.remove(engine.find(database, key))
      notify(session, EVENT_GENERIC, 'del', key)
    }
    return reply.ok()
  }
  engine.put(database, key, value, expiry)
  if (options.idleSeconds !== null) engine.setIdle(engine.find(database, key), options.idleSeconds)
  if (isTaken) notify(session, EVENT_NEW, 'new', key)
  notify(session, EVENT_GENERIC, 'restore', key)
  reply.ok()
}

/** null: they make no sense, and the client has been told. */
function parseOptions(session: Session, args: Args): Options | null {
  let replace = false
  let absolute = false
  let idleSeconds: number | null = null
  let hasFrequency = false
  for (let i = 4; i < args.count; i++) {
    const word = args.at(i)
    const hasNext = i + 1 < args.count
    if (isWord(word, 'REPLACE')) {
      replace = true
    } else if (isWord(word, 'ABSTTL')) {
      absolute = true
    } else if (isWord(word, 'IDLETIME') && hasNext && !hasFrequency) {
      const seconds = integerFrom(session, args.at(++i), 'IDLETIME', null)
      if (seconds === null) return null
      idleSeconds = Math.min(seconds, MAX_IDLE_SECONDS)
    } else if (isWord(word, 'FREQ') && hasNext && idleSeconds === null) {
      if (integerFrom(session, args.at(++i), 'FREQ', 255) === null) return null
      hasFrequency = true
    } else {
      session.reply.error(SYNTAX_ERROR)
      return null
    }
  }
  return { replace, absolute, idleSeconds }
}

/** From 0 to `most` (null: no limit); null when it is not, and the client has been told. */
function integerFrom(session: Session, argument: Slice, name: string, most: number | null): number | null {
  const value = parseInteger(argument)
  if (value !== null && value >= 0 && (most === null || value <= most)) return Number(value)
  const range = most === null ? '>= 0' : `>= 0 and <= ${most}`
  session.reply.error(value === null ? NOT_AN_INTEGER : `ERR Invalid ${name} value, must be ${range}`)
  return null
}
