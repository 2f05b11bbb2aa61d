// Requests a second and the 99th percentile, by redis-benchmark.

import { mainThreadMs } from '../../harness/process-stats.ts'
import { compared, type Figure, type Rounds } from '../figure.ts'
import { inRounds } from '../rounds.ts'
import type { Measure } from '../rows.ts'
import type { Stage, StageWords } from '../stage.ts'
import { median } from '../statistics.ts'
import { type Load, type Throughput, throughput } from '../tool.ts'

interface Measured extends Throughput {
  /** Part of the time in which the server's main thread had a processor. */
  readonly serverShare: number
}

/** A row of one command at one pipeline; `atLeast`: the ratio it should reach. */
export function load(command: Load['command'], pipeline: number, atLeast: number): Measure {
  const load: Load = { command, pipeline }
  return async (stage, effort, row): Promise<Figure[]> => {
    if (command === 'get') await stage.warm()
    const perSecond = await firstLook(stage, load)
    // As many requests as Redis serves in that time, for everybody.
    const requests = Math.ceil((perSecond * effort.seconds) / 1000) * 1000
    const rounds = await inRounds(stage, effort.rounds, ({ server }) => measured(server, stage.words, load, requests), {
      perSecond: (one) => one.perSecond,
      p99: (one) => one.p99,
      generator: (one) => one.generatorShare,
      server: (one) => one.serverShare,
    })
    console.log(
      `  busy: redis-benchmark ${shares(rounds.generator)}, main thread of the server ${shares(rounds.server)}`,
    )
    const what = `${command.toUpperCase()} ${describe(stage.words)}P=${pipeline}`
    return [
      compared({ row, what, unit: '/s', aim: { atLeast } }, rounds.perSecond),
      compared({ row: `${row} p99`, what, unit: 'ms', aim: { atMost: 1 } }, rounds.p99),
    ]
  }
}

/** What is not counted: everybody meets this load for the first time, and INCR makes its keys. Returns Redis's rate. */
async function firstLook(stage: Stage, load: Load): Promise<number> {
  const { keys, valueBytes } = stage.words
  const few = (valueBytes > 4096 ? 5000 : 20_000) * Math.min(load.pipeline, 20)
  let perSecond = 0
  for (const { side, server } of stage.contenders) {
    if (load.command === 'incr') await throughput(server.port, { ...load, pipeline: 16 }, 2 * keys, keys)
    const look = await throughput(server.port, load, few, keys, valueBytes)
    if (side === 'redis') perSecond = look.perSecond
  }
  return perSecond
}

async function measured(
  server: Stage['contenders'][number]['server'],
  { keys, valueBytes }: StageWords,
  load: Load,
  requests: number,
): Promise<Measured> {
  const before = mainThreadMs(server.child.pid)
  const result = await throughput(server.port, load, requests, keys, valueBytes)
  const usedMs = mainThreadMs(server.child.pid) - before
  return { ...result, serverShare: usedMs / ((requests / result.perSecond) * 1000) }
}

function shares({ casky, redis }: Rounds): string {
  const percent = (list: readonly number[]): string => `${(median(list) * 100).toFixed(0)}%`
  return `${percent(redis)} (Redis), ${percent(casky)} (Casky)`
}

/** What distinguishes a stage from that of the plain rows. */
function describe({ valueBytes, args }: StageWords): string {
  const size = valueBytes >= 1024 ? `${valueBytes / 1024} KiB ` : ''
  return args?.both?.includes('always') ? `${size}always ` : size
}
