// Figures from rounds. Rounds alternate, so a round's two figures saw the same machine: the ratio is taken per round and
// the median of the ratios reported, with the smallest and largest beside it. A spread wider than the effect says so.

export interface Comparison {
  readonly casky: number
  readonly redis: number
  /** Median of the rounds' ratios, Casky to Redis. */
  readonly ratio: number
  readonly lowest: number
  readonly highest: number
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('no values')
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Compares rounds: `casky[i]` and `redis[i]` are of one round. */
export function compareRounds(casky: readonly number[], redis: readonly number[]): Comparison {
  if (casky.length !== redis.length) throw new Error('rounds of unequal number')
  const ratios = casky.map((figure, i) => figure / redis[i]!)
  return {
    casky: median(casky),
    redis: median(redis),
    ratio: median(ratios),
    lowest: Math.min(...ratios),
    highest: Math.max(...ratios),
  }
}
