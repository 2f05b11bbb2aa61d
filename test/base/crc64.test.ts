import { describe, expect, it } from 'vitest'
import { Crc64 } from '../../src/base/crc64.ts'

// The definition, bit by bit in big integers: the judge of the tables.
function slow(bytes: Uint8Array): bigint {
  let crc = 0n
  for (const byte of bytes) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 0n ? crc >> 1n : (crc >> 1n) ^ 0x95ac9329ac4bc9b5n
  }
  return crc
}

function sum(bytes: Uint8Array, ...cuts: number[]): bigint {
  const crc = new Crc64()
  let from = 0
  for (const to of [...cuts, bytes.length]) {
    crc.add(bytes, from, to)
    from = to
  }
  const into = Buffer.alloc(10, 0xee)
  crc.write(into, 1)
  expect(crc.equals(into, 1)).toBe(true)
  expect(crc.equals(into, 0)).toBe(false)
  expect([into[0], into[9]]).toEqual([0xee, 0xee])
  return into.readBigUInt64LE(1)
}

const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 167 + (i >> 3)) & 255)

describe('CRC-64 (Jones)', () => {
  it('gives the check value', () => {
    expect(sum(Buffer.from('123456789'))).toBe(0xe9c6d914c4b8d9can)
    expect(sum(Buffer.alloc(0))).toBe(0n)
  })

  it('is the definition, for every length up to 300 and from every start', () => {
    for (let length = 0; length <= bytes.length; length++) {
      const part = bytes.subarray(length % 13, length)
      expect(sum(part)).toBe(slow(part))
    }
  })

  it('does not depend on how the bytes are cut', () => {
    const whole = slow(bytes)
    for (let cut = 0; cut <= bytes.length; cut++) expect(sum(bytes, cut)).toBe(whole)
    expect(sum(bytes, 1, 2, 3, 11, 100, 107, 299)).toBe(whole)
  })
})
