// A server that does nothing: it knows the plan, counts the bytes of each pipeline, and answers with as many bytes as the replies would have.
//
//   npx tsx null-main.ts PLAN         prints its port

import { createServer } from 'node:net'
import { buildPlan, type Pipeline, type PlanWords } from './plan.ts'

const plan = buildPlan(JSON.parse(process.argv[2]!) as PlanWords)
const { pipelines } = plan
const reply = Buffer.alloc(
  pipelines.reduce((most, one) => Math.max(most, one.replyBytes), 0),
  '+',
)
let clients = 0

const server = createServer((socket) => {
  let at = plan.start(clients++)
  let received = 0
  socket.setNoDelay(true)
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    received += chunk.length
    const pipeline = pipelines[at] as Pipeline
    if (received < pipeline.request.length) return
    received = 0
    if (++at === pipelines.length) at = 0
    socket.write(reply.subarray(0, pipeline.replyBytes))
  })
})
server.listen(0, '127.0.0.1', () => console.log((server.address() as { port: number }).port))
