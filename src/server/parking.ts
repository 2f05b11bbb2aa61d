// Parking: a command that cannot run yet waits, and only its connection waits with it.
//
// Two reasons. The store has stalled (too much unsynced or unreleased): commands that write wait until it goes on. Or the command
// decides from values, or copies them (INCR, APPEND, RENAME, a whole EXEC), that are not in memory: it waits until they are
// read, and asks again, because meanwhile others may have written them. What was brought stays in memory until the command has run.
//
// Whatever parks is copied, since arguments lie in the receive buffer, which belongs to everybody.

import type { Slice } from '../base/slice.ts'
import type { Command, KeyRange } from '../commands/command.ts'
import { parseInteger } from '../commands/numbers.ts'
import type { Transaction } from '../commands/session.ts'
import type { Engine } from '../engine/engine.ts'
import type { Args } from '../resp/args.ts'
import type { Row } from './statistics.ts'

/** A command that waits, with all it needs to run later. */
export interface Parked {
  readonly row: Row
  readonly args: Args
  /** A value it needs could not be read. */
  error: Error | null
}

type VisitKey = (database: number, key: Slice) => void

/** The keys whose values a command needs in memory, given these arguments. */
export function neededValues(command: Command, database: number, args: Args, visit: VisitKey): void {
  const range = command.values ?? null
  if (range === null || (command.needsValues !== undefined && !command.needsValues(args))) return
  visitRange(range, database, args, visit)
}

/** The same for everything a transaction will run, in the databases that will be selected by then. */
export function neededByTransaction(
  transaction: Transaction,
  database: number,
  databases: number,
  visit: VisitKey,
): void {
  const swapped = new Map<number, number>() // where the values are now of what will be in a database then
  let selected = database
  for (const { command, args } of transaction.queue) {
    if (command.name === 'SELECT') selected = databaseOf(args.at(1), databases) ?? selected
    else if (command.name === 'SWAPDB')
      swap(swapped, databaseOf(args.at(1), databases), databaseOf(args.at(2), databases))
    else neededValues(command, swapped.get(selected) ?? selected, args, visit)
  }
}

function swap(swapped: Map<number, number>, a: number | null, b: number | null): void {
  if (a === null || b === null) return
  const inA = swapped.get(a) ?? a
  swapped.set(a, swapped.get(b) ?? b)
  swapped.set(b, inA)
}

/** null: the command will refuse it, and the database stays. */
function databaseOf(text: Slice, databases: number): number | null {
  const number = parseInteger(text)
  return number !== null && number >= 0 && number < databases ? Number(number) : null
}

function visitRange(range: KeyRange, database: number, args: Args, visit: VisitKey): void {
  const last = range.last < 0 ? args.count + range.last : range.last
  for (let i = range.first; i <= last && i < args.count; i += range.step) visit(database, args.at(i))
}

/** Values on their way into memory for one connection, and those held there for it. */
export class Bringing {
  private readonly engine: Engine
  private readonly tickets: number[] = []
  private waiting = 0
  private error: Error | null = null
  private isClosed = false

  constructor(engine: Engine) {
    this.engine = engine
  }

  /** Starts reading one value. */
  bring(database: number, key: Slice, done: (error: Error | null) => void): void {
    this.waiting++
    const ticket = this.engine.bring(database, key, (error) => {
      this.waiting--
      this.error ??= error
      if (this.waiting === 0 && !this.isClosed) {
        const first = this.error
        this.error = null
        done(first)
      }
    })
    this.tickets.push(ticket)
  }

  /** The command has run: what was brought may go. */
  drop(): void {
    if (this.tickets.length === 0) return
    for (const ticket of this.tickets) this.engine.drop(ticket)
    this.tickets.length = 0
  }

  close(): void {
    this.isClosed = true
    this.drop()
  }
}
