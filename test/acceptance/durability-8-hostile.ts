// Durability 8: crowds of hostile clients: memory stays within the configured limits, others' p99 below 50 ms, descriptors back to base; and a
// 64 MiB SET in pieces of 1 KiB costs at most twice what it costs in large ones.
//
//   npx tsx test/acceptance/durability-8-hostile.ts [clients]        needs `npm run build`
//
// The crowd is in this process, the probes (1 kHz PING and GET) are in two others: on two cores they take from the server what it measures.
// A siege lasts a second or three, so that a single pause of the machine would be its p99: each kind comes five times, and what counts is the
// median of their p99. Where the host of a virtual machine has taken processor time meanwhile, it is said.

import { once } from 'node:events'
import { connect } from 'node:net'
import { median } from '../bench/statistics.ts'
import { cpuMs, processorTimes, residentBytes, stolenShare } from '../harness/process-stats.ts'
import { type Cost, Siege, SLACK_BYTES, ways } from '../hostile/siege.ts'
import { type Probed, startProbe } from './probe.ts'
import { mib, ms, Verdict } from './verdict.ts'

const size = Number(process.argv[2] ?? 1000)
const P99_MS = 50
const SIEGES = 5
const MIB = 1024 * 1024
const KEYS = 2000

const verdict = new Verdict(`durability 8: hostile clients, ${size} of each kind`)
const siege = await Siege.lay()
const { port, child } = siege.server
siege.othersBytes = 64 * 1024 // the probes
const base = siege.descriptors
verdict.figure('memory at first, descriptors', `${mib(residentBytes(child.pid))}, ${base}`)

for (const name of Object.keys(ways)) {
  await verdict.part(name, async () => {
    const costs: Cost[] = []
    const measured: Probed[][] = []
    const began = processorTimes()
    for (let i = 0; i < SIEGES; i++) {
      // Who is refused by maxclients are the newest: the probes come first. A password would keep them out.
      const probes =
        name === 'never authenticate' ? [] : [await startProbe(port, 'ping'), await startProbe(port, 'get', KEYS)]
      costs.push(await siege.stand(name, size))
      measured.push(await Promise.all(probes.map((probe) => probe.stop())))
    }
    const stolen = stolenShare(began, processorTimes())
    const worst = costs.reduce((one, other) => (excess(other) > excess(one) ? other : one))
    const problems = siege.problems.splice(0)
    verdict.figure(
      `${name}: clients, memory, allowed`,
      `${worst.clients}, ${mib(worst.grownBytes)}, ${mib(worst.allowedBytes)}`,
    )
    verdict.demand(problems.length === 0, `${name}: others answered, descriptors back`, problems.join('\n'))
    verdict.demand(excess(worst) <= SLACK_BYTES, `${name}: memory within the limits`)
    for (const [i, what] of ['PING', 'GET'].entries()) {
      const probes = measured.flatMap((both) => both[i] ?? [])
      if (probes.length === 0) continue
      verdict.figure(`${name}: ${what}`, probes.map(({ p99 }) => p99.toFixed(0)).join(' '))
      const p99 = median(probes.map((probed) => probed.p99))
      const unanswered = probes.reduce((sum, probed) => sum + probed.unanswered, 0)
      verdict.demand(p99 < P99_MS && unanswered === 0, `${name}: ${what} of others, p99 ${ms(p99)}`)
    }
    if (stolen > 0.02) verdict.figure(`${name}: processor time taken by the host`, `${(stolen * 100).toFixed(0)}%`)
  })
}

await verdict.part('64 MiB in pieces', async () => {
  const head = Buffer.from(`*3\r\n$3\r\nSET\r\n$6\r\npieces\r\n$${64 * MIB}\r\n`)
  await siege.ask('CONFIG', 'SET', 'client-query-buffer-limit', 256 * MIB)
  const large: number[] = []
  const small: number[] = []
  for (let round = 0; round < 3; round++) {
    large.push(await costOf(head, MIB))
    small.push(await costOf(head, 1024))
  }
  const factor = Math.min(...small) / Math.min(...large)
  verdict.figure(
    'a SET of 64 MiB: pieces of 1 MiB, of 1 KiB',
    `${Math.min(...large)} ms, ${Math.min(...small)} ms of processor time`,
  )
  verdict.demand(factor <= 2, `in pieces of 1 KiB at most twice the cost: ${factor.toFixed(2)}`)
})

await siege.until(async () => (await siege.clients()) === 1)
verdict.figure('descriptors at the end', siege.descriptors)
verdict.demand(siege.descriptors <= base, 'descriptors are back at base')
await siege.lift()
verdict.demand(siege.problems.length === 0, 'the server ends well', siege.problems.join('\n'))
verdict.finish()

function excess({ grownBytes, allowedBytes }: Cost): number {
  return grownBytes - allowedBytes
}

/** Processor time of the server, in ms, for one SET that comes in pieces of so many bytes. */
async function costOf(head: Buffer, pieceBytes: number): Promise<number> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  const before = cpuMs(child.pid)
  const answered = once(socket, 'data')
  socket.write(head)
  const piece = Buffer.alloc(pieceBytes, 'x')
  for (let sent = 0; sent < 64 * MIB; sent += pieceBytes) {
    if (!socket.write(piece)) await once(socket, 'drain')
  }
  socket.write('\r\n')
  const [reply] = (await answered) as [Buffer]
  if (String(reply) !== '+OK\r\n') throw new Error(String(reply))
  const cost = cpuMs(child.pid) - before
  socket.destroy()
  return cost
}
