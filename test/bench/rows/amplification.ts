// What merging costs the disk: 500 MB of data overwritten four times in scattered order, with the defaults.

import { readFileSync } from 'node:fs'
import { watchDisk } from '../../acceptance/disk.ts'
import { keyOf, loadKeys } from '../../harness/loader.ts'
import { alone, type Figure } from '../figure.ts'
import type { Effort } from '../rows.ts'
import { idle, info, type Stage } from '../stage.ts'

const VALUE_BYTES = 1024
const LIVE_KEYS = 480_000
const TIMES = 4
/** A prime: walks over all keys in scattered order. */
const SCATTER = 15485863

export async function amplification(stage: Stage, effort: Effort, row: string): Promise<Figure[]> {
  const { server } = stage.of('casky')
  const count = Math.round(LIVE_KEYS * effort.scale)
  const load = { port: server.port, count, valueBytes: VALUE_BYTES }
  await loadKeys(load)
  await idle(server)
  const live = Number(await info(server, 'casky_live_bytes'))
  const before = written(server.child.pid)
  const disk = watchDisk(server.dir)
  try {
    await loadKeys({ ...load, stride: SCATTER, only: count * TIMES })
    await idle(server)
  } finally {
    disk.stop()
  }
  const { largest } = disk.stop()
  const clientBytes = count * TIMES * (keyOf(0).length + VALUE_BYTES)
  return [
    alone(
      { row, what: 'bytes to disk a byte of keys and values', unit: 'x' },
      (written(server.child.pid) - before) / clientBytes,
    ),
    alone(
      { row: `${row} space`, what: 'largest on disk, by live bytes', unit: 'x', aim: { atMost: 2.5 } },
      largest / live,
    ),
  ]
}

/** Bytes that all threads of the process gave to write calls. */
function written(pid: number): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1])
}
