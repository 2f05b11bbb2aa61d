// What one connection asks for: a seeded stream of operations over its own database, mixed so that every kind of record
// meets every other (values, tombstones, batches, touches, flushes, expiries).
//
// Each key belongs to a family by its first letter, and a family gets only the operations whose outcome is certain: an
// INCR of a key that may just have expired would have two right answers.
//
//   p  plain values, deleted, overwritten, given a far expiry and freed of it     n  counters     a  appended to
//   t  short and long lives      m  pairs by MSET      x  pairs by MULTI/EXEC      r  renamed and copied
//
// A value carries its database, key, sequence and a checksum, so that a foreign or mangled one shows what it is.

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

export const PLAIN_KEYS = 120
/** The keys that may expire while nobody looks. */
export const MORTAL_KEYS: readonly string[] = Array.from({ length: 40 }, (_, i) => `t${i}`)
const FAR_MS = 24 * 3600 * 1000

export class Workload {
  private readonly database: number
  private readonly random: Random
  private seq = 0

  constructor(database: number, random: Random) {
    this.database = database
    this.random = random
  }

  /** The next operation, given the state after all before it. */
  next(state: State): Asked {
    this.seq++
    const dice = this.random.next()
    if (dice < 0.3) return this.setPlain()
    if (dice < 0.38) return this.remove(state)
    if (dice < 0.5) return this.get(state)
    if (dice < 0.6) return this.mortal()
    if (dice < 0.67) return this.count(state)
    if (dice < 0.74) return this.append(state)
    if (dice < 0.82) return this.pairByMset()
    if (dice < 0.9) return this.pairByMulti()
    if (dice < 0.94) return this.rename(state)
    if (dice < 0.998) return this.touch(state)
    return this.ask([['FLUSHDB']], [{ kind: 'clear' }], [ok])
  }

  private setPlain(): Asked {
    const key = `p${this.random.below(PLAIN_KEYS)}`
    const value = this.value(key)
    return this.ask([['SET', key, value]], [set(key, value)], [ok])
  }

  private remove(state: State): Asked {
    const keys = [`p${this.random.below(PLAIN_KEYS)}`, `p${this.random.below(PLAIN_KEYS)}`]
    const there = new Set(keys.filter((key) => state.has(key))).size
    const name = this.random.pick(['DEL', 'UNLINK'])
    return this.ask(
      [[name, ...keys]],
      keys.map((key) => ({ kind: 'delete', key })),
      [is(there)],
    )
  }

  private get(state: State): Asked {
    const key = `p${this.random.below(PLAIN_KEYS)}`
    return this.ask([['GET', key]], [], [is(state.get(key)?.value ?? null)])
  }

  /** A key with a life: for milliseconds or for hours, by duration or by moment, or for ever after all. */
  private mortal(): Asked {
    const key = this.random.pick(MORTAL_KEYS)
    const value = this.value(key)
    const now = Date.now()
    const ms = this.random.chance(0.6) ? this.random.between(20, 800) : FAR_MS
    switch (this.random.below(4)) {
      case 0:
        return this.ask([['SET', key, value]], [set(key, value)], [ok])
      case 1:
        return this.ask([['DEL', key]], [{ kind: 'delete', key }], [anything])
      case 2:
        return this.ask(
          [['SET', key, value, 'PXAT', now + ms]],
          [set(key, value, { from: now + ms, to: now + ms })],
          [ok],
        )
      default: {
        const expiry = { from: now + ms - CLOCK_SLACK_MS, to: Number.MAX_SAFE_INTEGER }
        const asked = this.ask([['SET', key, value, 'PX', ms]], [set(key, value, expiry)], [ok])
        return { ...asked, acknowledged: () => void (expiry.to = Date.now() + ms + CLOCK_SLACK_MS) }
      }
    }
  }

  private count(state: State): Asked {
    const key = `n${this.random.below(12)}`
    const step = this.random.between(-1000, 1000)
    const total = Number(state.get(key)?.value ?? 0) + step
    return this.ask([['INCRBY', key, step]], [set(key, String(total))], [is(total)])
  }

  private append(state: State): Asked {
    const key = `a${this.random.below(12)}`
    const before = state.get(key)?.value ?? ''
    if (before.length > 3000) return this.ask([['SET', key, '']], [set(key, '')], [ok])
    const after = `${before}${this.database}.${this.seq};`
    return this.ask([['APPEND', key, after.slice(before.length)]], [set(key, after)], [is(after.length)])
  }

  private pairByMset(): Asked {
    const pair = `m${this.random.below(20)}`
    const [left, right] = [this.value(`${pair}l`), this.value(`${pair}r`)]
    return this.ask(
      [['MSET', `${pair}l`, left, `${pair}r`, right]],
      [set(`${pair}l`, left), set(`${pair}r`, right)],
      [ok],
    )
  }

  private pairByMulti(): Asked {
    const pair = `x${this.random.below(20)}`
    if (this.random.chance(0.2)) {
      return this.ask(
        [['MULTI'], ['DEL', `${pair}l`], ['DEL', `${pair}r`], ['EXEC']],
        [
          { kind: 'delete', key: `${pair}l` },
          { kind: 'delete', key: `${pair}r` },
        ],
        [ok, queued, queued, listOf(2)],
      )
    }
    const [left, right] = [this.value(`${pair}l`), this.value(`${pair}r`)]
    return this.ask(
      [['MULTI'], ['SET', `${pair}l`, left], ['SET', `${pair}r`, right], ['EXEC']],
      [set(`${pair}l`, left), set(`${pair}r`, right)],
      [ok, queued, queued, listOf(2)],
    )
  }

  private rename(state: State): Asked {
    const [from, to] = [`r${this.random.below(10)}`, `r${this.random.below(10)}`]
    const entry = state.get(from)
    if (entry === undefined || from === to) {
      const value = this.value(from)
      return this.ask([['SET', from, value]], [set(from, value)], [ok])
    }
    const put: Effect = { kind: 'set', key: to, entry }
    return this.random.chance(0.5)
      ? this.ask([['RENAME', from, to]], [{ kind: 'delete', key: from }, put], [ok])
      : this.ask([['COPY', from, to, 'REPLACE']], [put], [is(1)])
  }

  /** Changes the expiry of a key without its value: a moment far off, or none. */
  private touch(state: State): Asked {
    const key = `p${this.random.below(PLAIN_KEYS)}`
    const entry = state.get(key)
    if (entry === undefined) {
      const value = this.value(key)
      return this.ask([['SET', key, value]], [set(key, value)], [ok])
    }
    if (entry.expiry !== undefined && this.random.chance(0.5)) {
      return this.ask([['PERSIST', key]], [set(key, entry.value)], [is(1)])
    }
    const at = Date.now() + FAR_MS + this.seq
    return this.ask([['PEXPIREAT', key, at]], [set(key, entry.value, { from: at, to: at })], [is(1)])
  }

  private value(key: string): string {
    // Mostly small; now and then larger than 4 KiB, beyond which a change of expiry does not rewrite the value.
    const filler = this.random.chance(0.04) ? this.random.between(4200, 12_000) : this.random.between(0, 200)
    return markedValue(this.database, key, this.seq, filler)
  }

  private ask(
    commands: ReadonlyArray<readonly Argument[]>,
    effects: readonly Effect[],
    expected: ReadonlyArray<(reply: Reply) => boolean>,
  ): Asked {
    const check = (replies: readonly Reply[]): string | undefined => {
      const bad = replies.findIndex((reply, i) => !expected[i]!(reply))
      if (bad < 0) return undefined
      const command = commands[bad]!.map((word) => String(word).slice(0, 40)).join(' ')
      return `${command} in database ${this.database} was answered ${show(replies[bad]!).slice(0, 200)}`
    }
    return { seq: this.seq, commands, effects, check }
  }
}

/** A value that says where it belongs: database/key#seq#filler#checksum. */
export function markedValue(database: number, key: string, seq: number, filler: number): string {
  const body = `${database}/${key}#${seq}#${'.'.repeat(filler)}`
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

function set(key: string, value: string, expiry?: Entry['expiry']): Effect {
  return { kind: 'set', key, entry: expiry === undefined ? { value } : { value, expiry } }
}

const ok = (reply: Reply): boolean => reply === 'OK'
const queued = (reply: Reply): boolean => reply === 'QUEUED'
const anything = (reply: Reply): boolean => !(reply instanceof ReplyError)
const listOf =
  (length: number) =>
  (reply: Reply): boolean =>
    Array.isArray(reply) && reply.length === length && reply.every(anything)
const is =
  (wanted: string | number | null) =>
  (reply: Reply): boolean =>
    (Buffer.isBuffer(reply) ? reply.toString('latin1') : reply) === wanted
