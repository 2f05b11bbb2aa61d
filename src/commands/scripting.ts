// SCRIPT and FUNCTION: what a Redis answers in which no script and no function was ever loaded.
//
// Casky runs no Lua. So EVAL, EVALSHA and FCALL are not there at all, nor is SCRIPT LOAD: a program that needs them learns it from the
// first answer, COMMAND INFO says nil of them, and nobody is told "NOSCRIPT, use EVAL" to be refused a second time. What only clears
// up, asks or stops is answered truthfully: nothing is loaded, nothing runs. FUNCTION LOAD answers what a Redis does when it has no
// engine of that name, and FUNCTION RESTORE takes the one payload it can: that of no functions.

import type { Args } from '../resp/args.ts'
import { type Command, GROWS, LOADING, NOSCRIPT, STALE, WRITE } from './command.ts'
import { emptyPayload, isEmptyPayload, isSoundPayload } from './dump-payload.ts'
import { replyWithHelp } from './help.ts'
import type { Session } from './session.ts'
import { subcommandsOf } from './subcommands.ts'
import { isWord, quoted } from './words.ts'

const NOT_BUSY = 'NOTBUSY No scripts in execution right now.'
const ALL_SHARDS = 'request_policy:all_shards'
const ALL_SUCCEEDED = 'response_policy:all_succeeded'
const NO_LUA = 'Casky runs no scripts.'

const scriptSubcommands = [
  {
    name: 'SCRIPT|FLUSH',
    arity: -2,
    flags: NOSCRIPT,
    keys: null,
    tips: ['request_policy:all_nodes', ALL_SUCCEEDED],
    run: scriptFlush,
    summary: 'Forgets all scripts: there are none.',
    since: '2.6.0',
    group: 'scripting',
    complexity: 'O(1)',
  },
  {
    name: 'SCRIPT|EXISTS',
    arity: -3,
    flags: NOSCRIPT,
    keys: null,
    tips: [ALL_SHARDS, 'response_policy:agg_logical_and'],
    run: scriptExists,
    summary: 'Returns for each script whether it is loaded: none is.',
    since: '2.6.0',
    group: 'scripting',
    complexity: 'O(N) for N scripts.',
  },
  {
    name: 'SCRIPT|KILL',
    arity: 2,
    flags: NOSCRIPT,
    keys: null,
    tips: [ALL_SHARDS, 'response_policy:one_succeeded'],
    run: (session) => session.reply.error(NOT_BUSY),
    summary: 'Stops the script that runs: an error, since none does.',
    since: '2.6.0',
    group: 'scripting',
    complexity: 'O(1)',
  },
  {
    name: 'SCRIPT|DEBUG',
    arity: 3,
    flags: NOSCRIPT,
    keys: null,
    run: scriptDebug,
    summary: 'Sets how later scripts of this client are debugged: there are none.',
    since: '3.2.0',
    group: 'scripting',
    complexity: 'O(1)',
  },
  {
    name: 'SCRIPT|HELP',
    arity: 2,
    flags: LOADING | STALE,
    keys: null,
    run: (session) => replyWithHelp(session, 'SCRIPT', SCRIPT_HELP),
    summary: 'Explains the subcommands.',
    since: '5.0.0',
    group: 'scripting',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

const SCRIPT_HELP = [
  'EXISTS <sha1> [<sha1> ...]',
  '    Whether these scripts are loaded: none is, Casky runs no scripts.',
  'FLUSH [ASYNC|SYNC]',
  '    Forget all scripts.',
  'KILL',
  '    Stop the script that runs.',
  'DEBUG (YES|SYNC|NO)',
  '    How later scripts are debugged.',
]

const functionSubcommands = [
  {
    name: 'FUNCTION|FLUSH',
    arity: -2,
    flags: WRITE | NOSCRIPT,
    keys: null,
    tips: [ALL_SHARDS, ALL_SUCCEEDED],
    run: functionFlush,
    summary: 'Deletes all libraries: there are none.',
    since: '7.0.0',
    group: 'scripting',
    complexity: 'O(1)',
  },
  {
    name: 'FUNCTION|LIST',
    arity: -2,
    flags: NOSCRIPT,
    keys: null,
    tips: ['nondeterministic_output_order'],
    run: functionList,
    summary: 'Returns the libraries: none.',
    since: '7.0.0',
    group: 'scripting',
    complexity: 'O(1)',
  },
  {
    name: 'FUNCTION|STATS',
    arity: 2,
    flags: NOSCRIPT,
    keys: null,
    tips: ['nondeterministic_output', ALL_SHARDS, 'response_policy:special'],
    run: functionStats,
    summary: 'Returns the function that runs, and for each engine what is loaded: nothing.',
    since: '7.0.0',
    group: 'scripting',
    complexity: 'O(1)',
    difference: 'Names the engine LUA, with nothing loaded, because tools look for it; nothing can be loaded.',
  },
  {
    name: 'FUNCTION|KILL',
    arity: 2,
    flags: NOSCRIPT,
    keys: null,
    tips: [ALL_SHARDS, 'response_policy:one_succeeded'],
    run: (session) => session.reply.error(NOT_BUSY),
    summary: 'Stops the function that runs: an error, since none does.',
    since: '7.0.0',
    group: 'scripting',
    complexity: 'O(1)',
  },
  {
    name: 'FUNCTION|DUMP',
    arity: 2,
    flags: NOSCRIPT,
    keys: null,
    run: functionDump,
    summary: 'Returns all libraries as a payload: that of none.',
    since: '7.0.0',
    group: 'scripting',
    complexity: 'O(1)',
  },
  {
    name: 'FUNCTION|DELETE',
    arity: 3,
    flags: WRITE | NOSCRIPT,
    keys: null,
    tips: [ALL_SHARDS, ALL_SUCCEEDED],
    run: (session) => session.reply.error('ERR Library not found'),
    summary: 'Deletes a library: an error, since there is none.',
    since: '7.0.0',
    group: 'scripting',
    complexity: 'O(1)',
  },
  {
    name: 'FUNCTION|LOAD',
    arity: -3,
    flags: WRITE | GROWS | NOSCRIPT,
    keys: null,
    tips: [ALL_SHARDS, ALL_SUCCEEDED],
    run: functionLoad,
    summary: 'Libraries cannot be loaded: an error.',
    since: '7.0.0',
    group: 'scripting',
    complexity: 'O(1)',
    difference: NO_LUA,
  },
  {
    name: 'FUNCTION|RESTORE',
    arity: -3,
    flags: WRITE | GROWS | NOSCRIPT,
    keys: null,
    tips: [ALL_SHARDS, ALL_SUCCEEDED],
    run: functionRestore,
    summary: 'Takes a payload of FUNCTION DUMP that has no libraries; any other is an error.',
    since: '7.0.0',
    group: 'scripting',
    complexity: 'O(N) for N bytes of the payload.',
    difference: NO_LUA,
  },
  {
    name: 'FUNCTION|HELP',
    arity: 2,
    flags: LOADING | STALE,
    keys: null,
    run: (session) => replyWithHelp(session, 'FUNCTION', FUNCTION_HELP),
    summary: 'Explains the subcommands.',
    since: '7.0.0',
    group: 'scripting',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

const FUNCTION_HELP = [
  'LIST [LIBRARYNAME <pattern>] [WITHCODE], DUMP, STATS',
  '    What is loaded: nothing, Casky runs no functions.',
  'FLUSH [ASYNC|SYNC], DELETE <library>, KILL',
  '    Delete what is loaded, stop what runs.',
  'LOAD [REPLACE] <code>',
  '    Refused.',
  'RESTORE <payload> [FLUSH|APPEND|REPLACE]',
  '    Takes a payload of no functions.',
]

export const scriptingCommands = [
  {
    name: 'SCRIPT',
    arity: -2,
    flags: 0,
    keys: null,
    run: () => {},
    subcommands: subcommandsOf(scriptSubcommands),
    summary: 'Scripts: none is loaded, and none can be.',
    since: '2.6.0',
    group: 'scripting',
    complexity: 'Depends on the subcommand.',
    difference: `${NO_LUA} SCRIPT LOAD, EVAL and their cousins are unknown commands.`,
  },
  {
    name: 'FUNCTION',
    arity: -2,
    flags: 0,
    keys: null,
    run: () => {},
    subcommands: subcommandsOf(functionSubcommands),
    summary: 'Functions: none is loaded, and none can be.',
    since: '7.0.0',
    group: 'scripting',
    complexity: 'Depends on the subcommand.',
    difference: `${NO_LUA} FCALL and FCALL_RO are unknown commands.`,
  },
] as const satisfies readonly Command[]

/** SYNC, ASYNC or nothing. */
function isFlushMode(args: Args): boolean {
  return args.count === 2 || (args.count === 3 && (isWord(args.at(2), 'SYNC') || isWord(args.at(2), 'ASYNC')))
}

function scriptFlush(session: Session, args: Args): void {
  if (isFlushMode(args)) session.reply.ok()
  else session.reply.error('ERR SCRIPT FLUSH only support SYNC|ASYNC option')
}

function scriptExists(session: Session, args: Args): void {
  session.reply.array(args.count - 2)
  for (let i = 2; i < args.count; i++) session.reply.integer(0)
}

function scriptDebug(session: Session, args: Args): void {
  const mode = args.at(2)
  if (isWord(mode, 'YES') || isWord(mode, 'SYNC') || isWord(mode, 'NO')) session.reply.ok()
  else session.reply.error('ERR Use SCRIPT DEBUG YES/SYNC/NO')
}

function functionFlush(session: Session, args: Args): void {
  if (isFlushMode(args)) session.reply.ok()
  else if (args.count === 3) session.reply.error('ERR FUNCTION FLUSH only supports SYNC|ASYNC option')
  else session.reply.error(unknownOrArity(args))
}

function unknownOrArity(args: Args): string {
  return `ERR unknown subcommand or wrong number of arguments for '${quoted(args.at(1))}'. Try FUNCTION HELP.`
}

function functionList(session: Session, args: Args): void {
  const { reply } = session
  let hasPattern = false
  let hasCode = false
  for (let i = 2; i < args.count; i++) {
    if (!hasCode && isWord(args.at(i), 'WITHCODE')) {
      hasCode = true
    } else if (!hasPattern && isWord(args.at(i), 'LIBRARYNAME')) {
      if (++i === args.count) return reply.error('ERR library name argument was not given')
      hasPattern = true
    } else {
      return reply.error(`ERR Unknown argument ${args.at(i).key()}`)
    }
  }
  reply.array(0)
}

function functionStats(session: Session): void {
  const { reply } = session
  reply.map(2)
  reply.bulkText('running_script')
  reply.null()
  reply.bulkText('engines')
  reply.map(1)
  reply.bulkText('LUA')
  reply.map(2)
  reply.bulkText('libraries_count')
  reply.integer(0)
  reply.bulkText('functions_count')
  reply.integer(0)
}

function functionDump(session: Session): void {
  const payload = emptyPayload()
  session.reply.bulk(payload, 0, payload.length)
}

function functionLoad(session: Session, args: Args): void {
  const { reply } = session
  const last = args.count - 1
  for (let i = 2; i < last; i++) {
    if (!isWord(args.at(i), 'REPLACE')) return reply.error(`ERR Unknown option given: ${args.at(i).key()}`)
  }
  reply.error(whyNotLoaded(quoted(args.at(last), MAX_METADATA_BYTES)))
}

/** Of a library nothing but its first line is read. */
const MAX_METADATA_BYTES = 64 * 1024

/** A library begins with a line that names its engine and itself: #!lua name=mylib */
function whyNotLoaded(code: string): string {
  if (!code.startsWith('#!')) return 'ERR Missing library metadata'
  const end = code.indexOf('\n')
  if (end < 0) return 'ERR Invalid library metadata'
  const [engine = '', ...values] = code.slice(2, end).split(' ')
  let name: string | null = null
  for (const value of values) {
    if (value === '') continue
    if (!/^name=/i.test(value)) return `ERR Invalid metadata value given: ${value}`
    if (name !== null) return 'ERR Invalid metadata value, name argument was given multiple times'
    name = value.slice('name='.length)
  }
  if (name === null) return 'ERR Library name was not given'
  if (!/^\w+$/.test(name)) {
    return 'ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long'
  }
  return `ERR Engine '${engine}' not found`
}

function functionRestore(session: Session, args: Args): void {
  const { reply } = session
  if (args.count > 4) return reply.error(unknownOrArity(args))
  const policy = args.count === 4 ? args.at(3) : null
  if (policy !== null && !isWord(policy, 'FLUSH') && !isWord(policy, 'APPEND') && !isWord(policy, 'REPLACE')) {
    return reply.error('ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.')
  }
  const payload = args.at(2)
  if (!isSoundPayload(payload)) reply.error('ERR DUMP payload version or checksum are wrong')
  else if (isEmptyPayload(payload)) reply.ok()
  else reply.error('ERR Casky runs no functions, and this payload has some')
}
