// The log: pino behind the four levels that the rest of the code knows (base/logger.ts).
//
// Two formats, one choice for all of a server's life (`log-format`). `redis`, the default, is redis-server's line: what
// people read, and what tools wait for ("Ready to accept connections"). `json` is one object a line, for collectors. The
// default does not depend on whether a terminal is there: what is seen while trying must be what runs in production.
//
// Writing never holds up the event loop: lines go to a buffer that is written behind (log-destination.ts). A message that is
// logged over and over is counted instead (log-repeats.ts). So whoever logs need not think about either.

import { pino } from 'pino'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { bufferedSink, type Sink } from './log-destination.ts'
import { redisLine } from './log-line.ts'
import { type Level, limitRepeats } from './log-repeats.ts'

export type LogLevel = Level | 'nothing'

const STDOUT = 1
/** How long the end of the process waits for what was logged. */
const LAST_WORDS_MS = 1000

export interface LogOptions {
  readonly format: 'redis' | 'json'
  readonly level: LogLevel
  /** '': standard output. */
  readonly file: string
  readonly pid: number
  /** Opens the file for appending. Throws the system's error. Called at once, so that a bad path is known at start. */
  readonly open: (path: string) => number
  /** Instead of the file, for tests. */
  readonly sink?: Sink
}

export interface Log {
  readonly logger: Logger
  setLevel(level: LogLevel): void
  /** Opens the file of that name anew, after it was moved away. Throws the system's error; the old one is then kept. */
  reopen(): void
  /**
   * For the end of the process: `done` when everything logged is written, or cannot be written within a second (a pipe that nobody reads).
   * What is logged afterwards is dropped. There is no way to wait here without giving up the thread: a line may be in the hands of another one.
   */
  end(done: () => void): void
}

/** As in pino, more is more important; `nothing` is above all that is ever logged. */
const LEVELS = { debug: 10, verbose: 20, notice: 30, warning: 40, nothing: 100 } as const
/** Redis's one-character levels. */
const LEVEL_MARKS: Readonly<Record<number, string>> = { 10: '.', 20: '-', 30: '*', 40: '#' }

export function createLogger(options: LogOptions, clock: Clock): Log {
  const openSink = (): Sink => bufferedSink(options.file === '' ? STDOUT : options.open(options.file))
  let sink = options.sink ?? openSink()
  let now = 0 // of the line being written

  // Pino makes the JSON and hands it over; with its metadata on, it also leaves there what the JSON was made of.
  const stream = {
    [Symbol.for('pino.metadata')]: options.format === 'redis',
    lastLevel: 0,
    lastMsg: '',
    lastObj: {},
    write(json: string): void {
      if (options.format === 'json') sink.write(json)
      else sink.write(redisLine(options.pid, now, LEVEL_MARKS[this.lastLevel] ?? '#', this.lastMsg, this.lastObj))
    },
  }
  const behind = pino(
    {
      customLevels: LEVELS,
      useOnlyCustomLevels: true,
      level: options.level,
      base: { pid: options.pid },
      errorKey: 'error',
      formatters: { level: (level) => ({ level }) },
      timestamp() {
        now = clock.now()
        return `,"time":"${new Date(now).toISOString()}"`
      },
    },
    stream,
  )

  const limited = limitRepeats(clock, (level, message, fields) => behind[level](fields ?? {}, message))
  const at =
    (level: Level) =>
    (message: string, fields?: object): void => {
      if (behind.isLevelEnabled(level)) limited.log(level, message, fields)
    }

  return {
    logger: { debug: at('debug'), verbose: at('verbose'), notice: at('notice'), warning: at('warning') },
    setLevel(level) {
      behind.level = level
    },
    reopen() {
      if (options.file === '' || options.sink !== undefined) return
      const old = sink
      sink = openSink()
      old.end(() => {})
    },
    end(done) {
      limited.flush()
      let isDone = false
      const once = (): void => {
        if (isDone) return
        isDone = true
        timer.cancel()
        done()
      }
      const timer = clock.after(LAST_WORDS_MS, once)
      sink.end(once)
    },
  }
}
