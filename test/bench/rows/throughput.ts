// Requests a second and the 99th percentile, by redis-benchmark.

import { compared, type Figure } from '../figure.ts'
import { inRounds } from '../rounds.ts'
import type { Measure } from '../rows.ts'
import { CLIENTS, type Load, throughput } from '../tool.ts'

/** A row of one command at one pipeline; `atLeast`: the ratio it should reach. */
export function load(command: Load['command'], pipeline: number, atLeast: number): Measure {
  const load: Load = { command, pipeline }
  return async (stage, effort, row): Promise<Figure[]> => {
    const { keys, valueBytes } = stage.words
    if (command === 'get') await stage.warm()
    // As many requests as Redis serves in that time, for everybody.
    const { port } = stage.of('redis').server
    const few = valueBytes > 4096 ? 5000 : 20_000
    const probe = await throughput(port, load, few * Math.min(pipeline, 20), keys, valueBytes)
    const requests = Math.ceil((probe.perSecond * effort.seconds) / 1000) * 1000
    const rounds = await inRounds(
      stage,
      effort.rounds,
      ({ server }) => throughput(server.port, load, requests, keys, valueBytes),
      { perSecond: (one) => one.perSecond, p99: (one) => one.p99 },
    )
    const what = `${command.toUpperCase()} P=${pipeline}, ${CLIENTS} clients`
    return [
      compared({ row, what, unit: '/s', aim: { atLeast } }, rounds.perSecond),
      compared({ row: `${row} p99`, what, unit: 'ms', aim: { atMost: 1 } }, rounds.p99),
    ]
  }
}
