// What one client may cost: descriptors, memory, other clients' time. And who is let in.

import { existsSync, mkdtempSync, rmSync, statSync, unlinkSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { silentLogger } from '../../src/base/logger.ts'
import { unsentBytes } from '../../src/server/adopt.ts'
import { ListenError, Listener } from '../../src/server/listener.ts'
import { peerOf } from '../../src/server/peer.ts'
import { DENIED, isLocal } from '../../src/server/protected-mode.ts'
import { RawConnection } from '../harness/connection.ts'
import { encodeRequest, type ReplyError } from '../harness/resp.ts'
import { startTestServer, type TestServer, type TestServerOptions } from './test-server.ts'

let it: TestServer
afterEach(() => it.stop())

async function start(...args: string[]): Promise<void> {
  it = await startTestServer({ args })
}

const errorText = (reply: unknown): string => (reply as ReplyError).message

test('maxclients: one more is told so and closed, and there is room again when one leaves', async () => {
  await start('--maxclients', '2')
  const first = await it.connect()
  await first.call('PING')
  const second = await it.connect()
  await second.call('PING')
  const third = await it.connect()
  expect(await third.untilClosed()).toEqual({
    bytes: Buffer.from('-ERR max number of clients reached\r\n'),
    closed: true,
  })
  second.close()
  while (it.server.clientCount > 1) await first.call('PING')
  const fourth = await it.connect()
  expect(await fourth.call('PING')).toBe('PONG')
})

test('protected mode lets only local clients in, until there is a password', async () => {
  const options: TestServerOptions = { server: { isLocal: () => false } }
  it = await startTestServer(options)
  const stranger = await it.connect()
  expect((await stranger.untilClosed()).bytes.toString()).toBe(`-${DENIED}\r\n`)
  it.server.configSet([['requirepass', 'pw']])
  const known = await it.connect()
  expect(await known.call('AUTH', 'pw')).toBe('OK')
  it.server.configSet([
    ['requirepass', ''],
    ['protected-mode', 'no'],
  ])
  expect(await (await it.connect()).call('PING')).toBe('PONG')
})

test('local addresses', () => {
  const local = (remoteAddress?: string): boolean => isLocal({ remoteAddress } as { remoteAddress: string })
  expect(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'].map(local)).toEqual([true, true, true, true])
  expect(['10.0.0.1', '::ffff:10.0.0.1', '::2', undefined].map(local)).toEqual([false, false, false, false])
})

test('"local" of enable-debug-command: what only begins like ::1 is not', async () => {
  await start()
  const isLocalPeer = (remoteAddress: string): boolean =>
    peerOf({ remoteAddress, remotePort: 80, localAddress: '::', localPort: 80 } as Socket, false, '')!.isLocal
  expect(['::1', '127.0.0.1', '::123:4567', '1270::1'].map(isLocalPeer)).toEqual([true, true, false, false])
})

test('AUTH: nothing else before it, wrong users and passwords alike, RESET forgets it', async () => {
  await start('--requirepass', 'secret')
  const client = await it.connect()
  expect(errorText(await client.call('GET', 'a'))).toBe('NOAUTH Authentication required.')
  const wrong = 'WRONGPASS invalid username-password pair or user is disabled.'
  expect(errorText(await client.call('AUTH', 'secre'))).toBe(wrong)
  expect(errorText(await client.call('AUTH', 'nobody', 'secret'))).toBe(wrong)
  expect(errorText(await client.call('HELLO', '3'))).toMatch(/^NOAUTH HELLO must be called/)
  expect(await client.call('AUTH', 'default', 'secret')).toBe('OK')
  expect(await client.call('GET', 'a')).toBe(null)
  expect(await client.call('RESET')).toBe('RESET')
  expect(errorText(await client.call('GET', 'a'))).toBe('NOAUTH Authentication required.')
  expect(it.server.info(['stats'])).toContain('acl_access_denied_auth:2')
  expect(it.log.join()).not.toContain('secret')
})

test('before authentication requests are small', async () => {
  await start('--requirepass', 'secret')
  const client = await it.connect()
  client.send(Buffer.from('*100000\r\n'))
  const { bytes, closed } = await client.untilClosed()
  expect(bytes.toString()).toBe('-ERR Protocol error: unauthenticated multibulk length\r\n')
  expect(closed).toBe(true)
})

test('timeout: an idle client is dropped, a busy one is not', async () => {
  let aheadMs = 0
  const { systemClock } = await import('../../src/base/clock.ts')
  const clock = { ...systemClock, now: () => Date.now() + aheadMs }
  it = await startTestServer({ args: ['--timeout', '1', '--hz', '100'], server: { clock } })
  const idle = await it.connect()
  await idle.call('PING')
  const busy = await it.connect()
  aheadMs = 5000
  let answered = 0
  const gone = idle.untilClosed()
  while (it.server.clientCount > 1) {
    if ((await busy.call('PING')) === 'PONG') answered++
  }
  expect((await gone).closed).toBe(true)
  expect(answered).toBeGreaterThan(0)
})

test('timeout: a client that takes a large reply bit by bit is not idle, until it stops', async () => {
  let aheadMs = 0
  const { systemClock } = await import('../../src/base/clock.ts')
  const clock = { ...systemClock, now: () => Date.now() + aheadMs, monotonic: () => systemClock.monotonic() + aheadMs }
  it = await startTestServer({ args: ['--timeout', '10', '--hz', '100'], server: { clock } })
  const other = await it.connect()
  await other.call('SET', 'large', 'x'.repeat(60_000_000))
  const reader = await it.connect()
  reader.socket.pause()
  reader.send(encodeRequest(['GET', 'large']))
  while (it.server.clientCount < 2 || ![...it.server.clients()][1]!.output.stuck) await other.call('PING')
  const session = [...it.server.clients()][1]!
  const { socket } = session as unknown as { socket: Socket }
  const looked = vi.spyOn(session, 'checkOutputLimit')
  const look = async (): Promise<void> => {
    const { length } = looked.mock.calls
    while (looked.mock.calls.length === length && !session.isClosed) await other.call('PING')
  }
  for (let step = 0; step < 6; step++) {
    const unsent = unsentBytes(socket)
    reader.socket.resume()
    while (unsentBytes(socket) === unsent) await other.call('PING')
    reader.socket.pause()
    aheadMs += 6000
    await look()
  }
  expect([session.isClosed, session.output.stuck]).toEqual([false, true])
  for (let step = 0; step < 3 && !session.isClosed; step++) {
    aheadMs += 6000
    await look()
  }
  expect(session.isClosed).toBe(true)
})

test('protocol errors are answered, then the connection is closed', async () => {
  await start()
  const client = await it.connect()
  client.send(Buffer.from('PING\r\n*1\r\n!x\r\nPING\r\n'))
  expect((await client.untilClosed()).bytes.toString()).toBe("+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n")
})

test('HTTP is no Redis', async () => {
  await start()
  const client = await it.connect()
  client.send(Buffer.from('POST / HTTP/1.1\r\nHost: x\r\n\r\nSET a 1\r\n'))
  expect(await client.untilClosed()).toEqual({ bytes: Buffer.alloc(0), closed: true })
  expect(it.log.join()).toContain('SECURITY ATTACK')
})

test('a transaction counts against client-query-buffer-limit', async () => {
  await start('--client-query-buffer-limit', '1mb')
  const client = await it.connect()
  await client.call('MULTI')
  const set = encodeRequest(['SET', 'a', 'x'.repeat(200_000)])
  client.send(Buffer.concat([set, set, set, set, set, set]))
  expect((await client.untilClosed()).closed).toBe(true)
  expect(it.server.info(['stats'])).toContain('client_query_buffer_limit_disconnections:1')
})

test('a transaction of many empty arguments counts what they cost, and the client is closed at the limit', async () => {
  await start('--client-query-buffer-limit', '1mb')
  const client = await it.connect()
  const other = await it.connect()
  await client.call('MULTI')
  const empty = encodeRequest(['MGET', ...Array.from({ length: 5000 }, () => '')])
  client.send(empty)
  expect((await client.reply()).value).toBe('QUEUED')
  const bytes = Number(/multi=1 .*multi-mem=(\d+)/.exec(String(await other.call('CLIENT', 'LIST')))![1])
  expect(bytes).toBeGreaterThan(5000 * 16) // two numbers of eight bytes each
  client.send(Buffer.concat(Array.from({ length: 12 }, () => empty)))
  expect((await client.untilClosed()).closed).toBe(true)
  expect(it.server.info(['stats'])).toContain('client_query_buffer_limit_disconnections:1')
})

test('a transaction of many small commands counts what each costs', async () => {
  await start()
  const client = await it.connect()
  await client.call('MULTI')
  for (let i = 0; i < 10; i++) await client.call('SET', 'k', 'v')
  const bytes = Number(/multi=10 .*multi-mem=(\d+)/.exec(String(await (await it.connect()).call('CLIENT', 'LIST')))![1])
  expect(bytes).toBeGreaterThan(10 * 627) // measured on the heap alone
})

describe('names that a client has the server keep count against client-query-buffer-limit', () => {
  const name = 'n'.repeat(100_000)
  const memory = (list: unknown): number => Number(/name=whose .*tot-mem=(\d+)/.exec(String(list))![1])
  test.each([
    ['WATCH', 'UNWATCH', []],
    ['SUBSCRIBE', 'UNSUBSCRIBE', []],
    ['PSUBSCRIBE', 'PUNSUBSCRIBE', []],
    ['SSUBSCRIBE', 'SUNSUBSCRIBE', []],
    ['CLIENT', 'CLIENT', ['TRACKING', 'ON', 'BCAST', 'PREFIX']],
  ])('%s', async (keep, give, words) => {
    await start('--client-query-buffer-limit', '1mb')
    const other = await it.connect()
    const client = await it.connect()
    await client.call('HELLO', '3', 'SETNAME', 'whose')
    const before = memory(await other.call('CLIENT', 'LIST'))
    for (let i = 0; i < 4; i++) await client.call(keep, ...words, `${i}${name}`)
    await client.call(keep, ...words, `0${name}`) // one it has
    const after = memory(await other.call('CLIENT', 'LIST'))
    expect(after - before).toBeGreaterThan(4 * name.length)
    // What is given back is not counted any more.
    client.send(encodeRequest(words.length > 0 ? [give, 'TRACKING', 'OFF'] : [give]))
    while (memory(await other.call('CLIENT', 'LIST')) - before > 300_000) {}
    for (let i = 0; i < 20; i++) client.send(encodeRequest([keep, ...words, `${i}${name}`]))
    await client.closed
    expect(it.server.info(['stats'])).toContain('client_query_buffer_limit_disconnections:1')
  })

  test('also many short ones', async () => {
    await start('--client-query-buffer-limit', '1mb')
    const client = await it.connect()
    for (let i = 0; i < 10; i++)
      client.send(encodeRequest(['WATCH', ...Array.from({ length: 1000 }, (_, j) => `${i} ${j}`)]))
    await client.closed
    expect(it.server.info(['stats'])).toContain('client_query_buffer_limit_disconnections:1')
  })
})

describe('names of megabytes, of a client or its library', () => {
  const name = 'n'.repeat(700_000)

  test('are shown by their beginnings, in CLIENT LIST and in SLOWLOG', async () => {
    await start('--slowlog-log-slower-than', '0')
    const client = await it.connect()
    const other = await it.connect()
    await client.call('CLIENT', 'SETNAME', name)
    await client.call('CLIENT', 'SETINFO', 'LIB-NAME', name)
    await client.call('CLIENT', 'SETINFO', 'LIB-VER', name)
    const list = String(await other.call('CLIENT', 'LIST'))
    expect(
      / name=(n+) .* lib-name=(n+) lib-ver=(n+)$/m
        .exec(list)!
        .slice(1)
        .map(({ length }) => length),
    ).toEqual(Array(3).fill(1024))
    expect(String(await client.call('CLIENT', 'GETNAME'))).toBe(name)
    const entries = (await other.call('SLOWLOG', 'GET', '100')) as Buffer[][]
    expect(Math.max(...entries.map((entry) => entry[5]!.length))).toBe(1024)
  })

  test.each([
    [
      ['CLIENT', 'SETNAME'],
      ['CLIENT', 'SETINFO', 'LIB-NAME'],
    ],
    [
      ['CLIENT', 'SETINFO', 'LIB-VER'],
      ['HELLO', '3', 'SETNAME'],
    ],
  ])('count against client-query-buffer-limit: %s and %s', async (one, two) => {
    await start('--client-query-buffer-limit', '1mb')
    const client = await it.connect()
    for (const length of [600_000, 900_000, 1, 700_000]) await client.call(...one, 'n'.repeat(length))
    client.send(encodeRequest([...two, name]))
    await client.closed
    expect(it.server.info(['stats'])).toContain('client_query_buffer_limit_disconnections:1')
  })

  test('a list of clients that is too long for a string is refused, and nothing else happens', async () => {
    await start()
    const client = await it.connect()
    await client.call('CLIENT', 'SETNAME', name)
    const id = String(await client.call('CLIENT', 'ID'))
    expect(errorText(await client.call('CLIENT', 'LIST', 'ID', ...Array(60_000).fill(id)))).toMatch(
      /^ERR the list is too/,
    )
    expect(it.log.join()).not.toContain('Bug')
  })
})

describe('what all clients together put on the heap is bounded: the one with the most is closed', () => {
  const HEAP = 16 * 1024 * 1024 // half of it is theirs

  async function begin(): Promise<RawConnection[]> {
    it = await startTestServer({ server: { heapLimitBytes: HEAP } })
    return [await it.connect(), await it.connect(), await it.connect()]
  }
  const held = (): number => [...it.server.clients()].reduce((sum, { heapBytes }) => sum + heapBytes, 0)
  const evicted = (): string => /evicted_clients:\d+/.exec(it.server.info(['stats']))![0]

  test('queued commands', async () => {
    const [large, small, other] = (await begin()) as [RawConnection, RawConnection, RawConnection]
    await large.call('MULTI')
    large.send(Buffer.concat(Array<Buffer>(8000).fill(encodeRequest(['PING']))))
    for (let i = 0; i < 8000; i++) await large.reply()
    await small.call('MULTI')
    small.send(Buffer.concat(Array<Buffer>(6000).fill(encodeRequest(['PING']))))
    expect((await large.untilClosed()).closed).toBe(true)
    for (let i = 0; i < 6000; i++) expect((await small.reply()).value).toBe('QUEUED')
    expect(it.log.join()).toMatch(/Evicting client: id=1 .*the most of all clients/)
    expect(await small.call('DISCARD')).toBe('OK')
    expect([evicted(), it.server.clientHeapBytes, held()]).toEqual(['evicted_clients:1', 0, 0])
    expect(await other.call('PING')).toBe('PONG')
  })

  test('names; and who has said NO-EVICT comes last', async () => {
    const [spared, large, small] = (await begin()) as [RawConnection, RawConnection, RawConnection]
    await spared.call('CLIENT', 'NO-EVICT', 'ON')
    await spared.call('WATCH', ...Array.from({ length: 5 }, (_, i) => `${i}${'w'.repeat(900_000)}`))
    await large.call('CLIENT', 'SETNAME', 'n'.repeat(2_000_000))
    small.send(encodeRequest(['SUBSCRIBE', 's'.repeat(1_950_000)]))
    expect((await large.untilClosed()).closed).toBe(true)
    expect(await spared.call('PING')).toBe('PONG')
    expect(it.server.clientHeapBytes).toBe(held())
    await spared.call('SUBSCRIBE', 's'.repeat(3_000_000))
    expect((await small.untilClosed()).closed).toBe(true)
    spared.send(encodeRequest(['SUBSCRIBE', 'x'.repeat(3_000_000)]))
    expect((await spared.untilClosed()).closed).toBe(true)
    expect([evicted(), it.server.clientHeapBytes]).toEqual(['evicted_clients:3', 0])
  })

  test('values that one MGET has read from the disk: it is closed before the heap is full, and its reads never begin', async () => {
    const [large, other] = (await begin()) as [RawConnection, RawConnection]
    await other.call('SET', 'k', 'value')
    it.engine.isCold = true
    large.send(encodeRequest(['MGET', ...Array<string>(50_000).fill('k')]))
    expect((await large.untilClosed()).closed).toBe(true)
    expect(it.log.join()).toMatch(/Evicting client: id=1 .*values being read, the most of all clients/)
    expect(it.engine.readsUnderWay).toBe(0)
    it.engine.isCold = false
    expect(await other.call('GET', 'k')).toEqual(Buffer.from('value'))
    expect([evicted(), it.server.clientHeapBytes]).toEqual(['evicted_clients:1', 0])
  })

  test('the same in EXEC; and an MGET of fewer is answered, wherever its values are', async () => {
    const [large, other] = (await begin()) as [RawConnection, RawConnection]
    await other.call('SET', 'k', 'value')
    it.engine.isCold = true
    other.send(encodeRequest(['MGET', ...Array<string>(5000).fill('k')]))
    await large.call('MULTI')
    const gets = Array.from({ length: 40 }, () => encodeRequest(['MGET', ...Array<string>(1000).fill('k')]))
    large.send(Buffer.concat([...gets, encodeRequest(['EXEC'])]))
    await large.untilClosed()
    expect(it.engine.readsUnderWay).toBe(5000)
    it.engine.warm()
    expect((await other.reply()).value).toEqual(Array<Buffer>(5000).fill(Buffer.from('value')))
    expect(it.server.clientHeapBytes).toBe(0)
  })

  test('all that is counted is given back', async () => {
    const [client, leaver] = (await begin()) as [RawConnection, RawConnection]
    for (const one of [client, leaver]) {
      await one.call('HELLO', '3', 'SETNAME', 'me')
      await one.call('CLIENT', 'SETINFO', 'LIB-NAME', 'lib')
      await one.call('WATCH', 'a', 'b')
      await one.call('SUBSCRIBE', 'a')
      await one.call('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'a')
      await one.call('MULTI')
      await one.call('GET', 'a')
    }
    const before = it.server.clientHeapBytes
    leaver.close()
    while (it.server.clientCount > 2) await client.call('GET', 'a')
    expect(it.server.clientHeapBytes).toBe(held())
    expect(before).toBeGreaterThan(1000)
    expect(await client.call('RESET')).toBe('RESET')
    await client.call('CLIENT', 'SETINFO', 'LIB-NAME', '')
    expect([held(), it.server.clientHeapBytes]).toEqual([0, 0])
  })
})

test('WATCH of a key that is too long to be there keeps nothing', async () => {
  await start()
  const client = await it.connect()
  const key = Buffer.alloc(1024 * 1024 + 1, 'k')
  expect(await client.call('WATCH', key, 'a')).toBe('OK')
  expect([...it.server.clients()][0]!.watched.length).toBe(1)
  await client.call('MULTI')
  await client.call('PING')
  expect(await client.call('EXEC')).toEqual(['PONG'])
})

test('a client that does not read is paused, costs a bounded amount, and goes on where it was', async () => {
  await start()
  const client = await it.connect()
  const other = await it.connect()
  await other.call('SET', 'big', 'x'.repeat(500_000))
  client.socket.pause()
  const gets = 200
  client.send(Buffer.concat(Array.from({ length: gets }, () => encodeRequest(['GET', 'big']))))
  const [session] = [...it.server.clients()].filter(({ output }) => output !== undefined)
  while (!session!.output.stuck) await other.call('PING')
  for (let i = 0; i < 50; i++) expect(await other.call('PING')).toBe('PONG')
  expect(session!.output.pendingBytes).toBeLessThan(4_000_000)
  client.socket.resume()
  for (let i = 0; i < gets; i++) expect(((await client.reply()).value as Buffer).length).toBe(500_000)
})

test('client-output-buffer-limit: who does not read is dropped at the limit, the others live', async () => {
  await start('--client-output-buffer-limit', 'normal 8mb 0 0')
  const client = await it.connect()
  const other = await it.connect()
  await other.call('SET', 'big', 'x'.repeat(500_000))
  client.socket.pause()
  client.send(Buffer.concat(Array.from({ length: 200 }, () => encodeRequest(['GET', 'big']))))
  while (it.server.clientCount > 1) expect(await other.call('PING')).toBe('PONG')
  expect(it.server.info(['stats'])).toContain('client_output_buffer_limit_disconnections:1')
  expect(await other.call('STRLEN', 'big')).toBe(500_000)
})

describe('one reply alone, which the client would read, cannot pass client-output-buffer-limit', () => {
  const LIMIT = 8_000_000
  const many = (times: number, ...words: string[]): string[] => Array<string[]>(times).fill(words).flat()

  // As with redis-server 7.0, nothing of it leaves.
  async function expectRefused(commands: string[][], mostHeld: number): Promise<void> {
    await start('--client-output-buffer-limit', `normal ${LIMIT} 0 0`)
    const client = await it.connect()
    const other = await it.connect()
    await other.call('SET', 'large', 'x'.repeat(1_000_000))
    await other.call('SET', 'small', 'x'.repeat(10_000))
    await other.call('SET', 'beyond', 'x'.repeat(LIMIT + 1))
    const { output } = [...it.server.clients()][0]!
    const held: number[] = []
    const { hasRoomFor } = output
    output.hasRoomFor = (bytes): boolean => {
      held.push(output.heldBytes)
      return hasRoomFor.call(output, bytes)
    }
    client.send(Buffer.concat(commands.map((words) => encodeRequest(words))))
    const { bytes, closed } = await client.untilClosed()
    expect([bytes.includes('xx'), closed]).toEqual([false, true])
    expect(Math.max(...held)).toBeGreaterThan(0)
    expect(Math.max(...held)).toBeLessThan(mostHeld)
    const stats = it.server.info(['stats'])
    expect(stats).toContain('client_output_buffer_limit_disconnections:1')
    expect(stats).toContain('unexpected_error_replies:0')
    expect(await other.call('PING')).toBe('PONG')
  }

  test('one value', () => expectRefused([['GET', 'beyond']], 100_000))
  test('many large ones', () => expectRefused([['MGET', ...many(1000, 'large')]], 1.1 * LIMIT))
  test('many small ones', () => expectRefused([['MGET', ...many(10_000, 'small')]], 2.1 * LIMIT))
  test('some of both', () => expectRefused([['MGET', ...many(500, 'small', 'large')]], 2.1 * LIMIT))
  test('EXEC', () => expectRefused([['MULTI'], ...Array<string[]>(2000).fill(['GET', 'small']), ['EXEC']], 2.1 * LIMIT))

  test('a small limit, and a reply that the kernel would take at once', async () => {
    await start('--client-output-buffer-limit', 'normal 100000 0 0')
    const client = await it.connect()
    const other = await it.connect()
    await other.call('SET', 'k', 'x'.repeat(150_000))
    await other.call('SET', 'fits', 'x'.repeat(90_000))
    expect(String(await client.call('GET', 'fits')).length).toBe(90_000)
    client.send(encodeRequest(['GET', 'k']))
    expect(await client.untilClosed()).toMatchObject({ closed: true, bytes: { length: 0 } })
  })

  test('and one that fits arrives whole', async () => {
    await start('--client-output-buffer-limit', `normal ${LIMIT} 0 0`)
    const client = await it.connect()
    const values = ['x'.repeat(1_000_000), 'y'.repeat(20_000), 'z'.repeat(300_000)]
    for (const [i, value] of values.entries()) await client.call('SET', `k${i}`, value)
    const names = many(2, 'k0', 'k1', 'nothing', 'k2', 'k0')
    const replies = (await client.call('MGET', ...names)) as (Buffer | null)[]
    const of = (name: string): string | null => values[Number(name[1])] ?? null
    expect(replies.map((each) => each?.toString() ?? null)).toEqual(
      names.map((name) => (name === 'nothing' ? null : of(name))),
    )
  })
})

test('a huge pipeline does not keep others waiting until it is through', async () => {
  await start()
  const greedy = await it.connect()
  const other = await it.connect()
  await other.call('PING')
  const commands = 200_000
  let answered = 0
  greedy.socket.removeAllListeners('data')
  const done = new Promise<void>((resolve) => {
    greedy.socket.on('data', (chunk: Buffer) => {
      answered += chunk.length
      if (answered === commands * 7) resolve()
    })
  })
  greedy.send(Buffer.concat(Array.from({ length: commands }, () => Buffer.from('PING\r\n'))))
  let between = 0
  while (it.server.statistics.commands < commands) {
    await other.call('PING')
    between++
  }
  await done
  expect(between).toBeGreaterThan(3)
})

test('CLIENT REPLY OFF and SKIP say nothing, not even later', async () => {
  await start()
  const client = await it.connect()
  await client.call('SET', 'a', 'v')
  it.engine.isCold = true
  client.send(Buffer.concat(['CLIENT REPLY SKIP', 'GET a', 'PING'].map((line) => encodeRequest(line.split(' ')))))
  expect(await client.reply().then(({ value }) => value)).toBe('PONG')
  it.engine.warm()
  expect(await client.call('ECHO', 'x')).toEqual(Buffer.from('x'))
})

test('CLIENT KILL closes others at once and oneself after the reply', async () => {
  await start()
  const client = await it.connect()
  const other = await it.connect()
  const id = await other.call('CLIENT', 'ID')
  expect(await client.call('CLIENT', 'KILL', 'ID', String(id))).toBe(1)
  expect((await other.untilClosed()).closed).toBe(true)
  expect(await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'no')).toBe(1)
  expect((await client.untilClosed()).closed).toBe(true)
})

test('a half-closed client still gets its replies', async () => {
  await start()
  const client = await it.connect()
  client.socket.end(Buffer.from('PING\r\nECHO x\r\n'))
  expect(await client.untilClosed()).toEqual({ bytes: Buffer.from('+PONG\r\n$1\r\nx\r\n'), closed: true })
})

test('a unix socket, with its permissions, also where a dead process has left one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'casky-unix-'))
  const path = join(folder, 's')
  let removed = 0
  try {
    it = await startTestServer({
      args: ['--unixsocket', path],
      listen: {
        unixSocket: path,
        unixSocketMode: 0o700,
        removeStaleSocket: (stale) => {
          removed++
          if (existsSync(stale)) unlinkSync(stale)
        },
      },
    })
    expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(removed).toBe(1)
    const client = await RawConnection.open({ path })
    expect(String(await client.call('CLIENT', 'INFO'))).toContain(`addr=${path}:0`)
    client.close()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a port that is taken ends the start with Redis’s words; an optional address that is missing does not', async () => {
  await start()
  const log: string[] = []
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as { port: number }
  const options = {
    bind: ['127.0.0.1'],
    backlog: 1,
    unixSocket: '',
    unixSocketMode: 0,
    removeStaleSocket: () => {},
    logger: { ...silentLogger, warning: (text: string) => void log.push(text) },
    onConnection: () => {},
  }
  await expect(new Listener({ ...options, port }).open()).rejects.toThrow(
    new ListenError(`Failed listening on port ${port} (TCP), aborting.`),
  )
  expect(log).toEqual([
    `Warning: Could not create server TCP listening socket 127.0.0.1:${port}: bind: Address already in use`,
  ])
  taken.close()
  const lenient = new Listener({ ...options, port: 0, anyPort: true, bind: ['127.0.0.1', '-192.0.2.1'] })
  await lenient.open()
  expect(lenient.port).toBeGreaterThan(0)
  lenient.close()
})
