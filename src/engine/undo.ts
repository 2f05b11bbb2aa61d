// The undo ring: what the keydir was before each write that is not yet released.
//
// A write changes the keydir at once and is acknowledged later. If its bytes never reach the disk, the keydir must become again what it
// was: the ring is unwound, newest first, down to the released position. When writes are released, their rows are dropped; a removed
// entry keeps its number and key until then, so that it can be put back.
//
// In the usual modes the ring is emptied at each tick, so it stays small; with `always` it holds what one sync covers, and where the disk hangs
// a million rows. So it grows by pages, and gives them back: nothing is ever copied. A row is six doubles of a page; what an entry with a side row
// had (expiry, touch) stands in a map beside, because few have one.

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
const PAGE_SHIFT = 12
const PAGE_ROWS = 1 << PAGE_SHIFT
const PAGE_MASK = PAGE_ROWS - 1

const newPage = (): Float64Array => new Float64Array(PAGE_ROWS * COLUMNS)

export class UndoRing {
  private readonly pages: Float64Array[] = [newPage()]
  private first = 0 // rows [first, end) are in use; row 0 is the first of the first page
  private end = 0
  private removals = 0
  private readonly extras = new Map<number, unknown>() // by sequence
  private readonly row = new UndoRow()

  get length(): number {
    return this.end - this.first
  }

  /** An insert: nothing was there before. */
  pushInsert(sequence: number, entry: number): void {
    const rows = this.lastPage()
    const at = (this.end++ & PAGE_MASK) * COLUMNS
    rows[at] = sequence
    rows[at + 1] = entry * OPERATIONS + UNDO_INSERT
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
    if (extra !== null) this.extras.set(sequence, extra)
    if (operation === UNDO_REMOVE) this.removals++
    const rows = this.lastPage()
    const at = (this.end++ & PAGE_MASK) * COLUMNS
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
      if (this.first < this.end && (this.page(this.end - 1)[atRow(this.end - 1)] as number) <= sequence) {
        this.empty()
        return
      }
    }
    while (this.first < this.end) {
      const rows = this.page(this.first)
      const at = atRow(this.first)
      const written = rows[at] as number
      if (written > sequence) break
      const code = rows[at + 1] as number
      if (this.extras.size > 0) this.extras.delete(written)
      this.first++
      if (code % OPERATIONS === UNDO_REMOVE) {
        this.removals--
        freed(Math.floor(code / OPERATIONS))
      }
    }
    if (this.first === this.end) this.empty()
    else if (this.first >= PAGE_ROWS) this.givePages()
  }

  /** Hands out the rows of all writes after `sequence`, newest first, and forgets them. */
  unwind(sequence: number, undo: (row: UndoRow) => void): void {
    const { row } = this
    while (this.end > this.first) {
      const rows = this.page(this.end - 1)
      const at = atRow(this.end - 1)
      if ((rows[at] as number) <= sequence) return
      this.end--
      const code = rows[at + 1] as number
      const place = rows[at + 2] as number
      row.sequence = rows[at] as number
      row.operation = code % OPERATIONS
      row.entry = Math.floor(code / OPERATIONS)
      row.wide = place % 2 === 1
      row.type = Math.floor(place / 2) % 8
      row.segment = Math.floor(place / 16)
      row.offset = rows[at + 3] as number
      row.valueSize = rows[at + 4] as number
      row.before = rows[at + 5] as number
      row.extra = this.extras.get(row.sequence) ?? null
      this.extras.delete(row.sequence)
      if (row.operation === UNDO_REMOVE) this.removals--
      undo(row)
    }
  }

  private page(row: number): Float64Array {
    return this.pages[row >>> PAGE_SHIFT] as Float64Array
  }

  // The one that the next row goes to.
  private lastPage(): Float64Array {
    if (this.end >>> PAGE_SHIFT === this.pages.length) this.pages.push(newPage())
    return this.page(this.end)
  }

  // One page is always kept: nearly always it is all there is.
  private empty(): void {
    this.first = 0
    this.end = 0
    if (this.pages.length > 1) this.pages.length = 1
  }

  // Those in front of the first row. One becomes the next, so that a ring that is never empty does not make one after the other.
  private givePages(): void {
    const spent = this.first >>> PAGE_SHIFT
    const again = this.pages.splice(0, spent)[0] as Float64Array
    this.first -= spent * PAGE_ROWS
    this.end -= spent * PAGE_ROWS
    if (this.pages.length === (this.end >>> PAGE_SHIFT) + 1) this.pages.push(again)
  }
}

const atRow = (row: number): number => (row & PAGE_MASK) * COLUMNS
