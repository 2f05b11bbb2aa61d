// The guarded way into Node's sockets: it works on this Node, and where it would not, the public way takes over.

import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { adopt, offer } from '../../src/server/adopt.ts'

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
  return { shared: adopted.handle !== null, texts }
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

test('what is offered leaves at once; what a full kernel did not take is for the socket to write, in its place', async () => {
  const meeting = await meet()
  const adopted = adopt(meeting.accepted, Buffer.alloc(64), () => true)
  const bytes = Buffer.alloc(100_000, 'abcdefg')
  let sent = 0
  let taken = bytes.length
  while (taken === bytes.length) {
    taken = offer(adopted, bytes, bytes.length)
    if (taken < bytes.length) adopted.socket.write(bytes.subarray(taken))
    sent += bytes.length
  }
  expect(adopted.socket.writableLength).toBeGreaterThan(0)
  adopted.socket.end()
  let received = 0
  for await (const chunk of meeting.client) {
    const at = received % bytes.length
    const expected = Buffer.concat([bytes.subarray(at), bytes, bytes]).subarray(0, chunk.length)
    if (!expected.equals(chunk)) throw new Error(`other bytes from ${received} on`)
    received += chunk.length
  }
  expect(received).toBe(sent)
  meeting.end()
})

test('a reply to a client that has gone reaches nobody, and not who has its descriptor next', async () => {
  const meeting = await meet()
  const adopted = adopt(meeting.accepted, Buffer.alloc(64), () => true)
  const { fd } = adopted.handle as { fd: number }
  expect(offer(adopted, Buffer.from('reply'), 5)).toBe(5)
  adopted.start()
  adopted.socket.on('error', () => {})
  meeting.client.resetAndDestroy()
  await new Promise((resolve) => adopted.socket.once('close', resolve))
  const directory = mkdtempSync(join(tmpdir(), 'casky-adopt-'))
  const path = join(directory, 'file')
  const opened: number[] = []
  try {
    while (opened.at(-1) !== fd && opened.length < 1000) opened.push(openSync(path, 'w'))
    expect(opened.at(-1)).toBe(fd)
    expect(offer(adopted, Buffer.from('reply'), 5)).toBe(0)
    expect(readFileSync(path, 'utf8')).toBe('')
  } finally {
    for (const each of opened) closeSync(each)
    rmSync(directory, { recursive: true })
    meeting.end()
  }
})
