import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { adopt } from '../../src/server/adopt.ts'
import { BufferPool } from '../../src/server/buffer-pool.ts'
import { Output } from '../../src/server/output.ts'

const REPLY_BYTES = 100_000
const LARGEST = 1024 * 1024

test('a buffer that is lent to a client who reads slowly is filled for nobody else, and serves again when it has left', async () => {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const connected = once(server, 'connection') as Promise<[Socket]>
  const client = connect((server.address() as { port: number }).port, '127.0.0.1')
  client.pause()
  const adopted = adopt((await connected)[0], Buffer.alloc(64), () => true)
  const pool = new BufferPool()
  let sendable!: () => void
  const written = new Promise<void>((resolve) => (sendable = resolve))
  const output = new Output(
    { onSendable: () => sendable(), pendingLimit: 0, onOverLimit: () => {}, onHoles: () => {} },
    adopted,
    pool,
  )
  const said: Buffer[] = []
  while (!output.stuck) {
    const reply = Buffer.alloc(REPLY_BYTES, `<${said.length}>`)
    output.begin()
    output.writer.raw(reply, 0, reply.length)
    output.send(0)
    said.push(reply)
  }
  for (let bytes = LARGEST; bytes > 1; bytes /= 2) {
    for (let i = 0; i < 3; i++) pool.take(bytes).fill('x') // what lies there may be used
  }
  expect(pool.bytes).toBe(0)

  const got: Buffer[] = []
  const wanted = Buffer.concat(said)
  let bytes = 0
  const all = new Promise<void>((resolve) => {
    client.on('data', (chunk: Buffer) => {
      got.push(chunk)
      bytes += chunk.length
      if (bytes === wanted.length) resolve()
    })
    client.resume()
  })
  await all
  expect(Buffer.concat(got).equals(wanted)).toBe(true)
  await written
  expect(pool.bytes).toBeGreaterThanOrEqual(REPLY_BYTES)
  client.destroy()
  adopted.socket.destroy()
  server.close()
})
