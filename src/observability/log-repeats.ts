// What is logged over and over is counted instead. A peer that fails a thousand times a second must fill neither the disk
// nor the one line that matters. Messages are the same when level and text are: what varies belongs into the fields.
//
// In a window of a second, each message passes REPEATS times; the rest is summed up in one line when the window ends. The
// number of different messages is limited too, since a text with a port number in it is always different.

import type { Clock, Timer } from '../base/clock.ts'

export type Level = 'debug' | 'verbose' | 'notice' | 'warning'
type Write = (level: Level, message: string, fields?: object) => void

const WINDOW_MS = 1000
export const REPEATS = 10
export const DIFFERENT = 1000

export interface Limited {
  log: Write
  /** Says now what was held back. */
  flush(): void
}

export function limitRepeats(clock: Clock, write: Write): Limited {
  const seen = new Map<string, { level: Level; message: string; count: number }>()
  let unseen = 0
  let windowEnds = 0
  let timer: Timer | null = null

  function flush(): void {
    timer?.cancel()
    timer = null
    windowEnds = 0
    for (const { level, message, count } of seen.values()) {
      if (count > REPEATS) write(level, `${message} (and ${count - REPEATS} times more)`)
    }
    if (unseen > 0) write('warning', `${unseen} messages were not logged: too many different ones in a second`)
    seen.clear()
    unseen = 0
  }

  function log(level: Level, message: string, fields?: object): void {
    const now = clock.monotonic()
    if (now >= windowEnds) {
      flush()
      windowEnds = now + WINDOW_MS
    }
    const key = `${level} ${message}`
    const known = seen.get(key)
    if (known === undefined && seen.size === DIFFERENT) unseen++
    else if (known === undefined) seen.set(key, { level, message, count: 1 })
    else known.count++

    const passes = known === undefined ? unseen === 0 : known.count <= REPEATS
    if (passes) write(level, message, fields)
    else timer ??= clock.after(windowEnds - now, flush)
  }

  return { log, flush }
}
