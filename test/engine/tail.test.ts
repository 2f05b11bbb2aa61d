// The log's tail against a plain picture of the files: every byte that it says it has is the one that was appended.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PORTIONS } from '../../src/engine/portions.ts'
import { NOT_RESIDENT, Segment } from '../../src/engine/segments.ts'
import { Tail } from '../../src/engine/tail.ts'

const BLOCK_BYTES = PORTIONS.blockBytes

const steps = fc.array(
  fc.oneof(
    // Large pieces, or a run would never fill a block.
    {
      weight: 6,
      arbitrary: fc.record({ append: fc.oneof(fc.integer({ min: 1, max: 400_000 }), fc.constant(1_500_000)) }),
    },
    { weight: 3, arbitrary: fc.constant({ flush: true } as const) },
    { weight: 1, arbitrary: fc.constant({ rotate: true } as const) },
    { weight: 1, arbitrary: fc.record({ keep: fc.integer({ min: 0, max: 4 }) }) },
  ),
  { maxLength: 60 },
)

test('what the tail has is what was appended, and what is not written it always has', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const tail = new Tail(0, BLOCK_BYTES)
      const segments: Segment[] = []
      const appended: { segment: Segment; offset: number; length: number; mark: number; written: boolean }[] = []
      const rotate = (): Segment => {
        const segment = new Segment(segments.length, 7 + segments.length * 3, { low: 0, high: 0 }, false)
        segments.push(segment)
        return segment
      }
      let active = rotate()
      for (const step of list) {
        if ('append' in step) {
          const block = tail.room(active, step.append)
          const mark = (appended.length % 255) + 1
          block.bytes.fill(mark, block.length, block.length + step.append)
          block.length += step.append
          appended.push({ segment: active, offset: active.sizeBytes, length: step.append, mark, written: false })
          active.sizeBytes += step.append
        } else if ('flush' in step) {
          const pieces = [...tail.unwritten()]
          const bytes = pieces.reduce((sum, piece) => sum + piece.to - piece.from, 0)
          expect(bytes).toBe(appended.reduce((sum, each) => sum + (each.written ? 0 : each.length), 0))
          for (const { block, to } of pieces) block.written = to
          for (const each of appended) each.written = true
          tail.trim()
          expect(tail.heldBytes).toBeLessThanOrEqual(Math.max(tail.keepBytes, BLOCK_BYTES))
        } else if ('rotate' in step) active = rotate()
        else tail.keepBytes = step.keep * BLOCK_BYTES
        for (const each of appended) {
          const isHere = each.offset >= each.segment.residentFrom && tail.find(each.segment, each.offset)
          if (!each.written) expect(isHere).toBe(true)
          if (!isHere) continue
          expect(tail.bytes[tail.at]).toBe(each.mark)
          expect(tail.bytes[tail.at + each.length - 1]).toBe(each.mark)
        }
        // Nothing beyond the end, nothing of a segment that was never appended to.
        expect(tail.find(active, active.sizeBytes)).toBe(false)
      }
      tail.reset()
      expect([...tail.unwritten()]).toEqual([])
      for (const segment of segments) expect(segment.residentFrom).toBe(NOT_RESIDENT)
    }),
    { numRuns: 60 },
  )
})
