// The hash index: 32-bit hashes to 32-bit values that are not 0, several values a hash allowed. It knows nothing of keys: whoever asks
// compares what it gets. The keydir puts entry numbers here, the value cache locations.
//
// Extendible hashing (Fagin et al. 1979). The top bits of a hash choose a word of the directory, that word names a page, and a page is a
// table of its own with open addressing. What a hash needs to move is stored beside its value, so growing never looks at a key.
//
//   slot     hash i32 | value i32 (0: free)
//   page     one slot as head: a hash of the page's range | depth << 16 | count;  then its slots
//   slab     64 KiB = 8192 slots, cut into 8 to 16 pages of equal size. A page's `class` is that number: 16 is the smallest page (511
//            slots), 8 the largest (1023)
//   directory word    slab << 8 | place in the slab << 4 | class - 1
//
// A page is at most 7/8 full. A full one moves to the next class, 7 to 12% larger, and a full one of class 8 splits in two by the next bit of
// the hash. Hashes are even, so all pages reach their limits at about the same count; small steps are what keeps the whole index between 77
// and 87% full at every count, where doubling tables would swing between 43 and 87. Deleting moves later slots back (no tombstones); a
// page less than half full goes to a smaller class, and two sparse neighbours become one. The directory itself never shrinks.
//
// Pages of one class are kept dense: when one goes, the last of its class moves into its place. So a slab that is no longer needed comes back
// whole, and any class can have it.
//
// Work: whatever one call does is at most a few pages of 1024 slots and, when the directory doubles, a copy of it (50 million keys: 512 KiB).
// `moved` counts the slots, and a test holds the largest single step.

import { assert } from '../../base/assert.ts'
import { bytesOf, CHUNK_BYTES, Memory } from './memory.ts'

const CHUNK_INTS = CHUNK_BYTES / 4
const CHUNK_INTS_SHIFT = 17
/** A position is an i32, not negative: 8 GiB, for some 900 million keys. */
const MAX_CHUNKS = 2 ** (31 - CHUNK_INTS_SHIFT)
const SLAB_SLOTS = 8192
const SLAB_INTS = SLAB_SLOTS * 2
const SLABS_PER_CHUNK = CHUNK_INTS / SLAB_INTS
const SLABS_PER_CHUNK_SHIFT = 3
const LARGEST = 8 // class
const SMALLEST = 16
const HEAD_INTS = 2
/** Deeper than any honest 32-bit hash leads (2^26 pages are 23 billion keys); so what gets there is no hash. */
const MAX_DEPTH = 26

// By class. Slots of a page with its head; usable; how many may be taken; below how many a page is too large.
const pageSlots = new Int32Array(SMALLEST + 1)
const usable = new Int32Array(SMALLEST + 1)
const limits = new Int32Array(SMALLEST + 1)
const sparse = new Int32Array(SMALLEST + 1)
for (let n = LARGEST; n <= SMALLEST; n++) {
  pageSlots[n] = Math.floor(SLAB_SLOTS / n)
  usable[n] = (pageSlots[n] as number) - 1
  limits[n] = Math.floor(((usable[n] as number) * 7) / 8)
  sparse[n] = Math.floor((usable[n] as number) / 2)
}
/** In a bulk load. */
const BULK_STEP = 4
/** A page grows to what it is expected to need, but no more than this at once: an expectation can be wrong. */
const LARGEST_GROWTH = 4
/** Pages looked at in one step of `settle`: about a millisecond. */
const PAGES_A_SETTLE = 256
/** Two pages whose counts together are below this become one. Far from the count at which a page splits. */
const MERGED_COUNT = 320

export interface BucketsImage {
  readonly depth: number
  readonly count: number
  readonly chunks: number
  readonly freeSlabs: readonly number[]
  readonly slabsOf: readonly (readonly number[])[]
  readonly pagesOf: readonly number[]
}

export class Buckets {
  private readonly memory = new Memory()
  /** Slots written by growing, splitting, merging and moving, ever: the work beyond the call's own slot. */
  moved = 0
  private chunks: Int32Array[] = []
  private directory: Int32Array
  private depth: number
  private shift: number // 32 - depth
  private count_ = 0
  private step = 1 // classes that a full page grows by
  private freeSlabs: number[] = []
  private slabsOf: number[][] = []
  private pagesOf: number[] = []
  private expected = 0 // in a bulk load: how many there will be
  private readonly scratch = new Int32Array(2 * 2 * 1024) // two pages
  private readonly parts = new Int32Array(4) // what a page is split into
  private readonly partCounts = new Int32Array(4)

  constructor() {
    for (let n = 0; n <= SMALLEST; n++) {
      this.slabsOf.push([])
      this.pagesOf.push(0)
    }
    this.depth = 1
    this.shift = 31
    this.directory = this.memory.ints(2)
    this.layOut(1, SMALLEST)
  }

  get count(): number {
    return this.count_
  }

  get bytes(): number {
    return this.chunks.length * CHUNK_BYTES + 4 * (1 << this.depth) // asked by each put of the cache: `2 **` is a call, 3.5% of a cold GET
  }

  /** How much of what positions can tell apart is taken: 0 to 1. */
  get fullness(): number {
    return (this.chunks.length * SLABS_PER_CHUNK - this.freeSlabs.length) / (MAX_CHUNKS * SLABS_PER_CHUNK)
  }

  // A position is chunk << 17 | index of the slot's hash: valid until the next insert or removal.

  /** Position of the first slot with this hash, or -1. */
  find(hash: number): number {
    const page = this.directory[hash >>> this.shift] as number
    const n = (page & 15) + 1
    const slab = page >>> 8
    const chunk = slab >>> SLABS_PER_CHUNK_SHIFT
    const slots = this.chunks[chunk] as Int32Array
    const size = usable[n] as number
    const first =
      ((slab & (SLABS_PER_CHUNK - 1)) * SLAB_SLOTS + ((page >>> 4) & 15) * (pageSlots[n] as number)) * 2 + HEAD_INTS
    let at = first + 2 * home(hash, size)
    const end = first + 2 * size
    for (;;) {
      if ((slots[at + 1] as number) === 0) return -1
      if ((slots[at] as number) === hash) return (chunk << CHUNK_INTS_SHIFT) | at
      at += 2
      if (at === end) at = first
    }
  }

  // For prefetching (keydir.ts): the same look-up in parts, so that the reads of many can be under way together.

  /** Where each hash would like to lie: nothing of a page is read. */
  locate(hashes: Int32Array, count: number, positions: Int32Array): void {
    const { directory, shift } = this
    for (let i = 0; i < count; i++) {
      const hash = hashes[i] as number
      const page = directory[hash >>> shift] as number
      const chunk = page >>> (8 + SLABS_PER_CHUNK_SHIFT)
      positions[i] = (chunk << CHUNK_INTS_SHIFT) | (firstSlot(page) + 2 * home(hash, usable[(page & 15) + 1] as number))
    }
  }

  /** Reads a word at each position. The sum means nothing; it makes the reads happen. */
  touch(positions: Int32Array, count: number): number {
    const { chunks } = this
    let sum = 0
    for (let i = 0; i < count; i++) {
      const position = positions[i] as number
      sum += (chunks[position >>> CHUNK_INTS_SHIFT] as Int32Array)[position & (CHUNK_INTS - 1)] as number
    }
    return sum | 0
  }

  /** The next position with the same hash after `position`, or -1. */
  next(hash: number, position: number): number {
    const page = this.directory[hash >>> this.shift] as number
    const slots = this.chunks[position >>> CHUNK_INTS_SHIFT] as Int32Array
    const first = firstSlot(page)
    const end = first + 2 * (usable[(page & 15) + 1] as number)
    let at = position & (CHUNK_INTS - 1)
    for (;;) {
      at += 2
      if (at === end) at = first
      if ((slots[at + 1] as number) === 0) return -1
      if ((slots[at] as number) === hash) return (position & ~(CHUNK_INTS - 1)) | at
    }
  }

  /** The value at a position: signed. */
  value(position: number): number {
    return (this.chunks[position >>> CHUNK_INTS_SHIFT] as Int32Array)[(position & (CHUNK_INTS - 1)) + 1] as number
  }

  setValue(position: number, value: number): void {
    const slots = this.chunks[position >>> CHUNK_INTS_SHIFT] as Int32Array
    slots[(position & (CHUNK_INTS - 1)) + 1] = value
  }

  /** Position of the slot that holds exactly this pair, or -1. */
  findPair(hash: number, value: number): number {
    let position = this.find(hash)
    while (position >= 0 && this.value(position) !== value) position = this.next(hash, position)
    return position
  }

  /** Adds a pair. `value` is not 0. */
  insert(hash: number, value: number): void {
    let page = this.directory[hash >>> this.shift] as number
    let slots = this.slotsOf(page)
    let first = firstSlot(page)
    // A split can leave all slots on one side, so one step may not be enough.
    while (((slots[first - 1] as number) & 0xffff) >= (limits[(page & 15) + 1] as number)) {
      this.makeRoom(page)
      page = this.directory[hash >>> this.shift] as number
      slots = this.slotsOf(page)
      first = firstSlot(page)
    }
    put(slots, first, usable[(page & 15) + 1] as number, hash, value)
    ;(slots[first - 1] as number)++
    this.count_++
  }

  /** Removes the slot at a position of this hash. */
  remove(hash: number, position: number): void {
    const page = this.directory[hash >>> this.shift] as number
    const n = (page & 15) + 1
    const slots = this.slotsOf(page)
    const first = firstSlot(page)
    const size = usable[n] as number
    const end = first + 2 * size

    // Backward shift: whoever would no longer be found past the hole moves into it.
    let hole = position & (CHUNK_INTS - 1)
    let at = hole
    for (;;) {
      at += 2
      if (at === end) at = first
      if ((slots[at + 1] as number) === 0) break
      const wanted = first + 2 * home(slots[at] as number, size)
      const stays = hole < at ? hole < wanted && wanted <= at : hole < wanted || wanted <= at
      if (stays) continue
      slots[hole] = slots[at] as number
      slots[hole + 1] = slots[at + 1] as number
      hole = at
    }
    slots[hole] = 0
    slots[hole + 1] = 0
    this.count_--
    const count = ((slots[first - 1] as number)-- & 0xffff) - 1
    if (n < SMALLEST) {
      if (count < (sparse[n] as number)) this.resize(page, classFor(count))
    } else if (count < MERGED_COUNT / 2) this.mergeWithNeighbour(page, count)
  }

  /**
   * A bulk load: pages grow by large steps, which moves a value three times each time that their number doubles instead of nine times; that was a
   * quarter of the time that loading takes. `settle` afterwards gives each page the size it should have. Growing only by splitting would move even
   * less, but hold twice the memory at some counts, and what was held once does not go back to the system.
   */
  beginBulk(): void {
    this.step = BULK_STEP
  }

  /** In a bulk load: how many values there will be, as far as one can tell. Pages that grow then get room for their part of that at once. */
  expect(count: number): void {
    this.expected = count
  }

  /** After a bulk load: looks at some pages from `cursor` (0 at first) on. Returns where to go on, 0 at the end. */
  settle(cursor: number): number {
    this.step = 1
    this.expected = 0
    let i = cursor
    for (let n = 0; n < PAGES_A_SETTLE && i < this.directory.length; n++) {
      const page = this.directory[i] as number
      const head = this.slotsOf(page)[firstSlot(page) - 1] as number
      const best = classFor(head & 0xffff)
      if ((page & 15) + 1 < best) this.resize(page, best)
      i += 1 << (this.depth - (head >>> 16))
    }
    return i < this.directory.length ? i : 0
  }

  image(): { header: BucketsImage; parts: Uint8Array[] } {
    return {
      header: {
        depth: this.depth,
        count: this.count_,
        chunks: this.chunks.length,
        freeSlabs: this.freeSlabs,
        slabsOf: this.slabsOf,
        pagesOf: this.pagesOf,
      },
      parts: [bytesOf(this.directory), ...this.chunks.map(bytesOf)],
    }
  }

  /** Takes the shape of an image; the caller fills the parts of image(). */
  restore(header: BucketsImage): void {
    this.depth = header.depth
    this.shift = 32 - header.depth
    this.count_ = header.count
    this.directory = this.memory.ints(2 ** header.depth)
    this.chunks = Array.from({ length: header.chunks }, () => this.memory.ints(CHUNK_INTS))
    this.freeSlabs = [...header.freeSlabs]
    this.slabsOf = header.slabsOf.map((slabs) => [...slabs])
    this.pagesOf = [...header.pagesOf]
  }

  private layOut(depth: number, n: number): void {
    for (let i = 0; i < 2 ** depth; i++) this.directory[i] = this.newPage(n, i << (32 - depth), depth, 0)
  }

  private slotsOf(page: number): Int32Array {
    return this.chunks[page >>> (8 + SLABS_PER_CHUNK_SHIFT)] as Int32Array
  }

  /** A full page: a larger one, or two; or what it will need soon, when that is known. */
  private makeRoom(page: number): void {
    const n = (page & 15) + 1
    const growth = Math.min(LARGEST_GROWTH, this.expected / this.count_)
    const wanted = (limits[n] as number) * growth
    const largest = limits[LARGEST] as number
    if (wanted > largest) this.split(page, wanted > 2 * largest ? 2 : 1, growth)
    else if (n > LARGEST) this.resize(page, Math.max(LARGEST, Math.min(n - this.step, classFor(wanted))))
    else this.split(page, 1, 1)
  }

  private resize(page: number, n: number): void {
    const { count, depth, hash } = this.takeOut(page, 0)
    const target = this.newPage(n, hash, depth, count)
    this.fill(target, usable[(page & 15) + 1] as number)
    this.setDirectory(hash, depth, target)
  }

  /** Two pages by the next bit of the hash, or four by the next two, each with room for `growth` times what it gets. */
  private split(page: number, bits: number, growth: number): void {
    const below = ((this.slotsOf(page)[firstSlot(page) - 1] as number) >>> 16) + bits
    assert(below <= MAX_DEPTH, 'the hash spreads')
    const { depth, hash } = this.takeOut(page, 0)
    while (below > this.depth) this.doubleDirectory()
    const { scratch, parts, partCounts } = this
    const shift = 32 - below
    const mask = (1 << bits) - 1
    const end = 2 * (usable[(page & 15) + 1] as number)
    partCounts.fill(0)
    for (let at = 0; at < end; at += 2) {
      if ((scratch[at + 1] as number) !== 0) (partCounts[((scratch[at] as number) >>> shift) & mask] as number)++
    }
    const first = hash & -(1 << (32 - depth))
    for (let part = 0; part <= mask; part++) {
      const count = partCounts[part] as number
      parts[part] = this.newPage(classFor(count * growth), first | (part << shift), below, count)
      this.moved += count
    }
    for (let at = 0; at < end; at += 2) {
      const value = scratch[at + 1] as number
      if (value === 0) continue
      const h = scratch[at] as number
      const target = parts[(h >>> shift) & mask] as number
      put(this.slotsOf(target), firstSlot(target), usable[(target & 15) + 1] as number, h, value)
    }
    for (let part = 0; part <= mask; part++) this.setDirectory(first | (part << shift), below, parts[part] as number)
  }

  private mergeWithNeighbour(page: number, count: number): void {
    const depth = (this.slotsOf(page)[firstSlot(page) - 1] as number) >>> 16
    if (depth <= 1) return
    const hash = this.slotsOf(page)[firstSlot(page) - 2] as number
    const neighbour = this.directory[(hash ^ (1 << (32 - depth))) >>> this.shift] as number
    const head = this.slotsOf(neighbour)[firstSlot(neighbour) - 1] as number
    if (head >>> 16 !== depth || (head & 0xffff) + count > MERGED_COUNT) return
    // Taking one out may move the other, so that one is looked up again.
    const neighbourHash = this.slotsOf(neighbour)[firstSlot(neighbour) - 2] as number
    const mine = usable[(page & 15) + 1] as number
    this.takeOut(page, 0)
    const moved = this.directory[neighbourHash >>> this.shift] as number
    const theirs = usable[(moved & 15) + 1] as number
    const { count: theirCount } = this.takeOut(moved, 2 * mine)
    const target = this.newPage(SMALLEST, hash, depth - 1, count + theirCount)
    this.fill(target, mine + theirs)
    this.setDirectory(hash, depth - 1, target)
  }

  /** Copies a page's slots to scratch[at...] and gives the page back. Its directory words are stale until the caller sets them. */
  private takeOut(page: number, at: number): { count: number; depth: number; hash: number } {
    const slots = this.slotsOf(page)
    const first = firstSlot(page)
    const hash = slots[first - 2] as number
    const head = slots[first - 1] as number
    const ints = 2 * (usable[(page & 15) + 1] as number)
    this.scratch.set(slots.subarray(first, first + ints), at)
    this.freePage(page)
    return { count: head & 0xffff, depth: head >>> 16, hash }
  }

  /** Puts the first `slots` slots of scratch into a page that has room for them. */
  private fill(page: number, slots: number): void {
    const { scratch } = this
    const target = this.slotsOf(page)
    const first = firstSlot(page)
    const size = usable[(page & 15) + 1] as number
    let moved = 0
    for (let at = 0, end = 2 * slots; at < end; at += 2) {
      const value = scratch[at + 1] as number
      if (value === 0) continue
      put(target, first, size, scratch[at] as number, value)
      moved++
    }
    this.moved += moved
  }

  private setDirectory(hash: number, depth: number, page: number): void {
    const words = 1 << (this.depth - depth)
    const from = (hash >>> this.shift) & ~(words - 1)
    this.directory.fill(page, from, from + words)
  }

  private doubleDirectory(): void {
    const old = this.directory
    const doubled = this.memory.ints(old.length * 2)
    for (let i = 0; i < old.length; i++) {
      doubled[2 * i] = old[i] as number
      doubled[2 * i + 1] = old[i] as number
    }
    this.directory = doubled
    this.depth++
    this.shift--
  }

  /** An empty page with its head written. Moves no other page. */
  private newPage(n: number, hash: number, depth: number, count: number): number {
    const slabs = this.slabsOf[n] as number[]
    const place = (this.pagesOf[n] as number) % n
    if (place === 0) slabs.push(this.newSlab())
    ;(this.pagesOf[n] as number)++
    const page = ((slabs[slabs.length - 1] as number) << 8) | (place << 4) | (n - 1)
    const slots = this.slotsOf(page)
    const first = firstSlot(page)
    slots.fill(0, first, first + 2 * (usable[n] as number))
    slots[first - 2] = hash
    slots[first - 1] = (depth << 16) | count
    return page
  }

  /** Gives a page back: the last page of its class takes its place. */
  private freePage(page: number): void {
    const n = (page & 15) + 1
    const slabs = this.slabsOf[n] as number[]
    const place = ((this.pagesOf[n] as number) - 1) % n
    const last = ((slabs[slabs.length - 1] as number) << 8) | (place << 4) | (n - 1)
    if (last !== page) {
      const source = this.slotsOf(last)
      const target = this.slotsOf(page)
      const from = firstSlot(last) - HEAD_INTS
      const to = firstSlot(page) - HEAD_INTS
      const ints = 2 * (pageSlots[n] as number)
      target.set(source.subarray(from, from + ints), to)
      this.moved += pageSlots[n] as number
      this.setDirectory(target[to] as number, (target[to + 1] as number) >>> 16, page)
    }
    ;(this.pagesOf[n] as number)--
    if (place === 0) this.freeSlabs.push(slabs.pop() as number)
  }

  private newSlab(): number {
    const free = this.freeSlabs.pop()
    if (free !== undefined) return free
    const slab = this.chunks.length * SLABS_PER_CHUNK
    this.chunks.push(this.memory.ints(CHUNK_INTS))
    for (let i = SLABS_PER_CHUNK - 1; i > 0; i--) this.freeSlabs.push(slab + i)
    return slab
  }
}

/** Where a hash would like to lie. The multiplication mixes, because the top bits are the same in all of a page. */
function home(hash: number, size: number): number {
  return ((Math.imul(hash, 0x9e3779b1) >>> 16) * size) >>> 16
}

/** Index of a page's first slot in its chunk; its head stands just before. */
function firstSlot(page: number): number {
  const slots =
    ((page >>> 8) & (SLABS_PER_CHUNK - 1)) * SLAB_SLOTS + ((page >>> 4) & 15) * (pageSlots[(page & 15) + 1] as number)
  return slots * 2 + HEAD_INTS
}

function put(slots: Int32Array, first: number, size: number, hash: number, value: number): void {
  const end = first + 2 * size
  let at = first + 2 * home(hash, size)
  while ((slots[at + 1] as number) !== 0) {
    at += 2
    if (at === end) at = first
  }
  slots[at] = hash
  slots[at + 1] = value
}

/** The smallest class with room for that many and one more, else the largest. */
function classFor(count: number): number {
  let n = SMALLEST
  while (n > LARGEST && count >= (limits[n] as number)) n--
  return n
}
