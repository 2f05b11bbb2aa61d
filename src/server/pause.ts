// CLIENT PAUSE: commands wait until a moment, all of them or those that change something.
//
// A pause is a gate that every connection closes (gates.ts), so that it costs nothing while there is none. A command that meets it is
// parked; arity, password and the like are judged before, as in Redis. A second pause makes the first longer or stricter,
// never shorter or milder: only UNPAUSE ends it early.

import type { Clock, Timer } from '../base/clock.ts'
import type { Connection } from './connection.ts'
import { GATE_PAUSED, GATE_PAUSED_WRITES } from './gates.ts'

export class Pause {
  /** What connections close now: GATE_PAUSED, GATE_PAUSED_WRITES, or 0. */
  gates: number
  private untilMs: number // wall clock
  private timer: Timer | null
  private readonly waiting: Set<Connection>
  private readonly clock: Clock
  private readonly connections: () => Iterable<Connection>

  constructor(clock: Clock, connections: () => Iterable<Connection>) {
    this.gates = 0
    this.untilMs = 0
    this.timer = null
    this.waiting = new Set()
    this.clock = clock
    this.connections = connections
  }

  /** `untilMs`: wall clock. `all`: reads too. */
  start(untilMs: number, all: boolean): void {
    this.gates |= all ? GATE_PAUSED | GATE_PAUSED_WRITES : GATE_PAUSED_WRITES
    this.untilMs = Math.max(this.untilMs, untilMs)
    for (const connection of this.connections()) connection.closePauseGates(this.gates)
    this.wait()
  }

  stop(): void {
    this.timer?.cancel()
    this.timer = null
    this.untilMs = 0
    this.gates = 0
    for (const connection of this.connections()) connection.closePauseGates(0)
    for (const connection of this.waiting) connection.unpark()
    this.waiting.clear()
  }

  /** A parked command of this connection goes on when the pause is over. */
  add(connection: Connection): void {
    this.waiting.add(connection)
  }

  forget(connection: Connection): void {
    this.waiting.delete(connection)
  }

  has(connection: Connection): boolean {
    return this.waiting.has(connection)
  }

  private wait(): void {
    this.timer?.cancel()
    const leftMs = this.untilMs - this.clock.now()
    if (leftMs <= 0) this.stop()
    else this.timer = this.clock.after(leftMs, () => this.wait())
  }
}
