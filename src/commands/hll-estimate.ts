// How many elements a HyperLogLog has seen: Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017),
// his improved raw estimator. It needs no tables and no correction for small or large numbers.
//
// Only how many registers hold each value matters. Sums run in the order given, in doubles: Redis's figures come out to the last digit.

import { REGISTERS } from './hll-sparse.ts'

/** Bits of a hash beside those that name the register: no register is above this plus one. */
const COUNTED_BITS = 50
/** 1 / (2 ln 2) */
const ALPHA = 0.7213475204444817

/** `histogram[v]`: how many registers hold v. */
export function estimate(histogram: Uint32Array): bigint {
  let sum = REGISTERS * tau((REGISTERS - histogram[COUNTED_BITS + 1]!) / REGISTERS)
  for (let value = COUNTED_BITS; value >= 1; value--) {
    sum += histogram[value]!
    sum *= 0.5
  }
  sum += REGISTERS * sigma(histogram[0]! / REGISTERS)
  return BigInt(Math.round((ALPHA * REGISTERS * REGISTERS) / sum))
}

/** For registers that no hash could fill further. */
function tau(share: number): number {
  if (share === 0 || share === 1) return 0
  let x = share
  let weight = 1
  let sum = 1 - x
  for (;;) {
    const before = sum
    x = Math.sqrt(x)
    weight *= 0.5
    sum -= (1 - x) ** 2 * weight
    if (sum === before) return sum / 3
  }
}

/** For registers that no hash has reached. Infinite when that is all of them. */
function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY
  let x = share
  let weight = 1
  let sum = x
  for (;;) {
    const before = sum
    x *= x
    sum += x * weight
    weight += weight
    if (sum === before) return sum
  }
}
