// The model: what a store must hold, as plain immutable maps, at every sequence number.
//
// Each write of the workload pushes a moment: the sequence the engine gave it and the whole logical state after it. A batch pushes
// one moment, at its end, so states in the middle of it do not exist here. After a crash the recovered state must equal one of
// the moments, and none older than what was proven: that is the prefix rule, with no hole, no resurrection and no half batch.
//
// When the engine undoes writes (onFailed), their moments leave the line and become a branch. Their outcome is unknown: a crash may
// show them, as long as nothing later on the line has been proven, for that would contradict them.

export interface Entry {
  readonly value: string // latin1
  readonly expiry: number // absolute ms, 0 none
}

export type Database = ReadonlyMap<string, Entry>
export type State = readonly Database[]

export interface Moment {
  readonly sequence: number
  readonly state: State
  /** Made by several records at once. */
  isBatch?: boolean
}

interface Branch {
  /** Sequence of the moment it grew from. */
  readonly from: number
  readonly moments: readonly Moment[]
}

export class Model {
  moments: Moment[]
  #branches: Branch[] = []

  constructor(sequence: number, state: State) {
    this.moments = [{ sequence, state }]
  }

  get last(): Moment {
    return this.moments[this.moments.length - 1] as Moment
  }

  get state(): State {
    return this.last.state
  }

  push(sequence: number, state: State): void {
    if (sequence < this.last.sequence) throw new Error(`sequence ${sequence} after ${this.last.sequence}`)
    if (sequence === this.last.sequence) {
      if (state !== this.last.state) throw new Error(`a change without a sequence of its own at ${sequence}`)
      return
    }
    this.moments.push({ sequence, state })
  }

  /** Writes with sequences from `first` on were undone. */
  fail(first: number): void {
    const at = this.moments.findIndex((moment) => moment.sequence >= first)
    if (at < 0) return
    if (at === 0) throw new Error(`undone from ${first}, which was there at the start`)
    const moments = this.moments.splice(at)
    this.#branches.push({ from: this.last.sequence, moments })
  }

  /** The moment that was the newest at that sequence. */
  at(sequence: number): Moment {
    let found = this.moments[0] as Moment
    for (const moment of this.moments) if (moment.sequence <= sequence) found = moment
    return found
  }

  /** Every moment that a crash may leave when `proven` is the sequence that must survive, newest first. */
  possible(proven: number): Moment[] {
    const oldest = this.at(proven)
    const possible = this.moments.filter((moment) => moment.sequence >= oldest.sequence)
    for (const branch of this.#branches) {
      if (branch.from >= oldest.sequence) possible.push(...branch.moments)
    }
    return possible.reverse()
  }

  /** True when a batch came after that sequence: a crash could show a part of it, if anything could. */
  batchBehind(sequence: number): boolean {
    return this.moments.some((moment) => moment.isBatch === true && moment.sequence > sequence)
  }

  /**
   * The newest sequence at which `same` did not hold of the state; -1 when it always has. An answer that is true because of something
   * later must depend on a sequence above this one. (Any above: what lies inside a batch is released with its end.)
   */
  lastWithout(same: (state: State) => boolean): number {
    for (let i = this.moments.length - 1; i >= 0; i--) {
      const moment = this.moments[i] as Moment
      if (!same(moment.state)) return moment.sequence
    }
    return -1
  }
}

export function emptyState(databases: number): State {
  return Array.from({ length: databases }, () => new Map())
}

/** The state with one key set (or, null, removed) in one database. */
export function withKey(state: State, database: number, key: string, entry: Entry | null): State {
  const changed = new Map(state[database])
  if (entry === null) changed.delete(key)
  else changed.set(key, entry)
  return withDatabase(state, database, changed)
}

export function withDatabase(state: State, database: number, content: Database): State {
  return state.map((old, index) => (index === database ? content : old))
}

const texts = new WeakMap<Database, string>()

/** One text for one content: databases are equal when their texts are. */
export function textOf(database: Database): string {
  let text = texts.get(database)
  if (text === undefined) {
    text = [...database]
      .map(([key, { value, expiry }]) => JSON.stringify([key, value, expiry]))
      .sort()
      .join('\n')
    texts.set(database, text)
  }
  return text
}

export function sameState(a: State, b: State): boolean {
  return (
    a.length === b.length &&
    a.every((database, index) => database === b[index] || textOf(database) === textOf(b[index]!))
  )
}

/** How two states differ, for people. */
export function difference(expected: State, found: State): string {
  const lines: string[] = []
  const show = (entry: Entry | undefined): string =>
    entry === undefined ? 'absent' : `${entry.value.slice(0, 24)}(${entry.value.length}) expiry ${entry.expiry}`
  expected.forEach((database, index) => {
    const other = found[index] ?? new Map<string, Entry>()
    for (const key of new Set([...database.keys(), ...other.keys()])) {
      const [a, b] = [database.get(key), other.get(key)]
      if (a?.value !== b?.value || a?.expiry !== b?.expiry) {
        lines.push(`  db ${index} ${JSON.stringify(key.slice(0, 20))}: expected ${show(a)}, found ${show(b)}`)
      }
    }
  })
  return lines.join('\n')
}
