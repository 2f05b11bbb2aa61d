// Reply buffers that nobody uses at the moment.
//
// A connection borrows one when it has something to say and gives it back when that has left, so ten thousand idle clients hold
// no reply memory at all, and the few that are busy meet the buffer that is still warm in the processor's cache.

/** Room for the replies of an ordinary pipeline. */
export const BUFFER_BYTES = 16 * 1024
/** A buffer that grew beyond this was needed for one big reply: it goes back to the system. */
const LARGEST_KEPT_BYTES = 256 * 1024
/** A thousand clients that are all answered in one tick find a buffer each. */
const KEPT_BYTES = 32 * 1024 * 1024

export class BufferPool {
  /** Memory of the buffers that lie here. */
  bytes: number
  private readonly free: Buffer[]

  constructor() {
    this.bytes = 0
    this.free = []
  }

  take(): Buffer {
    const buffer = this.free.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(BUFFER_BYTES)
    this.bytes -= buffer.length
    return buffer
  }

  give(buffer: Buffer): void {
    const { length } = buffer
    if (length < BUFFER_BYTES || length > LARGEST_KEPT_BYTES || this.bytes + length > KEPT_BYTES) return
    this.bytes += length
    this.free.push(buffer)
  }

  /** Gives all buffers that lie here back to the system. */
  drop(): void {
    this.bytes = 0
    this.free.length = 0
  }
}
