// HyperLogLog: how many different elements there are, without keeping them. What is stored, and how, is told in hll.ts.
//
// PFCOUNT of one key keeps the figure it has computed in the value, so that asking again costs nothing. That is a write, made by a command
// that reads: it is left out while the store takes no writes, and nobody is the worse for it.

import { EVENT_STRING } from '../base/event-classes.ts'
import { MAX_BATCH_BYTES } from '../base/limits.ts'
import { Slice, sliceOf } from '../base/slice.ts'
import { NONE } from '../engine/engine.ts'
import type { Args } from '../resp/args.ts'
import { ALL_KEYS, type Command, FAST, FIRST_KEY, GROWS, MAY_REPLICATE, READ, WRITE } from './command.ts'
import { findToRead, notify } from './events.ts'
import {
  Hll,
  histogramOf,
  isDense,
  keptCardinality,
  looksLikeHll,
  REGISTER_MASK,
  raiseAll,
  withCardinality,
} from './hll.ts'
import { estimate } from './hll-estimate.ts'
import { REGISTERS } from './hll-sparse.ts'
import type { Session } from './session.ts'
import { isString, mayStore, valueInHand } from './values.ts'

const NO_HLL = 'WRONGTYPE Key is not a valid HyperLogLog string value.'
const CORRUPT_HLL = 'INVALIDOBJ Corrupted HLL object detected'

export const hyperloglogCommands = [
  {
    name: 'PFADD',
    arity: -2,
    flags: WRITE | GROWS | FAST,
    keys: FIRST_KEY,
    values: FIRST_KEY,
    access: [['RW', 'insert']],
    run: pfadd,
    summary: 'Adds elements to a HyperLogLog, which is created if missing.',
    since: '2.8.9',
    group: 'hyperloglog',
    complexity: 'O(1) for each element.',
  },
  {
    name: 'PFCOUNT',
    arity: -2,
    flags: READ | MAY_REPLICATE,
    keys: ALL_KEYS,
    values: ALL_KEYS,
    access: [['RW', 'access']],
    run: pfcount,
    summary: 'Returns about how many different elements were added to a HyperLogLog, or to several together.',
    since: '2.8.9',
    group: 'hyperloglog',
    complexity: 'O(1) for one key, O(N) for N keys.',
  },
  {
    name: 'PFMERGE',
    arity: -2,
    flags: WRITE | GROWS,
    keys: ALL_KEYS,
    values: ALL_KEYS,
    access: [
      ['RW', 'access', 'insert'],
      ['RO', 'access'],
    ],
    run: pfmerge,
    summary: 'Adds to a HyperLogLog all that was added to others.',
    since: '2.8.9',
    group: 'hyperloglog',
    complexity: 'O(N) for N keys.',
  },
] as const satisfies readonly Command[]

function pfadd(session: Session, args: Args): void {
  const { engine, reply, server } = session
  const key = args.at(1)
  const entry = engine.find(session.database, key)
  if (entry !== NONE && !isHll(session, entry)) return
  const hll = new Hll(entry === NONE ? null : valueInHand(session, entry))
  let hasChanged = entry === NONE
  for (let i = 2; i < args.count; i++) {
    const outcome = hll.add(args.at(i), server.hllSparseMaxBytes)
    if (outcome === null) return reply.error(CORRUPT_HLL)
    if (outcome) hasChanged = true
  }
  if (!hasChanged) return reply.integer(0)
  if (store(session, key, entry, hll)) reply.integer(1)
}

function pfcount(session: Session, args: Args): void {
  if (args.count === 2) return countOne(session, args.at(1))
  const registers = new Uint8Array(REGISTERS)
  for (let i = 1; i < args.count; i++) {
    if (!raiseToKey(session, args.at(i), registers)) return
  }
  const histogram = new Uint32Array(REGISTER_MASK + 1)
  for (const value of registers) histogram[value]!++
  replyWith(session, estimate(histogram))
}

function countOne(session: Session, key: Slice): void {
  const { engine, reply } = session
  const entry = findToRead(session, key)
  if (entry === NONE) return reply.integer(0)
  if (!isHll(session, entry)) return
  const value = valueInHand(session, entry)
  const kept = keptCardinality(value)
  if (kept !== null) return replyWith(session, kept)
  const histogram = histogramOf(value)
  if (histogram === null) return reply.error(CORRUPT_HLL)
  const cardinality = estimate(histogram)
  const mayWrite = engine.gate === 0 && engine.batchBytes + value.length + key.length <= MAX_BATCH_BYTES
  if (mayWrite) engine.overwrite(entry, new Slice(withCardinality(value, cardinality)), engine.expiryOf(entry))
  replyWith(session, cardinality)
}

function pfmerge(session: Session, args: Args): void {
  const { engine, reply, database, server } = session
  const registers = new Uint8Array(REGISTERS)
  let shallBeDense = false
  for (let i = 1; i < args.count; i++) {
    if (!raiseToKey(session, args.at(i), registers)) return
    const entry = engine.find(database, args.at(i))
    if (entry !== NONE && isDense(valueInHand(session, entry))) shallBeDense = true
  }
  const key = args.at(1)
  const entry = engine.find(database, key)
  const hll = new Hll(entry === NONE ? null : valueInHand(session, entry))
  if (shallBeDense) hll.makeDense()
  for (let register = 0; register < REGISTERS; register++) {
    const value = registers[register]!
    if (value > 0) hll.raise(register, value, server.hllSparseMaxBytes)
  }
  if (store(session, key, entry, hll)) reply.ok()
}

/** False: the key holds no HyperLogLog, and the client has been told. */
function isHll(session: Session, entry: number): boolean {
  if (!isString(session, entry)) return false
  if (looksLikeHll(valueInHand(session, entry))) return true
  session.reply.error(NO_HLL)
  return false
}

/** Raises registers to what the key's hold; a missing key holds none. False: it cannot be, and the client has been told. */
function raiseToKey(session: Session, key: Slice, registers: Uint8Array): boolean {
  const entry = findToRead(session, key)
  if (entry === NONE) return true
  if (!isHll(session, entry)) return false
  if (raiseAll(registers, valueInHand(session, entry))) return true
  session.reply.error(CORRUPT_HLL)
  return false
}

/** False: it cannot be stored, and the client has been told. */
function store(session: Session, key: Slice, entry: number, hll: Hll): boolean {
  const { engine, database } = session
  hll.makeStale()
  const value = sliceOf(hll.bytes)
  if (!mayStore(session, key, value.length)) return false
  if (entry === NONE) engine.put(database, key, value, 0)
  else engine.overwrite(entry, value, engine.expiryOf(entry))
  notify(session, EVENT_STRING, 'pfadd', key)
  return true
}

function replyWith({ reply }: Session, cardinality: bigint): void {
  const number = Number(cardinality)
  if (Number.isSafeInteger(number)) reply.integer(number)
  else reply.bigInteger(cardinality)
}
