// Keyspace events: what a command did to a key, told to whoever has subscribed to such news (server/notifications.ts).
//
// A handler that changed a key calls `notify` with the event's class and name, after the change and before its reply: in that
// order Redis says things. When nobody wants to know, which is nearly always, that costs one test of a bit.
//
// Two events nobody has to call for: `new` (the engine knows when a key comes into being) and `expired` (it knows that too). Only a
// command that replaces a key by deleting it first, where Redis says `new` once more (RENAME, COPY, RESTORE), says so itself.

import { EVENT_MISS } from '../base/event-classes.ts'
import type { Slice } from '../base/slice.ts'
import { NONE } from '../engine/engine.ts'
import type { Session } from './session.ts'

/** `name` ('set', 'del', ...) has happened to `key` of a database (logical number). `eventClass`: one of base/event-classes.ts. */
export function notify(
  session: Session,
  eventClass: number,
  name: string,
  key: Slice,
  database: number = session.database,
): void {
  if ((session.server.announced & eventClass) !== 0) session.server.announce(eventClass, name, database, key)
}

/** The key's entry, or NONE: for commands that read. Found or not is counted (INFO keyspace_hits), and not found is an event (`keymiss`). */
export function findToRead(session: Session, key: Slice, database: number = session.database): number {
  const entry = findSilently(session, key, database)
  if (entry === NONE) notify(session, EVENT_MISS, 'keymiss', key, database)
  return entry
}

/** The same without the event, for OBJECT. */
export function findSilently(session: Session, key: Slice, database: number = session.database): number {
  const entry = session.engine.find(database, key)
  const { lookups } = session.server
  if (entry === NONE) lookups.misses++
  else lookups.hits++
  return entry
}
