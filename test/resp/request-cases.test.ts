// What the decoder may meet, case by case: each of its branches that the streams elsewhere pass by.

import { describe, expect, it } from 'vitest'
import { MAX_SPANS, Spans } from '../../src/base/spans.ts'
import { MORE, READY, RequestDecoder } from '../../src/resp/request.ts'
import { encodeRequest } from '../harness/resp.ts'
import { decode, defaultLimits, latin1 } from './decode.ts'

describe('numbers at the end of 64 bits', () => {
  const table: [stream: string, error: string][] = [
    ['*9223372036854775807\r\n', 'invalid multibulk length'],
    ['*9223372036854775808\r\n', 'invalid multibulk length'],
    ['*-9223372036854775808\r\nPING\r\n', ''],
    ['*-9223372036854775809\r\n', 'invalid multibulk length'],
    ['*1\r\n$9223372036854775808\r\n', 'invalid bulk length'],
    ['*1\r\n$-9223372036854775808\r\n', 'invalid bulk length'],
    ['*1\r\n$-9223372036854775809\r\n', 'invalid bulk length'],
  ]
  for (const [stream, error] of table) {
    it(JSON.stringify(stream), () => {
      for (const packets of [[latin1(stream)], [...latin1(stream)].map((byte) => Buffer.of(byte))]) {
        const outcome = decode(packets)
        expect(outcome.error).toBe(error === '' ? '' : `ERR Protocol error: ${error}`)
        expect(outcome.commands.length).toBe(error === '' ? 1 : 0)
      }
    })
  }
})

it('looking ahead in the middle of a command sees nothing; between commands it sees those that follow', () => {
  const decoder = new RequestDecoder({ ...defaultLimits })
  const spans = new Spans()
  const bytes = Buffer.concat([
    encodeRequest(['PING']),
    encodeRequest(['GET', 'key']),
    latin1('*2\r\n$3\r\nGET\r\n$3\r\nk'),
  ])
  decoder.feed(bytes, 0, bytes.length)
  expect(decoder.next()).toBe(READY)
  decoder.peekKeys(spans)
  expect(spans.count).toBeGreaterThan(0)
  expect(spans.count).toBeLessThanOrEqual(MAX_SPANS)
  expect(spans.bytes.toString('latin1', spans.starts[0], spans.ends[0])).toBe('key')
  expect(decoder.next()).toBe(READY)
  expect(decoder.next()).toBe(MORE)
  decoder.peekKeys(spans)
  expect(spans.count).toBe(0)
})

it('half a command behind many that were kept moves down in the same memory', () => {
  const decoder = new RequestDecoder({ ...defaultLimits })
  const whole = encodeRequest(['SET', 'key', 'v'.repeat(100)])
  const last = encodeRequest(['SET', 'last', 'w'.repeat(1000)])
  const first = Buffer.concat([...Array.from({ length: 50 }, () => whole), last.subarray(0, 200)])
  decoder.feed(first, 0, first.length)
  // Taken over undecoded, as from a client that is paused.
  decoder.keep()
  for (let i = 0; i < 50; i++) expect(decoder.next()).toBe(READY)
  const held = decoder.heldBytes
  const second = Buffer.concat([last.subarray(200), latin1('PING\r\n')])
  decoder.feed(second, 0, second.length)
  expect(decoder.next()).toBe(READY)
  expect(decoder.args.at(2).key()).toBe('w'.repeat(1000))
  expect(decoder.heldBytes).toBe(held)
  expect(decoder.next()).toBe(READY)
  expect(decoder.args.at(0).key()).toBe('PING')
})
