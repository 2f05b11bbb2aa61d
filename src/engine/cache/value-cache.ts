// The value cache: values of entries that were read, outside the V8 heap, bounded in bytes.
//
// A hit needs entry number and sequence: a value is found only as what its entry says now, so nothing has to be invalidated for the sake of
// correctness. `remove` only gives room back early.
//
// What stays is chosen by S3-FIFO (Yang et al., SOSP 2023). Three queues, each strictly first in, first out:
//
//   small   a tenth of the pages. Where a value enters. Leaving it: if it was hit meanwhile, to main; else out, and its number to the ghost
//   main    the rest. Leaving it: if it was hit since, once more to its end with a hit less (at most 3 are counted); else out
//   ghost   numbers of entries that left small. One that comes back soon enters main at once
//
// So what is read once, a scan over millions of cold keys, passes through the small queue and pushes nothing else out; and a hit counts in two
// bits where an LRU would relink a list.
//
// small and main are lists of pages of 256 KiB to which values are appended, like a log; only whole pages are reused, so there is no
// fragmentation:
//
//   record   entry u32 | sequence low u32 | sequence high 16, hits 2 << 16, dead 1 << 18 | length u32 | value, rounded up to 16 bytes
//            dead: removed, or written anew elsewhere
//   place    page << 14 | offset in units of 16 bytes: what the index holds for an entry. Pages count from 1, no place is 0
//
// A put that needs a page evicts one or two, so its work is bounded; when even that gave none (everything is hot), the value is not cached, which
// is always allowed. The capacity is for everything: pages, index and ghost.

import { copyBytes } from '../../base/copy.ts'
import type { Slice } from '../../base/slice.ts'
import { MAX_SPANS } from '../../base/spans.ts'
import { Buckets } from '../keydir/buckets.ts'
import { mix, randomSeed } from '../keydir/key-hash.ts'
import { Memory } from '../keydir/memory.ts'
import { PageQueue } from './page-queue.ts'

const PAGE_BYTES = 256 * 1024
const PLACE_SHIFT = 14
const PLACE_MASK = (1 << PLACE_SHIFT) - 1
const MAX_PAGES = 2 ** (32 - PLACE_SHIFT) - 1
const HEAD_BYTES = 16
/** A larger value would be a quarter of a page, and the disk gives it at nearly the same cost a byte. */
export const MAX_CACHED_BYTES = 64 * 1024
/** A smaller cache holds nothing: the index alone takes half a mebibyte, and four pages are the fewest that make queues. */
export const MIN_CAPACITY_BYTES = 2 * 1024 * 1024
/** Of a page that leaves a queue at most so much is kept, so that each eviction gains room. */
const KEPT_BYTES = (PAGE_BYTES * 3) / 4
const EVICTIONS_A_PUT = 2
/** The ghost remembers one entry for so many bytes of capacity, in 4 bytes. */
const BYTES_A_GHOST = 512

const HIGH = 2 ** 32
const ONE_HIT = 1 << 16
const HITS = 3 << 16
const DEAD = 1 << 18

interface Page {
  readonly bytes: Buffer
  readonly words: Uint32Array
  /** Bytes appended. */
  filled: number
  inMain: boolean
}

export interface ValueCacheStats {
  /** Memory held. */
  readonly bytes: number
  readonly capacity: number
  readonly entries: number
  readonly hits: number
  readonly misses: number
  /** Values pushed out by others; not those overwritten or removed. */
  readonly evictions: number
}

export class ValueCache {
  private memory = new Memory(ArrayBuffer)
  private capacity = 0
  private readonly seed = randomSeed() | 0
  private pages: (Page | null)[] = [null] // by number
  private unusedNumbers: number[] = [] // numbers below pages.length without a page
  private freePages: number[] = []
  private allocated = 0
  private small = new PageQueue()
  private main = new PageQueue()
  private index: Buckets | null = null // null: the cache is off
  private ghost: Int32Array = new Int32Array(0)
  private budget_ = 0
  private budgetedIndexBytes = -1 // what budget_ was computed for; -1: compute it
  private hits = 0
  private misses = 0
  private evictions = 0
  private readonly hashes = new Int32Array(MAX_SPANS)
  private readonly positions = new Int32Array(MAX_SPANS)
  /** Keeps the reads of prefetch from being optimized away. */
  touched = 0

  /** `capacityBytes`: of everything the cache holds. 0, or less than MIN_CAPACITY_BYTES: it holds nothing. */
  constructor(capacityBytes: number) {
    this.resize(capacityBytes)
  }

  /** Points `into` at the value of `entry` at `sequence` and returns true; or false. Borrowed: until the next put or resize. */
  get(entry: number, sequence: number, into: Slice): boolean {
    const index = this.index
    if (index !== null) {
      const position = index.find(mix(entry ^ this.seed))
      if (position >= 0) {
        const place = index.value(position)
        const { bytes, words } = this.pages[place >>> PLACE_SHIFT] as Page
        const start = (place & PLACE_MASK) << 4
        const at = start >>> 2
        const state = words[at + 2] as number
        if ((state & 0xffff) * HIGH + (words[at + 1] as number) === sequence) {
          if (state < HITS) words[at + 2] = state + ONE_HIT
          this.hits++
          into.set(bytes, start + HEAD_BYTES, start + HEAD_BYTES + (words[at + 3] as number))
          return true
        }
      }
    }
    this.misses++
    return false
  }

  /** Says that the values of these entries will soon be asked for: as Keydir.prefetch. At most MAX_SPANS. */
  prefetch(entries: Int32Array, count: number): void {
    const index = this.index
    if (index === null) return
    const { hashes, positions, seed } = this
    for (let i = 0; i < count; i++) hashes[i] = mix((entries[i] as number) ^ seed)
    index.locate(hashes, count, positions)
    let sum = index.touch(positions, count)
    for (let i = 0; i < count; i++) {
      const position = index.find(hashes[i] as number)
      positions[i] = position < 0 ? 0 : index.value(position)
    }
    const { pages } = this
    for (let i = 0; i < count; i++) {
      const place = positions[i] as number
      if (place !== 0) sum += (pages[place >>> PLACE_SHIFT] as Page).words[(place & PLACE_MASK) << 2] as number
    }
    this.touched = sum | 0
  }

  /** Remembers bytes[start, end) as the value of `entry` at `sequence`, perhaps. The bytes are copied, and are not the cache's own. */
  put(entry: number, sequence: number, bytes: Buffer, start: number, end: number): void {
    if (this.index === null) return
    this.keepToBudget()
    const index = this.index

    const room = roomFor(end - start)
    const hash = mix(entry ^ this.seed)
    const position = index.find(hash)
    let queue = this.small
    if (position >= 0) {
      const place = index.value(position)
      const page = this.pages[place >>> PLACE_SHIFT] as Page
      const at = (place & PLACE_MASK) << 2
      const state = page.words[at + 2] as number
      if (roomFor(page.words[at + 3] as number) === room) {
        writeRecord(page, at, entry, sequence, state & HITS, bytes, start, end)
        return
      }
      page.words[at + 2] = state | DEAD
      index.remove(hash, position)
      if (page.inMain || (state & HITS) !== 0) queue = this.main
    }
    if (end - start > MAX_CACHED_BYTES) return
    if (queue === this.small && this.takeGhost(entry)) queue = this.main

    const number = this.pageWithRoom(queue, room)
    if (number === 0) return
    const page = this.pages[number] as Page
    writeRecord(page, page.filled >>> 2, entry, sequence, 0, bytes, start, end)
    index.insert(hash, (number << PLACE_SHIFT) | (page.filled >>> 4))
    page.filled += room
    this.keepToBudget()
  }

  /** Forgets an entry's value. */
  remove(entry: number): void {
    const index = this.index
    if (index === null) return
    const hash = mix(entry ^ this.seed)
    const position = index.find(hash)
    if (position < 0) return
    const place = index.value(position)
    const { words } = this.pages[place >>> PLACE_SHIFT] as Page
    const at = (place & PLACE_MASK) << 2
    words[at + 2] = (words[at + 2] as number) | DEAD
    index.remove(hash, position)
  }

  /**
   * Changes the capacity. A smaller one is reached page by page, by later puts or by calling `trim` until it returns false. One that turns the
   * cache off forgets everything at once.
   */
  resize(capacityBytes: number): void {
    this.capacity = capacityBytes
    this.budgetedIndexBytes = -1
    if (capacityBytes < MIN_CAPACITY_BYTES) {
      this.pages = [null]
      this.unusedNumbers = []
      this.freePages = []
      this.allocated = 0
      this.small = new PageQueue()
      this.main = new PageQueue()
      this.index = null
      this.ghost = new Int32Array(0)
      this.memory = new Memory(ArrayBuffer)
      return
    }
    this.index ??= new Buckets()
    const ghosts = 2 ** Math.floor(Math.log2(capacityBytes / BYTES_A_GHOST))
    if (ghosts !== this.ghost.length) {
      this.memory.give(this.ghost)
      this.ghost = this.memory.ints(ghosts)
    }
  }

  /** Gives back one page of what is held beyond the capacity. Whether there is more to give back. */
  trim(): boolean {
    if (this.index === null || this.allocated <= this.budget()) return false
    const free = this.freePages.pop()
    if (free !== undefined) this.dropPage(free)
    else this.evict()
    // The index keeps its memory for more entries, which a much smaller cache may not have. Empty, it costs nothing to begin anew.
    if (this.allocated === 0) this.index = new Buckets()
    return this.allocated > this.budget()
  }

  stats(): ValueCacheStats {
    return {
      bytes: this.allocated * PAGE_BYTES + (this.index?.bytes ?? 0) + this.ghost.byteLength,
      capacity: this.capacity,
      entries: this.index?.count ?? 0,
      hits: this.hits,
      misses: this.misses,
      evictions: this.evictions,
    }
  }

  /** After a resize, or when the index has grown: its chunks are two pages each. */
  private keepToBudget(): void {
    for (let i = 0; i < EVICTIONS_A_PUT && this.allocated > this.budget(); i++) this.trim()
  }

  /** How many pages the capacity allows beside index and ghost. */
  private budget(): number {
    const indexBytes = (this.index as Buckets).bytes
    if (indexBytes !== this.budgetedIndexBytes) {
      const bytes = this.capacity - indexBytes - this.ghost.length * 4
      this.budget_ = Math.min(Math.max(Math.floor(bytes / PAGE_BYTES), 0), MAX_PAGES)
      this.budgetedIndexBytes = indexBytes
    }
    return this.budget_
  }

  /** Number of the page at the end of a queue, with that much room; 0 when none could be had. */
  private pageWithRoom(queue: PageQueue, room: number): number {
    for (let evictions = 0; ; evictions++) {
      const head = queue.newest
      if (head !== 0 && (this.pages[head] as Page).filled + room <= PAGE_BYTES) return head
      // One page of the budget is left for what evictions keep.
      const page = this.newPage(queue, this.budget() - 1)
      if (page !== 0) return page
      if (evictions === EVICTIONS_A_PUT) return 0
      this.evict()
    }
  }

  /** Begins a page at the end of a queue, if the queues together have fewer than `limit`. Its number, or 0. */
  private newPage(queue: PageQueue, limit: number): number {
    if (this.small.length + this.main.length >= limit) return 0
    let number = this.freePages.pop() ?? 0
    if (number === 0) {
      if (this.allocated >= this.budget()) return 0
      this.allocated++
      number = this.unusedNumbers.pop() ?? this.pages.length
      const words = this.memory.words(PAGE_BYTES / 4)
      const bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength)
      this.pages[number] = { bytes, words, filled: 0, inMain: false }
    }
    const page = this.pages[number] as Page
    page.filled = 0
    page.inMain = queue === this.main
    queue.push(number)
    return number
  }

  /** Empties the oldest page of whichever queue has more than its share. */
  private evict(): void {
    const smallShare = Math.max(1, Math.floor((this.small.length + this.main.length) / 10))
    const fromMain = this.small.length < smallShare || this.small.length === 0
    const queue = fromMain ? this.main : this.small
    if (queue.length === 0) return
    const number = queue.shift()
    const page = this.pages[number] as Page
    const index = this.index as Buckets
    const { words } = page
    let kept = 0
    for (let start = 0; start < page.filled; ) {
      const at = start >>> 2
      const state = words[at + 2] as number
      const room = roomFor(words[at + 3] as number)
      if ((state & DEAD) === 0) {
        const entry = words[at] as number
        const hash = mix(entry ^ this.seed)
        const position = index.findPair(hash, (number << PLACE_SHIFT) | (start >>> 4))
        const target = (state & HITS) !== 0 && kept + room <= KEPT_BYTES ? this.pageForKept(room) : 0
        if (target !== 0) {
          const to = this.pages[target] as Page
          copyBytes(page.bytes, start, start + room, to.bytes, to.filled)
          to.words[(to.filled >>> 2) + 2] = fromMain ? state - ONE_HIT : state & ~HITS
          index.setValue(position, (target << PLACE_SHIFT) | (to.filled >>> 4))
          to.filled += room
          kept += room
        } else {
          index.remove(hash, position)
          this.evictions++
          if (!fromMain) this.addGhost(entry)
        }
      }
      start += room
    }
    if (this.allocated > this.budget()) this.dropPage(number)
    else this.freePages.push(number)
  }

  private pageForKept(room: number): number {
    const head = this.main.newest
    if (head !== 0 && (this.pages[head] as Page).filled + room <= PAGE_BYTES) return head
    // The page being emptied is in no queue now, but it is still there.
    return this.newPage(this.main, this.budget() - 1)
  }

  private dropPage(number: number): void {
    this.memory.give((this.pages[number] as Page).words)
    this.pages[number] = null
    this.unusedNumbers.push(number)
    this.allocated--
  }

  private addGhost(entry: number): void {
    this.ghost[this.ghostSlot(entry)] = entry + 1
  }

  private takeGhost(entry: number): boolean {
    const slot = this.ghostSlot(entry)
    if (this.ghost[slot] !== entry + 1) return false
    this.ghost[slot] = 0
    return true
  }

  private ghostSlot(entry: number): number {
    return mix(entry ^ this.seed) & (this.ghost.length - 1)
  }
}

/** Bytes of a record with a value of that length. */
function roomFor(length: number): number {
  return (length + HEAD_BYTES + 15) & ~15
}

/** Writes a record at word `at` of a page. */
function writeRecord(
  page: Page,
  at: number,
  entry: number,
  sequence: number,
  hits: number,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  const { words } = page
  words[at] = entry
  words[at + 1] = sequence // typed arrays keep the low 32 bits
  words[at + 2] = Math.floor(sequence / HIGH) | hits
  words[at + 3] = end - start
  copyBytes(bytes, start, end, page.bytes, at * 4 + HEAD_BYTES)
}
