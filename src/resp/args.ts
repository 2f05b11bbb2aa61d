// The arguments of one command: a list of slices that is filled again for every command and never allocated twice.
//
// All slices of one command lie in one buffer (the receive buffer, or the decoder's own), and are valid until the decoder
// is asked for something else. Whoever needs them longer, MULTI's queue or a parked command, takes a `copy`.
//
// A slice that is not in use any more still holds on to its buffer, and a 10-byte slice can pin 64 MiB. So the owner
// calls `forget` when the buffer behind it goes.
//
// The first NEAR arguments are slices that stay. Those beyond are two numbers each, in memory off the heap, and become a slice when somebody asks
// for it. A hundred clients that send arguments without number, and never the last one, would else fill the heap with millions of slices that
// live, and each collection of its young part copied them: pauses of 24 to 40 ms (durability-8-hostile).

import { assert } from '../base/assert.ts'
import { Slice } from '../base/slice.ts'

const NOTHING = Buffer.alloc(0)
/** Nearly no command has more arguments. */
const NEAR = 64
/** What a slice costs, the object and its place in the list: for accounting. */
const SLICE_BYTES = 56
/** What one beyond the first costs. */
const FAR_BYTES = 16
/** The first list of those, which is kept for the next command. A longer one goes. */
const FIRST_FAR_CAPACITY = 256

export class Args {
  count = 0
  /** The first arguments; those beyond `count` are left from earlier commands. */
  private readonly near: Slice[] = []
  /** Start and end of each argument beyond, in `farBytes`, before `farShift` is added. */
  private far: Float64Array | null = null
  private farBytes: Buffer = NOTHING
  private farShift = 0

  /** Argument i; 0 is the command's name. Asking beyond the last is our own mistake, never the client's. */
  at(i: number): Slice {
    assert(i >= 0 && i < this.count, 'an argument that is not there')
    return i < NEAR ? this.near[i]! : this.farAt(i - NEAR)
  }

  /** In the same buffer as those before. */
  push(bytes: Buffer, start: number, end: number): void {
    const i = this.count++
    if (i < this.near.length) {
      const slice = this.near[i]!
      slice.bytes = bytes
      slice.start = start
      slice.end = end
    } else if (i < NEAR) {
      this.near.push(new Slice(bytes, start, end))
    } else {
      this.pushFar(i - NEAR, bytes, start, end)
    }
  }

  private farAt(i: number): Slice {
    const { far, farShift } = this
    return new Slice(this.farBytes, far![2 * i]! + farShift, far![2 * i + 1]! + farShift)
  }

  private pushFar(i: number, bytes: Buffer, start: number, end: number): void {
    let { far } = this
    if (far === null || far.length < 2 * i + 2) {
      const larger: Float64Array = new Float64Array(far === null ? 2 * FIRST_FAR_CAPACITY : 2 * far.length)
      if (far !== null) larger.set(far)
      far = larger
      this.far = far
    }
    if (i === 0) {
      this.farBytes = bytes
      this.farShift = 0
    }
    assert(bytes === this.farBytes, 'arguments of one command in two buffers')
    far[2 * i] = start - this.farShift
    far[2 * i + 1] = end - this.farShift
  }

  clear(): void {
    this.count = 0
    if (this.far === null || this.far.length <= 2 * FIRST_FAR_CAPACITY) return
    this.far = null
    this.farBytes = NOTHING
  }

  /** The bytes have moved: every argument now lies in `bytes`, `shift` further on. Slices not in use let go of theirs. */
  move(bytes: Buffer, shift: number): void {
    const { near } = this
    for (let i = 0; i < near.length; i++) {
      const slice = near[i]!
      if (i < this.count) slice.set(bytes, slice.start + shift, slice.end + shift)
      else slice.set(NOTHING, 0, 0)
    }
    this.farBytes = this.count > NEAR ? bytes : NOTHING
    this.farShift += shift
  }

  /** Forgets every argument, and with them the buffers they lie in. */
  forget(): void {
    this.clear()
    this.move(NOTHING, 0)
  }

  /** Bytes of all arguments together. */
  get byteLength(): number {
    let sum = 0
    for (let i = 0; i < this.count; i++) {
      const j = 2 * (i - NEAR)
      sum += i < NEAR ? this.near[i]!.length : this.far![j + 1]! - this.far![j]!
    }
    return sum
  }

  /** What a list of these arguments takes, beside their bytes. */
  get listBytes(): number {
    return this.count <= NEAR ? this.count * SLICE_BYTES : NEAR * SLICE_BYTES + (this.count - NEAR) * FAR_BYTES
  }

  /** What this list takes, its spare places too. */
  get heldBytes(): number {
    return this.near.length * SLICE_BYTES + (this.far === null ? 0 : this.far.byteLength)
  }

  /** Whether a slice lies in this buffer, used or not: it cannot go then. */
  pins(bytes: Buffer): boolean {
    return this.farBytes === bytes || this.near.some((slice) => slice.bytes === bytes)
  }

  /** A private copy, all arguments in one new buffer, for whoever keeps a command beyond the call. */
  copy(): Args {
    const bytes = Buffer.allocUnsafeSlow(this.byteLength)
    const copy = new Args()
    if (this.count > NEAR) copy.far = new Float64Array(2 * (this.count - NEAR))
    let at = 0
    for (let i = 0; i < this.count; i++) {
      const slice = this.at(i)
      slice.bytes.copy(bytes, at, slice.start, slice.end)
      copy.push(bytes, at, (at += slice.length))
    }
    return copy
  }
}
