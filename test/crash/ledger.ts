// The acknowledgement ledger of one connection: what it asked for, what was acknowledged, and from both what a store may
// hold after a crash.
//
// A connection owns its databases: nobody else writes there. Commands on a connection run in order, so the history is a
// list of operations and every operation is a set of plain effects (this key now holds that value; this key is gone;
// all keys of a database are gone; two databases change places) that can be worked out before it is sent. A crash may
// then leave exactly the states
//
//     state after the first P operations,   acknowledged <= P <= invoked
//
// and each is one whole state of the databases: an operation that is half there (a MULTI, an MSET), a hole, an old value,
// a value never written, a key that came back all fail to equal any of them. What a reader has been shown raises the
// lower end of P: what a GET has shown does not vanish.
//
// Expiry is the one thing that time changes. A key whose moment has come may be absent; once seen absent it stays so.

/** When a key expires, in ms since 1970: one moment where the client said it, a range where it said a duration. */
export interface Expiry {
  readonly from: number
  to: number
}

export interface Entry {
  readonly value: string
  readonly expiry?: Expiry
}

export type State = Map<string, Entry>

export type Effect =
  | { readonly kind: 'set'; readonly key: string; readonly entry: Entry }
  | { readonly kind: 'delete'; readonly key: string }
  /** All keys, or those that begin so. */
  | { readonly kind: 'clear'; readonly prefix?: string }
  /** Keys that begin with the one begin with the other from now on, and the other way round. */
  | { readonly kind: 'swap'; readonly prefixes: readonly [string, string] }

export interface Operation {
  readonly seq: number
  readonly effects: readonly Effect[]
}

/** What the server holds: value and PEXPIRETIME (-1: none), and when reading began and ended. */
export interface Observed {
  readonly entries: ReadonlyMap<string, { readonly value: string; readonly expiresAt: number }>
  readonly fromMs: number
  readonly toMs: number
}

/** Servers read their clock once a tick, and a tick may be long on a busy machine. */
export const CLOCK_SLACK_MS = 1500

export function apply(state: State, effects: readonly Effect[]): void {
  for (const effect of effects) {
    if (effect.kind === 'set') state.set(effect.key, effect.entry)
    else if (effect.kind === 'delete') state.delete(effect.key)
    else if (effect.kind === 'clear') clear(state, effect.prefix ?? '')
    else swap(state, effect.prefixes)
  }
}

function clear(state: State, prefix: string): void {
  for (const key of [...state.keys()]) if (key.startsWith(prefix)) state.delete(key)
}

function swap(state: State, [left, right]: readonly [string, string]): void {
  const before = [...state]
  state.clear()
  for (const [key, entry] of before) {
    const from = key.startsWith(left) ? left : key.startsWith(right) ? right : undefined
    if (from === undefined) state.set(key, entry)
    else state.set((from === left ? right : left) + key.slice(from.length), entry)
  }
}

export class Ledger {
  /** The state after every invoked operation: what the next operation builds on. */
  readonly invoked: State = new Map()
  private readonly acknowledged: State = new Map()
  private pending: Operation[] = []
  /** How many of the pending operations a reader has seen the effect of. */
  private shown = 0

  invoke(operation: Operation): void {
    this.pending.push(operation)
    apply(this.invoked, operation.effects)
  }

  /** The oldest pending operation is acknowledged. */
  acknowledge(operation: Operation): void {
    if (this.pending[0] !== operation) throw new Error('acknowledged out of order')
    this.pending.shift()
    this.shown = Math.max(0, this.shown - 1)
    apply(this.acknowledged, operation.effects)
  }

  /** A reader was shown what this operation wrote. */
  show(seq: number): void {
    const at = this.pending.findIndex((operation) => operation.seq === seq)
    if (at >= 0) this.shown = Math.max(this.shown, at + 1)
  }

  /**
   * Holds what a restarted server has against the ledger. Returns what is wrong (empty: nothing). When nothing is wrong
   * the observed state becomes the new ground, so that the next check is against exactly this.
   */
  settle(observed: Observed): string[] {
    const candidate = new Map(this.acknowledged)
    let closest = mismatches(candidate, observed)
    for (let applied = 0; ; applied++) {
      if (applied > 0) apply(candidate, this.pending[applied - 1]!.effects)
      const wrong = mismatches(candidate, observed)
      if (applied >= this.shown) {
        if (wrong.length === 0) {
          this.ground(observed)
          return []
        }
        if (wrong.length < closest.length) closest = wrong
      }
      if (applied === this.pending.length) break
    }
    return [`no prefix fits (${this.pending.length} operations pending, ${this.shown} of them shown):`, ...closest]
  }

  private ground(observed: Observed): void {
    this.pending = []
    this.shown = 0
    for (const state of [this.invoked, this.acknowledged]) {
      state.clear()
      for (const [key, { value, expiresAt }] of observed.entries) {
        state.set(key, expiresAt < 0 ? { value } : { value, expiry: { from: expiresAt, to: expiresAt } })
      }
    }
  }
}

/** Every key in which a state and what was observed disagree, in words. */
export function mismatches(state: State, observed: Observed): string[] {
  const wrong: string[] = []
  for (const [key, entry] of state) {
    const found = observed.entries.get(key)
    if (found === undefined) {
      if (!mayBeGone(entry, observed)) wrong.push(`${key}: lost; it held ${brief(entry.value)}`)
    } else if (found.value !== entry.value) {
      wrong.push(`${key}: holds ${brief(found.value)} and not ${brief(entry.value)}`)
    } else if (!expiryFits(entry, found.expiresAt)) {
      wrong.push(`${key}: expires at ${found.expiresAt} and not at ${JSON.stringify(entry.expiry ?? 'never')}`)
    } else if (found.expiresAt !== -1 && found.expiresAt < observed.fromMs - CLOCK_SLACK_MS) {
      wrong.push(`${key}: is served though it expired at ${found.expiresAt}`)
    }
  }
  for (const [key, { value }] of observed.entries) {
    if (!state.has(key)) wrong.push(`${key}: is there and should not be; it holds ${brief(value)}`)
  }
  return wrong
}

const mayBeGone = ({ expiry }: Entry, observed: Observed): boolean =>
  expiry !== undefined && expiry.from <= observed.toMs

function expiryFits({ expiry }: Entry, expiresAt: number): boolean {
  if (expiry === undefined) return expiresAt === -1
  return expiresAt >= expiry.from && expiresAt <= expiry.to
}

const brief = (value: string): string =>
  value.length <= 60 ? JSON.stringify(value) : `${JSON.stringify(value.slice(0, 50))}... (${value.length} bytes)`
