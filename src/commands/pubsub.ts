// Publish and subscribe: the commands. Who gets what, and when it leaves, is server/pubsub.ts's business.
//
// SUBSCRIBE and its kin answer once for each name, in the form of a message, so their number of replies is the number of names: inside
// EXEC too, where clients have to know that. These confirmations are said even after CLIENT REPLY OFF, as messages are.

import type { Slice } from '../base/slice.ts'
import type { Args } from '../resp/args.ts'
import { ReplyWriter } from '../resp/reply.ts'
import { ALL_KEYS, type Command, FAST, FIRST_KEY, LOADING, MAY_REPLICATE, NOSCRIPT, PUBSUB, STALE } from './command.ts'
import { replyWithHelp, wrongSubcommandArity } from './help.ts'
import type { Session, SubscriptionKind } from './session.ts'
import { subcommandsOf } from './subcommands.ts'

const ANY_TIME = PUBSUB | LOADING | STALE
const SUBSCRIBING = ANY_TIME | NOSCRIPT
const NOT_KEYS = [['not_key']] as const

const pubsubCommand = [
  {
    name: 'PUBSUB|CHANNELS',
    arity: -2,
    flags: ANY_TIME,
    keys: null,
    run: (session, args) => channels(session, args, 'channel'),
    summary: 'Returns the channels that have subscribers, all or those that match a pattern.',
    since: '2.8.0',
    group: 'pubsub',
    complexity: 'O(N) for N channels.',
  },
  {
    name: 'PUBSUB|NUMSUB',
    arity: -2,
    flags: ANY_TIME,
    keys: null,
    run: (session, args) => subscribers(session, args, 'channel'),
    summary: 'Returns how many subscribers channels have, without those of patterns.',
    since: '2.8.0',
    group: 'pubsub',
    complexity: 'O(N) for N channels asked for.',
  },
  {
    name: 'PUBSUB|NUMPAT',
    arity: 2,
    flags: ANY_TIME,
    keys: null,
    run: (session) => session.reply.integer(session.server.pubsub.patternCount),
    summary: 'Returns how many different patterns are subscribed to.',
    since: '2.8.0',
    group: 'pubsub',
    complexity: 'O(1)',
  },
  {
    name: 'PUBSUB|SHARDCHANNELS',
    arity: -2,
    flags: ANY_TIME,
    keys: null,
    run: (session, args) => channels(session, args, 'shard'),
    summary: 'Returns the shard channels that have subscribers, all or those that match a pattern.',
    since: '7.0.0',
    group: 'pubsub',
    complexity: 'O(N) for N shard channels.',
  },
  {
    name: 'PUBSUB|SHARDNUMSUB',
    arity: -2,
    flags: ANY_TIME,
    keys: null,
    run: (session, args) => subscribers(session, args, 'shard'),
    summary: 'Returns how many subscribers shard channels have.',
    since: '7.0.0',
    group: 'pubsub',
    complexity: 'O(N) for N shard channels asked for.',
  },
  {
    name: 'PUBSUB|HELP',
    arity: 2,
    flags: LOADING | STALE,
    keys: null,
    run: (session) => replyWithHelp(session, 'PUBSUB', HELP),
    summary: 'Explains the subcommands.',
    since: '6.2.0',
    group: 'pubsub',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

const HELP = [
  'CHANNELS [<pattern>]',
  '    Channels that have subscribers.',
  'NUMPAT',
  '    How many different patterns are subscribed to.',
  'NUMSUB [<channel> ...]',
  '    How many subscribers channels have, without those of patterns.',
  'SHARDCHANNELS [<pattern>]',
  '    Shard channels that have subscribers.',
  'SHARDNUMSUB [<shardchannel> ...]',
  '    How many subscribers shard channels have.',
]

export const pubsubCommands = [
  {
    name: 'SUBSCRIBE',
    arity: -2,
    flags: SUBSCRIBING,
    keys: null,
    run: (session, args) => subscribe(session, args, 'channel', 'subscribe'),
    summary: 'Listens to channels.',
    since: '2.0.0',
    group: 'pubsub',
    complexity: 'O(N) for N channels.',
  },
  {
    name: 'UNSUBSCRIBE',
    arity: -1,
    flags: SUBSCRIBING,
    keys: null,
    run: (session, args) => unsubscribe(session, args, 'channel', 'unsubscribe'),
    summary: 'Stops listening to channels, or to all of them.',
    since: '2.0.0',
    group: 'pubsub',
    complexity: 'O(N) for N channels.',
  },
  {
    name: 'PSUBSCRIBE',
    arity: -2,
    flags: SUBSCRIBING,
    keys: null,
    run: (session, args) => subscribe(session, args, 'pattern', 'psubscribe'),
    summary: 'Listens to all channels that match patterns.',
    since: '2.0.0',
    group: 'pubsub',
    complexity: 'O(N) for N patterns.',
  },
  {
    name: 'PUNSUBSCRIBE',
    arity: -1,
    flags: SUBSCRIBING,
    keys: null,
    run: (session, args) => unsubscribe(session, args, 'pattern', 'punsubscribe'),
    summary: 'Gives up patterns, or all of them.',
    since: '2.0.0',
    group: 'pubsub',
    complexity: 'O(N) for N patterns.',
  },
  {
    name: 'SSUBSCRIBE',
    arity: -2,
    flags: SUBSCRIBING,
    keys: ALL_KEYS,
    access: NOT_KEYS,
    run: (session, args) => subscribe(session, args, 'shard', 'ssubscribe'),
    summary: 'Listens to shard channels.',
    since: '7.0.0',
    group: 'pubsub',
    complexity: 'O(N) for N shard channels.',
  },
  {
    name: 'SUNSUBSCRIBE',
    arity: -1,
    flags: SUBSCRIBING,
    keys: ALL_KEYS,
    access: NOT_KEYS,
    run: (session, args) => unsubscribe(session, args, 'shard', 'sunsubscribe'),
    summary: 'Stops listening to shard channels, or to all of them.',
    since: '7.0.0',
    group: 'pubsub',
    complexity: 'O(N) for N shard channels.',
  },
  {
    name: 'PUBLISH',
    arity: 3,
    flags: ANY_TIME | FAST | MAY_REPLICATE,
    keys: null,
    run: (session, args) => session.reply.integer(session.server.pubsub.publish(args.at(1), args.at(2))),
    summary: 'Sends a message to the subscribers of a channel and returns how many they are.',
    since: '2.0.0',
    group: 'pubsub',
    complexity: 'O(N+M) for N subscribers of the channel and M patterns.',
    difference:
      'A message waits until what was written before it is released, and is dropped when that fails. ' +
      'A client never gets a message in the middle of a reply of its own.',
  },
  {
    name: 'SPUBLISH',
    arity: 3,
    flags: ANY_TIME | FAST | MAY_REPLICATE,
    keys: FIRST_KEY,
    access: NOT_KEYS,
    run: (session, args) => session.reply.integer(session.server.pubsub.publishToShard(args.at(1), args.at(2))),
    summary: 'Sends a message to the subscribers of a shard channel and returns how many they are.',
    since: '7.0.0',
    group: 'pubsub',
    complexity: 'O(N) for N subscribers.',
  },
  {
    name: 'PUBSUB',
    arity: -2,
    flags: 0,
    keys: null,
    run: () => {},
    subcommands: subcommandsOf(pubsubCommand),
    summary: 'A container for commands about subscriptions.',
    since: '2.8.0',
    group: 'pubsub',
    complexity: 'That of the subcommand.',
  },
] as const satisfies readonly Command[]

function subscribe(session: Session, args: Args, kind: SubscriptionKind, word: string): void {
  // To Redis a client in a transaction cannot wait for messages; for channels and patterns it makes an exception.
  if (kind === 'shard' && session.isExecuting) {
    return session.reply.error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
  }
  for (let i = 1; i < args.count; i++) {
    session.server.pubsub.subscribe(session, kind, args.at(i).key())
    confirm(session, word, args.at(i), countOf(session, kind))
  }
}

function unsubscribe(session: Session, args: Args, kind: SubscriptionKind, word: string): void {
  const { pubsub } = session.server
  if (args.count > 1) {
    for (let i = 1; i < args.count; i++) {
      pubsub.unsubscribe(session, kind, args.at(i).key())
      confirm(session, word, args.at(i), countOf(session, kind))
    }
    return
  }
  const names = [...(session.subscriptions?.[kind] ?? [])]
  for (const name of names) {
    pubsub.unsubscribe(session, kind, name)
    confirm(session, word, name, countOf(session, kind))
  }
  if (names.length === 0) confirm(session, word, null, countOf(session, kind))
}

/** Channels and patterns are counted together, shard channels apart. */
function countOf({ subscriptions }: Session, kind: SubscriptionKind): number {
  if (subscriptions === null) return 0
  return kind === 'shard' ? subscriptions.shard.size : subscriptions.channel.size + subscriptions.pattern.size
}

function confirm(session: Session, word: string, name: Slice | string | null, count: number): void {
  const isSilent = session.replyMode !== 'on'
  const pen = isSilent ? new ReplyWriter(session.protocol) : session.reply
  pen.push(3)
  pen.bulkText(word)
  if (name === null) pen.null()
  else if (typeof name === 'string') bytesOf(pen, name)
  else pen.bulk(name.bytes, name.start, name.end)
  pen.integer(count)
  if (isSilent) session.push(pen.bytes.subarray(0, pen.length), 0)
}

/** Names are kept as latin1, a character a byte. */
function bytesOf(pen: ReplyWriter, name: string): void {
  const bytes = Buffer.from(name, 'latin1')
  pen.bulk(bytes, 0, bytes.length)
}

function channels(session: Session, args: Args, kind: 'channel' | 'shard'): void {
  const { reply, server } = session
  if (args.count > 3) return reply.error(wrongSubcommandArity('PUBSUB', args.at(1)))
  const names = server.pubsub.names(kind, args.count === 3 ? args.at(2) : null)
  reply.array(names.length)
  for (const name of names) bytesOf(reply, name)
}

function subscribers(session: Session, args: Args, kind: 'channel' | 'shard'): void {
  const { reply, server } = session
  reply.array(2 * (args.count - 2))
  for (let i = 2; i < args.count; i++) {
    const { bytes, start, end } = args.at(i)
    reply.bulk(bytes, start, end)
    reply.integer(server.pubsub.subscribers(kind, args.at(i).key()))
  }
}
