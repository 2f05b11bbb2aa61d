// Where the keydir and the value cache get their memory: SharedArrayBuffer, outside the V8 heap, so that a collection neither walks
// nor moves it nor counts it. Everything here is zero at first, and the system lends it page by page when touched.
//
// But V8 copies from and to shared memory word by word, as if somebody wrote it meanwhile. So what is copied in long pieces, the values of the
// cache, lies in an ArrayBuffer, also outside of the heap (GET of 1 KiB at P=16: 3.0 -> 2.3 us of processor time, of 64 bytes 1 to 13% less).
//
// Structures grow by chunks of this one size. It bounds the slack (each structure has at most one chunk begun and a little more) and the
// work of growing (one allocation, nothing is copied). At 512 KiB, 50 million keys are about 4,000 chunks: few objects for V8.
//
// Chunks are cut from blocks of up to 16 MiB. Random accesses over hundreds of MiB cost more for finding the page than for the bytes; in a block
// that large the system can use pages of 2 MiB, if it is asked to: GLIBC_TUNABLES=glibc.malloc.hugetlb=1, which `npm start` and the image
// set (random reads of 160 MiB: 331 -> 234 ns; it takes both, the large blocks and the request). They also set mmap_threshold to 1 MiB: without it
// malloc learns to take such blocks from its heap, where it fills them with zeros itself, and the event loop waits 30 ms for that. And what
// malloc took for large values it does not give back: V8 puts its code right behind the heap, which then grows by pieces that never shrink
// (clients with values of up to 2 MiB, then FLUSHALL: 275 MiB stay resident with 4 MiB, 165 with 1 MiB; below that only time grows).
// A block goes when all its chunks are gone.

export const CHUNK_BYTES = 512 * 1024
const BLOCK_BYTES = 16 * 1024 * 1024
/** The first block is small, and each is twice the one before: most structures of a small store need no more. */
const FIRST_BLOCK_BYTES = 64 * 1024
/** A larger piece gets a block of its own. */
const LARGEST_PIECE_BYTES = 1024 * 1024
const CACHE_LINE_BYTES = 64

interface Piece {
  readonly block: ArrayBufferLike
  readonly at: number
}

/** The memory of one structure. Pieces that are given back serve again; a block goes with the last reference to its pieces. */
export class Memory {
  private block: ArrayBufferLike | null = null
  private used = 0
  private nextBlockBytes = FIRST_BLOCK_BYTES
  private readonly free = new Map<number, Piece[]>() // by length
  private readonly kind: typeof SharedArrayBuffer | typeof ArrayBuffer

  /** `kind`: ArrayBuffer for what is copied in long pieces. */
  constructor(kind: typeof SharedArrayBuffer | typeof ArrayBuffer = SharedArrayBuffer) {
    this.kind = kind
  }

  bytes(length: number): Buffer {
    const { block, at } = this.take(length)
    return Buffer.from(block, at, length)
  }

  ints(count: number): Int32Array {
    const { block, at } = this.take(count * 4)
    return new Int32Array(block, at, count)
  }

  words(count: number): Uint32Array {
    const { block, at } = this.take(count * 4)
    return new Uint32Array(block, at, count)
  }

  doubles(count: number): Float64Array {
    const { block, at } = this.take(count * 8)
    return new Float64Array(block, at, count)
  }

  /** Takes a piece back. Nobody may use it any more. */
  give(piece: { readonly buffer: ArrayBufferLike; readonly byteOffset: number; readonly byteLength: number }): void {
    const length = pieceBytes(piece.byteLength)
    if (length > LARGEST_PIECE_BYTES) return
    const pieces = this.free.get(length)
    const given = { block: piece.buffer, at: piece.byteOffset }
    if (pieces === undefined) this.free.set(length, [given])
    else pieces.push(given)
  }

  private take(bytes: number): Piece {
    const length = pieceBytes(bytes)
    if (length > LARGEST_PIECE_BYTES) return { block: new this.kind(length), at: 0 }
    const free = this.free.get(length)?.pop()
    if (free !== undefined) {
      new Uint8Array(free.block, free.at, length).fill(0)
      return free
    }
    if (this.block === null || this.used + length > this.block.byteLength) {
      this.block = new this.kind(Math.max(length, this.nextBlockBytes))
      this.nextBlockBytes = Math.min(BLOCK_BYTES, this.nextBlockBytes * 2)
      this.used = 0
    }
    const at = this.used
    this.used += length
    return { block: this.block, at }
  }
}

const pieceBytes = (bytes: number): number => Math.ceil(bytes / CACHE_LINE_BYTES) * CACHE_LINE_BYTES

/** Bytes outside of any block, for what is large, rare and goes alone. */
export function ownBytes(length: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(length))
}

/** The bytes behind a typed array, as a part of an image. */
export function bytesOf(array: Int32Array | Uint32Array | Float64Array | Uint8Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}
