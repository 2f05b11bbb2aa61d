// Holes: places in the stream of replies for bytes that arrive later, in the order in which they will leave.
//
// A million of them may be open at once, by one MGET of values that only the disk has: so nothing here touches all of them when one leaves, and
// what each costs on V8's heap is counted (HOLE_BYTES) like everything else that clients can put there.

import { assert } from '../base/assert.ts'
import type { Slice } from '../base/slice.ts'
import type { ReplySlot } from '../commands/session.ts'
import type { PendingRead } from '../engine/engine.ts'

/** What one costs with the read that will fill it, measured: 500 to 800 bytes. */
export const HOLE_BYTES = 800

const NOTHING = Buffer.alloc(0)
const CRLF = Buffer.from('\r\n')

/** What a hole tells the output it lies in. */
export interface HoleOwner {
  /** So many bytes more or less wait to be said. */
  counted(bytes: number): void
  /** A message that was pushed is not going to be said. */
  messageDropped(): void
  /** One has its bytes. */
  filled(): void
}

/** A place in the reply stream for bytes that arrive later. */
export class Hole implements ReplySlot {
  /** Whose it is: the output counts replies. */
  readonly reply: number
  /** Before which byte it lies, counted since the connection was made. */
  at: number
  head: Buffer
  /** null until it is filled. Followed by CRLF. */
  content: Buffer | null
  isMessage: boolean
  private readonly owner: HoleOwner
  private readonly expectedBytes: number
  private readonly onError: () => void
  private read: PendingRead | null
  private isDropped: boolean

  constructor(owner: HoleOwner, reply: number, at: number, expectedBytes: number, onError: () => void) {
    this.reply = reply
    this.at = at
    this.head = NOTHING
    this.content = null
    this.isMessage = false
    this.owner = owner
    this.expectedBytes = expectedBytes
    this.onError = onError
    this.read = null
    this.isDropped = false
  }

  /** Bytes it counts for. */
  get size(): number {
    return this.content === null ? this.expectedBytes : this.head.length + this.content.length + CRLF.length
  }

  fillBulk(value: Slice): void {
    this.fill(Buffer.from(`$${value.length}\r\n`, 'latin1'), value.bytes.subarray(value.start, value.end))
  }

  fillError(text: string): void {
    this.onError()
    this.fill(NOTHING, Buffer.from(`-${text.replace(/[\r\n]/g, ' ')}`, 'latin1'))
  }

  waitsFor(read: PendingRead): void {
    if (this.isDropped) read.cancel()
    else this.read = read
  }

  /** RESP that ends in CRLF. */
  fillMessage(message: Buffer): void {
    this.isMessage = true
    this.fill(NOTHING, message.subarray(0, message.length - CRLF.length))
  }

  /** Nobody waits for the bytes any more. */
  drop(): void {
    if (this.isDropped) return
    this.isDropped = true
    this.read?.cancel()
    this.owner.counted(-this.size)
    if (this.isMessage) this.owner.messageDropped()
  }

  private fill(head: Buffer, content: Buffer): void {
    assert(this.content === null, 'a reply slot is filled twice')
    if (this.isDropped) return
    this.head = head
    this.content = content
    this.read = null
    this.owner.counted(this.size - this.expectedBytes)
    this.owner.filled()
  }
}

/** Those of one connection: the first leave, the last are taken back. */
export class HoleQueue {
  private holes: Hole[] = []
  private first = 0

  get length(): number {
    return this.holes.length - this.first
  }

  /** The i-th of them, from 0. */
  at(i: number): Hole | undefined {
    return this.holes[this.first + i]
  }

  get last(): Hole | undefined {
    return this.length === 0 ? undefined : this.holes[this.holes.length - 1]
  }

  push(hole: Hole): void {
    this.holes.push(hole)
  }

  /** Takes back the last one. */
  pop(): Hole {
    const hole = this.holes.pop() as Hole
    this.tidy()
    return hole
  }

  /** The first so many leave. */
  take(count: number): Hole[] {
    const taken = this.holes.slice(this.first, this.first + count)
    this.first += count
    this.tidy()
    return taken
  }

  // What has left goes when it is half of them: to cut it off each time would be a copy of all that stay.
  private tidy(): void {
    if (this.first * 2 < this.holes.length) return
    this.holes = this.holes.slice(this.first)
    this.first = 0
  }
}
