// Many bits at once: counting ones, finding the first byte of interest, combining two strings.
//
// Bit 0 is the most significant bit of byte 0, as everywhere in Redis. Long runs go through a buffer of our own, 32 bits at a time:
// a value may begin at any address, words may not, and copying 16 KiB costs a tenth of counting them byte by byte.

const CHUNK_BYTES = 16 * 1024
/** Shorter runs are not worth the copy. */
const SHORT_BYTES = 64

const left = new Int32Array(CHUNK_BYTES / 4)
const leftBytes = Buffer.from(left.buffer)
const right = new Int32Array(CHUNK_BYTES / 4)
const rightBytes = Buffer.from(right.buffer)

const ONES = Uint8Array.from({ length: 256 }, (_, byte) => onesOf(byte))

/** How many bits of a 32-bit word are set. */
function onesOf(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555)
  const nibbles = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333)
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}

/** How many bits of bytes[start, end) are set. */
export function countOnes(bytes: Buffer, start: number, end: number): number {
  let sum = 0
  let at = start
  while (end - at >= SHORT_BYTES) {
    const length = Math.min(CHUNK_BYTES, end - at) & ~3
    bytes.copy(leftBytes, 0, at, at + length)
    const words = length >>> 2
    for (let i = 0; i < words; i++) sum += onesOf(left[i]!)
    at += length
  }
  for (; at < end; at++) sum += ONES[bytes[at]!]!
  return sum
}

/** Where in bytes[start, end) the first byte other than `byte` (0 or 255) stands; `end` when there is none. */
export function firstOther(bytes: Buffer, start: number, end: number, byte: 0 | 255): number {
  const word = byte === 0 ? 0 : -1
  let at = start
  while (end - at >= SHORT_BYTES) {
    const length = Math.min(CHUNK_BYTES, end - at) & ~3
    bytes.copy(leftBytes, 0, at, at + length)
    const words = length >>> 2
    let i = 0
    while (i < words && left[i] === word) i++
    at += i << 2
    if (i < words) break
  }
  while (at < end && bytes[at] === byte) at++
  return at
}

export type Combination = 'AND' | 'OR' | 'XOR'

/** target[0, end - start) = itself, combined with bytes[start, end). What of `target` lies beyond is left as it is. */
export function combine(how: Combination, target: Buffer, bytes: Buffer, start: number, end: number): void {
  for (let at = start; at < end; at += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, end - at)
    const to = at - start
    target.copy(leftBytes, 0, to, to + length)
    bytes.copy(rightBytes, 0, at, at + length)
    const words = (length + 3) >>> 2 // the last one may hold bytes of before, which are not copied back
    for (let i = 0; i < words; i++) {
      const one = left[i]!
      const other = right[i]!
      left[i] = how === 'AND' ? one & other : how === 'OR' ? one | other : one ^ other
    }
    leftBytes.copy(target, to, 0, length)
  }
}

/** Every bit of `target` becomes the other one. */
export function invert(target: Buffer): void {
  for (let at = 0; at < target.length; at += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, target.length - at)
    target.copy(leftBytes, 0, at, at + length)
    const words = (length + 3) >>> 2
    for (let i = 0; i < words; i++) left[i] = ~left[i]!
    leftBytes.copy(target, at, 0, length)
  }
}

/** The position, from the left, of the first bit of a byte that is `bit`; 8 when there is none. */
export function firstBit(byte: number, bit: 0 | 1): number {
  const ones = bit === 1 ? byte : ~byte & 0xff
  return Math.clz32(ones) - 24
}
