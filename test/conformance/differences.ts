// Where Casky answers otherwise than redis-server 7.0.15, each with its reason. This table is the contract: a difference
// that has no row fails the suite, a row that no longer differs fails it too, and so does a row that no step uses.
//
// A row names the case and the step's line, and what each server answers, exactly. `in` limits it to one protocol.

import type { Protocol } from './play.ts'

export interface Difference {
  readonly family: string
  readonly title: string
  readonly line: string
  readonly in?: Protocol
  readonly redis: string
  readonly casky: string
  /** Why Casky answers otherwise, and what says that it may. */
  readonly why: string
}

export const differences: readonly Difference[] = []
