// The sparse registers of a HyperLogLog: runs of equal registers, one after the other, 16384 registers in all.
//
//   00nnnnnn            zeros: n + 1 registers (1 to 64) hold 0
//   01nnnnnn nnnnnnnn   many zeros: n + 1 registers (1 to 16384) hold 0
//   1vvvvvnn            values: n + 1 registers (1 to 4) hold v + 1 (1 to 32)
//
// Setting a register splits the run it is in: what was before it, itself, what comes after. Then equal values that have become
// neighbours are joined, in the five runs from the one before on and only up to four registers a run. There are shorter ways to say the
// same, but everybody who sets the same registers in the same order shall get the same bytes.
//
// Bytes come from clients, so a walk may find more or fewer registers than there are.

export const REGISTERS = 16384
/** 16384 registers that hold 0. */
export const EMPTY_RUNS = Buffer.from([0x7f, 0xff])

const VALUES = 0x80
const MANY = 0x40
const KINDS = 0xc0
const MOST_ZEROS = 64
const MOST_VALUES = 4
/** A larger value has no run. */
const LARGEST_VALUE = 32
/** A run in the middle of many zeros: two bytes, one, two. */
const MOST_BYTES = 5
const JOINED_RUNS = 5

export const UNCHANGED = 0
export const CHANGED = 1
/** Not done: it would take too many bytes, or there is no run for such a value. The registers have to become dense. */
export const FULL = 2
/** Not done: the runs end before this register. */
export const CORRUPT = 3
export type Outcome = typeof UNCHANGED | typeof CHANGED | typeof FULL | typeof CORRUPT

/** Visits the runs of bytes[start, end). False: they are not 16384 registers (the visits until then were of good ones). */
export function forEachRun(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (register: number, count: number, value: number) => void,
): boolean {
  let register = 0
  for (let at = start; at < end; at += widthAt(bytes, at)) {
    const count = countAt(bytes, at)
    if (register + count > REGISTERS) return false
    visit(register, count, valueAt(bytes, at))
    register += count
  }
  return register === REGISTERS
}

function widthAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! & KINDS) === MANY ? 2 : 1
}

function countAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at]!
  if ((byte & VALUES) !== 0) return (byte & 3) + 1
  const low = byte & 0x3f
  return (byte & MANY) === 0 ? low + 1 : ((low << 8) | (bytes[at + 1] ?? 0)) + 1
}

/** 0 for runs of zeros. */
function valueAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at]!
  return (byte & VALUES) === 0 ? 0 : ((byte >>> 2) & 31) + 1
}

function valuesRun(value: number, count: number): number {
  return VALUES | ((value - 1) << 2) | (count - 1)
}

export class SparseRegisters {
  /** The runs are bytes[start, end); what is before them belongs to the owner. */
  bytes: Buffer
  readonly start: number
  end: number

  /** `bytes` is the caller's no more. */
  constructor(bytes: Buffer, start: number) {
    this.bytes = bytes
    this.start = start
    this.end = bytes.length
  }

  /** The register holds `value` (1 to 51) from now on, if that is more. `maxEnd`: what `end` may become by it. */
  raise(register: number, value: number, maxEnd: number): Outcome {
    if (value > LARGEST_VALUE) return FULL
    let first = 0
    let at = this.start
    let before = this.start // the run before, or the first
    let count = 0
    for (; at < this.end; at += widthAt(this.bytes, at)) {
      count = countAt(this.bytes, at)
      if (register < first + count) break
      before = at
      first += count
    }
    if (at >= this.end) return CORRUPT
    const old = valueAt(this.bytes, at)
    if (old >= value) return UNCHANGED
    const width = widthAt(this.bytes, at)

    let n = this.write(0, old, register - first)
    replacement[n++] = valuesRun(value, 1)
    n = this.write(n, old, first + count - 1 - register)
    const growth = n - width
    if (growth > 0 && this.end + growth > maxEnd) return FULL
    this.move(at + width, growth)
    replacement.copy(this.bytes, at, 0, n)
    this.join(before)
    return CHANGED
  }

  /** Puts a run, if it has any registers, at `n` of the replacement. Returns where the next one goes. */
  private write(n: number, value: number, count: number): number {
    if (count === 0) return n
    if (value > 0) replacement[n++] = valuesRun(value, count)
    else {
      if (count > MOST_ZEROS) replacement[n++] = MANY | ((count - 1) >>> 8)
      replacement[n++] = count > MOST_ZEROS ? (count - 1) & 0xff : count - 1
    }
    return n
  }

  /** What lies from `from` on lies so much further on. */
  private move(from: number, growth: number): void {
    const end = this.end + growth
    if (end > this.bytes.length) {
      const more = Buffer.alloc(end * 2)
      this.bytes.copy(more, 0, 0, this.end)
      this.bytes = more
    }
    this.bytes.copyWithin(from + growth, from, this.end)
    this.end = end
  }

  private join(from: number): void {
    const { bytes } = this
    let at = from
    for (let left = JOINED_RUNS; left > 0 && at < this.end; left--) {
      const value = valueAt(bytes, at)
      if (value > 0 && at + 1 < this.end && valueAt(bytes, at + 1) === value) {
        const count = countAt(bytes, at) + countAt(bytes, at + 1)
        if (count <= MOST_VALUES) {
          bytes[at + 1] = valuesRun(value, count)
          this.move(at + 1, -1)
          continue
        }
      }
      at += widthAt(bytes, at)
    }
  }
}

const replacement = Buffer.alloc(MOST_BYTES)
