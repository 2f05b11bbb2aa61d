// SHUTDOWN and the signals end a server, so each needs one of its own: what the client sees and the exit code, Casky's
// against redis-server's. And what was written is there after the next start.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { skipWithout } from '../harness/programs.ts'
import { encodeRequest } from '../harness/resp.ts'
import { type Kind, type Server, startServer } from '../harness/server.ts'

const ways: ReadonlyArray<readonly [string, (server: Server) => Promise<string>]> = [
  ['SHUTDOWN', (server) => byCommand(server, 'SHUTDOWN')],
  ['SHUTDOWN NOSAVE', (server) => byCommand(server, 'SHUTDOWN', 'NOSAVE')],
  ['SHUTDOWN SAVE', (server) => byCommand(server, 'SHUTDOWN', 'SAVE')],
  ['SHUTDOWN NOW FORCE', (server) => byCommand(server, 'SHUTDOWN', 'NOW', 'FORCE')],
  ['SIGTERM', (server) => bySignal(server, 'SIGTERM')],
  ['SIGINT', (server) => bySignal(server, 'SIGINT')],
]

async function byCommand(server: Server, ...words: string[]): Promise<string> {
  const client = await server.connect()
  client.send(encodeRequest(words))
  const { bytes, closed } = await client.untilClosed()
  const exit = await server.child.exited
  return `${bytes.toString('latin1')} closed ${closed} exit ${exit.code}`
}

async function bySignal(server: Server, signal: NodeJS.Signals): Promise<string> {
  const client = await server.connect()
  await client.call('PING')
  server.child.kill(signal)
  const { bytes, closed } = await client.untilClosed()
  const exit = await server.child.exited
  return `${bytes.toString('latin1')} closed ${closed} exit ${exit.code}`
}

async function end(kind: Kind, way: (server: Server) => Promise<string>): Promise<string> {
  const server = await startServer(kind)
  try {
    return await way(server)
  } finally {
    await server.stop()
  }
}

describe.skipIf(skipWithout('redis-server'))('ending as redis-server ends', () => {
  it.each(ways)('%s', async (_, way) => {
    const [casky, redis] = [await end('casky', way), await end('redis', way)]
    expect(casky).toBe(redis)
    expect(casky).toBe(' closed true exit 0')
  })
})

// A start of its own before and after each: only before a release all ways.
const some = process.env['CASKY_TEST_FULL'] === '1' ? ways : ways.slice(3, 5)

it.each(some)('what was written before %s is there afterwards', async (_, way) => {
  const dir = mkdtempSync(join(tmpdir(), 'casky-shutdown-'))
  try {
    const before = await startServer('casky', { dir })
    const client = await before.connect()
    const requests = Array.from({ length: 1000 }, (_, i) => encodeRequest(['SET', `k${i}`, i]))
    client.send(Buffer.concat(requests))
    for (const _ of requests) expect((await client.reply()).value).toBe('OK')
    await way(before)
    const after = await startServer('casky', { dir })
    const reader = await after.connect()
    expect(await reader.call('DBSIZE')).toBe(1000)
    expect(await reader.call('GET', 'k999')).toEqual(Buffer.from('999'))
    await after.stop()
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
