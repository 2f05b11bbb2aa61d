// Arguments larger than a string may be. V8's limit is 512 MB, so here a slice refuses to become a string from 1 MiB on.

import { constants } from 'node:buffer'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { MAX_KEY_BYTES } from '../../src/base/limits.ts'
import { Slice } from '../../src/base/slice.ts'
import { GATE_LOADING, NONE } from '../../src/engine/engine.ts'
import type { RawConnection } from '../harness/connection.ts'
import { encodeRequest, ReplyError } from '../harness/resp.ts'
import { startTestServer, type TestServer } from './test-server.ts'

const huge = Buffer.alloc(MAX_KEY_BYTES + 1, 'a')
const shown = 'a'.repeat(128)

let it: TestServer
let client: RawConnection
beforeEach(async () => {
  it = await startTestServer()
  client = await it.connect()
  const { key } = Slice.prototype
  vi.spyOn(Slice.prototype, 'key').mockImplementation(function (this: Slice) {
    if (this.length > MAX_KEY_BYTES) {
      const error = new Error('Cannot create a string longer than 0x1fffffe8 characters')
      throw Object.assign(error, { code: 'ERR_STRING_TOO_LONG' })
    }
    return key.call(this)
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  it.stop()
})

const said = async (...words: (string | Buffer)[]): Promise<string> => {
  const reply = await client.call(...words)
  return reply instanceof ReplyError ? reply.message : String(reply)
}

test.each([
  [[huge], `ERR unknown command '${shown}', with args beginning with: `],
  [['NOPE', huge, huge], `ERR unknown command 'NOPE', with args beginning with: '${shown}' `],
  [['CLIENT', huge], `ERR unknown subcommand '${shown}'. Try CLIENT HELP.`],
  [['CONFIG', huge, 'x'], `ERR unknown subcommand '${shown}'. Try CONFIG HELP.`],
  [['CLIENT', 'LIST', 'TYPE', huge], `ERR Unknown client type '${shown}'`],
  [['CLIENT', 'KILL', 'USER', huge], `ERR No such user '${shown}'`],
  [['CLIENT', 'SETINFO', huge, 'x'], `ERR Unrecognized option '${shown}'`],
  [['HELLO', '3', huge], `ERR Syntax error in HELLO option '${shown}'`],
  [['SCAN', huge], 'ERR invalid cursor'],
  [['INFO', huge], ''],
  [['FUNCTION', 'LOAD', huge], 'ERR Missing library metadata'],
  [['COMMAND', 'GETKEYS', huge, 'x'], 'ERR Invalid command specified'],
  [['DEBUG', huge], expect.stringContaining('DEBUG command not allowed')],
])('one oversized word does not kill the server: case %#', async (words, answer) => {
  expect(await said(...words)).toEqual(answer)
  expect(await said('PING')).toBe('PONG')
})

const tooLong = 'ERR an argument is too long: this command takes 536870888 bytes at most'

test.each([
  [['SUBSCRIBE', huge]],
  [['PUBLISH', huge, 'x']],
  [['CONFIG', 'GET', huge]],
  [['CLIENT', 'SETNAME', huge]],
  [['EXPIRE', 'k', '1', huge]],
])('a name longer than a string is refused, and is no mistake of ours: case %#', async (words) => {
  await said('SET', 'k', 'v')
  expect(await said(...words)).toBe(tooLong)
  expect(await said('PING')).toBe('PONG')
  expect(it.log.join('\n')).not.toContain('Bug')
})

test('in EXEC it costs only that command its reply', async () => {
  for (const words of [['MULTI'], ['SET', 'k', 'v'], ['PUBLISH', huge, 'x'], ['GET', 'k'], ['EXEC']])
    client.send(encodeRequest(words))
  const queued = [await client.reply(), await client.reply(), await client.reply(), await client.reply()]
  expect(queued.map(({ value }) => value)).toEqual(['OK', 'QUEUED', 'QUEUED', 'QUEUED'])
  const [ok, error, value] = (await client.reply()).value as [string, ReplyError, Buffer]
  expect([ok, error.message, String(value)]).toEqual(['OK', tooLong, 'v'])
})

test('what V8 says of a string that is too long is what we look for', () => {
  expect(() => Buffer.alloc(constants.MAX_STRING_LENGTH + 1).toString('latin1')).toThrow(
    expect.objectContaining({ code: 'ERR_STRING_TOO_LONG' }),
  )
})

test('a client that tracks may ask for a key larger than any', async () => {
  await client.call('HELLO', '3')
  await client.call('CLIENT', 'TRACKING', 'ON')
  it.engine.find = () => NONE
  it.engine.inMemory = () => true
  expect(await client.call('GET', huge)).toBeNull()
  expect(await said('PING')).toBe('PONG')
  expect(it.server.tracking.keyCount).toBe(0)
})

test('a mistake of ours around a handler ends one connection', async () => {
  const other = await it.connect()
  it.engine.gate = GATE_LOADING
  Object.defineProperty(it.engine, 'gateMessage', {
    get: () => {
      throw new Error('a mistake')
    },
  })
  client.send(Buffer.from('*2\r\n$3\r\nGET\r\n$1\r\na\r\n'))
  await client.closed
  it.engine.gate = 0
  expect(await other.call('PING')).toBe('PONG')
  expect(it.log.join('\n')).toContain('a mistake')
})
