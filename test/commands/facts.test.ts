// The facts in our rows (arity, flags, keys, categories, since, group) are Redis's: the real server is asked for its own.
// What differs on purpose stands in DIFFERENCES; a difference that is not there fails, and so does one that is none any more.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Argument, readArguments } from '../../src/commands/arguments.ts'
import type { Command } from '../../src/commands/command.ts'
import { categoriesOf, flagNames, keySpecifications } from '../../src/commands/describe.ts'
import { deprecated, forDevelopers, history, syntax } from '../../src/commands/syntax.ts'
import { commandTable } from '../../src/commands/table.ts'
import type { RawConnection } from '../harness/connection.ts'
import { skipWithout } from '../harness/programs.ts'
import type { Reply } from '../harness/resp.ts'
import { type Server, startServer } from '../harness/server.ts'

/** Flags of Redis's that Casky has no meaning for. */
const FOREIGN_FLAGS = new Set(['no_async_loading', 'allow_busy', 'asking'])

const DIFFERENCES: Readonly<Record<string, string>> = {
  RENAME: 'writes the value again, so it needs room: denyoom',
  RENAMENX: 'writes the value again, so it needs room: denyoom',
  MOVE: 'writes the value again, so it needs room: denyoom',
}
/** Not in the Redis that is asked: Casky's own, or newer than 7.0. */
const UNKNOWN = /^((MERGE|SCRUB)(\|.*)?|WAITAOF|CLIENT\|(SETINFO|NO-TOUCH))$/

const rows = [...commandTable.byName.values()]
  .flatMap((it) => [it, ...(it.subcommands?.values() ?? [])])
  .filter((it) => !UNKNOWN.test(it.name))

const text = (value: Reply | undefined): string => (Buffer.isBuffer(value) ? value.toString('latin1') : String(value))
const texts = (value: Reply | undefined): string[] => (value as Reply[]).map(text)

/** Field of a RESP2 map. */
function field(map: Reply, name: string): Reply | undefined {
  const list = map as Reply[]
  const at = list.findIndex((it, i) => i % 2 === 0 && text(it) === name)
  return at < 0 ? undefined : list[at + 1]
}

function ours(command: Command): object {
  const { keys } = command
  return {
    arity: command.arity,
    flags: flagNames(command),
    keys: [keys?.first ?? 0, keys?.last ?? 0, keys?.step ?? 0],
    categories: categoriesOf(command).map((it) => `@${it}`),
    tips: command.tips ?? [],
    specifications: keySpecifications(command).map((it) => ({ ...it })),
    since: command.since,
    group: command.group,
    arguments: readArguments(syntax[command.name] ?? '').map(told),
    changes: (history[command.name] ?? []).map(([version]) => version),
    flagged: [
      ...(command.name in deprecated ? ['deprecated'] : []),
      ...(forDevelopers.has(command.name) ? ['syscmd'] : []),
    ],
    deprecated: deprecated[command.name]?.since ?? null,
  }
}

/** An argument as COMMAND DOCS lists its fields. */
function told(argument: Argument): unknown[] {
  const { name, type, keySpecification, token, since, deprecatedSince, flags } = argument
  const fields: unknown[] = ['name', name, 'type', type]
  if (keySpecification !== null) fields.push('key_spec_index', keySpecification)
  if (token !== null) fields.push('token', token)
  if (since !== null) fields.push('since', since)
  if (deprecatedSince !== null) fields.push('deprecated_since', deprecatedSince)
  if (flags.length > 0) fields.push('flags', flags)
  if (argument.arguments.length > 0) fields.push('arguments', argument.arguments.map(told))
  return fields
}

/** A reply with texts instead of bytes. */
function readable(reply: Reply): unknown {
  if (Array.isArray(reply)) return reply.map(readable)
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : reply
}

async function theirs(connection: RawConnection, name: string): Promise<object> {
  const info = (await connection.call('COMMAND', 'INFO', name)) as Reply[][]
  const docs = (await connection.call('COMMAND', 'DOCS', name)) as Reply[]
  const row = info[0]!
  return {
    arity: row[1],
    flags: texts(row[2]).filter((it) => !FOREIGN_FLAGS.has(it)),
    keys: [row[3], row[4], row[5]],
    categories: texts(row[6]),
    tips: texts(row[7]),
    specifications: (row[8] as Reply[]).map((it) => ({
      access: texts(field(it, 'flags')),
      index: field(field(field(it, 'begin_search')!, 'spec')!, 'index'),
      lastKey: field(field(field(it, 'find_keys')!, 'spec')!, 'lastkey'),
      step: field(field(field(it, 'find_keys')!, 'spec')!, 'keystep'),
    })),
    since: text(field(docs[1]!, 'since')),
    group: text(field(docs[1]!, 'group')),
    arguments: readable(field(docs[1]!, 'arguments') ?? []),
    changes: (field(docs[1]!, 'history') as Reply[][] | undefined)?.map(([version]) => text(version)) ?? [],
    flagged: readable(field(docs[1]!, 'doc_flags') ?? []),
    deprecated: readable(field(docs[1]!, 'deprecated_since') ?? null),
  }
}

describe.skipIf(skipWithout('redis-server'))('rows against a real redis-server', () => {
  let server: Server
  let connection: RawConnection
  beforeAll(async () => {
    server = await startServer('redis')
    connection = await server.connect()
  })
  afterAll(async () => {
    connection?.close()
    await server?.stop()
  })

  it.each(rows.map((it) => [it.name, it] as const))('%s', async (name, command) => {
    const redis = await theirs(connection, name.toLowerCase())
    if (name in DIFFERENCES) expect(ours(command)).not.toEqual(redis)
    else expect(ours(command)).toEqual(redis)
  })
})

describe('syntax.ts', () => {
  const all = new Set(
    [...commandTable.byName.values()].flatMap((it) => [it, ...(it.subcommands?.values() ?? [])]).map((it) => it.name),
  )

  it.each([
    ['syntax', Object.keys(syntax)],
    ['history', Object.keys(history)],
    ['deprecated', Object.keys(deprecated)],
    ['forDevelopers', [...forDevelopers]],
  ])('%s: every line stands for a command', (_, names) => {
    expect(names.filter((name) => !all.has(name))).toEqual([])
  })

  it('can be read: every line of it', () => {
    for (const text of Object.values(syntax)) expect(readArguments(text).length).toBeGreaterThan(0)
  })

  it.each(['[a', 'a<b', 'a(b', 'a]', 'a b)', '[]', 'a<>b>'])('the notation: %s is refused', (text) => {
    expect(() => readArguments(text)).toThrow()
  })
})
