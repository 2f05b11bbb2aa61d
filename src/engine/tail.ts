// The tail: the newest bytes of the log, in memory.
//
//   blocks   |####|##########|##########|#######......|     oldest first; a block lies in one segment, from `offset` on
//             ^ kept from here             ^ written  ^ length
//
// What no file has yet must be here. What is written stays as long as there is room (`keepBytes`), and goes by whole blocks, oldest first:
// so what was written lately is read from memory, and the write has paid nothing for it. The value cache used to take every write as well,
// which cost a SET as much as everything else in it (three cache misses; SET P=100 1.36 -> 2.4 us of processor time). Now it takes what
// is read (bitcask.ts: write).
//
// Nothing is let go inside of an append: the value that is appended may itself lie in the oldest block (RENAME, COPY).

import { NOT_RESIDENT, type Segment } from './segments.ts'

const SPARE_BLOCKS = 8

export interface Block {
  segment: Segment
  /** Place in the segment of bytes[0]. */
  offset: number
  readonly bytes: Buffer
  readonly view: DataView
  length: number
  /** Bytes that the file has. */
  written: number
}

/** Appended bytes on their way to a file. */
export interface Piece {
  readonly block: Block
  readonly from: number
  readonly to: number
}

export class Tail {
  /** Bytes of blocks that may be kept when they are written. */
  keepBytes: number
  /** Where `find` found: the block's bytes, and the place in them. */
  bytes: Buffer = Buffer.alloc(0)
  at = 0
  /** A block has begun: a place to ask now and then, in a turn that appends much, whether it is too much. */
  onBlock: () => void = () => {}
  private touched = 0
  private readonly blocks: Block[] = []
  /** Index of the first block that is not wholly written. */
  private pending = 0
  private held = 0
  private readonly spare: Buffer[] = []
  /** Size of a block, unless a record is larger. Blocks of this size are used again. */
  private readonly blockBytes: number

  constructor(keepBytes: number, blockBytes: number) {
    this.keepBytes = keepBytes
    this.blockBytes = blockBytes
  }

  /** Memory held, in bytes. */
  get heldBytes(): number {
    return this.held
  }

  /** The block to append `length` bytes of `segment` to. */
  room(segment: Segment, length: number): Block {
    const { blocks } = this
    const last = blocks.length - 1
    if (last >= 0) {
      const block = blocks[last] as Block
      if (block.segment === segment && block.length + length <= block.bytes.length) return block
    }
    const { blockBytes } = this
    const bytes =
      length <= blockBytes ? (this.spare.pop() ?? Buffer.allocUnsafeSlow(blockBytes)) : Buffer.allocUnsafeSlow(length)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const block = { segment, offset: segment.sizeBytes, bytes, view, length: 0, written: 0 }
    if (segment.residentFrom === NOT_RESIDENT) segment.residentFrom = block.offset
    this.held += bytes.length
    blocks.push(block)
    this.onBlock()
    return block
  }

  /** Whether the byte at that place is here: it is then `bytes[at]`. The caller has seen that offset >= segment.residentFrom. */
  find(segment: Segment, offset: number): boolean {
    // The log's segments have growing numbers: the blocks are in order.
    const { blocks } = this
    const { number } = segment
    let low = 0
    let high = blocks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      const block = blocks[middle] as Block
      const isBehind = block.segment.number > number || (block.segment.number === number && block.offset > offset)
      if (isBehind) high = middle - 1
      else low = middle
    }
    const block = blocks[low]
    if (block === undefined || block.segment !== segment) return false
    if (offset < block.offset || offset >= block.offset + block.length) return false
    this.bytes = block.bytes
    this.at = offset - block.offset
    return true
  }

  /** Reads a byte at that place, if it is here, so that the processor has it: see Keydir.prefetch. */
  touch(segment: Segment, offset: number): void {
    if (this.find(segment, offset)) this.touched = (this.touched + (this.bytes[this.at] as number)) | 0
  }

  /** What no file has yet, in order. */
  *unwritten(): Iterable<Piece> {
    for (let i = this.pending; i < this.blocks.length; i++) {
      const block = this.blocks[i] as Block
      if (block.written < block.length) yield { block, from: block.written, to: block.length }
    }
  }

  /** Lets written blocks go for which there is no room. Between two appends, never in one. */
  trim(): void {
    const { blocks } = this
    while (this.pending < blocks.length - 1 && isWritten(blocks[this.pending] as Block)) this.pending++
    while (this.held > this.keepBytes && blocks.length > 0) {
      const block = blocks[0] as Block
      if (!isWritten(block)) return
      if (blocks.length === 1 && block.bytes.length === this.blockBytes) {
        // The usual case without any keeping: the same block from its start, nothing is allocated.
        block.offset += block.length
        block.length = 0
        block.written = 0
        block.segment.residentFrom = block.offset
        return
      }
      this.drop(block)
    }
  }

  private drop(block: Block): void {
    const { blocks } = this
    blocks.shift()
    if (this.pending > 0) this.pending--
    const next = blocks[0]
    block.segment.residentFrom = next?.segment === block.segment ? next.offset : NOT_RESIDENT
    this.held -= block.bytes.length
    if (block.bytes.length === this.blockBytes && this.spare.length < SPARE_BLOCKS) this.spare.push(block.bytes)
  }

  /** Forgets everything. A write that is still under way keeps its bytes, so they are not used again. */
  reset(): void {
    for (const block of this.blocks) block.segment.residentFrom = NOT_RESIDENT
    this.blocks.length = 0
    this.pending = 0
    this.held = 0
  }
}

function isWritten(block: Block): boolean {
  return block.written === block.length
}
