// Where two right servers may answer with different bytes: one row a command, what may differ and why. Everything else
// has to be equal. A row is asked only when the bytes differ, and an error never equals an answer.
//
// The rows below `deliberate` are no accidents: there Casky means to differ, and the conformance suite's table has the reason.

import { type Reply, ReplyError, ReplyMap, show } from '../harness/resp.ts'
import { nameOf } from './step.ts'
import type { Frame } from './wire.ts'

type Judge = (theirs: Frame, ours: Frame, words: readonly string[]) => boolean

/** Two servers read the clock at moments this far apart, at most. */
const APART_MS = 20_000
/** The latest moment Casky keeps: a stated difference. */
const END_OF_TIME_MS = 2 ** 53 - 1

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
const own: Judge = (theirs, ours) => type(theirs) === type(ours)

const items = (reply: Reply): readonly Reply[] => (Array.isArray(reply) ? reply : [])
const set = (reply: Reply): string => items(reply).map(show).sort().join(' ')
/** The same members in any order. */
const anyOrder: Judge = (theirs, ours) => type(theirs) === type(ours) && set(theirs.value) === set(ours.value)

const pairs = (reply: Reply): string[] => {
  const flat = reply instanceof ReplyMap ? reply.pairs.flat() : items(reply)
  return flat.map((item, i) => (i > 0 && /^"(version|id)"$/.test(show(flat[i - 1]!)) ? '*' : show(item)))
}

const rows: Readonly<Record<string, Judge>> = {
  // Times that run while the two are asked one after the other.
  TTL: near(1000, false),
  PTTL: near(1, false),
  EXPIRETIME: near(1000, true),
  PEXPIRETIME: near(1, true),
  'OBJECT IDLETIME': own,
  'OBJECT FREQ': own, // a counter that chance increments
  TIME: own,
  LASTSAVE: own,
  // Orders that a hash table gives.
  KEYS: anyOrder,
  'PUBSUB CHANNELS': anyOrder,
  'PUBSUB SHARDCHANNELS': anyOrder,
  'COMMAND LIST': own,
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
  'CLIENT TRACKINGINFO': own,
  HELLO: (theirs, ours) => type(theirs) === type(ours) && pairs(theirs.value).join() === pairs(ours.value).join(),
  // What a server says of itself.
  INFO: own,
  ROLE: own,
  'CLUSTER INFO': own,
  'CONFIG GET': own,
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
  const tame = (text: string): string => text.replace(CONTROL, ' ')
  if (tame(theirs) === tame(ours)) return true
  return words.some((word) => word.includes('\x00')) && theirs.slice(0, 20) === ours.slice(0, 20)
}

const CONTROL = new RegExp(String.raw`[\x00-\x1f\x7f]`, 'g')

/** Are these two answers to the same command as good as equal? */
export function allows(words: readonly string[], theirs: Frame, ours: Frame): boolean {
  if (theirs.value instanceof ReplyError && ours.value instanceof ReplyError) {
    return sameError(words, theirs.value.message, ours.value.message)
  }
  if (theirs.value instanceof ReplyError || ours.value instanceof ReplyError) return false
  if (isHelp(words)) return own(theirs, ours, words)
  return rows[nameOf(words)]?.(theirs, ours, words) ?? false
}
