// What the decoder sees coming is what then comes.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MAX_SPANS, Spans } from '../../src/base/spans.ts'
import { READY, RequestDecoder } from '../../src/resp/request.ts'
import { defaultLimits } from './decode.ts'

const word: fc.Arbitrary<Uint8Array> = fc.uint8Array({ maxLength: 120 })
const command = fc.array(word, { minLength: 1, maxLength: 12 })

function encode(words: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${words.length}\r\n`)]
  for (const each of words) parts.push(Buffer.from(`$${each.length}\r\n`), each, Buffer.from('\r\n'))
  return Buffer.concat(parts)
}

test('looking ahead tells the first arguments of the commands that follow, and consumes nothing', () => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 1, maxLength: 50 }), fc.nat(), (commands, cut) => {
      const whole = Buffer.concat(commands.map(encode))
      const bytes = whole.subarray(0, whole.length - (cut % whole.length))
      const decoder = new RequestDecoder(defaultLimits)
      decoder.feed(bytes, 0, bytes.length)
      const seen = new Spans()
      for (const [i, words] of commands.entries()) {
        decoder.peekKeys(seen)
        expect(seen.count).toBeLessThanOrEqual(MAX_SPANS)
        for (let k = 0; k < seen.count; k++) {
          const key = seen.bytes.subarray(seen.starts[k], seen.ends[k])
          expect(key).toEqual(Buffer.from(commands[i + k]?.[1] ?? []))
        }
        if (decoder.next() !== READY) return
        expect(decoder.args.count).toBe(words.length)
        for (const [k, each] of words.entries()) expect(decoder.args.at(k).copy()).toEqual(Buffer.from(each))
      }
    }),
  )
})

test('a whole pipeline of ordinary commands is seen', () => {
  const decoder = new RequestDecoder(defaultLimits)
  const bytes = Buffer.concat(
    Array.from({ length: 20 }, (_, i) => encode(['SET', `key:${i}`, 'v'].map((w) => Buffer.from(w)))),
  )
  decoder.feed(bytes, 0, bytes.length)
  const seen = new Spans()
  decoder.peekKeys(seen)
  expect(seen.count).toBe(20)
})

test.each([
  '*3\r\n',
  '*2\r\n$3\r\nGET\r\n$',
  '*2\r\n$3\r\nGET\r\n$9',
  '*2\r\n$-1\r\n',
  'PING\r\n',
  '*2\r\n$99999999999999\r\n',
  '*9\r\n$1\r\n',
  '*2\r\n$3',
])('half a command or nonsense is no key: %j', (text) => {
  const decoder = new RequestDecoder(defaultLimits)
  const bytes = Buffer.from(text)
  decoder.feed(bytes, 0, bytes.length)
  const seen = new Spans()
  decoder.peekKeys(seen)
  expect(seen.count).toBe(0)
})
