// From arguments to a reply: finds the row, lets the gates judge, runs the handler, stamps what it said.
//
//   unknown name, arity -> gates (one AND) -> run -> stamp, count
//                            | hit: refuse, queue (MULTI), park (stall, values)
//
// Which calls are timed. SLOWLOG must know every command that is slow, and reading the clock around each of them costs a quick one a
// tenth of its time. But a command can be slow by its own work only if that work does not follow from its arguments, or if there are
// many of these: such calls are always timed, and so is the first of each batch (`beginBatch`: a packet, or all small ones of a turn).
// What is left are quick commands that follow others. One of them is slow only when something else is: a
// collection of garbage, the disk under a cheap read. The clock is read once more after the batch, and when those that were not timed took
// longer than anybody wants to know of, that is a `stall` for LATENCY, and for a second everything is timed. All of this is one
// comparison for a call that is not timed, since `untimedArguments` is -1 whenever the next call has to be.
//
// An exception in a handler is our bug: it is logged with its stack, the client gets one internal error, and life goes on. Around
// handlers nobody can say which part of a reply is there already, so an exception there ends the connection, and only that.

import { constants } from 'node:buffer'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Slice } from '../base/slice.ts'
import { type Command, FAST, NO_MULTI, SKIP_SLOWLOG } from '../commands/command.ts'
import type { CommandTable } from '../commands/command-table.ts'
import { wrongArity } from '../commands/errors.ts'
import { nameOf, QUOTED_BYTES, quoted } from '../commands/words.ts'
import { type Engine, GATE_STALLED } from '../engine/engine.ts'
import type { Args } from '../resp/args.ts'
import { shownName } from './client-line.ts'
import type { Connection } from './connection.ts'
import {
  GATE_MULTI,
  GATE_PAUSED,
  GATE_PAUSED_WRITES,
  GATE_PREPARE,
  GATE_PROTECTED,
  GATE_TRACKING,
  gatesOf,
  notAllowed,
  refusal,
} from './gates.ts'
import type { LatencyMonitor } from './latency.ts'
import type { Monitor } from './monitor.ts'
import { neededByTransaction, neededValues } from './parking.ts'
import { type Slowlog, trimmed } from './slowlog.ts'
import { Row, type Statistics } from './statistics.ts'

/** What a command in MULTI's queue costs beside its arguments. Measured: 480 on the heap, 150 to 180 for the bytes behind its buffer. */
const QUEUED_COMMAND_BYTES = 640
/** A command with more arguments than that may be slow because of them. */
const FEW_ARGUMENTS = 16
/** How long everything is timed after a stall. */
const VIGILANCE_MS = 1000
/** Who wants to know of commands that are that fast wants to know of quick ones too: everything is timed. */
const TIMED_BELOW_MS = 1

// V8's strings end 24 bytes before 512 MiB, and names (of channels, of clients, of directives) are strings here. Only who has raised
// proto-max-bulk-len can send a longer one.
const ARGUMENT_TOO_LONG = `ERR an argument is too long: this command takes ${constants.MAX_STRING_LENGTH} bytes at most`
const isTooLong = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === 'ERR_STRING_TOO_LONG'

export interface DispatchOptions {
  readonly table: CommandTable
  readonly engine: Engine
  readonly statistics: Statistics
  readonly clock: Clock
  readonly logger: Logger
  readonly slowlog: Slowlog
  readonly latency: LatencyMonitor
  readonly monitor: Monitor
  /** client-query-buffer-limit; a transaction's queue counts too. */
  readonly limits: { readonly maxQueryBytes: number }
}

export class Dispatch {
  readonly rows: ReadonlyMap<Command, Row>
  private readonly table: CommandTable
  private readonly engine: Engine
  private readonly statistics: Statistics
  private readonly clock: Clock
  private readonly logger: Logger
  private readonly limits: { readonly maxQueryBytes: number }
  private readonly slowlog: Slowlog
  private readonly latency: LatencyMonitor
  private readonly monitor: Monitor
  private last: Row // the same command tends to come again
  /** Calls with more arguments are timed, whoever they are; -1: all calls. */
  private untimedArguments: number
  private usualArguments: number // FEW_ARGUMENTS, or -1 while everything is timed
  private vigilantUntilMs: number
  private lookedAtMs: number // when the clock was read last
  private slowMs: number // who takes longer is told to SLOWLOG or LATENCY
  private tracksLatency: boolean // latency-tracking
  private commandsAtBatch: number
  private batches: number // begun and not ended: packets lie in the batch of their turn (gather.ts)

  constructor(options: DispatchOptions) {
    this.table = options.table
    this.engine = options.engine
    this.statistics = options.statistics
    this.clock = options.clock
    this.logger = options.logger
    this.slowlog = options.slowlog
    this.latency = options.latency
    this.monitor = options.monitor
    this.untimedArguments = FEW_ARGUMENTS
    this.usualArguments = FEW_ARGUMENTS
    this.vigilantUntilMs = 0
    this.lookedAtMs = 0
    this.slowMs = 10
    this.tracksLatency = true
    this.commandsAtBatch = 0
    this.batches = 0
    this.limits = options.limits
    const rows = new Map<Command, Row>()
    for (const command of options.table.byName.values()) {
      rows.set(command, new Row(command))
      for (const subcommand of command.subcommands?.values() ?? []) rows.set(subcommand, new Row(subcommand))
    }
    this.rows = rows
    this.last = rows.values().next().value!
  }

  /** Runs one command of a connection, or sees to it that it runs later. */
  execute(connection: Connection, args: Args): void {
    try {
      this.start(connection, args)
    } catch (error) {
      this.broken(connection, error)
    }
  }

  /** A parked command's time has come, or it finds that it has not. */
  retry(connection: Connection, row: Row, args: Args, error: Error | null): void {
    try {
      this.startAgain(connection, row, args, error)
    } catch (mistake) {
      this.broken(connection, mistake)
    }
  }

  private start(connection: Connection, args: Args): void {
    this.statistics.commands++
    const position = connection.output.begin()
    const command = this.table.lookup(args.at(0))
    if (command === undefined) {
      this.unknown(connection, args, position)
      return
    }
    let row = this.last
    if (row.command !== command) this.last = row = this.rows.get(command)!
    if (command.subcommands !== undefined && args.count > 1) {
      const subcommand = command.subcommands.get(nameOf(args.at(1)))
      if (subcommand === undefined) {
        const text = `ERR unknown subcommand '${quoted(args.at(1))}'. Try ${command.name} HELP.`
        this.reject(connection, null, args, position, text)
        return
      }
      row = this.rows.get(subcommand)!
    }
    const { arity } = row.command
    if (arity > 0 ? args.count !== arity : args.count < -arity) {
      this.reject(connection, row, args, position, wrongArity(row.command.name))
      return
    }
    if (((this.engine.gate | connection.closedGates) & row.mask) !== 0) {
      if (this.admit(connection, row, args, position)) this.runAdmitted(connection, row, args)
      return
    }
    this.run(connection, row, args, position)
  }

  private startAgain(connection: Connection, row: Row, args: Args, error: Error | null): void {
    const position = connection.output.begin()
    this.untimedArguments = -1
    if (error !== null) {
      this.reject(connection, row, args, position, `ERR the value could not be read: ${error.message}`)
    } else if (this.admit(connection, row, args, position)) this.runAdmitted(connection, row, args)
    else if (connection.isParked) return
    connection.bringing.drop()
  }

  /**
   * Runs a command inside another one's reply (EXEC): no gates, no stamp, but counted. EXEC has said how many replies follow, and others
   * have run: if this one throws, that is an error in its place.
   */
  call(connection: Connection, command: Command, args: Args): void {
    const row = this.rows.get(command)!
    const { openHoles, position } = connection.output
    try {
      this.measure(connection, row, args)
    } catch (error) {
      connection.output.takeBack(position, openHoles)
      this.confess(connection, row, error)
    }
    if (connection.tracking !== null) connection.server.tracking.remember(connection, command, args)
    if (connection.output.isError(position)) {
      row.failed++
      this.statistics.error(connection.output.errorCode(position))
    }
  }

  /** The reply that began at `position` is whole and depends on `stamp`. */
  finish(connection: Connection, row: Row, position: number, stamp: number, modeBefore: string): void {
    const { output } = connection
    if (output.isError(position)) {
      row.failed++
      this.statistics.error(output.errorCode(position))
    }
    if (modeBefore !== 'on' || connection.replyMode !== 'on') this.silence(connection, position, modeBefore)
    // What is taken back waits for nothing: its mark would lie over the next reply.
    if (stamp > 0 && stamp > this.engine.released && output.hasSaid(position)) output.mark(position, stamp)
    if (connection.hasMore) connection.sayMore()
  }

  /** An exception of a handler. */
  failed(connection: Connection, row: Row, position: number, error: unknown): void {
    connection.letGo()
    connection.output.takeBack(position)
    this.confess(connection, row, error)
  }

  /** The reply in place of what a handler that has thrown would have said. */
  private confess(connection: Connection, row: Row, error: unknown): void {
    if (isTooLong(error)) {
      connection.reply.error(ARGUMENT_TOO_LONG)
      return
    }
    this.logger.warning(`Bug: ${row.command.name} has failed: ${(error as Error).stack ?? String(error)}`)
    this.statistics.unexpectedErrors++
    connection.reply.error('ERR internal error')
  }

  private broken(connection: Connection, error: unknown): void {
    this.logger.warning(`Bug: a command could not be run: ${(error as Error).stack ?? String(error)}`)
    this.statistics.unexpectedErrors++
    connection.close()
  }

  // A gate was closed and let it pass. While it was asked, something may have been said: a key expired, and the client hears of that.
  private runAdmitted(connection: Connection, row: Row, args: Args): void {
    const position = connection.output.begin()
    if ((connection.closedGates & GATE_TRACKING) === 0) {
      this.run(connection, row, args, position)
      return
    }
    const { tracking } = connection.server
    tracking.begin(connection)
    this.run(connection, row, args, position)
    tracking.end(connection, row.command, args)
  }

  private run(connection: Connection, row: Row, args: Args, position: number): void {
    const { engine } = this
    const modeBefore = connection.replyMode
    engine.dependsOn = 0
    connection.startReply(row, position)
    try {
      this.measure(connection, row, args)
    } catch (error) {
      this.failed(connection, row, connection.replyPosition, error)
    }
    // What others had to say (Connection.push) may have moved the place where the reply begins.
    if (connection.endReply()) this.finish(connection, row, connection.replyPosition, engine.dependsOn, modeBefore)
  }

  private measure(connection: Connection, row: Row, args: Args): void {
    if ((row.calls & row.untimed) === 0 || args.count > this.untimedArguments) this.time(connection, row, args)
    else row.command.run(connection, args)
    row.calls++ // afterwards, as in Redis: CONFIG RESETSTAT counts itself, INFO does not
  }

  private time(connection: Connection, row: Row, args: Args): void {
    const isSample = row.untimed !== 0 && args.count <= this.untimedArguments
    const isFirst = this.untimedArguments < 0
    this.untimedArguments = this.usualArguments
    const startedMs = this.clock.monotonic()
    if (!isFirst) this.lookBack(startedMs)
    this.lookedAtMs = startedMs
    row.command.run(connection, args)
    this.lookedAtMs = this.clock.monotonic()
    const ms = this.lookedAtMs - startedMs
    if (this.monitor.isActive) this.monitor.feed(connection, row.command, args, this.clock.now())
    if (connection.isStepping) connection.stepped(ms, trimmed(row.command.name, args))
    else {
      row.timed(ms, isSample, this.tracksLatency)
      if (ms >= this.slowMs) this.slow(connection, row, ms, trimmed(row.command.name, args))
    }
  }

  /** A command that worked in steps has done the last: `ms` all together. */
  timedInSteps(connection: Connection, row: Row, ms: number, args: readonly Buffer[]): void {
    row.timed(ms, false, this.tracksLatency)
    if (ms >= this.slowMs) this.slow(connection, row, ms, args)
  }

  private slow(connection: Connection, row: Row, ms: number, args: readonly Buffer[]): void {
    const { flags } = row.command
    const microseconds = Math.floor(ms * 1000)
    const now = this.clock.now()
    // EXEC is not slow, what it runs is (SKIP_SLOWLOG).
    const { thresholdMicroseconds } = this.slowlog
    if (thresholdMicroseconds >= 0 && microseconds >= thresholdMicroseconds && (flags & SKIP_SLOWLOG) === 0) {
      const { address } = connection.peer
      const name = shownName(connection.name)
      this.slowlog.add({ second: Math.floor(now / 1000), microseconds, args, address, name })
    }
    this.latency.note((flags & FAST) !== 0 ? 'fast-command' : 'command', ms, now)
  }

  /** How many commands have run since the last reset. */
  get commandsRun(): number {
    let sum = 0
    for (const row of this.rows.values()) sum += row.calls
    return sum
  }

  /** A packet, or the small ones of a turn, are going to be run: the first call is timed. */
  beginBatch(): void {
    if (this.batches++ > 0) return
    this.untimedArguments = -1
    this.commandsAtBatch = this.statistics.commands
  }

  /** It has been run, or interrupted. */
  endBatch(): void {
    if (--this.batches > 0) return
    // Where nothing was called (unknown commands, MULTI's queue) the clock was not read, and there is nothing to look back from.
    const wasTimed = this.untimedArguments >= 0
    this.untimedArguments = this.usualArguments
    if (this.statistics.commands - this.commandsAtBatch < 2) return
    const now = this.clock.monotonic()
    if (wasTimed) this.lookBack(now)
    if (this.vigilantUntilMs > 0 && now > this.vigilantUntilMs) this.observe()
  }

  /** Commands that were not timed have run since the clock was read last: together, have they been slow? */
  private lookBack(now: number): void {
    const ms = now - this.lookedAtMs
    if (ms < this.slowMs || this.usualArguments < 0) return
    this.latency.note('stall', ms, this.clock.now())
    this.vigilantUntilMs = now + VIGILANCE_MS
    this.usualArguments = -1
    this.untimedArguments = -1
  }

  /** slowlog-log-slower-than, latency-monitor-threshold or latency-tracking have changed, or who monitors. */
  observe(tracksLatency = this.tracksLatency): void {
    this.tracksLatency = tracksLatency
    const { thresholdMicroseconds } = this.slowlog
    const { thresholdMs } = this.latency
    this.slowMs = Math.min(
      thresholdMicroseconds < 0 ? Number.POSITIVE_INFINITY : thresholdMicroseconds / 1000,
      thresholdMs === 0 ? Number.POSITIVE_INFINITY : thresholdMs,
    )
    // Below that, a quick command is slow just by being there.
    this.usualArguments = this.slowMs < TIMED_BELOW_MS || this.monitor.isActive ? -1 : FEW_ARGUMENTS
    if (this.usualArguments < 0) this.untimedArguments = -1 // also for the rest of this batch: a monitor sees what follows it
    this.vigilantUntilMs = 0
  }

  /** A gate is closed. True: run it all the same. False: it was answered, queued or parked. */
  private admit(connection: Connection, row: Row, args: Args, position: number): boolean {
    const { engine } = this
    const { transaction } = connection
    // EXEC is judged by what it will run, if that is anything.
    const runs = row.isExec && transaction !== null && transaction.queue.length > 0
    const mask = runs ? row.mask | gatesOf(transaction.flags) : row.mask
    const closed = (engine.gate | connection.closedGates) & mask
    if ((closed & row.mask & GATE_PROTECTED) !== 0) {
      const directive = row.command.name === 'DEBUG' ? 'enable-debug-command' : 'enable-module-command'
      if (!connection.isAllowed(directive)) {
        this.reject(connection, row, args, position, notAllowed(row.command, directive))
        return false
      }
    }
    const refused = refusal(closed, engine.gateMessage, row.command)
    if (refused !== null) {
      this.reject(connection, row, args, position, refused)
      return false
    }
    if ((closed & (GATE_PAUSED | GATE_PAUSED_WRITES)) !== 0) {
      connection.parkUntilUnpaused(row, args)
      return false
    }
    if ((closed & row.mask & GATE_MULTI) !== 0) {
      this.enqueue(connection, row, args, position)
      return false
    }
    if (row.isExec && (transaction === null || transaction.broken || connection.watchBroken)) return true // it will not run anything
    if ((closed & GATE_STALLED) !== 0) {
      connection.parkUntilStoreGoesOn(row, args)
      return false
    }
    return (closed & GATE_PREPARE) === 0 || this.valuesAreHere(connection, row, args)
  }

  private valuesAreHere(connection: Connection, row: Row, args: Args): boolean {
    const { engine } = this
    const { values } = row.command
    // Of several values the first may be evicted by the last, so they are kept.
    const keep = row.isExec || (values ?? null) === null || values!.first !== values!.last
    let isMissing = false
    const look = (database: number, key: Slice): void => {
      if (engine.inMemory(database, key, keep)) return
      if (!isMissing) connection.park(row, args) // before bring: it may have the value at once
      isMissing = true
      connection.bring(database, key)
    }
    if (row.isExec) neededByTransaction(connection.transaction!, connection.database, connection.server.databases, look)
    else neededValues(row.command, connection.database, args, look)
    return !isMissing
  }

  private enqueue(connection: Connection, row: Row, args: Args, position: number): void {
    connection.lastCommand = row.command
    const transaction = connection.transaction!
    if ((row.command.flags & NO_MULTI) !== 0) {
      this.reject(connection, row, args, position, 'ERR Command not allowed inside a transaction')
      return
    }
    connection.countQueued(args.byteLength + args.listBytes + QUEUED_COMMAND_BYTES)
    if (transaction.bytes > this.limits.maxQueryBytes) {
      connection.closeForQueryLimit(transaction.bytes)
      return
    }
    const { server } = connection
    if (server.clientHeapBytes > server.maxClientHeapBytes) {
      server.closeLargest()
      if (connection.isClosed) return
    }
    transaction.queue.push({ command: row.command, args: args.copy() })
    transaction.flags |= row.command.flags
    connection.reply.simple('QUEUED')
    if (connection.replyMode !== 'on') this.silence(connection, position, connection.replyMode)
  }

  private unknown(connection: Connection, args: Args, position: number): void {
    const name = args.at(0)
    const word = nameOf(name)
    if (word === 'POST' || word === 'HOST:') {
      connection.closeForCrossProtocol()
      return
    }
    let beginning = ''
    for (let i = 1; i < args.count && beginning.length < QUOTED_BYTES; i++) {
      beginning += `'${quoted(args.at(i), QUOTED_BYTES - beginning.length)}' `
    }
    const text = `ERR unknown command '${quoted(name)}', with args beginning with: ${beginning}`
    this.reject(connection, null, args, position, text)
  }

  /** Answers without running. Inside MULTI that breaks the transaction; EXEC itself ends it and says why. */
  private reject(connection: Connection, row: Row | null, args: Args, position: number, reason: string): void {
    connection.lastCommand = row?.command ?? null
    let text = reason
    if (row?.isExec) {
      if (this.monitor.isActive) this.monitor.feed(connection, row.command, args, this.clock.now()) // it ends a transaction
      connection.discardTransaction()
      text = `EXECABORT Transaction discarded because of: ${reason.replace(/^ERR /, '')}`
    } else if (connection.transaction !== null) connection.transaction.broken = true
    if (row !== null) row.rejected++
    if (connection.tracking !== null) connection.server.tracking.passed(connection, row?.command ?? null)
    connection.reply.error(text)
    this.statistics.error(text.slice(0, text.indexOf(' ')))
    if (connection.replyMode !== 'on') this.silence(connection, position, connection.replyMode)
  }

  /** CLIENT REPLY: takes back what should not have been said, and moves on from SKIP. */
  private silence(connection: Connection, position: number, modeBefore: string): void {
    const mode = connection.replyMode
    if (mode !== 'on') connection.output.takeBack(position)
    if (mode === 'skip-next') connection.replyMode = 'skip'
    else if (mode === 'skip' && modeBefore === 'skip') connection.replyMode = 'on'
  }
}
