// A second server, started by mistake with the settings of one that runs: it is refused, and the first one does not feel it.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { RawConnection } from '../harness/connection.ts'
import { freePort, launch, type Server, startServer } from '../harness/server.ts'

let home: string
let first: Server
const path = (name: string): string => join(home, name)

function start(socket: string): Promise<Server> {
  const args = ['--unixsocket', path(socket), '--pidfile', path('pid'), '--disk-reserve', '0']
  return startServer('casky', { dir: path('data'), args })
}

/** Another server in that directory, until it has ended; what it said. */
async function startAnother(socket: string, dir = 'data'): Promise<string> {
  const args = ['--unixsocket', path(socket), '--pidfile', path('pid'), '--disk-reserve', '0']
  const second = await launch('casky', await freePort(), path(dir), { args })
  expect((await second.exited).code).toBe(1)
  return second.output()
}

async function ping(socket: string): Promise<unknown> {
  const client = await RawConnection.open({ path: path(socket) })
  const reply = await client.call('PING')
  client.close()
  return reply
}

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'casky-second-'))
  first = await start('socket')
})
afterEach(async () => {
  await first.crash()
  rmSync(home, { recursive: true })
})

it('a second server that is refused leaves the unix socket of the first alone', async () => {
  const said = await startAnother('socket')
  expect(said).toContain('Failed opening Unix socket: bind: Address already in use')
  expect(said).toContain(`Failed opening Unix socket ${path('socket')}, aborting.`)
  expect(await ping('socket')).toBe('PONG')
  // Also one with a directory of its own.
  expect(await startAnother('socket', 'other')).toContain('bind: Address already in use')
  expect(await ping('socket')).toBe('PONG')
})

it('a second server that is refused leaves the pidfile of the first alone', async () => {
  expect(await startAnother('another-socket')).toContain('is in use by another process')
  expect(readFileSync(path('pid'), 'latin1')).toBe(`${first.child.pid}\n`)
  await first.halt()
  expect(existsSync(path('pid'))).toBe(false)
})

it('the unix socket and the pidfile of a server that was killed are taken over', async () => {
  await first.crash()
  expect(existsSync(path('socket'))).toBe(true)
  first = await start('socket')
  expect(await ping('socket')).toBe('PONG')
  expect(readFileSync(path('pid'), 'latin1')).toBe(`${first.child.pid}\n`)
})
