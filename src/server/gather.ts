// The small requests of one turn, run together.
//
// Fifty clients that each wait for their reply make fifty sockets readable, and their commands, run one by one, each wait for memory: index,
// entry, key, value (keydir.ts: prefetch). That was a quarter of the main thread's time at P=1. So a small request is put aside when it
// arrives, and when all sockets had their turn (tick.ts) the keys of all are warmed up together before the first runs. Nobody waits longer:
// replies leave at the end of the turn anyway. Order between connections means nothing; a connection has one request here
// at most (with a thousand sockets ready at once, a turn reads from some of them several times: `runOf`).
//
// The receive buffer is everybody's, so putting aside is a copy: for a request of 60 bytes about 30 ns.

import type { Spans } from '../base/spans.ts'
import { MAX_SPANS } from '../base/spans.ts'
import type { Engine } from '../engine/engine.ts'
import { peekKeys } from '../resp/peek.ts'

/** A longer request is a pipeline, which warms up its own keys, or large, and then the copy would cost more. */
const SMALL_BYTES = 256
const MOST = 256

export interface Gathering {
  readonly database: number
  isGathered: boolean
  /** bytes[start, end) have arrived: runs what is whole. They are ours until this returns. */
  take(bytes: Buffer, start: number, end: number): boolean
  /** `take` has returned false: nothing more is read for now. */
  stopReading(): void
}

/** Who wants to know which commands run together (dispatch.ts). */
export interface Batches {
  beginBatch(): void
  endBatch(): void
}

export class Gather {
  private readonly engine: Engine
  private readonly batches: Batches
  private readonly keys: Spans
  private readonly bytes = Buffer.allocUnsafeSlow(SMALL_BYTES * MOST)
  private readonly connections: (Gathering | null)[] = []
  private readonly ends = new Int32Array(MOST + 1) // request i is bytes[ends[i], ends[i + 1])
  private count = 0

  constructor(engine: Engine, batches: Batches, keys: Spans) {
    this.engine = engine
    this.batches = batches
    this.keys = keys
  }

  /** Puts a request aside. False: it is too long, or there is no room; it is to be run at once. */
  add(connection: Gathering, bytes: Buffer, length: number): boolean {
    const i = this.count
    if (length > SMALL_BYTES || i === MOST) return false
    const target = this.bytes
    let at = this.ends[i]!
    for (let from = 0; from < length; from++) target[at++] = bytes[from]!
    this.ends[i + 1] = at
    this.connections[i] = connection
    this.count = i + 1
    connection.isGathered = true
    return true
  }

  /** Runs all that was put aside. */
  run(): void {
    const { count, connections, bytes, ends } = this
    if (count === 0) return
    this.batches.beginBatch()
    for (let first = 0; first < count; first += MAX_SPANS) {
      const last = Math.min(count, first + MAX_SPANS)
      if (last - first > 1) this.warmUp(first, last)
      for (let i = first; i < last; i++) {
        const connection = connections[i] ?? null
        if (connection === null) continue // it has run already, because more came (runOf)
        connection.isGathered = false
        if (!connection.take(bytes, ends[i]!, ends[i + 1]!)) connection.stopReading()
      }
    }
    this.count = 0
    connections.length = 0
    this.batches.endBatch()
  }

  /** Runs what one connection has here, because something else of it comes next. */
  runOf(connection: Gathering): void {
    const i = this.connections.indexOf(connection)
    connection.isGathered = false
    // Its place is empty from now on: the same connection may come again in this turn.
    this.connections[i] = null
    if (!connection.take(this.bytes, this.ends[i]!, this.ends[i + 1]!)) connection.stopReading()
  }

  // Only for one database: nearly always there is only one.
  private warmUp(first: number, last: number): void {
    const { keys, connections, ends } = this
    let database = -1
    keys.bytes = this.bytes
    keys.count = 0
    for (let i = first; i < last; i++) {
      const connection = connections[i] ?? null
      if (connection === null) continue
      if (database < 0) database = connection.database
      if (connection.database === database) peekKeys(this.bytes, ends[i]!, ends[i + 1]!, keys)
    }
    if (keys.count > 1) this.engine.prefetch(database, keys)
  }
}
