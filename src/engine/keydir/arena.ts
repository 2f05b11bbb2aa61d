// The arena: the bytes of all keys.
//
//   block    database varint | key length varint | key bytes, rounded up to 4 bytes. Varints are LEB128; two bytes of head in the usual case
//   ref      where a block lies, in units of 4 bytes: u32, never 0. From LARGE on: the number of a large key
//
// Blocks of one size class lie in slabs of 16 KiB and are kept dense: when one is freed, the last of its class moves into the hole, and
// the caller, who holds the only reference, is told to change it. So nothing is ever fragmented, whatever sizes come and go: a class holds at
// most one slab that is not full, an empty slab goes back to a common pool, and every other class can have it. The price is paid by whoever
// deletes: one block copied and one look-up, instead of a free list.
//
// Up to 256 bytes there is a class for each size; above, blocks are 16 KiB divided by 63, 62, ... 8, which wastes an eighth at most. Keys beyond
// 2 KiB are rare and each has memory of its own.
//
// What `locate` and friends hand out points into the arena and is good until the next free.

import { copyBytes } from '../../base/copy.ts'
import type { Slice } from '../../base/slice.ts'
import type { KeyHash } from './key-hash.ts'
import { CHUNK_BYTES, Memory, ownBytes } from './memory.ts'

const CHUNK_UNITS_SHIFT = 17
const CHUNK_UNITS_MASK = (1 << CHUNK_UNITS_SHIFT) - 1
const SLAB_UNITS = 4096
const SLABS_PER_CHUNK = CHUNK_BYTES / 4 / SLAB_UNITS
const SMALL_UNITS = 64
const FEWEST_BLOCKS = 8
const MAX_BLOCK_BYTES = 2048
const CLASSES = SMALL_UNITS + 1 + (SMALL_UNITS - FEWEST_BLOCKS)
/** Refs from here on count large keys. Below: 15 GiB of blocks. */
const LARGE = 0xf000_0000
/** A key this long is compared by a call into C++ rather than here (measured: 150). */
const NATIVE_COMPARE_BYTES = 150

// Class c up to 64: blocks of c units. Beyond: 128 - c blocks a slab.
const unitsOf = new Int32Array(CLASSES)
const blocksPerSlab = new Int32Array(CLASSES)
for (let c = 1; c < CLASSES; c++) {
  unitsOf[c] = c <= SMALL_UNITS ? c : Math.floor(SLAB_UNITS / (128 - c))
  blocksPerSlab[c] = Math.floor(SLAB_UNITS / (unitsOf[c] as number))
}

export interface ArenaImage {
  readonly chunks: number
  readonly freeSlabs: readonly number[]
  readonly slabsOf: readonly (readonly number[])[]
  readonly blocksOf: readonly number[]
  readonly largeLengths: readonly number[]
  readonly freeLarge: readonly number[]
}

export class Arena {
  private readonly memory = new Memory()
  private chunks: Buffer[] = []
  private freeSlabs: number[] = []
  private slabsOf: number[][] = Array.from({ length: CLASSES }, () => [])
  private blocksOf: number[] = new Array<number>(CLASSES).fill(0)
  private large: Buffer[] = []
  private freeLarge: number[] = []
  private largeBytes = 0
  // What parse() found last.
  private parsedDatabase = 0
  private parsedLength = 0
  private parsedStart = 0

  get bytes(): number {
    return this.chunks.length * CHUNK_BYTES + this.largeBytes
  }

  /** How much of what refs can tell apart is taken: 0 to 1. */
  get fullness(): number {
    return (this.chunks.length * SLABS_PER_CHUNK - this.freeSlabs.length) / (LARGE / SLAB_UNITS)
  }

  /** Copies a key in. Returns its ref. */
  add(database: number, key: Slice): number {
    const length = key.end - key.start
    const total = varintLength(database) + varintLength(length) + length
    if (total > MAX_BLOCK_BYTES) return this.addLarge(database, key, total)
    const c = classOf(total)
    const slabs = this.slabsOf[c] as number[]
    const place = (this.blocksOf[c] as number) % (blocksPerSlab[c] as number)
    if (place === 0) slabs.push(this.newSlab())
    ;(this.blocksOf[c] as number)++
    const ref = (slabs[slabs.length - 1] as number) * SLAB_UNITS + place * (unitsOf[c] as number)
    const bytes = this.chunks[ref >>> CHUNK_UNITS_SHIFT] as Buffer
    writeBlock(bytes, (ref & CHUNK_UNITS_MASK) << 2, database, key)
    return ref
  }

  /**
   * Gives a block back. Returns 0, or the ref of the block that had to move: it lies at `ref` now, and whoever refers to it must be
   * changed.
   */
  free(ref: number): number {
    if (ref >= LARGE) {
      const n = ref - LARGE
      this.largeBytes -= (this.large[n] as Buffer).length
      this.large[n] = NO_BYTES
      this.freeLarge.push(n)
      return 0
    }
    const bytes = this.parse(ref)
    const at = (ref & CHUNK_UNITS_MASK) << 2
    const c = classOf(this.parsedStart - at + this.parsedLength)
    const units = unitsOf[c] as number
    const slabs = this.slabsOf[c] as number[]
    const place = ((this.blocksOf[c] as number) - 1) % (blocksPerSlab[c] as number)
    const last = (slabs[slabs.length - 1] as number) * SLAB_UNITS + place * units
    ;(this.blocksOf[c] as number)--
    if (place === 0) this.freeSlabs.push(slabs.pop() as number)
    if (last === ref) return 0
    const from = (last & CHUNK_UNITS_MASK) << 2
    copyBytes(this.chunks[last >>> CHUNK_UNITS_SHIFT] as Buffer, from, from + units * 4, bytes, at)
    return last
  }

  /** Reads a byte of each block, for prefetching (keydir.ts). */
  touch(refs: Uint32Array, count: number): number {
    const { chunks } = this
    let sum = 0
    for (let i = 0; i < count; i++) {
      const ref = refs[i] as number
      if (ref < LARGE) sum += (chunks[ref >>> CHUNK_UNITS_SHIFT] as Buffer)[(ref & CHUNK_UNITS_MASK) << 2] as number
    }
    return sum
  }

  /** Whether the block at `ref` is this key of this database. */
  equals(ref: number, database: number, key: Slice): boolean {
    const length = key.end - key.start
    let bytes: Buffer
    let at: number
    if (ref < LARGE && database < 128 && length < 128) {
      bytes = this.chunks[ref >>> CHUNK_UNITS_SHIFT] as Buffer
      at = (ref & CHUNK_UNITS_MASK) << 2
      if (bytes[at] !== database || bytes[at + 1] !== length) return false
      at += 2
    } else {
      bytes = this.parse(ref)
      if (this.parsedDatabase !== database || this.parsedLength !== length) return false
      at = this.parsedStart
    }
    const theirs = key.bytes
    let i = key.start
    if (length >= NATIVE_COMPARE_BYTES) return theirs.compare(bytes, at, at + length, i, key.end) === 0
    for (const end = key.end; i < end; i++, at++) {
      if (theirs[i] !== bytes[at]) return false
    }
    return true
  }

  /** Points `into` at the key. Borrowed: good until the next free. */
  key(ref: number, into: Slice): Slice {
    const bytes = this.parse(ref)
    return into.set(bytes, this.parsedStart, this.parsedStart + this.parsedLength)
  }

  keyLength(ref: number): number {
    this.parse(ref)
    return this.parsedLength
  }

  database(ref: number): number {
    this.parse(ref)
    return this.parsedDatabase
  }

  /** The hash of the key at `ref`. */
  hash(ref: number, keyHash: KeyHash): number {
    const bytes = this.parse(ref)
    return keyHash.of(this.parsedDatabase, bytes, this.parsedStart, this.parsedStart + this.parsedLength)
  }

  image(): { header: ArenaImage; parts: Uint8Array[] } {
    const { chunks, large } = this
    return {
      header: {
        chunks: chunks.length,
        freeSlabs: this.freeSlabs,
        slabsOf: this.slabsOf,
        blocksOf: this.blocksOf,
        largeLengths: large.map((bytes) => bytes.length),
        freeLarge: this.freeLarge,
      },
      parts: [...chunks, ...large],
    }
  }

  /** Takes the shape of an image; the caller fills the parts of image(). */
  restore(header: ArenaImage): void {
    this.chunks = Array.from({ length: header.chunks }, () => this.memory.bytes(CHUNK_BYTES))
    this.freeSlabs = [...header.freeSlabs]
    this.slabsOf = header.slabsOf.map((slabs) => [...slabs])
    this.blocksOf = [...header.blocksOf]
    this.large = header.largeLengths.map((length) => (length === 0 ? NO_BYTES : ownBytes(length)))
    this.freeLarge = [...header.freeLarge]
    this.largeBytes = header.largeLengths.reduce((sum, length) => sum + length, 0)
  }

  /** Reads a block's head into the parsed fields. Returns the bytes it lies in. */
  private parse(ref: number): Buffer {
    const isLarge = ref >= LARGE
    const bytes = (isLarge ? this.large[ref - LARGE] : this.chunks[ref >>> CHUNK_UNITS_SHIFT]) as Buffer
    let at = isLarge ? 0 : (ref & CHUNK_UNITS_MASK) << 2
    let byte = bytes[at++] as number
    let database = byte & 127
    // Multiplied, not shifted: a database id has 32 bits.
    for (let factor = 128; byte > 127; factor *= 128) {
      byte = bytes[at++] as number
      database += (byte & 127) * factor
    }
    byte = bytes[at++] as number
    let length = byte & 127
    for (let factor = 128; byte > 127; factor *= 128) {
      byte = bytes[at++] as number
      length += (byte & 127) * factor
    }
    this.parsedDatabase = database
    this.parsedLength = length
    this.parsedStart = at
    return bytes
  }

  private addLarge(database: number, key: Slice, total: number): number {
    const bytes = ownBytes(total)
    writeBlock(bytes, 0, database, key)
    this.largeBytes += total
    const n = this.freeLarge.pop() ?? this.large.length
    this.large[n] = bytes
    return LARGE + n
  }

  private newSlab(): number {
    const free = this.freeSlabs.pop()
    if (free !== undefined) return free
    const slab = this.chunks.length * SLABS_PER_CHUNK
    this.chunks.push(this.memory.bytes(CHUNK_BYTES))
    // Slab 0 is never used, so that no ref is 0.
    const first = slab === 0 ? 1 : slab
    for (let i = slab + SLABS_PER_CHUNK - 1; i > first; i--) this.freeSlabs.push(i)
    return first
  }
}

const NO_BYTES = Buffer.alloc(0)

function classOf(bytes: number): number {
  const units = (bytes + 3) >>> 2
  return units <= SMALL_UNITS ? units : 128 - Math.floor(SLAB_UNITS / units)
}

function varintLength(n: number): number {
  let length = 1
  for (; n > 127; n = Math.floor(n / 128)) length++
  return length
}

function writeVarint(bytes: Buffer, at: number, n: number): number {
  for (; n > 127; n = Math.floor(n / 128)) bytes[at++] = (n % 128) | 128
  bytes[at++] = n
  return at
}

function writeBlock(bytes: Buffer, at: number, database: number, key: Slice): void {
  at = writeVarint(bytes, at, database)
  at = writeVarint(bytes, at, key.end - key.start)
  copyBytes(key.bytes, key.start, key.end, bytes, at)
}
