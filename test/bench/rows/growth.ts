// Fifty million keys: loading, growing, serving, beside a probe that asks once a millisecond.
//
// Loaded as fast as they come, but for two stretches, at a rate that leaves both processors air: a pause of the probe is then the server's, and
// not the machine's. One of the two is where the pages of the index split while its directory doubles (some 25 to 28 million keys), the other
// at the end, where it is largest.

import { describeProbe, type Probed, startProbe } from '../../acceptance/probe.ts'
import { loadKeys } from '../../harness/loader.ts'
import { residentBytes } from '../../harness/process-stats.ts'
import { alone, type Figure } from '../figure.ts'
import type { Effort } from '../rows.ts'
import type { Stage } from '../stage.ts'

const KEYS = 50_000_000
const QUIET_RATE = 100_000
/** Ends of stretches in millions of keys, and whether they are quiet. */
const STRETCHES = [
  { until: 25, isQuiet: false },
  { until: 28, isQuiet: true },
  { until: 48, isQuiet: false },
  { until: 50, isQuiet: true },
] as const

export async function growth(stage: Stage, effort: Effort, row: string): Promise<Figure[]> {
  const { server } = stage.of('casky')
  const { port } = server
  let keys = 0
  const probed = async (kind: 'ping' | 'get', work: () => Promise<unknown>): Promise<Probed> => {
    const probe = await startProbe(port, kind, keys)
    await work().catch(async (error: unknown) => {
      await probe.stop().catch(() => {})
      throw error
    })
    const result = await probe.stop()
    console.log(`  ${kind} at ${(keys / 1e6).toFixed(0)}M keys: ${describeProbe(result)}`)
    return result
  }
  const quiet: Probed[] = []
  const fast: Probed[] = []
  let fastKeys = 0
  let fastMs = 0
  for (const { until, isQuiet } of STRETCHES) {
    const first = keys
    const count = Math.round(until * 1e6 * effort.scale) - first
    const load = { port, first, count, valueBytes: 64, ...(isQuiet ? { rate: QUIET_RATE } : {}) }
    const list = isQuiet ? quiet : fast
    list.push(
      await probed('ping', async () => {
        const tookMs = await loadKeys(load)
        keys += count
        if (isQuiet) return
        fastKeys += count
        fastMs += tookMs
      }),
    )
  }
  const serving = await probed('get', () => new Promise((resolve) => setTimeout(resolve, 10_000)))
  const perKey = residentBytes(server.child.pid) / keys
  const worst = (list: readonly Probed[], field: 'max' | 'p999' | 'longestOwnPause'): number =>
    Math.max(...list.map((one) => one[field]))
  return [
    alone({ row, what: `load of ${(KEYS * effort.scale) / 1e6}M keys`, unit: '/s' }, (fastKeys / fastMs) * 1000),
    alone(
      { row: `${row} pause`, what: 'longest PING while growing', unit: 'ms', aim: { atMost: 5 } },
      worst(quiet, 'max'),
    ),
    alone(
      { row: `${row} own`, what: 'longest pause of the probe itself', unit: 'ms' },
      worst(quiet, 'longestOwnPause'),
    ),
    alone({ row: `${row} load`, what: 'longest PING at full speed', unit: 'ms' }, worst(fast, 'max')),
    alone({ row: `${row} p99.9`, what: 'p99.9 of PING at full speed', unit: 'ms' }, worst(fast, 'p999')),
    alone({ row: `${row} get`, what: 'p99 of GET after it', unit: 'ms' }, serving.p99),
    alone({ row: `${row} get max`, what: 'longest GET after it', unit: 'ms' }, serving.max),
    alone({ row: `${row} memory`, what: 'RSS a key', unit: 'bytes' }, perKey),
  ]
}
