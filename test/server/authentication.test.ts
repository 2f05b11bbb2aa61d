// How long a client may take to give the password.

import { afterEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { startTestServer, type TestServer } from './test-server.ts'

let it: TestServer
afterEach(() => it.stop())

test('CONFIG SET requirepass "" lets in who has not given the password, and does not close it later', async () => {
  let aheadMs = 0
  it = await startTestServer({
    args: ['--requirepass', 'pw'],
    server: { clock: { ...systemClock, now: () => Date.now() + aheadMs } },
  })
  const admin = await it.connect()
  await admin.call('AUTH', 'pw')
  const stranger = await it.connect()
  const locked = { message: 'NOAUTH Authentication required.' }
  expect(await stranger.call('PING')).toMatchObject(locked)
  await admin.call('CONFIG', 'SET', 'requirepass', '')
  expect(await stranger.call('ECHO', 'x'.repeat(20_000))).toHaveLength(20_000) // more than a stranger may send
  aheadMs = 70_000
  const watched = vi.spyOn([...it.server.clients()][1]!, 'checkOutputLimit')
  while (watched.mock.calls.length === 0) await stranger.call('PING')
  expect(await stranger.call('PING')).toBe('PONG')
  await admin.call('CONFIG', 'SET', 'requirepass', 'another')
  expect(await admin.call('PING')).toBe('PONG')
  expect(await stranger.call('PING')).toMatchObject(locked)
  aheadMs = 140_000
  await stranger.closed
})

test('RESET a minute after connecting does not close the connection; a minute without the password after it does', async () => {
  let aheadMs = 0
  it = await startTestServer({
    args: ['--requirepass', 'pw'],
    server: { clock: { ...systemClock, now: () => Date.now() + aheadMs } },
  })
  const client = await it.connect()
  const late = await it.connect()
  expect(await client.call('AUTH', 'pw')).toBe('OK')
  aheadMs = 40_000
  expect(await client.call('RESET')).toBe('RESET')
  aheadMs = 70_000
  await late.closed
  expect(await client.call('RESET')).toBe('RESET') // which does not begin another minute
  expect(await client.call('AUTH', 'pw')).toBe('OK')
  expect(await client.call('RESET')).toBe('RESET')
  aheadMs = 140_000
  await client.closed
})
