// Who has subscribed to what, and the way of a message to them.
//
// Three name spaces that know nothing of each other: channels, patterns over channels, and shard channels (a cluster's; alone, a
// server answers for all of them). A message to a channel goes to its subscribers in the order in which they came, then once for each
// pattern that fits; who has both gets it twice, as in Redis.
//
// When a message leaves: not before everything that was written before it was published is released. A message says that
// something has happened; whoever gets it and asks must not be told otherwise after a crash. So it is stamped with the newest
// append there is, whether or not that was made by its own command, and so is PUBLISH's reply. That costs nothing but under
// appendfsync always, where Redis too syncs before it sends. When those writes fail, the message is not sent at all.
//
// Between a client's replies messages go in one piece: see Connection.push.

import { globMatch } from '../base/glob.ts'
import { type Slice, sliceOf } from '../base/slice.ts'
import type { PubSubPort, Session, SubscriptionKind, Subscriptions } from '../commands/session.ts'
import type { Engine } from '../engine/engine.ts'
import { ReplyWriter } from '../resp/reply.ts'

/** What a subscription costs beside its name: the entry of the client, and that of the server with its set. Measured. */
const CHANNEL_BYTES = 232
const PATTERN_BYTES = 432

interface Pattern {
  readonly glob: Slice
  readonly sessions: Set<Session>
}

export class PubSub implements PubSubPort {
  private readonly engine: Engine
  private readonly channels: Map<string, Set<Session>>
  private readonly shards: Map<string, Set<Session>>
  private readonly patterns: Map<string, Pattern>

  constructor(engine: Engine) {
    this.engine = engine
    this.channels = new Map()
    this.shards = new Map()
    this.patterns = new Map()
  }

  get channelCount(): number {
    return this.channels.size
  }

  get patternCount(): number {
    return this.patterns.size
  }

  get shardChannelCount(): number {
    return this.shards.size
  }

  /** Whether a message to some channel could reach anybody. */
  get hasListeners(): boolean {
    return this.channels.size > 0 || this.patterns.size > 0
  }

  subscribe(session: Session, kind: SubscriptionKind, name: string): void {
    session.subscriptions ??= { channel: new Set(), pattern: new Set(), shard: new Set() }
    const own = session.subscriptions[kind]
    if (own.has(name)) return
    own.add(name)
    session.nameBytes += costOf(kind, name)
    if (kind === 'pattern') {
      const known = this.patterns.get(name)
      if (known === undefined) this.patterns.set(name, { glob: sliceOf(name), sessions: new Set([session]) })
      else known.sessions.add(session)
      return
    }
    const map = this.named(kind)
    const sessions = map.get(name)
    if (sessions === undefined) map.set(name, new Set([session]))
    else sessions.add(session)
  }

  unsubscribe(session: Session, kind: SubscriptionKind, name: string): void {
    const subscriptions = session.subscriptions
    if (!subscriptions?.[kind].delete(name)) return
    session.nameBytes -= costOf(kind, name)
    if (kind === 'pattern') {
      const pattern = this.patterns.get(name)!
      pattern.sessions.delete(session)
      if (pattern.sessions.size === 0) this.patterns.delete(name)
    } else {
      const map = this.named(kind)
      const sessions = map.get(name)!
      sessions.delete(session)
      if (sessions.size === 0) map.delete(name)
    }
    if (isEmpty(subscriptions)) session.subscriptions = null
  }

  unsubscribeAll(session: Session): void {
    for (const kind of ['channel', 'pattern', 'shard'] as const) {
      for (const name of session.subscriptions?.[kind] ?? []) this.unsubscribe(session, kind, name)
    }
  }

  publish(channel: Slice, payload: Slice): number {
    const name = channel.key()
    const message = new Message(payload, this.stamp())
    let receivers = 0
    const sessions = this.channels.get(name)
    if (sessions !== undefined) receivers += message.send(['message', channel], sessions)
    for (const { glob, sessions: matching } of this.patterns.values()) {
      if (globMatch(glob, channel)) receivers += message.send(['pmessage', glob, channel], matching)
    }
    return receivers
  }

  publishToShard(channel: Slice, payload: Slice): number {
    const sessions = this.shards.get(channel.key())
    return sessions === undefined ? 0 : new Message(payload, this.stamp()).send(['smessage', channel], sessions)
  }

  names(kind: 'channel' | 'shard', pattern: Slice | null): string[] {
    const names = [...this.named(kind).keys()]
    return pattern === null ? names : names.filter((name) => globMatch(pattern, sliceOf(name)))
  }

  subscribers(kind: 'channel' | 'shard', name: string): number {
    return this.named(kind).get(name)?.size ?? 0
  }

  private named(kind: 'channel' | 'shard'): Map<string, Set<Session>> {
    return kind === 'channel' ? this.channels : this.shards
  }

  private stamp(): number {
    const { engine } = this
    if (engine.appended > engine.dependsOn) engine.dependsOn = engine.appended
    return engine.appended
  }
}

/** What is published, drawn once for each protocol and way it is delivered. */
class Message {
  private readonly payload: Slice
  private readonly stamp: number

  constructor(payload: Slice, stamp: number) {
    this.payload = payload
    this.stamp = stamp
  }

  send(head: readonly [string, ...Slice[]], sessions: ReadonlySet<Session>): number {
    let two: Buffer | null = null
    let three: Buffer | null = null
    const receivers = sessions.size // who is closed by this very message has been reached, too
    for (const session of sessions) {
      if (session.protocol === 3) session.push((three ??= this.draw(3, head)), this.stamp)
      else session.push((two ??= this.draw(2, head)), this.stamp)
    }
    return receivers
  }

  private draw(protocol: 2 | 3, [word, ...names]: readonly [string, ...Slice[]]): Buffer {
    const pen = new ReplyWriter(protocol)
    pen.push(names.length + 2)
    pen.bulkText(word)
    for (const { bytes, start, end } of names) pen.bulk(bytes, start, end)
    pen.bulk(this.payload.bytes, this.payload.start, this.payload.end)
    return pen.bytes.subarray(0, pen.length)
  }
}

/** A pattern is there twice: as a name, and as bytes to match with. */
function costOf(kind: SubscriptionKind, name: string): number {
  return kind === 'pattern' ? 2 * name.length + PATTERN_BYTES : name.length + CHANNEL_BYTES
}

function isEmpty({ channel, pattern, shard }: Subscriptions): boolean {
  return channel.size + pattern.size + shard.size === 0
}
