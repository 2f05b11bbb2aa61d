import fc from 'fast-check'
import { expect, test } from 'vitest'
import { UNDO_DATABASES, UNDO_INSERT, UNDO_REMOVE, UNDO_REPLACE, UNDO_TOUCH, UndoRing } from '../../src/engine/undo.ts'

interface Row {
  sequence: number
  operation: number
  entry: number
  segment: number
  offset: number
  valueSize: number
  type: number
  wide: boolean
  before: number
  extra: unknown
}

const rows = fc.record({
  operation: fc.constantFrom(UNDO_INSERT, UNDO_REPLACE, UNDO_REMOVE, UNDO_TOUCH, UNDO_DATABASES),
  entry: fc.integer({ min: 0, max: 2 ** 31 - 3 }),
  segment: fc.integer({ min: 0, max: 2 ** 19 - 1 }),
  offset: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  valueSize: fc.integer({ min: 0, max: 2 ** 30 }),
  type: fc.nat(7),
  wide: fc.boolean(),
  before: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  extra: fc.option(fc.record({ expiry: fc.nat() })),
})
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ push: fc.array(rows, { maxLength: 10 }) }) },
    { weight: 2, arbitrary: fc.record({ release: fc.nat(12) }) },
    { weight: 1, arbitrary: fc.record({ unwind: fc.nat(12) }) },
  ),
  { maxLength: 60 },
)

test('is a list: released from its front, unwound from its end', () => {
  fc.assert(
    fc.property(steps, fc.nat(2 ** 40), (list, firstSequence) => {
      const ring = new UndoRing()
      let model: Row[] = []
      let sequence = firstSequence
      for (const step of list) {
        if ('push' in step) {
          for (const each of step.push) {
            sequence += 1
            if (each.operation === UNDO_INSERT) ring.pushInsert(sequence, each.entry)
            else {
              const { operation, entry, segment, offset, valueSize, type, wide, before, extra } = each
              ring.push(operation, sequence, entry, segment, offset, valueSize, type, wide, before, extra)
            }
            model.push({ ...each, sequence })
          }
        } else {
          // A position somewhere among the rows.
          const back = 'release' in step ? step.release : step.unwind
          const to = Math.max(0, sequence - back)
          const gone: unknown[] = []
          if ('release' in step) {
            ring.release(to, (entry) => gone.push(entry))
            expect(gone).toEqual(
              model.filter((row) => row.sequence <= to && row.operation === UNDO_REMOVE).map((row) => row.entry),
            )
            model = model.filter((row) => row.sequence > to)
          } else {
            ring.unwind(to, (row) => gone.push({ ...row }))
            const expected = model.filter((row) => row.sequence > to).reverse()
            expect(gone.length).toBe(expected.length)
            for (const [i, row] of expected.entries()) {
              const { sequence, entry } = row
              if (row.operation === UNDO_INSERT)
                expect(gone[i]).toMatchObject({ operation: UNDO_INSERT, sequence, entry })
              else expect(gone[i]).toEqual(row)
            }
            model = model.filter((row) => row.sequence <= to)
          }
        }
        expect(ring.length).toBe(model.length)
      }
    }),
  )
})

test('grows while some are released, and keeps their order', () => {
  const ring = new UndoRing()
  for (let s = 1; s <= 1000; s++) ring.pushInsert(s, s)
  ring.release(900, () => {})
  for (let s = 1001; s <= 5000; s++)
    ring.push(UNDO_REPLACE, s, s, 1, s, 3, 0, s % 2 === 0, s - 1, s % 5 === 0 ? s : null)
  const seen: number[] = []
  ring.unwind(900, (row) => {
    seen.push(row.sequence)
    expect(row.entry).toBe(row.sequence)
    if (row.sequence > 1000) expect(row.extra).toBe(row.sequence % 5 === 0 ? row.sequence : null)
  })
  expect(seen).toEqual(Array.from({ length: 4100 }, (_, i) => 5000 - i))
})

test('a million rows that wait for a disk that hangs cost no pause to grow, and their memory is given back', () => {
  const ring = new UndoRing()
  const { pages } = ring as unknown as { pages: Float64Array[] }
  const first = pages[0]
  for (let s = 1; s <= 1_000_000; s++) ring.push(UNDO_REPLACE, s, s, 1, s, 3, 0, false, 0, null)
  expect(pages[0], 'nothing was copied').toBe(first)
  expect(pages.length).toBe(Math.ceil(1_000_000 / 4096))
  for (const released of [500_000, 600_000]) {
    ring.release(released, () => {})
    expect(pages.length).toBeLessThanOrEqual(Math.ceil((1_000_000 - released) / 4096) + 2)
  }
  ring.release(1_000_000, () => {})
  expect([ring.length, pages.length]).toEqual([0, 1])
})

test('a ring that is never empty gets by with the pages that it has', () => {
  const ring = new UndoRing()
  const { pages } = ring as unknown as { pages: Float64Array[] }
  const seen = new Set<Float64Array>()
  for (let s = 1; s <= 100_000; s++) {
    ring.pushInsert(s, s)
    for (const page of pages) seen.add(page)
    ring.release(s - 3000, () => {})
  }
  expect(seen.size).toBe(2)
  const left: number[] = []
  ring.unwind(0, (row) => left.push(row.sequence))
  expect(left).toEqual(Array.from({ length: 3000 }, (_, i) => 100_000 - i))
})
