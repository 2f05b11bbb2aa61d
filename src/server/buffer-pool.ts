// Reply buffers that nobody uses at the moment.
//
// A connection borrows one when it has something to say and gives it back when that has left, so ten thousand idle clients hold
// no reply memory at all, and the few that are busy meet the buffer that is still warm in the processor's cache.
//
// Their lengths are powers of two, one shelf for each. Replies that outgrow their buffer take the next larger one from here, too: made anew for each
// pipeline of 16 GETs of 16 KiB, a mebibyte in all, they kept V8's collector busy on both cores (33 us of processor time a GET, 13 since).

/** Room for the replies of an ordinary pipeline. */
export const BUFFER_BYTES = 16 * 1024
/** A larger one was needed for one big reply: it goes back to the system. */
const LARGEST_KEPT_BYTES = 1024 * 1024
const SMALLEST_BITS = 14
const SHELVES = 7
/** A thousand clients that are all answered in one tick find a buffer each. */
const KEPT_BYTES = 32 * 1024 * 1024

export class BufferPool {
  /** Memory of the buffers that lie here. */
  bytes: number
  private readonly shelves: Buffer[][]

  constructor() {
    this.bytes = 0
    this.shelves = Array.from({ length: SHELVES }, () => [])
  }

  /** One of at least so many bytes; what is in it is anything. */
  take(bytes = BUFFER_BYTES): Buffer {
    if (bytes > LARGEST_KEPT_BYTES) return Buffer.allocUnsafeSlow(bytes)
    const bits = Math.max(SMALLEST_BITS, 32 - Math.clz32(bytes - 1))
    const buffer = this.shelves[bits - SMALLEST_BITS]!.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(2 ** bits)
    this.bytes -= buffer.length
    return buffer
  }

  /** Nobody may use it any more. */
  give(buffer: Buffer): void {
    const { length } = buffer
    if (length < BUFFER_BYTES || length > LARGEST_KEPT_BYTES || this.bytes + length > KEPT_BYTES) return
    if ((length & (length - 1)) !== 0) return
    this.bytes += length
    this.shelves[31 - Math.clz32(length) - SMALLEST_BITS]!.push(buffer)
  }

  /** Gives all buffers that lie here back to the system. */
  drop(): void {
    this.bytes = 0
    for (const shelf of this.shelves) shelf.length = 0
  }
}
