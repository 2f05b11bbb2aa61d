// The client programs of this folder, run against a port: each in a process of its own, with the client's default
// options, and judged by its exit code.

import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { run } from '../harness/child.ts'

const here = fileURLToPath(new URL('.', import.meta.url))

export type Program = 'ioredis' | 'node-redis'

/** Runs a Node client. `module` is resolved from `from`, a directory with node_modules. Returns '' or what went wrong. */
export async function tryNodeClient(program: Program, module: string, port: number, from = here): Promise<string> {
  const path = createRequire(join(from, 'package.json')).resolve(module)
  return verdict(process.execPath, [join(here, `${program}.mjs`), pathToFileURL(path).href, String(port)])
}

/** Runs redis-py under Debian's own Python, for which Debian's package is. Returns '' or what went wrong. */
export function tryPythonClient(port: number): Promise<string> {
  return verdict('/usr/bin/python3', [join(here, 'redis_py.py'), String(port)])
}

async function verdict(program: string, args: readonly string[]): Promise<string> {
  const result = await run(program, args, { limitMs: 60_000 })
  if (result.code === 0 && result.stdout.trim() === 'ok') return ''
  const end = result.signal === null ? `exit ${result.code}` : `killed by ${result.signal} after 60 s`
  return `${end}\n${result.stdout}${result.stderr}`
}
