import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  ANCHOR_KEY_BYTES,
  ANCHOR_VALUE_BYTES,
  anchorSeed,
  isMark,
  readClaim,
  writeClaim,
  writeMark,
} from '../../src/engine/anchor.ts'

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })

test('a mark is one at its offset and in its segment only', () => {
  fc.assert(
    fc.property(u32, u32, u32, u32, (low, high, offset, other) => {
      const seed = anchorSeed({ low, high })
      const bytes = Buffer.alloc(ANCHOR_KEY_BYTES + 5)
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
      writeMark(seed, offset, bytes, view, 5)
      expect(isMark(seed, offset, bytes, view, 5)).toBe(true)
      if (other !== offset) expect(isMark(seed, other, bytes, view, 5)).toBe(false)
      expect(isMark(anchorSeed({ low: (low ^ 1) >>> 0, high }), offset, bytes, view, 5)).toBe(false)
      for (let i = 0; i < ANCHOR_KEY_BYTES; i++) {
        bytes[5 + i]! ^= 0x10
        expect(isMark(seed, offset, bytes, view, 5)).toBe(false)
        bytes[5 + i]! ^= 0x10
      }
    }),
  )
})

test('what an anchor claims is read back', () => {
  fc.assert(
    fc.property(
      fc.record({ provenSegment: u32, provenOffset: u32, previousSegment: u32, previousLength: u32 }),
      (claim) => {
        const bytes = Buffer.alloc(ANCHOR_VALUE_BYTES + 3, 0xff)
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
        writeClaim(view, 3, claim)
        expect(readClaim(view, 3)).toEqual(claim)
        expect(view.getUint32(3 + 16, true)).toBe(0)
      },
    ),
  )
})
