import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32 } from '../../src/base/crc32.ts'
import { decodeSegmentHeader, encodeSegmentHeader, SEGMENT_HEADER_BYTES } from '../../src/engine/segment-header.ts'

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const storeId = Buffer.from('0123456789abcdef')
const sample = (): Buffer => encodeSegmentHeader(storeId, 42, { low: 1, high: 2 })

function resealed(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(crc32(bytes, 0, bytes.length - 4), bytes.length - 4)
  return bytes
}

test('what is encoded is decoded', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), u32, u32, u32, (id, number, low, high) => {
      const bytes = encodeSegmentHeader(Buffer.from(id), number, { low, high })
      expect(bytes.length).toBe(SEGMENT_HEADER_BYTES)
      // Records behind it do not matter.
      expect(decodeSegmentHeader(Buffer.concat([bytes, Buffer.from('records')]))).toEqual({
        storeId: Buffer.from(id),
        number,
        salt: { low, high },
      })
    }),
  )
})

test('every flipped bit is damage, every cut is short', () => {
  for (let bit = 0; bit < SEGMENT_HEADER_BYTES * 8; bit++) {
    const bytes = sample()
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    expect(decodeSegmentHeader(bytes)).toBe('damaged')
  }
  for (let length = 0; length < SEGMENT_HEADER_BYTES; length++) {
    expect(decodeSegmentHeader(sample().subarray(0, length))).toBe('short')
  }
})

test('another version, an incompatible feature or a cipher is newer, a compatible feature of no concern', () => {
  const changed = (at: number, byte: number): Buffer => {
    const bytes = sample()
    bytes[at] = byte
    return resealed(bytes)
  }
  expect(decodeSegmentHeader(changed(8, 2))).toBe('newer')
  expect(decodeSegmentHeader(changed(10, 67))).toBe('newer')
  expect(decodeSegmentHeader(changed(12, 1))).toBe('newer')
  expect(decodeSegmentHeader(changed(15, 0x80))).toBe('newer')
  expect(decodeSegmentHeader(changed(48, 1))).toBe('newer')
  expect(decodeSegmentHeader(changed(44, 1))).toMatchObject({ number: 42 })
})
