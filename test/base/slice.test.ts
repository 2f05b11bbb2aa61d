import { expect, test } from 'vitest'
import { Slice, sliceOf } from '../../src/base/slice.ts'

test('a copy is private: what the buffer says later does not reach it, and it pins nothing', () => {
  const chunk = Buffer.alloc(1024 * 1024, 'x') // more than a block of Node's pool, 64 KiB since Node 24
  const slice = new Slice(chunk, 10, 20)
  const copy = slice.copy()
  chunk.fill('y')
  expect(copy.toString()).toBe('xxxxxxxxxx')
  expect(copy.buffer.byteLength).toBeLessThan(chunk.length)
})

test('equal by bytes, not by place', () => {
  const bytes = Buffer.from('abcabd')
  const first = new Slice(bytes, 0, 3)
  expect(first.equals(sliceOf('abc'))).toBe(true)
  expect(first.equals(new Slice(bytes, 3, 6))).toBe(false)
  expect(first.equals(new Slice(bytes, 0, 2))).toBe(false)
  expect(new Slice().equals(new Slice(bytes, 4, 4))).toBe(true)
})

test('a key text keeps every byte apart', () => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  expect(new Set(Array.from(all, (_, i) => new Slice(all, i, i + 1).key())).size).toBe(256)
  expect(Buffer.from(new Slice(all).key(), 'latin1')).toEqual(all)
})
