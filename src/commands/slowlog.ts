// SLOWLOG: the commands that took long. server/slowlog.ts keeps them, server/dispatch.ts says which they are.

import type { Args } from '../resp/args.ts'
import { ADMIN, type Command, LOADING, STALE } from './command.ts'
import { replyWithHelp, wrongSubcommandArity } from './help.ts'
import { parseInteger } from './numbers.ts'
import type { Session } from './session.ts'
import { subcommandsOf } from './subcommands.ts'

const FLAGS = ADMIN | LOADING | STALE
const DEFAULT_COUNT = 10

const subcommands = [
  {
    name: 'SLOWLOG|GET',
    arity: -2,
    flags: FLAGS,
    keys: null,
    tips: ['request_policy:all_nodes', 'nondeterministic_output'],
    run: get,
    summary: 'Returns the last slow commands, newest first.',
    since: '2.2.12',
    group: 'server',
    complexity: 'O(N) for N entries.',
  },
  {
    name: 'SLOWLOG|LEN',
    arity: 2,
    flags: FLAGS,
    keys: null,
    tips: ['request_policy:all_nodes', 'response_policy:agg_sum', 'nondeterministic_output'],
    run: (session) => session.reply.integer(session.server.slowlog.length),
    summary: 'Returns how many slow commands are kept.',
    since: '2.2.12',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'SLOWLOG|RESET',
    arity: 2,
    flags: FLAGS,
    keys: null,
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    run: reset,
    summary: 'Forgets them.',
    since: '2.2.12',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'SLOWLOG|HELP',
    arity: 2,
    flags: LOADING | STALE,
    keys: null,
    run: (session) => replyWithHelp(session, 'SLOWLOG', HELP),
    summary: 'Explains the subcommands.',
    since: '6.2.0',
    group: 'server',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

export const slowlogCommands = [
  {
    name: 'SLOWLOG',
    arity: -2,
    flags: 0,
    keys: null,
    subcommands: subcommandsOf(subcommands),
    run: () => {},
    summary: 'A container for commands about slow commands.',
    since: '2.2.12',
    group: 'server',
    complexity: 'That of the subcommand.',
  },
] as const satisfies readonly Command[]

const HELP = [
  'GET [<count>]',
  '    The last <count> slow commands, newest first (default: 10, -1: all). Of each:',
  '    number, time, microseconds, arguments, address and name of the client.',
  'LEN',
  '    How many are kept.',
  'RESET',
  '    Forgets them.',
]

function get(session: Session, args: Args): void {
  const { reply, server } = session
  if (args.count > 3) return reply.error(wrongSubcommandArity('SLOWLOG', args.at(1)))
  const asked = args.count === 3 ? parseInteger(args.at(2)) : DEFAULT_COUNT
  if (asked === null || asked < -1) return reply.error('ERR count should be greater than or equal to -1')
  const entries = server.slowlog.entries(asked === -1 ? server.slowlog.length : Number(asked))
  reply.array(entries.length)
  for (const entry of entries) {
    reply.array(6)
    reply.integer(entry.id)
    reply.integer(entry.second)
    reply.integer(entry.microseconds)
    reply.array(entry.args.length)
    for (const each of entry.args) reply.bulk(each, 0, each.length)
    reply.bulkText(entry.address)
    reply.bulkText(entry.name)
  }
}

function reset(session: Session): void {
  session.server.slowlog.reset()
  session.reply.ok()
}
