// OBJECT: what Redis would say about how it keeps a value.
//
// Casky keeps bytes, so the encoding is that which Redis gives these very bytes when they are SET: `int` for what spells an integer of
// 64 bits, `embstr` up to 44 bytes, `raw` beyond. (Redis also says raw of a short string that was made by APPEND, until it is loaded
// again, and COPY makes it a second 7 beside the one that all others share; here nothing depends on how a value came about.) Access
// frequencies are not counted.

import { Slice } from '../base/slice.ts'
import { NONE } from '../engine/engine.ts'
import { TYPE_STRING } from '../engine/record.ts'
import type { Args } from '../resp/args.ts'
import { withoutAccess } from './access.ts'
import { type Command, LOADING, READ, STALE } from './command.ts'
import { findSilently } from './events.ts'
import { replyWithHelp } from './help.ts'
import { MAX_INTEGER_LENGTH, parseInteger } from './numbers.ts'
import type { Session } from './session.ts'
import { subcommandsOf } from './subcommands.ts'
import { valueInHand } from './values.ts'

export const SECOND_KEY = { first: 2, last: 2, step: 1 } as const

/** The longest string that lies in one piece with its header. */
const EMBEDDED_BYTES = 44
/** Redis has the integers below this once, for everybody. */
const SHARED_INTEGERS = 10_000
const SHARED_COUNT = 2147483647
const SHARED_DIGITS = 4

const TIPS = ['nondeterministic_output'] as const

const objectSubcommands = [
  {
    name: 'OBJECT|ENCODING',
    arity: 3,
    flags: READ,
    keys: SECOND_KEY,
    tips: TIPS,
    run: encoding,
    summary: 'Returns how Redis would keep the value a key holds: int, embstr or raw.',
    since: '2.2.3',
    group: 'generic',
    complexity: 'O(1)',
    difference: 'Follows from the bytes alone: a short string is embstr also after APPEND.',
  },
  {
    name: 'OBJECT|FREQ',
    arity: 3,
    flags: READ,
    keys: SECOND_KEY,
    tips: TIPS,
    run: frequency,
    summary: 'Access frequencies are not counted: an error, as with any policy but LFU.',
    since: '4.0.0',
    group: 'generic',
    complexity: 'O(1)',
    difference: 'There is no LFU policy.',
  },
  {
    name: 'OBJECT|IDLETIME',
    arity: 3,
    flags: READ,
    keys: SECOND_KEY,
    tips: TIPS,
    run: idleTime,
    summary: 'Returns the seconds since a key was last read or written.',
    since: '2.2.3',
    group: 'generic',
    complexity: 'O(1)',
    difference: 'Lost at a restart: then it counts from 194 days ago at most.',
  },
  {
    name: 'OBJECT|REFCOUNT',
    arity: 3,
    flags: READ,
    keys: SECOND_KEY,
    values: SECOND_KEY,
    tips: TIPS,
    run: references,
    summary: 'Returns how many references Redis would have to the value: 1, or the largest integer for a small number.',
    since: '2.2.3',
    group: 'generic',
    complexity: 'O(1)',
    difference: 'Follows from the bytes alone, also after COPY.',
  },
  {
    name: 'OBJECT|HELP',
    arity: 2,
    flags: LOADING | STALE,
    keys: null,
    run: (session) => replyWithHelp(session, 'OBJECT', OBJECT_HELP),
    summary: 'Explains the subcommands.',
    since: '6.2.0',
    group: 'generic',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

const OBJECT_HELP = [
  'ENCODING <key>',
  '    How Redis would keep the value of <key>: int, embstr or raw.',
  'FREQ <key>',
  '    Access frequencies are not counted here.',
  'IDLETIME <key>',
  '    Seconds since <key> was last accessed.',
  'REFCOUNT <key>',
  '    How many references Redis would have to the value of <key>.',
]

export const objectCommands = [
  {
    name: 'OBJECT',
    arity: -2,
    flags: 0,
    keys: null,
    run: () => {},
    subcommands: subcommandsOf(objectSubcommands),
    summary: 'Tells how a value is kept.',
    since: '2.2.3',
    group: 'generic',
    complexity: 'Depends on the subcommand.',
  },
] as const satisfies readonly Command[]

function encoding(session: Session, args: Args): void {
  const { engine, reply } = session
  const entry = findSilently(session, args.at(2))
  if (entry === NONE) return reply.null()
  const size = engine.valueSize(entry)
  if (size > MAX_INTEGER_LENGTH || engine.typeOf(entry) !== TYPE_STRING) return reply.bulkText(encodingOf(null, size))
  if (withoutAccess(engine, () => engine.valueOf(entry, value))) reply.bulkText(encodingOf(value, size))
  else replyLater(session, entry, size)
}

const value = new Slice()

function replyLater(session: Session, entry: number, size: number): void {
  const slot = session.slot(size)
  const read = session.engine.load(entry, (error, loaded) => {
    if (loaded === null) slot.fillError(`ERR the value could not be read: ${error?.message ?? 'unknown error'}`)
    else slot.fillBulk(new Slice(Buffer.from(encodingOf(loaded, size), 'latin1')))
  })
  slot.waitsFor(read)
}

/** `value` may be null when it is longer than any integer. */
export function encodingOf(value: Slice | null, size: number): 'int' | 'embstr' | 'raw' {
  if (value !== null && parseInteger(value) !== null) return 'int'
  return size <= EMBEDDED_BYTES ? 'embstr' : 'raw'
}

function frequency(session: Session, args: Args): void {
  const { reply } = session
  if (findSilently(session, args.at(2)) === NONE) return reply.null()
  reply.error(
    'ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between ' +
      'policies at runtime LRU and LFU data will take some time to adjust.',
  )
}

function idleTime(session: Session, args: Args): void {
  const { engine, reply } = session
  const entry = findSilently(session, args.at(2))
  if (entry === NONE) reply.null()
  else reply.integer(engine.idleSeconds(entry))
}

function references(session: Session, args: Args): void {
  const { engine, reply } = session
  const entry = findSilently(session, args.at(2))
  if (entry === NONE) return reply.null()
  reply.integer(referencesTo(withoutAccess(engine, () => valueInHand(session, entry))))
}

export function referencesTo(value: Slice): number {
  const integer = value.length <= SHARED_DIGITS ? parseInteger(value) : null
  return integer !== null && integer >= 0 && integer < SHARED_INTEGERS ? SHARED_COUNT : 1
}
