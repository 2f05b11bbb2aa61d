// A crew: a few processes that share one long job. Each gets its number among them, works through its share of the seeds, and reports
// as it goes; when one has found something, all stop.
//
// Simulated stores come and go by hundreds a second, and each has a keydir of a few large zeroed pieces, most of which it never touches.
// Told to map these instead of taking them from its heap, malloc zeroes nothing.

import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

const MALLOC = 'glibc.malloc.mmap_threshold=393216'

export interface Share {
  readonly index: number
  readonly of: number
}

/** What a member says: figures to be added up, by name, or what it has found, which ends the job. */
export type Report =
  | { readonly kind: 'figures'; readonly figures: readonly (readonly [string, number])[] }
  | { readonly kind: 'found'; readonly text: string }

export const availableWorkers = availableParallelism

/**
 * Runs `file` in so many processes, each with `args` and its share, until all have ended. Calls back with every report. Gives false when
 * one has found something or has ended badly.
 */
export async function crew(
  file: string,
  args: readonly string[],
  workers: number,
  onReport: (report: Report) => void,
): Promise<boolean> {
  let good = true
  const ends: Promise<void>[] = []
  const members = Array.from({ length: workers }, (_, index) => {
    const share: Share = { index, of: workers }
    const member = fork(fileURLToPath(file), [JSON.stringify(share), ...args], {
      env: { ...process.env, GLIBC_TUNABLES: process.env['GLIBC_TUNABLES'] ?? MALLOC },
    })
    ends.push(
      new Promise((resolve) => {
        member.once('exit', (code) => {
          if (code !== 0) {
            good = false
            for (const other of members) other.kill()
          }
          resolve()
        })
      }),
    )
    member.on('message', (message) => {
      const report = message as Report
      if (report.kind === 'found') good = false
      onReport(report)
    })
    return member
  })
  await Promise.all(ends)
  return good
}

/** For members: who one is, and the arguments. Null when this is no member's process. */
export function member(): { share: Share; args: string[] } | null {
  if (process.send === undefined || process.argv[2]?.startsWith('{"index"') !== true) return null
  process.once('disconnect', () => process.exit(1)) // whoever would hear of it is gone
  process.channel?.unref() // a listener for that keeps a process alive which has done its share
  return { share: JSON.parse(process.argv[2]) as Share, args: process.argv.slice(3) }
}

/**
 * For members: says something, and waits until it is on its way. When nobody is left to hear it, the process ends: one that is never idle never
 * gets to see the disconnect.
 */
export function report(what: Report): Promise<void> {
  return new Promise((resolve) => process.send!(what, (error: Error | null) => (error ? process.exit(1) : resolve())))
}
