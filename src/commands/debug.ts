// DEBUG: for tests of clients and of this server. Refused unless enable-debug-command allows it: SLEEP alone stops everybody.
//
//   SLEEP <seconds>             the whole process stops, like a machine that swaps or a kernel that waits for a disk
//   OBJECT <key>                how a value is kept, in Redis's line; the address is the number of its entry in the keydir
//   SET-ACTIVE-EXPIRE <0|1>     0: expired keys go when somebody asks for them, not in the background
//   RELOAD [options]            everything is put on disk and the values in memory are forgotten, so that they are read again.
//                               The keys stay: Redis's options (MERGE, NOFLUSH) speak of a file that is loaded beside them
//   CHANGE-REPL-ID              INFO's master_replid is another
//   ERROR, LOG, PROTOCOL        a reply of that kind, a line in the log
//
// What Redis has beyond that crashes it on purpose or shows structures that are not here.

import { blockThread } from '../base/clock.ts'
import { Slice } from '../base/slice.ts'
import { GATE_LOADING, NONE } from '../engine/engine.ts'
import type { Args } from '../resp/args.ts'
import { withoutAccess } from './access.ts'
import { ADMIN, type Command, LOADING, NOSCRIPT, PROTECTED, STALE } from './command.ts'
import { Serialization } from './dump-payload.ts'
import { NO_SUCH_KEY, STILL_LOADING } from './errors.ts'
import { replyWithHelp } from './help.ts'
import { encodingOf, referencesTo, SECOND_KEY } from './object.ts'
import type { Session } from './session.ts'
import { inSteps } from './steps.ts'
import { isWord, LOGGED_BYTES, quoted } from './words.ts'

const MAX_SLEEP_MS = 2 ** 31 - 1

export const debugCommands = [
  {
    name: 'DEBUG',
    arity: -2,
    flags: ADMIN | NOSCRIPT | LOADING | STALE | PROTECTED,
    keys: null,
    values: SECOND_KEY,
    needsValues: (args) => args.count === 3 && isWord(args.at(1), 'OBJECT'),
    run: debug,
    summary: 'Does what only tests want: stops the server, shows how a value is kept, and more (DEBUG HELP).',
    since: '1.0.0',
    group: 'server',
    complexity: 'Depends on the subcommand.',
    difference:
      'SLEEP, OBJECT, SET-ACTIVE-EXPIRE, RELOAD (forgets values in memory, keeps keys), CHANGE-REPL-ID, ERROR, LOG and PROTOCOL only.',
  },
] as const satisfies readonly Command[]

const DEBUG_HELP = [
  'CHANGE-REPL-ID',
  '    Change the replication id in INFO.',
  'ERROR <string>',
  '    Reply with an error of that text.',
  'LOG <message>',
  '    Write <message> to the log.',
  'OBJECT <key>',
  '    How the value of <key> is kept.',
  'PROTOCOL <type>',
  '    Reply with a value of that type of RESP.',
  'RELOAD [option ...]',
  '    Put everything on disk and forget the values in memory.',
  'SET-ACTIVE-EXPIRE <0|1>',
  '    0: expired keys go only when they are asked for.',
  'SLEEP <seconds>',
  '    Stop the server for so long. Decimals allowed.',
]

interface Action {
  readonly name: string
  /** Arguments with DEBUG and the name; negative: at least. */
  readonly arity: number
  readonly run: (session: Session, args: Args) => void
}

const ACTIONS: readonly Action[] = [
  { name: 'HELP', arity: 2, run: (session) => replyWithHelp(session, 'DEBUG', DEBUG_HELP) },
  { name: 'SLEEP', arity: 3, run: sleep },
  { name: 'OBJECT', arity: 3, run: object },
  { name: 'SET-ACTIVE-EXPIRE', arity: 3, run: setActiveExpire },
  { name: 'RELOAD', arity: -2, run: reload },
  { name: 'CHANGE-REPL-ID', arity: 2, run: changeReplicationId },
  { name: 'ERROR', arity: 3, run: ({ reply }, args) => reply.error(args.at(2).key()) },
  { name: 'LOG', arity: 3, run: log },
  { name: 'PROTOCOL', arity: 3, run: protocol },
]

function debug(session: Session, args: Args): void {
  const word = args.at(1)
  for (const { name, arity, run } of ACTIONS) {
    if (isWord(word, name) && (arity < 0 ? args.count >= -arity : args.count === arity)) return run(session, args)
  }
  session.reply.error(`ERR unknown subcommand or wrong number of arguments for '${quoted(word)}'. Try DEBUG HELP.`)
}

function sleep(session: Session, args: Args): void {
  const seconds = Number.parseFloat(args.at(2).key())
  if (seconds > 0) blockThread(Math.min(seconds * 1000, MAX_SLEEP_MS))
  session.reply.ok()
}

// DEBUG itself is allowed meanwhile, as in Redis: SLEEP, SET-ACTIVE-EXPIRE and the like need no keys.
function isLoading({ engine, reply }: Session): boolean {
  if ((engine.gate & GATE_LOADING) === 0) return false
  reply.error(STILL_LOADING)
  return true
}

function object(session: Session, args: Args): void {
  if (isLoading(session)) return
  const { engine, reply, database, now } = session
  const entry = engine.find(database, args.at(2))
  if (entry === NONE) return reply.error(NO_SUCH_KEY)
  const idle = engine.idleSeconds(entry)
  const value = new Slice()
  withoutAccess(engine, () => engine.keepValueOf(entry, value))
  const work = new Serialization(value, session.server.compressesPayloads)
  inSteps(
    session,
    () => work.step(),
    () =>
      reply.simple(
        `Value at:0x${entry.toString(16)} refcount:${referencesTo(value)} encoding:${encodingOf(value, value.length)} ` +
          `serializedlength:${work.encodedLength} lru:${(Math.floor(now / 1000) - idle) & 0xffffff} lru_seconds_idle:${idle}`,
      ),
  )
}

function setActiveExpire(session: Session, args: Args): void {
  // As C's atoi reads it: what is no number is 0.
  session.engine.expiresInBackground = (Number.parseInt(args.at(2).key(), 10) || 0) !== 0
  session.reply.ok()
}

function reload(session: Session, args: Args): void {
  const { engine, reply } = session
  let saves = true
  for (let i = 2; i < args.count; i++) {
    const word = args.at(i)
    if (isWord(word, 'NOSAVE')) saves = false
    else if (!isWord(word, 'MERGE') && !isWord(word, 'NOFLUSH')) {
      return reply.error('ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.')
    }
  }
  if (isLoading(session)) return
  // What a transaction does is written at its end, so there is nothing to wait for in it.
  if (!saves || session.isExecuting) {
    engine.forgetValues()
    return reply.ok()
  }
  const release = session.hold()
  engine.seal((error) => {
    engine.forgetValues()
    if (error === null) reply.ok()
    else reply.error(`ERR ${error.message}`)
    release()
  })
}

function changeReplicationId(session: Session): void {
  session.server.changeReplicationId()
  session.reply.ok()
}

function log(session: Session, args: Args): void {
  session.server.log(`DEBUG LOG: ${quoted(args.at(2), LOGGED_BYTES)}`)
  session.reply.ok()
}

const BIG = 1234567999999999999999999999999999999n
const TYPES = 'string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false'

function protocol(session: Session, args: Args): void {
  const { reply } = session
  const kind = args.at(2).key().toLowerCase()
  switch (kind) {
    case 'string':
      return reply.bulkText('Hello World')
    case 'integer':
      return reply.integer(12345)
    case 'double':
      // biome-ignore lint/suspicious/noApproximativeNumericConstant: Redis answers this number, not pi
      return reply.double(3.141)
    case 'bignum':
      return reply.bigNumber(BIG)
    case 'null':
      return reply.null()
    case 'array':
      reply.array(3)
      return threeNumbers(session)
    case 'set':
      reply.set(3)
      return threeNumbers(session)
    case 'map':
      reply.map(3)
      for (let i = 0; i < 3; i++) {
        reply.integer(i)
        reply.boolean(i === 1)
      }
      return
    case 'attrib':
      if (reply.protocol === 3) reply.raw(ATTRIBUTE, 0, ATTRIBUTE.length)
      return reply.bulkText('Some real reply following the attribute')
    case 'push':
      if (reply.protocol === 2) return reply.error('ERR RESP2 is not supported by this command')
      reply.push(2)
      reply.bulkText('server-cpu-usage')
      return reply.integer(42)
    case 'verbatim':
      return reply.verbatim('txt', 'This is a verbatim\nstring')
    case 'true':
    case 'false':
      return reply.boolean(kind === 'true')
    default:
      reply.error(`ERR Wrong protocol type name. Please use one of the following: ${TYPES}`)
  }
}

/** A map before a reply that tells about it: nobody but this sends one. */
const ATTRIBUTE = Buffer.from('|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n')

function threeNumbers(session: Session): void {
  for (let i = 0; i < 3; i++) session.reply.integer(i)
}
