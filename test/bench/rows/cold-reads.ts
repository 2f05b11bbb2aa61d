// GETs right after a start: nothing is in the value cache, everything in the page cache of the operating system.

import { alone, compared, type Figure, noRounds } from '../figure.ts'
import type { Effort } from '../rows.ts'
import type { Stage } from '../stage.ts'
import { type Load, throughput } from '../tool.ts'

const GET: Load = { command: 'get', pipeline: 16 }
/** Few enough that most of them meet a key for the first time. */
const REQUESTS_A_KEY = 0.4

export async function coldReads(stage: Stage, effort: Effort, row: string): Promise<Figure[]> {
  const { keys } = stage.words
  const requests = Math.ceil(keys * REQUESTS_A_KEY)
  await stage.warm()
  const cold = noRounds()
  const hot: number[] = []
  for (let round = 0; round < effort.rounds; round++) {
    await stage.rest()
    hot.push((await throughput(stage.of('casky').server.port, GET, keys * 2, keys)).perSecond)
    await stage.restart('casky', 'halt')
    await stage.rest()
    cold.casky.push((await throughput(stage.of('casky').server.port, GET, requests, keys)).perSecond)
    cold.redis.push((await throughput(stage.of('redis').server.port, GET, keys * 2, keys)).perSecond)
    await stage.warm()
  }
  const share = cold.casky.map((figure, i) => figure / hot[i]!).sort((a, b) => a - b)
  const median = share[share.length >> 1]!
  return [
    alone({ row, what: 'cold GET P=16, part of hot', unit: 'x', aim: { atLeast: 0.4 } }, median),
    compared({ row: `${row} rate`, what: 'cold GET P=16', unit: '/s' }, cold),
  ]
}
