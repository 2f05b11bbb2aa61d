// The guarded way into Node's sockets: it works on this Node, and where it would not, the public way takes over.

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { adopt } from '../../src/server/adopt.ts'

interface Meeting {
  readonly accepted: Socket
  readonly client: Socket
  count(): Promise<number>
  end(): void
}

async function meet(): Promise<Meeting> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const connected = once(server, 'connection') as Promise<[Socket]>
  const client = connect((server.address() as { port: number }).port, '127.0.0.1')
  const [accepted] = await connected
  return {
    accepted,
    client,
    count: () => new Promise((resolve) => server.getConnections((_, count) => resolve(count))),
    end: () => {
      client.destroy()
      server.close()
    },
  }
}

async function receiveTwice(meeting: Meeting): Promise<{ shared: boolean; texts: string[] }> {
  const buffer = Buffer.alloc(64)
  const texts: string[] = []
  let stop!: () => void
  const stopped = new Promise<void>((resolve) => (stop = resolve))
  let ended!: () => void
  const end = new Promise<void>((resolve) => (ended = resolve))
  const adopted = adopt(meeting.accepted, buffer, (bytes, length) => {
    texts.push(bytes.toString('latin1', 0, length))
    stop()
    return false // stop reading after each packet
  })
  adopted.socket.on('end', ended)
  adopted.start()
  meeting.client.write('one')
  await stopped
  meeting.client.end('two')
  expect(texts).toEqual(['one'])
  adopted.socket.resume()
  while (texts.length < 2) await new Promise((resolve) => setImmediate(resolve))
  adopted.socket.resume()
  await end
  adopted.socket.end('bye')
  const [reply] = (await once(meeting.client, 'data')) as [Buffer]
  expect(reply.toString()).toBe('bye')
  adopted.socket.destroy()
  return { shared: adopted.shared, texts }
}

test('an accepted socket reads into the shared buffer', async () => {
  const meeting = await meet()
  expect(await receiveTwice(meeting)).toEqual({ shared: true, texts: ['one', 'two'] })
  expect(await meeting.count()).toBe(0)
  meeting.end()
})

test('where the handle looks different, data events do the same', async () => {
  const meeting = await meet()
  const { _handle } = meeting.accepted as unknown as { _handle: { useUserBuffer: unknown } }
  _handle.useUserBuffer = undefined
  expect(await receiveTwice(meeting)).toEqual({ shared: false, texts: ['one', 'two'] })
  meeting.end()
})
