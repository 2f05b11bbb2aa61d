// COMMAND: the server describes its own commands. All of it is read from the table, nothing is said twice.
//
// Subcommands are called 'config|get' here. Clients read this to find keys in commands they do not know, redis-cli for its help.

import { globMatch } from '../base/glob.ts'
import { type Slice, sliceOf } from '../base/slice.ts'
import type { Args } from '../resp/args.ts'
import { ReplyWriter } from '../resp/reply.ts'
import { type Argument, readArguments } from './arguments.ts'
import { type Command, LOADING, STALE } from './command.ts'
import { keysOf } from './command-table.ts'
import { accessOfKey, categoriesOf, flagNames, keySpecifications } from './describe.ts'
import { SYNTAX_ERROR } from './errors.ts'
import { replyWithHelp } from './help.ts'
import type { Session } from './session.ts'
import { subcommandsOf } from './subcommands.ts'
import { deprecated, forDevelopers, history, syntax } from './syntax.ts'
import { isWord, nameOf } from './words.ts'

const ANY_TIME = LOADING | STALE
const CONNECTION = ['connection'] as const
const UNORDERED = ['nondeterministic_output_order'] as const

const subcommands = [
  {
    name: 'COMMAND|COUNT',
    arity: 2,
    flags: ANY_TIME,
    keys: null,
    categories: CONNECTION,
    run: (session) => session.reply.integer(session.server.commands.size),
    summary: 'Returns how many commands there are.',
    since: '2.8.13',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'COMMAND|LIST',
    arity: -2,
    flags: ANY_TIME,
    keys: null,
    categories: CONNECTION,
    tips: UNORDERED,
    run: list,
    summary: 'Returns the names of all commands, or of those of an ACL category or that match a pattern.',
    since: '7.0.0',
    group: 'server',
    complexity: 'O(N) for N commands.',
  },
  {
    name: 'COMMAND|INFO',
    arity: -2,
    flags: ANY_TIME,
    keys: null,
    categories: CONNECTION,
    tips: UNORDERED,
    run: info,
    summary: 'Returns arity, flags, keys and categories of commands.',
    since: '2.8.13',
    group: 'server',
    complexity: 'O(N) for N commands.',
  },
  {
    name: 'COMMAND|DOCS',
    arity: -2,
    flags: ANY_TIME,
    keys: null,
    categories: CONNECTION,
    tips: UNORDERED,
    run: docs,
    summary: 'Returns what commands do, since when, and what they cost.',
    since: '7.0.0',
    group: 'server',
    complexity: 'O(N) for N commands.',
  },
  {
    name: 'COMMAND|GETKEYS',
    arity: -4,
    flags: ANY_TIME,
    keys: null,
    categories: CONNECTION,
    run: (session, args) => getKeys(session, args, false),
    summary: 'Returns the keys of a whole command line.',
    since: '2.8.13',
    group: 'server',
    complexity: 'O(N) for N arguments.',
  },
  {
    name: 'COMMAND|GETKEYSANDFLAGS',
    arity: -4,
    flags: ANY_TIME,
    keys: null,
    categories: CONNECTION,
    run: (session, args) => getKeys(session, args, true),
    summary: 'Returns the keys of a whole command line and what it does to each.',
    since: '7.0.0',
    group: 'server',
    complexity: 'O(N) for N arguments.',
  },
  {
    name: 'COMMAND|HELP',
    arity: 2,
    flags: ANY_TIME,
    keys: null,
    categories: CONNECTION,
    run: (session) => replyWithHelp(session, 'COMMAND', HELP),
    summary: 'Explains the subcommands.',
    since: '5.0.0',
    group: 'server',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

const HELP = [
  '(no subcommand)',
  '    Everything INFO tells, about all commands.',
  'COUNT',
  '    How many commands there are.',
  'LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]',
  '    The names of the commands.',
  'INFO [<command-name> ...]',
  '    Arity, flags, keys and categories of these commands, or of all.',
  'DOCS [<command-name> ...]',
  '    What these commands, or all, do.',
  'GETKEYS <full-command>',
  '    The keys of a command line.',
  'GETKEYSANDFLAGS <full-command>',
  '    The keys of a command line and what it does to each.',
]

export const introspectionCommands = [
  {
    name: 'COMMAND',
    arity: -1,
    flags: ANY_TIME,
    keys: null,
    categories: CONNECTION,
    tips: UNORDERED,
    run: replyWithAll,
    subcommands: subcommandsOf(subcommands),
    summary: 'Describes all commands.',
    since: '2.8.13',
    group: 'server',
    complexity: 'O(N) for N commands.',
  },
] as const satisfies readonly Command[]

// --- finding what a client names

/** 'get', 'config|get': in any case. */
function named(session: Session, name: Slice): Command | undefined {
  const upper = nameOf(name)
  const bar = upper.indexOf('|')
  if (bar < 0) return session.server.commands.get(upper)
  return session.server.commands.get(upper.slice(0, bar))?.subcommands?.get(upper.slice(bar + 1))
}

/** Every row, containers followed by their subcommands. */
function* allRows(commands: ReadonlyMap<string, Command>): Generator<Command> {
  for (const command of commands.values()) {
    yield command
    if (command.subcommands !== undefined) yield* command.subcommands.values()
  }
}

// --- INFO

function info(session: Session, args: Args): void {
  const { reply } = session
  if (args.count === 2) return replyWithAll(session)
  const wanted: (Command | undefined)[] = []
  for (let i = 2; i < args.count; i++) wanted.push(named(session, args.at(i)))
  const say = (command: Command | undefined): void => {
    if (command === undefined) reply.null()
    else keptInfo.say(reply, command)
  }
  if (wanted.length > AT_ONCE) return inPortions(session, () => reply.array(wanted.length), wanted, say)
  reply.array(wanted.length)
  wanted.forEach(say)
}

function replyWithAll(session: Session): void {
  replyOnce(session, 'info', (reply, commands) => {
    reply.array(commands.length)
    for (const command of commands) replyWithInfo(reply, command)
  })
}

// What is said of all commands never changes and is hundreds of kilobytes; every redis-cli asks for it when it starts. Built each time it
// took 15 ms, and crowded the slow log.
const written = new WeakMap<ReadonlyMap<string, Command>, Map<string, ReplyWriter>>()

function replyOnce(session: Session, what: string, write: (reply: ReplyWriter, all: readonly Command[]) => void): void {
  const { commands } = session.server
  const known = written.get(commands) ?? new Map<string, ReplyWriter>()
  written.set(commands, known)
  const name = `${what} ${session.protocol}`
  const pen = known.get(name) ?? new ReplyWriter(session.protocol)
  if (!known.has(name)) write(pen, [...commands.values()])
  known.set(name, pen)
  session.reply.raw(pen.bytes, 0, pen.length)
}

function replyWithInfo(reply: ReplyWriter, command: Command): void {
  const { keys, tips = [] } = command
  reply.array(10)
  reply.bulkText(command.name.toLowerCase())
  reply.integer(command.arity)
  replyWithStatuses(reply, flagNames(command))
  reply.integer(keys?.first ?? 0)
  reply.integer(keys?.last ?? 0)
  reply.integer(keys?.step ?? 0)
  replyWithStatuses(
    reply,
    categoriesOf(command).map((name) => `@${name}`),
  )
  reply.set(tips.length)
  for (const tip of tips) reply.bulkText(tip)
  replyWithKeySpecifications(reply, command)
  const rows = [...(command.subcommands?.values() ?? [])]
  if (rows.length === 0) reply.set(0)
  else reply.array(rows.length)
  for (const row of rows) replyWithInfo(reply, row)
}

function replyWithStatuses(reply: ReplyWriter, names: readonly string[]): void {
  reply.set(names.length)
  for (const name of names) reply.simple(name)
}

function replyWithKeySpecifications(reply: ReplyWriter, command: Command): void {
  const specifications = keySpecifications(command)
  reply.set(specifications.length)
  for (const each of specifications) {
    reply.map(3)
    reply.bulkText('flags')
    replyWithStatuses(reply, each.access)
    reply.bulkText('begin_search')
    replyWithMethod(reply, 'index', [['index', each.index]])
    reply.bulkText('find_keys')
    replyWithMethod(reply, 'range', [
      ['lastkey', each.lastKey],
      ['keystep', each.step],
      ['limit', 0],
    ])
  }
}

function replyWithMethod(reply: ReplyWriter, type: string, spec: readonly (readonly [string, number])[]): void {
  reply.map(2)
  reply.bulkText('type')
  reply.bulkText(type)
  reply.bulkText('spec')
  reply.map(spec.length)
  for (const [name, value] of spec) {
    reply.bulkText(name)
    reply.integer(value)
  }
}

// --- DOCS

function docs(session: Session, args: Args): void {
  if (args.count === 2) return replyOnce(session, 'docs', replyWithDocs)
  const wanted: Command[] = []
  for (let i = 2; i < args.count; i++) {
    const command = named(session, args.at(i))
    if (command !== undefined) wanted.push(command)
  }
  const { reply } = session
  if (wanted.length <= AT_ONCE) return replyWithDocs(reply, wanted)
  inPortions(
    session,
    () => reply.map(wanted.length),
    wanted,
    (command) => keptDocs.say(reply, command),
  )
}

/** So many in a step: each has a kilobyte or two. */
const AT_ONCE = 256

/** The head, then of each `what` it has to say, in as many turns as it takes. */
function inPortions<T>(session: Session, head: () => void, each: readonly T[], say: (what: T) => void): void {
  let at = -1
  session.stepwise(() => {
    if (at < 0) {
      head()
      at = 0
    }
    const end = Math.min(at + AT_ONCE, each.length)
    for (; at < end; at++) say(each[at] as T)
    return at === each.length
  })
}

/** What is said of a command, written once: it may be asked for thousands of times (20,000: seconds). */
class Kept {
  private readonly write: (reply: ReplyWriter, command: Command) => void
  private readonly written = { 2: new WeakMap<Command, Buffer>(), 3: new WeakMap<Command, Buffer>() }

  constructor(write: (reply: ReplyWriter, command: Command) => void) {
    this.write = write
  }

  say(reply: ReplyWriter, command: Command): void {
    const written = this.written[reply.protocol]
    let bytes = written.get(command)
    if (bytes === undefined) {
      const pen = new ReplyWriter(reply.protocol)
      this.write(pen, command)
      bytes = pen.bytes.subarray(0, pen.length)
      written.set(command, bytes)
    }
    reply.raw(bytes, 0, bytes.length)
  }
}

const keptDocs = new Kept(replyWithDocsOf)
const keptInfo = new Kept(replyWithInfo)

function replyWithDocs(reply: ReplyWriter, commands: readonly Command[]): void {
  reply.map(commands.length)
  for (const command of commands) replyWithDocsOf(reply, command)
}

function replyWithDocsOf(reply: ReplyWriter, command: Command): void {
  reply.bulkText(command.name.toLowerCase())
  const rows = [...(command.subcommands?.values() ?? [])]
  const { name } = command
  const texts: [string, string][] = []
  for (const field of ['summary', 'since', 'group', 'complexity'] as const) texts.push([field, command[field]])
  const retired = deprecated[name]
  const flags = [...(retired === undefined ? [] : ['deprecated']), ...(forDevelopers.has(name) ? ['syscmd'] : [])]
  const changes = history[name] ?? []
  const args = name in syntax ? readArguments(syntax[name]!) : []
  const some = [flags, changes, args, rows].filter((it) => it.length > 0).length
  reply.map(texts.length + some + (retired === undefined ? 0 : 2))
  replyWithTexts(reply, texts)
  if (flags.length > 0) {
    reply.bulkText('doc_flags')
    replyWithStatuses(reply, flags)
  }
  if (retired !== undefined) {
    replyWithTexts(reply, [
      ['deprecated_since', retired.since],
      ['replaced_by', retired.replacedBy],
    ])
  }
  if (changes.length > 0) replyWithHistory(reply, changes)
  if (args.length > 0) replyWithArguments(reply, args)
  if (rows.length === 0) return
  reply.bulkText('subcommands')
  replyWithDocs(reply, rows)
}

function replyWithTexts(reply: ReplyWriter, texts: readonly (readonly [name: string, text: string])[]): void {
  for (const [name, text] of texts) {
    reply.bulkText(name)
    reply.bulkText(text)
  }
}

function replyWithHistory(reply: ReplyWriter, changes: readonly (readonly [version: string, what: string])[]): void {
  reply.bulkText('history')
  reply.set(changes.length)
  for (const [version, what] of changes) {
    reply.array(2)
    reply.bulkText(version)
    reply.bulkText(what)
  }
}

function replyWithArguments(reply: ReplyWriter, list: readonly Argument[]): void {
  reply.bulkText('arguments')
  reply.array(list.length)
  for (const each of list) {
    const texts: [string, string][] = []
    if (each.token !== null) texts.push(['token', each.token])
    if (each.since !== null) texts.push(['since', each.since])
    if (each.deprecatedSince !== null) texts.push(['deprecated_since', each.deprecatedSince])
    const isKey = each.keySpecification !== null
    const some = [each.flags, each.arguments].filter((it) => it.length > 0).length
    reply.map(2 + (isKey ? 1 : 0) + texts.length + some)
    replyWithTexts(reply, [
      ['name', each.name],
      ['type', each.type],
    ])
    if (isKey) {
      reply.bulkText('key_spec_index')
      reply.integer(each.keySpecification)
    }
    replyWithTexts(reply, texts)
    if (each.flags.length > 0) {
      reply.bulkText('flags')
      replyWithStatuses(reply, each.flags)
    }
    if (each.arguments.length > 0) replyWithArguments(reply, each.arguments)
  }
}

// --- LIST

function list(session: Session, args: Args): void {
  const { reply, server } = session
  const chosen = args.count === 2 ? () => true : filter(args)
  if (chosen === null) return reply.error(SYNTAX_ERROR)
  const names = [...allRows(server.commands)].filter(chosen).map((command) => command.name.toLowerCase())
  reply.array(names.length)
  for (const name of names) reply.bulkText(name)
}

/** LIST FILTERBY kind value; null when that is not what the arguments say. */
function filter(args: Args): ((command: Command) => boolean) | null {
  if (args.count !== 5 || !isWord(args.at(2), 'FILTERBY')) return null
  const kind = args.at(3)
  const value = args.at(4)
  if (isWord(kind, 'MODULE')) return () => false // there are none
  if (isWord(kind, 'PATTERN')) return (command) => globMatch(value, sliceOf(command.name), true)
  if (!isWord(kind, 'ACLCAT')) return null
  const category = nameOf(value).toLowerCase()
  return (command) => categoriesOf(command).includes(category)
}

// --- GETKEYS

/** Where the command line begins that GETKEYS is asked about. */
const LINE = 2

function getKeys(session: Session, args: Args, withAccess: boolean): void {
  const { reply } = session
  const command = lineCommand(session, args)
  const count = args.count - LINE
  if (command === undefined) return reply.error('ERR Invalid command specified')
  if (command.keys === null) return reply.error('ERR The command has no key arguments')
  if (command.arity > 0 ? count !== command.arity : count < -command.arity) {
    return reply.error('ERR Invalid number of arguments specified for command')
  }
  const positions = keysOf(command, count)
  reply.array(positions.length)
  positions.forEach((position, nth) => {
    const key = args.at(LINE + position)
    if (withAccess) reply.array(2)
    reply.bulk(key.bytes, key.start, key.end)
    if (withAccess) replyWithStatuses(reply, command.accessNow?.(args, LINE) ?? accessOfKey(command, nth))
  })
}

function lineCommand(session: Session, args: Args): Command | undefined {
  const command = session.server.commands.get(nameOf(args.at(LINE)))
  if (command?.subcommands === undefined) return command
  return command.subcommands.get(nameOf(args.at(LINE + 1)))
}
