// Client-side caching: what the conformance suite cannot ask redis-server for. When invalidations leave, what a failed write does to
// them, and what the table may cost.

import { afterEach, expect, test } from 'vitest'
import type { RawConnection } from '../harness/connection.ts'
import { encodeRequest } from '../harness/resp.ts'
import { startTestServer, type TestServer } from './test-server.ts'

let it: TestServer
afterEach(() => it.stop())

const request = (...commands: string[]): Buffer => Buffer.concat(commands.map((line) => encodeRequest(line.split(' '))))

async function heard(connection: RawConnection, count: number): Promise<string> {
  let text = ''
  for (let i = 0; i < count; i++) text += (await connection.reply()).raw.toString('latin1')
  return text
}

async function tracker(...options: string[]): Promise<RawConnection> {
  const client = await it.connect()
  await client.call('HELLO', '3')
  expect(await client.call('CLIENT', 'TRACKING', 'ON', ...options)).toBe('OK')
  return client
}

const invalidated = (...keys: string[]): string =>
  `>2\r\n$10\r\ninvalidate\r\n*${keys.length}\r\n${keys.map((key) => `$${key.length}\r\n${key}\r\n`).join('')}`

const info = (field: string): number =>
  Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(it.server.info(['stats', 'clients']))![1])

test('an invalidation waits for no write; the read that follows does', async () => {
  it = await startTestServer()
  const client = await tracker()
  const writer = await it.connect()
  await client.call('GET', 'k')
  it.engine.releasesAtFlush = false
  writer.send(request('SET k 1'))
  expect(await heard(client, 1)).toBe(invalidated('k'))
  client.send(request('GET k'))
  const other = await it.connect()
  expect(await other.call('PING')).toBe('PONG')
  expect(client.take().length + writer.take().length).toBe(0)
  it.engine.release()
  expect(await heard(client, 1)).toBe('$1\r\n1\r\n')
  expect(await heard(writer, 1)).toBe('+OK\r\n')
})

test('one that stands behind a reply that fails is said all the same', async () => {
  it = await startTestServer()
  const client = await tracker()
  await client.call('GET', 'k')
  it.engine.releasesAtFlush = false
  client.send(request('SET k 1', 'PING'))
  const other = await it.connect()
  expect(await other.call('PING')).toBe('PONG')
  it.engine.fail('MISCONF gone')
  expect(await heard(client, 3)).toBe(`-MISCONF gone\r\n${invalidated('k')}+PONG\r\n`)
})

test('tracking-table-max-keys: who has read the key that is given up is told', async () => {
  it = await startTestServer({ args: ['--tracking-table-max-keys', '3'] })
  const client = await tracker()
  for (const key of ['a', 'b', 'c']) await client.call('GET', key)
  expect(info('tracking_total_keys')).toBe(3)
  client.send(request('GET d', 'MGET e f', 'PING'))
  expect(await heard(client, 6)).toBe(
    `_\r\n${invalidated('a')}*2\r\n_\r\n_\r\n${invalidated('b')}${invalidated('c')}+PONG\r\n`,
  )
  expect(info('tracking_total_keys')).toBe(3)
  expect(await client.call('CONFIG', 'SET', 'tracking-table-max-keys', '0')).toBe('OK')
  for (let n = 0; n < 10; n++) await client.call('GET', `more:${n}`)
  expect(info('tracking_total_keys')).toBe(13)
})

test('keys that were read are bounded in bytes too: the oldest are given up, and their readers told', async () => {
  it = await startTestServer({ server: { heapLimitBytes: 8 * 1_000_000 } }) // an eighth of it
  const [client, second] = [await tracker(), await tracker()]
  const long = (name: string): string => name.repeat(300_000)
  for (const name of ['a', 'b', 'c']) await client.call('GET', long(name))
  await second.call('GET', long('a'))
  await client.call('GET', 'small')
  client.send(request(`GET ${long('d')}`, 'PING'))
  expect(await heard(client, 3)).toBe(`_\r\n${invalidated(long('a'))}+PONG\r\n`)
  expect(await heard(second, 1)).toBe(invalidated(long('a')))
  expect([info('tracking_total_keys'), info('tracking_total_items')]).toEqual([4, 4])
})

test('what a key costs that many have read is counted, and given back', async () => {
  it = await startTestServer({ server: { heapLimitBytes: 8 * 1000 } })
  const clients = await Promise.all(Array.from({ length: 30 }, () => tracker()))
  const other = await it.connect()
  const read = async (items: number, ...keys: string[]): Promise<void> => {
    for (const key of keys)
      for (const client of clients.slice(0, items / keys.length)) client.send(request(`GET ${key}`))
    while (info('tracking_total_items') !== items) await other.call('PING')
  }
  for (let round = 0; round < 20; round++) {
    await read(2, 'k')
    await other.call('SET', 'k', 'v')
    await read(20, 'k')
    await other.call('SET', 'k', 'v')
    await read(10, 'a', 'b')
    await other.call('SET', 'a', 'v')
    await other.call('SET', 'b', 'v')
    expect(info('tracking_total_items')).toBe(0)
  }
  await read(24, 'k')
  for (const client of clients.slice(24)) client.send(request('GET k')) // the first of them is one too many
  while (info('tracking_total_items') !== 5) await other.call('PING')
})

test('a hundred thousand prefixes do not hold up the loop', async () => {
  it = await startTestServer()
  const client = await it.connect()
  await client.call('HELLO', '3')
  const prefixes = Array.from({ length: 100_000 }, (_, i) => ['PREFIX', `${100_000 + i}`]).flat()
  const call = async (words: string[]): Promise<unknown> => {
    client.send(encodeRequest(['CLIENT', 'TRACKING', 'ON', 'BCAST'].concat(words)))
    return (await client.reply()).value
  }
  const last = {
    message: expect.stringMatching(/^ERR Prefix '199999' overlaps with another provided prefix '1999990'/),
  }
  expect(await call([...prefixes, 'PREFIX', '1999990'])).toMatchObject(last) // minutes, pair by pair
  expect(await call(prefixes)).toBe('OK')
  const first = { message: expect.stringMatching(/^ERR Prefix '100000' overlaps with an existing prefix '100000'/) }
  expect(await call(prefixes)).toMatchObject(first)
  expect(info('tracking_total_prefixes')).toBe(100_000)
})

test('INFO counts clients, keys, pairs and prefixes', async () => {
  it = await startTestServer()
  const [a, b] = [await tracker(), await tracker()]
  const c = await tracker('BCAST', 'PREFIX', 'x', 'PREFIX', 'y')
  const counts = (): number[] =>
    ['tracking_clients', 'tracking_total_keys', 'tracking_total_items', 'tracking_total_prefixes'].map(info)
  await a.call('MGET', 'k', 'l', 'k')
  await b.call('GET', 'k')
  await c.call('GET', 'k')
  expect(counts()).toEqual([3, 2, 3, 2])
  await c.call('CLIENT', 'TRACKING', 'OFF')
  expect(counts()).toEqual([2, 2, 3, 0])
  // Who is gone stays in the table until the key changes, and is not told.
  a.close()
  while (it.server.clientCount > 2) await b.call('PING')
  expect(counts()).toEqual([1, 2, 3, 0])
  expect(await c.call('SET', 'k', '1')).toBe('OK')
  expect(await heard(b, 1)).toBe(invalidated('k'))
  expect(counts()).toEqual([1, 1, 1, 0])
  b.close()
  await c.call('DEL', 'l')
  await c.call('SET', 'l', '1')
  expect(counts().slice(1)).toEqual([0, 0, 0])
})

test('the engine reports changes while somebody may have a copy, and not afterwards', async () => {
  it = await startTestServer()
  expect(it.engine.watching).toBe(false)
  const client = await tracker()
  expect(it.engine.watching).toBe(true)
  await client.call('CLIENT', 'TRACKING', 'OFF')
  expect(it.engine.watching).toBe(false)
  await client.call('CLIENT', 'TRACKING', 'ON')
  await client.call('GET', 'k')
  await client.call('CLIENT', 'TRACKING', 'OFF')
  // Off and on again is still told of what it has read before, as in Redis.
  expect(it.engine.watching).toBe(true)
  const other = await it.connect()
  await other.call('SET', 'k', '1')
  expect(it.engine.watching).toBe(false)
  await client.call('CLIENT', 'TRACKING', 'ON')
  await client.call('MGET', 'k', 'l')
  client.close()
  while (it.server.clientCount > 1) await other.call('PING')
  expect(it.engine.watching).toBe(false)
  expect(info('tracking_total_keys')).toBe(0)
})

test('BCAST: one message a tick for each prefix, with its keys in order', async () => {
  it = await startTestServer()
  const client = await tracker('BCAST', 'PREFIX', 'a:', 'PREFIX', 'b:')
  const writer = await it.connect()
  writer.send(request('SET b:1 x', 'SET a:2 x', 'SET c:1 x', 'SET a:1 x', 'DEL a:2', 'SET b:1 y'))
  await heard(writer, 6)
  expect(await heard(client, 2)).toBe(invalidated('a:1', 'a:2') + invalidated('b:1'))
})
