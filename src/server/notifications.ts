// Keyspace notifications: what happens to keys, published on channels.
//
//   __keyspace@<db>__:<key>    the event      (class K)
//   __keyevent@<db>__:<event>  the key        (class E)
//
// Commands tell their events (commands/events.ts), the engine tells when a key comes into being and when its time has run out. Events
// are messages like any other, so they wait for the write they speak of.
//
// `announced` is what everybody tests first: 0 unless notify-keyspace-events names K or E and a class of events.

import { EVENT_EXPIRED, EVENT_KEYEVENT, EVENT_KEYSPACE, EVENT_NEW } from '../base/event-classes.ts'
import { Slice, sliceOf } from '../base/slice.ts'
import { CREATED, type Engine, EXPIRED } from '../engine/engine.ts'
import type { PubSub } from './pubsub.ts'

export class Notifications {
  /** Classes that are announced, without K and E; 0: none. */
  announced: number
  private readonly engine: Engine
  private readonly databases: number
  private readonly pubsub: PubSub
  private ways: number // EVENT_KEYSPACE, EVENT_KEYEVENT

  constructor(engine: Engine, databases: number, pubsub: PubSub) {
    this.announced = 0
    this.engine = engine
    this.databases = databases
    this.pubsub = pubsub
    this.ways = 0
  }

  /** notify-keyspace-events. */
  configure(classes: number): void {
    this.ways = classes & (EVENT_KEYSPACE | EVENT_KEYEVENT)
    this.announced = this.ways === 0 ? 0 : classes & ~this.ways
  }

  /** `name` has happened to `key`. */
  announce(eventClass: number, name: string, database: number, key: Slice): void {
    if ((this.announced & eventClass) === 0 || !this.pubsub.hasListeners) return
    const event = sliceOf(name)
    if ((this.ways & EVENT_KEYSPACE) !== 0) {
      const channel = Buffer.concat([Buffer.from(`__keyspace@${database}__:`, 'latin1'), key.copy()])
      this.pubsub.publish(new Slice(channel), event)
    }
    if ((this.ways & EVENT_KEYEVENT) !== 0) this.pubsub.publish(sliceOf(`__keyevent@${database}__:${name}`), key)
  }

  /** Engine event: a key of a physical database has changed. */
  changed(physical: number, key: Slice, change: number): void {
    if (this.announced === 0) return
    if (change === CREATED) this.announcePhysical(EVENT_NEW, 'new', physical, key)
    else if (change === EXPIRED) this.announcePhysical(EVENT_EXPIRED, 'expired', physical, key)
  }

  private announcePhysical(eventClass: number, name: string, physical: number, key: Slice): void {
    for (let database = 0; database < this.databases; database++) {
      if (this.engine.physical(database) === physical) this.announce(eventClass, name, database, key)
    }
  }
}
