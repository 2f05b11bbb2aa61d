import { expect, test } from 'vitest'
import { BUFFER_BYTES, BufferPool } from '../../src/server/buffer-pool.ts'

const MIB = 1024 * 1024

test('a buffer that is given back serves who needs so many bytes, and nobody who needs more', () => {
  const pool = new BufferPool()
  for (const bytes of [1, BUFFER_BYTES, BUFFER_BYTES + 1, 100_000, MIB]) {
    const buffer = pool.take(bytes)
    expect(buffer.length).toBeGreaterThanOrEqual(bytes)
    pool.give(buffer)
    expect(pool.bytes).toBe(buffer.length)
    expect(pool.take(2 * buffer.length).length).toBeGreaterThanOrEqual(2 * buffer.length)
    expect(pool.take(bytes)).toBe(buffer)
    expect(pool.bytes).toBe(0)
  }
})

test('what is odd or too large is not kept, and all that is kept has a bound', () => {
  const pool = new BufferPool()
  for (const bytes of [0, 100, 3 * BUFFER_BYTES, 2 * MIB]) pool.give(Buffer.alloc(bytes))
  expect(pool.take(MIB + 1).length).toBe(MIB + 1)
  expect(pool.bytes).toBe(0)
  for (let i = 0; i < 100; i++) pool.give(Buffer.allocUnsafeSlow(MIB))
  expect(pool.bytes).toBe(32 * MIB)
  pool.drop()
  expect(pool.bytes).toBe(0)
})
