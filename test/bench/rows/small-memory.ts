// Data four times as large as the memory that is allowed: a memory cgroup of 256 MiB around the server. Fifty clients read it all over, which is cold;
// beside them one asks for the same few keys and one for nothing (PING).

import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describeProbe, startProbe } from '../../acceptance/probe.ts'
import { loadKeys } from '../../harness/loader.ts'
import { startServer } from '../../harness/server.ts'
import { alone, type Figure } from '../figure.ts'
import { replay } from '../replay.ts'
import type { Effort } from '../rows.ts'
import { idle, type Stage } from '../stage.ts'

const LIMIT_BYTES = 256 * 1024 * 1024
const VALUE_BYTES = 1024
const KEYS = 1_000_000
const HOT_KEYS = 1000
/** Version 1 of cgroups, as containers on this kind of machine have it. */
const CGROUPS = '/sys/fs/cgroup/memory'

export async function smallMemory(_stage: Stage, effort: Effort, row: string): Promise<Figure[]> {
  const group = join(CGROUPS, `casky-bench-${process.pid}`)
  try {
    mkdirSync(group)
  } catch (error) {
    console.log(`${row}: SKIPPED, needs root and memory cgroups at ${CGROUPS}: ${(error as Error).message}`)
    return []
  }
  const server = await startServer('casky', { args: ['--value-cache-size', '32mb'] })
  try {
    writeFileSync(join(group, 'memory.limit_in_bytes'), String(LIMIT_BYTES))
    writeFileSync(join(group, 'cgroup.procs'), String(server.child.pid))
    await loadKeys({ port: server.port, count: KEYS, valueBytes: VALUE_BYTES })
    await idle(server)
    const hot = await startProbe(server.port, 'get', HOT_KEYS)
    const ping = await startProbe(server.port, 'ping')
    await pause(2000)
    const words = { reads: 1, choice: 'uniform', clients: 50, pipeline: 1, pipelines: 500_000, seed: 1 } as const
    const cold = await replay(
      server.port,
      { ...words, keys: KEYS, valueBytes: VALUE_BYTES },
      Math.max(10, effort.seconds),
    )
    const [hotProbed, pingProbed] = [await hot.stop(), await ping.stop()]
    console.log(`  hot GET: ${describeProbe(hotProbed)}`)
    console.log(`  PING: ${describeProbe(pingProbed)}`)
    const aim = { atMost: 10 }
    return [
      alone({ row, what: 'cold GET P=1, 1 GiB in 256 MiB', unit: '/s' }, cold.perSecond),
      alone({ row: `${row} hot`, what: 'p99 of hot GET beside it', unit: 'ms', aim }, hotProbed.p99),
      alone({ row: `${row} ping`, what: 'p99 of PING beside it', unit: 'ms', aim }, pingProbed.p99),
    ]
  } finally {
    await server.stop()
    rmdirSync(group)
  }
}
