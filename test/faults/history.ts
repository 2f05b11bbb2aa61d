// What one connection asked for while the disk failed, and what a store may hold afterwards.
//
// The ledger of the kill -9 tests (test/crash/ledger.ts) knows two fates of an operation: acknowledged, or cut off by the end of the
// server. A failing disk has a third: answered with an error, and the connection goes on. Two kinds of errors:
//
//   refused   the server says so before it does anything (the gate is closed, the value cannot be read): never happened
//   in doubt  "The outcome of this command is unknown": the running server has undone it, but its bytes may be on the disk,
//             and a restart may find them. Unless something was acknowledged since: then the log has gone on
//             elsewhere, and the manifest says that those bytes do not exist.
//
// So a restart may show the acknowledged state plus a prefix of what follows it, where doubtful operations at the beginning may
// be left out if what comes after them is there.
//
// After a lie (a write that said it was done and was not) less can be demanded: see `settleAfterLie`.

import { apply, mismatches, type Observed, type Operation, type State } from '../crash/ledger.ts'

export interface Found extends Observed {
  /** Keys whose GET was answered with an error, and the error. */
  readonly errors: ReadonlyMap<string, string>
}

export class History {
  private readonly acknowledged: State = new Map()
  private pending: Operation[] = []
  private readonly doubtful = new Set<Operation>()
  /** All that was written, by key: whatever else is served is wrong at any time. */
  private readonly written = new Map<string, Set<string>>()
  /** The states after each acknowledged operation, from the ground on. */
  private states: State[] = [new Map()]

  /** A history with the same past and a future of its own. */
  copy(): History {
    const other = new History()
    for (const [key, entry] of this.acknowledged) other.acknowledged.set(key, entry)
    other.pending = [...this.pending]
    for (const operation of this.doubtful) other.doubtful.add(operation)
    for (const [key, values] of this.written) other.written.set(key, new Set(values))
    other.states = [...this.states]
    return other
  }

  /** What the running server shows: what it has undone is not there. */
  get live(): State {
    return this.acknowledged
  }

  invoke(operation: Operation): void {
    this.pending.push(operation)
    for (const effect of operation.effects) {
      if (effect.kind !== 'set') continue
      const key = withoutDatabase(effect.key)
      const values = this.written.get(key) ?? new Set()
      values.add(effect.entry.value)
      this.written.set(key, values)
    }
  }

  acknowledge(operation: Operation): void {
    const at = this.pending.indexOf(operation)
    if (operation.effects.length === 0) {
      this.pending.splice(at, 1)
      return
    }
    for (const before of this.pending.splice(0, at + 1)) {
      if (before !== operation && !this.doubtful.delete(before)) throw new Error('acknowledged out of order')
    }
    apply(this.acknowledged, operation.effects)
    this.states.push(new Map(this.acknowledged))
  }

  /** Answered with an error that says it never happened. */
  refuse(operation: Operation): void {
    this.pending.splice(this.pending.indexOf(operation), 1)
  }

  /** Answered with an error that leaves open whether it happened. */
  doubt(operation: Operation): void {
    this.doubtful.add(operation)
  }

  /** Holds what a restarted server has against the history. Returns what is wrong; when nothing is, that is the new ground. */
  settle(found: Found): string[] {
    const wrong = [...found.errors].map(([key, error]) => `GET ${key}: ${error}`)
    wrong.push(...(this.nearest(this.candidates(), found) ?? []))
    if (wrong.length === 0) this.ground(found)
    return wrong
  }

  /** What was acknowledged so far is on the disk, whatever comes: `settleAfterLoss` counts from here. */
  mark(): void {
    this.states = [new Map(this.acknowledged)]
  }

  /** After a power cut: what followed the mark may be lost, but for a prefix. */
  settleAfterLoss(found: Found): string[] {
    const wrong = [...found.errors].map(([key, error]) => `GET ${key}: ${error}`)
    wrong.push(...(this.nearest([...this.states, ...this.candidates()], found) ?? []))
    if (wrong.length === 0) this.ground(found)
    return wrong
  }

  /** Holds what the running server shows, errors aside, against what it has acknowledged: nothing refused, nothing in doubt. */
  compareLive(found: Found): string[] {
    return mismatches(new Map([...this.acknowledged].filter(([key]) => !found.errors.has(key))), found)
  }

  /**
   * After a lie: values may be missing behind an error, or be lost from some moment on (whoever lied about the last write has made
   * the end of the log a torn one). What is served is one state that once was, except for keys that are answered with an error.
   * `lost`: it is not the state that should be, and no error says so.
   */
  settleAfterLie(found: Found, refused: boolean): { readonly wrong: string[]; readonly lost: boolean } {
    const wrong: string[] = []
    for (const [key, { value }] of found.entries) {
      if (this.written.get(withoutDatabase(key))?.has(value) !== true)
        wrong.push(`${key}: holds what was never written: ${value.slice(0, 60)}`)
    }
    // A start that was refused for damage has said all: what `on-corruption serve` then shows is what is left.
    let lost = false
    if (wrong.length === 0 && !refused) {
      lost = this.nearest(this.candidates(), found) !== undefined
      if (lost) wrong.push(...(this.nearest([...this.candidates(), ...this.states], found) ?? []))
    }
    if (wrong.length === 0) this.ground(found)
    return { wrong, lost }
  }

  private *candidates(): Iterable<State> {
    for (let from = 0; from <= this.pending.length; from++) {
      let state = new Map(this.acknowledged)
      yield state
      for (let to = from; to < this.pending.length; to++) {
        state = new Map(state)
        apply(state, this.pending[to]!.effects)
        yield state
      }
      if (from < this.pending.length && !this.doubtful.has(this.pending[from]!)) return
    }
  }

  /** What is wrong with the candidate that fits best; undefined when one fits. */
  private nearest(candidates: Iterable<State>, found: Found): string[] | undefined {
    let best: string[] | undefined
    for (const candidate of candidates) {
      const readable = new Map([...candidate].filter(([key]) => !found.errors.has(key)))
      const wrong = mismatches(readable, found)
      if (wrong.length === 0) return undefined
      if (best === undefined || wrong.length < best.length) best = wrong
    }
    return [
      `no state fits (${this.pending.length} operations open, ${this.doubtful.size} of them in doubt):`,
      ...(best ?? []),
    ]
  }

  private ground(found: Found): void {
    this.pending = []
    this.doubtful.clear()
    const unreadable = [...this.acknowledged].filter(([key]) => found.errors.has(key))
    this.acknowledged.clear()
    for (const [key, entry] of unreadable) this.acknowledged.set(key, entry)
    for (const [key, { value, expiresAt }] of found.entries) {
      this.acknowledged.set(key, expiresAt < 0 ? { value } : { value, expiry: { from: expiresAt, to: expiresAt } })
    }
    this.states = [new Map(this.acknowledged)]
  }
}

/** A SWAPDB moves all keys without being asked for each: their values are told by the key alone. */
const withoutDatabase = (key: string): string => key.slice(key.indexOf('/') + 1)
