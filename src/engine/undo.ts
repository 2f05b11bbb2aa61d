// The undo ring: what the keydir was before each write that is not yet released.
//
// A write changes the keydir at once and is acknowledged later. If its bytes never reach the disk, the keydir must become again what it
// was: the ring is unwound, newest first, down to the released position. When writes are released, their rows are dropped; a removed
// entry keeps its number and key until then, so that it can be put back.
//
// In the usual modes the ring is emptied at each tick, so it stays small; with `always` it holds what one sync covers. A row is six
// doubles in one array; what an entry with a side row had (expiry, touch) stands in a map beside, because few have one.

import { assert } from '../base/assert.ts'

export const UNDO_INSERT = 0
export const UNDO_REPLACE = 1
export const UNDO_REMOVE = 2
/** Only expiry and touch changed. */
export const UNDO_TOUCH = 3
export const UNDO_DATABASES = 4

/** Expiry and touch of an entry. */
export interface SideState {
  readonly expiry: number
  readonly touchSequence: number
  readonly touchSegment: number
  readonly touchOffset: number
}

/** One row, as unwinding hands it out. Reused. */
export class UndoRow {
  sequence = 0
  operation = 0
  entry = 0
  segment = 0
  offset = 0
  valueSize = 0
  type = 0
  wide = false
  before = 0 // sequence of the state before
  /** SideState of entries that have one; the databases before, of UNDO_DATABASES. */
  extra: unknown = null
}

const COLUMNS = 6
const OPERATIONS = 8

export class UndoRing {
  private rows = new Float64Array(1024 * COLUMNS)
  private capacity = 1024
  private first = 0 // rows [first, end) are in use; row r lies at (r % capacity) * COLUMNS
  private end = 0
  private removals = 0
  private readonly extras = new Map<number, unknown>()
  private readonly row = new UndoRow()

  get length(): number {
    return this.end - this.first
  }

  /** An insert: nothing was there before. */
  pushInsert(sequence: number, entry: number): void {
    const at = this.slot()
    this.rows[at] = sequence
    this.rows[at + 1] = entry * OPERATIONS + UNDO_INSERT
  }

  push(
    operation: number,
    sequence: number,
    entry: number,
    segment: number,
    offset: number,
    valueSize: number,
    type: number,
    wide: boolean,
    before: number,
    extra: unknown,
  ): void {
    if (extra !== null) this.extras.set(this.end, extra)
    if (operation === UNDO_REMOVE) this.removals++
    const at = this.slot()
    const { rows } = this
    rows[at] = sequence
    rows[at + 1] = entry * OPERATIONS + operation
    rows[at + 2] = (segment * 8 + type) * 2 + (wide ? 1 : 0)
    rows[at + 3] = offset
    rows[at + 4] = valueSize
    rows[at + 5] = before
  }

  /** Writes up to `sequence` stand: forgets their rows. `freed` is called for each entry that was removed by one of them. */
  release(sequence: number, freed: (entry: number) => void): void {
    if (this.removals === 0 && this.extras.size === 0) {
      // Nearly always everything goes at once; then no row need be looked at.
      const last = this.end - 1
      if (this.first <= last && (this.rows[(last % this.capacity) * COLUMNS] as number) <= sequence) {
        this.first = this.end
        return
      }
    }
    while (this.first < this.end) {
      const at = (this.first % this.capacity) * COLUMNS
      if ((this.rows[at] as number) > sequence) return
      const code = this.rows[at + 1] as number
      if (this.extras.size > 0) this.extras.delete(this.first)
      this.first++
      if (code % OPERATIONS === UNDO_REMOVE) {
        this.removals--
        freed(Math.floor(code / OPERATIONS))
      }
    }
  }

  /** Hands out the rows of all writes after `sequence`, newest first, and forgets them. */
  unwind(sequence: number, undo: (row: UndoRow) => void): void {
    const { row } = this
    while (this.end > this.first) {
      const at = ((this.end - 1) % this.capacity) * COLUMNS
      if ((this.rows[at] as number) <= sequence) return
      this.end--
      const code = this.rows[at + 1] as number
      const place = this.rows[at + 2] as number
      row.sequence = this.rows[at] as number
      row.operation = code % OPERATIONS
      row.entry = Math.floor(code / OPERATIONS)
      row.wide = place % 2 === 1
      row.type = Math.floor(place / 2) % 8
      row.segment = Math.floor(place / 16)
      row.offset = this.rows[at + 3] as number
      row.valueSize = this.rows[at + 4] as number
      row.before = this.rows[at + 5] as number
      row.extra = this.extras.get(this.end) ?? null
      this.extras.delete(this.end)
      if (row.operation === UNDO_REMOVE) this.removals--
      undo(row)
    }
  }

  private slot(): number {
    if (this.end - this.first === this.capacity) this.grow()
    return (this.end++ % this.capacity) * COLUMNS
  }

  private grow(): void {
    const capacity = this.capacity * 2
    const rows = new Float64Array(capacity * COLUMNS)
    // The ring is full. Its two halves, from `first` to the end and what stands before it, stay whole in one of twice the length.
    const split = this.first % this.capacity
    rows.set(this.rows.subarray(split * COLUMNS), (this.first % capacity) * COLUMNS)
    rows.set(this.rows.subarray(0, split * COLUMNS), ((this.first + this.capacity - split) % capacity) * COLUMNS)
    this.rows = rows
    this.capacity = capacity
    assert(this.end - this.first < capacity, 'the undo ring has room')
  }
}
