// Loads that redis-benchmark has no words for: our own generator, the same for both.

import { alone, compared, type Figure } from '../figure.ts'
import type { PlanWords } from '../plan.ts'
import { replay, replayRate } from '../replay.ts'
import { inRounds } from '../rounds.ts'
import type { Effort } from '../rows.ts'
import { type Contender, info, type Stage } from '../stage.ts'
import { CLIENTS } from '../tool.ts'

/** Runs that are not counted, so that what is popular is where it will be. */
const WARM_UPS = 3

/** 90 reads to 10 writes, keys by Zipf's law; each round has requests of its own, or all that is ever asked for would be in memory soon. */
export async function zipf(stage: Stage, effort: Effort, row: string): Promise<Figure[]> {
  const words = { reads: 0.9, choice: 'zipf', pipeline: 16 } as const
  const { server: casky } = stage.of('casky')
  const limit = await replayRate(plan(stage, words, 0), effort.seconds)
  for (let seed = 1; seed <= WARM_UPS; seed++) {
    for (const { server } of stage.contenders) await replay(server.port, plan(stage, words, seed), effort.seconds)
  }
  const lookedUp = async (): Promise<[number, number]> => [
    Number(await info(casky, 'casky_value_cache_hits')),
    Number(await info(casky, 'casky_value_cache_misses')),
  ]
  const [hits, misses] = await lookedUp()
  const rounds = await inRounds(
    stage,
    effort.rounds,
    ({ server }, round) => replay(server.port, plan(stage, words, 100 + round), effort.seconds),
    { perSecond: (one) => one.perSecond, p99: (one) => one.p99 },
  )
  const [hitsAfter, missesAfter] = await lookedUp()
  const share = (hitsAfter - hits) / (hitsAfter - hits + missesAfter - misses)
  console.log(`  of Casky's look-ups ${(share * 100).toFixed(1)}% found the value in its cache`)
  const what = '90/10 GET/SET, Zipf, P=16'
  const figure = compared({ row, what, unit: '/s', aim: { atLeast: 1 } }, rounds.perSecond)
  return [
    figure,
    compared({ row: `${row} p99`, what, unit: 'ms', aim: { atMost: 1 } }, rounds.p99),
    generatorsRoom(row, limit.perSecond, figure),
  ]
}

/** Half reads, half writes, one at a time, while a merge follows the other (Redis: while it rewrites its append-only file again and again). */
export async function latencyDuringMerge(stage: Stage, effort: Effort, row: string): Promise<Figure[]> {
  await stage.warm()
  const words = { reads: 0.5, choice: 'uniform', pipeline: 1 } as const
  const seconds = Math.max(3, effort.seconds)
  const limit = await replayRate(plan(stage, words, 0), seconds)
  let merges = 0
  const rounds = await inRounds(
    stage,
    effort.rounds,
    async (contender, round) => {
      const work = keepBusy(contender)
      try {
        return await replay(contender.server.port, plan(stage, words, 100 + round), seconds)
      } finally {
        const done = await work.stop()
        if (contender.side === 'casky') merges += done
      }
    },
    { p999: (one) => one.p999, perSecond: (one) => one.perSecond },
  )
  console.log(`  ${merges} merges in ${effort.rounds} rounds`)
  const what = 'GET+SET P=1 during merges'
  const figure = compared({ row: `${row} rate`, what, unit: '/s' }, rounds.perSecond)
  return [
    compared({ row, what: `p99.9 of ${what}`, unit: 'ms', aim: { atMost: 1 } }, rounds.p999),
    figure,
    generatorsRoom(row, limit.perSecond, figure),
  ]
}

/** What the generator reaches against a server that does nothing, as a multiple of the slower server's rate: it must not be what is measured. */
export function generatorsRoom(row: string, limit: number, { casky, redis }: Figure): Figure {
  const slower = Math.min(casky, redis ?? Number.POSITIVE_INFINITY)
  const what = 'generator, by the slower server'
  return alone({ row: `${row} generator`, what, unit: 'x', aim: { atLeast: 2 } }, limit / slower)
}

/** Enough requests that no run comes round to its beginning; the same for all who have the same seed. */
export function plan(stage: Stage, words: Pick<PlanWords, 'reads' | 'choice' | 'pipeline'>, seed: number): PlanWords {
  const { keys, valueBytes } = stage.words
  const pipelines = words.pipeline === 1 ? 300_000 : Math.ceil(1_600_000 / words.pipeline)
  return { keys, valueBytes, clients: CLIENTS, pipelines, seed, ...words }
}

/** Has background work follow background work until told to stop; then says how often it was done. */
function keepBusy({ side, server }: Contender): { stop(): Promise<number> } {
  let isWanted = true
  let done = 0
  const work = async (): Promise<number> => {
    const connection = await server.connect({ replyLimitMs: 120_000 })
    for (; isWanted; done++) {
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
    return done
  }
  const working = work()
  working.catch(() => {}) // stop() tells
  return {
    stop: () => {
      isWanted = false
      return working
    },
  }
}
