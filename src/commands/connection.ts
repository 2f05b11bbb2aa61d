// Commands about the connection itself: who is there, which protocol, which database.
//
// HELLO does what its options say one after the other, as Redis does: a name given before a wrong password stays.

import type { Slice } from '../base/slice.ts'
import { REDIS_VERSION } from '../base/version.ts'
import type { Args } from '../resp/args.ts'
import { type Command, FAST, IMMEDIATE, LOADING, NO_AUTH, NOSCRIPT, STALE } from './command.ts'
import { DATABASE_RANGE, NOT_AN_INTEGER, OUT_OF_INT32, SYNTAX_ERROR, wrongArity } from './errors.ts'
import { parseInt32, parseInteger } from './numbers.ts'
import type { Session } from './session.ts'
import { isWord, quoted } from './words.ts'

const ANY_TIME = LOADING | STALE | FAST
const HANDSHAKE = NOSCRIPT | ANY_TIME | NO_AUTH

export const connectionCommands = [
  {
    name: 'PING',
    arity: -1,
    flags: FAST,
    keys: null,
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    run: ping,
    summary: 'Answers PONG, or the message it was given.',
    since: '1.0.0',
    group: 'connection',
    complexity: 'O(1)',
  },
  {
    name: 'ECHO',
    arity: 2,
    flags: ANY_TIME,
    keys: null,
    run: (session, args) => bulk(session, args.at(1)),
    summary: 'Answers the message it was given.',
    since: '1.0.0',
    group: 'connection',
    complexity: 'O(1)',
  },
  {
    name: 'QUIT',
    arity: -1,
    flags: HANDSHAKE | IMMEDIATE,
    keys: null,
    run: quit,
    summary: 'Closes the connection when all replies have left.',
    since: '1.0.0',
    group: 'connection',
    complexity: 'O(1)',
  },
  {
    name: 'RESET',
    arity: 1,
    flags: HANDSHAKE | IMMEDIATE,
    keys: null,
    run: reset,
    summary: 'Makes the connection as it was when it was new.',
    since: '6.2.0',
    group: 'connection',
    complexity: 'O(1)',
  },
  {
    name: 'HELLO',
    arity: -1,
    flags: HANDSHAKE,
    keys: null,
    run: hello,
    summary: 'Chooses the protocol, may authenticate and name the connection, and describes the server.',
    since: '6.0.0',
    group: 'connection',
    complexity: 'O(1)',
  },
  {
    name: 'AUTH',
    arity: -2,
    flags: HANDSHAKE,
    keys: null,
    run: auth,
    summary: 'Gives the password.',
    since: '1.0.0',
    group: 'connection',
    complexity: 'O(1)',
    difference: 'There is one user, default, with one password.',
  },
  {
    name: 'SELECT',
    arity: 2,
    flags: ANY_TIME,
    keys: null,
    run: select,
    summary: 'Chooses the database of the commands that follow.',
    since: '1.0.0',
    group: 'connection',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.'
const NO_PASSWORD_SET =
  'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?'
const HELLO_FIRST =
  'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be ' +
  'used to authenticate the client and select the RESP protocol version at the same time'
export const BAD_CLIENT_NAME = 'ERR Client names cannot contain spaces, newlines or special characters.'

/** Names go into CLIENT LIST, where a blank or a line end would forge a field. */
export function isPlainName(name: Slice): boolean {
  for (let i = name.start; i < name.end; i++) {
    const byte = name.bytes[i]!
    if (byte < 0x21 || byte > 0x7e) return false
  }
  return true
}

function bulk(session: Session, { bytes, start, end }: Slice): void {
  session.reply.bulk(bytes, start, end)
}

function ping(session: Session, args: Args): void {
  if (session.subscriptions !== null && session.protocol === 2 && args.count <= 2) return pingSubscriber(session, args)
  if (args.count === 1) session.reply.simple('PONG')
  else if (args.count === 2) bulk(session, args.at(1))
  else session.reply.error(wrongArity('PING'))
}

/** As a message, since in RESP2 such a client reads nothing else. */
function pingSubscriber({ reply }: Session, args: Args): void {
  reply.array(2)
  reply.bulkText('pong')
  if (args.count === 1) reply.bulkText('')
  else reply.bulk(args.at(1).bytes, args.at(1).start, args.at(1).end)
}

function quit(session: Session): void {
  session.reply.ok()
  session.closeAfterReply = true
}

function reset(session: Session): void {
  session.transaction = null
  session.isExecuting = false
  session.server.unwatch(session)
  session.server.pubsub.unsubscribeAll(session)
  session.server.tracking.disable(session)
  if (session.isMonitor) session.server.monitor(session, false)
  session.database = 0
  session.protocol = 2
  session.name = ''
  session.noEvict = false
  session.noTouch = false
  if (session.replyMode !== 'skip') session.replyMode = 'on' // what was to be skipped is this reply
  session.authenticated = !session.server.passwordRequired
  session.reply.simple('RESET')
}

function hello(session: Session, args: Args): void {
  const { reply } = session
  let protocol = session.protocol
  if (args.count > 1) {
    const wanted = parseInteger(args.at(1))
    if (wanted === null) return reply.error('ERR Protocol version is not an integer or out of range')
    if (wanted !== 2 && wanted !== 3) return reply.error('NOPROTO unsupported protocol version')
    protocol = wanted
  }
  for (let i = 2; i < args.count; i++) {
    const left = args.count - 1 - i
    if (left >= 2 && isWord(args.at(i), 'AUTH')) {
      if (!authenticate(session, args.at(i + 1).key(), args.at(i + 2))) return reply.error(WRONG_PASSWORD)
      i += 2
    } else if (left >= 1 && isWord(args.at(i), 'SETNAME')) {
      const name = args.at(++i)
      if (!isPlainName(name)) return reply.error(BAD_CLIENT_NAME)
      session.name = name.key()
    } else {
      return reply.error(`ERR Syntax error in HELLO option '${quoted(args.at(i))}'`)
    }
  }
  if (!session.authenticated) return reply.error(HELLO_FIRST)
  session.protocol = protocol
  reply.map(7)
  reply.bulkText('server')
  reply.bulkText('redis')
  reply.bulkText('version')
  reply.bulkText(REDIS_VERSION)
  reply.bulkText('proto')
  reply.integer(protocol)
  reply.bulkText('id')
  reply.integer(session.id)
  reply.bulkText('mode')
  reply.bulkText('standalone')
  reply.bulkText('role')
  reply.bulkText('master')
  reply.bulkText('modules')
  reply.array(0)
}

function auth(session: Session, args: Args): void {
  const { reply, server } = session
  if (args.count > 3) return reply.error(SYNTAX_ERROR)
  if (args.count === 2 && !server.passwordRequired) return reply.error(NO_PASSWORD_SET)
  const user = args.count === 3 ? args.at(1).key() : 'default'
  if (authenticate(session, user, args.at(args.count - 1))) reply.ok()
  else reply.error(WRONG_PASSWORD)
}

function authenticate(session: Session, user: string, password: Slice): boolean {
  if (!session.server.checkPassword(user, password)) return false
  session.authenticated = true
  return true
}

function select(session: Session, args: Args): void {
  const database = parseInt32(args.at(1))
  if (database === null) return session.reply.error(NOT_AN_INTEGER)
  if (database === undefined) return session.reply.error(OUT_OF_INT32)
  if (database < 0 || database >= session.server.databases) return session.reply.error(DATABASE_RANGE)
  session.database = database
  session.reply.ok()
}
