// From arguments to a reply: finds the row, lets the gates judge, runs the handler, stamps what it said.
//
//   unknown name, arity -> gates (one AND) -> run -> stamp, count
//                            | hit: refuse, queue (MULTI), park (stall, values)
//
// An exception in a handler is our bug: it is logged with its stack, the client gets one internal error, and life goes on.

import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Slice } from '../base/slice.ts'
import { type Command, NO_MULTI } from '../commands/command.ts'
import type { CommandTable } from '../commands/command-table.ts'
import { wrongArity } from '../commands/errors.ts'
import { type Engine, GATE_STALLED } from '../engine/engine.ts'
import type { Args } from '../resp/args.ts'
import type { Connection } from './connection.ts'
import { GATE_MULTI, GATE_PREPARE, gatesOf, refusal } from './gates.ts'
import { neededByTransaction, neededValues } from './parking.ts'
import { Row, type Statistics } from './statistics.ts'

/** Of a client's bytes in an error text, as in Redis. */
const QUOTED_BYTES = 128
const QUEUED_COMMAND_BYTES = 128 // what one costs beside its arguments

export interface DispatchOptions {
  readonly table: CommandTable
  readonly engine: Engine
  readonly statistics: Statistics
  readonly clock: Clock
  readonly logger: Logger
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
  private last: Row // the same command tends to come again

  constructor(options: DispatchOptions) {
    this.table = options.table
    this.engine = options.engine
    this.statistics = options.statistics
    this.clock = options.clock
    this.logger = options.logger
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
      const subcommand = command.subcommands.get(args.at(1).key().toUpperCase())
      if (subcommand === undefined) {
        const text = `ERR unknown subcommand '${quoted(args.at(1), QUOTED_BYTES)}'. Try ${command.name} HELP.`
        this.reject(connection, row, position, text)
        return
      }
      row = this.rows.get(subcommand)!
    }
    const { arity } = row.command
    if (arity > 0 ? args.count !== arity : args.count < -arity) {
      this.reject(connection, row, position, wrongArity(row.command.name))
      return
    }
    if (((this.engine.gate | connection.closedGates) & row.mask) !== 0 && !this.admit(connection, row, args, position))
      return
    this.run(connection, row, args, position)
  }

  /** A parked command's time has come, or it finds that it has not. */
  retry(connection: Connection, row: Row, args: Args, error: Error | null): void {
    const position = connection.output.begin()
    if (error !== null) {
      this.reject(connection, row, position, `ERR the value could not be read: ${error.message}`)
    } else if (this.admit(connection, row, args, position)) this.run(connection, row, args, position)
    else if (connection.isParked) return
    connection.bringing.drop()
  }

  /** Runs a command inside another one's reply (EXEC): no gates, no stamp, but counted. */
  call(connection: Connection, command: Command, args: Args): void {
    const row = this.rows.get(command)!
    const { position } = connection.output
    this.measure(connection, row, args)
    if (connection.output.isError(position)) {
      row.failed++
      this.statistics.error(connection.output.errorCode(position))
    }
  }

  /** The reply that began at `position` is whole and depends on `stamp`. */
  finish(connection: Connection, row: Row, position: number, stamp: number, modeBefore: string): void {
    const { output } = connection
    if (stamp > 0 && stamp > this.engine.released && output.hasSaid(position)) output.mark(position, stamp)
    if (output.isError(position)) {
      row.failed++
      this.statistics.error(output.errorCode(position))
    }
    if (modeBefore !== 'on' || connection.replyMode !== 'on') this.silence(connection, position, modeBefore)
  }

  /** An exception of a handler. */
  failed(connection: Connection, row: Row, position: number, error: unknown): void {
    this.logger.warning(`Bug: ${row.command.name} has failed: ${(error as Error).stack ?? String(error)}`)
    connection.output.takeBack(position)
    connection.reply.error('ERR internal error')
  }

  private run(connection: Connection, row: Row, args: Args, position: number): void {
    const { engine } = this
    const modeBefore = connection.replyMode
    engine.dependsOn = 0
    connection.startReply(row, position)
    try {
      this.measure(connection, row, args)
    } catch (error) {
      this.failed(connection, row, position, error)
    }
    if (connection.endReply()) this.finish(connection, row, position, engine.dependsOn, modeBefore)
  }

  private measure(connection: Connection, row: Row, args: Args): void {
    row.calls++
    const weight = row.timeWeight()
    if (weight === 0) {
      row.command.run(connection, args)
      return
    }
    const startedMs = this.clock.monotonic()
    row.command.run(connection, args)
    row.microseconds += (this.clock.monotonic() - startedMs) * 1000 * weight
  }

  /** A gate is closed. True: run it all the same. False: it was answered, queued or parked. */
  private admit(connection: Connection, row: Row, args: Args, position: number): boolean {
    const { engine } = this
    const { transaction } = connection
    // EXEC is judged by what it will run.
    const mask = row.isExec && transaction !== null ? row.mask | gatesOf(transaction.flags) : row.mask
    const closed = (engine.gate | connection.closedGates) & mask
    const refused = refusal(closed, engine.gateMessage)
    if (refused !== null) {
      this.reject(connection, row, position, refused)
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
    const transaction = connection.transaction!
    if ((row.command.flags & NO_MULTI) !== 0) {
      this.reject(connection, row, position, 'ERR Command not allowed inside a transaction')
      return
    }
    transaction.bytes += args.byteLength + QUEUED_COMMAND_BYTES
    if (transaction.bytes > this.limits.maxQueryBytes) {
      connection.closeForQueryLimit(transaction.bytes)
      return
    }
    transaction.queue.push({ command: row.command, args: args.copy() })
    transaction.flags |= row.command.flags
    connection.reply.simple('QUEUED')
    if (connection.replyMode !== 'on') this.silence(connection, position, connection.replyMode)
  }

  private unknown(connection: Connection, args: Args, position: number): void {
    const name = args.at(0)
    const word = name.key().toLowerCase()
    if (word === 'post' || word === 'host:') {
      connection.closeForCrossProtocol()
      return
    }
    let beginning = ''
    for (let i = 1; i < args.count && beginning.length < QUOTED_BYTES; i++) {
      beginning += `'${quoted(args.at(i), QUOTED_BYTES - beginning.length)}' `
    }
    const text = `ERR unknown command '${quoted(name, QUOTED_BYTES)}', with args beginning with: ${beginning}`
    this.reject(connection, null, position, text)
  }

  /** Answers without running. Inside MULTI that breaks the transaction; EXEC itself ends it and says why. */
  private reject(connection: Connection, row: Row | null, position: number, reason: string): void {
    let text = reason
    if (row?.isExec) {
      connection.discardTransaction()
      text = `EXECABORT Transaction discarded because of: ${reason.replace(/^ERR /, '')}`
    } else if (connection.transaction !== null) connection.transaction.broken = true
    if (row !== null) row.rejected++
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

/** A client's bytes for an error text; the reply writer makes control characters harmless. */
function quoted(bytes: Slice, most: number): string {
  return bytes.bytes.toString('latin1', bytes.start, Math.min(bytes.end, bytes.start + most))
}
