// What a handler may know of the client it serves, and the ports to the rest of the server. The server implements both
// (server/connection.ts, server/server.ts); commands never see a socket.

import type { Timer } from '../base/clock.ts'
import type { Slice } from '../base/slice.ts'
import type { Engine, PendingRead } from '../engine/engine.ts'
import type { Args } from '../resp/args.ts'
import type { ReplyWriter } from '../resp/reply.ts'
import type { Command } from './command.ts'

/** A place kept in the reply stream for bytes that arrive later. Fill it exactly once. */
export interface ReplySlot {
  /** One bulk string; the bytes are not copied, so they must not change. */
  fillBulk(value: Slice): void
  fillError(text: string): void
  /** What will fill it: cancelled when nobody waits for the reply any more. */
  waitsFor(read: PendingRead): void
}

export interface Session {
  readonly id: number
  readonly engine: Engine
  readonly server: ServerPort
  /** Now: replies are appended here. */
  readonly reply: ReplyWriter
  /** Later: leaves a hole in the reply stream (also inside an array) that is filled when the bytes are there.
   * `expectedBytes` counts as said from now on, so that a client cannot have more read for it than it would be allowed to have waiting. */
  slot(expectedBytes: number): ReplySlot
  /** For replies that are collected before they are appended. False: this client may not leave so many bytes unread, and will be closed. */
  mayReply(bytes: number): boolean
  /**
   * Several ticks: the handler gives up the thread; `step` is called again in later ticks until it returns true, and no other
   * command of this connection runs before. For work over millions of keys (KEYS, SCAN with a huge COUNT, MERGE WAIT, SAVE).
   * Inside EXEC `step` is called in a loop, in one go.
   */
  stepwise(step: () => boolean): void
  /**
   * For a step that is about to write: false when it must not yet (the store stalls, or clients are paused). Then it returns false, and is
   * called again when it may.
   */
  mayWriteNow(): boolean
  /**
   * Holds the connection (no further commands run) until the returned function is called; the handler appends the reply before that.
   * `unblock`: CLIENT UNBLOCK asks to end the wait now, with an error or as if time were up. Without it, it cannot be asked to.
   */
  hold(unblock?: (withError: boolean) => void): () => void

  /**
   * Says something that is no reply: a message, an invalidation. It goes between replies, never into one: before the reply under way
   * when that has said nothing yet, else after it. Leaves when `stamp` is released (0: at once), and not at all if that write fails.
   * The bytes end in CRLF and must not be changed any more.
   */
  push(message: Buffer, stamp: number): void
  /** null: none. Set by PubSub only. */
  subscriptions: Subscriptions | null
  /** CLIENT TRACKING, null: off. Set by the server's table only. */
  tracking: Tracking | null

  database: number // logical, SELECT
  /** 2 or 3. Setting it changes the reply writer too. */
  protocol: 2 | 3
  name: string // latin1, '' none
  libName: string
  libVersion: string
  authenticated: boolean
  /** Is shown all commands. Set by ServerPort.monitor only. */
  readonly isMonitor: boolean
  noEvict: boolean
  noTouch: boolean
  /** CLIENT REPLY. SKIP sets 'skip-next' and says nothing; dispatch makes it 'skip' for the next command, then 'on'. */
  replyMode: 'on' | 'off' | 'skip-next' | 'skip'
  /** null outside MULTI. */
  transaction: Transaction | null
  watched: WatchedKey[]
  /** What the names cost that the server keeps for this client: its own, WATCH, subscriptions, prefixes. Counts against client-query-buffer-limit. */
  nameBytes: number
  /** Set when a watched key changed: EXEC then answers null. */
  watchBroken: boolean
  /** QUIT, and CLIENT KILL of oneself: close when the replies have left. */
  closeAfterReply: boolean
  readonly now: number // ms, the engine's now
  /** EXEC: runs a queued command, which appends its reply here and is counted like any other. */
  call(command: Command, args: Args): void
  /** True while EXEC runs its queue: `stepwise` then works in one go. */
  isExecuting: boolean
  /** One line of CLIENT LIST / INFO. */
  describe(): string
}

/** Names, latin1, in the order in which they came. Never all empty. */
export interface Subscriptions {
  readonly channel: Set<string>
  readonly pattern: Set<string>
  readonly shard: Set<string>
}

export type SubscriptionKind = keyof Subscriptions

/** What a client is told of changed keys. */
export interface Tracking {
  /** The client that is told instead; 0: none. */
  readonly redirect: number
  /** BCAST, with the prefixes that keys must have (latin1). */
  readonly broadcast: boolean
  readonly prefixes: ReadonlySet<string>
  readonly optIn: boolean
  readonly optOut: boolean
  readonly noLoop: boolean
  /** CLIENT CACHING was said for the next command. */
  caching: boolean
  /** The client of `redirect` is gone. */
  isBroken: boolean
}

export interface TrackingPort {
  /** Adds to the prefixes it has; the other options are set anew. */
  enable(session: Session, wanted: Omit<Tracking, 'caching' | 'isBroken'>): void
  disable(session: Session): void
  /** All keys of a database, or of all, have gone. */
  flushed(): void
}

/** What commands may ask of publish and subscribe. Names are latin1; what a client has is in `session.subscriptions`. */
export interface PubSubPort {
  readonly patternCount: number
  subscribe(session: Session, kind: SubscriptionKind, name: string): void
  unsubscribe(session: Session, kind: SubscriptionKind, name: string): void
  unsubscribeAll(session: Session): void
  /** Returns how many were reached; who has subscribed twice counts twice. */
  publish(channel: Slice, payload: Slice): number
  publishToShard(channel: Slice, payload: Slice): number
  /** Names that have subscribers. */
  names(kind: 'channel' | 'shard', pattern: Slice | null): string[]
  subscribers(kind: 'channel' | 'shard', name: string): number
}

export interface Transaction {
  readonly queue: { command: Command; args: Args }[]
  /** Flags of all queued commands together: EXEC is judged by them. */
  flags: number
  /** Bytes copied into the queue; counts against client-query-buffer-limit. */
  bytes: number
  /** A command was refused while queueing: EXEC answers EXECABORT. */
  broken: boolean
}

export interface WatchedKey {
  readonly database: number // logical
  readonly key: string // latin1
  readonly expiry: number // absolute ms when it was watched, 0 none
}

export interface ClientFilter {
  id?: number
  type?: string
  address?: string
  localAddress?: string
  user?: string
  skipMe?: boolean
  maxAgeSeconds?: number
}

/** A command that took long. */
export interface SlowlogEntry {
  readonly id: number
  readonly second: number // unix time
  readonly microseconds: number
  readonly args: readonly Buffer[] // trimmed
  readonly address: string
  readonly name: string // of the client, latin1
}

export interface SlowlogPort {
  readonly length: number
  /** Newest first, at most `count`. */
  entries(count: number): readonly SlowlogEntry[]
  reset(): void
}

export interface LatencySample {
  readonly second: number // unix time
  ms: number // the worst of that second
}

export interface LatencySeries {
  /** Oldest first. */
  readonly samples: readonly LatencySample[]
  readonly worstMs: number
}

export interface LatencyPort {
  /** latency-monitor-threshold; 0: nothing is kept. */
  readonly thresholdMs: number
  readonly events: ReadonlyMap<string, LatencySeries>
  /** Forgets these events, or all; returns how many there were. */
  reset(names: readonly string[]): number
}

/** How long the calls of a command took. */
export interface CommandLatency {
  readonly command: Command
  readonly calls: number
  /** How many took at most so many microseconds, rising. */
  readonly steps: readonly (readonly [microseconds: number, count: number])[]
}

/** Where memory goes, in bytes. */
export interface MemoryFacts {
  readonly usedBytes: number
  readonly peakBytes: number
  readonly startupBytes: number
  readonly rssBytes: number
  readonly systemBytes: number
  readonly heapUsedBytes: number
  readonly heapTotalBytes: number
  readonly bufferBytes: number
  readonly clients: number
  readonly clientBytes: number
  readonly idleBufferBytes: number
  readonly heapSpaces: readonly { readonly name: string; readonly usedBytes: number }[]
}

/** What commands may ask of the server as a whole. */
export interface ServerPort {
  readonly startedAt: number // unix ms
  readonly runId: string // 40 hex digits
  readonly databases: number
  /** proto-max-bulk-len: also the longest string APPEND and SETRANGE may make. */
  readonly maxBulkBytes: number
  /** hll-sparse-max-bytes */
  readonly hllSparseMaxBytes: number
  /** rdbcompression: whether DUMP makes long values smaller. */
  readonly compressesPayloads: boolean
  readonly commands: ReadonlyMap<string, Command>
  sessions(): Iterable<Session>
  sessionById(id: number): Session | undefined
  /** Closes connections that match; returns how many. */
  kill(filter: ClientFilter, self: Session): number
  /** CLIENT PAUSE for that long: all commands, or those that may change something. */
  pauseClients(ms: number, all: boolean): void
  unpauseClients(): void
  /** False: there is no such client, or it does not wait for anything that can be ended. */
  unblock(id: number, withError: boolean): boolean
  monitor(session: Session, isMonitor: boolean): void
  /** requirepass: constant time. User is 'default' or anything else (always refused). */
  checkPassword(user: string, password: Slice): boolean
  readonly passwordRequired: boolean
  /** The configuration's text is latin1, a character a byte: it may hold any. */
  configGet(patterns: string[]): [string, string][]
  /** null, or the error text (without '-'). A promise only where `configTakesTime` says so. */
  configSet(pairs: [string, string][]): string | null | Promise<string | null>
  configTakesTime(name: string): boolean
  configRewrite(): string | null
  resetStatistics(): void
  readonly slowlog: SlowlogPort
  readonly latency: LatencyPort
  /** Of all commands and subcommands that were called; [] when latency-tracking is off from the start. */
  commandLatencies(): CommandLatency[]
  /** INFO text of the asked sections (lower case; empty: default). */
  info(sections: string[]): string
  /** SAVE: like engine.seal, and counted for INFO. */
  save(done: (error: Error | null) => void): void
  /**
   * SHUTDOWN: stops accepting, commits, exits 0. `nosave` skips hint and image, never the commit; `now` does not wait for clients to read
   * their last replies; `force` ends also a store that cannot commit. null, or the error text (without '-') when it goes on.
   */
  shutdown(options: { nosave: boolean; now: boolean; force: boolean }): string | null
  abortShutdown(): boolean
  /** Calls back once after so many ms, however many. */
  after(ms: number, run: () => void): Timer
  /** Writes a line to the log. */
  log(text: string): void
  memory(): MemoryFacts
  /** MEMORY PURGE. */
  purgeMemory(): void
  changeReplicationId(): void
  watch(session: Session, database: number, key: Slice): void
  unwatch(session: Session): void
  /**
   * A whole database is about to change (FLUSHDB, FLUSHALL, SWAPDB): keys watched in it are touched if they exist in it, or in
   * the one it is about to be swapped with. Logical numbers.
   */
  touchDatabase(database: number, swappedWith?: number): void
  readonly pubsub: PubSubPort
  readonly tracking: TrackingPort
  /** Classes of keyspace events that somebody may hear of, 0 nearly always: commands ask events.ts, not this. */
  readonly announced: number
  /** Keys that reading commands found, and did not find. */
  readonly lookups: { hits: number; misses: number }
  announce(eventClass: number, name: string, database: number, key: Slice): void
}
