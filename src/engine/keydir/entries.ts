// Entries: for each key, where its newest record lies. 24 bytes each, addressed by number.
//
//   word  bits   field
//      0         offset in the segment
//      1         value size
//      2         sequence, low 32 bits
//      3   0-15  sequence, high 16 bits
//         16-31  segment slot, low 16 bits
//      4    0-1  segment slot, high 2 bits
//             2  read: the value was asked for since it was written
//             3  wide: the record's head carries more than the usual fields
//             4  row: the entry has a row in rows.ts (an expiry or a touch)
//           5-7  type: 0 string, ... 6 reserved, 7 tombstone (only while loading)
//          8-31  access clock
//      5         ref of the key in the arena; 0: this entry is free, and word 0 is the number of the next free one + 1
//
// A page holds 16,384 entries and behind them a bit each: linked (can be found) or not. SCAN walks those bits, 32 at a step.
// A number stays the same as long as its entry lives: it is the SCAN cursor and what the undo ring remembers.
//
// 64-bit fields in JS numbers: a sequence is below 2^48, so high * 2^32 + low is exact.

import { assert } from '../../base/assert.ts'
import { bytesOf, Memory } from './memory.ts'

/** Stands for a delete; only while loading. */
export const TYPE_TOMBSTONE = 7
/** Stands for a value of which only a touch was read so far; only while loading. */
export const TYPE_AWAITED = 6

const PAGE_SHIFT = 14
const PAGE_ENTRIES = 1 << PAGE_SHIFT
const PAGE_MASK = PAGE_ENTRIES - 1
const WORDS = 6
const LINKED_AT = PAGE_ENTRIES * WORDS
const PAGE_WORDS = LINKED_AT + PAGE_ENTRIES / 32
const MAX_ENTRIES = 2 ** 31 - 2

const HIGH = 2 ** 32
const READ = 1 << 2
const WIDE = 1 << 3
const ROW = 1 << 4
const TYPE_SHIFT = 5
const CLOCK_SHIFT = 8

export interface EntriesImage {
  readonly capacity: number
  readonly used: number
  readonly firstFree: number
}

export class Entries {
  private readonly memory = new Memory()
  /** Highest number ever used, plus one. */
  capacity = 0
  /** Entries that are not free. */
  used = 0
  private pages: Uint32Array[] = []
  private firstFree = 0 // number + 1

  get bytes(): number {
    return this.pages.length * PAGE_WORDS * 4
  }

  /** A free number, all fields zero but the key's ref. Not linked. */
  take(keyRef: number): number {
    let e = this.firstFree - 1
    if (e >= 0) {
      this.firstFree = this.page(e)[(e & PAGE_MASK) * WORDS] as number
    } else {
      assert(this.capacity < MAX_ENTRIES, 'entry numbers are left')
      e = this.capacity++
      if (e >>> PAGE_SHIFT === this.pages.length) this.pages.push(this.memory.words(PAGE_WORDS))
    }
    this.used++
    const page = this.page(e)
    const at = (e & PAGE_MASK) * WORDS
    page[at] = 0
    page[at + 1] = 0
    page[at + 2] = 0
    page[at + 3] = 0
    page[at + 4] = 0
    page[at + 5] = keyRef
    return e
  }

  give(e: number): void {
    const page = this.page(e)
    const at = (e & PAGE_MASK) * WORDS
    page[at] = this.firstFree
    page[at + 5] = 0
    this.firstFree = e + 1
    this.used--
  }

  keyRef(e: number): number {
    return this.page(e)[(e & PAGE_MASK) * WORDS + 5] as number
  }

  setKeyRef(e: number, ref: number): void {
    this.page(e)[(e & PAGE_MASK) * WORDS + 5] = ref
  }

  /** Reads a word of each entry, for prefetching (keydir.ts). */
  touch(numbers: Int32Array, count: number): number {
    const { pages } = this
    let sum = 0
    for (let i = 0; i < count; i++) {
      const e = numbers[i] as number
      sum += (pages[e >>> PAGE_SHIFT] as Uint32Array)[(e & PAGE_MASK) * WORDS] as number
    }
    return sum | 0
  }

  offset(e: number): number {
    return this.page(e)[(e & PAGE_MASK) * WORDS] as number
  }

  valueSize(e: number): number {
    return this.page(e)[(e & PAGE_MASK) * WORDS + 1] as number
  }

  sequence(e: number): number {
    const page = this.page(e)
    const at = (e & PAGE_MASK) * WORDS
    return ((page[at + 3] as number) & 0xffff) * HIGH + (page[at + 2] as number)
  }

  segment(e: number): number {
    const page = this.page(e)
    const at = (e & PAGE_MASK) * WORDS
    return ((page[at + 3] as number) >>> 16) | (((page[at + 4] as number) & 3) << 16)
  }

  type(e: number): number {
    return ((this.page(e)[(e & PAGE_MASK) * WORDS + 4] as number) >>> TYPE_SHIFT) & 7
  }

  wide(e: number): boolean {
    return ((this.page(e)[(e & PAGE_MASK) * WORDS + 4] as number) & WIDE) !== 0
  }

  hasRow(e: number): boolean {
    return ((this.page(e)[(e & PAGE_MASK) * WORDS + 4] as number) & ROW) !== 0
  }

  setHasRow(e: number, has: boolean): void {
    const page = this.page(e)
    const at = (e & PAGE_MASK) * WORDS + 4
    page[at] = has ? (page[at] as number) | ROW : (page[at] as number) & ~ROW
  }

  accessClock(e: number): number {
    return (this.page(e)[(e & PAGE_MASK) * WORDS + 4] as number) >>> CLOCK_SHIFT
  }

  wasRead(e: number): boolean {
    return ((this.page(e)[(e & PAGE_MASK) * WORDS + 4] as number) & READ) !== 0
  }

  /** The value is asked for: sets the access clock too. */
  markRead(e: number, clock: number): void {
    const page = this.page(e)
    const at = (e & PAGE_MASK) * WORDS + 4
    page[at] = ((page[at] as number) & 0xff) | READ | (clock << CLOCK_SHIFT)
  }

  setAccessClock(e: number, clock: number): void {
    const page = this.page(e)
    const at = (e & PAGE_MASK) * WORDS + 4
    page[at] = ((page[at] as number) & 0xff) | (clock << CLOCK_SHIFT)
  }

  /** All that says where a record lies. Row and access clock stay; nobody has read it yet. */
  place(
    e: number,
    segment: number,
    offset: number,
    valueSize: number,
    sequence: number,
    type: number,
    wide: boolean,
  ): void {
    const page = this.page(e)
    const at = (e & PAGE_MASK) * WORDS
    const kept = (page[at + 4] as number) & (ROW | (0xffffff << CLOCK_SHIFT))
    page[at] = offset
    page[at + 1] = valueSize
    page[at + 2] = sequence // typed arrays keep the low 32 bits
    page[at + 3] = ((sequence / HIGH) & 0xffff) | (segment << 16)
    page[at + 4] = kept | (segment >>> 16) | (wide ? WIDE : 0) | (type << TYPE_SHIFT)
  }

  isLinked(e: number): boolean {
    if (e >= this.capacity) return false
    return ((this.page(e)[LINKED_AT + ((e & PAGE_MASK) >>> 5)] as number) & (1 << (e & 31))) !== 0
  }

  setLinked(e: number, linked: boolean): void {
    const page = this.page(e)
    const at = LINKED_AT + ((e & PAGE_MASK) >>> 5)
    const bit = 1 << (e & 31)
    page[at] = linked ? (page[at] as number) | bit : (page[at] as number) & ~bit
  }

  /**
   * Visits linked entries from number `cursor` on, looking at no more than `budget` (32 that are not linked count as one). Returns where to go
   * on, or 0 at the end. What is linked all the time between the first call and the 0 is visited exactly once, whatever else changes.
   */
  scan(cursor: number, budget: number, visit: (entry: number) => void): number {
    let e = cursor
    for (let left = budget; left > 0 && e < this.capacity; left--) {
      const word = this.page(e)[LINKED_AT + ((e & PAGE_MASK) >>> 5)] as number
      if (word >>> (e & 31) === 0) {
        e = (e | 31) + 1
        continue
      }
      if ((word & (1 << (e & 31))) !== 0) visit(e)
      e++
    }
    return e < this.capacity ? e : 0
  }

  image(): { header: EntriesImage; parts: Uint8Array[] } {
    return {
      header: { capacity: this.capacity, used: this.used, firstFree: this.firstFree },
      parts: this.pages.map(bytesOf),
    }
  }

  /** Takes the shape of an image; the caller fills the parts of image(). */
  restore(header: EntriesImage): void {
    this.capacity = header.capacity
    this.used = header.used
    this.firstFree = header.firstFree
    this.pages = Array.from({ length: Math.ceil(header.capacity / PAGE_ENTRIES) }, () => this.memory.words(PAGE_WORDS))
  }

  private page(e: number): Uint32Array {
    return this.pages[e >>> PAGE_SHIFT] as Uint32Array
  }
}
