// A bug: an exception that nobody catches ends the server. What it has acknowledged is there at the next start.

import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ConnectionClosed } from '../harness/connection.ts'
import { encodeRequest } from '../harness/resp.ts'
import { startServer } from '../harness/server.ts'

/** A bug for the server's process: it throws when the program asks for it. */
const BUG = `data:text/javascript,process.on('SIGUSR2', () => setImmediate(() => { throw new Error('planted') }))`

test('a bug under load ends the server, and nothing acknowledged is lost; no image is believed afterwards', async () => {
  const args = ['--appendfsync', 'everysec', '--segment-size', '1mb']
  const server = await startServer('casky', { args, env: { NODE_OPTIONS: `--import="${BUG}"` } })
  const connection = await server.connect()
  const acknowledged: number[] = []
  const value = 'v'.repeat(200)
  const work = async (): Promise<void> => {
    for (let i = 0; ; i += 100) {
      const requests = Array.from({ length: 100 }, (_, n) => encodeRequest(['SET', `k${i + n}`, value]))
      connection.send(Buffer.concat(requests))
      for (let n = 0; n < 100; n++) {
        if ((await connection.reply()).value === 'OK') acknowledged.push(i + n)
      }
      if (acknowledged.length === 5000) server.child.kill('SIGUSR2')
    }
  }
  await expect(work()).rejects.toThrow(ConnectionClosed)
  const { code } = await server.child.exited
  expect([code, server.child.output().includes('Bug, exiting: Error: planted')]).toEqual([1, true])
  expect(readdirSync(server.dir).filter((name) => name.includes('image'))).toEqual([])

  const again = await startServer('casky', { args, dir: server.dir })
  const reader = await again.connect()
  expect(acknowledged.length).toBeGreaterThanOrEqual(5000)
  for (let i = 0; i < acknowledged.length; i += 1000) {
    const keys = acknowledged.slice(i, i + 1000).map((n) => `k${n}`)
    expect(await reader.call('EXISTS', ...keys)).toBe(keys.length)
  }
  await again.stop()
})
