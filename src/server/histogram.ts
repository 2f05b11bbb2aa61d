// How long something took, over many times: counts in buckets that are narrow where times are short.
//
// It is the layout of an HDR histogram with two significant digits, in nanoseconds up to a second, so that percentiles come out
// as Redis prints them: up to 255 ns each nanosecond has a bucket of its own, and from then on each doubling is cut into 128
// buckets. So a bucket is never wider than a 128th of what it holds, in 3,000 numbers.
//
//   value 10,000   doublings above 256: 6   bucket 10,000 >> 6 = 156   it holds 9,984..10,047, and 10,047 stands for it

const HALF = 128
const MAX_NANOSECONDS = 1_000_000_000
const BUCKETS = indexOf(MAX_NANOSECONDS) + 1
/** LATENCY HISTOGRAM tells how many were below 1,024 ns, below twice that, and so on. */
const FIRST_STEP_NANOSECONDS = 1024

export class Histogram {
  total = 0
  private readonly counts = new Float64Array(BUCKETS)
  private highest = -1

  /** `times` durations of this length; longer than a second counts as one. */
  record(milliseconds: number, times: number): void {
    const index = indexOf(Math.min(MAX_NANOSECONDS, Math.max(0, Math.round(milliseconds * 1e6))))
    this.counts[index]! += times
    this.total += times
    if (index > this.highest) this.highest = index
  }

  /** The duration that this percentage was not longer than, in microseconds; 0 when nothing is recorded. */
  percentile(percent: number): number {
    const wanted = Math.max(1, Math.floor((percent / 100) * this.total + 0.5))
    let seen = 0
    for (let i = 0; i <= this.highest; i++) {
      seen += this.counts[i]!
      if (seen >= wanted) return highestOf(i) / 1000
    }
    return 0
  }

  /** How many took at most so many whole microseconds, for each doubling where that changes. */
  steps(): [microseconds: number, count: number][] {
    const steps: [number, number][] = []
    let seen = 0
    let told = 0
    let i = 0
    for (let limit = FIRST_STEP_NANOSECONDS; i <= this.highest; limit *= 2) {
      const last = indexOf(limit)
      for (; i <= last && i <= this.highest; i++) seen += this.counts[i]!
      if (seen > told) steps.push([Math.floor(highestOf(last) / 1000), seen])
      told = seen
    }
    return steps
  }
}

function indexOf(nanoseconds: number): number {
  const doublings = Math.max(0, 24 - Math.clz32(nanoseconds))
  return doublings * HALF + (nanoseconds >>> doublings)
}

/** The longest duration a bucket holds, in nanoseconds. */
function highestOf(index: number): number {
  const doublings = Math.max(0, Math.floor(index / HALF) - 1)
  return (index - doublings * HALF + 1) * 2 ** doublings - 1
}
