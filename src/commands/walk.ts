// Walks over the keys of a database: KEYS and SCAN.
//
// A walk goes from cursor to cursor and collects the keys that match as bulk strings in a buffer of its own, because the
// header of the reply, their number, comes first. Looking at ten keys costs nothing; looking at ten million takes seconds,
// in which others wait. So a walk is done in steps of bounded work, and between them the session lets others run. KEYS
// then is not a picture of one instant: it has every key that was there throughout, and those that came or went meanwhile or not.

import { globMatch } from '../base/glob.ts'
import { Slice } from '../base/slice.ts'
import { ReplyWriter } from '../resp/reply.ts'
import type { Session } from './session.ts'
import { typeName } from './types.ts'

/** Entries looked at in one step, when there is nothing to compare. */
const STEP_ENTRIES = 4096
/** Steps of pattern matching that one step of ours may cost at worst: a pattern of p bytes over a key of k takes up to p * k. */
const STEP_COST = 500_000
/** Entries between two looks at that cost. */
const COSTLY_ENTRIES = 16

export interface KeyFilter {
  /** null: every key. The slice must be the walk's own when the walk takes more than one step. */
  readonly pattern: Slice | null
  /** In lower case; null: every type. */
  readonly type: string | null
}

export interface WalkLimits {
  /** The walk ends when it has seen so many keys of the database, matching or not, */
  readonly keys: number
  /** or has looked at so many entries, also those of other databases. */
  readonly entries: number
}

export class KeyWalk {
  cursor: number
  found = 0
  readonly keys = new ReplyWriter()

  private readonly session: Session
  private readonly filter: KeyFilter
  private keysLeft: number
  private entriesLeft: number
  private costLeft = 0
  private readonly key = new Slice()
  private readonly visit: (entry: number) => void

  constructor(session: Session, cursor: number, filter: KeyFilter, limits: WalkLimits) {
    this.session = session
    this.cursor = cursor
    this.filter = filter
    this.keysLeft = limits.keys
    this.entriesLeft = limits.entries
    this.visit = (entry) => this.look(entry)
  }

  /** One step. True: the walk has ended, at the end of the database (cursor 0) or at its limits. */
  step(): boolean {
    const { engine, database } = this.session
    const slice = this.filter.pattern === null ? STEP_ENTRIES : COSTLY_ENTRIES
    let stepLeft = STEP_ENTRIES
    this.costLeft = STEP_COST
    while (stepLeft > 0 && this.costLeft > 0) {
      const budget = Math.min(slice, this.keysLeft, this.entriesLeft)
      this.cursor = engine.scan(database, this.cursor, budget, this.visit)
      stepLeft -= budget
      this.entriesLeft -= budget
      if (this.cursor === 0 || this.keysLeft <= 0 || this.entriesLeft <= 0) return true
    }
    return false
  }

  /** Appends the keys found, as an array. */
  reply(): void {
    const { reply } = this.session
    reply.array(this.found)
    reply.raw(this.keys.bytes, 0, this.keys.length)
  }

  private look(entry: number): void {
    const { engine } = this.session
    const { pattern, type } = this.filter
    this.keysLeft--
    if (type !== null && typeName(engine.typeOf(entry)) !== type) return
    const key = engine.keyOf(entry, this.key)
    if (pattern !== null) {
      this.costLeft -= pattern.length * key.length
      if (!globMatch(pattern, key)) return
    }
    this.keys.bulk(key.bytes, key.start, key.end)
    this.found++
  }
}
