// Two judges of the request decoder that we did not write: redis-parser (a request is also a reply: an array of bulks), and
// a real redis-server, which gets the same raw bytes and must answer what our decoder makes of them.
//
// Against the server both sides are reduced to what the decoder decides. ECHO and PING are answered by the test itself; any
// other command is just "refused" on both sides, and a protocol error must agree to the letter. Left out, because they
// are stated differences: NUL in a line (Redis waits for ever), more than 1,048,576 elements, control characters in error
// texts, and lines over 64 KiB, where Redis's answer depends on the packets.

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { skipWithout } from '../harness/programs.ts'
import { encodeRequest, parseReply, ReplyError } from '../harness/resp.ts'
import { type Server, startServer } from '../harness/server.ts'
import { decode, latin1, pieces } from './decode.ts'
import { readReplies } from './redis-parser.ts'

describe('redis-parser', () => {
  it('what both accept, both read alike', () => {
    const argument = fc.oneof(
      fc.uint8Array({ maxLength: 30 }),
      fc.constantFrom('\r\n', '$3\r\n', '*1\r\n', '').map(latin1),
    )
    const commands = fc.array(fc.array(argument, { minLength: 1, maxLength: 12 }), { maxLength: 8 })
    fc.assert(
      fc.property(commands, fc.integer({ min: 1, max: 50 }), (list, n) => {
        const stream = Buffer.concat(list.map((command) => encodeRequest(command.map((bytes) => Buffer.from(bytes)))))
        const theirs = readReplies(stream)
        expect(theirs.fatal).toBe(false)
        expect(decode(pieces(stream, n)).commands).toEqual(theirs.replies)
      }),
      { numRuns: 1000 },
    )
  })

  it('mutated requests: where both find only arrays of bulks, they are the same', () => {
    const pieceOf = fc.constantFrom(
      '*1\r\n',
      '*2\r\n',
      '$1\r\n',
      '$3\r\n',
      '$0\r\n',
      'a\r\n',
      'abc\r\n',
      '\r\n',
      '*0\r\n',
    )
    let compared = 0
    fc.assert(
      fc.property(fc.array(pieceOf, { maxLength: 14 }), (parts) => {
        const stream = latin1(`*1\r\n$1\r\nx\r\n${parts.join('')}`)
        const ours = decode([stream])
        const theirs = readReplies(stream)
        const flat = theirs.replies.every(
          (reply) => Array.isArray(reply) && reply.every((item) => Buffer.isBuffer(item)),
        )
        if (ours.error !== '' || theirs.fatal || !flat) return
        const asked = ours.commands
        const answered = theirs.replies.filter((reply) => (reply as unknown[]).length > 0)
        // Ours also knows lines; a stream that has some is not a stream of replies.
        if (asked.length !== answered.length) return
        expect(asked).toEqual(answered)
        compared++
      }),
      { numRuns: 5000 },
    )
    expect(compared).toBeGreaterThan(100)
  })
})

describe.skipIf(skipWithout('redis-server'))('redis-server', () => {
  let server: Server

  beforeAll(async () => {
    server = await startServer('redis')
  })
  afterAll(async () => {
    await server?.stop()
  })

  const REFUSED = '(refused)'

  /** What a server with our decoder would answer. */
  function ours(stream: Buffer): string[] {
    const outcome = decode(pieces(stream, 11))
    const answers = outcome.commands.map((command) => {
      const name = command[0]!.toString('latin1').toUpperCase()
      if (name === 'PING' && command.length === 1) return 'PONG'
      if (name === 'PING' && command.length === 2) return `=${command[1]!.toString('latin1')}`
      if (name === 'ECHO' && command.length === 2) return `=${command[1]!.toString('latin1')}`
      return REFUSED
    })
    return outcome.error === '' ? answers : [...answers, outcome.error]
  }

  function plain(reply: unknown): string {
    if (Buffer.isBuffer(reply)) return `=${reply.toString('latin1')}`
    if (reply instanceof ReplyError) {
      // Redis puts the byte behind `got` into its error as it is; ours becomes a space.
      return reply.message.startsWith('ERR Protocol error') ? reply.message.replace(/[^ -~]/g, ' ') : REFUSED
    }
    return String(reply)
  }

  /** What redis-server answers, up to as many answers as we expect; then whatever else it says before it closes. */
  async function theirs(stream: Buffer, expected: number): Promise<string[]> {
    const connection = await server.connect()
    const answers: string[] = []
    connection.send(stream)
    try {
      while (answers.length < expected) answers.push(plain((await connection.reply()).value))
    } catch (error) {
      answers.push(`(no answer: ${(error as Error).message})`)
      return answers
    }
    connection.socket.end()
    const { bytes } = await connection.untilClosed()
    for (let at = 0; at < bytes.length; ) {
      const next = parseReply(bytes, at)
      if (next === undefined) break
      answers.push(plain(next.value))
      at = next.end
    }
    return answers
  }

  async function compare(text: string): Promise<void> {
    const stream = latin1(text)
    const wanted = ours(stream)
    expect(await theirs(stream, wanted.length), JSON.stringify(text)).toEqual(wanted)
  }

  const streams = [
    '*abc\r\n',
    '*\r\n',
    '*+1\r\n',
    '*01\r\n',
    '*-0\r\n',
    '*-5\r\n*0\r\nPING\r\n',
    '* 1\r\n',
    '*1 \r\n',
    '*1\n$4\nPING\r\n',
    '*99999999999999999999999\r\n',
    '*9223372036854775808\r\n',
    '*-9999999999999999999\r\n',
    '*-9223372036854775807\r\nPING\r\n',
    '*-9223372036854775808\r\nPING\r\n',
    '*-9223372036854775809\r\nPING\r\n',
    '*1\r\n+PING\r\n',
    '*1\r\n\r\n',
    '*1\r\n$-1\r\n',
    '*1\r\n$\r\n',
    '*1\r\n$+4\r\n',
    '*1\r\n$04\r\n',
    '*1\r\n$4 \r\nPING\r\n',
    '*1\r\n$536870912\r\n',
    '*1\r\n$536870913\r\n',
    '*1\rX$4\rXPING\r\nPING\r\n',
    '*2\r\n$4\r\nECHO\r\n$3\r\nabcXYPING\r\n',
    '*1\r\n$0\r\n\r\nPING\r\n',
    '*1\r\n$4\r\nPING\r\n\r\n\r\nPING\r\n',
    '$4\r\nPING\r\n',
    // One byte too many and no more: bytes that Redis leaves unread when it closes could cost us its answer.
    `*${'1'.repeat(65_536)}`,
    `*1\r\n$${'1'.repeat(65_536)}`,
    'a'.repeat(65_537),
    'PING\n',
    '\n\r\n  \r\nPING\r\n',
    'PING\r\r\nPING\rx\r\n',
    'ECHO "\\x41\\n\\xZZ\\q\\x4"\r\nPING\r\n',
    'ECHO "\\r\\t\\b\\a\\\\\\""\r\n',
    "ECHO 'a\\'b\\n'\r\n",
    'ECHO a"c d"\r\nECHO ""\r\nECHO \'\'\r\n',
    'ECHO ab"c d"e\r\n',
    'SET "a\r\n',
    'SET "a"b\r\n',
    "SET 'a'b\r\n",
    "SET 'a\r\n",
    'ECHO "a\\\r\n',
    'ECHO\ta\x0bb\r\nECHO \x0b\x0ca\r\nECHO "a"\x0bb\r\n',
    'ECHO \xa0\xff\r\nECHO \x1c\r\n',
  ]
  for (const stream of streams) {
    it(JSON.stringify(stream.slice(0, 40)), () => compare(stream))
  }

  it('streams put together from what a request is made of', async () => {
    const token = fc.constantFrom(
      '*1\r\n',
      '*2\r\n',
      '*0\r\n',
      '*-1\r\n',
      '*2',
      '$4\r\n',
      '$4\r\nPING\r\n',
      '$4\r\nECHO\r\n',
      '*1\r\n$4\r\nPING\r\n',
      '*2\r\n$4\r\nECHO\r\n$3\r\na\r\n\r\n',
      '$2\r\nab\r\n',
      '$0\r\n\r\n',
      'PING',
      'ECHO ',
      'PING\r\n',
      'ab',
      ' ',
      '"',
      "'",
      '\\',
      '\\x41',
      '\r\n',
      '\r',
      '\n',
      '\t',
      '3',
      '-',
      '$',
      '*',
    )
    await fc.assert(
      fc.asyncProperty(fc.array(token, { minLength: 1, maxLength: 16 }), (parts) => {
        const text = parts.join('')
        return compare(text)
      }),
      { numRuns: 400 },
    )
  })

  it('before authentication', async () => {
    const locked = await startServer('redis', { password: 'pw' })
    try {
      for (const text of ['*11\r\n', '*1\r\n$16385\r\n']) {
        const connection = await locked.connect()
        connection.send(text)
        const reply = await connection.reply()
        expect((reply.value as ReplyError).message).toBe(decode([latin1(text)], { authenticated: false }).error)
        await connection.untilClosed()
      }
    } finally {
      await locked.stop()
    }
  })
})
