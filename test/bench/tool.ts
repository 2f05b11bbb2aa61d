// redis-benchmark, run once for one load.

import { run } from '../harness/child.ts'
import { endedChildrenMs } from '../harness/process-stats.ts'

export interface Load {
  readonly command: 'set' | 'get' | 'incr' | 'mset'
  readonly pipeline: number
}

export const VALUE_BYTES = 64
export const CLIENTS = 50

export interface Throughput {
  readonly perSecond: number
  /** Milliseconds, as redis-benchmark counts: from the sending of a pipeline to the first bytes of its replies. */
  readonly p99: number
  /** Part of the time in which redis-benchmark had a processor. Near 1 it is its rate that is measured, and not the server's. */
  readonly generatorShare: number
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
  const usedBefore = endedChildrenMs()
  const result = await run('redis-benchmark', args, { limitMs: 180_000 })
  const usedMs = endedChildrenMs() - usedBefore
  // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms",...  then one line with the figures
  const line = result.stdout.split('\n').find((one) => one.startsWith(`"${load.command.toUpperCase()}`))
  const fields = line?.split('","').map((field) => Number(field.replaceAll('"', '')))
  const perSecond = fields?.[1] ?? 0
  const p99 = fields?.[6] ?? 0
  if (result.code !== 0 || !(perSecond > 0) || !(p99 > 0)) {
    throw new Error(`redis-benchmark ${args.join(' ')} failed:\n${result.stdout}${result.stderr}`)
  }
  return { perSecond, p99, generatorShare: usedMs / ((requests / perSecond) * 1000) }
}

/** The same, for whoever wants the rate alone. */
export async function requestsPerSecond(port: number, load: Load, requests: number, keys: number): Promise<number> {
  return (await throughput(port, load, requests, keys)).perSecond
}
