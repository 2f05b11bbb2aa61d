// redis-benchmark, run once for one figure.

import { run } from '../harness/child.ts'

export interface Load {
  readonly command: 'set' | 'get'
  readonly pipeline: number
}

export const VALUE_BYTES = 64
export const CLIENTS = 50

/** Requests a second of one run of `requests` requests over `keys` random keys. */
export async function requestsPerSecond(port: number, load: Load, requests: number, keys: number): Promise<number> {
  const args = [
    ...['-h', '127.0.0.1', '-p', String(port), '-t', load.command, '-P', String(load.pipeline)],
    ...['-c', String(CLIENTS), '-d', String(VALUE_BYTES), '-r', String(keys), '-n', String(requests), '--csv'],
  ]
  const result = await run('redis-benchmark', args, { limitMs: 120_000 })
  // "test","rps","avg_latency_ms",...  then one line with the figures
  const line = result.stdout.split('\n').find((one) => one.startsWith(`"${load.command.toUpperCase()}"`))
  const figure = Number(line?.split(',')[1]?.replaceAll('"', ''))
  if (result.code !== 0 || !(figure > 0)) {
    throw new Error(`redis-benchmark ${args.join(' ')} failed:\n${result.stdout}${result.stderr}`)
  }
  return figure
}
