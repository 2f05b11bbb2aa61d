// Security, sentence by sentence. The table names the test of each; those that were nowhere are below it.
//
// TLS is not there at all: Casky is for trusted networks, or behind something that speaks TLS, and says so when it is configured otherwise.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, test, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { sliceOf } from '../../src/base/slice.ts'
import { NO_AUTH } from '../../src/commands/command.ts'
import { commandTable } from '../../src/commands/table.ts'
import { directives } from '../../src/config/directives.ts'
import { path as pathKind } from '../../src/config/kinds.ts'
import { secretArguments } from '../../src/server/redaction.ts'
import { argsOf } from '../harness/args.ts'
import { encodeRequest, ReplyError, show } from '../harness/resp.ts'
import { projectRoot } from '../harness/server.ts'
import { startTestServer, type TestServer, type TestServerOptions } from '../server/test-server.ts'

const compared: [number, number][] = []
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>()
  const timingSafeEqual: typeof crypto.timingSafeEqual = (a, b) => {
    compared.push([a.byteLength, b.byteLength])
    return crypto.timingSafeEqual(a, b)
  }
  return { ...crypto, timingSafeEqual }
})

/** What is promised, the file and the title of the test that would fail. */
const promises: readonly (readonly [promise: string, file: string, title: string])[] = [
  ['protected mode', 'server/limits.test.ts', 'protected mode lets only local clients in'],
  ['AUTH by digests, same path', 'hostile/security.test.ts', 'every guess is compared once'],
  ['failures are counted', 'server/limits.test.ts', 'AUTH: nothing else before it'],
  ['no secret is shown', 'hostile/security.test.ts', 'a password is shown nowhere'],
  ['no secret is shown', 'server/monitor.test.ts', 'password'],
  ['no secret is shown', 'config/load.test.ts', 'a secret is not shown'],
  ['before authentication: few commands', 'hostile/security.test.ts', 'four commands before the password'],
  ['before authentication: small requests', 'resp/request.test.ts', 'before authentication: ten arguments of 16 KiB'],
  [
    'before authentication: bounded output',
    'hostile/security.test.ts',
    'who has not given the password and does not read',
  ],
  ['before authentication: a deadline', 'hostile/security.test.ts', 'who does not give the password in time'],
  ['proto-max-bulk-len', 'resp/request.test.ts', 'proto-max-bulk-len itself is legal'],
  ['query buffer, arguments, lines', 'resp/request.test.ts', 'a command over client-query-buffer-limit'],
  ['output limits', 'server/limits.test.ts', 'client-output-buffer-limit: who does not read is dropped'],
  ['a MULTI queue counts', 'server/limits.test.ts', 'a transaction counts against client-query-buffer-limit'],
  ['POST and Host: close', 'server/limits.test.ts', 'HTTP is no Redis'],
  ['POST and Host: close', 'hostile/security.test.ts', 'a line that begins with Host:'],
  ['names in a Map', 'hostile/security.test.ts', 'is a name like any other'],
  ['errors carry no raw bytes', 'hostile/security.test.ts', 'an error is one line of printable bytes'],
  ['patterns with bounded work', 'config/glob.test.ts', 'globMatch'],
  ['paths from clients', 'hostile/security.test.ts', 'no client says where a file goes'],
  ['files 0600, directory 0700', 'engine/directory.test.ts', 'files are for their owner only'],
  ['unix socket under umask', 'server/limits.test.ts', 'a unix socket, with its permissions'],
  ['TLS is absent, and says so', 'hostile/security.test.ts', 'TLS asked for is refused'],
  ['log lines escaped', 'observability/log.test.ts', 'nothing a client sends can forge a line'],
  ['log lines rate-limited', 'observability/log.test.ts', 'over and over'],
  ['no uninitialised memory', 'hostile/uninitialised.test.ts', 'reaches no file'],
  ['numbers exact, bounds first', 'hostile/security.test.ts', 'bounds are looked at before memory is taken'],
]

describe('each promise has its test', () => {
  it.each(promises)('%s: %s, %s', (_, file, title) => {
    expect(readFileSync(join(projectRoot, 'test', file), 'utf8')).toContain(title)
  })
})

let server: TestServer
afterEach(() => server?.stop())

async function start(args: readonly string[], options: TestServerOptions = {}): Promise<void> {
  server = await startTestServer({ args, ...options })
}

test('every guess is compared once, as digests, whatever its length and user', async () => {
  const { Passwords } = await import('../../src/server/passwords.ts')
  const passwords = new Passwords('the password')
  const guesses = ['', 't', 'the password', 'the passwords', 'x'.repeat(100_000)]
  for (const user of ['default', 'nobody', '']) {
    for (const guess of guesses) {
      compared.length = 0
      expect(passwords.check(user, sliceOf(guess))).toBe(user === 'default' && guess === 'the password')
      expect(compared).toEqual([[32, 32]])
    }
  }
})

test('a password is shown nowhere', async () => {
  const secret = 'pAssw0rd-of-mine'
  await start(['--requirepass', secret, '--slowlog-log-slower-than', '0', '--loglevel', 'debug'])
  const client = await server.connect()
  await client.call('AUTH', `${secret}x`)
  await client.call('AUTH', 'somebody', secret)
  await client.call('HELLO', '3', 'AUTH', 'default', secret, 'AUTH', 'default', secret, 'BAD')
  await client.call('HELLO', '2', 'AUTH', 'default', `${secret}x`)
  expect(await client.call('AUTH', secret)).toBe('OK')
  await client.call('CONFIG', 'SET', 'requirepass', `${secret}y`)
  await client.call('CONFIG', 'SET', 'maxclients', '100', 'REQUIREPASS', `${secret}z`, 'no-such', '1')
  await client.call('AUTH')
  let seen = server.log.join('\n')
  const questions = [
    'SLOWLOG GET -1',
    'INFO everything',
    'CLIENT LIST',
    'CLIENT INFO',
    'LATENCY LATEST',
    'CONFIG GET max*',
  ]
  for (const words of questions) seen += show(await client.call(...words.split(' ')))
  expect(seen).not.toContain('pAssw0rd')
  expect([...secretArguments('HELLO', argsOf('HELLO', '3', 'AUTH', 'a', 'b', 'auth', 'c', 'd'))!]).toEqual([3, 4, 6, 7])
  expect([...secretArguments('MIGRATE', argsOf('MIGRATE', 'h', '1', 'k', '0', '1', 'AUTH2', 'u', 'p'))!]).toEqual([
    7, 8,
  ])
})

test('four commands before the password, and what they may do', async () => {
  await start(['--requirepass', 'x'])
  const free = [...commandTable.byName.values()].filter(({ flags }) => (flags & NO_AUTH) !== 0).map(({ name }) => name)
  expect(free.sort()).toEqual(['AUTH', 'HELLO', 'QUIT', 'RESET'])
  const client = await server.connect()
  for (const { name, arity, subcommands } of commandTable.byName.values()) {
    // DEBUG is refused for another reason first.
    if (free.includes(name) || subcommands !== undefined || name === 'DEBUG') continue
    const reply = await client.call(name, ...Array.from({ length: Math.abs(arity) - 1 }, () => '1'))
    expect([name, show(reply).replace('EXECABORT Transaction discarded because of: ', '')]).toEqual([
      name,
      '(error) NOAUTH Authentication required.',
    ])
  }
})

test('who has not given the password and does not read is told little', async () => {
  await start(['--requirepass', 'x', '--client-output-buffer-limit', 'normal 64mb 0 0'])
  const client = await server.connect()
  client.socket.pause()
  const one = encodeRequest(['GET', 'k'])
  client.send(Buffer.concat(Array.from({ length: 400_000 }, () => one)))
  const [connection] = server.server.clients()
  let most = 0
  const other = await server.connect()
  while (!connection!.output.stuck) await other.call('PING')
  for (let i = 0; i < 50; i++) {
    await other.call('PING')
    most = Math.max(most, connection!.output.pendingBytes)
  }
  expect(most).toBeLessThan(2 * 16 * 1024)
  expect(connection!.heldBytes).toBeLessThan(256 * 1024)
})

test('who does not give the password in time is dropped, the others stay', async () => {
  let aheadMs = 0
  const clock = { ...systemClock, now: () => Date.now() + aheadMs }
  await start(['--requirepass', 'x', '--hz', '100'], { server: { clock } })
  const late = await server.connect()
  const gone = late.untilClosed()
  const known = await server.connect()
  await known.call('AUTH', 'x')
  aheadMs = 61_000
  while (server.server.clientCount > 1) await known.call('PING')
  expect((await gone).closed).toBe(true)
  expect(await known.call('PING')).toBe('PONG')
})

test('a line that begins with Host: ends the connection without a word', async () => {
  await start([])
  for (const line of ['Host: x\r\n', 'host: evil\r\nSET a 1\r\n', 'POST / HTTP/1.1\r\n']) {
    const client = await server.connect()
    client.send(Buffer.from(line))
    expect(await client.untilClosed()).toEqual({ bytes: Buffer.alloc(0), closed: true })
  }
})

describe.each([
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'valueOf',
])('%s is a name like any other', (name) => {
  it('as a command, subcommand, directive, section, key, channel, client', async () => {
    await start([])
    const client = await server.connect()
    const error = async (...words: string[]): Promise<string> => {
      const reply = await client.call(...words)
      return reply instanceof ReplyError ? reply.message : show(reply)
    }
    expect(await error(name, 'x')).toMatch(/^ERR unknown command/)
    expect(await error('CONFIG', name)).toMatch(/^ERR unknown subcommand/)
    expect(await error('CONFIG', 'SET', name, '1')).toMatch(/^ERR Unknown option/)
    expect(await client.call('CONFIG', 'GET', name)).toEqual([])
    expect(String(await client.call('INFO', name))).toBe('')
    expect(await client.call('COMMAND', 'INFO', name)).toEqual([null])
    expect(await client.call('COMMAND', 'DOCS', name)).toEqual([])
    expect(await client.call('GET', name)).toBe(null)
    expect(await client.call('SET', name, 'v')).toBe('OK')
    expect(String(await client.call('GET', name))).toBe('v')
    expect(await client.call('PUBSUB', 'NUMSUB', name)).toEqual([Buffer.from(name), 0])
    expect(await client.call('CLIENT', 'SETNAME', name)).toBe('OK')
    expect(await client.call('SUBSCRIBE', name)).toEqual([Buffer.from('subscribe'), Buffer.from(name), 1])
  })
})

test('an error is one line of printable bytes, whatever the client has sent', async () => {
  await start([])
  const hostile = Buffer.from('\r\n+OK\r\n\x1b[2J\x07\0\x7f\x80\xff', 'latin1')
  const requests: (string | Buffer)[][] = [
    [hostile],
    ['foo', hostile],
    ['CONFIG', hostile],
    ['CONFIG', 'SET', hostile, '1'],
    ['CONFIG', 'SET', 'maxclients', hostile],
    ['CLIENT', hostile],
    ['CLIENT', 'SETNAME', hostile],
    ['CLIENT', 'KILL', hostile, 'x'],
    ['HELLO', '3', hostile],
    ['INCRBY', 'k', hostile],
    ['SET', 'k', 'v', hostile],
    ['OBJECT', hostile, 'k'],
    ['DEBUG', hostile],
    ['SCAN', hostile],
    ['LATENCY', 'HISTOGRAM', hostile],
    ['COMMAND', hostile],
  ]
  for (const request of requests) {
    const client = await server.connect()
    client.send(Buffer.concat([encodeRequest(request), encodeRequest(['PING'])]))
    const { raw } = await client.reply()
    if (raw[0] === 0x2d) expect(raw.toString('latin1'), String(request[0])).toMatch(/^-[\x20-\x7e\x80-\xff]*\r\n$/)
    expect((await client.reply()).value, `after ${String(request[0])}`).toBe('PONG')
    client.close()
  }
})

test('no client says where a file goes', async () => {
  await start([])
  const client = await server.connect()
  const paths = Object.entries(directives).filter(([, row]) => (row.kind as unknown) === pathKind)
  expect(paths.length).toBeGreaterThan(2)
  for (const [name] of paths) {
    expect(show(await client.call('CONFIG', 'SET', name, '/tmp/elsewhere'))).toMatch(
      /can't set (immutable|protected) config/,
    )
  }
  for (const name of ['dbfilename', 'appenddirname', 'appendfilename', 'aclfile']) {
    expect(show(await client.call('CONFIG', 'SET', name, '../elsewhere')), name).toMatch(/error/)
  }
})

test('TLS asked for is refused, at the start and at run time', async () => {
  const { loadConfig } = await import('../../src/config/load.ts')
  const { systemFiles } = await import('../../src/config/files.ts')
  const loaded = loadConfig({ argv: ['--tls-port', '6380'], env: {}, cwd: '/', files: systemFiles })
  expect('exit' in loaded && loaded.exit).toBe(1)
  await start([])
  expect(show(await (await server.connect()).call('CONFIG', 'SET', 'tls-port', '6380'))).toMatch(/error/)
})

test('bounds are looked at before memory is taken, and numbers are exact', async () => {
  await start([])
  const client = await server.connect()
  const before = process.memoryUsage().external
  for (const command of [
    ['SETRANGE', 'k', '536870911', 'xx'],
    ['SETRANGE', 'k', '9223372036854775807', 'x'],
    ['SETBIT', 'k', '4294967296', '1'],
    ['SETBIT', 'k', '9223372036854775807', '1'],
    ['BITFIELD', 'k', 'SET', 'u8', '9223372036854775807', '1'],
    ['EXPIRE', 'k', '9223372036854775807'],
    ['INCRBY', 'k', '9223372036854775808'],
  ]) {
    expect([command[0], show(await client.call(...command)).slice(0, 7)]).toEqual([command[0], '(error)'])
  }
  expect(process.memoryUsage().external - before).toBeLessThan(64 * 1024 * 1024)
  await client.call('SET', 'n', '9223372036854775806')
  expect(await client.call('INCR', 'n')).toBe(9223372036854775807n)
  expect(show(await client.call('INCR', 'n'))).toMatch(/overflow/)
  await client.call('SET', 'n', '-9223372036854775807')
  expect(await client.call('DECR', 'n')).toBe(-9223372036854775808n)
  expect(show(await client.call('DECR', 'n'))).toMatch(/overflow/)
})
