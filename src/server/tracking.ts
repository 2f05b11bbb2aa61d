// Client-side caching: which client must be told that a key it has read has changed.
//
//   by default    `readers`: for each key the clients that have read it since they were told last; one message ends that
//   BCAST         `prefixes`: clients hear of every changed key that begins with a prefix of theirs, read or not; once a tick,
//                 before replies leave, all keys of a prefix in one message
//
// A key is a name here, in whatever database: so Redis has it, and a message too many does no harm. Readers are remembered by client
// number, because a client may be gone long before the key changes; numbers are never used twice. `readers` is bounded by
// tracking-table-max-keys, and in bytes, since keys may be long and V8's heap is one for all: the key remembered longest is given up, and
// its readers told that it has changed.
//
// A message says only that a copy may be old. So it waits for no write: who reads again waits for the write it sees, and when the write
// fails, the message was one too many. (One that waited would be lost with a failed write, and with it the reader.)
//
// What a client changes itself it is told behind the reply of that command (of all of EXEC): hence `current`, the tracking client
// whose command is running, and `pending`. Dispatch comes here for tracking clients only, by way of a gate.

import { MAX_KEY_BYTES } from '../base/limits.ts'
import type { Slice } from '../base/slice.ts'
import { type Command, READ } from '../commands/command.ts'
import { keysOf } from '../commands/command-table.ts'
import type { Session, Tracking, TrackingPort } from '../commands/session.ts'
import { EXPIRED } from '../engine/engine.ts'
import type { Args } from '../resp/args.ts'
import { ReplyWriter } from '../resp/reply.ts'

/** Everything changed: FLUSHDB, FLUSHALL. */
const ALL = null

/** What a prefix costs beside its bytes: the entry of the client, and that of the server with its set and its map. */
const PREFIX_BYTES = 512
/** What a key costs beside its bytes, with one reader; the set for two of them; each further one. Measured. */
const KEY_BYTES = 72
const TWO_READERS_BYTES = 154
const READER_BYTES = 34

/** Clients of one prefix. */
interface Prefix {
  readonly sessions: Set<Session>
  /** Keys that have changed, and who among the tracking clients changed each last. */
  readonly changed: Map<string, Session | null>
}

export interface TrackingOptions {
  /** What the keys that were read, and who read them, may cost. */
  readonly maxBytes: number
  readonly sessionById: (id: number) => Session | undefined
  /** Runs something before this tick's replies leave. */
  readonly beforeSending: (task: () => void) => void
  /** Called when `isTracking` may have changed. */
  readonly interest: () => void
}

export class TrackingTable implements TrackingPort {
  /** tracking-table-max-keys, 0: no limit. */
  maxKeys: number
  private readonly options: TrackingOptions
  private readonly sessions: Set<Session>
  /** Clients that track or have tracked, and are still there. */
  private readonly acquainted: Set<Session>
  /** Most keys have one reader: its number, without a set around it. */
  private readonly readers: Map<string, number | Set<number>>
  private readerCount: number
  private readerBytes: number
  private readonly prefixes: Map<string, Prefix>
  private hasBroadcast: boolean // one is due
  private current: Session | null
  private readonly pending: (string | typeof ALL)[]

  constructor(options: TrackingOptions) {
    this.maxKeys = 0
    this.options = options
    this.sessions = new Set()
    this.acquainted = new Set()
    this.readers = new Map()
    this.readerCount = 0
    this.readerBytes = 0
    this.prefixes = new Map()
    this.hasBroadcast = false
    this.current = null
    this.pending = []
  }

  get clientCount(): number {
    return this.sessions.size
  }

  get keyCount(): number {
    return this.readers.size
  }

  get itemCount(): number {
    return this.readerCount
  }

  get prefixCount(): number {
    return this.prefixes.size
  }

  /** Whether changes of keys concern anybody: also who has switched it off and may switch it on again. */
  get isTracking(): boolean {
    return this.sessions.size > 0 || this.readers.size > 0
  }

  enable(session: Session, wanted: Omit<Tracking, 'caching' | 'isBroken'>): void {
    const before = session.tracking
    const prefixes = new Set([...(before?.prefixes ?? []), ...wanted.prefixes])
    session.tracking = { ...wanted, prefixes, caching: before?.caching ?? false, isBroken: false }
    this.sessions.add(session)
    this.acquainted.add(session)
    for (const name of prefixes) {
      if (before?.prefixes.has(name) !== true) session.nameBytes += name.length + PREFIX_BYTES
      const prefix = this.prefixes.get(name)
      if (prefix === undefined) this.prefixes.set(name, { sessions: new Set([session]), changed: new Map() })
      else prefix.sessions.add(session)
    }
    this.options.interest()
  }

  disable(session: Session): void {
    const { tracking } = session
    if (tracking === null) return
    session.tracking = null
    this.sessions.delete(session)
    for (const name of tracking.prefixes) {
      const { sessions } = this.prefixes.get(name)!
      session.nameBytes -= name.length + PREFIX_BYTES
      sessions.delete(session)
      if (sessions.size === 0) this.prefixes.delete(name)
    }
    this.options.interest()
  }

  /**
   * The client is gone. With the last one there that has ever tracked, what others had read before they went is forgotten: changes
   * cost nothing again. Who has switched it off and is still there may switch it on again, and then hears of what it read before.
   */
  leave(session: Session): void {
    this.disable(session)
    if (!this.acquainted.delete(session) || this.acquainted.size > 0 || this.readers.size === 0) return
    this.forgetReaders()
  }

  // --- commands of tracking clients

  begin(session: Session): void {
    this.current = session
  }

  /** The command that `begin` announced has run. */
  end(session: Session, command: Command, args: Args): void {
    this.remember(session, command, args)
    this.passed(session, command)
    this.current = null
    for (const key of this.pending.splice(0)) this.tell(session, key)
  }

  /** CLIENT CACHING counts for the next command or transaction, even a wrong one (null: unknown); CLIENT's others leave it alone. */
  passed({ tracking, transaction }: Session, command: Command | null): void {
    if (tracking === null || transaction !== null || command?.name.startsWith('CLIENT|')) return
    tracking.caching = false
  }

  /** The client has read the keys of this command, if it is one that reads. */
  remember(session: Session, command: Command, args: Args): void {
    const { tracking } = session
    if (tracking === null || tracking.broadcast || (command.flags & READ) === 0) return
    if (tracking.optIn ? !tracking.caching : tracking.optOut && tracking.caching) return
    for (const i of keysOf(command, args.count)) {
      const key = args.at(i)
      if (key.length <= MAX_KEY_BYTES) this.addReader(key.key(), session.id) // no larger one can ever change
    }
    while (this.isTooLarge) this.invalidate(this.readers.keys().next().value!)
  }

  private get isTooLarge(): boolean {
    return (this.maxKeys > 0 && this.readers.size > this.maxKeys) || this.readerBytes > this.options.maxBytes
  }

  private addReader(key: string, id: number): void {
    const known = this.readers.get(key)
    if (known === id || (typeof known === 'object' && known.has(id))) return
    if (known === undefined) this.readers.set(key, id)
    else if (typeof known === 'number') this.readers.set(key, new Set([known, id]))
    else known.add(id)
    this.readerCount++
    const count = known === undefined ? 1 : typeof known === 'number' ? 2 : known.size
    this.readerBytes += costOf(key, count) - costOf(key, count - 1)
  }

  // --- changes

  /** Engine event: a key has changed. */
  changed(key: Slice, change: number): void {
    const name = key.key()
    for (const [prefix, { changed }] of this.prefixes) {
      if (!name.startsWith(prefix)) continue
      // Nobody makes a key expire, not even who finds out.
      changed.set(name, change === EXPIRED ? null : this.current)
      this.announceBroadcast()
    }
    this.invalidate(name)
  }

  /** All keys of a database, or of all, have gone. */
  flushed(): void {
    for (const session of this.sessions) this.tellInTurn(session, ALL)
    this.forgetReaders()
  }

  private forgetReaders(): void {
    this.readers.clear()
    this.readerCount = 0
    this.readerBytes = 0
    this.options.interest()
  }

  private invalidate(key: string): void {
    const readers = this.readers.get(key)
    if (readers === undefined) return
    this.readers.delete(key)
    const ids = typeof readers === 'number' ? [readers] : [...readers]
    this.readerCount -= ids.length
    this.readerBytes -= costOf(key, ids.length)
    for (const id of ids) {
      const session = this.options.sessionById(id)
      const tracking = session?.tracking ?? null
      if (session === undefined || tracking === null || tracking.broadcast) continue
      if (!(tracking.noLoop && session === this.current)) this.tellInTurn(session, key)
    }
    if (this.readers.size === 0) this.options.interest()
  }

  private tellInTurn(session: Session, key: string | typeof ALL): void {
    if (session === this.current) this.pending.push(key)
    else this.tell(session, key)
  }

  private announceBroadcast(): void {
    if (this.hasBroadcast) return
    this.hasBroadcast = true
    this.options.beforeSending(() => this.broadcast())
  }

  private broadcast(): void {
    this.hasBroadcast = false
    for (const { sessions, changed } of this.prefixes.values()) {
      if (changed.size === 0) continue
      const keys = [...changed.keys()].sort()
      const all = drawKeys(keys)
      for (const session of sessions) {
        if (session.tracking?.noLoop !== true) {
          this.send(session, all)
          continue
        }
        const others = keys.filter((key) => changed.get(key) !== session)
        if (others.length > 0) this.send(session, drawKeys(others))
      }
      changed.clear()
    }
  }

  // --- messages

  private tell(session: Session, key: string | typeof ALL): void {
    this.send(session, key === ALL ? drawNull(session.protocol) : drawKey(key))
  }

  /** `keys`: the reply that says which. */
  private send(session: Session, keys: Buffer): void {
    const { tracking } = session
    if (tracking === null) return
    let target: Session = session
    if (tracking.redirect !== 0) {
      const other = this.options.sessionById(tracking.redirect)
      if (other === undefined) {
        tracking.isBroken = true
        if (session.protocol === 3) session.push(drawBroken(tracking.redirect), 0)
        return
      }
      target = other
    }
    if (target.protocol === 3) target.push(Buffer.concat([INVALIDATE, keys]), 0)
    else if (target !== session && target.subscriptions !== null) target.push(Buffer.concat([MESSAGE, keys]), 0)
    // Otherwise there is no way to say it: in RESP2 a client reads nothing but replies, unless it has subscribed.
  }
}

function costOf(key: string, readers: number): number {
  if (readers === 0) return 0
  return key.length + KEY_BYTES + (readers === 1 ? 0 : TWO_READERS_BYTES + (readers - 2) * READER_BYTES)
}

const INVALIDATE = Buffer.from('>2\r\n$10\r\ninvalidate\r\n')
const MESSAGE = Buffer.from('*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n')

/** A list of one key, as nearly all are: without a writer, whose first buffer costs more than the rest of telling. */
function drawKey(key: string): Buffer {
  return Buffer.from(`*1\r\n$${key.length}\r\n${key}\r\n`, 'latin1')
}

function drawKeys(keys: readonly string[]): Buffer {
  const pen = new ReplyWriter()
  pen.array(keys.length)
  for (const key of keys) {
    const bytes = Buffer.from(key, 'latin1')
    pen.bulk(bytes, 0, bytes.length)
  }
  return pen.bytes.subarray(0, pen.length)
}

function drawNull(protocol: 2 | 3): Buffer {
  const pen = new ReplyWriter(protocol)
  pen.null()
  return pen.bytes.subarray(0, pen.length)
}

function drawBroken(id: number): Buffer {
  const pen = new ReplyWriter(3)
  pen.push(2)
  pen.bulkText('tracking-redir-broken')
  pen.integer(id)
  return pen.bytes.subarray(0, pen.length)
}
