// The latency monitor: when something took longer than latency-monitor-threshold milliseconds, and how long.
//
// Each kind of event keeps its last 160 samples, one a second (the worst of that second), and the worst ever. Nothing is kept
// while the threshold is 0. What is watched:
//
//   command, fast-command    a command, measured as SLOWLOG measures it
//   stall                    commands of one packet that took long together though each is quick (dispatch.ts says when)
//   write, fsync             the log's writes and syncs: replies may wait for them, hardly ever the process
//   expire-cycle             a look for keys whose time has come

import type { LatencyPort, LatencySample, LatencySeries } from '../commands/session.ts'

const SAMPLES = 160

class Series implements LatencySeries {
  samples: LatencySample[] = []
  worstMs = 0

  add(second: number, ms: number): void {
    if (ms > this.worstMs) this.worstMs = ms
    const last = this.samples.at(-1)
    if (last !== undefined && last.second === second) {
      if (ms > last.ms) last.ms = ms
      return
    }
    this.samples.push({ second, ms })
    if (this.samples.length > SAMPLES) this.samples.shift()
  }
}

export class LatencyMonitor implements LatencyPort {
  /** Milliseconds; 0: nothing is kept. */
  thresholdMs = 0
  readonly events = new Map<string, Series>()

  /** Something took that long. `nowMs`: wall clock. */
  note(event: string, ms: number, nowMs: number): void {
    if (this.thresholdMs === 0 || ms < this.thresholdMs) return
    let series = this.events.get(event)
    if (series === undefined) this.events.set(event, (series = new Series()))
    series.add(Math.floor(nowMs / 1000), Math.floor(ms))
  }

  /** Forgets these events, or all; returns how many there were. */
  reset(names: readonly string[]): number {
    let gone = 0
    for (const name of names.length === 0 ? [...this.events.keys()] : names) if (this.events.delete(name)) gone++
    return gone
  }
}
