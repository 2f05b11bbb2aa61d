// The hash: every input bit changes every output bit in half of the cases, and the seed changes everything.

import { describe, expect, it } from 'vitest'
import { KeyHash } from '../../../src/engine/keydir/key-hash.ts'
import { randomFrom } from '../../harness/random.ts'

describe('key hash', () => {
  it('flips each output bit for half of the keys when one input bit flips', () => {
    const random = randomFrom(11)
    for (const length of [1, 3, 4, 7, 16, 21]) {
      const hash = new KeyHash(random.below(2 ** 53))
      const runs = 4000
      const key = Buffer.alloc(length)
      for (let bit = 0; bit < length * 8; bit++) {
        const flips = new Array<number>(32).fill(0)
        for (let run = 0; run < runs; run++) {
          for (let i = 0; i < length; i++) key[i] = random.below(256)
          const database = random.below(1000)
          const before = hash.of(database, key, 0, length)
          key[bit >> 3] = (key[bit >> 3] as number) ^ (1 << (bit & 7))
          const changed = before ^ hash.of(database, key, 0, length)
          for (let out = 0; out < 32; out++) flips[out] = (flips[out] as number) + ((changed >>> out) & 1)
        }
        for (let out = 0; out < 32; out++) {
          const share = (flips[out] as number) / runs
          if (share < 0.4 || share > 0.6)
            throw new Error(`length ${length}: input bit ${bit} flips output bit ${out} at ${share}`)
        }
      }
    }
  })

  it('spreads keys that only count over the top bits evenly', () => {
    const hash = new KeyHash(5)
    const counts = new Array<number>(1024).fill(0)
    for (let i = 0; i < 1024 * 500; i++) {
      const key = Buffer.from(`user:${i}`, 'latin1')
      const top = hash.of(0, key, 0, key.length) >>> 22
      counts[top] = (counts[top] as number) + 1
    }
    // 500 on average, a standard deviation of 22.
    expect(Math.min(...counts)).toBeGreaterThan(500 - 6 * 22)
    expect(Math.max(...counts)).toBeLessThan(500 + 6 * 22)
  })

  it('tells databases, lengths and seeds apart, and not positions in the buffer', () => {
    const key = Buffer.from('..same key..', 'latin1')
    const hash = new KeyHash(1)
    expect(hash.of(0, key, 2, 10)).not.toBe(hash.of(1, key, 2, 10))
    expect(hash.of(0, key, 2, 10)).not.toBe(new KeyHash(2).of(0, key, 2, 10))
    expect(hash.of(0, key, 2, 10)).not.toBe(new KeyHash(1 + 2 ** 40).of(0, key, 2, 10))
    expect(hash.of(0, Buffer.alloc(8), 0, 5)).not.toBe(hash.of(0, Buffer.alloc(8), 0, 6))
    expect(hash.of(0, key, 2, 10)).toBe(hash.of(0, Buffer.from('same key', 'latin1'), 0, 8))
  })

  it('does not let two words cancel each other without the seed', () => {
    // The pair of top bits that cancels in a plain multiplicative hash, under many seeds.
    let equal = 0
    for (let seed = 0; seed < 2000; seed++) {
      const hash = new KeyHash(seed * 7_777_777)
      const a = Buffer.alloc(8)
      const b = Buffer.from([0, 0, 0, 0x80, 0, 0, 0, 0x80])
      if (hash.of(0, a, 0, 8) === hash.of(0, b, 0, 8)) equal++
    }
    expect(equal).toBe(0)
  })
})
