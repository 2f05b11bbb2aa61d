// Messages: when they leave, where they stand between replies, and what becomes of them when a write fails or nobody reads. What they say
// is the conformance suite's question.

import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { sliceOf } from '../../src/base/slice.ts'
import type { RawConnection } from '../harness/connection.ts'
import { encodeRequest } from '../harness/resp.ts'
import { startTestServer, type TestServer, timeless } from './test-server.ts'

let it: TestServer
afterEach(() => it.stop())

const request = (...commands: string[]): Buffer => Buffer.concat(commands.map((line) => encodeRequest(line.split(' '))))

/** A message that is copied, one that lies in memory once for all. */
const sizes = [10, 40_000]
const long = (text: string | number, size: number): string => `${text}`.padEnd(size, '.')

/** So many replies or messages, as text. */
async function heard(connection: RawConnection, count: number): Promise<string> {
  let text = ''
  for (let i = 0; i < count; i++) text += (await connection.reply()).raw.toString('latin1')
  return text
}

/** A RESP3 client that listens. */
async function listener(...channels: string[]): Promise<RawConnection> {
  const client = await it.connect()
  await client.call('HELLO', '3')
  client.send(encodeRequest(['SUBSCRIBE', ...channels]))
  await heard(client, channels.length)
  return client
}

const message = (channel: string, text: string): string =>
  `>3\r\n$7\r\nmessage\r\n$${channel.length}\r\n${channel}\r\n$${text.length}\r\n${text}\r\n`

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** All that was said up to now has arrived where it was to: by `writer`, whose words come in pieces when they are long, too. */
async function settled(writer?: RawConnection): Promise<void> {
  const other = await it.connect()
  while (writer !== undefined && it.server.statistics.inputBytes < writer.socket.bytesWritten) await other.call('PING')
  expect(await other.call('PING')).toBe('PONG')
  other.close()
}

test('a message out of a transaction leaves when the writes of that transaction are released', async () => {
  it = await startTestServer()
  const subscriber = await listener('news')
  const writer = await it.connect()
  it.engine.releasesAtFlush = false
  writer.send(request('MULTI', 'SET a 1', 'PUBLISH news a', 'EXEC'))
  await heard(writer, 3)
  subscriber.send(request('PING'))
  await settled()
  expect(subscriber.take().length).toBe(0)
  it.engine.release()
  expect(await heard(writer, 1)).toBe('*2\r\n+OK\r\n:1\r\n')
  expect(await heard(subscriber, 2)).toBe(`${message('news', 'a')}+PONG\r\n`)
})

test('a message waits for what others have written before it, too', async () => {
  it = await startTestServer()
  const subscriber = await listener('news')
  const [writer, publisher] = [await it.connect(), await it.connect()]
  it.engine.releasesAtFlush = false
  writer.send(request('SET a 1'))
  await settled()
  publisher.send(request('PUBLISH news a'))
  await settled()
  expect(subscriber.take().length + publisher.take().length).toBe(0)
  it.engine.release()
  expect(await heard(subscriber, 1)).toBe(message('news', 'a'))
  expect(await heard(publisher, 1)).toBe(':1\r\n')
})

test.each(
  sizes,
)('the messages of a failed write are never sent, and everything around them is: %i bytes', async (size) => {
  it = await startTestServer()
  const subscriber = await listener('news')
  const writer = await it.connect()
  await writer.call('SET', 'old', 'v')
  await writer.call('PUBLISH', 'news', long('before', size))
  it.engine.releasesAtFlush = false
  it.engine.isCold = true
  subscriber.send(request('GET old', 'PING'))
  await settled()
  writer.send(
    request('SET a 1', `PUBLISH news ${long('lost', size)}`, `PUBLISH news ${long('lost-too', size)}`, 'PING'),
  )
  await settled(writer)
  subscriber.send(request('PING', 'SET b 2', 'PING'))
  await settled()
  it.engine.fail('MISCONF gone')
  it.engine.warm()
  expect(await heard(writer, 4)).toBe('-MISCONF gone\r\n-MISCONF gone\r\n-MISCONF gone\r\n+PONG\r\n')
  expect(await heard(subscriber, 6)).toBe(
    `${message('news', long('before', size))}$1\r\nv\r\n+PONG\r\n+PONG\r\n-MISCONF gone\r\n+PONG\r\n`,
  )
  it.engine.releasesAtFlush = true
  await writer.call('PUBLISH', 'news', 'after')
  expect(await heard(subscriber, 1)).toBe(message('news', 'after'))
})

test.each(sizes)('some of many messages are released, the others fail: %i bytes', async (size) => {
  it = await startTestServer()
  const subscriber = await listener('news')
  const writer = await it.connect()
  it.engine.releasesAtFlush = false
  for (let n = 1; n <= 6; n++) writer.send(request(`SET k ${n}`, `PUBLISH news ${long(n, size)}`))
  await settled(writer)
  it.engine.release(2)
  expect(await heard(subscriber, 2)).toBe(message('news', long(1, size)) + message('news', long(2, size)))
  it.engine.release(3)
  it.engine.fail('MISCONF gone')
  it.engine.releasesAtFlush = true
  await settled()
  writer.send(request('PUBLISH news 7'))
  expect(await heard(subscriber, 2)).toBe(message('news', long(3, size)) + message('news', '7'))
  expect(await heard(writer, 13)).toBe(`${'+OK\r\n:1\r\n'.repeat(3)}${'-MISCONF gone\r\n'.repeat(6)}:1\r\n`)
})

test('a long message is the same for all who hear it, between replies and in both protocols', async () => {
  it = await startTestServer()
  const three = await Promise.all(Array.from({ length: 5 }, () => listener('news')))
  const two = await it.connect()
  await two.call('SUBSCRIBE', 'news')
  const writer = await it.connect()
  const texts = Array.from({ length: 20 }, (_, i) => long(i, 20_000 + 2000 * i))
  writer.send(request(...texts.map((text) => `PUBLISH news ${text}`)))
  expect(await heard(writer, 20)).toBe(':6\r\n'.repeat(20))
  const messages = texts.map((text) => message('news', text)).join('')
  for (const client of three) {
    client.send(request('PING', 'ECHO x'))
    expect(await heard(client, 22)).toBe(`${messages}+PONG\r\n$1\r\nx\r\n`)
  }
  expect(await heard(two, 20)).toBe(messages.replaceAll('>3', '*3'))
})

test('a thousand long messages that were not read yet keep nobody from unsubscribing', async () => {
  it = await startTestServer({ args: ['--client-output-buffer-limit', 'pubsub 1gb 0 0'] })
  const subscriber = await listener('news')
  subscriber.socket.pause()
  const writer = await it.connect()
  const publish = request(`PUBLISH news ${long('', 40_000)}`)
  for (let i = 0; i < 1300; i++) writer.send(publish)
  await heard(writer, 1300)
  subscriber.send(request('PING', 'UNSUBSCRIBE'))
  while (((await writer.call('PUBSUB', 'NUMSUB', 'news')) as unknown[])[1] !== 0) {}
})

test('a message stands behind a value that is still being read', async () => {
  it = await startTestServer()
  const subscriber = await listener('news')
  const writer = await it.connect()
  await writer.call('SET', 'a', 'one')
  it.engine.isCold = true
  subscriber.send(request('MGET a none a', 'GET a'))
  await settled()
  await writer.call('PUBLISH', 'news', 'x')
  subscriber.send(request('GET a'))
  await settled()
  it.engine.warm('last')
  expect(await heard(subscriber, 4)).toBe(
    `*3\r\n$3\r\none\r\n_\r\n$3\r\none\r\n$3\r\none\r\n${message('news', 'x')}$3\r\none\r\n`,
  )
})

test('a message to a client whose command waits: before the reply when that has not begun', async () => {
  it = await startTestServer()
  const subscriber = await listener('news')
  const writer = await it.connect()
  subscriber.send(request('SAVE', 'PING'))
  await settled()
  await writer.call('PUBLISH', 'news', 'x')
  expect(await heard(subscriber, 1)).toBe(message('news', 'x'))
  it.engine.warm()
  expect(await heard(subscriber, 2)).toBe('+OK\r\n+PONG\r\n')
  // The same for one that is parked.
  await writer.call('SET', 'n', '1')
  it.engine.isCold = true
  subscriber.send(request('INCR n', 'PING'))
  await settled()
  await writer.call('PUBLISH', 'news', 'y')
  expect(await heard(subscriber, 1)).toBe(message('news', 'y'))
  it.engine.warm()
  expect(await heard(subscriber, 2)).toBe(':2\r\n+PONG\r\n')
})

test('a message to a client whose reply is said in steps: behind it', async () => {
  it = await startTestServer()
  const subscriber = await listener('news')
  const writer = await it.connect()
  const keys = 40_000
  for (let from = 0; from < keys; from += 1000) {
    const pairs = Array.from({ length: 1000 }, (_, i) => [`key:${from + i}`, 'v']).flat()
    await writer.call('MSET', ...pairs)
  }
  subscriber.send(request('KEYS *', 'PING'))
  const session = [...it.server.clients()].find((client) => client.subscriptions !== null)!
  while (!session.isStepping) await nextTurn()
  let published = 0
  let interrupted = 0
  while (session.isStepping) {
    it.server.pubsub.publish(sliceOf('news'), sliceOf(String(published++)))
    if (session.hasMore) interrupted++
    await nextTurn()
  }
  expect(interrupted).toBeGreaterThan(0)
  const replies: string[] = []
  while (replies.length < published + 2) replies.push((await subscriber.reply()).raw.toString('latin1'))
  const others = replies.filter((text) => !text.startsWith('>'))
  expect(others.map((text) => text.slice(0, 8))).toEqual(['*40000\r\n', '+PONG\r\n'])
  expect(replies.filter((text) => text.startsWith('>'))).toEqual(
    Array.from({ length: published }, (_, n) => message('news', String(n))),
  )
})

test('news of what a command finds expired stand before its reply, and do not spoil it', async () => {
  let aheadMs = 0
  it = await startTestServer({
    args: ['--notify-keyspace-events', 'Ex'],
    server: { clock: { ...timeless, now: () => Date.now() + aheadMs } },
  })
  const client = await listener('__keyevent@0__:expired')
  for (const command of ['INCR k', 'GET k', 'APPEND k x']) {
    await client.call('SET', 'k', '5', 'PX', '1000')
    aheadMs += 2000
    it.engine.releasesAtFlush = false
    client.send(request(command, 'PING'))
    await settled()
    expect(client.take().length).toBe(0)
    it.engine.fail('MISCONF gone')
    // The event has failed with the write that it tells of, or the read that depends on it.
    expect(await heard(client, 2)).toBe('-MISCONF gone\r\n+PONG\r\n')
    it.engine.releasesAtFlush = true
    await client.call('DEL', 'k')
    await client.call('SET', 'k', '5', 'PX', '1000')
    aheadMs += 2000
    client.send(request(command))
    expect(await heard(client, 1)).toBe(message('__keyevent@0__:expired', 'k'))
    expect(await heard(client, 1)).not.toContain('message')
  }
})

test('who subscribes and does not read is dropped at the limit of its class, the others live', async () => {
  it = await startTestServer({ args: ['--client-output-buffer-limit', 'normal 1mb 0 0 pubsub 8mb 0 0'] })
  const deaf = await listener('news')
  const good = await listener('news')
  const publisher = await it.connect()
  deaf.socket.pause()
  const text = 'x'.repeat(500_000)
  let sent = 0
  while (it.server.clientCount > 2) {
    await publisher.call('PUBLISH', 'news', text)
    sent++
    expect((await good.reply()).raw.length).toBeGreaterThan(text.length)
  }
  expect(sent * text.length).toBeGreaterThan(8 * 1024 * 1024)
  expect(it.server.info(['stats'])).toContain('client_output_buffer_limit_disconnections:1')
  expect(await publisher.call('PUBLISH', 'news', 'end')).toBe(1)
  expect(await heard(good, 1)).toBe(message('news', 'end'))
})

test('one burst that is too much for a client drops that client, in the middle of it', async () => {
  it = await startTestServer({ args: ['--client-output-buffer-limit', 'pubsub 2mb 0 0'] })
  const deaf = await listener('news')
  const publisher = await it.connect()
  deaf.socket.pause()
  const burst = 100
  publisher.send(
    Buffer.concat(Array.from({ length: burst }, () => encodeRequest(['PUBLISH', 'news', 'x'.repeat(100_000)]))),
  )
  const receivers: string[] = []
  for (let n = 0; n < burst; n++) receivers.push(await heard(publisher, 1))
  expect(receivers[0]).toBe(':1\r\n')
  expect(receivers[burst - 1]).toBe(':0\r\n')
  expect(it.server.pubsub.channelCount).toBe(0)
})

test('timeout: who has subscribed may be silent', async () => {
  let aheadMs = 0
  it = await startTestServer({
    args: ['--timeout', '10', '--hz', '100'],
    server: {
      clock: { ...systemClock, now: () => Date.now() + aheadMs, monotonic: () => systemClock.monotonic() + aheadMs },
    },
  })
  const silent = await listener('news')
  const idle = await it.connect()
  await idle.call('PING')
  aheadMs = 20_000
  expect((await idle.untilClosed()).closed).toBe(true)
  const publisher = await it.connect()
  expect(await publisher.call('PUBLISH', 'news', 'x')).toBe(1)
  expect(await heard(silent, 1)).toBe(message('news', 'x'))
})

test('nothing is left of clients that are gone', async () => {
  it = await startTestServer()
  const clients = await Promise.all(Array.from({ length: 5 }, () => listener('a', 'b')))
  clients[0]!.send(request('PSUBSCRIBE x y', 'SSUBSCRIBE s'))
  await heard(clients[0]!, 3)
  const { pubsub } = it.server
  expect([pubsub.channelCount, pubsub.patternCount, pubsub.shardChannelCount]).toEqual([2, 2, 1])
  for (const client of clients) client.close()
  while (it.server.clientCount > 0) await nextTurn()
  expect([pubsub.channelCount, pubsub.patternCount, pubsub.shardChannelCount]).toEqual([0, 0, 0])
  expect(pubsub.hasListeners).toBe(false)
})

test('the engine is asked to report changes only while somebody wants to know', async () => {
  it = await startTestServer()
  const client = await it.connect()
  const watching = (): boolean => it.engine.watching
  expect(watching()).toBe(false)
  await client.call('CONFIG', 'SET', 'notify-keyspace-events', 'g$')
  expect(watching()).toBe(false)
  await client.call('CONFIG', 'SET', 'notify-keyspace-events', 'Kx')
  expect(watching()).toBe(true)
  await client.call('WATCH', 'k')
  await client.call('CONFIG', 'SET', 'notify-keyspace-events', '')
  expect(watching()).toBe(true)
  await client.call('UNWATCH')
  expect(watching()).toBe(false)
})
