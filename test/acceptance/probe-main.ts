// The probe: one request every millisecond, sent on time whether or not the last was answered, in a process of its own so
// that nobody's load delays it. When its stdin closes it prints one line of JSON and ends.
//
//   npx tsx probe-main.ts PORT ping            PING
//   npx tsx probe-main.ts PORT get KEYS        GET of a random one of the loader's keys
//
// Latency is counted from the sending to the reply. What the probe itself was late (its timer, the machine) is measured
// beside it: a pause of the probe is not a pause of the server.

import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { keyOf } from '../harness/loader.ts'
import { randomFrom } from '../harness/random.ts'
import { encodeRequest, parseReply, ReplyError } from '../harness/resp.ts'

/** For the last answers. */
const PATIENCE_MS = 5000

const [port, kind, keys] = process.argv.slice(2)
const random = randomFrom(1)
const ping = encodeRequest(['PING'])
const request = (): Buffer => (kind === 'ping' ? ping : encodeRequest(['GET', keyOf(random.below(Number(keys)))]))

const sentAt: number[] = []
const latencies: number[] = []
let errors = 0
let longestOwnPause = 0
let rest = Buffer.alloc(0)

const socket = connect({ port: Number(port), host: '127.0.0.1' })
socket.setNoDelay(true)
socket.on('error', (error) => {
  console.error(error.message)
  process.exit(1)
})
socket.on('data', (chunk) => {
  const now = performance.now()
  rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
  let at = 0
  for (;;) {
    const parsed = at < rest.length ? parseReply(rest, at) : undefined
    if (parsed === undefined) break
    if (parsed.value instanceof ReplyError || parsed.value === null) errors++
    latencies.push(now - sentAt.shift()!)
    at = parsed.end
  }
  rest = rest.subarray(at)
})
socket.on('connect', () => {
  console.log('probing')
  const started = performance.now()
  let due = 1
  let last = started
  const timer = setInterval(() => {
    const now = performance.now()
    longestOwnPause = Math.max(longestOwnPause, now - last)
    last = now
    // At most a few catch up after a late timer: the probe asks at 1 kHz, it is no load.
    for (let sent = 0; due <= now - started && sent < 5; sent++, due++) {
      sentAt.push(performance.now())
      socket.write(request())
    }
    due = Math.max(due, Math.floor(now - started))
  }, 1)
  process.stdin.resume().on('end', async () => {
    clearInterval(timer)
    // What is on its way may still be answered: only what never is counts as unanswered.
    for (const deadline = performance.now() + PATIENCE_MS; sentAt.length > 0 && performance.now() < deadline; ) {
      await pause(5)
    }
    const now = performance.now()
    for (const sent of sentAt) latencies.push(now - sent) // never answered is as late as this
    const sorted = latencies.sort((a, b) => a - b)
    const at = (fraction: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? 0
    console.log(
      JSON.stringify({
        count: sorted.length,
        errors,
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        max: at(1),
        longestOwnPause,
        unanswered: sentAt.length,
      }),
    )
    process.exit(0)
  })
})
