// Data four times as large as the memory that is allowed: a memory cgroup of 256 MiB around the server. Fifty clients read it all over, which is cold;
// beside them one asks for the same few keys and one for nothing (PING). The one row with a value cache of its own, 32 MiB: the default is
// half of this memory, and who has so little makes it smaller.

import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describeProbe, type Probe, startProbe } from '../../acceptance/probe.ts'
import { loadKeys, readKeys } from '../../harness/loader.ts'
import { type Server, startServer } from '../../harness/server.ts'
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
  // It must be in there before it starts: what a process has already is not moved with it.
  const inGroup = join(tmpdir(), `casky-bench-${process.pid}.sh`)
  let server: Server | undefined
  const probes: Probe[] = []
  try {
    writeFileSync(join(group, 'memory.limit_in_bytes'), String(LIMIT_BYTES))
    writeFileSync(inGroup, `#!/bin/sh\necho $$ > ${group}/cgroup.procs\nexec ${process.execPath} "$@"\n`, {
      mode: 0o755,
    })
    server = await startServer('casky', { args: ['--value-cache-size', '32mb'], node: inGroup })
    const { port } = server
    await loadKeys({ port, count: KEYS, valueBytes: VALUE_BYTES })
    // Hot is what was asked for more than once: else a tenth of the probe's reads would be the first of their key, and its p99 theirs.
    for (let i = 0; i < 2; i++) await readKeys({ port, count: HOT_KEYS, valueBytes: VALUE_BYTES })
    await idle(server)
    const words = { reads: 1, choice: 'uniform', clients: 50, pipeline: 1, pipelines: 500_000, seed: 1 } as const
    const cold = await replay(
      port,
      { ...words, keys: KEYS, valueBytes: VALUE_BYTES },
      Math.max(10, effort.seconds),
      async () => {
        probes.push(await startProbe(port, 'get', HOT_KEYS), await startProbe(port, 'ping'))
      },
    )
    const [hot, ping] = await Promise.all(probes.splice(0).map((probe) => probe.stop()))
    console.log(`  hot GET: ${describeProbe(hot!)}`)
    console.log(`  PING: ${describeProbe(ping!)}`)
    const aim = { atMost: 10 }
    return [
      alone({ row, what: 'cold GET P=1, 1 GiB in 256 MiB', unit: '/s' }, cold.perSecond),
      alone({ row: `${row} hot`, what: 'p99 of hot GET beside it', unit: 'ms', aim }, hot!.p99),
      alone({ row: `${row} ping`, what: 'p99 of PING beside it', unit: 'ms', aim }, ping!.p99),
    ]
  } finally {
    await Promise.all(probes.map((probe) => probe.stop().catch(() => {})))
    await server?.stop()
    rmSync(inGroup, { force: true })
    await pause(100) // the kernel counts a process for a moment longer
    rmdirSync(group)
  }
}
