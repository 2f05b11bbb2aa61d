// The benchmark: Casky and redis-server (append-only file, synced every second) side by side on this machine.
//
//   npm run bench                                   all rows
//   npm run bench -- set-p1 get-p100 memory         these rows
//   npm run bench -- --quick --json figures.json    fewer, shorter rounds; the figures in a file
//
// Both servers stay up with a million keys of 64 bytes each; redis-benchmark (50 clients) loads one at a time, by turns,
// and who begins changes from round to round. A run is as long as the calibration says (about three seconds), and it
// starts only when both servers are idle: a rewrite or a merge of the one must not run on the other's time. GET is hot:
// before its rows every key is read once.

import { writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { run } from '../harness/child.ts'
import { loadKeys, readKeys } from '../harness/loader.ts'
import { cpuMs, residentBytes } from '../harness/process-stats.ts'
import { type Server, startServer } from '../harness/server.ts'
import { type Comparison, compareRounds } from './statistics.ts'
import { CLIENTS, type Load, requestsPerSecond, VALUE_BYTES } from './tool.ts'

const rows: Readonly<Record<string, Load>> = {
  'set-p1': { command: 'set', pipeline: 1 },
  'set-p16': { command: 'set', pipeline: 16 },
  'set-p100': { command: 'set', pipeline: 100 },
  'get-p1': { command: 'get', pipeline: 1 },
  'get-p16': { command: 'get', pipeline: 16 },
  'get-p100': { command: 'get', pipeline: 100 },
}
const MEMORY = 'memory'

const { values, positionals } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    keys: { type: 'string', default: '1000000' },
    rounds: { type: 'string' },
  },
  allowPositionals: true,
})
const keys = Number(values.keys)
const rounds = Number(values.rounds ?? (values.quick ? 3 : 7))
const secondsARun = values.quick ? 1 : 3
const wanted = positionals.length > 0 ? positionals : [...Object.keys(rows), MEMORY]
for (const name of wanted) {
  if (name !== MEMORY && rows[name] === undefined) {
    console.error(`no row is called ${name}; there are ${[...Object.keys(rows), MEMORY].join(' ')}`)
    process.exit(1)
  }
}

interface Contender {
  readonly server: Server
  readonly emptyBytes: number
  /** Resident bytes per key, when all keys are in and the server is idle. */
  readonly bytesPerKey: number
}

const casky = await contender('casky', ['--appendfsync', 'everysec'])
const redis = await contender('redis', ['--appendonly', 'yes', '--appendfsync', 'everysec'])
const report: Record<string, unknown> = { ...(await circumstances()) }
try {
  for (const [name, value] of Object.entries(report)) console.log(`${name}: ${value}`)
  console.log(`\n${keys} keys of ${VALUE_BYTES} bytes, ${CLIENTS} clients, ${rounds} rounds of ${secondsARun} s each\n`)
  console.log('row           redis req/s    casky req/s    ratio   (lowest..highest)')
  const figures: Record<string, Comparison> = {}
  for (const name of wanted) {
    const load = rows[name]
    if (load !== undefined) console.log(line(name, (figures[name] = await row(load))))
  }
  report['rows'] = figures
  if (wanted.includes(MEMORY)) memory()
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
} finally {
  await Promise.all([casky.server.stop(), redis.server.stop()])
}

async function contender(kind: 'casky' | 'redis', args: readonly string[]): Promise<Contender> {
  const server = await startServer(kind, { args })
  await idle(server)
  const emptyBytes = residentBytes(server.child.pid)
  await loadKeys({ port: server.port, count: keys, valueBytes: VALUE_BYTES })
  await idle(server)
  return { server, emptyBytes, bytesPerKey: (residentBytes(server.child.pid) - emptyBytes) / keys }
}

/** One row: calibrate, then rounds by turns. */
async function row(load: Load): Promise<Comparison> {
  // Hot means read before: the rows of SET have written all values anew, and what a disk has to give is another row's question.
  if (load.command === 'get') {
    for (const { server } of [casky, redis]) await readKeys({ port: server.port, count: keys, valueBytes: VALUE_BYTES })
  }
  const probe = await requestsPerSecond(redis.server.port, load, 20_000 * Math.min(load.pipeline, 20), keys)
  const requests = Math.ceil((probe * secondsARun) / 1000) * 1000
  const results: Record<'casky' | 'redis', number[]> = { casky: [], redis: [] }
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? (['casky', 'redis'] as const) : (['redis', 'casky'] as const)
    for (const kind of order) {
      await Promise.all([idle(casky.server), idle(redis.server)])
      results[kind].push(await requestsPerSecond((kind === 'casky' ? casky : redis).server.port, load, requests, keys))
    }
  }
  return compareRounds(results.casky, results.redis)
}

function line(name: string, figure: Comparison): string {
  const number = (value: number): string => Math.round(value).toLocaleString('en').padStart(12)
  const ratio = (value: number): string => value.toFixed(2)
  return (
    `${name.padEnd(11)} ${number(figure.redis)}   ${number(figure.casky)}    ${ratio(figure.ratio).padStart(5)}   ` +
    `(${ratio(figure.lowest)}..${ratio(figure.highest)})`
  )
}

function memory(): void {
  const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(0)} MiB`
  for (const [name, one] of Object.entries({ redis, casky })) {
    const now = residentBytes(one.server.child.pid)
    console.log(
      `memory ${name}: ${one.bytesPerKey.toFixed(0)} bytes of RSS per key (16-byte keys, ${VALUE_BYTES}-byte values), ` +
        `${mib(one.emptyBytes)} when empty, ${mib(now)} now`,
    )
    report[`${name} memory`] = { emptyBytes: one.emptyBytes, bytesPerKey: one.bytesPerKey, nowBytes: now }
  }
}

/** Waits until the server neither works nor has work in the background: two windows without processor time. */
async function idle(server: Server): Promise<void> {
  const deadline = performance.now() + 60_000
  for (let quiet = 0; quiet < 2; ) {
    if (performance.now() > deadline) throw new Error(`${server.kind} does not come to rest`)
    const before = cpuMs(server.child.pid)
    await pause(100)
    const busy = cpuMs(server.child.pid) - before > 20 || (await rewriting(server))
    quiet = busy ? 0 : quiet + 1
  }
}

async function rewriting(server: Server): Promise<boolean> {
  const connection = await server.connect()
  const info = await connection.call('INFO', 'persistence')
  connection.close()
  return Buffer.isBuffer(info) && info.includes('aof_rewrite_in_progress:1')
}

async function circumstances(): Promise<Record<string, string>> {
  const versions = await run('redis-server', ['--version'])
  const connection = await casky.server.connect()
  const info = await connection.call('INFO', 'server')
  connection.close()
  const version = /casky_version:(\S+)/.exec(String(info))?.[1] ?? 'unknown'
  return {
    machine: `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    node: process.version,
    redis: versions.stdout.trim().split(' sha')[0]!,
    casky: version,
  }
}
