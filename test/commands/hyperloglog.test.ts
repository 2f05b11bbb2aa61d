// HyperLogLogs: the registers against a plain array, the hash against its definition in bigints, the estimate against the truth. That
// the bytes are Redis's is the conformance suite's question.

import { describe, expect, it } from 'vitest'
import { Slice, sliceOf } from '../../src/base/slice.ts'
import { Hll, histogramOf, looksLikeHll, raiseAll } from '../../src/commands/hll.ts'
import { REGISTERS } from '../../src/commands/hll-sparse.ts'
import { murmurHash64 } from '../../src/commands/murmur-hash.ts'
import { GATE_FAILED } from '../../src/engine/engine.ts'
import { randomFrom } from '../harness/random.ts'
import { FakeClient } from './fakes.ts'

const STALE_EMPTY = 'HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80'

function registersOf(hll: Hll): Uint8Array {
  const registers = new Uint8Array(REGISTERS)
  expect(raiseAll(registers, sliceOf(hll.bytes))).toBe(true)
  return registers
}

describe('registers', () => {
  it.each([0, 100, 3000, 100_000])('hold the largest value they were given, sparse up to %i bytes', (maxBytes) => {
    const random = randomFrom(maxBytes)
    const hll = new Hll(null)
    const model = new Uint8Array(REGISTERS)
    for (let n = 0; n < 3000; n++) {
      // Neighbours of few values, so that runs are joined and split, and sometimes one that only a dense register holds.
      const register = random.chance(0.5) ? random.below(40) : random.below(REGISTERS)
      const value = random.chance(0.0005) ? 51 : random.between(1, 3)
      const isMore = value > model[register]!
      expect(hll.raise(register, value, maxBytes)).toBe(isMore)
      if (isMore) model[register] = value
      if (n % 500 === 0) expect(registersOf(hll)).toEqual(model)
    }
    expect(registersOf(hll)).toEqual(model)
    const { length } = hll.bytes
    expect(length === 12304 || length <= maxBytes).toBe(true)
    const histogram = histogramOf(sliceOf(hll.bytes))!
    expect(histogram[0]).toBe(model.filter((value) => value === 0).length)
    hll.makeDense()
    expect(registersOf(hll)).toEqual(model)
    expect(histogramOf(sliceOf(hll.bytes))).toEqual(histogram)
  })

  it('joins what has become equal', () => {
    const hll = new Hll(null)
    for (const register of [0, 1, 2, 3, 4]) hll.raise(register, 7, 3000)
    expect(hll.bytes.subarray(16).toString('hex')).toBe('9b987ffa') // four of 7, one of 7, 16379 zeros
  })
})

describe('the hash', () => {
  it('is MurmurHash64A', () => {
    const random = randomFrom(1)
    const into = new Uint32Array(2)
    for (let length = 0; length < 100; length++) {
      const bytes = Buffer.from(Array.from({ length: length + 3 }, () => random.below(256)))
      murmurHash64(bytes, 3, 3 + length, into)
      expect((BigInt(into[0]!) << 32n) | BigInt(into[1]!)).toBe(defined(bytes.subarray(3)))
    }
  })

  function defined(bytes: Buffer): bigint {
    const m = 0xc6a4a7935bd1e995n
    const u64 = (x: bigint): bigint => BigInt.asUintN(64, x)
    let h = 0xadc83b19n ^ u64(BigInt(bytes.length) * m)
    const whole = bytes.length - (bytes.length % 8)
    for (let i = 0; i < whole; i += 8) {
      let k = u64(bytes.readBigUInt64LE(i) * m)
      k = u64((k ^ (k >> 47n)) * m)
      h = u64((h ^ k) * m)
    }
    if (whole < bytes.length) {
      const rest = Buffer.alloc(8)
      bytes.copy(rest, 0, whole)
      h = u64((h ^ rest.readBigUInt64LE()) * m)
    }
    h = u64((h ^ (h >> 47n)) * m)
    return h ^ (h >> 47n)
  }
})

describe('PFCOUNT', () => {
  it.each([1, 10, 1000, 50_000])('is near the truth at %i', (count) => {
    const client = new FakeClient()
    for (let n = 0; n < count; n += 1000) {
      client.run('PFADD', 'k', ...Array.from({ length: Math.min(1000, count - n) }, (_, i) => `element ${n + i}`))
    }
    const estimate = Number(client.run('PFCOUNT', 'k').slice(1))
    expect(Math.abs(estimate - count)).toBeLessThanOrEqual(count * 0.03)
  })

  it('keeps what it has computed, unless the store takes no writes', () => {
    const client = new FakeClient()
    client.run('PFADD', 'k', 'a')
    const { writes } = client.engine
    writes.length = 0
    client.engine.gate = GATE_FAILED
    expect(client.run('PFCOUNT', 'k')).toBe(':1\r\n')
    expect(writes).toEqual([])
    client.engine.gate = 0
    expect(client.run('PFCOUNT', 'k')).toBe(':1\r\n')
    expect(client.run('PFCOUNT', 'k')).toBe(':1\r\n')
    expect(writes.length).toBe(1)
    expect(client.run('GETRANGE', 'k', '8', '15')).toBe('$8\r\n\x01\0\0\0\0\0\0\0\r\n')
  })
})

describe('what is no HyperLogLog', () => {
  it.each([
    ['', false],
    ['HYLL', false],
    [`${STALE_EMPTY}\x7f\xff`, true],
    [`${STALE_EMPTY.replace('\x01', '\0')}\x7f\xff`, false], // dense, and too short
    [`${STALE_EMPTY.replace('\x01', '\x02')}\x7f\xff`, false],
    [STALE_EMPTY.replace('HYLL', 'HYLm'), false],
  ])('%j: %s', (text, is) => {
    expect(looksLikeHll(sliceOf(text))).toBe(is)
    expect(looksLikeHll(new Slice(Buffer.from(`..${text}..`, 'latin1'), 2, 2 + text.length))).toBe(is)
  })

  it.each([
    '\x7f\xfe',
    '\x7f\xff\x00',
    '\x7f\xff\x84',
    '\x00',
    '',
  ])('corrupt runs %j are found, and nothing is written', (runs) => {
    const client = new FakeClient()
    client.run('SET', 'k', Buffer.from(STALE_EMPTY + runs, 'latin1'))
    client.engine.writes.length = 0
    const corrupt = '-INVALIDOBJ Corrupted HLL object detected\r\n'
    expect(client.run('PFCOUNT', 'k')).toBe(corrupt)
    expect(client.run('PFCOUNT', 'k', 'missing')).toBe(corrupt)
    expect(client.run('PFMERGE', 'd', 'k')).toBe(corrupt)
    expect(client.engine.writes).toEqual([])
  })
})
