// What the server counts for INFO, and how.
//
// Calls, failures and rejections of each command are exact. Its time is measured for the first CALLS_TIMED calls and from then on
// for every SAMPLE-th, which stands for the others: reading the clock twice costs 80 ns, as much as a fast command. So `usec` of a
// command that is called often is an estimate without bias, of one called rarely it is exact.

import type { Command } from '../commands/command.ts'
import { maskOf } from './gates.ts'

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
  microseconds: number
  failed: number
  rejected: number

  constructor(command: Command) {
    this.command = command
    this.mask = maskOf(command)
    this.isExec = command.name === 'EXEC'
    this.calls = 0
    this.microseconds = 0
    this.failed = 0
    this.rejected = 0
  }

  /** How many calls the time of the present one stands for, 0: it is not measured. */
  timeWeight(): number {
    if (this.calls <= CALLS_TIMED) return 1
    return this.calls % SAMPLE === 0 ? SAMPLE : 0
  }

  reset(): void {
    this.calls = 0
    this.microseconds = 0
    this.failed = 0
    this.rejected = 0
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

export class Statistics {
  connectionsReceived = 0
  connectionsRejected = 0
  commands = 0
  inputBytes = 0
  outputBytes = 0
  errorReplies = 0
  authenticationFailures = 0
  outputLimitDisconnections = 0
  queryLimitDisconnections = 0
  peakMemoryBytes = 0
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

  sample(monotonicMs: number): void {
    this.commandRate.sample(this.commands, monotonicMs)
    this.inputRate.sample(this.inputBytes, monotonicMs)
    this.outputRate.sample(this.outputBytes, monotonicMs)
  }

  reset(): void {
    this.connectionsReceived = 0
    this.connectionsRejected = 0
    this.commands = 0
    this.inputBytes = 0
    this.outputBytes = 0
    this.errorReplies = 0
    this.authenticationFailures = 0
    this.outputLimitDisconnections = 0
    this.queryLimitDisconnections = 0
    this.errors.clear()
    this.commandRate.reset()
    this.inputRate.reset()
    this.outputRate.reset()
  }
}
