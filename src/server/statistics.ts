// What the server counts for INFO, and how.
//
// Calls, failures and rejections of each command are exact. Reading the clock twice costs as much as a fast command, so not
// every call is timed (dispatch.ts decides which): always timed are the first CALLS_TIMED calls of a command, the first command of each
// packet, whatever has many arguments, and every command whose work does not follow from its arguments alone. Of the others, the
// inner ones of a pipeline, every SAMPLE-th is timed and stands for those that were not. So the time of a client that waits for
// each reply is exact, and that of a pipeline of quick commands is an estimate without bias.

import type { Command } from '../commands/command.ts'
import { maskOf } from './gates.ts'
import { Histogram } from './histogram.ts'

const CALLS_TIMED = 64
const SAMPLE = 16
/** Error codes that get a line of their own in INFO errorstats. They are ours, but a bound costs nothing. */
const MAX_ERROR_CODES = 128

/** A command as dispatch sees it. */
export class Row {
  readonly command: Command
  readonly mask: number
  readonly isExec: boolean
  calls: number
  /** Calls whose number has none of these bits are timed: 0 all, SAMPLE - 1 some. */
  untimed: number
  failed: number
  rejected: number
  private readonly isQuick: boolean
  private exactMs: number
  private exactCalls: number
  private sampledMs: number
  private sampledCalls: number
  private histogram: Histogram | null

  constructor(command: Command) {
    this.command = command
    this.mask = maskOf(command)
    this.isExec = command.name === 'EXEC'
    this.calls = 0
    this.untimed = 0
    this.failed = 0
    this.rejected = 0
    this.isQuick = command.complexity === 'O(1)' || command.complexity === 'O(N) for N keys.'
    this.exactMs = 0
    this.exactCalls = 0
    this.sampledMs = 0
    this.sampledCalls = 0
    this.histogram = null
  }

  /** A call took that long. `isSample`: it stands for others that were not timed. */
  timed(ms: number, isSample: boolean, inHistogram: boolean): void {
    if (isSample) {
      this.sampledMs += ms
      this.sampledCalls++
    } else {
      this.exactMs += ms
      this.exactCalls++
    }
    if (inHistogram) {
      this.histogram ??= new Histogram()
      this.histogram.record(ms, isSample ? SAMPLE : 1)
    }
    if (this.isQuick && this.calls >= CALLS_TIMED) this.untimed = SAMPLE - 1
  }

  /** Of all calls together. */
  get microseconds(): number {
    const others = this.calls - this.exactCalls
    if (others <= 0) return this.exactMs * 1000
    const mean =
      this.sampledCalls > 0 ? this.sampledMs / this.sampledCalls : this.exactMs / Math.max(1, this.exactCalls)
    return (this.exactMs + mean * others) * 1000
  }

  /** null: nothing was timed since the last reset. */
  get latencies(): Histogram | null {
    return this.histogram
  }

  reset(): void {
    this.calls = 0
    this.untimed = 0
    this.failed = 0
    this.rejected = 0
    this.exactMs = 0
    this.exactCalls = 0
    this.sampledMs = 0
    this.sampledCalls = 0
    this.histogram = null
  }
}

const RATE_SAMPLES = 16

/** Something counted, per second, over the last RATE_SAMPLES looks at the counter. */
class Rate {
  private readonly samples: number[] = []
  private lastCount = 0
  private lastMs = 0

  sample(count: number, nowMs: number): void {
    const elapsedMs = nowMs - this.lastMs
    if (elapsedMs <= 0) return
    if (this.lastMs > 0) this.samples.push(((count - this.lastCount) * 1000) / elapsedMs)
    if (this.samples.length > RATE_SAMPLES) this.samples.shift()
    this.lastCount = count
    this.lastMs = nowMs
  }

  get perSecond(): number {
    if (this.samples.length === 0) return 0
    return this.samples.reduce((sum, it) => sum + it, 0) / this.samples.length
  }

  reset(): void {
    this.samples.length = 0
    this.lastCount = 0
  }
}

const RECENT_SECONDS = 8

/** The largest of something over the last RECENT_SECONDS seconds. */
class Recent {
  private readonly seconds: number[] = []

  /** Once a second. */
  note(largest: number): void {
    this.seconds.push(largest)
    if (this.seconds.length > RECENT_SECONDS) this.seconds.shift()
  }

  get largest(): number {
    return Math.max(0, ...this.seconds)
  }
}

export class Statistics {
  connectionsReceived = 0
  connectionsRejected = 0
  /** Taken up, also those that were refused. */
  commands = 0
  inputBytes = 0
  outputBytes = 0
  reads = 0
  writes = 0
  /** Commands that failed by a bug of ours. */
  unexpectedErrors = 0
  readonly lookups = { hits: 0, misses: 0 }
  errorReplies = 0
  authenticationFailures = 0
  outputLimitDisconnections = 0
  queryLimitDisconnections = 0
  evictedClients = 0
  peakMemoryBytes = 0
  /** When the server began to serve: what it costs without data. */
  startMemoryBytes = 0
  /** What the engine had counted when everything else was set to 0. */
  expiredAtReset = 0
  saves = 0
  savesUnderWay = 0
  lastSaveFailed = false
  lastSaveMs = -1 // how long it took; -1: there was none
  /** The most that one client had waiting lately, in and out. */
  readonly recentInput = new Recent()
  readonly recentOutput = new Recent()
  readonly errors = new Map<string, number>()
  readonly commandRate = new Rate()
  readonly inputRate = new Rate()
  readonly outputRate = new Rate()

  /** An error reply with this code went out. */
  error(code: string): void {
    this.errorReplies++
    const count = this.errors.get(code)
    if (count !== undefined || this.errors.size < MAX_ERROR_CODES) this.errors.set(code, (count ?? 0) + 1)
  }

  /** `commandsRun`: since the last reset. */
  sample(monotonicMs: number, commandsRun: number): void {
    this.commandRate.sample(commandsRun, monotonicMs)
    this.inputRate.sample(this.inputBytes, monotonicMs)
    this.outputRate.sample(this.outputBytes, monotonicMs)
  }

  reset(): void {
    this.connectionsReceived = 0
    this.connectionsRejected = 0
    this.commands = 0
    this.inputBytes = 0
    this.outputBytes = 0
    this.reads = 0
    this.writes = 0
    this.unexpectedErrors = 0
    this.saves = 0
    this.lookups.hits = 0
    this.lookups.misses = 0
    this.errorReplies = 0
    this.authenticationFailures = 0
    this.outputLimitDisconnections = 0
    this.queryLimitDisconnections = 0
    this.evictedClients = 0
    this.errors.clear()
    this.commandRate.reset()
    this.inputRate.reset()
    this.outputRate.reset()
  }
}
