// Who watches which key, for WATCH.
//
// Keys are watched in the logical database they were named in, as in Redis; the engine reports physical ones, so a change looks
// for the database that is it now. The engine is told whether anybody wants to know at all, and reports nothing otherwise.
//
// What counts as a change: any write to the key, its removal, its expiry; and its whole database emptied, or swapped with another, if
// the key is there, or in that other one. A key whose time ran out between WATCH and EXEC has changed even if nobody has looked
// at it since: EXEC asks the clock. One that had run out before WATCH is removed by it, and its absence is what is watched.

import { MAX_KEY_BYTES } from '../base/limits.ts'
import { Slice } from '../base/slice.ts'
import type { Session } from '../commands/session.ts'
import { type Engine, NONE } from '../engine/engine.ts'

/** What a watched key costs beside its bytes: the entry of the client, and that of the watchers with its set. Measured. */
const WATCHED_KEY_BYTES = 264

export class Watch {
  private readonly engine: Engine
  private readonly databases: number
  private readonly watchers: Map<string, Set<Session>>[]
  private count: number
  private readonly interest: () => void

  /** `interest` is called when `isWatching` may have changed. */
  constructor(engine: Engine, databases: number, interest: () => void) {
    this.engine = engine
    this.databases = databases
    this.watchers = Array.from({ length: databases }, () => new Map())
    this.count = 0
    this.interest = interest
  }

  /** Whether anybody watches anything. */
  get isWatching(): boolean {
    return this.count > 0
  }

  watch(session: Session, database: number, key: Slice): void {
    if (key.length > MAX_KEY_BYTES) return // it can't ever be there, so nothing happens to it
    const name = key.key()
    const keys = this.watchers[database]!
    const sessions = keys.get(name)
    if (sessions?.has(session)) return
    const entry = this.engine.find(database, key)
    const expiry = entry === NONE ? 0 : this.engine.expiryOf(entry)
    session.watched.push({ database, key: name, expiry })
    if (sessions === undefined) keys.set(name, new Set([session]))
    else sessions.add(session)
    session.nameBytes += key.length + WATCHED_KEY_BYTES
    this.count++
    this.interest()
  }

  unwatch(session: Session): void {
    for (const { database, key } of session.watched) {
      const keys = this.watchers[database]!
      const sessions = keys.get(key)
      sessions?.delete(session)
      if (sessions?.size === 0) keys.delete(key)
      session.nameBytes -= key.length + WATCHED_KEY_BYTES
      this.count--
    }
    session.watched.length = 0
    session.watchBroken = false
    this.interest()
  }

  /** Engine event: a key of a physical database has changed. */
  changed(physical: number, key: Slice): void {
    for (let database = 0; database < this.databases; database++) {
      const keys = this.watchers[database]!
      if (keys.size === 0 || this.engine.physical(database) !== physical) continue
      breakAll(keys.get(key.key()))
    }
  }

  /** All of a database is about to go, or to be swapped with another: who watches a key that is in one of them loses. */
  databaseChanged(database: number, swappedWith: number): void {
    for (const [key, sessions] of this.watchers[database]!) {
      const slice = new Slice(Buffer.from(key, 'latin1'))
      const isThere = this.engine.find(database, slice) !== NONE || this.engine.find(swappedWith, slice) !== NONE
      if (isThere) breakAll(sessions)
    }
  }
}

function breakAll(sessions: Set<Session> | undefined): void {
  if (sessions === undefined) return
  for (const session of sessions) session.watchBroken = true
}
