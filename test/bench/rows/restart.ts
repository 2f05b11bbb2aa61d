// From the start of the process to the first PONG, after a stop and after kill -9. Redis has rewritten its append-only file before: what it
// loads is then its own compact form, which is the fastest it can do.

import { compared, type Figure, noRounds } from '../figure.ts'
import type { Measure } from '../rows.ts'
import { idle, info, type Stage } from '../stage.ts'

const restarts =
  (how: 'halt' | 'crash', ratio: number): Measure =>
  async (stage, effort, row): Promise<Figure[]> => {
    await rewrite(stage)
    const seconds = noRounds()
    for (let round = 0; round < Math.min(3, effort.rounds); round++) {
      for (const { side } of stage.contenders) {
        await stage.rest()
        const server = await stage.restart(side, how)
        seconds[side].push(server.readyMs / 1000)
        // A start after kill -9 makes hints of what had none: the next round shall meet the same.
        if (how === 'crash') await idle(server)
      }
    }
    const what = how === 'halt' ? 'start after a stop' : 'start after kill -9'
    return [compared({ row, what, unit: 's', aim: { atMost: 1 / ratio } }, seconds)]
  }

export const restartAfterStop: Measure = restarts('halt', 5)
export const restartAfterKill: Measure = restarts('crash', 2)

async function rewrite(stage: Stage): Promise<void> {
  const { server } = stage.of('redis')
  const connection = await server.connect({ replyLimitMs: 60_000 })
  await connection.call('BGREWRITEAOF')
  connection.close()
  await idle(server)
  if ((await info(server, 'aof_last_bgrewrite_status')) !== 'ok') throw new Error('Redis could not rewrite its file')
}
