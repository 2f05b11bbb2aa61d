// Many bits at once, held against one bit at a time.

import { describe, expect, it } from 'vitest'
import { type Combination, combine, countOnes, firstBit, firstOther, invert } from '../../src/commands/bits.ts'
import { type Random, randomFrom } from '../harness/random.ts'

/** Around the lengths at which the ways of working change. */
const LENGTHS = [0, 1, 3, 7, 8, 63, 64, 65, 68, 127, 16_383, 16_384, 16_385, 16_384 * 2 + 70, 40_000]

function noise(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)))
}

function each(test: (bytes: Buffer, start: number, end: number, random: Random) => void): void {
  const random = randomFrom(3)
  for (const length of LENGTHS) {
    for (let shift = 0; shift < 5; shift++) test(noise(random, length + shift + 3), shift, shift + length, random)
  }
}

describe('bits', () => {
  it('countOnes', () => {
    each((bytes, start, end) => {
      let ones = 0
      for (let i = start; i < end; i++) ones += bytes[i]!.toString(2).replaceAll('0', '').length
      expect(countOnes(bytes, start, end)).toBe(ones)
    })
  })

  it.each([0, 255] as const)('firstOther than %i', (byte) => {
    each((bytes, start, end, random) => {
      bytes.fill(byte, start, end)
      expect(firstOther(bytes, start, end, byte)).toBe(end)
      for (let n = 0; n < 5 && end > start; n++) {
        const at = random.between(start, end - 1)
        bytes[at] = byte ^ (1 << random.below(8))
        const first = bytes.subarray(start, end).findIndex((each) => each !== byte) + start
        expect(firstOther(bytes, start, end, byte)).toBe(first)
      }
    })
  })

  it.each(['AND', 'OR', 'XOR'] as const)('combine with %s', (how: Combination) => {
    each((bytes, start, end, random) => {
      const target = noise(random, end - start + 5)
      const wanted = target.map((one, i) => {
        const other = bytes[start + i]!
        if (i >= end - start) return one
        return how === 'AND' ? one & other : how === 'OR' ? one | other : one ^ other
      })
      combine(how, target, bytes, start, end)
      expect(target.equals(wanted)).toBe(true)
    })
  })

  it('invert', () => {
    each((bytes) => {
      const wanted = bytes.map((one) => 255 - one)
      invert(bytes)
      expect(bytes.equals(wanted)).toBe(true)
    })
  })

  it('firstBit', () => {
    for (let byte = 0; byte < 256; byte++) {
      const text = byte.toString(2).padStart(8, '0')
      for (const bit of [0, 1] as const) {
        const at = text.indexOf(String(bit))
        expect(firstBit(byte, bit)).toBe(at < 0 ? 8 : at)
      }
    }
  })
})
