import * as zlib from 'node:zlib'
import CRC32 from 'crc-32'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32 } from '../../src/base/crc32.ts'

test('crc32 is the crc-32 package, at every length around the change of implementation and every alignment', () => {
  const bytes = Uint8Array.from({ length: 1200 }, (_, i) => (i * 167 + (i >> 3)) & 0xff)
  for (let length = 0; length <= 800; length++) {
    for (const start of [0, 1, 3, 7]) {
      const expected = CRC32.buf(bytes.subarray(start, start + length)) >>> 0
      if (crc32(bytes, start, start + length) !== expected) expect.fail(`length ${length} from ${start}`)
    }
  }
})

test('crc32 of parts, seeded, is the crc of the whole; and zlib agrees', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 2000 }),
      fc.nat(2000),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      (bytes, cut, seed) => {
        const at = Math.min(cut, bytes.length)
        const whole = crc32(bytes, 0, bytes.length, seed)
        expect(crc32(bytes, at, bytes.length, crc32(bytes, 0, at, seed))).toBe(whole)
        expect(whole).toBe((zlib as unknown as { crc32(b: Uint8Array, seed: number): number }).crc32(bytes, seed))
      },
    ),
  )
})

test('the check value of the standard', () => {
  expect(crc32(Buffer.from('123456789'), 0, 9)).toBe(0xcbf43926)
})
