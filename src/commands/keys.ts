// Commands about keys as such, whatever they hold, and about whole databases.
//
// A command that writes several records is one batch: after a crash all of it has happened or nothing. An entry is good until
// the next write, so after a write a key is looked up again.

import { EVENT_GENERIC, EVENT_NEW } from '../base/event-classes.ts'
import { Slice } from '../base/slice.ts'
import { NONE, UNLUCKY } from '../engine/engine.ts'
import { WIDE_HEAD_BYTES } from '../engine/record.ts'
import type { Args } from '../resp/args.ts'
import { lookAhead } from './ahead.ts'
import { ALL_KEYS, type Command, FAST, FIRST_KEY, GROWS, READ, TWO_KEYS, WRITE } from './command.ts'
import { DATABASE_RANGE, NO_SUCH_KEY, NOT_AN_INTEGER, OUT_OF_INT32, SAME_OBJECT, SYNTAX_ERROR } from './errors.ts'
import { findToRead, notify } from './events.ts'
import { type Integer, parseInt32, parseInteger } from './numbers.ts'
import type { Session } from './session.ts'
import { typeName } from './types.ts'
import { batchFits, mayStore, valueInHand } from './values.ts'
import { KeyWalk } from './walk.ts'
import { isWord } from './words.ts'

const RO = [['RO']] as const
const RM_DELETE = [['RM', 'delete']] as const

export const keyCommands = [
  {
    name: 'DEL',
    arity: -2,
    flags: WRITE,
    keys: ALL_KEYS,
    access: RM_DELETE,
    tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
    run: del,
    summary: 'Deletes keys and returns how many there were.',
    since: '1.0.0',
    group: 'generic',
    complexity: 'O(N) for N keys.',
  },
  {
    name: 'UNLINK',
    arity: -2,
    flags: WRITE | FAST,
    keys: ALL_KEYS,
    access: RM_DELETE,
    tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
    run: del,
    summary: 'Deletes keys; here the same as DEL, which never waits for memory to be freed.',
    since: '4.0.0',
    group: 'generic',
    complexity: 'O(N) for N keys.',
  },
  {
    name: 'EXISTS',
    arity: -2,
    flags: READ | FAST,
    keys: ALL_KEYS,
    access: RO,
    tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
    run: exists,
    summary: 'Counts which of the keys exist; one that is named twice counts twice.',
    since: '1.0.0',
    group: 'generic',
    complexity: 'O(N) for N keys.',
  },
  {
    name: 'TOUCH',
    arity: -2,
    flags: READ | FAST,
    keys: ALL_KEYS,
    access: RO,
    tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
    run: touch,
    summary: 'Counts as access to the keys, and returns how many of them exist.',
    since: '3.2.1',
    group: 'generic',
    complexity: 'O(N) for N keys.',
  },
  {
    name: 'TYPE',
    arity: 2,
    flags: READ | FAST,
    keys: FIRST_KEY,
    access: RO,
    run: type,
    summary: 'Returns the name of the type of what a key holds, none for a missing key.',
    since: '1.0.0',
    group: 'generic',
    complexity: 'O(1)',
  },
  {
    name: 'RENAME',
    arity: 3,
    flags: WRITE | GROWS,
    keys: TWO_KEYS,
    values: FIRST_KEY,
    needsValues: (args) => !args.at(1).equals(args.at(2)),
    access: [
      ['RW', 'access', 'delete'],
      ['OW', 'update'],
    ],
    run: rename,
    summary: 'Gives what a key holds, and its time to live, another name; replaces what that name held.',
    since: '1.0.0',
    group: 'generic',
    complexity: 'O(N) for N bytes of the value: it is written again.',
    difference: 'Writes the value again, so it is refused when the disk is full.',
  },
  {
    name: 'RENAMENX',
    arity: 3,
    flags: WRITE | GROWS | FAST,
    keys: TWO_KEYS,
    values: FIRST_KEY,
    needsValues: (args) => !args.at(1).equals(args.at(2)),
    access: [
      ['RW', 'access', 'delete'],
      ['OW', 'insert'],
    ],
    run: renamenx,
    summary: 'Gives what a key holds another name unless a key of that name exists. Returns whether it did.',
    since: '1.0.0',
    group: 'generic',
    complexity: 'O(N) for N bytes of the value: it is written again.',
    difference: 'Writes the value again, so it is refused when the disk is full.',
  },
  {
    name: 'COPY',
    arity: -3,
    flags: WRITE | GROWS,
    keys: TWO_KEYS,
    values: FIRST_KEY,
    access: [
      ['RO', 'access'],
      ['OW', 'update'],
    ],
    run: copy,
    summary: 'Copies what a key holds, and its time to live, to another key, also of another database.',
    since: '6.2.0',
    group: 'generic',
    complexity: 'O(N) for N bytes of the value.',
  },
  {
    name: 'MOVE',
    arity: 3,
    flags: WRITE | GROWS | FAST,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    access: [['RW', 'access', 'update']],
    run: move,
    summary: 'Moves a key to another database unless that has one of its name.',
    since: '1.0.0',
    group: 'generic',
    complexity: 'O(N) for N bytes of the value: it is written again.',
    difference: 'Writes the value again, so it is refused when the disk is full.',
  },
  {
    name: 'SCAN',
    arity: -2,
    flags: READ,
    keys: null,
    tips: ['nondeterministic_output', 'request_policy:special'],
    run: scan,
    summary: 'Walks over the keys of a database in portions: every key that stays throughout is seen.',
    since: '2.8.0',
    group: 'generic',
    complexity: 'O(1) a call, O(N) for a whole walk over N keys.',
  },
  {
    name: 'KEYS',
    arity: 2,
    flags: READ,
    keys: null,
    tips: ['request_policy:all_shards', 'nondeterministic_output_order'],
    categories: ['dangerous'],
    run: keys,
    summary: 'Returns all keys that match a pattern.',
    since: '1.0.0',
    group: 'generic',
    complexity: 'O(N) for N keys.',
    difference: 'Other clients are served while it runs, so it is no picture of one instant. At most 512 MiB of keys.',
  },
  {
    name: 'DBSIZE',
    arity: 1,
    flags: READ | FAST,
    keys: null,
    tips: ['request_policy:all_shards', 'response_policy:agg_sum'],
    categories: ['keyspace'],
    run: (session) => session.reply.integer(session.engine.keyCount(session.database)),
    summary: 'Returns the number of keys in the database.',
    since: '1.0.0',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'RANDOMKEY',
    arity: 1,
    flags: READ,
    keys: null,
    tips: ['request_policy:all_shards', 'nondeterministic_output'],
    run: randomkey,
    summary: 'Returns some key of the database, null when it is empty.',
    since: '1.0.0',
    group: 'generic',
    complexity: 'O(1)',
  },
  {
    name: 'FLUSHDB',
    arity: -1,
    flags: WRITE,
    keys: null,
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    categories: ['keyspace', 'dangerous'],
    run: flushdb,
    summary:
      'Removes all keys of the database. ASYNC and SYNC are the same: the keys are gone at once, memory and disk follow.',
    since: '1.0.0',
    group: 'server',
    complexity: 'O(1), and O(N) in small portions afterwards.',
  },
  {
    name: 'FLUSHALL',
    arity: -1,
    flags: WRITE,
    keys: null,
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    categories: ['keyspace', 'dangerous'],
    run: flushall,
    summary: 'Removes all keys of all databases, as FLUSHDB does those of one.',
    since: '1.0.0',
    group: 'server',
    complexity: 'O(1), and O(N) in small portions afterwards.',
  },
  {
    name: 'SWAPDB',
    arity: 3,
    flags: WRITE | FAST,
    keys: null,
    categories: ['keyspace', 'dangerous'],
    run: swapdb,
    summary: 'Exchanges two databases: clients of each see the keys of the other at once.',
    since: '4.0.0',
    group: 'server',
    complexity: 'O(N) for N clients that watch keys of either.',
  },
] as const satisfies readonly Command[]

// --- one key or several

function del(session: Session, args: Args): void {
  const { engine, database } = session
  const several = args.count > 2
  let count = 0
  if (several) engine.begin()
  try {
    for (let i = 1; i < args.count; i++) {
      lookAhead(session, args, i, 1)
      const entry = engine.find(database, args.at(i))
      if (entry === NONE) continue
      engine.remove(entry)
      notify(session, EVENT_GENERIC, 'del', args.at(i))
      count++
    }
  } finally {
    if (several) engine.end() // also after a bug of ours: a batch that stays open would stop all writing
  }
  session.reply.integer(count)
}

function exists(session: Session, args: Args): void {
  let count = 0
  for (let i = 1; i < args.count; i++) {
    lookAhead(session, args, i, 1)
    if (findToRead(session, args.at(i)) !== NONE) count++
  }
  session.reply.integer(count)
}

// Also for a client that has said CLIENT NO-TOUCH: this command is the exception.
function touch(session: Session, args: Args): void {
  let count = 0
  for (let i = 1; i < args.count; i++) {
    const entry = findToRead(session, args.at(i))
    if (entry === NONE) continue
    session.engine.setIdle(entry, 0)
    count++
  }
  session.reply.integer(count)
}

function type(session: Session, args: Args): void {
  const entry = findToRead(session, args.at(1))
  session.reply.simple(entry === NONE ? 'none' : typeName(session.engine.typeOf(entry)))
}

// --- the same value under another name

function rename(session: Session, args: Args): void {
  const { engine, reply, database } = session
  const from = args.at(1)
  if (engine.find(database, from) === NONE) return reply.error(NO_SUCH_KEY)
  const to = args.at(2)
  if (from.equals(to) || renameTo(session, from, to, engine.find(database, to) !== NONE)) reply.ok()
}

function renamenx(session: Session, args: Args): void {
  const { engine, reply, database } = session
  const from = args.at(1)
  const to = args.at(2)
  if (engine.find(database, from) === NONE) return reply.error(NO_SUCH_KEY)
  if (engine.find(database, to) !== NONE) return reply.integer(0)
  if (renameTo(session, from, to, false)) reply.integer(1)
}

/** False: it does not fit, and the client has been told. */
function renameTo(session: Session, from: Slice, to: Slice, replaces: boolean): boolean {
  const { engine, database } = session
  if (!transfer(session, engine.find(database, from), database, to, from, replaces)) return false
  notify(session, EVENT_GENERIC, 'rename_from', from)
  notify(session, EVENT_GENERIC, 'rename_to', to)
  return true
}

function copy(session: Session, args: Args): void {
  const { engine, reply, database } = session
  const from = args.at(1)
  const to = args.at(2)
  let target = database
  let replace = false
  for (let i = 3; i < args.count; i++) {
    if (isWord(args.at(i), 'REPLACE')) {
      replace = true
    } else if (isWord(args.at(i), 'DB') && i + 1 < args.count) {
      target = parseDatabase(session, args.at(++i))
      if (target < 0) return
    } else {
      return reply.error(SYNTAX_ERROR)
    }
  }
  if (target === database && from.equals(to)) return reply.error(SAME_OBJECT)
  // The target first: looking there may remove an expired key, which is a write and would spoil the entry.
  const taken = engine.find(target, to) !== NONE
  const entry = findToRead(session, from)
  if (entry === NONE || (taken && !replace)) return reply.integer(0)
  if (!transfer(session, entry, target, to, null, taken)) return
  notify(session, EVENT_GENERIC, 'copy_to', to, target)
  reply.integer(1)
}

function move(session: Session, args: Args): void {
  const { engine, reply, database } = session
  const key = args.at(1)
  const target = parseDatabase(session, args.at(2))
  if (target < 0) return
  if (target === database) return reply.error(SAME_OBJECT)
  const taken = engine.find(target, key) !== NONE
  const entry = engine.find(database, key)
  if (entry === NONE || taken) return reply.integer(0)
  if (!transfer(session, entry, target, key, key, false)) return
  notify(session, EVENT_GENERIC, 'move_from', key)
  notify(session, EVENT_GENERIC, 'move_to', key, target)
  reply.integer(1)
}

/**
 * Writes the entry's value and expiry to another place and, when `source` names the key it had, removes that: in one batch.
 * False: it does not fit, and the client has been told.
 */
function transfer(
  session: Session,
  entry: number,
  database: number,
  to: Slice,
  source: Slice | null,
  replaces: boolean,
): boolean {
  const { engine } = session
  const size = engine.valueSize(entry)
  if (!mayStore(session, to, size) || !batchFits(session, size + to.length + 2 * WIDE_HEAD_BYTES)) return false
  const expiry = engine.expiryOf(entry)
  engine.begin()
  try {
    engine.put(database, to, valueInHand(session, entry), expiry)
    // In Redis what is replaced goes first, and so the key is new each time; the engine says so only where there was none.
    if (replaces) notify(session, EVENT_NEW, 'new', to, database)
    if (source !== null) {
      const old = engine.find(session.database, source)
      if (old !== NONE) engine.remove(old)
    }
  } finally {
    engine.end()
  }
  return true
}

/** The number of a database that exists; -1 when it is none, and the client has been told. */
function parseDatabase(session: Session, argument: Slice): number {
  const number = parseInt32(argument)
  if (number !== null && number !== undefined && number >= 0 && number < session.server.databases) return number
  session.reply.error(number === null ? NOT_AN_INTEGER : number === undefined ? OUT_OF_INT32 : DATABASE_RANGE)
  return -1
}

// --- walks

/** SCAN looks at more entries than COUNT where few of them are keys of this database, so that a walk makes progress. */
const ENTRIES_PER_KEY = 10
const MIN_SCAN_ENTRIES = 1000
const DEFAULT_COUNT = 10
/** A reply of SCAN is no longer than about this, whatever COUNT says: it is only a hint. */
const MAX_SCAN_BYTES = 16 * 1024 * 1024
/** KEYS cannot stop half way, so beyond this (ten million keys of 50 bytes) it is an error: the reply lies in memory, twice. */
const MAX_KEYS_BYTES = 512 * 1024 * 1024

function scan(session: Session, args: Args): void {
  const { reply } = session
  const cursor = parseCursor(args.at(1))
  if (cursor === null) return reply.error('ERR invalid cursor')
  let count: Integer = DEFAULT_COUNT
  let pattern: Slice | null = null
  let type: string | null = null
  for (let i = 2; i < args.count; i += 2) {
    const option = args.at(i)
    if (i + 1 === args.count) return reply.error(SYNTAX_ERROR)
    const value = args.at(i + 1)
    if (isWord(option, 'COUNT')) {
      const wanted = parseInteger(value)
      if (wanted === null) return reply.error(NOT_AN_INTEGER)
      if (wanted < 1) return reply.error(SYNTAX_ERROR)
      count = wanted
    } else if (isWord(option, 'MATCH')) {
      pattern = patternOf(value)
    } else if (isWord(option, 'TYPE')) {
      type = value.key().toLowerCase()
    } else {
      return reply.error(SYNTAX_ERROR)
    }
  }
  const limits = {
    keys: Number(count),
    entries: Math.max(MIN_SCAN_ENTRIES, Number(count) * ENTRIES_PER_KEY),
    bytes: MAX_SCAN_BYTES,
  }
  const walk = new KeyWalk(session, cursor, { pattern, type }, limits)
  inSteps(session, walk, () => {
    reply.array(2)
    reply.bulkText(String(walk.cursor))
    walk.replyHeader()
    return true
  })
}

function keys(session: Session, args: Args): void {
  const limits = { keys: Number.POSITIVE_INFINITY, entries: Number.POSITIVE_INFINITY, bytes: MAX_KEYS_BYTES }
  const walk = new KeyWalk(session, 0, { pattern: patternOf(args.at(1)), type: null }, limits)
  inSteps(session, walk, () => {
    if (walk.cursor === 0) walk.replyHeader()
    else session.reply.error(`ERR more than ${MAX_KEYS_BYTES} bytes of keys match: use SCAN`)
    return walk.cursor === 0
  })
}

/** Most walks end with their first step; for others the session calls again. `begin` says whether keys shall follow. */
function inSteps(session: Session, walk: KeyWalk, begin: () => boolean): void {
  let hasEnded = walk.step()
  if (hasEnded && walk.isShort) {
    if (begin()) walk.replyChunk()
    return
  }
  let hasBegun = false
  session.stepwise(() => {
    if (!hasEnded) {
      hasEnded = walk.step()
      return false
    }
    if (hasBegun) return walk.replyChunk()
    hasBegun = true
    return !begin()
  })
}

const STAR = 0x2a

/** The pattern as the walk's own; null for a lone '*', which an empty key matches too. */
function patternOf(argument: Slice): Slice | null {
  const lone = argument.length === 1 && argument.bytes[argument.start] === STAR
  return lone ? null : new Slice(argument.copy())
}

/**
 * A cursor as C's strtoul reads it: an empty one is 0, a sign is allowed, 64 bits. What is beyond any cursor we give out becomes
 * one that is just as far behind the last key. Null: not a number.
 */
function parseCursor(argument: Slice): number | null {
  if (argument.length > MAX_CURSOR_LENGTH) return null
  const text = argument.key()
  if (!/^([+-]?[0-9]+)?$/.test(text)) return null
  const value = BigInt(text.replace('+', ''))
  if (value > MAX_UINT64 || value < -MAX_UINT64) return null
  return value < 0n || value > END_OF_CURSORS ? Number(END_OF_CURSORS) : Number(value)
}

const MAX_UINT64 = 2n ** 64n - 1n
const END_OF_CURSORS = 2n ** 48n
/** Leading zeros are allowed, megabytes of them are not. */
const MAX_CURSOR_LENGTH = 64

function randomkey(session: Session): void {
  const { engine, reply } = session
  const entry = engine.randomEntry(session.database)
  if (entry === NONE) return reply.null()
  if (entry === UNLUCKY) return anyKey(session)
  const key = engine.keyOf(entry, found)
  reply.bulk(key.bytes, key.start, key.end)
}

// Few keys among millions of other databases: the first one met, a slice of the keydir at a time.
function anyKey(session: Session): void {
  const { engine, reply, database } = session
  let cursor = 0
  session.stepwise(() => {
    let isFound = false
    cursor = engine.scan(database, cursor, RANDOM_STEP_ENTRIES, (entry) => {
      if (isFound) return
      isFound = true
      const key = engine.keyOf(entry, found)
      reply.bulk(key.bytes, key.start, key.end)
    })
    if (!isFound && cursor === 0) reply.null()
    return isFound || cursor === 0
  })
}

const RANDOM_STEP_ENTRIES = 4096

const found = new Slice()

// --- whole databases

function flushdb(session: Session, args: Args): void {
  if (!flushMode(session, args) || !mapFits(session)) return
  const { engine, server, database } = session
  server.touchDatabase(database)
  engine.flushDatabase(database)
  server.tracking.flushed()
  session.reply.ok()
}

function flushall(session: Session, args: Args): void {
  if (!flushMode(session, args) || !mapFits(session)) return
  const { engine, server } = session
  for (let database = 0; database < server.databases; database++) server.touchDatabase(database)
  engine.flushAll()
  server.tracking.flushed()
  session.reply.ok()
}

// Each of these writes where all databases are now.
const mapFits = (session: Session): boolean => batchFits(session, 64 + 8 * session.server.databases)

/** ASYNC, SYNC or nothing. False: something else, and the client has been told. */
function flushMode(session: Session, args: Args): boolean {
  if (args.count === 1) return true
  if (args.count === 2 && (isWord(args.at(1), 'ASYNC') || isWord(args.at(1), 'SYNC'))) return true
  session.reply.error(SYNTAX_ERROR)
  return false
}

function swapdb(session: Session, args: Args): void {
  const { engine, reply, server } = session
  const a = parseInt32(args.at(1)) ?? null
  if (a === null) return reply.error('ERR invalid first DB index')
  const b = parseInt32(args.at(2)) ?? null
  if (b === null) return reply.error('ERR invalid second DB index')
  if (a < 0 || b < 0 || a >= server.databases || b >= server.databases) return reply.error(DATABASE_RANGE)
  if (a !== b) {
    if (!mapFits(session)) return
    server.touchDatabase(a, b)
    server.touchDatabase(b, a)
    engine.swapDatabases(a, b)
  }
  reply.ok()
}
