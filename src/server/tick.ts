// The tick: what follows the commands of one turn of the event loop.
//
//   sockets are readable -> commands run, replies pile up -> tick: what was put aside runs (gather.ts), the store writes, then replies
//   leave -> next turn
//
// This is Redis's beforeSleep: flush the log, *then* send. All writes of all connections in one turn share one write to disk, and all
// replies of a connection leave in one write. Connections ask for their part: `dirty` to send, `again` to go on with
// input they could not finish in their time. The tick runs once, when the first has asked, after all sockets had their turn.
//
// Time is shared out here too. A turn may use TURN_MS between everybody; who comes later, or comes back, gets a minimum (connection.ts)
// and stands in line for the next turn, so that one huge pipeline does not make the others wait.

import type { Clock } from '../base/clock.ts'
import { type Engine, GATE_LOADING } from '../engine/engine.ts'
import type { Gather } from './gather.ts'

const TURN_MS = 2

export interface Ticking {
  /** Sends what may leave. */
  send(): void
  /** Goes on with what was interrupted. */
  turn(): void
  /** Replies are held back until the store releases them. */
  readonly waitsForRelease: boolean
  isDirty: boolean
  isQueued: boolean
}

export class Tick {
  private readonly clock: Clock
  private readonly engine: Engine
  private readonly gather: Gather
  private dirtyOnes: Ticking[]
  private queue: Ticking[]
  private spareDirty: Ticking[]
  private spareQueue: Ticking[]
  private readonly unreleased: Set<Ticking>
  private isScheduled: boolean
  private deadlineMs: number
  private last: (() => void) | null

  constructor(clock: Clock, engine: Engine, gather: Gather) {
    this.clock = clock
    this.engine = engine
    this.gather = gather
    this.dirtyOnes = []
    this.queue = []
    this.spareDirty = []
    this.spareQueue = []
    this.unreleased = new Set()
    this.isScheduled = false
    this.deadlineMs = 0
    this.last = null
  }

  /** Runs `task` before this tick's replies leave; one at a time. */
  beforeSending(task: () => void): void {
    this.last = task
    this.begin()
  }

  /** Commands are going to run: sets the clock they see, and makes sure that a tick follows. */
  begin(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    this.engine.now = this.clock.now()
    this.deadlineMs = this.clock.monotonic() + TURN_MS
    this.clock.soon(this.run)
  }

  /** Whether this turn has used up its time. */
  get isLate(): boolean {
    return this.clock.monotonic() > this.deadlineMs
  }

  dirty(connection: Ticking): void {
    if (connection.isDirty) return
    connection.isDirty = true
    this.dirtyOnes.push(connection)
    this.begin()
  }

  again(connection: Ticking): void {
    if (connection.isQueued) return
    connection.isQueued = true
    this.queue.push(connection)
    this.begin()
  }

  /** The engine released replies outside of flush. */
  readonly onReleased = (): void => {
    for (const connection of this.unreleased) this.dirty(connection)
    this.unreleased.clear()
  }

  forget(connection: Ticking): void {
    this.unreleased.delete(connection)
  }

  private readonly run = (): void => {
    this.gather.run()
    if ((this.engine.gate & GATE_LOADING) === 0) this.engine.flush() // while it loads there is nothing to write to yet
    if (this.last !== null) this.runLast(this.last)
    const dirty = this.dirtyOnes
    this.dirtyOnes = this.spareDirty
    for (let i = 0; i < dirty.length; i++) {
      const connection = dirty[i]!
      connection.isDirty = false
      connection.send()
      if (connection.waitsForRelease) this.unreleased.add(connection)
    }
    dirty.length = 0
    this.spareDirty = dirty
    this.isScheduled = false
    if (this.queue.length > 0) this.runQueue()
    else if (this.dirtyOnes.length > 0) this.begin()
  }

  private runLast(task: () => void): void {
    this.last = null
    task()
  }

  private runQueue(): void {
    const queue = this.queue
    this.queue = this.spareQueue
    this.begin()
    for (let i = 0; i < queue.length; i++) {
      queue[i]!.isQueued = false
      queue[i]!.turn()
    }
    queue.length = 0
    this.spareQueue = queue
  }
}
