// What one connection asks for: a seeded stream of operations over its own two databases, mixed so that every kind of
// record meets every other (values, tombstones, batches, touches, flushes, swaps, expiries).
//
// Each key belongs to a family by its first letter, and a family gets only the operations whose outcome is certain: an
// INCR of a key that may just have expired would have two right answers.
//
//   p  plain values, deleted, overwritten, given a far expiry and freed of it     n  counters     a  appended to
//   t  short and long lives      m  pairs by MSET      x  pairs by MULTI/EXEC      r  renamed, copied and moved
//
// The databases are the connection's two sides. In the ledger a key is `database/key`, so that SWAPDB, MOVE and COPY DB
// are effects like any other. A value carries its owner, key, sequence and a checksum, so that a foreign or mangled one
// shows what it is.

import type { Random } from '../harness/random.ts'
import { type Argument, type Reply, ReplyError, show } from '../harness/resp.ts'
import { CLOCK_SLACK_MS, type Effect, type Entry, type Operation, type State } from './ledger.ts'

export interface Asked extends Operation {
  readonly commands: ReadonlyArray<readonly Argument[]>
  /** Judges the replies, one a command. Returns what is wrong, or undefined. */
  check(replies: readonly Reply[]): string | undefined
  /** Called when it is acknowledged: narrows what was a guess when it was sent. */
  acknowledged?(): void
}

type Judge = (reply: Reply) => boolean
type Command = readonly Argument[]

export const PLAIN_KEYS = 80
/** The keys that may expire while nobody looks. */
export const MORTAL_KEYS: readonly string[] = Array.from({ length: 30 }, (_, i) => `t${i}`)
const FAR_MS = 24 * 3600 * 1000
/** What a connection works on before it goes over to its other database, one operation in so many. */
const CHANGE_OF_SIDE = 0.1

export class Workload {
  private readonly owner: number
  private readonly random: Random
  private seq = 0
  /** Where the next operation goes, and where the server believes the connection to be. */
  private side = 0
  private selected = -1

  constructor(owner: number, random: Random) {
    this.owner = owner
    this.random = random
  }

  /** The databases of this owner. */
  get databases(): readonly [number, number] {
    return [2 * this.owner, 2 * this.owner + 1]
  }

  /** A new connection: the server knows nothing of the database selected before. */
  connected(): void {
    this.selected = -1
  }

  /** The next operation, given the state after all before it. */
  next(state: State): Asked {
    this.seq++
    if (this.random.chance(CHANGE_OF_SIDE)) this.side = 1 - this.side
    const dice = this.random.next()
    if (dice < 0.24) return this.setPlain(state)
    if (dice < 0.32) return this.remove(state)
    if (dice < 0.4) return this.get(state)
    if (dice < 0.5) return this.mortal()
    if (dice < 0.58) return this.count(state)
    if (dice < 0.66) return this.append(state)
    if (dice < 0.74) return this.pairByMset(state)
    if (dice < 0.84) return this.pairByMulti()
    if (dice < 0.91) return this.rename(state)
    if (dice < 0.995) return this.touch(state)
    if (dice < 0.997) return this.swap()
    return this.ask([['FLUSHDB', ...(this.random.chance(0.5) ? ['ASYNC'] : [])]], [this.cleared()], [ok])
  }

  /** Everything of this owner is gone, by a FLUSHALL that somebody sends for all. */
  flushed(): Operation {
    this.seq++
    return { seq: this.seq, effects: [{ kind: 'clear' }] }
  }

  private setPlain(state: State): Asked {
    const key = `p${this.random.below(PLAIN_KEYS)}`
    const value = this.value(key)
    const before = state.get(this.at(key))
    switch (this.random.below(8)) {
      case 0: // what was there comes back as the reply
        return this.ask([['SET', key, value, 'GET']], [this.set(key, value)], [is(before?.value ?? null)])
      case 1: {
        const effects = before === undefined ? [this.set(key, value)] : []
        return this.ask([['SET', key, value, 'NX']], effects, [before === undefined ? ok : is(null)])
      }
      case 2: {
        const effects = before === undefined ? [] : [this.set(key, value, before.expiry)]
        return this.ask([['SET', key, value, 'XX', 'KEEPTTL']], effects, [before === undefined ? is(null) : ok])
      }
      default:
        return this.ask([['SET', key, value]], [this.set(key, value)], [ok])
    }
  }

  private remove(state: State): Asked {
    const keys = [`p${this.random.below(PLAIN_KEYS)}`, `p${this.random.below(PLAIN_KEYS)}`]
    if (this.random.chance(0.2)) {
      const before = state.get(this.at(keys[0]!))?.value ?? null
      return this.ask([['GETDEL', keys[0]!]], [this.gone(keys[0]!)], [is(before)])
    }
    const there = new Set(keys.filter((key) => state.has(this.at(key)))).size
    const name = this.random.pick(['DEL', 'UNLINK'])
    return this.ask(
      [[name, ...keys]],
      keys.map((key) => this.gone(key)),
      [is(there)],
    )
  }

  private get(state: State): Asked {
    const key = `p${this.random.below(PLAIN_KEYS)}`
    return this.ask([['GET', key]], [], [is(state.get(this.at(key))?.value ?? null)])
  }

  /** A key with a life: for milliseconds or for hours, by duration or by moment, or for ever after all. */
  private mortal(): Asked {
    const key = this.random.pick(MORTAL_KEYS)
    const value = this.value(key)
    const now = Date.now()
    const ms = this.random.chance(0.6) ? this.random.between(20, 800) : FAR_MS
    switch (this.random.below(4)) {
      case 0:
        return this.ask([['SET', key, value]], [this.set(key, value)], [ok])
      case 1:
        return this.ask([['DEL', key]], [this.gone(key)], [anything])
      case 2:
        return this.ask(
          [['SET', key, value, 'PXAT', now + ms]],
          [this.set(key, value, { from: now + ms, to: now + ms })],
          [ok],
        )
      default: {
        const expiry = { from: now + ms - CLOCK_SLACK_MS, to: Number.MAX_SAFE_INTEGER }
        const asked = this.ask([['PSETEX', key, ms, value]], [this.set(key, value, expiry)], [ok])
        return { ...asked, acknowledged: () => void (expiry.to = Date.now() + ms + CLOCK_SLACK_MS) }
      }
    }
  }

  private count(state: State): Asked {
    const key = `n${this.random.below(12)}`
    const before = Number(state.get(this.at(key))?.value ?? 0)
    const step = this.random.between(-1000, 1000)
    if (this.random.chance(0.2)) return this.ask([['DECR', key]], [this.set(key, `${before - 1}`)], [is(before - 1)])
    return this.ask([['INCRBY', key, step]], [this.set(key, `${before + step}`)], [is(before + step)])
  }

  private append(state: State): Asked {
    const key = `a${this.random.below(12)}`
    const before = state.get(this.at(key))?.value ?? ''
    if (before.length > 3000) return this.ask([['SET', key, '']], [this.set(key, '')], [ok])
    const more = `${this.owner}.${this.seq};`
    if (this.random.chance(0.2)) {
      const offset = this.random.below(before.length + 1)
      const after = before.slice(0, offset) + more + before.slice(offset + more.length)
      return this.ask([['SETRANGE', key, offset, more]], [this.set(key, after)], [is(after.length)])
    }
    const after = before + more
    return this.ask([['APPEND', key, more]], [this.set(key, after)], [is(after.length)])
  }

  private pairByMset(state: State): Asked {
    const pair = `m${this.random.below(20)}`
    const [left, right] = [this.value(`${pair}l`), this.value(`${pair}r`)]
    const words = [`${pair}l`, left, `${pair}r`, right]
    const both = [this.set(`${pair}l`, left), this.set(`${pair}r`, right)]
    if (this.random.chance(0.2)) {
      const free = !state.has(this.at(`${pair}l`)) && !state.has(this.at(`${pair}r`))
      return this.ask([['MSETNX', ...words]], free ? both : [], [is(free ? 1 : 0)])
    }
    return this.ask([['MSET', ...words]], both, [ok])
  }

  private pairByMulti(): Asked {
    const pair = `x${this.random.below(20)}`
    if (this.random.chance(0.2)) {
      return this.ask(
        [['MULTI'], ['DEL', `${pair}l`], ['DEL', `${pair}r`], ['EXEC']],
        [this.gone(`${pair}l`), this.gone(`${pair}r`)],
        [ok, queued, queued, listOf(2)],
      )
    }
    const [left, right] = [this.value(`${pair}l`), this.value(`${pair}r`)]
    return this.ask(
      [['MULTI'], ['SET', `${pair}l`, left], ['SET', `${pair}r`, right], ['EXEC']],
      [this.set(`${pair}l`, left), this.set(`${pair}r`, right)],
      [ok, queued, queued, listOf(2)],
    )
  }

  /** RENAME, COPY and MOVE, also over to the other database. */
  private rename(state: State): Asked {
    const [from, to] = [`r${this.random.below(10)}`, `r${this.random.below(10)}`]
    const entry = state.get(this.at(from))
    if (entry === undefined || from === to) {
      const value = this.value(from)
      return this.ask([['SET', from, value]], [this.set(from, value)], [ok])
    }
    const other = 1 - this.side
    const put = (side: number, key: string): Effect => ({ kind: 'set', key: this.at(key, side), entry })
    switch (this.random.below(4)) {
      case 0:
        return this.ask([['COPY', from, to, 'REPLACE']], [put(this.side, to)], [is(1)])
      case 1:
        return this.ask([['COPY', from, to, 'DB', this.databases[other]!, 'REPLACE']], [put(other, to)], [is(1)])
      case 2: {
        const isFree = !state.has(this.at(from, other))
        const effects = isFree ? [this.gone(from), put(other, from)] : []
        return this.ask([['MOVE', from, this.databases[other]!]], effects, [is(isFree ? 1 : 0)])
      }
      default:
        return this.ask([['RENAME', from, to]], [this.gone(from), put(this.side, to)], [ok])
    }
  }

  /** Changes the expiry of a key without its value: a moment far off, or none. */
  private touch(state: State): Asked {
    const key = `p${this.random.below(PLAIN_KEYS)}`
    const entry = state.get(this.at(key))
    if (entry === undefined) {
      const value = this.value(key)
      return this.ask([['SET', key, value]], [this.set(key, value)], [ok])
    }
    if (entry.expiry !== undefined && this.random.chance(0.5)) {
      return this.ask([['PERSIST', key]], [this.set(key, entry.value)], [is(1)])
    }
    const at = Date.now() + FAR_MS + this.seq
    return this.ask([['PEXPIREAT', key, at]], [this.set(key, entry.value, { from: at, to: at })], [is(1)])
  }

  private swap(): Asked {
    const [left, right] = this.databases
    return this.ask([['SWAPDB', left, right]], [{ kind: 'swap', prefixes: [`${left}/`, `${right}/`] }], [ok])
  }

  /** The ledger's name of a key of this side (or the one given). */
  private at(key: string, side: number = this.side): string {
    return `${this.databases[side]}/${key}`
  }

  private set(key: string, value: string, expiry?: Entry['expiry']): Effect {
    return { kind: 'set', key: this.at(key), entry: expiry === undefined ? { value } : { value, expiry } }
  }

  private gone(key: string): Effect {
    return { kind: 'delete', key: this.at(key) }
  }

  private cleared(): Effect {
    return { kind: 'clear', prefix: `${this.databases[this.side]}/` }
  }

  private value(key: string): string {
    // Mostly small; now and then larger than 4 KiB, beyond which a change of expiry does not rewrite the value.
    const filler = this.random.chance(0.04) ? this.random.between(4200, 12_000) : this.random.between(0, 200)
    return markedValue(this.owner, key, this.seq, filler)
  }

  private ask(commands: readonly Command[], effects: readonly Effect[], expected: readonly Judge[]): Asked {
    const all = [...commands]
    const judges = [...expected]
    if (this.selected !== this.side) {
      this.selected = this.side
      all.unshift(['SELECT', this.databases[this.side]!])
      judges.unshift(ok)
    }
    const check = (replies: readonly Reply[]): string | undefined => {
      const bad = replies.findIndex((reply, i) => !judges[i]!(reply))
      if (bad < 0) return undefined
      const command = all[bad]!.map((word) => String(word).slice(0, 40)).join(' ')
      return `${command} of owner ${this.owner} was answered ${show(replies[bad]!).slice(0, 200)}`
    }
    return { seq: this.seq, commands: all, effects, check }
  }
}

/** A value that says where it belongs: owner/key#seq#filler#checksum. */
export function markedValue(owner: number, key: string, seq: number, filler: number): string {
  const body = `${owner}/${key}#${seq}#${'.'.repeat(filler)}`
  return `${body}#${checksum(body)}`
}

/** The sequence in a value, or undefined when it carries none (counters, appended ones). Throws on a false checksum. */
export function seqOf(value: string): number | undefined {
  const match = /^(\d+\/\w+#(\d+)#\.*)#(\w+)$/.exec(value)
  if (match === null) return undefined
  if (checksum(match[1]!) !== match[3]) throw new Error(`a value with a false checksum: ${value.slice(0, 80)}`)
  return Number(match[2])
}

function checksum(text: string): string {
  let hash = 0x811c9dc5 // FNV-1a: enough to tell one's own bytes from others'
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(16)
}

const ok: Judge = (reply) => reply === 'OK'
const queued: Judge = (reply) => reply === 'QUEUED'
const anything: Judge = (reply) => !(reply instanceof ReplyError)
const listOf =
  (length: number): Judge =>
  (reply) =>
    Array.isArray(reply) && reply.length === length && reply.every(anything)
const is =
  (wanted: string | number | null): Judge =>
  (reply) =>
    (Buffer.isBuffer(reply) ? reply.toString('latin1') : reply) === wanted
