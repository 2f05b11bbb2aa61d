// Resident memory.

import { loadKeys } from '../../harness/loader.ts'
import { residentBytes } from '../../harness/process-stats.ts'
import { alone, type Figure, single } from '../figure.ts'
import type { Effort, Measure } from '../rows.ts'
import { info, type Stage } from '../stage.ts'

const KEY_BYTES = 16
const MIB = 1024 * 1024

/** All keys loaded and each read once, so that what may be cached is cached. */
const resident =
  (atMost: number, words = ''): Measure =>
  async (stage, _effort, row): Promise<Figure[]> => {
    await stage.warm()
    await stage.rest()
    const mib = (side: 'casky' | 'redis'): number => residentBytes(stage.of(side).server.child.pid) / MIB
    const what = `RSS, ${stage.words.keys / 1e6}M keys${words}`
    return [single({ row, what, unit: 'MiB', aim: { atMost } }, mib('casky'), mib('redis'))]
  }

export const residentMemory: Measure = resident(0.5)
export const residentMemoryWithoutCache: Measure = resident(0.4, ', no value cache')

/** The keydir's bytes a key beside the key itself, at each quarter of a million from the first million on: the worst of them. */
export async function keydirMemory(stage: Stage, effort: Effort, row: string): Promise<Figure[]> {
  const { server } = stage.of('casky')
  const step = Math.round(250_000 * effort.scale)
  let worst = 0
  for (let first = 0; first < 80 * step; first += step) {
    await loadKeys({ port: server.port, first, count: step, valueBytes: 64 })
    const bytes = Number(await info(server, 'casky_keydir_bytes'))
    if (first >= 3 * step) worst = Math.max(worst, bytes / (first + step) - KEY_BYTES)
  }
  return [alone({ row, what: 'keydir a key, at its worst', unit: 'bytes', aim: { atMost: 40 } }, worst)]
}
