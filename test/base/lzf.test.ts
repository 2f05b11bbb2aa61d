import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LzfCompressor, LzfDecompressor, mostDecompressed } from '../../src/base/lzf.ts'

/** null: it does not fit `limit`. */
function compress(bytes: Uint8Array, limit: number, budget = 1 << 30): Buffer | null {
  const work = new LzfCompressor(bytes, 0, bytes.length, limit)
  while (!work.run(budget)) {}
  return work.hasFailed ? null : work.output.subarray(0, work.length)
}

/** null: it is none. */
function decompress(bytes: Uint8Array, length: number, budget = 1 << 30): Buffer | null {
  const work = new LzfDecompressor(bytes, 0, bytes.length, length)
  while (!work.run(budget)) {}
  return work.hasFailed ? null : work.output
}

const roomy = (bytes: Uint8Array): number => bytes.length * 2 + 10

/** Bytes as data has them: runs, repetitions near and far, noise. */
const data = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 12 }), fc.nat(400)).map(([unit, times]) => {
        return Uint8Array.from({ length: unit.length * times }, (_, i) => unit[i % unit.length]!)
      }),
    ),
    { maxLength: 8 },
  )
  .map((parts) => Buffer.concat(parts))

describe('LZF', () => {
  it('gives back what was put in, however the work is cut', () => {
    fc.assert(
      fc.property(data, fc.integer({ min: 1, max: 100 }), (bytes, budget) => {
        const compressed = compress(bytes, roomy(bytes))!
        expect(compress(bytes, roomy(bytes), budget)?.equals(compressed)).toBe(true)
        expect(decompress(compressed, bytes.length)?.equals(bytes)).toBe(true)
        expect(decompress(compressed, bytes.length, budget)?.equals(bytes)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('finds what stood up to 8192 bytes before, and not beyond', () => {
    const noise = Buffer.from(Array.from({ length: 9000 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24))
    const word = Buffer.from('a word that comes again')
    const distances = [word.length, 8192, 8193].map((distance) => {
      const bytes = Buffer.concat([word, noise.subarray(0, distance - word.length), word])
      const compressed = compress(bytes, roomy(bytes))!
      expect(decompress(compressed, bytes.length)).toEqual(bytes)
      return compressed.length - compress(bytes.subarray(0, distance), roomy(bytes))!.length
    })
    expect(distances[0]).toBeLessThan(word.length)
    expect(distances[1]).toBeLessThan(word.length)
    expect(distances[2]).toBeGreaterThanOrEqual(word.length)
  })

  it('makes long runs small', () => {
    const zeros = Buffer.alloc(1_000_000)
    const compressed = compress(zeros, zeros.length)!
    expect(compressed.length).toBeLessThan(zeros.length / 80)
    expect(decompress(compressed, zeros.length)?.equals(zeros)).toBe(true)
    expect(mostDecompressed(compressed.length)).toBeGreaterThanOrEqual(zeros.length)
  })

  it('says when there is no room, and writes no further', () => {
    const bytes = Buffer.from('abcabcabcabc and something else that does not repeat')
    const length = compress(bytes, roomy(bytes))!.length
    expect(compress(bytes, length)).not.toBeNull()
    for (let limit = 0; limit < length; limit++) expect(compress(bytes, limit)).toBeNull()
  })

  it('reads what the format says', () => {
    const cases: [number[], string][] = [
      [[0, 97], 'a'],
      [[2, 97, 98, 99], 'abc'],
      [[0, 97, 0x20, 0], 'aaaa'], // three more of the byte before
      [[1, 97, 98, 0xc0, 1], 'ababababab'],
      [[0, 97, 0xe0, 0, 0], 'a'.repeat(10)],
      [[0, 97, 0xe0, 255, 0], 'a'.repeat(265)],
    ]
    for (const [bytes, text] of cases) {
      expect(decompress(Uint8Array.from(bytes), text.length)?.toString()).toBe(text)
      expect(decompress(Uint8Array.from(bytes), text.length + 1)).toBeNull()
      expect(decompress(Uint8Array.from(bytes), text.length - 1)).toBeNull()
    }
  })

  it('refuses what breaks off, points before the start, or is too long; and survives noise', () => {
    for (const bytes of [[0], [5, 97], [0x20], [0xe0], [0xe0, 1], [0x20, 0], [0, 97, 0x20, 1], [0, 97, 0x3f, 255]]) {
      expect(decompress(Uint8Array.from(bytes), 4)).toBeNull()
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(300), (noise, length) => {
        const made = decompress(noise, length)
        expect(made === null || made.length === length).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})
