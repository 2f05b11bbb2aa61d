// Chance that can be repeated: everything random in a test comes from one seed, and a failure prints it.

export interface Random {
  /** A fraction in [0, 1). */
  next(): number
  /** An integer in [0, below). */
  below(below: number): number
  /** An integer in [low, high]. */
  between(low: number, high: number): number
  /** True with that probability. */
  chance(probability: number): boolean
  pick<T>(from: readonly T[]): T
}

/** A generator from a 32-bit seed (mulberry32's mixing: a counter through two multiplications). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    next,
    below,
    between: (low, high) => low + below(high - low + 1),
    chance: (probability) => next() < probability,
    pick: (from) => from[below(from.length)]!,
  }
}
