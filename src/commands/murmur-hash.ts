// MurmurHash64A (Austin Appleby, public domain) with the seed that HyperLogLog uses. 64-bit words as pairs of 32-bit ones: a bigint
// would take a microsecond for each eight bytes.

const SEED = 0xadc83b19
// The multiplier 0xc6a4a7935bd1e995.
const M_HIGH = 0xc6a4a793
const M_LOW = 0x5bd1e995
const SHIFT = 15 // 47 - 32

/** The hash of bytes[start, end), written to `into`: the high 32 bits, the low 32 bits, both unsigned. */
export function murmurHash64(bytes: Buffer, start: number, end: number, into: Uint32Array): void {
  const length = end - start
  multiply(0, length)
  let high = productHigh
  let low = SEED ^ productLow
  let at = start
  for (; end - at >= 8; at += 8) {
    mixWord(word(bytes, at + 4), word(bytes, at))
    multiply(high ^ productHigh, low ^ productLow)
    high = productHigh
    low = productLow
  }
  if (at < end) {
    for (let i = end - 1; i >= at; i--) {
      const shift = (i - at) * 8
      if (shift >= 32) high ^= bytes[i]! << (shift - 32)
      else low ^= bytes[i]! << shift
    }
    multiply(high, low)
    high = productHigh
    low = productLow
  }
  multiply(high, low ^ (high >>> SHIFT))
  into[0] = productHigh
  into[1] = productLow ^ (productHigh >>> SHIFT)
}

function word(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

/** k *= m, k ^= k >> 47, k *= m; left in `product`. */
function mixWord(high: number, low: number): void {
  multiply(high, low)
  multiply(productHigh, productLow ^ (productHigh >>> SHIFT))
}

// Where multiply leaves its result: an object for each of two numbers would cost more than the work.
let productHigh = 0
let productLow = 0

/** The low 64 bits of (high, low) * m. */
function multiply(high: number, low: number): void {
  const a = low & 0xffff
  const b = low >>> 16
  const c = M_LOW & 0xffff
  const d = M_LOW >>> 16
  const ac = a * c
  const middle = b * c + (ac >>> 16) // below 2^33: exact, but no longer 32 bits
  const cross = a * d + (middle % 0x1_0000)
  const carry = b * d + Math.floor(middle / 0x1_0000) + Math.floor(cross / 0x1_0000)
  productLow = Math.imul(low, M_LOW)
  productHigh = (carry + Math.imul(high, M_LOW) + Math.imul(low, M_HIGH)) | 0
}
