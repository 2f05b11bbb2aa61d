// CRC-64 with the Jones polynomial, bits reversed, no inversion: what ends a payload of DUMP.
//
//   polynomial 0xad93d23594c935a9 (reversed: 0x95ac9329ac4bc9b5), initial value 0; "123456789" gives 0xe9c6d914c4b8d9ca
//
// JavaScript's numbers have no 64 bits to shift, so the sum is two halves of 32 (a BigInt costs forty times as much). Eight bytes
// are taken at a time: table k says what a byte does that has k more bytes behind it.

const POLYNOMIAL_HIGH = 0x95ac9329
const POLYNOMIAL_LOW = 0xac4bc9b5
const BYTES_AT_A_TIME = 8

const HIGH = new Int32Array(256 * BYTES_AT_A_TIME)
const LOW = new Int32Array(256 * BYTES_AT_A_TIME)

for (let byte = 0; byte < 256; byte++) {
  let high = 0
  let low = byte
  for (let bit = 0; bit < 8; bit++) {
    const isOdd = (low & 1) !== 0
    low = (low >>> 1) | (high << 31)
    high >>>= 1
    if (isOdd) {
      high ^= POLYNOMIAL_HIGH
      low ^= POLYNOMIAL_LOW
    }
  }
  HIGH[byte] = high
  LOW[byte] = low
}
for (let at = 256; at < HIGH.length; at++) {
  const high = HIGH[at - 256]!
  const low = LOW[at - 256]!
  const next = low & 0xff
  LOW[at] = ((low >>> 8) | (high << 24)) ^ LOW[next]!
  HIGH[at] = (high >>> 8) ^ HIGH[next]!
}

/** A checksum that grows with the bytes it is given, so that many bytes can be summed a portion at a time. */
export class Crc64 {
  private high = 0
  private low = 0

  /** Adds bytes[start..end). */
  add(bytes: Uint8Array, start: number, end: number): void {
    let { high, low } = this
    let at = start
    for (; at + BYTES_AT_A_TIME <= end; at += BYTES_AT_A_TIME) {
      const a = 1792 + ((low ^ bytes[at]!) & 0xff)
      const b = 1536 + (((low >>> 8) ^ bytes[at + 1]!) & 0xff)
      const c = 1280 + (((low >>> 16) ^ bytes[at + 2]!) & 0xff)
      const d = 1024 + ((low >>> 24) ^ bytes[at + 3]!)
      const e = 768 + ((high ^ bytes[at + 4]!) & 0xff)
      const f = 512 + (((high >>> 8) ^ bytes[at + 5]!) & 0xff)
      const g = 256 + (((high >>> 16) ^ bytes[at + 6]!) & 0xff)
      const h = (high >>> 24) ^ bytes[at + 7]!
      low = LOW[a]! ^ LOW[b]! ^ LOW[c]! ^ LOW[d]! ^ LOW[e]! ^ LOW[f]! ^ LOW[g]! ^ LOW[h]!
      high = HIGH[a]! ^ HIGH[b]! ^ HIGH[c]! ^ HIGH[d]! ^ HIGH[e]! ^ HIGH[f]! ^ HIGH[g]! ^ HIGH[h]!
    }
    for (; at < end; at++) {
      const byte = (low ^ bytes[at]!) & 0xff
      low = ((low >>> 8) | (high << 24)) ^ LOW[byte]!
      high = (high >>> 8) ^ HIGH[byte]!
    }
    this.high = high
    this.low = low
  }

  /** Writes the sum at `at`: eight bytes, little-endian. */
  write(into: Buffer, at: number): void {
    into.writeInt32LE(this.low, at)
    into.writeInt32LE(this.high, at + 4)
  }

  /** Whether the eight bytes at `at` are the sum. */
  equals(bytes: Buffer, at: number): boolean {
    return bytes.readInt32LE(at) === this.low && bytes.readInt32LE(at + 4) === this.high
  }
}
