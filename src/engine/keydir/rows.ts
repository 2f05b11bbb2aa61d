// Rows: what only some entries have. An expiry (then it stands in the queue of expiries, soonest first), or a touch (an expiry that was
// changed by a record of its own: where that record lies). A key without either pays nothing here; one with an expiry 48 bytes.
//
//   row      expiry f64 (ms since 1970, 0: none) | entry u32 | place in the queue + 1, u32 (0: not in it)
//            | touch sequence, low u32, high u32 | touch segment u32 | touch offset u32                          32 bytes
//   queue    a heap with four children a node: expiry f64 and row u32, in pages of 8192 nodes                       12 bytes
//   side     from entry to row: blocks of 4096 u32, made when one of their entries gets a row                      4 bytes
//
// Rows are dense: when one goes, the last one moves into its place and whoever points at it is told (side and queue). The queue repeats the
// expiry, because sifting compares four neighbours and should not visit four rows. Nothing here is ever copied to grow.

import { bytesOf, Memory } from './memory.ts'

const ROWS_SHIFT = 12
const ROWS_MASK = (1 << ROWS_SHIFT) - 1
const ROW_BYTES = 32
const QUEUE_SHIFT = 13
const QUEUE_MASK = (1 << QUEUE_SHIFT) - 1
const SIDE_SHIFT = 12
const SIDE_MASK = (1 << SIDE_SHIFT) - 1
const HIGH = 2 ** 32
const NO_SIDE = new Uint32Array(0)

/** One memory seen as f64 and as u32. */
interface Page {
  readonly doubles: Float64Array
  readonly words: Uint32Array
}

export interface RowsImage {
  readonly rows: number
  readonly queued: number
  readonly sides: readonly { readonly block: number; readonly used: number }[]
}

export class Rows {
  private readonly memory = new Memory()
  private pages: Page[] = []
  private rows = 0
  private queueExpiry: Float64Array[] = []
  private queueRow: Uint32Array[] = []
  private queued_ = 0
  private sides: Uint32Array[] = []
  private sideUsed: number[] = []
  private sideBlocks = 0
  private spareSides: Uint32Array[] = []

  /** Entries in the queue. */
  get queued(): number {
    return this.queued_
  }

  get count(): number {
    return this.rows
  }

  /** The entry whose row has this number. */
  entryOf(row: number): number {
    return (this.pages[row >>> ROWS_SHIFT] as Page).words[(row & ROWS_MASK) * 8 + 2] as number
  }

  get bytes(): number {
    const pages = this.pages.length * ROW_BYTES * (ROWS_MASK + 1)
    const queue = this.queueRow.length * 12 * (QUEUE_MASK + 1)
    return pages + queue + this.sideBlocks * 4 * (SIDE_MASK + 1)
  }

  /** A row for an entry that has none: no expiry, no touch. */
  add(entry: number): void {
    const row = this.rows++
    if (row >>> ROWS_SHIFT === this.pages.length) this.pages.push(newPage(this.memory))
    const { words } = this.pages[row >>> ROWS_SHIFT] as Page
    const at = (row & ROWS_MASK) * 8
    words.fill(0, at, at + 8)
    words[at + 2] = entry
    const block = entry >>> SIDE_SHIFT
    while (this.sides.length <= block) {
      this.sides.push(NO_SIDE)
      this.sideUsed.push(0)
    }
    if ((this.sideUsed[block] as number)++ === 0) this.sides[block] = this.takeSide()
    this.setRowOf(entry, row)
  }

  /** Drops an entry's row; it must not be in the queue. */
  remove(entry: number): void {
    const row = this.rowOf(entry)
    const last = --this.rows
    if (row !== last) {
      const source = (this.pages[last >>> ROWS_SHIFT] as Page).words
      const target = (this.pages[row >>> ROWS_SHIFT] as Page).words
      const from = (last & ROWS_MASK) * 8
      const to = (row & ROWS_MASK) * 8
      for (let i = 0; i < 8; i++) target[to + i] = source[from + i] as number
      this.setRowOf(target[to + 2] as number, row)
      const place = target[to + 3] as number
      if (place > 0) (this.queueRow[(place - 1) >>> QUEUE_SHIFT] as Uint32Array)[(place - 1) & QUEUE_MASK] = row
    }
    // One spare page, so that a row that comes and goes on a border does not allocate each time.
    if (this.pages.length > (last >>> ROWS_SHIFT) + 2) this.memory.give((this.pages.pop() as Page).doubles)
    const block = entry >>> SIDE_SHIFT
    if (--(this.sideUsed[block] as number) === 0) {
      if (this.spareSides.length === 0) this.spareSides.push(this.sides[block] as Uint32Array)
      else {
        this.memory.give(this.sides[block] as Uint32Array)
        this.sideBlocks--
      }
      this.sides[block] = NO_SIDE
    }
  }

  expiry(entry: number): number {
    const row = this.rowOf(entry)
    return (this.pages[row >>> ROWS_SHIFT] as Page).doubles[(row & ROWS_MASK) * 4] as number
  }

  /** Sets an expiry and moves the entry in the queue, in or out of it. `queue` false: it stays out (an entry that is not linked). */
  setExpiry(entry: number, ms: number, queue: boolean): void {
    const row = this.rowOf(entry)
    const { doubles, words } = this.pages[row >>> ROWS_SHIFT] as Page
    doubles[(row & ROWS_MASK) * 4] = ms
    const place = (words[(row & ROWS_MASK) * 8 + 3] as number) - 1
    if (ms === 0 || !queue) {
      if (place >= 0) this.leave(row, place)
    } else if (place < 0) this.join(row, ms)
    else this.sift(place, ms, row)
  }

  /** Puts an entry with an expiry into the queue, or takes it out; its expiry stays. */
  setQueued(entry: number, queue: boolean): void {
    this.setExpiry(entry, this.expiry(entry), queue)
  }

  /** The entry that expires soonest, or -1. */
  soonest(): number {
    if (this.queued_ === 0) return -1
    const row = (this.queueRow[0] as Uint32Array)[0] as number
    return (this.pages[row >>> ROWS_SHIFT] as Page).words[(row & ROWS_MASK) * 8 + 2] as number
  }

  /**
   * Visits entries that expire before `ms`, looking at no more than `most`. `places`: where to go on, [0] at first, empty at the end. Work is in
   * proportion to how many there are, as a heap's early ones are at its top. What moves between two calls may be missed or met twice.
   */
  visitBefore(ms: number, places: number[], most: number, visit: (entry: number) => void): void {
    for (let n = 0; n < most; n++) {
      const place = places.pop()
      if (place === undefined) return
      if (place >= this.queued_ || this.expiryAt(place) >= ms) continue
      const row = this.rowAt(place)
      visit((this.pages[row >>> ROWS_SHIFT] as Page).words[(row & ROWS_MASK) * 8 + 2] as number)
      for (let child = 4 * place + 4; child > 4 * place; child--) places.push(child)
    }
  }

  touchSequence(entry: number): number {
    const row = this.rowOf(entry)
    const { words } = this.pages[row >>> ROWS_SHIFT] as Page
    const at = (row & ROWS_MASK) * 8
    return (words[at + 5] as number) * HIGH + (words[at + 4] as number)
  }

  touchSegment(entry: number): number {
    const row = this.rowOf(entry)
    return (this.pages[row >>> ROWS_SHIFT] as Page).words[(row & ROWS_MASK) * 8 + 6] as number
  }

  touchOffset(entry: number): number {
    const row = this.rowOf(entry)
    return (this.pages[row >>> ROWS_SHIFT] as Page).words[(row & ROWS_MASK) * 8 + 7] as number
  }

  setTouch(entry: number, sequence: number, segment: number, offset: number): void {
    const row = this.rowOf(entry)
    const { words } = this.pages[row >>> ROWS_SHIFT] as Page
    const at = (row & ROWS_MASK) * 8
    words[at + 4] = sequence
    words[at + 5] = Math.floor(sequence / HIGH)
    words[at + 6] = segment
    words[at + 7] = offset
  }

  image(): { header: RowsImage; parts: Uint8Array[] } {
    const sides: { block: number; used: number }[] = []
    const sideParts: Uint8Array[] = []
    for (let block = 0; block < this.sides.length; block++) {
      const used = this.sideUsed[block] as number
      if (used === 0) continue
      sides.push({ block, used })
      sideParts.push(bytesOf(this.sides[block] as Uint32Array))
    }
    return {
      header: { rows: this.rows, queued: this.queued_, sides },
      parts: [
        ...this.pages.slice(0, pagesFor(this.rows, ROWS_SHIFT)).map((page) => bytesOf(page.words)),
        ...this.queueExpiry.slice(0, pagesFor(this.queued_, QUEUE_SHIFT)).map(bytesOf),
        ...this.queueRow.slice(0, pagesFor(this.queued_, QUEUE_SHIFT)).map(bytesOf),
        ...sideParts,
      ],
    }
  }

  /** Takes the shape of an image; the caller fills the parts of image(). */
  restore(header: RowsImage): void {
    this.rows = header.rows
    this.queued_ = header.queued
    this.pages = Array.from({ length: pagesFor(header.rows, ROWS_SHIFT) }, () => newPage(this.memory))
    const queuePages = pagesFor(header.queued, QUEUE_SHIFT)
    this.queueExpiry = Array.from({ length: queuePages }, () => this.memory.doubles(QUEUE_MASK + 1))
    this.queueRow = Array.from({ length: queuePages }, () => this.memory.words(QUEUE_MASK + 1))
    this.sides = []
    this.sideUsed = []
    this.spareSides = []
    this.sideBlocks = 0
    for (const { block, used } of header.sides) {
      while (this.sides.length <= block) {
        this.sides.push(NO_SIDE)
        this.sideUsed.push(0)
      }
      this.sides[block] = this.takeSide()
      this.sideUsed[block] = used
    }
  }

  private rowOf(entry: number): number {
    return (this.sides[entry >>> SIDE_SHIFT] as Uint32Array)[entry & SIDE_MASK] as number
  }

  private setRowOf(entry: number, row: number): void {
    ;(this.sides[entry >>> SIDE_SHIFT] as Uint32Array)[entry & SIDE_MASK] = row
  }

  private takeSide(): Uint32Array {
    const spare = this.spareSides.pop()
    if (spare !== undefined) return spare
    this.sideBlocks++
    return this.memory.words(SIDE_MASK + 1)
  }

  private join(row: number, ms: number): void {
    const place = this.queued_++
    if (place >>> QUEUE_SHIFT === this.queueRow.length) {
      this.queueExpiry.push(this.memory.doubles(QUEUE_MASK + 1))
      this.queueRow.push(this.memory.words(QUEUE_MASK + 1))
    }
    this.siftUp(place, ms, row)
  }

  private leave(row: number, place: number): void {
    const last = --this.queued_
    ;(this.pages[row >>> ROWS_SHIFT] as Page).words[(row & ROWS_MASK) * 8 + 3] = 0
    if (place !== last) this.sift(place, this.expiryAt(last), this.rowAt(last))
    if (this.queueRow.length > (last >>> QUEUE_SHIFT) + 2) {
      this.memory.give(this.queueExpiry.pop() as Float64Array)
      this.memory.give(this.queueRow.pop() as Uint32Array)
    }
  }

  private sift(place: number, ms: number, row: number): void {
    if (place > 0 && ms < this.expiryAt((place - 1) >>> 2)) this.siftUp(place, ms, row)
    else this.siftDown(place, ms, row)
  }

  private siftUp(place: number, ms: number, row: number): void {
    while (place > 0) {
      const parent = (place - 1) >>> 2
      const theirs = this.expiryAt(parent)
      if (theirs <= ms) break
      this.setQueue(place, theirs, this.rowAt(parent))
      place = parent
    }
    this.setQueue(place, ms, row)
  }

  private siftDown(place: number, ms: number, row: number): void {
    for (;;) {
      const first = 4 * place + 1
      if (first >= this.queued_) break
      let child = first
      let soonest = this.expiryAt(first)
      for (let i = first + 1; i < first + 4 && i < this.queued_; i++) {
        const theirs = this.expiryAt(i)
        if (theirs < soonest) {
          soonest = theirs
          child = i
        }
      }
      if (ms <= soonest) break
      this.setQueue(place, soonest, this.rowAt(child))
      place = child
    }
    this.setQueue(place, ms, row)
  }

  private expiryAt(place: number): number {
    return (this.queueExpiry[place >>> QUEUE_SHIFT] as Float64Array)[place & QUEUE_MASK] as number
  }

  private rowAt(place: number): number {
    return (this.queueRow[place >>> QUEUE_SHIFT] as Uint32Array)[place & QUEUE_MASK] as number
  }

  private setQueue(place: number, ms: number, row: number): void {
    ;(this.queueExpiry[place >>> QUEUE_SHIFT] as Float64Array)[place & QUEUE_MASK] = ms
    ;(this.queueRow[place >>> QUEUE_SHIFT] as Uint32Array)[place & QUEUE_MASK] = row
    ;(this.pages[row >>> ROWS_SHIFT] as Page).words[(row & ROWS_MASK) * 8 + 3] = place + 1
  }
}

function newPage(memory: Memory): Page {
  const doubles = memory.doubles((ROW_BYTES / 8) * (ROWS_MASK + 1))
  return { doubles, words: new Uint32Array(doubles.buffer, doubles.byteOffset, doubles.length * 2) }
}

function pagesFor(count: number, shift: number): number {
  return Math.ceil(count / 2 ** shift)
}
