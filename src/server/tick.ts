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
//
// A thousand clients with a minimum each would make the others wait all the same. So each part of a turn (reading, what was put aside,
// sending, those who stand in line) has a share, SHARE_MS, and what does not fit into it is for the next turn: bytes that arrived lie
// beside their connection (connection.ts), long replies stay where they are. Small replies do not stand in line, nor does what comes near its
// client's limit (it would be taken for one who does not read); and who asks for little stands before the others. A thousand clients that
// asked for 8 MiB each and read none of it: others waited 5.8 s before, 0.03 s since (p99, durability-8-hostile). Behind a CROWD in line the shares
// are half as long: a round of the loop costs little beside that many requests, and others' p99 falls by a fifth. The clock is looked at by
// what was done, not by how often: every LOOK_COST.

import type { Clock } from '../base/clock.ts'
import { type Engine, GATE_LOADING } from '../engine/engine.ts'
import type { Gather } from './gather.ts'

const TURN_MS = 2
const SHARE_MS = 3
/** Behind a line longer than this turns are half as long, so that who asks for little comes round sooner. */
const CROWD = 64
/** Arguments, KiB received, KiB of replies: what may be done before the clock is looked at. About a quarter of a millisecond. */
export const LOOK_COST = 512
/** A reply of so many bytes leaves at once, whoever stands in line. */
const SMALL_REPLY_BYTES = 16 * 1024
/** Replies that stand in line hold back those who would ask for more, for so many turns at most. */
const MOST_HELD_BACK = 8
/** What a write costs besides its bytes, in LOOK_COST's units. */
const SEND_COST = 8

export interface Ticking {
  /** Sends what may leave. */
  send(): void
  /** Goes on with what was interrupted. */
  turn(): void
  /** Replies are held back until the store releases them. */
  readonly waitsForRelease: boolean
  /** What it has to say, in bytes. */
  readonly pendingBytes: number
  /** It can be said in a later turn, too. */
  readonly mayWait: boolean
  isDirty: boolean
  isQueued: boolean
}

export class Tick {
  private readonly clock: Clock
  private readonly engine: Engine
  private readonly gather: Gather
  private dirtyOnes: Ticking[]
  private readonly queue: Ticking[]
  private spareDirty: Ticking[]
  /** Stand in line before the others. */
  private readonly lightOnes: Ticking[]
  private readonly unreleased: Set<Ticking>
  private isScheduled: boolean
  private deadlineMs: number
  private shareBeganMs: number
  private shareEndMs: number
  private untilLook: number
  private isHurried: boolean
  /** By everybody since the start, in LOOK_COST's units: two looks tell what was spent between them. */
  spentInAll: number
  /** Replies stand in line: nothing long is begun before they have left... */
  private isOwing: boolean
  /** ...unless so many turns went by without. */
  private heldBack: number
  private last: (() => void) | null

  constructor(clock: Clock, engine: Engine, gather: Gather) {
    this.clock = clock
    this.engine = engine
    this.gather = gather
    this.dirtyOnes = []
    this.queue = []
    this.spareDirty = []
    this.lightOnes = []
    this.unreleased = new Set()
    this.isScheduled = false
    this.deadlineMs = 0
    this.shareBeganMs = 0
    this.shareEndMs = 0
    this.untilLook = 0
    this.isHurried = false
    this.spentInAll = 0
    this.isOwing = false
    this.heldBack = 0
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
    this.startShare(this.isOwing ? 0 : this.shareMs)
    this.deadlineMs = this.shareBeganMs + (this.isCrowded ? TURN_MS / 2 : TURN_MS)
    this.clock.soon(this.run)
  }

  /** Whether this turn has used up its time. */
  get isLate(): boolean {
    return this.clock.monotonic() > this.deadlineMs
  }

  /** So much was done, in LOOK_COST's units. */
  spent(cost: number): void {
    this.untilLook -= cost
    this.spentInAll += cost
  }

  /** From now on nothing waits for a later turn: there may be none. */
  hurry(): void {
    this.isHurried = true
    this.startShare(0)
  }

  /** Whether the part of the turn that is under way has used up its share: what is not small stands in line now. */
  get isOverdue(): boolean {
    if (this.untilLook > 0) return false
    if (this.clock.monotonic() >= this.shareEndMs) return true
    this.untilLook = LOOK_COST
    return false
  }

  private get isCrowded(): boolean {
    return this.queue.length > CROWD
  }

  private get shareMs(): number {
    return this.isCrowded ? SHARE_MS / 2 : SHARE_MS
  }

  private startShare(ms: number): void {
    this.shareBeganMs = this.clock.monotonic()
    this.shareEndMs = this.isHurried ? Number.POSITIVE_INFINITY : this.shareBeganMs + ms
    this.untilLook = ms > 0 ? LOOK_COST : 0
  }

  dirty(connection: Ticking): void {
    if (connection.isDirty) return
    connection.isDirty = true
    this.dirtyOnes.push(connection)
    this.begin()
  }

  again(connection: Ticking, isLight = false): void {
    if (connection.isQueued) return
    connection.isQueued = true
    const queue = isLight ? this.lightOnes : this.queue
    queue.push(connection)
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
    this.startShare(this.shareMs)
    this.gather.run()
    if ((this.engine.gate & GATE_LOADING) === 0) this.engine.flush() // while it loads there is nothing to write to yet
    if (this.last !== null) this.runLast(this.last)
    this.send()
    this.isScheduled = false
    if (this.queue.length + this.lightOnes.length > 0) this.runQueues()
    else if (this.dirtyOnes.length > 0) this.begin()
  }

  private runLast(task: () => void): void {
    this.last = null
    task()
  }

  private send(): void {
    const dirty = this.dirtyOnes
    this.dirtyOnes = this.spareDirty
    this.startShare(this.shareMs)
    this.isOwing = false
    for (let i = 0; i < dirty.length; i++) {
      const connection = dirty[i]!
      const { pendingBytes } = connection
      if (pendingBytes > SMALL_REPLY_BYTES && this.isOverdue && connection.mayWait) {
        this.isOwing = true
        this.dirtyOnes.push(connection)
        continue
      }
      this.spent(SEND_COST + (pendingBytes >> 10))
      connection.isDirty = false
      connection.send()
      if (connection.waitsForRelease) this.unreleased.add(connection)
    }
    dirty.length = 0
    this.spareDirty = dirty
  }

  private runQueues(): void {
    this.begin()
    this.startShare(this.shareMs)
    this.runFrom(this.lightOnes)
    if (!this.isOwing) {
      this.runFrom(this.queue)
    } else if (++this.heldBack === MOST_HELD_BACK) {
      this.heldBack = 0
      this.startShare(0) // one only: a publisher asks for much in no time
      this.runFrom(this.queue)
    }
    this.startShare(this.isOwing ? 0 : this.shareMs) // sockets are read next
  }

  // At least one; who comes back meanwhile stands behind the others.
  private runFrom(queue: Ticking[]): void {
    const { length } = queue
    let i = 0
    while (i < length && (i === 0 || this.clock.monotonic() < this.shareEndMs)) {
      const connection = queue[i++]!
      connection.isQueued = false
      connection.turn()
    }
    queue.splice(0, i)
  }
}
