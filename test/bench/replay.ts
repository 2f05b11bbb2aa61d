// Replays a plan against a server, in a process of its own, or against one that does nothing.

import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { run, startChild } from '../harness/child.ts'
import type { PlanWords } from './plan.ts'

export interface Replayed {
  readonly perSecond: number
  /** Milliseconds from the sending of a pipeline to the last byte of its replies. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

export async function replay(port: number, words: PlanWords, seconds: number): Promise<Replayed> {
  const args = ['--import', 'tsx', here('./replay-main.ts'), String(port), String(seconds), JSON.stringify(words)]
  const result = await run(process.execPath, args, { cwd: here('.'), limitMs: seconds * 1000 + 60_000 })
  if (result.code !== 0) throw new Error(`the load generator failed: ${result.stdout}${result.stderr}`)
  return JSON.parse(result.stdout) as Replayed
}

/** What the generator reaches against a server that does nothing. */
export async function replayRate(words: PlanWords, seconds: number): Promise<Replayed> {
  const child = await startChild(process.execPath, ['--import', 'tsx', here('./null-main.ts'), JSON.stringify(words)], {
    cwd: here('.'),
  })
  try {
    while (!child.stdout().includes('\n')) {
      if (child.exit !== undefined) throw new Error(`the null server did not start: ${child.output()}`)
      await pause(5)
    }
    return await replay(Number(child.stdout()), words, seconds)
  } finally {
    child.kill('SIGKILL')
    await child.exited
  }
}
