import { expect, test } from 'vitest'
import * as limits from '../../src/base/limits.ts'
import { recordBytes } from '../../src/engine/record.ts'

test('the largest record fits the largest batch, and that one the end of a segment of the largest size', () => {
  const { MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_SEGMENT_BYTES, MAX_SEGMENT_SIZE, MAX_VALUE_BYTES } = limits
  const largest = recordBytes(1, MAX_KEY_BYTES, MAX_VALUE_BYTES)
  expect(MAX_SEGMENT_SIZE + 1.25 * MAX_BATCH_BYTES).toBeLessThan(MAX_SEGMENT_BYTES)
  expect(MAX_SEGMENT_SIZE + largest).toBeLessThan(MAX_SEGMENT_BYTES)
})

test('what is stored as u32 fits u32', () => {
  expect(limits.MAX_SEGMENT_BYTES).toBeLessThan(2 ** 32)
  expect(limits.MAX_VALUE_BYTES).toBeLessThan(2 ** 32)
})
