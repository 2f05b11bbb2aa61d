// From the start of the process to the first PONG, after a stop and after kill -9. Redis has rewritten its append-only file before: what it
// loads is then its own compact form, which is the fastest it can do. Who is killed has been written to just before: what was not sealed has
// no hint, and its end is not proven to be synced.

import { setTimeout as pause } from 'node:timers/promises'
import { loadKeys } from '../../harness/loader.ts'
import { compared, type Figure, noRounds } from '../figure.ts'
import type { Measure } from '../rows.ts'
import { idle, info, type Side, type Stage } from '../stage.ts'

/** Written before a kill: random keys of those that are there. */
const WRITES = 500_000
/** A prime: walks over all keys in scattered order. */
const SCATTER = 15485863

const restarts =
  (how: 'halt' | 'crash', ratio: number): Measure =>
  async (stage, effort, row): Promise<Figure[]> => {
    await rewrite(stage)
    const seconds = noRounds()
    for (let round = 0; round < Math.min(3, effort.rounds); round++) {
      for (const { side } of stage.contenders) {
        await stage.rest()
        if (how === 'crash') await write(stage, side)
        const server = await stage.restart(side, how)
        seconds[side].push(server.readyMs / 1000)
      }
    }
    const what = how === 'halt' ? 'start after a stop' : 'start after kill -9'
    return [compared({ row, what, unit: 's', aim: { atMost: 1 / ratio } }, seconds)]
  }

export const restartAfterStop: Measure = restarts('halt', 5)
export const restartAfterKill: Measure = restarts('crash', 2)

async function write(stage: Stage, side: Side): Promise<void> {
  const { keys, valueBytes } = stage.words
  const { port } = stage.of(side).server
  await loadKeys({ port, count: keys, only: Math.min(keys, WRITES), stride: SCATTER, valueBytes })
  await pause(1500) // `everysec`: it is synced
}

async function rewrite(stage: Stage): Promise<void> {
  const { server } = stage.of('redis')
  const connection = await server.connect({ replyLimitMs: 60_000 })
  await connection.call('BGREWRITEAOF')
  connection.close()
  await idle(server)
  if ((await info(server, 'aof_last_bgrewrite_status')) !== 'ok') throw new Error('Redis could not rewrite its file')
}
