// How long a client may take to give the password.

import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { startTestServer, type TestServer } from './test-server.ts'

let it: TestServer
afterEach(() => it.stop())

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
