// Replies that two right servers may give differently. A normaliser keeps what a client may rely on and drops the rest;
// it is named in the case, so that reading the case tells what is and what is not compared. It sees meanings, not bytes:
// a step with a normaliser says nothing about encoding unless it says so itself.

import { type Reply, ReplyError, ReplyMap, ReplyPush, show } from '../harness/resp.ts'
import { after, drawn, type Tree, treeOf } from './tree.ts'

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

  /** DEBUG OBJECT: without the address and the times. */
  object: good((reply) => text(reply).replace(/0x[0-9a-f]+|(?<=lru:|idle:)\d+/g, '*')),

  /** A time that runs on: how many whole tens of it have passed. */
  tens: good((reply) => (typeof reply === 'number' ? `${Math.floor(reply / 10)} tens` : show(reply))),

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

  /** COMMAND INFO, all of it but remarks on keys and flags of what Casky has not; subcommands in alphabetical order. */
  described: good((_, raw) => {
    const tree = treeOf(raw)
    for (const row of tree.items!) describedRow(row)
    return drawn(tree)
  }),

  /** COMMAND DOCS, all of it but texts for people; subcommands in alphabetical order. */
  documented: good((_, raw) => {
    const tree = treeOf(raw)
    documentedRows(tree)
    return drawn(tree)
  }),

  /** SLOWLOG GET: of each entry the types, the arguments and the client's name. */
  slowlog: good((_, raw) => {
    const tree = treeOf(raw)
    for (const { items } of tree.items!) items!.splice(0, 3, ...items!.slice(0, 3).map(anyNumber))
    for (const { items } of tree.items!) items![4] = { ...items![4]!, text: 'address' }
    return drawn(tree)
  }),

  /** LATENCY HISTOGRAM: the commands in alphabetical order, their calls, and how many of these the last bucket tells of. */
  histogram: good((_, raw) => {
    const tree = treeOf(raw)
    sortPairs(tree.items!)
    tree.items!.forEach(({ items }, i) => {
      if (i % 2 === 0) return
      const buckets = items![3]!.items!
      buckets.splice(0, buckets.length - 1)
    })
    return drawn(tree)
  }),

  /** LATENCY LATEST and HISTORY: numbers are somebody's milliseconds. */
  latency: good((_, raw) => drawn(numbersHidden(treeOf(raw)))),

  /** INFO commandstats, errorstats, latencystats: lines in alphabetical order, without times. */
  counted: good((reply) =>
    text(reply)
      .split('\r\n')
      .map((line) => line.replace(/,usec=[^,]+,usec_per_call=[^,]+/, '').replace(/=\d+\.\d{3}\b/g, '=*'))
      .sort()
      .join(' '),
  ),

  /** INFO stats: what commands have counted. */
  stats: good((reply) => {
    const wanted =
      /^(keyspace_hits|keyspace_misses|total_commands_processed|total_error_replies|unexpected_error_replies|expired_keys|pubsub.*|tracking.*):/
    return text(reply)
      .split('\r\n')
      .filter((line) => wanted.test(line))
      .join(' ')
  }),

  /** CLIENT LIST: lines in order, fields in order; what is each server's own is left out, and what came with 7.2. */
  listed: good((reply, raw) => {
    const own = new Set(
      'id addr laddr fd age idle qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll omem tot-mem events'.split(' '),
    )
    const later = new Set(['lib-name', 'lib-ver'])
    const lines = text(reply)
      .split('\n')
      .map((line) =>
        line
          .split(' ')
          .map((field) => field.split('=', 2) as [string, string?])
          .filter(([name]) => !later.has(name))
          .map(([name, value]) => `${name}=${own.has(name) ? typeof value : value}`)
          .join(' '),
      )
    return `${typeByte(raw)} ${lines.join(' | ')}`
  }),

  /** A help text: that it is an array of simple strings whose first line names the command. */
  help: good(
    (reply, raw) => `${typeByte(raw)}${String.fromCharCode(raw[raw.indexOf('\r\n') + 2]!)} ${items(reply)[0]}`,
  ),
}

const byText = (a: Tree, b: Tree): number => (a.text < b.text ? -1 : 1)

const anyNumber = (leaf: Tree): Tree => ({ ...leaf, text: /^\d+$/.test(leaf.text) ? 'number' : leaf.text })

function numbersHidden(tree: Tree): Tree {
  return tree.items === null ? anyNumber(tree) : { ...tree, items: tree.items.map(numbersHidden) }
}

/** Sorts keys with their values. */
function sortPairs(items: Tree[]): void {
  const each = items.filter((_, i) => i % 2 === 0).map((key, i) => [key, items[i * 2 + 1]!] as const)
  items.splice(0, items.length, ...each.sort(([a], [b]) => byText(a, b)).flat())
}

function describedRow(row: Tree): void {
  if (row.items === null) return // a command that is not there
  const [, , flags, , , , , , specifications, rows] = row.items
  flags!.items = flags!.items!.filter((it) => !foreignFlags.has(it.text)).sort(byText)
  for (const { items } of specifications!.items!) {
    const at = items!.findIndex((it) => it.text === 'notes')
    if (at >= 0) items!.splice(at, 2)
  }
  for (const each of rows!.items!) describedRow(each)
  rows!.items!.sort((a, b) => byText(a.items![0]!, b.items![0]!))
}

function documentedRows(map: Tree): void {
  for (let i = 1; i < map.items!.length; i += 2) {
    const fields = map.items![i]!.items!
    for (const name of ['summary', 'replaced_by']) {
      const at = fields.findIndex((it) => it.text === name)
      if (at >= 0) fields[at + 1] = { ...fields[at + 1]!, text: 'words' }
    }
    const complexity = fields.findIndex((it) => it.text === 'complexity')
    if (complexity >= 0) fields.splice(complexity, 2) // Redis leaves out some
    for (const { items } of after(fields, 'history')?.items ?? []) items![1] = { ...items![1]!, text: 'words' }
    const rows = after(fields, 'subcommands')
    if (rows === undefined) continue
    documentedRows(rows)
    sortPairs(rows.items!)
  }
}
