// Reply buffers that nobody uses at the moment.
//
// A connection borrows one when it has something to say and gives it back when that has left, so ten thousand idle clients hold
// no reply memory at all, and the few that are busy meet the buffer that is still warm in the processor's cache.

/** Room for the replies of an ordinary pipeline. */
export const BUFFER_BYTES = 16 * 1024
/** A buffer that grew beyond this was needed for one big reply: it goes back to the system. */
const KEPT_BUFFER_BYTES = 256 * 1024
const KEPT_BUFFERS = 64

export class BufferPool {
  private readonly free: Buffer[] = []

  take(): Buffer {
    return this.free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
  }

  give(buffer: Buffer): void {
    if (buffer.length < BUFFER_BYTES || buffer.length > KEPT_BUFFER_BYTES || this.free.length >= KEPT_BUFFERS) return
    this.free.push(buffer)
  }

  get bytes(): number {
    let sum = 0
    for (const buffer of this.free) sum += buffer.length
    return sum
  }
}
