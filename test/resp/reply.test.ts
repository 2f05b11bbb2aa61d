// The reply writer, read back by two readers that are not ours: redis-parser for RESP2, the small one beside this for RESP3.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatDouble } from '../../src/resp/double.ts'
import { ReplyWriter } from '../../src/resp/reply.ts'
import { readAll } from './reader.ts'
import { readReplies } from './redis-parser.ts'

function wrote(protocol: 2 | 3, write: (reply: ReplyWriter) => void): string {
  const reply = new ReplyWriter(protocol)
  write(reply)
  return reply.bytes.toString('latin1', 0, reply.length)
}

function bulkInParts(reply: ReplyWriter): void {
  reply.bulkHeader(3)
  reply.raw(Buffer.from('abc\r\n'), 0, 5)
}

/** name, what is written, RESP2, RESP3 (left out: the same) */
const table: [string, (reply: ReplyWriter) => void, string, string?][] = [
  ['ok', (r) => r.ok(), '+OK\r\n'],
  ['simple', (r) => r.simple('PONG'), '+PONG\r\n'],
  ['error', (r) => r.error('ERR syntax error'), '-ERR syntax error\r\n'],
  ['error of hostile text', (r) => r.error('ERR a\r\n+OK\0\x1b\x7f\xffĊ'), '-ERR a  +OK   \xff?\r\n'],
  ['simple of hostile text', (r) => r.simple('a\r\nb'), '+a  b\r\n'],
  ['integer', (r) => r.integer(1234567), ':1234567\r\n'],
  ['negative integer', (r) => r.integer(-2), ':-2\r\n'],
  ['negative zero', (r) => r.integer(-0), ':0\r\n'],
  ['bigInteger', (r) => r.bigInteger(-9223372036854775808n), ':-9223372036854775808\r\n'],
  ['bulk', (r) => r.bulk(Buffer.from('xhellox'), 1, 6), '$5\r\nhello\r\n'],
  ['empty bulk', (r) => r.bulk(Buffer.from('x'), 1, 1), '$0\r\n\r\n'],
  ['bulkText', (r) => r.bulkText('txt'), '$3\r\ntxt\r\n'],
  ['bulkText in UTF-8', (r) => r.bulkText('\xe4€'), '$5\r\n\xc3\xa4\xe2\x82\xac\r\n'],
  ['bulkHeader and raw', bulkInParts, '$3\r\nabc\r\n'],
  ['null', (r) => r.null(), '$-1\r\n', '_\r\n'],
  ['nullArray', (r) => r.nullArray(), '*-1\r\n', '_\r\n'],
  ['array', (r) => r.array(12), '*12\r\n'],
  ['map', (r) => r.map(3), '*6\r\n', '%3\r\n'],
  ['set', (r) => r.set(3), '*3\r\n', '~3\r\n'],
  ['push', (r) => r.push(3), '*3\r\n', '>3\r\n'],
  ['double', (r) => r.double(1.5), '$3\r\n1.5\r\n', ',1.5\r\n'],
  ['infinite double', (r) => r.double(-Infinity), '$4\r\n-inf\r\n', ',-inf\r\n'],
  ['no number', (r) => r.double(Number.NaN), '$3\r\nnan\r\n', ',nan\r\n'],
  ['true', (r) => r.boolean(true), ':1\r\n', '#t\r\n'],
  ['false', (r) => r.boolean(false), ':0\r\n', '#f\r\n'],
  [
    'bigNumber',
    (r) => r.bigNumber(-12345678901234567890n),
    '$21\r\n-12345678901234567890\r\n',
    '(-12345678901234567890\r\n',
  ],
  ['verbatim', (r) => r.verbatim('txt', 'a: b'), '$4\r\na: b\r\n', '=8\r\ntxt:a: b\r\n'],
  ['verbatim in UTF-8', (r) => r.verbatim('txt', '\xe4'), '$2\r\n\xc3\xa4\r\n', '=6\r\ntxt:\xc3\xa4\r\n'],
]

describe('the bytes of every kind of reply', () => {
  for (const [name, write, resp2, resp3] of table) {
    it(name, () => {
      expect(wrote(2, write)).toBe(resp2)
      expect(wrote(3, write)).toBe(resp3 ?? resp2)
    })
  }
})

describe('integers', () => {
  it('every magnitude', () => {
    const edges = [9, 10, 99, 100, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]
    for (const edge of edges) {
      for (const n of [edge - 1, edge, -edge, -edge + 1]) expect(wrote(2, (r) => r.integer(n))).toBe(`:${n}\r\n`)
    }
    for (let power = 1; power < 2 ** 50; power *= 10) expect(wrote(2, (r) => r.integer(power))).toBe(`:${power}\r\n`)
    fc.assert(fc.property(fc.maxSafeInteger(), (n) => wrote(2, (r) => r.integer(n)) === `:${n}\r\n`))
    fc.assert(fc.property(fc.integer(), (n) => wrote(2, (r) => r.integer(n)) === `:${n}\r\n`))
  })

  it('what a number cannot hold exactly is our own mistake', () => {
    for (const n of [2 ** 53, 1.5, Number.NaN]) expect(() => new ReplyWriter().integer(n)).toThrow('beyond 2^53')
  })
})

describe('read back', () => {
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ maxLength: 60 }))
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))

  /** One random reply: how to write it, what the readers should make of it. */
  type Part = { write: (r: ReplyWriter) => void; resp2: unknown; resp3: unknown }
  const leaf: fc.Arbitrary<Part> = fc.oneof(
    bytes.map((b) => ({ write: (r: ReplyWriter) => r.bulk(b, 0, b.length), resp2: b, resp3: ['bulk', b] })),
    text.map((t) => ({
      write: (r: ReplyWriter) => r.bulkText(t),
      resp2: Buffer.from(t),
      resp3: ['bulk', Buffer.from(t)],
    })),
    fc.maxSafeInteger().map((n) => ({
      write: (r: ReplyWriter) => r.integer(n),
      resp2: String(n),
      resp3: ['int', BigInt(n)],
    })),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((n) => ({
      write: (r: ReplyWriter) => r.bigInteger(n),
      resp2: String(n),
      resp3: ['int', n],
    })),
    fc.boolean().map((b) => ({ write: (r: ReplyWriter) => r.boolean(b), resp2: b ? '1' : '0', resp3: ['boolean', b] })),
    fc.constant({ write: (r: ReplyWriter) => r.null(), resp2: null, resp3: ['null'] }),
    fc.constant({ write: (r: ReplyWriter) => r.ok(), resp2: Buffer.from('OK'), resp3: ['simple', 'OK'] }),
    text.map((t) => ({
      write: (r: ReplyWriter) => r.verbatim('txt', t),
      resp2: Buffer.from(t),
      resp3: ['verbatim', `txt:${Buffer.from(t)}`],
    })),
  )
  function many(kind: 'array' | 'set' | 'push' | 'map', parts: Part[]): Part {
    const times = kind === 'map' ? [0, 1] : [0] // a map's keys are its values
    return {
      write: (r) => {
        r[kind](parts.length)
        for (const part of parts) for (const _ of times) part.write(r)
      },
      resp2: parts.flatMap((part) => times.map(() => part.resp2)),
      resp3: [kind, parts.map((part) => (kind === 'map' ? [part.resp3, part.resp3] : part.resp3))],
    }
  }
  const nested: fc.Arbitrary<Part> = fc.letrec<{ part: Part }>((tie) => ({
    part: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      fc
        .tuple(fc.constantFrom('array', 'set', 'push', 'map'), fc.array(tie('part'), { maxLength: 5 }))
        .map(([kind, parts]) => many(kind, parts)),
    ),
  })).part

  it('any replies, RESP2 by redis-parser and RESP3 by the reader', () => {
    fc.assert(
      fc.property(fc.array(nested, { maxLength: 6 }), (parts) => {
        const two = new ReplyWriter(2)
        const three = new ReplyWriter(3)
        for (const part of parts) {
          part.write(two)
          part.write(three)
        }
        expect(readReplies(two.bytes.subarray(0, two.length))).toEqual({
          replies: parts.map((part) => part.resp2),
          fatal: false,
        })
        expect(readAll(three.bytes.subarray(0, three.length))).toEqual(parts.map((part) => part.resp3))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('the buffer', () => {
  it('doubles, keeps what is written and never writes beyond its end', () => {
    const reply = new ReplyWriter()
    const buffers = new Set<Buffer>()
    let wanted = ''
    for (let i = 0; i < 3000; i++) {
      reply.bulkText(`value-${i}`)
      buffers.add(reply.bytes)
      wanted += `$${`value-${i}`.length}\r\nvalue-${i}\r\n`
    }
    expect(reply.bytes.toString('latin1', 0, reply.length)).toBe(wanted)
    expect(reply.bytes.length).toBeLessThanOrEqual(2 * reply.length)
    expect(buffers.size).toBeLessThanOrEqual(9) // 256 bytes, doubled eight times
  })

  it('belongs to the owner, who may swap it', () => {
    const reply = new ReplyWriter()
    reply.ok()
    const first = reply.bytes
    reply.bytes = Buffer.alloc(0)
    reply.length = 0
    reply.integer(5)
    expect(reply.bytes.toString('latin1', 0, reply.length)).toBe(':5\r\n')
    expect(first.toString('latin1', 0, 5)).toBe('+OK\r\n')
  })

  it('every kind of reply fits when exactly the buffer is full', () => {
    for (const [name, write, resp2] of table) {
      for (let spare = 0; spare < 40; spare++) {
        const reply = new ReplyWriter(2, Buffer.alloc(spare))
        write(reply)
        expect(reply.bytes.toString('latin1', 0, reply.length), `${name}, ${spare} spare`).toBe(resp2)
      }
    }
  })

  it('copies short and long values alike', () => {
    const value = Buffer.from(Array.from({ length: 300 }, (_, i) => i & 255))
    for (let n = 0; n < 300; n++) {
      const reply = new ReplyWriter()
      reply.bulk(value, 300 - n, 300)
      expect(reply.bytes.subarray(reply.length - 2 - n, reply.length - 2).equals(value.subarray(300 - n))).toBe(true)
    }
  })
})

describe('doubles are written as C writes %.17g', () => {
  const table: [number, string][] = [
    [0, '0'],
    [-0, '-0'],
    [1, '1'],
    [-1, '-1'],
    [10, '10'],
    [3.5, '3.5'],
    [0.1, '0.10000000000000001'],
    [1 / 3, '0.33333333333333331'],
    [100000, '100000'],
    [1e16, '10000000000000000'],
    [1e17, '1e+17'],
    [123456789012345680, '1.2345678901234568e+17'],
    [Number('12345678901234567'), '12345678901234568'],
    [1e20, '1e+20'],
    [1e21, '1e+21'],
    [1.5e300, '1.5000000000000001e+300'],
    [0.0001, '0.0001'],
    [0.00001, '1.0000000000000001e-05'],
    [5e-324, '4.9406564584124654e-324'],
    [1.7976931348623157e308, '1.7976931348623157e+308'],
    [Infinity, 'inf'],
    [-Infinity, '-inf'],
    [Number.NaN, 'nan'],
  ]
  for (const [x, text] of table) it(text, () => expect(formatDouble(x)).toBe(text))

  it('and reads back as the same number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) => Object.is(Number(formatDouble(x)), x)),
    )
  })
})
