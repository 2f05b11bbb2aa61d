// The load generator: replays a plan (plan.ts) and says how fast it went.
//
//   npx tsx replay-main.ts PORT SECONDS PLAN        PLAN: PlanWords as JSON; prints one line of JSON, Replayed;
//                                                 'go' on stderr as it begins to send
//
// Each client has one pipeline under way. Its latency is counted from its sending to its last byte. Latencies of the first tenth of the time are
// left out: the server's and our own code warm up.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createHistogram } from 'node:perf_hooks'
import { buildPlan, type Pipeline, type PlanWords } from './plan.ts'
import type { Replayed } from './replay.ts'

const [port, seconds, words] = process.argv.slice(2)
const plan = buildPlan(JSON.parse(words!) as PlanWords)
const { pipelines } = plan
const histogram = createHistogram()
const receiveBuffer = Buffer.allocUnsafeSlow(1024 * 1024)
const limitMs = Number(seconds) * 1000
const warmMs = limitMs / 10

let requests = 0
let running = 0
let started = 0
let finished: () => void = () => {}
const done = new Promise<void>((resolve) => (finished = resolve))

class Client {
  private at: number
  private missing = 0
  private isFirst = true
  private sentAt = 0
  private socket: Socket

  private constructor(index: number, socket: Socket) {
    this.at = plan.start(index)
    this.socket = socket
  }

  // One after the other: the server that does nothing tells clients by the order in which they come.
  static async connect(index: number): Promise<Client> {
    let client: Client
    const socket = connect({
      port: Number(port),
      host: '127.0.0.1',
      onread: { buffer: receiveBuffer, callback: (n) => client.received(n) },
    })
    client = new Client(index, socket)
    socket.on('error', (error) => fail(error.message))
    socket.on('close', () => running > 0 && fail('the server closed the connection'))
    await once(socket, 'connect')
    socket.setNoDelay(true)
    return client
  }

  send(now: number): void {
    const pipeline = pipelines[this.at] as Pipeline
    if (++this.at === pipelines.length) this.at = 0
    this.missing = pipeline.replyBytes
    this.isFirst = true
    this.sentAt = now
    this.socket.write(pipeline.request)
  }

  private received(n: number): boolean {
    if (this.isFirst && receiveBuffer[0] === 45) fail(receiveBuffer.toString('latin1', 0, Math.min(n, 200)))
    this.isFirst = false
    this.missing -= n
    if (this.missing > 0) return true
    if (this.missing < 0) fail('more bytes than the replies have: an error, or a value of another length')
    const now = performance.now()
    const since = now - started
    if (since > warmMs) {
      histogram.record(Math.max(1, Math.round((now - this.sentAt) * 1000)))
      requests += plan.words.pipeline
    }
    if (since < limitMs) this.send(now)
    else if (--running === 0) finished()
    return true
  }
}

function fail(why: string): never {
  console.error(why)
  process.exit(1)
}

const clients: Client[] = []
for (let i = 0; i < plan.words.clients; i++) clients.push(await Client.connect(i))
// A reply that is shorter than it should be, a nil, leaves its client waiting.
const watchdog = setTimeout(() => fail('replies are missing: a key that is not there?'), limitMs + 10_000)
console.error('go')
started = performance.now()
running = clients.length
for (const client of clients) client.send(started)
await done
const took = performance.now() - started - warmMs
clearTimeout(watchdog)
const percentile = (p: number): number => histogram.percentile(p) / 1000
const result: Replayed = {
  perSecond: (requests / took) * 1000,
  p50: percentile(50),
  p99: percentile(99),
  p999: percentile(99.9),
  max: histogram.max / 1000,
}
console.log(JSON.stringify(result))
process.exit(0)
