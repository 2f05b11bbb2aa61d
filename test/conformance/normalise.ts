// Replies that two right servers may give differently. A normaliser keeps what a client may rely on and drops the rest;
// it is named in the case, so that reading the case tells what is and what is not compared. It sees meanings, not bytes:
// a step with a normaliser says nothing about encoding unless it says so itself.

import { type Reply, ReplyError, ReplyMap, ReplyPush, show } from '../harness/resp.ts'

type Normaliser = (reply: Reply, raw: Buffer) => string

const text = (reply: Reply): string => (Buffer.isBuffer(reply) ? reply.toString('latin1') : show(reply))

/** An error stays what it is in every normaliser: it must never look like a good answer. */
const good = (of: (reply: Reply, raw: Buffer) => string): Normaliser => {
  return (reply, raw) => (reply instanceof ReplyError ? show(reply) : of(reply, raw))
}

const items = (reply: Reply): readonly Reply[] => {
  if (Array.isArray(reply)) return reply
  if (reply instanceof ReplyPush) return reply.items
  if (reply instanceof ReplyMap) return reply.pairs.flat()
  return [reply]
}

const typeByte = (raw: Buffer): string => String.fromCharCode(raw[0]!)

/** Pairs of a map in either protocol. */
const pairs = (reply: Reply): Array<readonly [string, Reply]> => {
  if (reply instanceof ReplyMap) return reply.pairs.map(([k, v]) => [text(k), v])
  const flat = items(reply)
  return Array.from({ length: flat.length / 2 }, (_, i) => [text(flat[i * 2]!), flat[i * 2 + 1]!])
}

const sections = (reply: Reply): string[] =>
  text(reply)
    .split('\r\n')
    .filter((line) => line.startsWith('#'))

/** Flags that speak of what Casky has not: scripts that keep the server busy, and replicas that load beside serving. */
const foreignFlags: ReadonlySet<string> = new Set(['allow_busy', 'no_async_loading'])

export const normalisers: Readonly<Record<string, Normaliser>> = {
  /** An array whose order is free: the type byte and the sorted members. */
  sorted: good((reply, raw) => `${typeByte(raw)} ${items(reply).map(show).sort().join(' ')}`),

  /** One of several right answers: only its type. */
  type: good((_, raw) => typeByte(raw)),

  /** A time to live that runs: how many whole tens of it, rounded up (a test step takes far less than ten). */
  about: good((reply) =>
    typeof reply === 'number' && reply > 0 ? `about ${Math.ceil(reply / 10) * 10}` : show(reply),
  ),

  /** The same in milliseconds: to the minute. */
  aboutMs: good((reply) =>
    typeof reply === 'number' && reply > 0 ? `about ${Math.ceil(reply / 60_000)} min` : show(reply),
  ),

  /** A positive integer, whichever. */
  positive: good(
    (reply, raw) => `${typeByte(raw)} ${typeof reply === 'number' && reply > 0 ? 'positive' : show(reply)}`,
  ),

  /** TIME: two bulk strings of digits. */
  time: good((reply) =>
    items(reply)
      .map((item) => text(item).replace(/^\d+$/, 'digits'))
      .join(' '),
  ),

  /** HELLO: the same fields in the same order; version and id are each server's own. */
  hello: good((reply, raw) => {
    const own = new Set(['version', 'id'])
    return `${typeByte(raw)} ${pairs(reply)
      .map(([name, value]) => `${name}=${own.has(name) ? '*' : show(value)}`)
      .join(' ')}`
  }),

  /** INFO: which sections, in which order, and the type byte. */
  sections: good((reply, raw) => `${typeByte(raw)} ${sections(reply).join(' ')}`),

  /** INFO keyspace: databases with their counts, without the average TTL. */
  keyspace: good((reply) => text(reply).replace(/avg_ttl=\d+/g, 'avg_ttl=*')),

  /** CLIENT LIST and INFO: how many lines, and of each line the name, the database, the protocol and the command. */
  clients: good((reply, raw) => {
    const lines = text(reply)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const fields = new Map(line.split(' ').map((field) => field.split('=', 2) as [string, string]))
        return ['name', 'db', 'sub', 'psub', 'multi', 'cmd', 'user', 'resp']
          .map((f) => `${f}=${fields.get(f)}`)
          .join(' ')
      })
    return `${typeByte(raw)} ${lines.join(' | ')}`
  }),

  /** COMMAND INFO: name, arity, flags (sorted), key positions of each command. Categories and tips are hints. */
  commands: good((reply) =>
    items(reply)
      .map((row) => {
        if (row === null) return '(nil)'
        const [name, arity, flags, first, last, step] = items(row)
        const shared = items(flags!)
          .map(text)
          .filter((flag) => !foreignFlags.has(flag))
        return `${text(name!)} ${arity} ${shared.sort().join(',')} ${first} ${last} ${step}`
      })
      .join(' | '),
  ),

  /** COMMAND DOCS: the names it documents and the fields group, since, arity of each. */
  docs: good((reply) =>
    pairs(reply)
      .map(([name, doc]) => {
        const fields = new Map(pairs(doc))
        return `${name} ${text(fields.get('group') ?? null)} ${text(fields.get('since') ?? null)}`
      })
      .join(' | '),
  ),

  /** A help text: that it is an array of simple strings whose first line names the command. */
  help: good(
    (reply, raw) => `${typeByte(raw)}${String.fromCharCode(raw[raw.indexOf('\r\n') + 2]!)} ${items(reply)[0]}`,
  ),
}
