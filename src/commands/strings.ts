// String commands: one key, one value.
//
// A handler reads its arguments, asks the engine, and appends exactly one reply. When it runs, dispatch has checked arity,
// authentication and the gates, so nothing here does. A bad argument is a reply, an exception is our bug.
// Slices are borrowed: they point into the client's input. The engine copies what it keeps.
//
// Commands that return an old value and then write (SET GET, GETSET, GETDEL, GETEX) hand the value to the reply first: that
// fixes which value it is. Commands that compute from one (APPEND, SETRANGE) have it in hand when they run: see `values`.

import { EVENT_GENERIC, EVENT_STRING } from '../base/event-classes.ts'
import { Slice } from '../base/slice.ts'
import { NONE } from '../engine/engine.ts'
import { TYPE_STRING, WIDE_HEAD_BYTES } from '../engine/record.ts'
import type { Args } from '../resp/args.ts'
import { countAsAccess } from './access.ts'
import { lookAhead } from './ahead.ts'
import { ALL_KEYS, type Command, FAST, FIRST_KEY, GROWS, PAIRED_KEYS, READ, WRITE } from './command.ts'
import { deadline } from './deadlines.ts'
import { invalidExpireTime, NOT_AN_INTEGER, STRING_TOO_LONG, SYNTAX_ERROR, wrongArity } from './errors.ts'
import { findToRead, notify } from './events.ts'
import { add, parseInteger } from './numbers.ts'
import type { Session } from './session.ts'
import { batchFits, isString, mayStore, replyWithRange, replyWithValue, stringFits, valueInHand } from './values.ts'
import { isWord } from './words.ts'

const EMPTY = Buffer.alloc(0)
const RO_ACCESS = [['RO', 'access']] as const
const RW_ACCESS_UPDATE = [['RW', 'access', 'update']] as const

export const stringCommands = [
  {
    name: 'GET',
    arity: 2,
    flags: READ | FAST,
    keys: FIRST_KEY,
    access: RO_ACCESS,
    run: get,
    summary: 'Returns the string a key holds.',
    since: '1.0.0',
    group: 'string',
    complexity: 'O(1)',
  },
  {
    name: 'SET',
    arity: -3,
    flags: WRITE | GROWS,
    keys: FIRST_KEY,
    access: [['RW', 'access', 'update', 'variable_flags']],
    accessNow: setAccess,
    run: set,
    summary: 'Stores a string, on conditions and with a time to live if asked; replaces whatever the key held.',
    since: '1.0.0',
    group: 'string',
    complexity: 'O(1)',
    difference: 'A deadline beyond 2^53 ms is kept as 2^53 - 1 ms. Keys are at most 1 MiB long.',
  },
  {
    name: 'SETNX',
    arity: 3,
    flags: WRITE | GROWS | FAST,
    keys: FIRST_KEY,
    access: [['OW', 'insert']],
    run: setnx,
    summary: 'Stores a string only if the key does not exist.',
    since: '1.0.0',
    group: 'string',
    complexity: 'O(1)',
  },
  {
    name: 'SETEX',
    arity: 4,
    flags: WRITE | GROWS,
    keys: FIRST_KEY,
    access: [['OW', 'update']],
    run: setex,
    summary: 'Stores a string with a time to live in seconds.',
    since: '2.0.0',
    group: 'string',
    complexity: 'O(1)',
  },
  {
    name: 'PSETEX',
    arity: 4,
    flags: WRITE | GROWS,
    keys: FIRST_KEY,
    access: [['OW', 'update']],
    run: psetex,
    summary: 'Stores a string with a time to live in milliseconds.',
    since: '2.6.0',
    group: 'string',
    complexity: 'O(1)',
  },
  {
    name: 'GETSET',
    arity: 3,
    flags: WRITE | GROWS | FAST,
    keys: FIRST_KEY,
    access: RW_ACCESS_UPDATE,
    run: getset,
    summary: 'Stores a string, without a time to live, and returns the one that was there.',
    since: '1.0.0',
    group: 'string',
    complexity: 'O(1)',
  },
  {
    name: 'GETDEL',
    arity: 2,
    flags: WRITE | FAST,
    keys: FIRST_KEY,
    access: [['RW', 'access', 'delete']],
    run: getdel,
    summary: 'Returns the string a key holds and deletes the key.',
    since: '6.2.0',
    group: 'string',
    complexity: 'O(1)',
  },
  {
    name: 'GETEX',
    arity: -2,
    flags: WRITE | FAST,
    keys: FIRST_KEY,
    access: RW_ACCESS_UPDATE,
    run: getex,
    summary: 'Returns the string a key holds and changes or removes its time to live.',
    since: '6.2.0',
    group: 'string',
    complexity: 'O(1)',
  },
  {
    name: 'MGET',
    arity: -2,
    flags: READ | FAST,
    keys: ALL_KEYS,
    access: RO_ACCESS,
    tips: ['request_policy:multi_shard'],
    run: mget,
    summary: 'Returns the strings of several keys, null for each that has none.',
    since: '1.0.0',
    group: 'string',
    complexity: 'O(N) for N keys.',
  },
  {
    name: 'MSET',
    arity: -3,
    flags: WRITE | GROWS,
    keys: PAIRED_KEYS,
    access: [['OW', 'update']],
    tips: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
    run: mset,
    summary: 'Stores several strings, all of them or, after a crash, none.',
    since: '1.0.1',
    group: 'string',
    complexity: 'O(N) for N keys.',
  },
  {
    name: 'MSETNX',
    arity: -3,
    flags: WRITE | GROWS,
    keys: PAIRED_KEYS,
    access: [['OW', 'insert']],
    tips: ['request_policy:multi_shard', 'response_policy:agg_min'],
    run: msetnx,
    summary: 'Stores several strings only if none of the keys exists.',
    since: '1.0.1',
    group: 'string',
    complexity: 'O(N) for N keys.',
  },
  {
    name: 'APPEND',
    arity: 3,
    flags: WRITE | GROWS | FAST,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    access: [['RW', 'insert']],
    run: append,
    summary: 'Puts bytes behind the string a key holds, which keeps its time to live; creates a missing key.',
    since: '2.0.0',
    group: 'string',
    complexity: 'O(N) for N bytes of the new string: it is written again as a whole.',
    difference: 'Writes the whole string again, so many small appends to one large string are slow.',
  },
  {
    name: 'STRLEN',
    arity: 2,
    flags: READ | FAST,
    keys: FIRST_KEY,
    access: [['RO']],
    run: strlen,
    summary: 'Returns the length in bytes of the string a key holds, 0 for a missing key.',
    since: '2.2.0',
    group: 'string',
    complexity: 'O(1)',
  },
  {
    name: 'SETRANGE',
    arity: 4,
    flags: WRITE | GROWS,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    needsValues: (args) => args.at(3).length > 0,
    access: [['RW', 'update']],
    run: setrange,
    summary:
      'Overwrites a part of a string from an offset on; what lies between its end and the offset becomes zero bytes.',
    since: '2.2.0',
    group: 'string',
    complexity: 'O(N) for N bytes of the new string: it is written again as a whole.',
  },
  {
    name: 'GETRANGE',
    arity: 4,
    flags: READ,
    keys: FIRST_KEY,
    access: RO_ACCESS,
    run: getrange,
    summary: 'Returns a part of a string; negative offsets count from its end.',
    since: '2.4.0',
    group: 'string',
    complexity: 'O(N) for N bytes returned.',
  },
  {
    name: 'SUBSTR',
    arity: 4,
    flags: READ,
    keys: FIRST_KEY,
    access: RO_ACCESS,
    run: getrange,
    summary: 'GETRANGE by its old name.',
    since: '1.0.0',
    group: 'string',
    complexity: 'O(N) for N bytes returned.',
  },
] as const satisfies readonly Command[]

// --- GET and SET

function get(session: Session, args: Args): void {
  const entry = findToRead(session, args.at(1))
  if (entry === NONE) session.reply.null()
  else if (isString(session, entry)) replyWithValue(session, entry)
}

const NX = 1
const XX = 2
const OLD = 4 // GET
const KEEPTTL = 8
const PERSIST = 16
const EX = 32
const PX = 64
const EXAT = 128
const PXAT = 256

const CONDITION = NX | XX
const TIMED = EX | PX | EXAT | PXAT
const LIFETIME = TIMED | KEEPTTL | PERSIST
const OPTIONS_OF_SET = CONDITION | OLD | KEEPTTL | TIMED
const OPTIONS_OF_GETEX = PERSIST | TIMED

const OPTION_WORDS: readonly (readonly [string, number])[] = [
  ['EX', EX],
  ['PX', PX],
  ['NX', NX],
  ['XX', XX],
  ['GET', OLD],
  ['EXAT', EXAT],
  ['PXAT', PXAT],
  ['KEEPTTL', KEEPTTL],
  ['PERSIST', PERSIST],
]

interface Options {
  readonly bits: number
  /** Which argument holds the time, when one of TIMED is set. */
  readonly time: number
}

/** The options from argument `from` on, or null on what Redis calls a syntax error. Of EX 1 EX 2 the last one counts. */
function parseOptions(args: Args, from: number, allowed: number): Options | null {
  let bits = 0
  let time = 0
  for (let i = from; i < args.count; i++) {
    const option = optionBit(args.at(i)) & allowed
    const family = (option & CONDITION) !== 0 ? CONDITION : (option & LIFETIME) !== 0 ? LIFETIME : 0
    if (option === 0 || (bits & family & ~option) !== 0) return null
    if ((option & TIMED) !== 0 && (time = ++i) === args.count) return null
    bits |= option
  }
  return { bits, time }
}

function optionBit(argument: Slice): number {
  for (const [word, bit] of OPTION_WORDS) {
    if (isWord(argument, word)) return bit
  }
  return 0
}

/** The deadline that EX, PX, EXAT or PXAT gives; -1 when it is none, and the client has been told. */
function parseDeadline(session: Session, args: Args, options: Options, command: string): number {
  const time = parseInteger(args.at(options.time))
  if (time === null) {
    session.reply.error(NOT_AN_INTEGER)
    return -1
  }
  const unitMs = (options.bits & (EX | EXAT)) !== 0 ? 1000 : 1
  const sinceMs = (options.bits & (EX | PX)) !== 0 ? session.now : 0
  const expiry = time > 0 ? deadline(time, unitMs, sinceMs) : null
  if (expiry === null) {
    session.reply.error(invalidExpireTime(command))
    return -1
  }
  return expiry
}

// SET owns every interaction of NX, XX, GET, KEEPTTL and the four times. Without options, which is nearly always, nothing of the
// old value matters, so it is not even looked up.
function set(session: Session, args: Args): void {
  const key = args.at(1)
  const value = args.at(2)
  if (!mayStore(session, key, value.end - value.start)) return
  if (args.count === 3) {
    session.engine.put(session.database, key, value, 0)
    notify(session, EVENT_STRING, 'set', key)
    session.reply.ok()
  } else {
    setWithOptions(session, args, key, value)
  }
}

function setWithOptions(session: Session, args: Args, key: Slice, value: Slice): void {
  const { engine, reply, database } = session
  const options = parseOptions(args, 3, OPTIONS_OF_SET)
  if (options === null) return reply.error(SYNTAX_ERROR)
  const { bits } = options
  let expiry = (bits & TIMED) === 0 ? 0 : parseDeadline(session, args, options, 'SET')
  if (expiry < 0) return

  const replyOld = (bits & OLD) !== 0
  const entry = replyOld ? findToRead(session, key) : engine.find(database, key)
  if (replyOld) {
    if (entry === NONE) reply.null()
    else if (isString(session, entry)) replyWithValue(session, entry)
    else return
  }
  if (entry === NONE ? (bits & XX) !== 0 : (bits & NX) !== 0) {
    if (!replyOld) reply.null()
    return
  }
  if ((bits & KEEPTTL) !== 0 && entry !== NONE) expiry = engine.expiryOf(entry)
  engine.put(database, key, value, expiry)
  notify(session, EVENT_STRING, 'set', key)
  if ((bits & TIMED) !== 0) notify(session, EVENT_GENERIC, 'expire', key)
  if (!replyOld) reply.ok()
}

/** For COMMAND GETKEYSANDFLAGS: only SET with GET reads. */
function setAccess(args: Args, name: number): readonly string[] {
  for (let i = name + 3; i < args.count; i++) {
    if (isWord(args.at(i), 'GET')) return ['RW', 'access', 'update']
  }
  return ['OW', 'update']
}

function setnx(session: Session, args: Args): void {
  const { engine, reply, database } = session
  const key = args.at(1)
  const value = args.at(2)
  if (!mayStore(session, key, value.length)) return
  if (engine.find(database, key) !== NONE) return reply.integer(0)
  engine.put(database, key, value, 0)
  notify(session, EVENT_STRING, 'set', key)
  reply.integer(1)
}

function setex(session: Session, args: Args): void {
  setWithLifetime(session, args, SECONDS, 'SETEX')
}

function psetex(session: Session, args: Args): void {
  setWithLifetime(session, args, MILLISECONDS, 'PSETEX')
}

const SECONDS: Options = { bits: EX, time: 2 }
const MILLISECONDS: Options = { bits: PX, time: 2 }

function setWithLifetime(session: Session, args: Args, options: Options, command: string): void {
  const key = args.at(1)
  const value = args.at(3)
  const expiry = parseDeadline(session, args, options, command)
  if (expiry < 0 || !mayStore(session, key, value.length)) return
  session.engine.put(session.database, key, value, expiry)
  notify(session, EVENT_STRING, 'set', key)
  notify(session, EVENT_GENERIC, 'expire', key)
  session.reply.ok()
}

function getset(session: Session, args: Args): void {
  const { engine, reply, database } = session
  const key = args.at(1)
  const value = args.at(2)
  if (!mayStore(session, key, value.length)) return
  const entry = findToRead(session, key)
  if (entry === NONE) reply.null()
  else if (isString(session, entry)) replyWithValue(session, entry)
  else return
  engine.put(database, key, value, 0)
  notify(session, EVENT_STRING, 'set', key)
}

function getdel(session: Session, args: Args): void {
  const { engine, reply } = session
  const key = args.at(1)
  const entry = findToRead(session, key)
  if (entry === NONE) return reply.null()
  if (!isString(session, entry)) return
  replyWithValue(session, entry)
  engine.remove(entry)
  notify(session, EVENT_GENERIC, 'del', key)
}

function getex(session: Session, args: Args): void {
  const { engine, reply } = session
  const key = args.at(1)
  const options = parseOptions(args, 2, OPTIONS_OF_GETEX)
  if (options === null) return reply.error(SYNTAX_ERROR)
  const entry = findToRead(session, key)
  if (entry === NONE) return reply.null()
  if (!isString(session, entry)) return
  const timed = (options.bits & TIMED) !== 0
  const expiry = timed ? parseDeadline(session, args, options, 'GETEX') : 0
  if (expiry < 0) return

  replyWithValue(session, entry)
  if (timed && expiry <= session.now) {
    engine.remove(entry)
    notify(session, EVENT_GENERIC, 'del', key)
  } else if (timed) {
    engine.setExpiry(entry, expiry)
    notify(session, EVENT_GENERIC, 'expire', key)
  } else if ((options.bits & PERSIST) !== 0 && engine.expiryOf(entry) !== 0) {
    engine.setExpiry(entry, 0)
    notify(session, EVENT_GENERIC, 'persist', key)
  }
}

// --- several keys

function mget(session: Session, args: Args): void {
  const { engine, reply } = session
  reply.array(args.count - 1)
  for (let i = 1; i < args.count; i++) {
    lookAhead(session, args, i, 1)
    const entry = findToRead(session, args.at(i))
    if (entry === NONE || engine.typeOf(entry) !== TYPE_STRING) reply.null()
    else replyWithValue(session, entry)
  }
}

function mset(session: Session, args: Args): void {
  if (!pairsFit(session, args, 'MSET')) return
  putPairs(session, args)
  session.reply.ok()
}

function msetnx(session: Session, args: Args): void {
  if (!pairsFit(session, args, 'MSETNX')) return
  for (let i = 1; i < args.count; i += 2) {
    if (session.engine.find(session.database, args.at(i)) !== NONE) return session.reply.integer(0)
  }
  putPairs(session, args)
  session.reply.integer(1)
}

/** False: the arguments are no pairs, or not all of them can be stored; the client has been told and nothing was written. */
function pairsFit(session: Session, args: Args, command: string): boolean {
  if (args.count % 2 === 0) {
    session.reply.error(wrongArity(command))
    return false
  }
  let bytes = 0
  for (let i = 1; i < args.count; i += 2) {
    if (!mayStore(session, args.at(i), args.at(i + 1).length)) return false
    bytes += WIDE_HEAD_BYTES + args.at(i).length + args.at(i + 1).length
  }
  return batchFits(session, bytes)
}

function putPairs(session: Session, args: Args): void {
  const { engine, database } = session
  engine.begin()
  try {
    for (let i = 1; i < args.count; i += 2) {
      lookAhead(session, args, i, 2)
      engine.put(database, args.at(i), args.at(i + 1), 0)
      notify(session, EVENT_STRING, 'set', args.at(i))
    }
  } finally {
    engine.end() // also after a bug of ours: a batch that stays open would stop all writing
  }
}

// --- parts of a string

function append(session: Session, args: Args): void {
  const { engine, reply, database } = session
  const key = args.at(1)
  const addition = args.at(2)
  const entry = engine.find(database, key)
  if (entry === NONE) {
    if (!mayStore(session, key, addition.length)) return
    engine.put(database, key, addition, 0)
    notify(session, EVENT_STRING, 'append', key)
    return reply.integer(addition.length)
  }
  if (!isString(session, entry)) return
  const size = engine.valueSize(entry)
  const total = size + addition.length
  if (!stringFits(session, total) || !mayStore(session, key, total)) return
  const whole = Buffer.allocUnsafe(total)
  copyInto(whole, 0, valueInHand(session, entry))
  copyInto(whole, size, addition)
  engine.overwrite(entry, new Slice(whole), engine.expiryOf(entry))
  notify(session, EVENT_STRING, 'append', key)
  reply.integer(total)
}

function setrange(session: Session, args: Args): void {
  const { engine, reply, database } = session
  const key = args.at(1)
  const patch = args.at(3)
  const offset = parseInteger(args.at(2))
  if (offset === null) return reply.error(NOT_AN_INTEGER)
  if (offset < 0) return reply.error('ERR offset is out of range')
  const entry = engine.find(database, key)
  if (entry !== NONE && !isString(session, entry)) return
  const size = entry === NONE ? 0 : engine.valueSize(entry)
  if (patch.length === 0) return reply.integer(size)

  const patchEnd = add(offset, patch.length)
  if (patchEnd === null) return reply.error(STRING_TOO_LONG)
  if (!stringFits(session, patchEnd)) return
  const total = Math.max(size, Number(patchEnd))
  if (!mayStore(session, key, total)) return
  const whole = Buffer.alloc(total)
  if (entry !== NONE) copyInto(whole, 0, valueInHand(session, entry))
  copyInto(whole, Number(offset), patch)
  if (entry === NONE) engine.put(database, key, new Slice(whole), 0)
  else engine.overwrite(entry, new Slice(whole), engine.expiryOf(entry))
  notify(session, EVENT_STRING, 'setrange', key)
  reply.integer(total)
}

function copyInto(target: Buffer, at: number, source: Slice): void {
  source.bytes.copy(target, at, source.start, source.end)
}

function strlen(session: Session, args: Args): void {
  const entry = findToRead(session, args.at(1))
  if (entry === NONE) return session.reply.integer(0)
  if (!isString(session, entry)) return
  countAsAccess(session.engine, entry)
  session.reply.integer(session.engine.valueSize(entry))
}

function getrange(session: Session, args: Args): void {
  const { engine, reply } = session
  const first = parseInteger(args.at(2))
  const last = parseInteger(args.at(3))
  if (first === null || last === null) return reply.error(NOT_AN_INTEGER)
  const entry = findToRead(session, args.at(1))
  if (entry !== NONE && !isString(session, entry)) return
  const size = entry === NONE ? 0 : engine.valueSize(entry)

  // As Redis clamps: both ends before the start of the string give its first byte, unless they are the wrong way round.
  const reversed = first < 0 && last < 0 && first > last
  const from = fromStart(Number(first), size)
  const to = Math.min(fromStart(Number(last), size), size - 1)
  if (reversed || size === 0 || from > to) reply.bulk(EMPTY, 0, 0)
  else replyWithRange(session, entry, from, to + 1)
}

/** An offset that may count from the end, as one that counts from the start; never before it. */
function fromStart(offset: number, size: number): number {
  return Math.max(0, offset < 0 ? size + offset : offset)
}
