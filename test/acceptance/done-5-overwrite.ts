// Done 5: 1 GB of data overwritten ten times with merges on: bytes on disk, sampled every 100 ms, stay within 2.5x of
// live; a 1 kHz PING probe and a 1 kHz GET probe: max and p99.9 at most 50 ms and 10 ms above the same load with merges
// off.
//
//   npx tsx test/acceptance/done-5-overwrite.ts [--megabytes 1000] [--times 10] [--rate 100000]
//
// One pipelined connection overwrites in another scattered order each time, so that no segment dies by itself: what a merge reclaims
// it has to copy for. Live is keys plus values, without any record's head. Without merges the disk holds eleven times the
// data: needs about 12 GB.
//
// Latencies are compared at a fixed rate, 100 MB a second: "the same load" is one that does not depend on what is measured. As fast as
// it is answered, a loader takes every processor there is, with and without merges, and the slower server gets less of it. The disk
// is also watched at full speed, which is the hardest for it; the latencies there are printed.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { keyOf, loadKeys } from '../harness/loader.ts'
import { startServer } from '../harness/server.ts'
import { checkKeys } from './check-keys.ts'
import { directoryBytes, watchDisk } from './disk.ts'
import { generatorRate } from './generator.ts'
import { describeProbe, type Probed, startProbe } from './probe.ts'
import { mib, ms, seconds, Verdict } from './verdict.ts'

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '1000' },
    times: { type: 'string', default: '10' },
    rate: { type: 'string', default: '100000' },
  },
})
const VALUE_BYTES = 1000
const MOST = 2.5
const MAX_ABOVE_MS = 50
const P999_ABOVE_MS = 10
const keys = Math.floor((Number(values.megabytes) * 1e6) / VALUE_BYTES)
const times = Number(values.times)
const live = keys * (keyOf(0).length + VALUE_BYTES)
/** Primes: no common divisor with a count of keys made of twos and fives. */
const strides = [7919, 104729, 15485863, 611953, 1299709, 350377, 224737, 746773, 999983, 49979687]

interface Outcome {
  readonly ping: Probed
  readonly get: Probed
  readonly largest: number
  readonly overMs: number
}

const verdict = new Verdict(`done 5: ${mib(live)} overwritten ${times} times`)
const dirs: string[] = []

verdict.figure(
  'our loader against a server that does nothing',
  `${Math.round(await generatorRate(VALUE_BYTES))} keys/s`,
)
await verdict.part('overwriting', async () => {
  const rate = Number(values.rate)
  const off = await overwrite('merges off', ['--merge-enabled', 'no'], rate)
  const on = await overwrite('merges on', [], rate)
  within(on, `at ${rate} keys/s`)
  verdict.demand(
    off.largest > live * Math.min(times, 3),
    'without merges they do not: the measure measures',
    mib(off.largest),
  )
  for (const kind of ['ping', 'get'] as const) {
    const [max, p999] = [on[kind].max - off[kind].max, on[kind].p999 - off[kind].p999]
    verdict.demand(max <= MAX_ABOVE_MS, `${kind}: max ${ms(max)} above merges off (at most ${MAX_ABOVE_MS} ms)`)
    verdict.demand(p999 <= P999_ABOVE_MS, `${kind}: p99.9 ${ms(p999)} above merges off (at most ${P999_ABOVE_MS} ms)`)
    verdict.demand(on[kind].errors === 0 && on[kind].unanswered < 5, `${kind}: every probe was answered well`)
  }
  within(await overwrite('full speed, merges on', [], undefined), 'at full speed')
})
for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
verdict.finish()

function within(outcome: Outcome, when: string): void {
  const ratio = outcome.largest / live
  verdict.demand(ratio <= MOST, `bytes on disk stay within ${MOST}x of live ${when}: ${ratio.toFixed(2)}x`)
}

async function overwrite(what: string, args: readonly string[], rate: number | undefined): Promise<Outcome> {
  const dir = mkdtempSync(join(tmpdir(), 'casky-overwrite-'))
  dirs.push(dir)
  const server = await startServer('casky', { dir, args })
  await loadKeys({ port: server.port, count: keys, valueBytes: VALUE_BYTES })
  const before = directoryBytes(dir)
  const disk = watchDisk(dir)
  const probes = [await startProbe(server.port, 'ping'), await startProbe(server.port, 'get', keys)] as const
  const begun = performance.now()
  for (let time = 0; time < times; time++) {
    const stride = strides[time % strides.length]!
    const pace = rate === undefined ? {} : { rate }
    await loadKeys({ port: server.port, count: keys, valueBytes: VALUE_BYTES, stride, ...pace })
  }
  const overMs = performance.now() - begun
  const [ping, get] = [await probes[0].stop(), await probes[1].stop()]
  const { largest, samples } = disk.stop()
  verdict.figure(`${what}: time, rate`, `${seconds(overMs)}, ${mib((live * times) / (overMs / 1000))}/s`)
  verdict.figure(`${what}: on disk before, largest (${samples} samples)`, `${mib(before)}, ${mib(largest)}`)
  verdict.figure(`${what}: 1 kHz PING`, describeProbe(ping))
  verdict.figure(`${what}: 1 kHz GET`, describeProbe(get))
  const trouble = await checkKeys(server, keys, VALUE_BYTES, 5000)
  verdict.demand(trouble === '', `${what}: all keys are there`, trouble)
  const exit = await server.halt()
  verdict.demand(exit.code === 0, `${what}: it ends with exit code 0`, server.child.output().slice(-1000))
  rmSync(dir, { recursive: true, force: true })
  return { ping, get, largest, overMs }
}
