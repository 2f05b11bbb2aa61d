// The server as a whole: who is connected, what they share, and the port through which commands ask about it.
//
//   listener.ts  ->  adopt.ts  ->  connection.ts  ->  dispatch.ts  ->  a command's handler
//                                        ^                                   |
//                                        +----  tick.ts: write, then send  <-+
//
// The configuration is read here once and copied into plain fields; listeners keep those up to date. Nothing on the way of a
// command looks anything up by name.

import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { type Clock, MAX_TIMER_MS, type Timer } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Slice } from '../base/slice.ts'
import { Spans } from '../base/spans.ts'
import type { Command } from '../commands/command.ts'
import type { CommandTable } from '../commands/command-table.ts'
import type { ClientFilter, CommandLatency, MemoryFacts, ServerPort, Session } from '../commands/session.ts'
import type { Config } from '../config/config.ts'
import type { Engine, EngineEvents } from '../engine/engine.ts'
import { GATE_FAILED, GATE_STALLED } from '../engine/engine.ts'
import { renderInfo } from '../observability/info.ts'
import type { DecoderLimits } from '../resp/request.ts'
import { Admission, type AdmissionOptions } from './admission.ts'
import { adopt } from './adopt.ts'
import { BufferPool } from './buffer-pool.ts'
import { Connection } from './connection.ts'
import { Dispatch } from './dispatch.ts'
import { gatherFacts } from './facts.ts'
import { Gather } from './gather.ts'
import { LatencyMonitor } from './latency.ts'
import { heapLimitBytes, memoryFacts, purgeMemory, usedMemoryBytes } from './memory.ts'
import { Monitor } from './monitor.ts'
import { Notifications } from './notifications.ts'
import type { OutputLimit } from './output-limit.ts'
import { Passwords } from './passwords.ts'
import { Pause } from './pause.ts'
import { peerOf } from './peer.ts'
import { PubSub } from './pubsub.ts'
import { Slowlog } from './slowlog.ts'
import { Statistics } from './statistics.ts'
import { Tick } from './tick.ts'
import { TrackingTable } from './tracking.ts'
import { Watch } from './watch.ts'

/** One read fills at most this much; every connection reads into the same buffer. */
const RECEIVE_BYTES = 64 * 1024
/** Who has a password to give has given it by then. */
const AUTHENTICATION_SECONDS = 60
// V8's heap is one for all, and at its end the process ends. So these may have parts of it, and the rest is for work.
const CLIENTS_HEAP_SHARE = 0.5
const TRACKING_HEAP_SHARE = 0.125

export interface ServerOptions extends AdmissionOptions {
  readonly table: CommandTable
  /** SHUTDOWN was asked for. */
  readonly onShutdown: (options: { nosave: boolean; now: boolean }) => void
  /** SHUTDOWN ABORT: false when there is nothing to abort. */
  readonly onAbortShutdown: () => boolean
  /** V8's heap; for tests. */
  readonly heapLimitBytes?: number
}

export class Server implements ServerPort {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  readonly table: CommandTable
  readonly commands: ReadonlyMap<string, Command>
  readonly startedAt: number
  readonly runId: string
  /** INFO's master_replid; DEBUG CHANGE-REPL-ID makes it another. */
  replicationId: string
  readonly databases: number
  readonly statistics: Statistics
  readonly slowlog: Slowlog
  readonly latency: LatencyMonitor
  readonly monitors: Monitor
  readonly pause: Pause
  readonly buffers: BufferPool
  readonly decoderLimits: DecoderLimits
  /** Keys that a connection sees coming in its pipeline. */
  readonly upcoming: Spans
  /** Connections whose write waits for a stalled store. */
  readonly stalled: Set<Connection>
  engine!: Engine
  tick!: Tick
  gather!: Gather
  dispatch!: Dispatch
  outputLimit: OutputLimit
  hllSparseMaxBytes: number
  compressesPayloads: boolean
  /** Classes of keyspace events that are announced, 0: none. Asked after every change of a key, so it is a plain field. */
  announced: number
  /** client-output-buffer-limit of clients with subscriptions. */
  subscribersOutputLimit: OutputLimit
  /** What all clients together have put on V8's heap: names, queued commands and reads under way (Client.heapBytes). */
  clientHeapBytes: number
  readonly maxClientHeapBytes: number
  readonly admission: Admission
  port: number
  pubsub!: PubSub
  tracking!: TrackingTable
  private notifications!: Notifications
  private watching!: Watch
  private readonly options: ServerOptions
  private readonly passwords: Passwords
  private readonly connections: Map<number, Connection>
  private readonly receiveBuffer: Buffer
  private nextId: number
  private idleSeconds: number
  private keepaliveSeconds: number
  private cronTimer: Timer | null
  private cronMs: number
  private lastSecond: number

  constructor(options: ServerOptions) {
    const { config, clock, table } = options
    this.config = config
    this.clock = clock
    this.logger = options.logger
    this.table = table
    this.commands = table.byName
    this.startedAt = clock.now()
    this.runId = randomBytes(20).toString('hex')
    this.replicationId = randomBytes(20).toString('hex')
    this.databases = config.get('databases')
    this.statistics = new Statistics()
    this.slowlog = new Slowlog()
    this.latency = new LatencyMonitor()
    this.monitors = new Monitor()
    this.pause = new Pause(clock, () => this.connections.values())
    this.buffers = new BufferPool()
    this.upcoming = new Spans()
    this.decoderLimits = { maxBulkBytes: 0, maxQueryBytes: 0 }
    this.stalled = new Set()
    this.outputLimit = config.get('client-output-buffer-limit').normal
    this.announced = 0
    this.subscribersOutputLimit = config.get('client-output-buffer-limit').pubsub
    this.clientHeapBytes = 0
    this.maxClientHeapBytes = CLIENTS_HEAP_SHARE * (options.heapLimitBytes ?? heapLimitBytes())
    this.admission = new Admission(options)
    this.port = config.get('port')
    this.options = options
    this.passwords = new Passwords(config.get('requirepass'))
    this.connections = new Map()
    this.receiveBuffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES)
    this.nextId = 1
    this.idleSeconds = 0
    this.keepaliveSeconds = 0
    this.hllSparseMaxBytes = Number(config.get('hll-sparse-max-bytes'))
    this.compressesPayloads = config.get('rdbcompression')
    this.cronTimer = null
    this.cronMs = 100
    this.lastSecond = 0
    this.readConfiguration()
  }

  /** What the engine tells; it needs this before there is an engine to give to `serve`. */
  readonly events: EngineEvents = {
    onReleased: () => this.tick.onReleased(),
    onFailed: (first, message) => {
      for (const connection of this.connections.values()) {
        connection.output.fail(first, message)
        this.tick.dirty(connection)
      }
    },
    onGate: () => this.unparkStalled(),
    onChange: (physical, key, change) => {
      this.notifications.changed(physical, key, change)
      if (this.tracking.isTracking) this.tracking.changed(key, change)
      this.watching.changed(physical, key)
    },
    onTook: (what, ms) => this.latency.note(what, ms, this.clock.now()),
  }

  /** The engine is there, though it may still be loading: from now on clients can be served. */
  serve(engine: Engine): void {
    const { clock, latency, logger, slowlog, statistics, table } = this
    this.engine = engine
    this.watching = new Watch(engine, this.databases, this.interest)
    this.pubsub = new PubSub(engine)
    this.notifications = new Notifications(engine, this.databases, this.pubsub)
    this.tracking = new TrackingTable({
      maxBytes: TRACKING_HEAP_SHARE * (this.options.heapLimitBytes ?? heapLimitBytes()),
      sessionById: (id) => this.connections.get(id),
      beforeSending: (task) => this.tick.beforeSending(task),
      interest: this.interest,
    })
    this.followNotifications()
    this.dispatch = new Dispatch({
      table,
      engine,
      statistics,
      clock,
      logger,
      slowlog,
      latency,
      monitor: this.monitors,
      limits: this.decoderLimits,
    })
    this.gather = new Gather(engine, this.dispatch, this.upcoming)
    this.tick = new Tick(clock, engine, this.gather)
    this.followObservation()
    statistics.startMemoryBytes = usedMemoryBytes(engine)
    this.cron()
  }

  // --- clients come and go

  /** A client was accepted; nothing of it has been read. */
  readonly accept = (accepted: Socket, isUnix: boolean): void => {
    this.statistics.connectionsReceived++
    const refusal = this.admission.refusal(accepted, isUnix, this.connections.size, this.passwords.required)
    if (refusal !== null) {
      this.statistics.connectionsRejected++
      this.admission.refuse(accepted, refusal)
      return
    }
    const peer = peerOf(accepted, isUnix, this.config.get('unixsocket'))
    if (peer === null) {
      accepted.destroy() // gone already
      return
    }
    const adopted = adopt(accepted, this.receiveBuffer, (bytes, length) => connection.receive(bytes, length))
    const { socket } = adopted
    const connection = new Connection(this, this.nextId++, adopted, peer, !this.passwords.required)
    this.connections.set(connection.id, connection)
    if (this.pause.gates !== 0) connection.closePauseGates(this.pause.gates)
    if (!isUnix && this.keepaliveSeconds > 0) socket.setKeepAlive(true, this.keepaliveSeconds * 1000)
    socket.on('end', () => connection.endInput())
    socket.on('error', () => connection.close())
    socket.on('close', () => connection.close())
    adopted.start()
    this.options.logger.verbose(`Accepted ${peer.address}`)
  }

  /** A connection says that it is over. */
  left(connection: Connection): void {
    this.connections.delete(connection.id)
    this.options.logger.verbose(`Client closed connection id=${connection.id} addr=${connection.peer.address}`)
    this.stalled.delete(connection)
    this.pause.forget(connection)
    if (connection.isMonitor) this.monitor(connection, false)
    this.tick.forget(connection)
    this.unwatch(connection)
    this.pubsub.unsubscribeAll(connection)
    this.tracking.leave(connection)
    connection.transaction = null
    connection.name = connection.libName = connection.libVersion = ''
  }

  /** Together they have put too much on the heap: who has the most is closed, as by Redis's maxmemory-clients; NO-EVICT comes last. */
  closeLargest(atWork: Connection | null = null): void {
    while (this.clientHeapBytes > this.maxClientHeapBytes) {
      let largest: Connection | null = null
      for (const connection of this.connections.values()) {
        if (largest === null || goesBefore(connection, largest)) largest = connection
      }
      if (largest === null) return
      if (largest === atWork) return largest.endHere()
      largest.closeForMemory()
    }
  }

  /** SHUTDOWN: no more commands, what was answered still leaves. */
  closeAllWhenSaid(): void {
    this.tick.hurry()
    for (const connection of this.connections.values()) connection.closeWhenSaid()
  }

  closeAll(): void {
    this.cronTimer?.cancel()
    for (const connection of [...this.connections.values()]) connection.close()
  }

  get clientCount(): number {
    return this.connections.size
  }

  /** Whether replies are still on their way to somebody. */
  get hasReplies(): boolean {
    for (const connection of this.connections.values()) if (!connection.output.idle) return true
    return false
  }

  *clients(): Iterable<Connection> {
    yield* this.connections.values()
  }

  private unparkStalled(): void {
    if ((this.engine.gate & GATE_STALLED) !== 0) return
    const waiting = [...this.stalled]
    this.stalled.clear()
    for (const connection of waiting) connection.unpark()
  }

  // --- time passes

  private cron(): void {
    const second = Math.floor(this.clock.monotonic() / 1000)
    this.statistics.sample(this.clock.monotonic(), this.dispatch.commandsRun)
    if (second !== this.lastSecond) {
      this.lastSecond = second
      this.closeLateClients(this.clock.now())
      this.noteRecent()
      this.statistics.peakMemoryBytes = Math.max(this.statistics.peakMemoryBytes, usedMemoryBytes(this.engine))
    }
    this.cronTimer = this.clock.after(this.cronMs, () => this.cron())
  }

  private noteRecent(): void {
    let input = 0
    let output = 0
    for (const connection of this.connections.values()) {
      input = Math.max(input, connection.inputBytes)
      output = Math.max(output, connection.output.pendingBytes)
    }
    this.statistics.recentInput.note(input)
    this.statistics.recentOutput.note(output)
  }

  private closeLateClients(now: number): void {
    for (const connection of [...this.connections.values()]) {
      connection.noteProgress(now)
      const idle = now - connection.lastInteraction
      if (
        this.idleSeconds > 0 &&
        idle > this.idleSeconds * 1000 &&
        !connection.isWaiting &&
        connection.subscriptions === null &&
        !connection.isMonitor
      ) {
        this.logger.verbose(`Closing idle client: ${connection.describe()}`)
        connection.close()
      } else if (connection.isStranger && now - connection.strangerSince > AUTHENTICATION_SECONDS * 1000) {
        this.logger.verbose(`Closing client that did not authenticate: ${connection.describe()}`)
        connection.close()
      } else connection.checkOutputLimit(now)
    }
  }

  // --- the port of commands

  sessions(): Iterable<Session> {
    return this.connections.values()
  }

  sessionById(id: number): Session | undefined {
    return this.connections.get(id)
  }

  kill(filter: ClientFilter, self: Session): number {
    let killed = 0
    for (const connection of [...this.connections.values()]) {
      if (!matches(filter, connection, self, this.clock.now())) continue
      killed++
      if (connection === self) connection.closeAfterReply = true
      else connection.kill()
    }
    return killed
  }

  save(done: (error: Error | null) => void): void {
    const { clock, statistics } = this
    const startedMs = clock.monotonic()
    statistics.savesUnderWay++
    this.engine.seal((error) => {
      statistics.savesUnderWay--
      statistics.lastSaveFailed = error !== null
      statistics.lastSaveMs = clock.monotonic() - startedMs
      if (error === null) statistics.saves++
      done(error)
    })
  }

  get lookups(): { hits: number; misses: number } {
    return this.statistics.lookups
  }

  pauseClients(ms: number, all: boolean): void {
    this.pause.start(this.clock.now() + ms, all)
  }

  unpauseClients(): void {
    this.pause.stop()
  }

  unblock(id: number, withError: boolean): boolean {
    return this.connections.get(id)?.unblock(withError) ?? false
  }

  monitor(session: Session, isMonitor: boolean): void {
    const connection = this.connections.get(session.id)
    if (connection !== undefined) {
      connection.isMonitor = isMonitor
      if (isMonitor) this.monitors.add(connection)
    }
    if (!isMonitor) this.monitors.remove(session as Connection)
    this.dispatch.observe()
  }

  checkPassword(user: string, password: Slice): boolean {
    const isGood = this.passwords.check(user, password)
    if (!isGood) this.statistics.authenticationFailures++
    return isGood
  }

  get passwordRequired(): boolean {
    return this.passwords.required
  }

  get maxBulkBytes(): number {
    return this.decoderLimits.maxBulkBytes
  }

  configGet(patterns: string[]): [string, string][] {
    return this.config.match(patterns)
  }

  configSet(pairs: [string, string][]): string | null | Promise<string | null> {
    const outcome = this.config.set(pairs)
    const idle = pairs.map(([name]) => name).filter((name) => this.config.isMeaningless(name))
    if (outcome === null && idle.length > 0) {
      this.options.logger.notice(`CONFIG SET of what has no meaning here: ${idle.join(' ')}`)
    }
    return outcome
  }

  configTakesTime(name: string): boolean {
    return this.config.takesTime(name)
  }

  configRewrite(): string | null {
    return this.config.rewrite()
  }

  resetStatistics(): void {
    this.statistics.reset()
    this.statistics.expiredAtReset = this.engine.stats().expired
    for (const row of this.dispatch.rows.values()) row.reset()
  }

  commandLatencies(): CommandLatency[] {
    const found: CommandLatency[] = []
    for (const { command, latencies } of this.dispatch.rows.values()) {
      if (latencies !== null) found.push({ command, calls: latencies.total, steps: latencies.steps() })
    }
    return found
  }

  info(sections: string[]): string {
    return renderInfo(sections, gatherFacts(this))
  }

  shutdown(options: { nosave: boolean; now: boolean; force: boolean }): string | null {
    const { engine, logger } = this
    if ((engine.gate & GATE_FAILED) !== 0 && !options.force && !options.nosave) {
      // It still answers reads. Whoever wants it gone all the same says so.
      logger.warning(`SHUTDOWN refused, the store cannot commit: ${engine.gateMessage} SHUTDOWN FORCE ends it anyway.`)
      return 'ERR Errors trying to SHUTDOWN. Check logs.'
    }
    this.options.onShutdown(options)
    return null
  }

  after(ms: number, run: () => void): Timer {
    let timer: Timer
    const wait = (left: number): void => {
      const now = Math.min(left, MAX_TIMER_MS)
      timer = this.clock.after(now, () => (left > now ? wait(left - now) : run()))
    }
    wait(ms)
    return { cancel: () => timer.cancel() }
  }

  log(text: string): void {
    this.logger.warning(text)
  }

  memory(): MemoryFacts {
    return memoryFacts(this)
  }

  purgeMemory(): void {
    purgeMemory(this)
  }

  changeReplicationId(): void {
    this.replicationId = randomBytes(20).toString('hex')
  }

  abortShutdown(): boolean {
    return this.options.onAbortShutdown()
  }

  watch(session: Session, database: number, key: Slice): void {
    this.watching.watch(session, database, key)
  }

  unwatch(session: Session): void {
    if (session.watched.length > 0 || session.watchBroken) this.watching.unwatch(session)
  }

  /** Somebody begins or ceases to want to know of changes. */
  private readonly interest = (): void => {
    const { watching, notifications, tracking } = this
    this.engine.watching = watching.isWatching || notifications.announced !== 0 || tracking.isTracking
  }

  touchDatabase(database: number, swappedWith = database): void {
    this.watching.databaseChanged(database, swappedWith)
  }

  announce(eventClass: number, name: string, database: number, key: Slice): void {
    this.notifications.announce(eventClass, name, database, key)
  }

  // --- configuration

  private followNotifications(): void {
    const apply = (): void => {
      this.notifications.configure(this.config.get('notify-keyspace-events'))
      this.announced = this.notifications.announced
      this.interest()
    }
    apply()
    this.config.onChange(['notify-keyspace-events'], () => {
      apply()
      return null
    })
    const limit = (): void => {
      this.tracking.maxKeys = Number(this.config.get('tracking-table-max-keys'))
    }
    limit()
    this.config.onChange(['tracking-table-max-keys'], () => {
      limit()
      return null
    })
  }

  private readConfiguration(): void {
    const { config } = this
    const follow = (names: Parameters<Config['onChange']>[0], apply: () => void): void => {
      apply()
      config.onChange(names, () => {
        apply()
        return null
      })
    }
    follow(['requirepass'], () => {
      this.passwords.set(config.get('requirepass'))
      for (const connection of this.connections.values()) connection.passwordChanged()
    })
    follow(['timeout'], () => {
      this.idleSeconds = config.get('timeout')
    })
    follow(['tcp-keepalive'], () => {
      this.keepaliveSeconds = config.get('tcp-keepalive')
    })
    follow(['hz'], () => {
      this.cronMs = 1000 / config.get('hz')
    })
    follow(['proto-max-bulk-len', 'client-query-buffer-limit'], () => {
      this.decoderLimits.maxBulkBytes = config.get('proto-max-bulk-len')
      this.decoderLimits.maxQueryBytes = Number(config.get('client-query-buffer-limit'))
    })
    follow(['hll-sparse-max-bytes'], () => {
      this.hllSparseMaxBytes = Number(config.get('hll-sparse-max-bytes'))
    })
    follow(['rdbcompression'], () => {
      this.compressesPayloads = config.get('rdbcompression')
    })
    follow(['client-output-buffer-limit'], () => {
      this.outputLimit = config.get('client-output-buffer-limit').normal
      this.subscribersOutputLimit = config.get('client-output-buffer-limit').pubsub
    })
  }

  /** What is measured. Only now, since dispatch has to know. */
  private followObservation(): void {
    const { config, dispatch, latency, slowlog } = this
    const names = [
      'slowlog-log-slower-than',
      'slowlog-max-len',
      'latency-monitor-threshold',
      'latency-tracking',
    ] as const
    const apply = (): null => {
      slowlog.thresholdMicroseconds = Number(config.get('slowlog-log-slower-than'))
      slowlog.maxLength = Number(config.get('slowlog-max-len'))
      latency.thresholdMs = Number(config.get('latency-monitor-threshold'))
      dispatch.observe(config.get('latency-tracking'))
      return null
    }
    apply()
    config.onChange(names, apply)
    config.onChange(['latency-tracking-info-percentiles'], () => null) // INFO asks for them
  }
}

/** NO-EVICT spares a client while there are others to close. */
function goesBefore(a: Connection, b: Connection): boolean {
  const spared = (client: Connection): boolean => client.noEvict || client.heapBytes === 0
  return spared(a) === spared(b) ? a.heapBytes > b.heapBytes : spared(b)
}

function matches(filter: ClientFilter, connection: Connection, self: Session, now: number): boolean {
  const { id, type, address, localAddress, user, skipMe, maxAgeSeconds } = filter
  if (skipMe === true && connection === self) return false
  if (id !== undefined && connection.id !== id) return false
  if (type !== undefined && type !== (connection.subscriptions === null ? 'normal' : 'pubsub')) return false
  if (address !== undefined && connection.peer.address !== address) return false
  if (localAddress !== undefined && connection.peer.localAddress !== localAddress) return false
  if (user !== undefined && user !== 'default') return false
  return maxAgeSeconds === undefined || now - connection.connectedAt >= maxAgeSeconds * 1000
}
