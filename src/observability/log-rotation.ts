// A log file that was moved away or removed, by logrotate or by hand, is opened anew, as whoever comes from Redis expects: it needs no
// signal there, because Redis opens its log for each line.

import type { Clock } from '../base/clock.ts'

const EVERY_MS = 1000

/** Which file a path leads to now: two answers are equal when the file is the same. null: none; undefined: cannot be known now. */
export type FileOf = (path: string, done: (file: string | null | undefined) => void) => void

/** Looks once a second whether `path` still leads to the file that was opened under this name, and calls `reopen` (which may throw) when not. */
export function followRotation(path: string, fileOf: FileOf, clock: Clock, reopen: () => void): void {
  let opened: string | null | undefined
  const look = (): void =>
    fileOf(path, (now) => {
      opened ??= now
      if (now !== undefined && now !== opened) {
        try {
          reopen()
          opened = undefined // the next look tells
        } catch {
          // What is open stays open, and in a second it is tried again.
        }
      }
      clock.after(EVERY_MS, look)
    })
  look()
}
