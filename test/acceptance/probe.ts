// Starts a probe (probe-main.ts) beside a server and reads what it measured.

import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startChild } from '../harness/child.ts'
import { ms } from './verdict.ts'

export interface Probed {
  readonly count: number
  /** Error replies and nils. */
  readonly errors: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  /** The longest time between two looks of the probe at its clock: what the machine kept from it. */
  readonly longestOwnPause: number
  readonly unanswered: number
}

export interface Probe {
  stop(): Promise<Probed>
}

const program = fileURLToPath(new URL('./probe-main.ts', import.meta.url))

/** Probes with PING, or with GET of the first `keys` keys of the loader. Returns when the first is about to be sent. */
export async function startProbe(port: number, kind: 'ping' | 'get', keys = 0): Promise<Probe> {
  const child = await startChild(process.execPath, ['--import', 'tsx', program, String(port), kind, String(keys)], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  })
  while (!child.stdout().includes('probing')) {
    if (child.exit !== undefined) throw new Error(`the probe did not start: ${child.output()}`)
    await pause(5)
  }
  return {
    stop: async () => {
      child.stdin?.end()
      const limit = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await child.exited
      clearTimeout(limit)
      const line = child.stdout().trim().split('\n').at(-1) ?? ''
      try {
        return JSON.parse(line) as Probed
      } catch {
        throw new Error(`the probe failed: ${child.output()}`)
      }
    },
  }
}

export function describeProbe(probed: Probed): string {
  return (
    `max ${ms(probed.max)}, p99.9 ${ms(probed.p999)}, p99 ${ms(probed.p99)}, p50 ${ms(probed.p50)} ` +
    `(${probed.count} probes; the probe itself paused ${ms(probed.longestOwnPause)} at most)`
  )
}
