// The image's health check against real servers of ours and against peers that are none.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Run, run } from '../harness/child.ts'
import { projectRoot, type Server, startServer } from '../harness/server.ts'

const script = join(projectRoot, 'docker', 'healthcheck.mjs')
const NOTHING = {
  CASKY_PORT: undefined,
  CASKY_UNIXSOCKET: undefined,
  CASKY_REQUIREPASS: undefined,
  CASKY_REQUIREPASS_FILE: undefined,
  REDIS_PORT_NUMBER: undefined,
  REDIS_PASSWORD: undefined,
  REDIS_PASSWORD_FILE: undefined,
}

function checkOnce(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  return run(process.execPath, [script, ...args], { env: { ...NOTHING, ...env } })
}

/** The same, on a machine however busy: four seconds may be short there. */
async function check(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  for (let left = 10; ; left--) {
    const result = await checkOnce(args, env)
    if (left === 0 || !/no answer within/.test(result.stdout + result.stderr)) return result
  }
}

const folder = mkdtempSync(join(tmpdir(), 'casky-health-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a server without a password', () => {
  let server: Server
  const unixSocket = join(folder, 'casky.sock')

  beforeAll(async () => {
    server = await startServer('casky', { args: ['--unixsocket', unixSocket] })
  })
  afterAll(() => server.stop())

  test('is healthy, however it is named', async () => {
    expect(await check(['127.0.0.1', String(server.port)])).toMatchObject({ code: 0, stderr: '' })
    expect(await check([], { CASKY_PORT: String(server.port) })).toMatchObject({ code: 0, stderr: '' })
    expect(await check([], { REDIS_PORT_NUMBER: String(server.port) })).toMatchObject({ code: 0 })
    expect(await check([], { CASKY_PORT: 'tcp://10.0.0.1:1', REDIS_PORT_NUMBER: String(server.port) })).toMatchObject({
      code: 0,
    })
    expect(await check([unixSocket])).toMatchObject({ code: 0 })
    expect(await check([], { CASKY_PORT: '0', CASKY_UNIXSOCKET: unixSocket })).toMatchObject({ code: 0 })
  })

  test('a password too many does no harm', async () => {
    expect(await check([], { CASKY_PORT: String(server.port), CASKY_REQUIREPASS: 'x' })).toMatchObject({ code: 0 })
  })
})

describe('a server with a password', () => {
  const password = 'pä$$ "word"'
  let server: Server

  beforeAll(async () => {
    server = await startServer('casky', { args: ['--requirepass', password], password })
  })
  afterAll(() => server.stop())

  test('is healthy for who knows it, from variable or file', async () => {
    const file = join(folder, 'password')
    writeFileSync(file, `${password}\n`)
    for (const env of [
      { CASKY_REQUIREPASS: password },
      { CASKY_REQUIREPASS_FILE: file },
      { REDIS_PASSWORD: password },
      { REDIS_PASSWORD_FILE: file },
    ]) {
      expect(await check(['127.0.0.1', String(server.port)], env)).toMatchObject({ code: 0, stderr: '' })
    }
  })

  test('is healthy when the password and the port stand only where the server has them', async () => {
    const conf = join(folder, 'casky.conf')
    writeFileSync(conf, `port ${server.port}\nrequirepass ${JSON.stringify(password)}\n`)
    const cmdline = join(folder, 'cmdline')
    for (const words of [
      ['node', '/app/dist/main.js', conf],
      ['node', '/app/dist/main.js', '--port', String(server.port), '--requirepass', password],
      ['/sbin/docker-init', '--', '/app/docker/entrypoint.sh', 'redis-server', conf, '--maxclients', '100'],
    ]) {
      writeFileSync(cmdline, words.map((word) => `${word}\0`).join(''))
      const env = { CASKY_TEST_CMDLINE: cmdline, CASKY_TIMEOUT: '5' }
      expect(await check([], env)).toMatchObject({ code: 0, stderr: '' })
    }
    writeFileSync(cmdline, ['/bin/init', conf].map((word) => `${word}\0`).join(''))
    const other = await check([], { CASKY_TEST_CMDLINE: cmdline, CASKY_PORT: String(server.port) })
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('wants a password') })
  })

  test('is not for who does not', async () => {
    const args = ['127.0.0.1', String(server.port)]
    expect(await check(args)).toMatchObject({ code: 1, stderr: expect.stringContaining('wants a password') })
    const wrong = await check(args, { CASKY_REQUIREPASS: 'wrong' })
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('WRONGPASS') })
    const missing = await check(args, { CASKY_REQUIREPASS_FILE: join(folder, 'missing') })
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('ENOENT') })
  })
})

describe('what is no healthy server', () => {
  let peer: NetServer
  let answer: (socket: Socket) => void = () => {}
  let port = ''

  beforeAll(async () => {
    peer = createServer((socket) => {
      socket.on('error', () => {}).resume() // unread bytes would keep it open
      answer(socket)
    })
    await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve))
    port = String((peer.address() as AddressInfo).port)
  })
  afterAll(() => new Promise((resolve) => peer.close(resolve)))

  test.each([
    ['still loading', '-LOADING Redis is loading the dataset in memory\r\n', 'LOADING'],
    ['no Redis', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'protocol'],
    ['another answer', '+PANG\r\n', 'unexpected'],
    ['an end', '', 'closed'],
  ])('%s', async (_, reply, reason) => {
    answer = (socket) => socket.end(reply)
    expect(await check(['127.0.0.1', port])).toMatchObject({ code: 1, stderr: expect.stringContaining(reason) })
  })

  test('nobody there', async () => {
    const closed = createServer()
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
    const free = String((closed.address() as AddressInfo).port)
    await new Promise((resolve) => closed.close(resolve))
    expect(await check(['127.0.0.1', free])).toMatchObject({ code: 1, stderr: expect.stringContaining('ECONNREFUSED') })
  })

  test('silence', async () => {
    answer = () => {}
    expect(await checkOnce(['127.0.0.1', port])).toMatchObject({ code: 1, stderr: 'no answer within 4000 ms\n' })
  })
})
