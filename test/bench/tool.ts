// redis-benchmark, run once for one load.

import { run } from '../harness/child.ts'

export interface Load {
  readonly command: 'set' | 'get' | 'incr' | 'mset'
  readonly pipeline: number
}

export const VALUE_BYTES = 64
export const CLIENTS = 50

export interface Throughput {
  readonly perSecond: number
  /** Milliseconds, as redis-benchmark counts: from the sending of a pipeline to its last reply. */
  readonly p99: number
}

/** One run of `requests` requests over `keys` random keys. */
export async function throughput(
  port: number,
  load: Load,
  requests: number,
  keys: number,
  valueBytes: number = VALUE_BYTES,
): Promise<Throughput> {
  const args = [
    ...['-h', '127.0.0.1', '-p', String(port), '-t', load.command, '-P', String(load.pipeline)],
    ...['-c', String(CLIENTS), '-d', String(valueBytes), '-r', String(keys), '-n', String(requests), '--csv'],
  ]
  const result = await run('redis-benchmark', args, { limitMs: 180_000 })
  // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms",...  then one line with the figures
  const line = result.stdout.split('\n').find((one) => one.startsWith(`"${load.command.toUpperCase()}`))
  const fields = line?.split('","').map((field) => Number(field.replaceAll('"', '')))
  const perSecond = fields?.[1] ?? 0
  const p99 = fields?.[6] ?? 0
  if (result.code !== 0 || !(perSecond > 0) || !(p99 > 0)) {
    throw new Error(`redis-benchmark ${args.join(' ')} failed:\n${result.stdout}${result.stderr}`)
  }
  return { perSecond, p99 }
}

/** The same, for whoever wants the rate alone. */
export async function requestsPerSecond(port: number, load: Load, requests: number, keys: number): Promise<number> {
  return (await throughput(port, load, requests, keys)).perSecond
}
