// Walks over the keys of a database: KEYS and SCAN.
//
// A walk goes from cursor to cursor and collects the keys that match, as bulk strings in chunks of its own, because the header of
// the reply, their number, comes first. Looking at ten keys costs nothing; looking at ten million takes seconds, in which
// others wait, and so does copying what was found. So both are done in steps of bounded work, and between them the session lets
// others run. KEYS then is no picture of one instant: it has every key that was there throughout, and of those that came or
// went meanwhile some.

import { globMatch } from '../base/glob.ts'
import { Slice } from '../base/slice.ts'
import { ReplyWriter } from '../resp/reply.ts'
import type { Session } from './session.ts'
import { typeName } from './types.ts'

/** Entries looked at in one step. */
const STEP_ENTRIES = 4096
/**
 * What the keys of one step may cost: the bytes of each, times the bytes of the pattern, since a pattern of p bytes over a key of k
 * takes up to p * k comparisons.
 */
const STEP_COST = 500_000
/** Entries between two looks at that cost. */
const ENTRIES = 64
const ENTRIES_WITH_PATTERN = 16
/** What is found is kept, and given out, in pieces of about this size. */
const CHUNK_BYTES = 1024 * 1024

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
  /** or has found so many bytes of keys. */
  readonly bytes: number
}

export class KeyWalk {
  cursor: number
  found = 0

  private readonly session: Session
  private readonly filter: KeyFilter
  private keysLeft: number
  private entriesLeft: number
  private bytesLeft: number
  private bytes = 0
  private costLeft = 0
  private readonly chunks: ReplyWriter[] = [new ReplyWriter()]
  private given = 0
  private readonly key = new Slice()
  private readonly visit: (entry: number) => void

  constructor(session: Session, cursor: number, filter: KeyFilter, limits: WalkLimits) {
    this.session = session
    this.cursor = cursor
    this.filter = filter
    this.keysLeft = limits.keys
    this.entriesLeft = limits.entries
    this.bytesLeft = limits.bytes
    this.visit = (entry) => this.look(entry)
  }

  /** One step. True: the walk has ended, at the end of the database (cursor 0), at its limits or at the client's. */
  step(): boolean {
    const { engine, database } = this.session
    const entries = this.filter.pattern === null ? ENTRIES : ENTRIES_WITH_PATTERN
    let stepLeft = STEP_ENTRIES
    this.costLeft = STEP_COST
    while (stepLeft > 0 && this.costLeft > 0) {
      const budget = Math.min(entries, this.keysLeft, this.entriesLeft)
      this.cursor = engine.scan(database, this.cursor, budget, this.visit)
      stepLeft -= budget
      this.entriesLeft -= budget
      if (this.cursor === 0 || this.keysLeft <= 0 || this.entriesLeft <= 0 || this.bytesLeft <= 0) return true
    }
    return !this.session.mayReply(this.bytes)
  }

  /** All that was found fits one step of replying. */
  get isShort(): boolean {
    return this.chunks.length === 1
  }

  /** Appends the header of the array of keys found. */
  replyHeader(): void {
    this.session.reply.array(this.found)
  }

  /** Appends the next chunk of them. True: it was the last one. */
  replyChunk(): boolean {
    const chunk = this.chunks[this.given]!
    this.session.reply.raw(chunk.bytes, 0, chunk.length)
    this.chunks[this.given++] = NO_CHUNK
    return this.given === this.chunks.length
  }

  private look(entry: number): void {
    const { engine } = this.session
    const { pattern, type } = this.filter
    this.keysLeft--
    if (type !== null && typeName(engine.typeOf(entry)) !== type) return
    const key = engine.keyOf(entry, this.key)
    this.costLeft -= key.length * (pattern?.length ?? 1)
    if (pattern !== null && !globMatch(pattern, key)) return
    let chunk = this.chunks[this.chunks.length - 1]!
    if (chunk.length >= CHUNK_BYTES) this.chunks.push((chunk = new ReplyWriter()))
    chunk.bulk(key.bytes, key.start, key.end)
    this.bytesLeft -= key.length
    this.bytes += key.length
    this.found++
  }
}

const NO_CHUNK = new ReplyWriter()
