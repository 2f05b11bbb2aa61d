// GETs right after a start: nothing is in the value cache, everything in the page cache of the operating system. Each key is asked for once.

import { alone, compared, type Figure, noRounds } from '../figure.ts'
import { replay } from '../replay.ts'
import type { Effort } from '../rows.ts'
import type { Stage } from '../stage.ts'
import { median } from '../statistics.ts'
import { plan } from './mixed.ts'

const SECONDS = 2

export async function coldReads(stage: Stage, effort: Effort, row: string): Promise<Figure[]> {
  const { keys } = stage.words
  const words = { ...plan(stage, { reads: 1, choice: 'each', pipeline: 16 }, 1), pipelines: Math.floor(keys / 16) }
  await stage.warm()
  const rates = noRounds()
  const p99s = noRounds()
  const shares: number[] = []
  for (let round = 0; round < effort.rounds; round++) {
    await stage.warm(['casky'])
    await stage.rest()
    const hot = await replay(stage.of('casky').server.port, words, SECONDS)
    await stage.restart('casky', 'halt')
    for (const side of ['casky', 'redis'] as const) {
      await stage.rest()
      const one = await replay(stage.of(side).server.port, words, SECONDS)
      rates[side].push(one.perSecond)
      p99s[side].push(one.p99)
    }
    shares.push((rates.casky.at(-1) as number) / hot.perSecond)
  }
  const what = 'cold GET P=16'
  return [
    alone({ row, what: `${what}, part of hot`, unit: 'x', aim: { atLeast: 0.4 } }, median(shares)),
    compared({ row: `${row} rate`, what, unit: '/s' }, rates),
    compared({ row: `${row} p99`, what, unit: 'ms', aim: { atMost: 1 } }, p99s),
  ]
}
