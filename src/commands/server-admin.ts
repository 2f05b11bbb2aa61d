// Commands about the server as a whole: what it is (INFO, TIME), how it is set (CONFIG), and making it safe or ending it
// (SAVE, SHUTDOWN). What they ask for is done behind the ports of session.ts; here is only the wording.
//
// There is no snapshot in a Bitcask: the data files are the data. So SAVE means that everything written so far is on disk and
// the segment that was being written is finished, with its hint.

import type { Args } from '../resp/args.ts'
import { ADMIN, type Command, FAST, LOADING, NO_MULTI, NOSCRIPT, STALE } from './command.ts'
import { SYNTAX_ERROR } from './errors.ts'
import { replyWithHelp } from './help.ts'
import type { Session } from './session.ts'
import { subcommandsOf } from './subcommands.ts'
import { isWord, nameOf } from './words.ts'

const ADMIN_ANY_TIME = ADMIN | NOSCRIPT | LOADING | STALE

const configCommands = [
  {
    name: 'CONFIG|GET',
    arity: -3,
    flags: ADMIN_ANY_TIME,
    keys: null,
    run: configGet,
    summary: 'Returns the directives that match any of the patterns, with their values.',
    since: '2.0.0',
    group: 'server',
    complexity: 'O(N) for N directives and patterns.',
  },
  {
    name: 'CONFIG|SET',
    arity: -4,
    flags: ADMIN_ANY_TIME,
    keys: null,
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    run: configSet,
    summary: 'Changes directives, all of them or, when one is refused, none.',
    since: '2.0.0',
    group: 'server',
    complexity: 'O(N) for N directives.',
    difference: '`port` and `bind` take time, so they are refused in a transaction.',
  },
  {
    name: 'CONFIG|REWRITE',
    arity: 2,
    flags: ADMIN_ANY_TIME,
    keys: null,
    run: (session) => replyOkOr(session, session.server.configRewrite()),
    summary: 'Writes the current directives into the configuration file, which keeps its comments.',
    since: '2.8.0',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'CONFIG|RESETSTAT',
    arity: 2,
    flags: ADMIN_ANY_TIME,
    keys: null,
    run: (session) => {
      session.server.resetStatistics()
      session.reply.ok()
    },
    summary: 'Sets the counters that INFO shows back to zero.',
    since: '2.0.0',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'CONFIG|HELP',
    arity: 2,
    flags: LOADING | STALE,
    keys: null,
    run: (session) => replyWithHelp(session, 'CONFIG', CONFIG_HELP),
    summary: 'Explains the subcommands.',
    since: '5.0.0',
    group: 'server',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

const CONFIG_HELP = [
  'GET <pattern> [<pattern> ...]',
  '    Directives whose names match a glob-like pattern, with their values.',
  'SET <directive> <value> [<directive> <value> ...]',
  '    Change directives, all or none.',
  'RESETSTAT',
  '    Set the counters of INFO back to zero.',
  'REWRITE',
  '    Write the current directives into the configuration file.',
]

export const serverAdminCommands = [
  {
    name: 'INFO',
    arity: -1,
    flags: LOADING | STALE,
    keys: null,
    tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
    categories: ['dangerous'],
    run: info,
    summary: 'Returns facts and figures about the server, in sections.',
    since: '1.0.0',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'CONFIG',
    arity: -2,
    flags: 0,
    keys: null,
    run: () => {},
    subcommands: subcommandsOf(configCommands),
    summary: 'Reads and changes the configuration.',
    since: '2.0.0',
    group: 'server',
    complexity: 'Depends on the subcommand.',
  },
  {
    name: 'TIME',
    arity: 1,
    flags: LOADING | STALE | FAST,
    keys: null,
    tips: ['nondeterministic_output'],
    run: time,
    summary: "Returns the server's clock: Unix seconds, and microseconds of the current one.",
    since: '2.6.0',
    group: 'server',
    complexity: 'O(1)',
    difference: 'The clock is read in milliseconds, once for all commands that arrive together.',
  },
  {
    name: 'SAVE',
    arity: 1,
    flags: ADMIN | NOSCRIPT | NO_MULTI,
    keys: null,
    run: save,
    summary:
      'Returns when all data is on disk and the current segment is finished. Other clients are served meanwhile.',
    since: '1.0.0',
    group: 'server',
    complexity: 'O(N) for N bytes of the current segment.',
    difference: 'Holds only the client that asked. Makes no file of its own.',
  },
  {
    name: 'BGSAVE',
    arity: -1,
    flags: ADMIN | NOSCRIPT,
    keys: null,
    run: bgsave,
    summary: 'Starts what SAVE does and returns at once.',
    since: '1.0.0',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'LASTSAVE',
    arity: 1,
    flags: LOADING | STALE | FAST,
    keys: null,
    tips: ['nondeterministic_output'],
    categories: ['admin', 'dangerous'],
    run: (session) => session.reply.integer(Math.floor(session.engine.stats().lastSeal / 1000)),
    summary: 'Returns the Unix time in seconds when a segment was last finished.',
    since: '1.0.0',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'SHUTDOWN',
    arity: -1,
    flags: ADMIN_ANY_TIME | NO_MULTI,
    keys: null,
    run: shutdown,
    summary: 'Makes all data safe and ends the server. NOSAVE leaves out what only makes the next start faster.',
    since: '1.0.0',
    group: 'server',
    complexity: 'O(N) for N bytes not yet on disk.',
    difference: 'No acknowledged write is lost, also with NOSAVE.',
  },
] as const satisfies readonly Command[]

function info(session: Session, args: Args): void {
  const sections: string[] = []
  for (let i = 1; i < args.count; i++) sections.push(nameOf(args.at(i)).toLowerCase())
  session.reply.verbatim('txt', session.server.info(sections))
}

function time(session: Session): void {
  const { reply, now } = session
  reply.array(2)
  reply.bulkText(String(Math.floor(now / 1000)))
  reply.bulkText(String((now % 1000) * 1000))
}

// --- configuration: bytes, and so latin1

function configGet(session: Session, args: Args): void {
  const { reply, server } = session
  const patterns: string[] = []
  for (let i = 2; i < args.count; i++) patterns.push(args.at(i).key())
  const directives = server.configGet(patterns)
  reply.map(directives.length)
  for (const text of directives.flat()) {
    const bytes = Buffer.from(text, 'latin1')
    reply.bulk(bytes, 0, bytes.length)
  }
}

function configSet(session: Session, args: Args): void {
  if (args.count % 2 !== 0) return session.reply.error(SYNTAX_ERROR)
  const { server } = session
  const pairs: [string, string][] = []
  for (let i = 2; i < args.count; i += 2) pairs.push([args.at(i).key(), args.at(i + 1).key()])
  const slow = pairs.find(([name]) => server.configTakesTime(name))
  if (slow !== undefined && session.isExecuting) {
    return session.reply.error(`ERR ${slow[0].toLowerCase()} can't be set in a transaction: it takes time`)
  }
  const outcome = server.configSet(pairs)
  if (!(outcome instanceof Promise)) return replyOkOr(session, outcome)
  const release = session.hold()
  void outcome.then((error) => {
    replyOkOr(session, error)
    release()
  })
}

function replyOkOr(session: Session, error: string | null): void {
  if (error === null) session.reply.ok()
  else session.reply.error(error)
}

// --- saving and stopping

function save(session: Session): void {
  const release = session.hold()
  session.server.save((error) => {
    if (error === null) session.reply.ok()
    else session.reply.error(`ERR ${error.message}`)
    release()
  })
}

function bgsave(session: Session, args: Args): void {
  if (args.count > 2 || (args.count === 2 && !isWord(args.at(1), 'SCHEDULE'))) {
    return session.reply.error(SYNTAX_ERROR)
  }
  // Nobody waits for the outcome: the engine logs a failure, and INFO and LASTSAVE show it.
  session.server.save(() => {})
  session.reply.simple('Background saving started')
}

function shutdown(session: Session, args: Args): void {
  const { reply, server } = session
  let save = false
  let abort = false
  const options = { nosave: false, now: false, force: false }
  for (let i = 1; i < args.count; i++) {
    const word = args.at(i)
    if (isWord(word, 'NOSAVE')) options.nosave = true
    else if (isWord(word, 'SAVE')) save = true
    else if (isWord(word, 'NOW')) options.now = true
    else if (isWord(word, 'FORCE')) options.force = true
    else if (isWord(word, 'ABORT')) abort = true
    else return reply.error(SYNTAX_ERROR)
  }
  const others = save || options.nosave || options.now || options.force
  if ((abort && others) || (save && options.nosave)) return reply.error(SYNTAX_ERROR)
  if (abort) {
    if (server.abortShutdown()) reply.ok()
    else reply.error('ERR No shutdown in progress.')
    return
  }
  const refusal = server.shutdown(options)
  if (refusal !== null) return reply.error(refusal)
  session.hold() // there is no reply: the connection ends with the server
}
