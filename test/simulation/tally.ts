// The tally: what really happened in a run, by name. A workload that was meant to do something and never does it proves nothing about
// it, so whoever runs thousands of seeds says what must have come up, and prints how often it did.

export class Tally {
  readonly counts = new Map<string, number>()

  add(what: string, times = 1): void {
    if (times > 0) this.counts.set(what, (this.counts.get(what) ?? 0) + times)
  }

  /** Adds another one's counts. */
  take(other: Iterable<readonly [string, number]>): void {
    for (const [what, times] of other) this.add(what, times)
  }

  /** Of these, what never happened. */
  missing(wanted: readonly string[]): string[] {
    return wanted.filter((what) => !this.counts.has(what))
  }

  /** One line: `put 1234, merge 56`. */
  toString(): string {
    return [...this.counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([what, times]) => `${what} ${times}`)
      .join(', ')
  }
}

/** What power cuts must have met: some thousands of them, that is; a few hundred meet all but the rarest. */
export const MET_BY_POWER_CUTS: readonly string[] = [
  'put',
  'overwrite',
  'remove',
  'expiry set',
  'batch',
  'flush of a database',
  'flush of all',
  'swap of databases',
  'look',
  'scan of everything',
  'cold read',
  'clock forwards',
  'clock back',
  'switch of appendfsync',
  'other settings',
  'seal',
  'sync asked for',
  'merge asked for',
  'merge done',
  'merge paused',
  'scrub done',
  'scrub paused',
  'segment created',
  'hint made',
  'image made',
  'expired on access',
  'expired in the background',
  'disk full',
  'writes undone',
  'cut while a merge runs',
  'cut with a batch at risk',
  'cut with unsynced bytes',
  'cut while starting',
  'cut after a clean stop',
  'cut after a merge',
  'start without hints',
]
