// Loads that redis-benchmark has no words for: our own generator, the same for both.

import { compared, type Figure } from '../figure.ts'
import type { PlanWords } from '../plan.ts'
import { replay, replayRate } from '../replay.ts'
import { inRounds } from '../rounds.ts'
import type { Effort } from '../rows.ts'
import type { Contender, Stage } from '../stage.ts'
import { CLIENTS } from '../tool.ts'

/** 90 reads to 10 writes, keys by Zipf's law. */
export async function zipf(stage: Stage, effort: Effort, row: string): Promise<Figure[]> {
  const words = plan(stage, { reads: 0.9, choice: 'zipf', pipeline: 16 })
  const limit = await replayRate(words, effort.seconds)
  // Once without counting, so that what is popular is where it will be.
  for (const { server } of stage.contenders) await replay(server.port, words, effort.seconds)
  const rounds = await inRounds(stage, effort.rounds, ({ server }) => replay(server.port, words, effort.seconds), {
    perSecond: (one) => one.perSecond,
    p99: (one) => one.p99,
  })
  const what = '90/10 GET/SET, Zipf, P=16'
  const figure = compared({ row, what, unit: '/s', aim: { atLeast: 1 } }, rounds.perSecond)
  const slower = Math.min(figure.casky, figure.redis ?? Number.POSITIVE_INFINITY)
  console.log(
    `  the generator against a server that does nothing: ${(limit.perSecond / slower).toFixed(1)}x the slower server's rate`,
  )
  return [figure, compared({ row: `${row} p99`, what, unit: 'ms', aim: { atMost: 1 } }, rounds.p99)]
}

/** Half reads, half writes, one at a time, while a merge follows the other (Redis: while it rewrites its append-only file again and again). */
export async function latencyDuringMerge(stage: Stage, effort: Effort, row: string): Promise<Figure[]> {
  await stage.warm()
  const words = plan(stage, { reads: 0.5, choice: 'uniform', pipeline: 1 })
  const rounds = await inRounds(
    stage,
    effort.rounds,
    async (contender) => {
      const work = keepBusy(contender)
      const replayed = await replay(contender.server.port, words, Math.max(3, effort.seconds))
      await work.stop()
      return replayed
    },
    { p999: (one) => one.p999, perSecond: (one) => one.perSecond },
  )
  const what = 'GET+SET P=1 during merges'
  return [
    compared({ row, what: `p99.9 of ${what}`, unit: 'ms', aim: { atMost: 1 } }, rounds.p999),
    compared({ row: `${row} rate`, what, unit: '/s' }, rounds.perSecond),
  ]
}

function plan(stage: Stage, words: Pick<PlanWords, 'reads' | 'choice' | 'pipeline'>): PlanWords {
  const { keys, valueBytes } = stage.words
  const pipelines = Math.ceil(1_000_000 / words.pipeline)
  return { keys, valueBytes, clients: CLIENTS, pipelines, seed: 1, ...words }
}

/** Has background work follow background work until told to stop. */
function keepBusy({ side, server }: Contender): { stop(): Promise<void> } {
  let isWanted = true
  const work = async (): Promise<void> => {
    const connection = await server.connect({ replyLimitMs: 120_000 })
    while (isWanted) {
      if (side === 'redis') {
        await connection.call('BGREWRITEAOF')
        while (String(await connection.call('INFO', 'persistence')).includes('aof_rewrite_in_progress:1')) {
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      } else {
        await connection.call('MERGE', 'WAIT')
      }
    }
    connection.close()
  }
  const working = work()
  return {
    stop: () => {
      isWanted = false
      return working
    },
  }
}
