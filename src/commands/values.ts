// What string handlers share: handing a value to the client, taking one in hand, and the limits of what may be stored.
//
// A value is in memory or it is not. A command that only sends it out never waits for that: `replyWithValue` copies bytes that
// are here, and for others leaves a slot in the reply and has the engine read what the entry points at *now*; whatever happens
// to the key afterwards, by this command or by others, the client gets the value of this instant. A command that computes with
// a value declares it in its row (`values`) and runs when it is in memory; `valueInHand` then cannot fail.

import { assert } from '../base/assert.ts'
import { MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES } from '../base/limits.ts'
import { Slice } from '../base/slice.ts'
import { TYPE_STRING } from '../engine/record.ts'
import { STRING_TOO_LONG, WRONG_TYPE } from './errors.ts'
import type { Integer } from './numbers.ts'
import type { Session } from './session.ts'

export const KEY_TOO_LONG = `ERR key is too long (at most ${MAX_KEY_BYTES} bytes)`
export const BATCH_TOO_LARGE = `ERR too many bytes in one atomic write (at most ${MAX_BATCH_BYTES})`

/** Where valueOf points; used and forgotten within one handler. */
const borrowed = new Slice()

/** False: the key holds something else, and the client has been told. */
export function isString(session: Session, entry: number): boolean {
  if (session.engine.typeOf(entry) === TYPE_STRING) return true
  session.reply.error(WRONG_TYPE)
  return false
}

/** Appends the entry's value as a bulk string, now or later. */
export function replyWithValue(session: Session, entry: number): void {
  if (session.engine.valueOf(entry, borrowed)) session.reply.bulk(borrowed.bytes, borrowed.start, borrowed.end)
  else replyLater(session, entry, 0, session.engine.valueSize(entry))
}

/** The same for a part of it; `from` and `to` (exclusive) lie inside the value. */
export function replyWithRange(session: Session, entry: number, from: number, to: number): void {
  if (session.engine.valueOf(entry, borrowed)) {
    session.reply.bulk(borrowed.bytes, borrowed.start + from, borrowed.start + to)
  } else {
    replyLater(session, entry, from, to)
  }
}

function replyLater(session: Session, entry: number, from: number, to: number): void {
  const size = session.engine.valueSize(entry)
  if (!session.mayReply(size)) return // or one MGET could have all memory there is filled with reads
  const slot = session.slot(size)
  const read = session.engine.load(entry, (error, value) => {
    if (value === null) slot.fillError(`ERR the value could not be read: ${error?.message ?? 'unknown error'}`)
    else slot.fillBulk(new Slice(value.bytes, value.start + from, value.start + to))
  })
  slot.waitsFor(read)
}

/** The value itself, for commands whose row says they need it. Good for the very next call of the engine. */
export function valueInHand(session: Session, entry: number): Slice {
  assert(session.engine.valueOf(entry, borrowed), 'a command ran before the value it needs was in memory')
  return borrowed
}

/** The same, for work that goes on in later ticks: these bytes stay, whatever happens to the key. They must not be changed. */
export function valueToKeep(session: Session, entry: number): Slice {
  const value = new Slice()
  assert(session.engine.keepValueOf(entry, value), 'a command ran before the value it needs was in memory')
  return value
}

/**
 * False: this key with a value of that many bytes cannot be written (now), and the client has been told.
 * Asked before every write that creates or grows something.
 */
export function mayStore(session: Session, key: Slice, valueBytes: number): boolean {
  const keyBytes = key.end - key.start
  if (
    keyBytes <= MAX_KEY_BYTES &&
    valueBytes <= MAX_VALUE_BYTES &&
    session.engine.batchBytes + keyBytes + valueBytes <= MAX_BATCH_BYTES
  ) {
    return true
  }
  const refusal =
    keyBytes > MAX_KEY_BYTES ? KEY_TOO_LONG : valueBytes > MAX_VALUE_BYTES ? STRING_TOO_LONG : BATCH_TOO_LARGE
  session.reply.error(refusal)
  return false
}

/** False: no command may make a string that long (proto-max-bulk-len), and the client has been told. */
export function stringFits(session: Session, bytes: Integer): boolean {
  if (bytes <= session.server.maxBulkBytes) return true
  session.reply.error(STRING_TOO_LONG)
  return false
}

/** False: so many more bytes of records do not fit one atomic write, and the client has been told. */
export function batchFits(session: Session, bytes: number): boolean {
  if (session.engine.batchBytes + bytes <= MAX_BATCH_BYTES) return true
  session.reply.error(BATCH_TOO_LARGE)
  return false
}
