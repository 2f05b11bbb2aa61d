// MONITOR: what is shown, what never is, and what it may cost.

import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Connection } from '../../src/server/connection.ts'
import { Monitor } from '../../src/server/monitor.ts'
import { argsOf } from '../harness/args.ts'
import type { RawConnection } from '../harness/connection.ts'
import { encodeRequest } from '../harness/resp.ts'
import { startTestServer, type TestServer } from './test-server.ts'

let test: TestServer
let client: RawConnection
let watcher: RawConnection

beforeEach(async () => {
  test = await startTestServer()
  client = await test.connect()
  watcher = await test.connect()
  await watcher.call('MONITOR')
})
afterEach(() => test.stop())

/** The next lines, without their heads. */
async function lines(count: number): Promise<string[]> {
  const shown: string[] = []
  for (let i = 0; i < count; i++) shown.push(String((await watcher.reply()).value).replace(/^[\d.]+ \[\d+ \S+\] /, ''))
  return shown
}

it('shows every command of a pipeline, also those that are usually not timed', async () => {
  client.send(Buffer.concat(Array.from({ length: 500 }, (_, i) => encodeRequest(['GET', `k${i}`]))))
  expect(await lines(500)).toEqual(Array.from({ length: 500 }, (_, i) => `"GET" "k${i}"`))
})

it('never shows a password', async () => {
  await client.call('AUTH', 'secret')
  await client.call('AUTH', 'user', 'secret')
  await client.call('HELLO', 3, 'SETNAME', 'me', 'AUTH', 'default', 'secret')
  await client.call('CONFIG', 'SET', 'requirepass', 'secret')
  await client.call('PING')
  const shown = await lines(4)
  expect(shown.join('\n')).not.toContain('secret')
  expect(shown.at(-1)).toBe('"PING"')
})

it('shows bytes as they can be typed again', async () => {
  const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  await client.call('ECHO', every)
  const [line = ''] = await lines(1)
  expect(line).toMatch(/^"ECHO" "[ -~]*"$/)
  const named: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, a: 7, b: 8, '\\': 92, '"': 34 }
  const bytes = [...line.slice(8, -1).matchAll(/\\x([0-9a-f]{2})|\\(.)|(.)/g)].map(([, hex, escaped, plain]) => {
    if (hex !== undefined) return Number.parseInt(hex, 16)
    return escaped === undefined ? plain!.charCodeAt(0) : named[escaped]!
  })
  expect(Buffer.from(bytes)).toEqual(every)
})

it('goes on while its own client is in the middle of a transaction, between replies', async () => {
  watcher.send(encodeRequest(['MULTI']))
  expect((await watcher.reply()).value).toBe('OK')
  expect(await lines(1)).toEqual(['"MULTI"'])
  await client.call('PING')
  expect(await lines(1)).toEqual(['"PING"'])
})

it('costs nothing more when the last one has left', async () => {
  await client.call('PING')
  expect(await lines(1)).toEqual(['"PING"'])
  expect(test.server.monitors.isActive).toBe(true)
  watcher.close()
  await watcher.closed
  while (test.server.monitors.isActive) await client.call('PING')
  const second = await test.connect()
  await second.call('MONITOR')
  expect(test.server.monitors.isActive).toBe(true)
  await second.call('RESET')
  expect(test.server.monitors.isActive).toBe(false)
})

it('who watches and does not read is closed before it costs much more than 64 MiB', async () => {
  const deaf = connect({ port: test.port, host: '127.0.0.1' })
  deaf.on('error', () => {})
  deaf.pause()
  deaf.write(encodeRequest(['MONITOR']))
  const left = new Promise<void>((resolve) => deaf.on('close', () => resolve()))
  while ([...test.server.clients()].filter((it) => it.isMonitor).length < 2) await client.call('PING')
  watcher.close()
  const big = Buffer.alloc(4 * 1024 * 1024, 'x')
  for (let i = 0; i < 40 && test.server.monitors.isActive; i++) await client.call('ECHO', big)
  expect(test.server.monitors.isActive).toBe(false)
  expect(test.log.join('\n')).toContain('overcoming of output buffer limits')
  deaf.resume()
  await left
})

it('a large binary value stalls nobody', () => {
  let shown = 0
  const monitor = new Monitor()
  const output = { pendingBytes: 0 }
  monitor.add({ output, pushBehind: (line: Buffer) => void (shown = line.length) } as unknown as Connection)
  const shower = { database: 0, peer: { address: '', isUnix: false } } as unknown as Connection
  const value = randomBytes(20 * 1024 * 1024)
  const before = process.cpuUsage()
  monitor.feed(shower, test.server.commands.get('SET')!, argsOf('SET', 'k', value), Date.now())
  const { user, system } = process.cpuUsage(before)
  expect(shown).toBeGreaterThan(2 * value.length)
  expect((user + system) / 1000).toBeLessThan(2000) // with a regular expression it was 2.2 s for each 10 MiB
})

it('a value too large to be shown closes who watches and harms nobody else', async () => {
  const value = Buffer.alloc(140 * 1024 * 1024, 0x01) // to replace as many bytes in a string crashes V8
  expect(await client.call('STRLEN', 'k')).toBe(0)
  await lines(1)
  client.send(encodeRequest(['EXISTS', 'k', value]))
  await watcher.closed
  expect((await client.reply()).value).toBe(0)
  expect(test.server.monitors.isActive).toBe(false)
  expect(test.log.join('\n')).toContain('overcoming of output buffer limits')
})

it('shows what follows MONITOR in the same packet, however usual it is not to look at such commands', async () => {
  const late = await test.connect()
  for (let i = 0; i < 400; i++) await late.call('PING')
  const pings = Array.from({ length: 5 }, () => encodeRequest(['PING']))
  late.send(Buffer.concat([encodeRequest(['MONITOR']), ...pings]))
  expect((await late.reply()).value).toBe('OK')
  const seen: string[] = []
  for (let i = 0; i < 10; i++) seen.push(String((await late.reply()).value))
  expect(seen.filter((line) => line.endsWith('"PING"')).length).toBe(5)
})
