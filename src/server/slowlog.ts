// The slow log: the last commands that took longer than slowlog-log-slower-than microseconds, newest first.
//
// It is a ring in memory, bounded in entries (slowlog-max-len) and in what an entry may keep of its command: 32 arguments of 128
// bytes. Redis's log is the same; what it leaves out is told in Redis's words, which tools know.

import type { SlowlogEntry, SlowlogPort } from '../commands/session.ts'
import type { Args } from '../resp/args.ts'
import { REDACTED, secretArguments } from './redaction.ts'

const MAX_ARGUMENTS = 32
const MAX_ARGUMENT_BYTES = 128

export class Slowlog implements SlowlogPort {
  /** Microseconds; negative: nothing is logged. */
  thresholdMicroseconds = 10_000
  private maxEntries = 128
  private list: SlowlogEntry[] = []
  private nextId = 0

  get length(): number {
    return this.list.length
  }

  /** Newest first, at most `count`. */
  entries(count: number): readonly SlowlogEntry[] {
    return this.list.slice(0, count)
  }

  add(entry: Omit<SlowlogEntry, 'id'>): void {
    if (this.maxEntries === 0) return
    this.list.unshift({ id: this.nextId++, ...entry })
    this.trim()
  }

  reset(): void {
    this.list = []
  }

  set maxLength(entries: number) {
    this.maxEntries = entries
    // With the log turned off what is there stays, as in Redis, which cuts when it might add.
    if (this.thresholdMicroseconds >= 0 && entries > 0) this.trim()
  }

  private trim(): void {
    if (this.list.length > this.maxEntries) this.list.length = this.maxEntries
  }
}

/** What the log keeps of a command line; `name` as in its row. */
export function trimmed(name: string, args: Args): Buffer[] {
  const secret = secretArguments(name, args)
  const count = Math.min(args.count, MAX_ARGUMENTS)
  const kept: Buffer[] = []
  for (let i = 0; i < count; i++) {
    if (i === MAX_ARGUMENTS - 1 && args.count > MAX_ARGUMENTS) {
      kept.push(Buffer.from(`... (${args.count - MAX_ARGUMENTS + 1} more arguments)`))
    } else if (secret?.has(i)) {
      kept.push(Buffer.from(REDACTED))
    } else {
      const { bytes, start, end } = args.at(i)
      const rest = end - start - MAX_ARGUMENT_BYTES
      const shown = Buffer.from(bytes.subarray(start, rest > 0 ? start + MAX_ARGUMENT_BYTES : end))
      kept.push(rest > 0 ? Buffer.concat([shown, Buffer.from(`... (${rest} more bytes)`)]) : shown)
    }
  }
  return kept
}
