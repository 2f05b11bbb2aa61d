// What must survive a crash, and whether it did: the two halves of the prefix rule.

import { difference, type Model, type Moment, type State, sameState } from './model.ts'
import { Violation, type World } from './world.ts'

/** What must survive, as a run goes on. */
export class Proof {
  readonly #world: World
  /** Released sequences, each with the disk's stamp when it was first seen. */
  #released: { stamp: number; sequence: number }[] = []
  #last: number
  #always: number
  /** Mode `always` all the time. A switch to it takes effect after some sync, which cannot be seen from here. */
  #wasAlways: boolean
  #durable: number

  constructor(world: World) {
    this.#world = world
    this.#last = world.engine!.released
    this.#always = this.#last
    this.#wasAlways = world.engine!.settings.appendfsync === 'always'
    this.#durable = this.#last
  }

  /** To be called after every step. */
  note(): void {
    const engine = this.#world.engine!
    const { released } = engine
    if (engine.settings.appendfsync !== 'always') this.#wasAlways = false
    if (released < this.#last) throw new Violation(`released went back from ${this.#last} to ${released}`)
    if (released > engine.appended) throw new Violation(`released ${released} is more than appended`)
    if (released === this.#last) return
    this.#last = released
    this.#released.push({ stamp: this.#world.disk.stamp, sequence: released })
    if (this.#wasAlways) this.#always = released
  }

  /** The engine has said that everything up to there is durable. */
  promised(sequence: number): void {
    this.#durable = Math.max(this.#durable, sequence)
  }

  /** The newest sequence that a power cut at this instant must leave. */
  get power(): number {
    const before = this.#world.disk.durableBefore((name) => name.endsWith('.data'))
    while (this.#released.length > 0 && this.#released[0]!.stamp < before) {
      this.promised(this.#released.shift()!.sequence)
    }
    return Math.max(this.#always, this.#durable)
  }
}

/**
 * Throws unless that state is one of the model's, not older than `bound`, and the engine that shows it gives out later sequences than it
 * holds. Returns the oldest such moment.
 */
export function judge(model: Model, bound: number, state: State, appended: number): Moment {
  const possible = model.possible(bound)
  // Several moments may hold the same state; the oldest is the one whose sequence must be behind the engine.
  const moment = possible.findLast((candidate) => sameState(candidate.state, state))
  if (moment === undefined) throw new Violation(verdict(model, possible, bound, state))
  if (appended < moment.sequence) throw new Violation(`recovered ${moment.sequence}, next sequences from ${appended}`)
  return moment
}

function verdict(model: Model, possible: readonly Moment[], bound: number, state: State): string {
  const older = model.moments.findLast((moment) => sameState(moment.state, state))
  if (older !== undefined) return `lost writes: recovered ${older.sequence}, proven was ${bound}`
  const nearest = possible
    .map((moment) => ({ moment, text: difference(moment.state, state) }))
    .sort((a, b) => a.text.length - b.text.length)[0]!
  return `no such state ever was; proven ${bound}, nearest ${nearest.moment.sequence}:\n${nearest.text}`
}
