// CLIENT PAUSE: who waits, who does not, and that nobody waits for ever.

import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Clock, systemClock, type Timer } from '../../src/base/clock.ts'
import { GATE_STALLED } from '../../src/engine/engine.ts'
import type { Connection } from '../../src/server/connection.ts'
import type { RawConnection } from '../harness/connection.ts'
import { encodeRequest } from '../harness/resp.ts'
import { startTestServer, type TestServer } from './test-server.ts'

/** Wall clock of the test's own; timers longer than a second fire when it is turned. */
let nowMs = 0
let timers: { at: number; run: () => void }[] = []
const clock: Clock = {
  ...systemClock,
  now: () => nowMs,
  after(ms, run): Timer {
    if (ms < 1000) return systemClock.after(ms, run)
    const timer = { at: nowMs + ms, run }
    timers.push(timer)
    return { cancel: () => void (timers = timers.filter((it) => it !== timer)) }
  },
}

function pass(ms: number): void {
  nowMs += ms
  for (const timer of timers.filter(({ at }) => at <= nowMs)) {
    timers = timers.filter((it) => it !== timer)
    timer.run()
  }
}

let test: TestServer
let admin: RawConnection

beforeEach(async () => {
  nowMs = 1_700_000_000_000
  timers = []
  test = await startTestServer({ server: { clock } })
  admin = await test.connect()
})
afterEach(() => test.stop())

/** Until so many clients wait. */
async function waiting(count: number): Promise<void> {
  while (!String(await admin.call('INFO', 'clients')).includes(`blocked_clients:${count}\r\n`)) await admin.call('PING')
}

it('a write waits until the pause ends, a read does not', async () => {
  const client = await test.connect()
  await admin.call('CLIENT', 'PAUSE', 5000, 'WRITE')
  expect(await client.call('GET', 'k')).toBeNull()
  client.send(encodeRequest(['SET', 'k', 'v']))
  client.send(encodeRequest(['GET', 'k'])) // comes after the write, so it waits with it
  await waiting(1)
  pass(4999)
  await waiting(1)
  pass(1)
  expect((await client.reply()).value).toBe('OK')
  expect(String((await client.reply()).value)).toBe('v')
  await waiting(0)
})

it('a second pause makes it longer, and does not make it shorter', async () => {
  const client = await test.connect()
  await admin.call('CLIENT', 'PAUSE', 5000, 'WRITE')
  await admin.call('CLIENT', 'PAUSE', 8000, 'WRITE')
  await admin.call('CLIENT', 'PAUSE', 2000, 'WRITE')
  client.send(encodeRequest(['DEL', 'k']))
  await waiting(1)
  pass(7999)
  await waiting(1)
  pass(1)
  expect((await client.reply()).value).toBe(0)
})

it('longer than a timer can be', async () => {
  const client = await test.connect()
  const days = 40 * 86_400_000
  await admin.call('CLIENT', 'PAUSE', days, 'WRITE')
  client.send(encodeRequest(['DEL', 'k']))
  await waiting(1)
  pass(2 ** 31)
  await waiting(1)
  pass(days)
  expect((await client.reply()).value).toBe(0)
})

it('holds for clients that come later, and for all commands when asked', async () => {
  await admin.call('CLIENT', 'PAUSE', 5000)
  const client = await test.connect()
  client.send(encodeRequest(['PING']))
  admin.send(encodeRequest(['PING']))
  while ([...test.server.clients()].filter((it) => it.isWaiting).length < 2) await new Promise(setImmediate)
  pass(5000)
  expect((await client.reply()).value).toBe('PONG')
  expect((await admin.reply()).value).toBe('PONG')
})

it('who leaves while waiting is forgotten', async () => {
  const client = await test.connect()
  await admin.call('CLIENT', 'PAUSE', 5000, 'WRITE')
  client.send(encodeRequest(['SET', 'k', 'v']))
  await waiting(1)
  const id = [...test.server.clients()].find((it) => it.isWaiting)!.id
  expect(await admin.call('CLIENT', 'UNBLOCK', id)).toBe(0) // it waits for the pause, not for others
  expect(await admin.call('CLIENT', 'KILL', 'ID', id)).toBe(1)
  await waiting(0)
  await admin.call('CLIENT', 'UNPAUSE')
  expect(await admin.call('GET', 'k')).toBeNull()
})

it('who disconnects while paused has gone: it is not listed any more, and what it sent does not run', async () => {
  await admin.call('CLIENT', 'PAUSE', 5000, 'WRITE')
  for (let i = 0; i < 10; i++) {
    const client = await test.connect()
    client.send(encodeRequest(i % 2 === 0 ? ['SET', 'zombie', 'k'] : ['INCR', 'n']))
    if (i % 3 === 0) await waiting(1) // some leave together with their command, others later
    client.socket.end()
    await client.closed
    await waiting(0)
  }
  expect(test.server.clientCount).toBe(1)
  await admin.call('CLIENT', 'UNPAUSE')
  expect(await admin.call('MGET', 'zombie', 'n')).toEqual([null, null])
})

it('who half-closes while paused is still told what was said before', async () => {
  await admin.call('SET', 'k', 'v')
  await admin.call('CLIENT', 'PAUSE', 5000, 'WRITE')
  const client = await test.connect()
  client.socket.end(Buffer.concat(['GET k', 'DEL k', 'PING'].map((line) => encodeRequest(line.split(' ')))))
  expect(await client.untilClosed()).toEqual({ bytes: Buffer.from('$1\r\nv\r\n'), closed: true })
  await admin.call('CLIENT', 'UNPAUSE')
  expect(String(await admin.call('GET', 'k'))).toBe('v')
})

it('what is sent while paused runs afterwards, in order, however much it is', async () => {
  const client = await test.connect()
  await admin.call('CLIENT', 'PAUSE', 5000, 'WRITE')
  client.send(encodeRequest(['APPEND', 'k', 'x']))
  await waiting(1)
  const rounds = 200
  for (let i = 0; i < rounds; i++) {
    client.send(encodeRequest(['APPEND', 'k', 'y'.repeat(1000)]))
    if (i % 20 === 0) await admin.call('PING')
  }
  expect(test.server.info(['clients'])).toContain('blocked_clients:1')
  const held = Math.max(...[...test.server.clients()].map(({ inputBytes }) => inputBytes))
  expect(held).toBeLessThan(256 * 1024)
  await admin.call('CLIENT', 'UNPAUSE')
  for (let i = 0; i <= rounds; i++) expect((await client.reply()).value).toBe(1 + 1000 * i)
})

it('INFO and CLIENT LIST tell who waits', async () => {
  const client = await test.connect()
  await admin.call('CLIENT', 'PAUSE', 5000, 'WRITE')
  client.send(encodeRequest(['SET', 'k', Buffer.alloc(1000)]))
  await waiting(1)
  expect(String(await admin.call('CLIENT', 'LIST'))).toMatch(/ flags=b .* argv-mem=1004 .* cmd=set /)
  await admin.call('CLIENT', 'UNPAUSE')
  expect((await client.reply()).value).toBe('OK')
})

it.each([
  ['PUBLISH', 'c', 'x'],
  ['PFCOUNT', 'h'],
])('EXEC with %s waits as that does', async (...command) => {
  const client = await test.connect()
  await client.call('MULTI')
  await client.call(...command)
  await admin.call('CLIENT', 'PAUSE', 5000, 'WRITE')
  client.send(encodeRequest(['EXEC']))
  await waiting(1)
  pass(5000)
  expect((await client.reply()).value).toEqual([0])
})

it('who monitors is not paused', async () => {
  const monitor = await test.connect()
  await monitor.call('MONITOR')
  await admin.call('CLIENT', 'PAUSE', 5000, 'ALL')
  expect(await monitor.call('PING')).toBe('PONG')
  expect((await monitor.reply()).raw.toString()).toMatch(/"PING"\r\n$/)
  expect(await monitor.call('RESET')).toBe('RESET')
  monitor.send(encodeRequest(['PING']))
  const [, session] = [...test.server.clients()]
  while (!test.server.pause.has(session!)) await new Promise((resolve) => setImmediate(resolve))
  pass(5000)
  expect((await monitor.reply()).value).toBe('PONG')
})

describe('a write that works in steps when the pause or a stall begins', () => {
  let client: RawConnection
  let session: Connection

  /** RESTORE has begun and not ended. */
  async function begin(): Promise<void> {
    client = await test.connect()
    session = [...test.server.clients()][1]!
    await client.call('SET', 'large', randomBytes(8_000_000))
    const payload = (await client.call('DUMP', 'large')) as Buffer
    client.send(encodeRequest(['RESTORE', 'r', '0', payload]))
    while (!session.isStepping) await new Promise((resolve) => setImmediate(resolve))
  }

  /** It waits, and nobody asks it again and again. */
  async function expectWaiting(): Promise<void> {
    while (!session.isParked && !test.server.pause.has(session) && !test.server.stalled.has(session)) {
      expect(await admin.call('EXISTS', 'r')).toBe(0)
    }
    const turn = vi.spyOn(session, 'turn')
    for (let i = 0; i < 5; i++) expect(await admin.call('EXISTS', 'r')).toBe(0)
    expect(turn).not.toHaveBeenCalled()
    turn.mockRestore()
  }

  it('waits for the end of the pause', async () => {
    await begin()
    test.server.pauseClients(5000, false)
    await expectWaiting()
    pass(5000)
    expect((await client.reply()).value).toBe('OK')
    expect(await admin.call('EXISTS', 'r')).toBe(1)
  })

  it('waits until the store goes on, and then for the pause that has begun meanwhile', async () => {
    await begin()
    test.engine.setGate(GATE_STALLED)
    await expectWaiting()
    test.server.pauseClients(5000, false)
    test.engine.setGate(0)
    await expectWaiting()
    pass(5000)
    expect((await client.reply()).value).toBe('OK')
    expect(await admin.call('EXISTS', 'r')).toBe(1)
  })

  it('never comes when its client has gone meanwhile', async () => {
    await begin()
    test.server.pauseClients(5000, false)
    await expectWaiting()
    client.socket.end()
    expect((await client.untilClosed()).closed).toBe(true)
    pass(5000)
    expect(await admin.call('EXISTS', 'r')).toBe(0)
  })
})
