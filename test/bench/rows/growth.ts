// Fifty million keys: loading, growing, serving, beside a probe that asks once a millisecond.
//
// Loaded as fast as they come first, then the last tenth at a rate that leaves both processors air: a pause of the probe is then the
// server's, and not the machine's.

import { describeProbe, type Probed, startProbe } from '../../acceptance/probe.ts'
import { loadKeys } from '../../harness/loader.ts'
import { residentBytes } from '../../harness/process-stats.ts'
import { alone, type Figure } from '../figure.ts'
import type { Effort } from '../rows.ts'
import type { Stage } from '../stage.ts'

const KEYS = 50_000_000
const QUIET_RATE = 100_000

export async function growth(stage: Stage, effort: Effort, row: string): Promise<Figure[]> {
  const { server } = stage.of('casky')
  const keys = Math.round(KEYS * effort.scale)
  const quickly = Math.round(keys * 0.9)
  const { port } = server
  const probed = async (kind: 'ping' | 'get', work: () => Promise<unknown>): Promise<Probed> => {
    const probe = await startProbe(port, kind, quickly)
    await work()
    const result = await probe.stop()
    console.log(`  ${kind}: ${describeProbe(result)}`)
    return result
  }
  const started = performance.now()
  const loading = await probed('ping', () => loadKeys({ port, count: quickly, valueBytes: 64 }))
  const tookMs = performance.now() - started
  const growing = await probed('ping', () =>
    loadKeys({ port, first: quickly, count: keys - quickly, valueBytes: 64, rate: QUIET_RATE }),
  )
  const serving = await probed('get', () => new Promise((resolve) => setTimeout(resolve, 10_000)))
  const perKey = residentBytes(server.child.pid) / keys
  return [
    alone({ row, what: `load of ${keys / 1e6}M keys`, unit: '/s' }, (quickly / tookMs) * 1000),
    alone({ row: `${row} pause`, what: 'longest PING while growing', unit: 'ms', aim: { atMost: 5 } }, growing.max),
    alone({ row: `${row} p99.9`, what: 'p99.9 of PING at full speed', unit: 'ms' }, loading.p999),
    alone({ row: `${row} get`, what: 'p99 of GET after it', unit: 'ms' }, serving.p99),
    alone({ row: `${row} memory`, what: 'RSS a key', unit: 'bytes' }, perKey),
  ]
}
