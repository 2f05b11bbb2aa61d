// Is a series of measurements flat, or does it rise?
//
// The slope is that of Theil and Sen: the median of the slopes between all pairs of points. A line by least squares follows a
// single outlier (a sample that fell into a merge); this one does not move until a quarter of the points are outliers. What
// is judged is the rise over the whole window, against a share of the level and a floor below which a rise is noise.

export interface Point {
  /** Minutes. */
  readonly at: number
  readonly value: number
}

export interface Allowed {
  /** Of the median. */
  readonly share: number
  /** In the unit of the values. */
  readonly floor: number
}

export interface Flatness {
  readonly median: number
  /** A minute. */
  readonly slope: number
  /** From the window's first point to its last, along the line. */
  readonly rise: number
  readonly allowed: number
  readonly isFlat: boolean
}

/** Falling is flat: what is looked for is what grows until it is too much. Throws for fewer than 8 points. */
export function flatness(points: readonly Point[], { share, floor }: Allowed): Flatness {
  if (points.length < 8) throw new Error(`${points.length} points say nothing about a slope`)
  const slopes: number[] = []
  for (const [i, one] of points.entries()) {
    for (const other of points.slice(i + 1)) {
      if (other.at > one.at) slopes.push((other.value - one.value) / (other.at - one.at))
    }
  }
  const level = median(points.map((point) => point.value))
  const slope = median(slopes)
  const rise = slope * (points.at(-1)!.at - points[0]!.at)
  const allowed = Math.max(floor, share * level)
  return { median: level, slope, rise, allowed, isFlat: rise <= allowed }
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
