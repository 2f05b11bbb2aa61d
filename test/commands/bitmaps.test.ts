// Bitmaps and BITFIELD on an engine in memory, held against a text of zeros and ones.

import { describe, expect, it } from 'vitest'
import { randomFrom } from '../harness/random.ts'
import { FakeClient } from './fakes.ts'

const bits = (bytes: Buffer): string => [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
const number = (reply: string): number => Number(reply.slice(1))

describe('ranges', () => {
  const random = randomFrom(11)
  const cases = Array.from({ length: 400 }, () => {
    const value = Buffer.from(
      Array.from({ length: random.below(9) }, () => random.pick([0, 255, 0, 255, random.below(256)])),
    )
    return { value, first: random.between(-80, 80), last: random.between(-80, 80), bit: random.below(2) }
  })

  it('BITCOUNT and BITPOS by bits', () => {
    for (const { value, first, last, bit } of cases) {
      const client = new FakeClient()
      client.run('SET', 'k', value)
      const text = bits(value)
      const from = Math.max(0, first < 0 ? text.length + first : first)
      const to = Math.min(text.length - 1, Math.max(0, last < 0 ? text.length + last : last))
      const part = first < 0 && last < 0 && first > last ? '' : text.slice(from, to + 1)
      const ones = part.replaceAll('0', '').length
      expect(number(client.run('BITCOUNT', 'k', `${first}`, `${last}`, 'BIT'))).toBe(ones)
      const at = from > to ? -1 : text.slice(from, to + 1).indexOf(String(bit))
      expect(number(client.run('BITPOS', 'k', `${bit}`, `${first}`, `${last}`, 'BIT'))).toBe(at < 0 ? -1 : from + at)
    }
  })

  it('long values are looked at in steps', () => {
    const client = new FakeClient()
    const bytes = 5 * 1024 * 1024 + 17
    const value = Buffer.alloc(bytes)
    value[bytes - 3] = 0b0000_0101
    client.run('SET', 'k', value)
    expect(client.run('BITCOUNT', 'k')).toBe(':2\r\n')
    expect(client.steps).toBeGreaterThanOrEqual(5)
    expect(client.run('BITPOS', 'k', '1')).toBe(`:${(bytes - 3) * 8 + 5}\r\n`)
    expect(client.run('BITPOS', 'k', '0')).toBe(':0\r\n')
    expect(client.run('BITCOUNT', 'k', '5', `${(bytes - 3) * 8 + 5}`, 'BIT')).toBe(':1\r\n')
    const before = client.steps
    value[100] = 1
    client.run('SET', 'k', value)
    expect(client.run('BITPOS', 'k', '1')).toBe(':807\r\n')
    expect(client.steps).toBe(before + 1)
  })
})

describe('writes', () => {
  it('SETBIT writes only what changes', () => {
    const client = new FakeClient()
    client.run('SETBIT', 'k', '9', '0')
    expect(client.run('GET', 'k')).toBe('$2\r\n\0\0\r\n')
    const { length } = client.engine.writes
    client.run('SETBIT', 'k', '3', '0')
    expect(client.engine.writes.length).toBe(length)
    client.run('SETBIT', 'k', '3', '1')
    expect(client.engine.writes.length).toBe(length + 1)
  })

  it('no string grows beyond proto-max-bulk-len', () => {
    const client = new FakeClient(undefined, { maxBulkBytes: 1000 })
    expect(client.run('SETBIT', 'k', '7999', '1')).toBe(':0\r\n')
    expect(client.run('SETBIT', 'k', '8000', '1')).toBe('-ERR bit offset is not an integer or out of range\r\n')
    expect(client.run('BITFIELD', 'k', 'SET', 'u8', '8000', '1')).toMatch(/^-ERR bit offset/)
    expect(client.run('BITFIELD', 'k', 'SET', 'u8', '#1000', '1')).toMatch(/^-ERR bit offset/)
    expect(client.run('STRLEN', 'k')).toBe(':1000\r\n')
  })

  it('BITOP leaves its sources alone and may write onto one of them', () => {
    const client = new FakeClient()
    client.run('MSET', 'a', '\x0f\x0f', 'b', '\x3c')
    expect(client.run('BITOP', 'XOR', 'd', 'a', 'b')).toBe(':2\r\n')
    expect(client.run('MGET', 'a', 'b', 'd')).toBe('*3\r\n$2\r\n\x0f\x0f\r\n$1\r\n\x3c\r\n$2\r\n\x33\x0f\r\n')
    client.run('BITOP', 'AND', 'b', 'a', 'b')
    expect(client.run('GET', 'b')).toBe('$2\r\n\x0c\0\r\n')
  })
})

describe('BITFIELD', () => {
  it('reads what it has written, in any width at any offset, and nothing else changes', () => {
    const random = randomFrom(5)
    for (let n = 0; n < 500; n++) {
      const client = new FakeClient()
      const before = Buffer.from(Array.from({ length: 24 }, () => random.below(256)))
      client.run('SET', 'k', before)
      const isSigned = random.chance(0.5)
      const width = random.between(1, isSigned ? 64 : 63)
      const offset = random.below(24 * 8 - width)
      const raw = (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32))
      const value = isSigned ? BigInt.asIntN(width, raw) : BigInt.asUintN(width, raw)
      const type = `${isSigned ? 'i' : 'u'}${width}`
      client.run('BITFIELD', 'k', 'SET', type, `${offset}`, `${BigInt.asIntN(64, value)}`)
      expect(client.run('BITFIELD_RO', 'k', 'GET', type, `${offset}`)).toBe(`*1\r\n:${value}\r\n`)

      const text = bits(before)
      const field = BigInt.asUintN(width, value).toString(2).padStart(width, '0')
      const wanted = text.slice(0, offset) + field + text.slice(offset + width)
      const got = client.run('GET', 'k')
      expect(bits(Buffer.from(got.slice(got.indexOf('\n') + 1, -2), 'latin1'))).toBe(wanted)
    }
  })

  it.each([
    ['WRAP', 'u4', 12, 9, 5],
    ['SAT', 'u4', 12, 9, 15],
    ['SAT', 'u4', 12, -13, 0],
    ['WRAP', 'i4', 5, 9, -2],
    ['SAT', 'i4', 5, 9, 7],
    ['SAT', 'i4', -5, -9, -8],
    ['FAIL', 'i4', -5, -9, null],
    ['FAIL', 'u4', 12, 3, 15],
  ])('OVERFLOW %s: %s %i + %i is %s', (overflow, type, old, amount, result) => {
    const client = new FakeClient()
    client.run('BITFIELD', 'k', 'SET', type, '3', `${old}`)
    const reply = client.run('BITFIELD', 'k', 'OVERFLOW', overflow, 'INCRBY', type, '3', `${amount}`, 'GET', type, '3')
    expect(reply).toBe(result === null ? `*2\r\n$-1\r\n:${old}\r\n` : `*2\r\n:${result}\r\n:${result}\r\n`)
  })

  it('an error behind good operations changes nothing', () => {
    const client = new FakeClient()
    client.run('BITFIELD', 'k', 'SET', 'u8', '0', '1', 'SET', 'u8', '0')
    expect(client.engine.writes).toEqual([])
  })
})
