// Replays a plan against a server, in a process of its own, or against one that does nothing.

import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startChild } from '../harness/child.ts'
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

/** `onStart`: called when the first request is about to be sent, which is seconds after the call. */
export async function replay(
  port: number,
  words: PlanWords,
  seconds: number,
  onStart?: () => Promise<void>,
): Promise<Replayed> {
  const args = ['--import', 'tsx', here('./replay-main.ts'), String(port), String(seconds), JSON.stringify(words)]
  const child = await startChild(process.execPath, args, { cwd: here('.') })
  const limit = setTimeout(() => child.kill('SIGKILL'), seconds * 1000 + 60_000)
  try {
    while (onStart !== undefined && child.exit === undefined && !child.stderr().includes('go')) await pause(5)
    await onStart?.()
    const { code } = await child.exited
    if (code !== 0) throw new Error(`the load generator failed: ${child.output()}`)
    return JSON.parse(child.stdout()) as Replayed
  } finally {
    clearTimeout(limit)
    child.kill('SIGKILL')
  }
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
