// Where two right servers may answer with different bytes: one row a command, what may differ and why. Everything else
// has to be equal. A row is asked only when the bytes differ; an error never equals an answer, and nil equals nothing but nil.

import { type Reply, ReplyError, ReplyMap, show } from '../harness/resp.ts'
import { nameOf } from './step.ts'
import type { Frame } from './wire.ts'

type Judge = (theirs: Frame, ours: Frame, words: readonly string[]) => boolean

/** Two servers read the clock at moments this far apart, at most. */
export const APART_MS = 20_000
/** The latest moment Casky keeps: a stated difference. */
export const END_OF_TIME_MS = 2 ** 53 - 1

const number = (reply: Reply): number | undefined =>
  typeof reply === 'number' || typeof reply === 'bigint' ? Number(reply) : undefined

/** A moment or a distance in time, in the unit given. */
const near = (unitMs: number, isMoment: boolean): Judge => {
  return ({ value: theirs }, { value: ours }) => {
    const a = number(theirs)
    const b = number(ours)
    if (a === undefined || b === undefined || a <= 0 || b <= 0) return false
    const latest = (isMoment ? END_OF_TIME_MS : END_OF_TIME_MS - Date.now()) / unitMs
    return Math.abs(Math.min(a, latest) - b) * unitMs <= APART_MS + unitMs
  }
}

const type = (frame: Frame): number => frame.raw[0]!
/** Each server's own: only the type of the reply is compared. */
const own: Judge = (theirs, ours) => type(theirs) === type(ours) && (theirs.value === null) === (ours.value === null)

const items = (reply: Reply): readonly Reply[] => (Array.isArray(reply) ? reply : [])
const set = (reply: Reply): string => items(reply).map(show).sort().join(' ')
/** The same members in any order. */
const anyOrder: Judge = (theirs, ours) => type(theirs) === type(ours) && set(theirs.value) === set(ours.value)

const fields = (reply: Reply): string[] => {
  const flat = reply instanceof ReplyMap ? reply.pairs.flat() : items(reply)
  return flat.map((item, i) => (i > 0 && /^"(version|id|redirect)"$/.test(show(flat[i - 1]!)) ? '*' : show(item)))
}

/** The string in a payload of DUMP, plain or compressed, or undefined. */
function unpacked(payload: Reply): Buffer | undefined {
  if (!Buffer.isBuffer(payload) || payload[0] !== 0) return undefined
  if (payload[1]! < 0xc0) {
    const plain = rdbLength(payload, 1)
    return payload.subarray(plain.end, plain.end + plain.value)
  }
  if (payload[1] !== 0xc3) return undefined
  const packed = rdbLength(payload, 2)
  const length = rdbLength(payload, packed.end)
  const from = length.end
  const out: number[] = []
  for (let at = from; at < from + packed.value; ) {
    const control = payload[at++]!
    if (control < 32) {
      out.push(...payload.subarray(at, at + control + 1))
      at += control + 1
    } else {
      let count = (control >> 5) + 2
      if (control >> 5 === 7) count += payload[at++]!
      let back = out.length - (((control & 31) << 8) | payload[at++]!) - 1
      for (; count > 0; count--) out.push(out[back++]!)
    }
  }
  return out.length === length.value ? Buffer.from(out) : undefined
}

function rdbLength(bytes: Buffer, at: number): { readonly value: number; readonly end: number } {
  const first = bytes[at]!
  if (first < 64) return { value: first, end: at + 1 }
  if (first < 128) return { value: ((first & 63) << 8) | bytes[at + 1]!, end: at + 2 }
  return { value: bytes.readUInt32BE(at + 1), end: at + 5 }
}

const fieldsInOrder = (reply: Reply): string => {
  const flat = fields(reply)
  return flat
    .flatMap((name, i) => (i % 2 === 0 ? [`${name} ${flat[i + 1]}`] : []))
    .sort()
    .join()
}

/** A map of fields; those that are each server's own are left out. */
const sameFields: Judge = (theirs, ours) =>
  type(theirs) === type(ours) && fields(theirs.value).join() === fields(ours.value).join()

const rows: Readonly<Record<string, Judge>> = {
  // Times that run while the two are asked one after the other.
  TTL: near(1000, false),
  PTTL: near(1, false),
  EXPIRETIME: near(1000, true),
  PEXPIRETIME: near(1, true),
  'OBJECT IDLETIME': own,
  // Casky does not remember how a value came to be, only what it is: what Redis would choose for it if it were SET.
  'OBJECT ENCODING': own,
  'OBJECT REFCOUNT': own,
  // LZF leaves it to the writer where to look for repetitions. What is unpacked has to be equal.
  DUMP: (theirs, ours) => {
    const [a, b] = [unpacked(theirs.value), unpacked(ours.value)]
    return a !== undefined && b !== undefined && a.equals(b)
  },
  'OBJECT FREQ': own, // a counter that chance increments
  TIME: own,
  LASTSAVE: own,
  // Orders that a hash table gives.
  KEYS: anyOrder,
  'PUBSUB CHANNELS': anyOrder,
  'PUBSUB SHARDCHANNELS': anyOrder,
  'COMMAND LIST': own,
  'CONFIG GET': (theirs, ours) =>
    type(theirs) === type(ours) && fieldsInOrder(theirs.value) === fieldsInOrder(ours.value),
  // COUNT is larger than every database, so one call finds all and the cursor is 0.
  SCAN: (theirs, ours) => {
    const [cursor, found] = items(theirs.value)
    const [mine, keys] = items(ours.value)
    return cursor !== undefined && mine !== undefined && show(cursor) === show(mine) && set(found!) === set(keys!)
  },
  // Chance. That it is a key at all is seen in conformance.
  RANDOMKEY: own,
  // Numbers that a server gives to its clients, and its version.
  'CLIENT ID': own,
  'CLIENT LIST': own,
  'CLIENT INFO': own,
  'CLIENT GETREDIR': own,
  'CLIENT TRACKINGINFO': sameFields,
  HELLO: sameFields,
  // What a server says of itself.
  INFO: own,
  'MEMORY USAGE': own,
  'COMMAND COUNT': own,
  'COMMAND INFO': own, // compared by meaning in test/commands and conformance
  COMMAND: own,
  'COMMAND DOCS': own,
  'SLOWLOG LEN': own,
  'SLOWLOG GET': own,
  'LATENCY RESET': own,
  'LATENCY LATEST': own,
  'LATENCY HISTORY': own,
  'LATENCY HISTOGRAM': own,
}

/** A container's HELP: Casky has commands of its own and lacks others. */
const isHelp = (words: readonly string[]): boolean => words.length === 2 && words[1]!.toUpperCase() === 'HELP'

/**
 * Error texts of Casky's carry no control characters, and Redis ends what it quotes at a zero byte. Both are in the
 * conformance suite's table of differences.
 */
function sameError(words: readonly string[], theirs: string, ours: string): boolean {
  const tame = (text: string): string =>
    Array.from(text, (char) => (char < ' ' || char === '\x7f' ? ' ' : char)).join('')
  if (tame(theirs).trimEnd() === tame(ours).trimEnd()) return true // Redis cuts off line ends
  return words.some((word) => word.includes('\x00')) && theirs.slice(0, 20) === ours.slice(0, 20)
}

/** Are these two answers to the same command as good as equal? */
export function allows(words: readonly string[], theirs: Frame, ours: Frame): boolean {
  if (theirs.value instanceof ReplyError && ours.value instanceof ReplyError) {
    return sameError(words, theirs.value.message, ours.value.message)
  }
  if (theirs.value instanceof ReplyError || ours.value instanceof ReplyError) return false
  if (isHelp(words)) return own(theirs, ours, words)
  return rows[nameOf(words)]?.(theirs, ours, words) ?? false
}
