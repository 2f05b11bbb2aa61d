// Payloads that nobody meant well. What redis-server says of whole ones is the conformance suite's matter.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Crc64 } from '../../src/base/crc64.ts'
import { Slice } from '../../src/base/slice.ts'
import {
  Deserialization,
  emptyPayload,
  isEmptyPayload,
  isSoundPayload,
  Serialization,
} from '../../src/commands/dump-payload.ts'

function serialize(value: Buffer): Buffer {
  const work = new Serialization(new Slice(value), true)
  while (!work.step()) {}
  return work.bytes
}

function deserialize(payload: Buffer): Buffer | string {
  // Somewhere inside a larger buffer, as arguments lie.
  const around = Buffer.concat([Buffer.from('before'), payload, Buffer.from('behind')])
  const work = new Deserialization(new Slice(around, 6, 6 + payload.length))
  while (!work.step()) {}
  return work.problem ?? work.value.copy()
}

/** A payload with a right footer around any bytes. */
function signed(body: Buffer, version = 10): Buffer {
  const payload = Buffer.concat([body, Buffer.from([version, 0]), Buffer.alloc(8)])
  const crc = new Crc64()
  crc.add(payload, 0, payload.length - 8)
  crc.write(payload, payload.length - 8)
  return payload
}

const BAD = 'ERR Bad data format'
const WRONG = 'ERR DUMP payload version or checksum are wrong'

describe('payloads of DUMP', () => {
  it('come back as the value they were made of', () => {
    const values = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n }).map((n) => Buffer.from(String(n))),
      fc.tuple(fc.string(), fc.nat(5000)).map(([text, times]) => Buffer.from(text.repeat(times % 300))),
    )
    fc.assert(
      fc.property(values, (value) => {
        expect(value.equals(deserialize(serialize(value)) as Buffer)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  it.each([63, 64, 16383, 16384, 70_000, 1_000_000])('of %i bytes, compressed or not', (length) => {
    const plain = Buffer.from(Array.from({ length }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24))
    expect(plain.equals(deserialize(serialize(plain)) as Buffer)).toBe(true)
    const repeated = Buffer.alloc(length, 'abc')
    expect(serialize(repeated).length).toBeLessThan(length)
    expect(repeated.equals(deserialize(serialize(repeated)) as Buffer)).toBe(true)
  })

  it('work in steps: no step takes a megabyte of compressing', () => {
    const value = Buffer.alloc(8 * 1024 * 1024, 'ab')
    const work = new Serialization(new Slice(value), true)
    let steps = 1
    while (!work.step()) steps++
    expect(steps).toBeGreaterThanOrEqual(8)
    const back = new Deserialization(new Slice(work.bytes))
    steps = 1
    while (!back.step()) steps++
    expect(steps).toBeGreaterThanOrEqual(8)
  })

  it('are refused when a bit is wrong or bytes are missing, wherever', () => {
    const payload = serialize(Buffer.from('a value that is compressed, compressed, compressed'))
    for (let bit = 0; bit < payload.length * 8; bit++) {
      const broken = Buffer.from(payload)
      broken[bit >> 3]! ^= 1 << (bit & 7)
      expect(deserialize(broken)).toBe(WRONG)
    }
    for (let length = 0; length < payload.length; length++) expect(deserialize(payload.subarray(0, length))).toBe(WRONG)
  })

  it('with a right checksum around noise never read beyond their end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.constantFrom([0], [0, 0xc3], [0, 0x81], []), (noise, head) => {
        const read = deserialize(signed(Buffer.concat([Buffer.from(head), Buffer.from(noise)])))
        if (typeof read === 'string') expect(read).toMatch(/^ERR /)
        else expect(read.length).toBeLessThanOrEqual(Math.max(11, 40 * 90))
      }),
      { numRuns: 3000 },
    )
  })

  it('that announce more than they can hold get no room for it', () => {
    // Ten bytes that claim to decompress to 2^40: refused before anything is allocated.
    const bomb = [0, 0xc3, 2, 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0, 97]
    expect(deserialize(signed(Buffer.from(bomb)))).toBe(BAD)
    expect(deserialize(signed(Buffer.from([0, 0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 97])))).toBe(BAD)
    expect(deserialize(signed(Buffer.from([0, 0x80, 0xff, 0xff, 0xff, 0xff, 97])))).toBe(BAD)
  })

  it('of other types are named', () => {
    expect(deserialize(signed(Buffer.from([18, 1])))).toBe('ERR Casky holds strings only, and this payload is a list')
    expect(deserialize(signed(Buffer.from([4, 1])))).toBe('ERR Casky holds strings only, and this payload is a hash')
    expect(deserialize(signed(Buffer.from([200, 1])))).toBe(BAD)
    expect(deserialize(signed(Buffer.from([0, 1, 97]), 12))).toBe(WRONG)
    expect(deserialize(signed(Buffer.from([0, 1, 97]), 11))).toEqual(Buffer.from('a'))
  })

  it('of no functions are known as such', () => {
    expect(isSoundPayload(new Slice(emptyPayload()))).toBe(true)
    expect(isEmptyPayload(new Slice(emptyPayload()))).toBe(true)
    expect(isSoundPayload(new Slice(Buffer.from('too short')))).toBe(false)
    expect(isEmptyPayload(new Slice(signed(Buffer.from([245, 1]))))).toBe(false)
  })
})
