// CLIENT: what the server knows of its clients, and what they may ask for themselves.

import type { Slice } from '../base/slice.ts'
import { REDIS_VERSION } from '../base/version.ts'
import type { Args } from '../resp/args.ts'
import { ADMIN, type Command, LOADING, NOSCRIPT, STALE } from './command.ts'
import { BAD_CLIENT_NAME, isPlainName } from './connection.ts'
import { NOT_AN_INTEGER, SYNTAX_ERROR } from './errors.ts'
import { replyWithHelp, wrongSubcommandArity } from './help.ts'
import { parseInteger } from './numbers.ts'
import type { ClientFilter, Session } from './session.ts'
import { subcommandsOf } from './subcommands.ts'
import { TRACKING_HELP, trackingSubcommands } from './tracking.ts'
import { isWord, nameOf, quoted } from './words.ts'

const ANY_TIME = NOSCRIPT | LOADING | STALE
const PER_CLIENT = 'O(N) for N clients.'
/** Of CLIENT LIST's text, one string until it is said. All clients that there can be fit in, with names of usual length. */
const MAX_LIST_BYTES = 64 * 1024 * 1024

const subcommands = [
  {
    name: 'CLIENT|PAUSE',
    arity: -3,
    flags: ADMIN | ANY_TIME,
    keys: null,
    run: pause,
    summary: 'Makes commands of all clients wait: all, or those that write.',
    since: '2.9.50',
    group: 'connection',
    complexity: PER_CLIENT,
    difference: 'Keys expire while clients are paused.',
  },
  {
    name: 'CLIENT|UNPAUSE',
    arity: 2,
    flags: ADMIN | ANY_TIME,
    keys: null,
    run: unpause,
    summary: 'Lets commands go on.',
    since: '6.2.0',
    group: 'connection',
    complexity: PER_CLIENT,
  },
  {
    name: 'CLIENT|UNBLOCK',
    arity: -3,
    flags: ADMIN | ANY_TIME,
    keys: null,
    run: unblock,
    summary: 'Ends the waiting of a client that waits for others (WAIT).',
    since: '5.0.0',
    group: 'connection',
    complexity: 'O(1)',
  },
  {
    name: 'CLIENT|ID',
    arity: 2,
    flags: ANY_TIME,
    keys: null,
    run: (session) => session.reply.integer(session.id),
    summary: 'Returns the number of the connection; numbers are never used twice.',
    since: '5.0.0',
    group: 'connection',
    complexity: 'O(1)',
  },
  {
    name: 'CLIENT|GETNAME',
    arity: 2,
    flags: ANY_TIME,
    keys: null,
    run: (session) => (session.name === '' ? session.reply.null() : session.reply.bulkText(session.name)),
    summary: 'Returns the name of the connection.',
    since: '2.6.9',
    group: 'connection',
    complexity: 'O(1)',
  },
  {
    name: 'CLIENT|SETNAME',
    arity: 3,
    flags: ANY_TIME,
    keys: null,
    run: setName,
    summary: 'Gives the connection a name.',
    since: '2.6.9',
    group: 'connection',
    complexity: 'O(1)',
  },
  {
    name: 'CLIENT|SETINFO',
    arity: 4,
    flags: ANY_TIME,
    keys: null,
    run: setInfo,
    summary: 'Tells name and version of the client library.',
    since: '7.2.0',
    group: 'connection',
    complexity: 'O(1)',
  },
  {
    name: 'CLIENT|INFO',
    arity: 2,
    flags: ANY_TIME,
    keys: null,
    tips: ['nondeterministic_output'],
    run: (session) => session.reply.verbatim('txt', `${session.describe()}\n`),
    summary: 'Describes this connection.',
    since: '6.2.0',
    group: 'connection',
    complexity: 'O(1)',
  },
  {
    name: 'CLIENT|LIST',
    arity: -2,
    flags: ADMIN | ANY_TIME,
    keys: null,
    tips: ['nondeterministic_output'],
    run: list,
    summary: 'Describes connections: all, those of a type, or those with given numbers.',
    since: '2.4.0',
    group: 'connection',
    complexity: PER_CLIENT,
    difference:
      'Input buffers are shared, so qbuf-free is 0; rbp is the size of the reply buffer, as rbs. ' +
      'Of a name the first 1,024 bytes are shown; a list of more than 64 MiB is refused.',
  },
  {
    name: 'CLIENT|KILL',
    arity: -3,
    flags: ADMIN | ANY_TIME,
    keys: null,
    run: kill,
    summary: 'Closes connections: the one from an address, or all that fit every filter.',
    since: '2.4.0',
    group: 'connection',
    complexity: PER_CLIENT,
  },
  {
    name: 'CLIENT|NO-EVICT',
    arity: 3,
    flags: ADMIN | ANY_TIME,
    keys: null,
    run: (session, args) => onOff(session, args, (on) => (session.noEvict = on)),
    summary: 'Makes the connection the last to be closed for the memory that clients take together.',
    since: '7.0.0',
    group: 'connection',
    complexity: 'O(1)',
    difference:
      'What all clients together may put on the heap (names, queued commands) is bounded, without a directive: beyond it who has ' +
      'the most is closed, and those with this flag last.',
  },
  {
    name: 'CLIENT|NO-TOUCH',
    arity: 3,
    flags: ANY_TIME,
    keys: null,
    run: (session, args) => onOff(session, args, (on) => (session.noTouch = on)),
    summary: 'Reading commands of this connection do not count as access to the keys.',
    since: '7.2.0',
    group: 'connection',
    complexity: 'O(1)',
  },
  {
    name: 'CLIENT|REPLY',
    arity: 3,
    flags: ANY_TIME,
    keys: null,
    run: replyMode,
    summary: 'Switches replies on or off, or skips the next one.',
    since: '3.2.0',
    group: 'connection',
    complexity: 'O(1)',
  },
  {
    name: 'CLIENT|HELP',
    arity: 2,
    flags: LOADING | STALE,
    keys: null,
    run: (session) => replyWithHelp(session, 'CLIENT', [...HELP, ...TRACKING_HELP]),
    summary: 'Lists the subcommands.',
    since: '5.0.0',
    group: 'connection',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

export const clientCommands = [
  {
    name: 'CLIENT',
    arity: -2,
    flags: 0,
    keys: null,
    subcommands: subcommandsOf([...subcommands, ...trackingSubcommands]),
    run: () => {},
    summary: 'A container for commands about connections.',
    since: '2.4.0',
    group: 'connection',
    complexity: 'That of the subcommand.',
  },
] as const satisfies readonly Command[]

const HELP = [
  'GETNAME',
  '    Returns the name of the connection.',
  'ID',
  '    Returns the number of the connection.',
  'INFO',
  '    Describes this connection.',
  'KILL <ip:port>',
  '    Closes the connection from that address.',
  'KILL <option> <value> [<option> <value> [...]]',
  '    Closes the connections that fit all options:',
  '    * ID <number>',
  '    * ADDR (<ip:port>|<unixsocket>:0)',
  '    * LADDR (<ip:port>|<unixsocket>:0)',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '    * USER <username>',
  '    * SKIPME (YES|NO)',
  '      Whether this connection is left out (default: yes).',
  'LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <number> [...]]',
  '    Describes connections.',
  'NO-EVICT (ON|OFF)',
  '    When clients take too much memory together, closes this one last.',
  'NO-TOUCH (ON|OFF)',
  '    Reading does not count as access to the keys.',
  'PAUSE <timeout> [WRITE|ALL]',
  '    Makes commands of all clients wait for <timeout> milliseconds: those that write, or all (default).',
  'REPLY (ON|OFF|SKIP)',
  '    Switches replies on or off, or skips the next one.',
  'UNBLOCK <clientid> [TIMEOUT|ERROR]',
  '    Ends the waiting of a client: as if time were up (default), or with an error.',
  'UNPAUSE',
  '    Lets commands go on.',
  'SETINFO (LIB-NAME|LIB-VER) <text>',
  `    Tells name and version of the client library (as in ${REDIS_VERSION}).`,
  'SETNAME <name>',
  '    Gives the connection a name; an empty one takes it away.',
]

const TYPES = ['NORMAL', 'MASTER', 'REPLICA', 'SLAVE', 'PUBSUB']

function setName(session: Session, args: Args): void {
  const name = args.at(2)
  if (!isPlainName(name)) return session.reply.error(BAD_CLIENT_NAME)
  session.name = name.key()
  session.reply.ok()
}

function setInfo(session: Session, args: Args): void {
  const { reply } = session
  const option = args.at(2)
  const value = args.at(3)
  const isName = isWord(option, 'LIB-NAME')
  if (!isName && !isWord(option, 'LIB-VER')) return reply.error(`ERR Unrecognized option '${quoted(option)}'`)
  if (!isPlainName(value))
    return reply.error(`ERR ${option.key()} cannot contain spaces, newlines or special characters.`)
  if (isName) session.libName = value.key()
  else session.libVersion = value.key()
  reply.ok()
}

function list(session: Session, args: Args): void {
  const { reply, server } = session
  let sessions: Iterable<Session>
  if (args.count === 2) sessions = server.sessions()
  else if (args.count === 4 && isWord(args.at(2), 'TYPE')) {
    const type = typeOf(nameOf(args.at(3)))
    if (type === undefined) return reply.error(unknownType(args.at(3)))
    sessions = [...server.sessions()].filter((one) => (one.subscriptions === null ? 'normal' : 'pubsub') === type)
  } else if (args.count > 3 && isWord(args.at(2), 'ID')) {
    const found: Session[] = []
    for (let i = 3; i < args.count; i++) {
      const id = parseInteger(args.at(i))
      if (id === null) return reply.error('ERR Invalid client ID')
      const one = server.sessionById(Number(id))
      if (one !== undefined) found.push(one)
    }
    sessions = found
  } else return reply.error(SYNTAX_ERROR)
  let text = ''
  for (const one of sessions) {
    text += `${one.describe()}\n`
    if (text.length > MAX_LIST_BYTES)
      return reply.error('ERR the list is too long: ask for some of the clients with ID')
  }
  reply.verbatim('txt', text)
}

function kill(session: Session, args: Args): void {
  const { reply, server } = session
  if (args.count === 3) {
    // The old form closes one connection, also this one, and says whether there was one.
    if (server.kill({ address: args.at(2).key() }, session) > 0) reply.ok()
    else reply.error('ERR No such client')
    return
  }
  const filter = filterOf(args)
  if (typeof filter === 'string') reply.error(filter)
  else reply.integer(server.kill(filter, session))
}

/** The filter, or the text of an error. */
function filterOf(args: Args): ClientFilter | string {
  const filter: ClientFilter = { skipMe: true }
  for (let i = 2; i < args.count; i += 2) {
    if (i + 1 >= args.count) return SYNTAX_ERROR
    const option = args.at(i)
    const value = args.at(i + 1)
    if (isWord(option, 'ID')) {
      const id = parseInteger(value)
      if (id === null || id < 1) return 'ERR client-id should be greater than 0'
      filter.id = Number(id)
    } else if (isWord(option, 'TYPE')) {
      const type = typeOf(nameOf(value))
      if (type === undefined) return unknownType(value)
      filter.type = type
    } else if (isWord(option, 'ADDR')) {
      filter.address = value.key()
    } else if (isWord(option, 'LADDR')) {
      filter.localAddress = value.key()
    } else if (isWord(option, 'USER')) {
      if (quoted(value) !== 'default') return `ERR No such user '${quoted(value)}'`
      filter.user = 'default'
    } else if (isWord(option, 'SKIPME')) {
      if (!isWord(value, 'YES') && !isWord(value, 'NO')) return SYNTAX_ERROR
      filter.skipMe = isWord(value, 'YES')
    } else return SYNTAX_ERROR
  }
  return filter
}

function pause(session: Session, args: Args): void {
  const { reply, server } = session
  if (args.count > 4) return reply.error(wrongSubcommandArity('CLIENT', args.at(1)))
  let all = true
  if (args.count === 4) {
    all = isWord(args.at(3), 'ALL')
    if (!all && !isWord(args.at(3), 'WRITE')) return reply.error('ERR CLIENT PAUSE mode must be WRITE or ALL')
  }
  const ms = parseInteger(args.at(2))
  if (ms === null) return reply.error('ERR timeout is not an integer or out of range')
  if (ms < 0) return reply.error('ERR timeout is negative')
  // Redis adds this to the time of day, and what overflows has been over long ago.
  if (Number(ms) <= Number.MAX_SAFE_INTEGER) server.pauseClients(Number(ms), all)
  reply.ok()
}

function unpause({ reply, server }: Session): void {
  server.unpauseClients()
  reply.ok()
}

function unblock({ reply, server }: Session, args: Args): void {
  if (args.count > 4) return reply.error(wrongSubcommandArity('CLIENT', args.at(1)))
  const withError = args.count === 4 && isWord(args.at(3), 'ERROR')
  if (args.count === 4 && !withError && !isWord(args.at(3), 'TIMEOUT')) {
    return reply.error('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR')
  }
  const id = parseInteger(args.at(2))
  if (id === null) return reply.error(NOT_AN_INTEGER)
  reply.integer(server.unblock(Number(id), withError) ? 1 : 0)
}

function replyMode(session: Session, args: Args): void {
  const mode = args.at(2)
  if (isWord(mode, 'ON')) {
    session.replyMode = 'on'
    session.reply.ok()
  } else if (isWord(mode, 'OFF')) {
    session.replyMode = 'off'
  } else if (isWord(mode, 'SKIP')) {
    if (session.replyMode !== 'off') session.replyMode = 'skip-next'
  } else {
    session.reply.error(SYNTAX_ERROR)
  }
}

function onOff(session: Session, args: Args, set: (on: boolean) => void): void {
  const word = args.at(2)
  if (!isWord(word, 'ON') && !isWord(word, 'OFF')) return session.reply.error(SYNTAX_ERROR)
  set(isWord(word, 'ON'))
  session.reply.ok()
}

/** In lower case, undefined for a word that names no type. */
function typeOf(word: string): string | undefined {
  return TYPES.find((type) => type === word)?.toLowerCase()
}

function unknownType(word: Slice): string {
  return `ERR Unknown client type '${quoted(word)}'`
}
