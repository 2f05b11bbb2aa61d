// client-output-buffer-limit: what of its replies a client may leave unread. Never more than the hard limit, and more than the soft one only for
// so many seconds on end.

export interface OutputLimit {
  /** 0: none. */
  readonly hardBytes: number
  /** 0: none. */
  readonly softBytes: number
  readonly softSeconds: number
}

export const isOverHardLimit = (bytes: number, { hardBytes }: OutputLimit): boolean =>
  hardBytes > 0 && bytes > hardBytes

/** One client's time over the soft limit. */
export class SoftLimit {
  private since = 0 // ms; 0: it is not over it

  /** `bytes` are unread at `now` (ms). Whether that has been too much for too long. */
  isOver(bytes: number, { softBytes, softSeconds }: OutputLimit, now: number): boolean {
    if (softBytes === 0 || bytes <= softBytes) this.since = 0
    else if (this.since === 0) this.since = now
    else return now - this.since > softSeconds * 1000
    return false
  }
}
