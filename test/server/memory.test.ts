// MEMORY: its figures follow what happens. What its commands answer to wrong words is the conformance suite's matter.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { BUFFER_BYTES } from '../../src/server/buffer-pool.ts'
import type { RawConnection } from '../harness/connection.ts'
import { encodeRequest, type Reply } from '../harness/resp.ts'
import { type Server, startServer } from '../harness/server.ts'
import { startTestServer } from './test-server.ts'

let server: Server
let client: RawConnection
beforeAll(async () => {
  server = await startServer('casky')
  client = await server.connect()
})
afterAll(async () => {
  client?.close()
  await server?.stop()
})

/** MEMORY STATS as names and figures. */
async function stats(): Promise<Map<string, number>> {
  const flat = (await client.call('MEMORY', 'STATS')) as Reply[]
  return new Map(
    flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), Number(String(flat[i + 1]))] as [string, number]] : [])),
  )
}

test('MEMORY STATS counts keys, and what they take', async () => {
  const before = await stats()
  const COUNT = 20_000
  const requests = Array.from({ length: COUNT }, (_, i) => encodeRequest(['SET', `a key of some length ${i}`, 'v']))
  client.send(Buffer.concat(requests))
  for (const _ of requests) await client.reply()
  const after = await stats()
  expect(after.get('keys.count')! - before.get('keys.count')!).toBe(COUNT)
  const keydir = after.get('casky.keydir.bytes')! - before.get('casky.keydir.bytes')!
  // Keys of some 26 bytes: with entry and index between 50 and 100 each, pages and tables being filled or not.
  expect(keydir / COUNT).toBeGreaterThan(40)
  expect(keydir / COUNT).toBeLessThan(150)
  expect(after.get('total.allocated')!).toBeGreaterThan(after.get('dataset.bytes')!)
  expect(after.get('dataset.bytes')!).toBeGreaterThanOrEqual(after.get('casky.keydir.bytes')!)
  for (const [name, figure] of after) if (!name.startsWith('db.')) expect(figure, name).not.toBeNaN()
})

test('MEMORY USAGE grows with the key, the value and a time to live', async () => {
  const usage = async (key: string): Promise<number> => Number(await client.call('MEMORY', 'USAGE', key))
  await client.call('SET', 'k', 'v')
  const small = await usage('k')
  await client.call('SET', 'k', Buffer.alloc(1000))
  expect((await usage('k')) - small).toBe(999)
  await client.call('EXPIRE', 'k', 100)
  expect((await usage('k')) - small).toBeGreaterThan(999)
  await client.call('SET', 'kk', 'v')
  expect((await usage('kk')) - small).toBe(1)
})

test('MEMORY PURGE gives back idle reply buffers', async () => {
  const inside = await startTestServer()
  const one = await inside.connect()
  for (let i = 0; i < 20; i++) inside.server.buffers.give(Buffer.alloc(BUFFER_BYTES))
  expect(inside.server.buffers.bytes).toBeGreaterThan(10 * BUFFER_BYTES)
  expect(await one.call('MEMORY', 'PURGE')).toBe('OK')
  expect(inside.server.buffers.bytes).toBeLessThanOrEqual(BUFFER_BYTES) // that of this reply
  inside.stop()
})

test('MEMORY DOCTOR and MALLOC-STATS say something', async () => {
  expect(String(await client.call('MEMORY', 'DOCTOR'))).toMatch(/^No problem found| \* /)
  expect(String(await client.call('MEMORY', 'MALLOC-STATS'))).toMatch(/^resident: \d+\n[\s\S]*keydir: \d+\n/)
})

test('LOLWUT draws and tells both versions', async () => {
  expect(String(await client.call('LOLWUT'))).toMatch(
    /=\|.*\n[\s\S]*Casky ver\. \d+\.\d+\.\d+ \(Redis ver\. 7\.2\.0\)\n$/,
  )
  expect(String(await client.call('LOLWUT', 'VERSION', '5'))).toContain('Casky ver.')
})
