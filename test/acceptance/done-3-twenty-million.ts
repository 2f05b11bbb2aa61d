// Done 3: 20 million keys load, serve and restart, clean and after kill -9. Times, memory and the longest pause of a
// 1 kHz PING probe are written down; what must hold is that every key is there each time.
//
//   npx tsx test/acceptance/done-3-twenty-million.ts [--keys 20000000] [--kind redis]
//
// Needs about 3 GB of disk. Keys are 16 bytes, values 64.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { requestsPerSecond } from '../bench/tool.ts'
import { loadKeys } from '../harness/loader.ts'
import { peakResidentBytes, residentBytes } from '../harness/process-stats.ts'
import { type Kind, type Server, startServer } from '../harness/server.ts'
import { checkKeys } from './check-keys.ts'
import { directoryBytes } from './disk.ts'
import { generatorRate } from './generator.ts'
import { describeProbe, startProbe } from './probe.ts'
import { mib, seconds, Verdict } from './verdict.ts'

const { values } = parseArgs({
  options: { keys: { type: 'string', default: '20000000' }, kind: { type: 'string', default: 'casky' } },
})
const keys = Number(values.keys)
const kind = values.kind as Kind
const VALUE_BYTES = 64
const SAMPLE = 20_000
/** A prime: walks over all keys in scattered order. */
const SCATTER = 15485863
const dir = mkdtempSync(join(tmpdir(), 'casky-millions-'))
const verdict = new Verdict(`done 3: ${keys.toLocaleString('en')} keys`)

const start = (): Promise<Server> =>
  startServer(kind, { dir, readyLimitMs: 300_000, ...(kind === 'redis' ? { args: ['--appendonly', 'yes'] } : {}) })

verdict.figure(
  'our loader against a server that does nothing',
  `${Math.round(await generatorRate(VALUE_BYTES))} keys/s`,
)
let server = await start()
await verdict.part('load', async () => {
  const empty = residentBytes(server.child.pid)
  const probe = await startProbe(server.port, 'ping')
  const took = await loadKeys({ port: server.port, count: keys, valueBytes: VALUE_BYTES })
  const probed = await probe.stop()
  const full = residentBytes(server.child.pid)
  verdict.figure('load, one connection', `${seconds(took)}, ${Math.round((keys / took) * 1000)} keys/s`)
  verdict.figure('1 kHz PING while loading', describeProbe(probed))
  verdict.figure('RSS empty, loaded, peak', `${mib(empty)}, ${mib(full)}, ${mib(peakResidentBytes(server.child.pid))}`)
  verdict.figure('RSS per key', `${((full - empty) / keys).toFixed(1)} bytes (the key itself is 16)`)
  verdict.figure('on disk', mib(directoryBytes(dir)))
  await holds('after the load')
})
await verdict.part('serve', () => serve('loaded'))

await verdict.part('clean restart', async () => {
  const begun = performance.now()
  const exit = await server.halt()
  verdict.demand(exit.code === 0, 'SIGTERM ends with exit code 0', server.child.output().slice(-1000))
  verdict.figure('clean stop', seconds(performance.now() - begun))
  await again('clean restart')
  await serve('after a clean restart')
})

await verdict.part('restart after kill -9', async () => {
  await server.crash()
  await again('restart after kill -9')
  await serve('after kill -9')
})

await server.crash()
rmSync(dir, { recursive: true, force: true })
verdict.finish()

async function again(what: string): Promise<void> {
  server = await start()
  verdict.figure(`${what}, spawn to PONG`, seconds(server.readyMs))
  verdict.figure('RSS, peak', `${mib(residentBytes(server.child.pid))}, ${mib(peakResidentBytes(server.child.pid))}`)
  await holds(`after a ${what}`)
}

async function holds(when: string): Promise<void> {
  const trouble = await checkKeys(server, keys, VALUE_BYTES, SAMPLE)
  verdict.demand(trouble === '', `${when}: all keys are there, ${SAMPLE} of them read`, trouble)
}

/** Random GETs and SETs over all keys, with the probe beside them. */
async function serve(when: string): Promise<void> {
  const probe = await startProbe(server.port, 'ping')
  const gets = await requestsPerSecond(server.port, { command: 'get', pipeline: 16 }, 1_000_000, keys)
  const sets = Math.min(keys, 1_000_000)
  const setMs = await loadKeys({ port: server.port, count: keys, valueBytes: VALUE_BYTES, stride: SCATTER, only: sets })
  const probed = await probe.stop()
  verdict.figure(
    `GET (P=16), SET over all keys, ${when}`,
    `${Math.round(gets)}/s, ${Math.round((sets / setMs) * 1000)}/s`,
  )
  verdict.figure('1 kHz PING meanwhile', describeProbe(probed))
}
