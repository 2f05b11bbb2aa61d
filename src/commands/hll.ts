// HyperLogLog as Redis stores it, byte for byte: a string that other Redis programs read and write too.
//
//   offset  size   field
//        0     4   "HYLL"
//        4     1   encoding: 0 dense, 1 sparse
//        5     3   unused, 0
//        8     8   cardinality when it was last asked for, u64 little-endian; top bit set: out of date
//       16         registers
//
//   dense    16384 registers of 6 bits: register r begins at bit 6r, the least significant bit of a byte first; 12288 bytes
//   sparse   runs of registers (hll-sparse.ts); what exceeds hll-sparse-max-bytes becomes dense, for good
//
// An element's hash (MurmurHash64A) names a register by its lowest 14 bits. The place of the first 1 in the other 50, counted from 1 (51
// when there is none), is what the register remembers if it is the largest so far. How the registers are filled tells how many
// different elements there were (hll-estimate.ts), to within about 0.8 %.
//
// A string of the right beginning may still be no HyperLogLog: only walking through the sparse runs shows that they are 16384 registers.

import type { Slice } from '../base/slice.ts'
import { CHANGED, CORRUPT, EMPTY_RUNS, FULL, forEachRun, REGISTERS, SparseRegisters } from './hll-sparse.ts'
import { murmurHash64 } from './murmur-hash.ts'

const REGISTER_BITS = 6
/** The largest value of a register as it is stored; of hashes comes at most 51. */
export const REGISTER_MASK = 63
const INDEX_BITS = 14

const HEADER_BYTES = 16
const DENSE_BYTES = HEADER_BYTES + (REGISTERS * REGISTER_BITS) / 8
const ENCODING_AT = 4
const CARDINALITY_AT = 8
const STALE_AT = 15
const STALE = 0x80
const DENSE = 0
const SPARSE = 1
const MAGIC = Buffer.from('HYLL')

/** Whether a string may be a HyperLogLog: beginning and length say so. */
export function looksLikeHll({ bytes, start, end }: Slice): boolean {
  const length = end - start
  if (length < HEADER_BYTES || bytes.compare(MAGIC, 0, 4, start, start + 4) !== 0) return false
  const encoding = bytes[start + ENCODING_AT]
  return encoding === SPARSE || (encoding === DENSE && length === DENSE_BYTES)
}

export function isDense({ bytes, start }: Slice): boolean {
  return bytes[start + ENCODING_AT] === DENSE
}

/** The cardinality that is kept in it, or null when it is out of date. */
export function keptCardinality({ bytes, start }: Slice): bigint | null {
  return (bytes[start + STALE_AT]! & STALE) === 0 ? bytes.readBigUInt64LE(start + CARDINALITY_AT) : null
}

/** A copy of it that keeps this cardinality. */
export function withCardinality(hll: Slice, cardinality: bigint): Buffer {
  const copy = hll.copy()
  copy.writeBigUInt64LE(cardinality, CARDINALITY_AT)
  return copy
}

/** How many registers hold each value from 0 to 63; null when its runs are no 16384 registers. */
export function histogramOf(hll: Slice): Uint32Array | null {
  const histogram = new Uint32Array(REGISTER_MASK + 1)
  if (!isDense(hll)) {
    const isGood = forEachRun(hll.bytes, hll.start + HEADER_BYTES, hll.end, (_, count, value) => {
      histogram[value]! += count
    })
    return isGood ? histogram : null
  }
  forEachDense(hll, (_, value) => {
    histogram[value]!++
  })
  return histogram
}

/** Raises each of the 16384 `registers` to what this one holds. False: its runs are no 16384 registers. */
export function raiseAll(registers: Uint8Array, hll: Slice): boolean {
  if (!isDense(hll)) {
    return forEachRun(hll.bytes, hll.start + HEADER_BYTES, hll.end, (register, count, value) => {
      for (let i = register; i < register + count; i++) if (value > registers[i]!) registers[i] = value
    })
  }
  forEachDense(hll, (register, value) => {
    if (value > registers[register]!) registers[register] = value
  })
  return true
}

function forEachDense({ bytes, start }: Slice, visit: (register: number, value: number) => void): void {
  // Four registers are three bytes.
  for (let at = start + HEADER_BYTES, register = 0; register < REGISTERS; at += 3, register += 4) {
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)
    visit(register, word & REGISTER_MASK)
    visit(register + 1, (word >>> 6) & REGISTER_MASK)
    visit(register + 2, (word >>> 12) & REGISTER_MASK)
    visit(register + 3, word >>> 18)
  }
}

const hash = new Uint32Array(2)

/** One that is being changed, in bytes of its own. */
export class Hll {
  private sparse: SparseRegisters | null
  private dense: Buffer | null

  /** A copy of `hll`, or an empty one. */
  constructor(hll: Slice | null) {
    const bytes = hll?.copy() ?? Buffer.concat([MAGIC, Buffer.alloc(HEADER_BYTES - MAGIC.length), EMPTY_RUNS])
    if (hll === null) bytes[ENCODING_AT] = SPARSE
    const isSparse = bytes[ENCODING_AT] === SPARSE
    this.sparse = isSparse ? new SparseRegisters(bytes, HEADER_BYTES) : null
    this.dense = isSparse ? null : bytes
  }

  /** Its bytes, until it is changed. */
  get bytes(): Buffer {
    return this.dense ?? this.sparse!.bytes.subarray(0, this.sparse!.end)
  }

  /** Adds an element. True: a register has changed. null: it is corrupt. `maxBytes`: how large a sparse one may grow. */
  add(element: Slice, maxBytes: number): boolean | null {
    murmurHash64(element.bytes, element.start, element.end, hash)
    const high = hash[0]!
    const low = hash[1]!
    // Of the 50 bits above the index: 18 lie in `low`, 32 in `high`.
    const rest = low >>> INDEX_BITS
    const zeros = rest !== 0 ? trailingZeros(rest) : 32 - INDEX_BITS + trailingZeros(high)
    return this.raise(low & (REGISTERS - 1), zeros + 1, maxBytes)
  }

  /** Raises one register to `value`, if it holds less. Answers as `add`. */
  raise(register: number, value: number, maxBytes: number): boolean | null {
    if (this.sparse !== null) {
      const outcome = this.sparse.raise(register, value, maxBytes)
      if (outcome === CORRUPT) return null
      if (outcome !== FULL) return outcome === CHANGED
      if (!this.makeDense()) return null
    }
    return raiseDense(this.dense!, register, value)
  }

  /** False: it is corrupt. */
  makeDense(): boolean {
    const { sparse } = this
    if (sparse === null) return true
    const dense = Buffer.alloc(DENSE_BYTES)
    sparse.bytes.copy(dense, 0, 0, HEADER_BYTES)
    dense[ENCODING_AT] = DENSE
    const isGood = forEachRun(sparse.bytes, HEADER_BYTES, sparse.end, (register, count, value) => {
      if (value > 0) for (let i = register; i < register + count; i++) raiseDense(dense, i, value)
    })
    if (!isGood) return false
    this.dense = dense
    this.sparse = null
    return true
  }

  /** The cardinality that it keeps is not its own any more. */
  makeStale(): void {
    this.bytes[STALE_AT]! |= STALE
  }
}

/** Of 32 bits; 32 when all are 0. */
function trailingZeros(word: number): number {
  return word === 0 ? 32 : 31 - Math.clz32(word & -word)
}

function raiseDense(bytes: Buffer, register: number, value: number): boolean {
  const bit = register * REGISTER_BITS
  const at = HEADER_BYTES + (bit >>> 3)
  const shift = bit & 7
  // A register lies in one byte or in two; behind the last there is none, and none is needed.
  const two = bytes[at]! | ((bytes[at + 1] ?? 0) << 8)
  if (((two >>> shift) & REGISTER_MASK) >= value) return false
  const changed = (two & ~(REGISTER_MASK << shift)) | (value << shift)
  bytes[at] = changed & 0xff
  if (shift > 8 - REGISTER_BITS) bytes[at + 1] = changed >>> 8
  return true
}
