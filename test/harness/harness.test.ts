// The judges' own tools: a reader of replies that is wrong would pass what is wrong.

import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { run } from './child.ts'
import { keyOf, loadedValue, loadKeys } from './loader.ts'
import { skipWithout } from './programs.ts'
import { encodeRequest, parseReply, ReplyError, ReplyMap, ReplyPush, show } from './resp.ts'
import { startServer } from './server.ts'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

describe('the reply reader', () => {
  const samples = [
    '+OK\r\n',
    '-ERR no\r\n',
    ':-42\r\n',
    '$5\r\nab\r\nc\r\n',
    '$0\r\n\r\n',
    '$-1\r\n',
    '*-1\r\n',
    '*0\r\n',
    '*3\r\n:1\r\n$1\r\nx\r\n*1\r\n+y\r\n',
  ]

  it('agrees with redis-parser on RESP2, at every cut', () => {
    type Options = { returnReply(v: unknown): void; returnError(e: Error): void; returnBuffers: boolean }
    const Parser = createRequire(import.meta.url)('redis-parser') as new (o: Options) => { execute(b: Buffer): void }
    const plain = (value: unknown): unknown => {
      if (Buffer.isBuffer(value)) return value.toString('latin1')
      if (value instanceof ReplyError || value instanceof Error) return { error: value.message }
      return Array.isArray(value) ? value.map(plain) : value
    }
    for (const sample of samples) {
      const whole = bytes(sample)
      let theirs: unknown
      new Parser({
        returnReply: (value) => (theirs = value),
        returnError: (error) => (theirs = error),
        returnBuffers: true,
      }).execute(whole)
      const ours = parseReply(whole)
      expect(ours?.end).toBe(whole.length)
      expect(plain(ours?.value)).toEqual(plain(theirs))
      for (let cut = 0; cut < whole.length; cut++) expect(parseReply(whole.subarray(0, cut))).toBeUndefined()
    }
  })

  it('reads what RESP3 adds', () => {
    const read = (text: string): unknown => parseReply(bytes(text))?.value
    expect(read('_\r\n')).toBeNull()
    expect(read('#t\r\n')).toBe(true)
    expect(read(',1.5\r\n')).toBe(1.5)
    expect(read('(12345678901234567890\r\n')).toBe(12345678901234567890n)
    expect(read('=6\r\ntxt:ab\r\n')).toEqual(bytes('ab'))
    expect(read('%1\r\n+k\r\n:1\r\n')).toEqual(new ReplyMap([['k', 1]]))
    expect(read('>1\r\n+m\r\n')).toEqual(new ReplyPush(['m']))
    expect(read('!5\r\nERR x\r\n')).toEqual(new ReplyError('ERR x'))
  })

  it('refuses what is no reply', () => {
    expect(() => parseReply(bytes('?\r\n'))).toThrow('not a reply')
    expect(() => parseReply(bytes('$1\r\nabc'))).toThrow('CRLF')
    expect(() => parseReply(bytes(':x\r\n'))).toThrow('not an integer')
  })

  it('shows replies in one line', () => {
    expect(show([1, null, bytes('x'), new ReplyError('E')])).toBe('[1, (nil), "x", (error) E]')
  })
})

it('encodes a request as an array of bulk strings', () => {
  expect(encodeRequest(['SET', 'k', bytes('\x00\xff'), 7]).toString('latin1')).toBe(
    '*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\x00\xff\r\n$1\r\n7\r\n',
  )
})

it('runs a program to its end and keeps what it said', async () => {
  const result = await run(process.execPath, ['-e', 'process.stdin.pipe(process.stdout); process.exitCode = 3'], {
    input: 'hello',
  })
  expect(result).toMatchObject({ code: 3, stdout: 'hello' })
})

describe.skipIf(skipWithout('redis-server'))('a server', () => {
  it('starts, answers, and stops', async () => {
    const server = await startServer('redis')
    const connection = await server.connect()
    expect(await connection.call('SET', 'k', 'v')).toBe('OK')
    expect(await connection.call('GET', 'k')).toEqual(bytes('v'))
    connection.send('NONSENSE\r\nPING\r\n')
    expect((await connection.reply()).value).toBeInstanceOf(ReplyError)
    expect((await connection.reply()).raw.toString()).toBe('+PONG\r\n')
    connection.close()
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })

  it('is filled by the loader, in order or scattered, with values that name their keys', async () => {
    const server = await startServer('redis')
    await loadKeys({ port: server.port, count: 2500, valueBytes: 20 })
    const connection = await server.connect()
    expect(await connection.call('DBSIZE')).toBe(2500)
    await connection.call('FLUSHALL')
    await loadKeys({ port: server.port, count: 2500, valueBytes: 20, stride: 7919 })
    expect(await connection.call('DBSIZE')).toBe(2500)
    expect(await connection.call('GET', keyOf(2499))).toEqual(bytes(loadedValue(2499, 20)))
    expect(loadedValue(2499, 20)).toBe('000000002499vvvvvvvv')
    await connection.call('CONFIG', 'SET', 'requirepass', 'x')
    await expect(loadKeys({ port: server.port, count: 10, valueBytes: 20 })).rejects.toThrow('refused')
    await server.stop()
  })

  it('that cannot start says why', async () => {
    await expect(startServer('redis', { args: ['--no-such-directive', '1'] })).rejects.toThrow('FATAL CONFIG')
  })
})
