// The arguments of one command: a list of slices that is filled again for every command and never allocated twice.
//
// All slices of one command lie in one buffer (the receive buffer, or the decoder's own), and are valid until the decoder
// is asked for something else. Whoever needs them longer, MULTI's queue or a parked command, takes a `copy`.
//
// A slice that is not in use any more still holds on to its buffer, and a 10-byte slice can pin 64 MiB. So the owner
// calls `forget` when the buffer behind it goes, and after a command with very many arguments the list is cut back.

import { assert } from '../base/assert.ts'
import { Slice } from '../base/slice.ts'

/** What one slice costs: the object and its place in the list. For accounting. */
export const SLICE_BYTES = 56

/** A list longer than this is not kept for the next command. */
const KEPT_SLICES = 64

const NOTHING = Buffer.alloc(0)

export class Args {
  count = 0
  /** The first `count` are this command's; the others are left from earlier ones. */
  readonly slices: Slice[] = []

  /** Argument i; 0 is the command's name. Asking beyond the last is our own mistake, never the client's. */
  at(i: number): Slice {
    assert(i >= 0 && i < this.count, 'an argument that is not there')
    return this.slices[i]!
  }

  push(bytes: Buffer, start: number, end: number): void {
    const i = this.count++
    if (i < this.slices.length) {
      const slice = this.slices[i]!
      slice.bytes = bytes
      slice.start = start
      slice.end = end
    } else {
      this.slices.push(new Slice(bytes, start, end))
    }
  }

  clear(): void {
    this.count = 0
    if (this.slices.length > KEPT_SLICES) this.slices.length = KEPT_SLICES
  }

  /** The bytes have moved: every argument now lies in `bytes`, `shift` further on. Slices not in use let go of theirs. */
  move(bytes: Buffer, shift: number): void {
    for (let i = 0; i < this.count; i++) {
      const slice = this.slices[i]!
      slice.set(bytes, slice.start + shift, slice.end + shift)
    }
    for (let i = this.count; i < this.slices.length; i++) this.slices[i]!.set(NOTHING, 0, 0)
  }

  /** Forgets every argument, and with them the buffers they lie in. */
  forget(): void {
    this.clear()
    this.move(NOTHING, 0)
  }

  /** Bytes of all arguments together. */
  get byteLength(): number {
    let sum = 0
    for (let i = 0; i < this.count; i++) sum += this.slices[i]!.length
    return sum
  }

  /** A private copy, all arguments in one new buffer, for whoever keeps a command beyond the call. */
  copy(): Args {
    const bytes = Buffer.allocUnsafeSlow(this.byteLength)
    const copy = new Args()
    let at = 0
    for (let i = 0; i < this.count; i++) {
      const slice = this.slices[i]!
      slice.bytes.copy(bytes, at, slice.start, slice.end)
      copy.push(bytes, at, (at += slice.length))
    }
    return copy
  }
}

/** Arguments made from texts (latin1) or bytes: for tests, and for commands the server gives itself. */
export function argsOf(...values: readonly (string | Buffer)[]): Args {
  const args = new Args()
  for (const value of values) {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value
    args.push(bytes, 0, bytes.length)
  }
  return args
}
