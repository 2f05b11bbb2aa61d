// What our own loader can do at most, against a server that does nothing (null-server-main.ts).

import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startChild } from '../harness/child.ts'
import { loadKeys, requestBytes } from '../harness/loader.ts'

const program = fileURLToPath(new URL('../harness/null-server-main.ts', import.meta.url))

/** Keys a second. */
export async function generatorRate(valueBytes: number): Promise<number> {
  const child = await startChild(process.execPath, ['--import', 'tsx', program, String(requestBytes(valueBytes))], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  })
  while (!child.stdout().includes('\n')) {
    if (child.exit !== undefined) throw new Error(`the null server did not start: ${child.output()}`)
    await pause(5)
  }
  const count = 500_000
  const took = await loadKeys({ port: Number(child.stdout()), count, valueBytes })
  child.stdin?.end()
  await child.exited
  return (count / took) * 1000
}
