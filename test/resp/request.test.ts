// The request decoder against its definition: the same commands however the stream is cut, Redis's error texts, limits that
// hold before anything is allocated.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { INVALID, MAX_ARGUMENTS, MORE, READY, RequestDecoder } from '../../src/resp/request.ts'
import { encodeRequest } from '../harness/resp.ts'
import { cutAt, decode, defaultLimits, latin1, type Outcome, pieces, texts } from './decode.ts'

const KIB = 1024
const MIB = 1024 * 1024

/** What a client sees of it. */
function seen(outcome: Outcome): unknown {
  return { commands: texts(outcome), error: outcome.error }
}

function one(stream: string, options = {}): Outcome {
  return decode([latin1(stream)], options)
}

const streams: Record<string, string> = {
  'arrays of bulks': '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n',
  'binary arguments': '*2\r\n$4\r\nECHO\r\n$8\r\n\r\n$1\r\n\0\xff\r\n',
  'empty arguments': '*3\r\n$3\r\nSET\r\n$0\r\n\r\n$0\r\n\r\nPING\r\n',
  'two and three digits': `*2\r\n$4\r\nECHO\r\n$12\r\nhello, world\r\n*2\r\n$4\r\nECHO\r\n$100\r\n${'y'.repeat(100)}\r\n`,
  'ten arguments and more': `*12\r\n${'$1\r\na\r\n'.repeat(12)}PING\r\n`,
  'arrays of nothing': '*0\r\n*-1\r\n*-7\r\nPING\r\n',
  'lines, empty ones too': 'PING\r\n\r\n\n  \r\n SET  k\tv \nGET k\r\n',
  quotes: `SET "a b" 'c d'\r\nECHO "\\x41\\n\\"" x'y'\r\n`,
  'lines between arrays': 'PING\r\n*1\r\n$4\r\nPING\r\nPING\r\n*1\r\n$4\r\nPING\r\n',
  'bytes behind a bulk unseen': '*2\r\n$4\r\nECHO\r\n$3\r\nabcXYPING\r\n',
  'bytes behind CR unseen': '*1\rX$4\rXPING\r\n',
  'an error at the end': '*1\r\n$4\r\nPING\r\n*x\r\n',
  'quotes that stay open': 'PING\r\nSET "a\r\nPING\r\n',
  'half a command': '*2\r\n$4\r\nECHO\r\n$10\r\nabc',
}

describe('cuts', () => {
  for (const [name, text] of Object.entries(streams)) {
    const stream = latin1(text)
    const whole = seen(decode([stream]))
    it(`${name}: cut anywhere once`, () => {
      for (let i = 0; i <= stream.length; i++) expect(seen(decode(cutAt(stream, i))), `cut at ${i}`).toEqual(whole)
    })
    it(`${name}: cut anywhere twice`, () => {
      for (let i = 0; i <= stream.length; i++) {
        for (let j = i; j <= stream.length; j++) {
          const cut = seen(decode(cutAt(stream, i, j)))
          if (JSON.stringify(cut) !== JSON.stringify(whole)) expect(cut, `cut at ${i} and ${j}`).toEqual(whole)
        }
      }
    })
    it(`${name}: byte by byte and in small pieces`, () => {
      for (let n = 1; n <= 9; n++) expect(seen(decode(pieces(stream, n))), `pieces of ${n}`).toEqual(whole)
    })
  }

  it('any commands with any bytes, cut anywhere', () => {
    const argument = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.uint8Array({ minLength: 90, maxLength: 110 }),
      fc.integer({ min: 1000, max: 40_000 }).map((n) => new Uint8Array(n).fill(n)),
    )
    const commands = fc.array(fc.array(argument, { minLength: 1, maxLength: 14 }), { maxLength: 12 })
    fc.assert(
      fc.property(
        commands,
        fc.array(fc.nat(), { maxLength: 6 }),
        fc.integer({ min: 1, max: 70_000 }),
        (list, cuts, n) => {
          const wanted = list.map((command) => command.map((bytes) => Buffer.from(bytes)))
          const stream = Buffer.concat(wanted.map((command) => encodeRequest(command)))
          const positions = cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b)
          for (const packets of [[stream], cutAt(stream, ...positions), pieces(stream, n)]) {
            const outcome = decode(packets)
            expect(outcome.error).toBe('')
            expect(outcome.commands.length).toBe(wanted.length)
            outcome.commands.forEach((command, i) => {
              expect(Buffer.concat(command).equals(Buffer.concat(wanted[i]!))).toBe(true)
              expect(command.map((bytes) => bytes.length)).toEqual(wanted[i]!.map((bytes) => bytes.length))
            })
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  it('a command is there with its last byte and not before', () => {
    for (const stream of ['*1\r\n$4\r\nPING\r\n', '*2\r\n$4\r\nECHO\r\n$0\r\n\r\n', 'PING\r\n']) {
      expect(one(stream).commands.length).toBe(1)
      for (let n = 0; n < stream.length; n++) expect(one(stream.slice(0, n)).commands.length, `${n} bytes`).toBe(0)
    }
  })

  it('a client that is paused: packets pile up undecoded and are all there afterwards', () => {
    const command = encodeRequest(['SET', 'key', 'v'.repeat(500)])
    const stream = Buffer.concat(Array.from({ length: 300 }, () => command))
    const decoder = new RequestDecoder({ ...defaultLimits })
    let count = 0
    let fed = 0
    for (const packet of pieces(stream, 7777)) {
      decoder.feed(packet, 0, packet.length)
      if (++fed % 5 !== 0) for (let i = 0; i < 3 && decoder.next() === READY; i++) count++
      decoder.keep()
    }
    while (decoder.next() === READY) {
      count++
      expect(decoder.args.at(2).length).toBe(500)
    }
    expect(count).toBe(300)
    expect(decoder.heldBytes).toBeLessThan(KIB)
  })
})

describe('what is said to whom breaks the protocol', () => {
  const table: [stream: string, error: string][] = [
    ['*abc\r\n', 'invalid multibulk length'],
    ['*\r\n', 'invalid multibulk length'],
    ['*+1\r\n', 'invalid multibulk length'],
    ['*01\r\n', 'invalid multibulk length'],
    ['*-0\r\n', 'invalid multibulk length'],
    ['* 1\r\n', 'invalid multibulk length'],
    ['*1 \r\n', 'invalid multibulk length'],
    ['*1\n$4\nPING\r\n', 'invalid multibulk length'],
    ['*9999999999\r\n', 'invalid multibulk length'],
    ['*99999999999999999999999\r\n', 'invalid multibulk length'],
    ['*-99999999999999999999\r\n', 'invalid multibulk length'],
    [`*${MAX_ARGUMENTS + 1}\r\n`, 'invalid multibulk length'],
    [`*${'1'.repeat(70_000)}`, 'too big mbulk count string'],
    ['*1\r\n+PING\r\n', "expected '$', got '+'"],
    ['*1\r\n*1\r\n$1\r\na\r\n', "expected '$', got '*'"],
    ['*1\r\n\r\n', "expected '$', got ' '"],
    ['*1\r\n\n\r\n', "expected '$', got ' '"],
    ['*1\r\n\x1b[2J\r\n', "expected '$', got ' '"],
    ['*1\r\n$-1\r\n', 'invalid bulk length'],
    ['*1\r\n$\r\n', 'invalid bulk length'],
    ['*1\r\n$+4\r\n', 'invalid bulk length'],
    ['*1\r\n$04\r\n', 'invalid bulk length'],
    ['*1\r\n$4x\r\n', 'invalid bulk length'],
    ['*1\r\n$4 \r\nPING\r\n', 'invalid bulk length'],
    ['*1\r\n$536870913\r\n', 'invalid bulk length'],
    ['*1\r\n$9223372036854775807\r\n', 'invalid bulk length'],
    [`*1\r\n$${'1'.repeat(70_000)}`, 'too big bulk count string'],
    ['a'.repeat(70_000), 'too big inline request'],
    [`${'a'.repeat(70_000)}\r\n`, 'too big inline request'],
    ['SET "a\r\n', 'unbalanced quotes in request'],
    ["SET 'a\r\n", 'unbalanced quotes in request'],
    ['SET "a"b\r\n', 'unbalanced quotes in request'],
    ["SET 'a'b\r\n", 'unbalanced quotes in request'],
    ['ECHO ab"c d"e\r\n', 'unbalanced quotes in request'],
    ['ECHO "a\\\r\n', 'unbalanced quotes in request'],
  ]
  for (const [stream, error] of table) {
    it(`${JSON.stringify(stream.slice(0, 30))}: ${error}`, () => {
      const wanted = `ERR Protocol error: ${error}`
      expect(one(stream).error).toBe(wanted)
      if (stream.length < 100) expect(decode(pieces(latin1(stream), 1)).error).toBe(wanted)
      else expect(decode(pieces(latin1(stream), 1000)).error).toBe(wanted)
    })
  }

  it('stays said: later bytes change nothing', () => {
    const decoder = new RequestDecoder({ ...defaultLimits })
    const bytes = latin1('*x\r\nPING\r\n')
    decoder.feed(bytes, 0, bytes.length)
    expect(decoder.next()).toBe(INVALID)
    decoder.keep()
    const more = latin1('PING\r\n')
    decoder.feed(more, 0, more.length)
    expect(decoder.next()).toBe(INVALID)
    expect(decoder.error).toBe('ERR Protocol error: invalid multibulk length')
    expect(decoder.heldBytes).toBe(0)
  })

  it('commands before the mistake are still served', () => {
    const outcome = one('PING\r\n*1\r\n$4\r\nECHO\r\n*1\r\n:1\r\n')
    expect(texts(outcome)).toEqual([['PING'], ['ECHO']])
    expect(outcome.error).toBe("ERR Protocol error: expected '$', got ':'")
  })
})

describe('limits', () => {
  it('a line of exactly 64 KiB is legal, one byte more is not, however it arrives', () => {
    const legal = latin1(`${'a'.repeat(64 * KIB)}\n`)
    const tooLong = latin1(`${'a'.repeat(64 * KIB + 1)}\n`)
    for (const n of [1 << 20, 4096, 7]) {
      expect(decode(pieces(legal, n)).commands[0]![0]!.length).toBe(64 * KIB)
      expect(decode(pieces(tooLong, n)).error).toBe('ERR Protocol error: too big inline request')
    }
  })

  it('before authentication: ten arguments of 16 KiB', () => {
    const guest = { authenticated: false }
    expect(one(`*10\r\n${'$1\r\na\r\n'.repeat(10)}`, guest).commands.length).toBe(1)
    expect(one('*11\r\n', guest).error).toBe('ERR Protocol error: unauthenticated multibulk length')
    expect(one(`*1\r\n$16384\r\n${'a'.repeat(16384)}\r\n`, guest).commands.length).toBe(1)
    expect(one('*1\r\n$16385\r\n', guest).error).toBe('ERR Protocol error: unauthenticated bulk length')
    expect(one('*11\r\n').error).toBe('')
  })

  it('the limits are read anew for each command', () => {
    const limits = { ...defaultLimits }
    const decoder = new RequestDecoder(limits, false)
    const bytes = Buffer.concat([
      encodeRequest(['AUTH', 'pw']),
      encodeRequest(Array(12).fill('x')),
      latin1('*1\r\n$7\r\n'),
    ])
    decoder.feed(bytes, 0, bytes.length)
    expect(decoder.next()).toBe(READY)
    decoder.authenticated = true
    expect(decoder.next()).toBe(READY)
    expect(decoder.args.count).toBe(12)
    limits.maxBulkBytes = 6
    expect(decoder.next()).toBe(INVALID)
    expect(decoder.error).toBe('ERR Protocol error: invalid bulk length')
  })

  it('proto-max-bulk-len itself is legal', () => {
    expect(texts(one('*1\r\n$4\r\nPING\r\n', { maxBulkBytes: 4 }))).toEqual([['PING']])
    expect(one('*1\r\n$5\r\n', { maxBulkBytes: 4 }).error).toBe('ERR Protocol error: invalid bulk length')
  })

  it('a command over client-query-buffer-limit: no words, overflow', () => {
    const stream = encodeRequest(['SET', 'k', Buffer.alloc(3 * MIB, 1)])
    const outcome = decode(pieces(stream, 16 * KIB), { maxQueryBytes: MIB })
    expect(outcome).toMatchObject({ overflow: true, error: '', commands: [] })
    expect(outcome.peakBytes).toBeLessThan(2 * MIB + 16 * KIB)
  })

  it('many tiny arguments count with what their slices cost', () => {
    const stream = latin1(`*1000000\r\n${'$0\r\n\r\n'.repeat(400_000)}`)
    expect(decode(pieces(stream, 64 * KIB), { maxQueryBytes: 8 * MIB }).overflow).toBe(true)
  })
})

describe('memory', () => {
  it('a header alone allocates nothing of the size it announces', () => {
    for (const header of ['*1048576\r\n', '*1\r\n$536870912\r\n', '*1048576\r\n$536870912\r\nabc']) {
      expect(one(header).heldBytes, header).toBeLessThanOrEqual(MIB + KIB)
    }
  })

  it('grows with what has come: at most 1 MiB ahead, or the double', () => {
    const stream = encodeRequest(['SET', 'k', Buffer.alloc(16 * MIB, 7)])
    const decoder = new RequestDecoder({ ...defaultLimits })
    let received = 0
    for (const packet of pieces(stream, 64 * KIB)) {
      decoder.feed(packet, 0, packet.length)
      received += packet.length
      if (decoder.next() === READY) expect(decoder.args.at(2).length).toBe(16 * MIB)
      decoder.keep()
      expect(decoder.heldBytes).toBeLessThanOrEqual(Math.max(MIB, 2 * received) + KIB)
    }
    expect(received).toBe(stream.length)
  })

  it('what waits is what has come of a command that is not whole', () => {
    const decoder = new RequestDecoder({ ...defaultLimits })
    const command = encodeRequest(['MSET', 'a', '1', 'b', '2'])
    const receive = (bytes: Buffer): number => {
      decoder.feed(bytes, 0, bytes.length)
      let count = 0
      while (decoder.next() === READY) count++
      decoder.keep()
      return count
    }
    expect([receive(command), decoder.waitingBytes]).toEqual([1, 0])
    // All but the header, which is known already.
    expect([receive(Buffer.concat([command, command.subarray(0, 30)])), decoder.waitingBytes]).toEqual([1, 26])
    expect([receive(command.subarray(30, 35)), decoder.waitingBytes]).toEqual([0, 31])
    expect([receive(command.subarray(35)), decoder.waitingBytes]).toEqual([1, 0])
    expect([receive(Buffer.from('PI')), decoder.waitingBytes]).toEqual([0, 2])
  })

  it('is given back after a large command, also when no other follows', () => {
    const large = encodeRequest(['SET', 'k', Buffer.alloc(5 * MIB, 7)])
    const outcome = decode(pieces(large, 10_000))
    expect(outcome.commands.length).toBe(1)
    expect(outcome.peakBytes).toBeGreaterThan(4 * MIB)
    expect(outcome.heldBytes).toBeLessThan(KIB)
    expect(decode([...pieces(large, 10_000), encodeRequest(['PING'])]).heldBytes).toBeLessThan(KIB)
  })

  it('old arguments pin no buffer: after keep every slice has let go', () => {
    const decoder = new RequestDecoder({ ...defaultLimits })
    const bytes = encodeRequest(['MSET', ...Array.from({ length: 200 }, (_, i) => `k${i}`)])
    decoder.feed(bytes, 0, bytes.length)
    expect(decoder.next()).toBe(READY)
    expect(decoder.next()).toBe(MORE)
    decoder.keep()
    expect(decoder.args.pins(bytes)).toBe(false)
    expect(decoder.args.heldBytes).toBeLessThan(8 * KIB)
  })

  it('many arguments are the same wherever the request is cut, also in a copy', () => {
    const words = Array.from({ length: 700 }, (_, i) => `k${i}`)
    const bytes = encodeRequest(words)
    const decoder = new RequestDecoder({ ...defaultLimits })
    for (const size of [1, 7, 100, 1000, bytes.length]) {
      let state = MORE
      for (let at = 0; at < bytes.length; at += size) {
        expect(state).toBe(MORE)
        const piece = Buffer.from(bytes.subarray(at, at + size))
        decoder.feed(piece, 0, piece.length)
        state = decoder.next()
        if (state === MORE) decoder.keep()
        if (state === MORE) piece.fill(0)
      }
      expect(state).toBe(READY)
      const { args } = decoder
      const copy = args.copy()
      expect(words.map((_, i) => args.at(i).key())).toEqual(words)
      expect(words.map((_, i) => copy.at(i).key())).toEqual(words)
      expect(decoder.next()).toBe(MORE)
      decoder.keep()
    }
  })

  it('arguments without number are no objects on the heap: two numbers each', () => {
    const decoder = new RequestDecoder({ ...defaultLimits })
    const bytes = latin1(`*1048576\r\n${'$0\r\n\r\n'.repeat(50_000)}`)
    decoder.feed(bytes, 0, bytes.length)
    expect(decoder.next()).toBe(MORE)
    decoder.keep()
    expect(decoder.args.heldBytes).toBeLessThan(50_000 * 2 * 16)
  })

  it('a large value in small pieces is copied at most twice: the work grows with the bytes', () => {
    const total = 8 * MIB
    const decoder = new RequestDecoder({ ...defaultLimits })
    const head = latin1(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${total}\r\n`)
    decoder.feed(head, 0, head.length)
    decoder.next()
    decoder.keep()
    const piece = Buffer.alloc(KIB, 5)
    const buffers = new Set<Buffer>()
    // Stops at the first buffer too many: a decoder that grows piece by piece would copy 32 GiB here.
    for (let sent = 0; sent < total && buffers.size <= 6; sent += KIB) {
      decoder.feed(piece, 0, KIB)
      expect(decoder.next()).toBe(MORE)
      decoder.keep()
      buffers.add(decoder.args.at(0).bytes)
    }
    expect(buffers.size).toBeLessThanOrEqual(6) // one copy of everything each: 1 KiB, 1, 2, 4, 8 MiB
  })
})

describe('hostile bytes', () => {
  it('mutated streams never throw and never hold more than they sent', () => {
    const seedStreams = Object.values(streams).map(latin1)
    const mutation = fc.tuple(fc.nat(), fc.constantFrom('flip', 'drop', 'double', 'insert'), fc.nat({ max: 255 }))
    fc.assert(
      fc.property(
        fc.nat(),
        fc.array(mutation, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 64 }),
        (s, list, n) => {
          let stream = seedStreams[s % seedStreams.length]!
          for (const [where, what, byte] of list) {
            const at = where % (stream.length + 1)
            const before = stream.subarray(0, at)
            const after = stream.subarray(at)
            if (what === 'flip') stream = Buffer.concat([before, Buffer.from([byte]), after.subarray(1)])
            else if (what === 'drop') stream = Buffer.concat([before, after.subarray(1 + (byte % 5))])
            else if (what === 'double') stream = Buffer.concat([before, before.subarray(-(byte % 20) - 1), after])
            else stream = Buffer.concat([before, Buffer.from([byte]), after])
          }
          const whole = decode([stream])
          expect(seen(decode(pieces(stream, n)))).toEqual(seen(whole))
          expect(whole.peakBytes).toBeLessThanOrEqual(MIB + 4 * KIB)
          expect(whole.error).toMatch(/^(ERR Protocol error: [\x20-\x7e]+)?$/)
        },
      ),
      { numRuns: process.env['CASKY_TEST_FULL'] === '1' ? 20_000 : 5000 },
    )
  })
})

describe('inline words', () => {
  const table: [line: string, words: string[]][] = [
    ['SET k v', ['SET', 'k', 'v']],
    ['  SET\tk   v  ', ['SET', 'k', 'v']],
    ['ECHO "a b"', ['ECHO', 'a b']],
    ["ECHO 'a b'", ['ECHO', 'a b']],
    ['ECHO "\\x41\\x7a\\x00\\xff"', ['ECHO', 'Az\0\xff']],
    ['ECHO "\\xZZ\\q\\x4"', ['ECHO', 'xZZqx4']],
    ['ECHO "\\n\\r\\t\\b\\a\\\\\\""', ['ECHO', '\n\r\t\b\x07\\"']],
    ["ECHO 'a\\'b\\n\\x41'", ['ECHO', "a'b\\n\\x41"]],
    ['ECHO a"c d"', ['ECHO', 'ac d']],
    ['ECHO "a"\tb', ['ECHO', 'a', 'b']],
    ['""', ['']],
    ['ECHO a\x0bb', ['ECHO', 'a\x0bb']],
    ['ECHO \x0b\x0ca', ['ECHO', 'a']],
    ['ECHO a\rb', ['ECHO', 'a', 'b']],
    ['ECHO \xa0 \xff', ['ECHO', '\xa0', '\xff']],
    ['ECHO a\0b "c\0d"', ['ECHO', 'a\0b', 'c\0d']],
    ['POST / HTTP/1.1', ['POST', '/', 'HTTP/1.1']],
    ['Host: localhost', ['Host:', 'localhost']],
  ]
  for (const [line, words] of table) {
    it(JSON.stringify(line), () => {
      expect(texts(one(`${line}\r\n`))).toEqual([words])
      expect(texts(decode(pieces(latin1(`${line}\n`), 1)))).toEqual([words])
    })
  }
})

describe('arguments', () => {
  it('a copy outlives the buffer and its original', () => {
    const decoder = new RequestDecoder({ ...defaultLimits })
    const bytes = encodeRequest(['SET', 'key', 'value'])
    decoder.feed(bytes, 0, bytes.length)
    decoder.next()
    const copy = decoder.args.copy()
    expect(copy.byteLength).toBe(11)
    bytes.fill(0)
    decoder.keep()
    expect([copy.count, copy.at(0).key(), copy.at(1).key(), copy.at(2).key()]).toEqual([3, 'SET', 'key', 'value'])
  })

  it('one that is not there is our own mistake', () => {
    const decoder = new RequestDecoder({ ...defaultLimits })
    const bytes = latin1('SET k v\r\nPING\r\n')
    decoder.feed(bytes, 0, bytes.length)
    decoder.next()
    decoder.next()
    expect(() => decoder.args.at(1)).toThrow('an argument that is not there')
  })

  it('a chunk that is fed while an earlier one is lent is our own mistake', () => {
    const decoder = new RequestDecoder({ ...defaultLimits })
    const bytes = latin1('*1\r\n$4\r\nPI')
    decoder.feed(bytes, 0, bytes.length)
    decoder.next()
    expect(() => decoder.feed(bytes, 0, bytes.length)).toThrow('still lent')
  })
})
