// The hash of a key in its database: 32 bits, seeded.
//
// The seed is random for each process, so that a client cannot prepare keys that meet in one page. Two lanes take each word of four
// bytes, with secret odd multipliers. One lane alone could be cancelled without knowing them (a change of the top bit passes a
// multiplication unchanged, and the next word can take it back); the other one rotates before it multiplies, which makes the same change
// unpredictable there. This is a defence against floods, not cryptography: SipHash costs three times as much in JavaScript.
//
// Who uses which bits: directory and page splits the top ones, the home slot all of them (see buckets.ts). So all must be good;
// test/engine/keydir/key-hash.test.ts flips every input bit and looks at every output bit.

export class KeyHash {
  readonly seed: number
  private readonly startA: number
  private readonly startB: number
  private readonly factorA: number
  private readonly factorB: number

  /** `seed`: a whole number below 2^53. */
  constructor(seed: number) {
    this.seed = seed
    const low = seed | 0
    const high = Math.floor(seed / 2 ** 32) | 0
    this.startA = mix(low ^ mix(high ^ 0x243f6a88))
    this.startB = mix(this.startA ^ mix(high ^ 0x13198a2e))
    this.factorA = mix(this.startB ^ low) | 1
    this.factorB = mix(this.factorA ^ high) | 1
  }

  /** Of the key bytes[start, end) in a database: a signed 32-bit number. */
  of(database: number, bytes: Uint8Array, start: number, end: number): number {
    const factorA = this.factorA
    const factorB = this.factorB
    let a = this.startA ^ Math.imul(database, 0x9e3779b1)
    let b = this.startB ^ (end - start)
    let i = start
    for (const last = end - 4; i <= last; i += 4) {
      const word =
        (bytes[i] as number) |
        ((bytes[i + 1] as number) << 8) |
        ((bytes[i + 2] as number) << 16) |
        ((bytes[i + 3] as number) << 24)
      a = Math.imul(a ^ word, factorA)
      b ^= word
      b = Math.imul((b << 15) | (b >>> 17), factorB)
    }
    if (i < end) {
      let word = bytes[i] as number
      if (i + 1 < end) word |= (bytes[i + 1] as number) << 8
      if (i + 2 < end) word |= (bytes[i + 2] as number) << 16
      a = Math.imul(a ^ word, factorA)
      b ^= word
      b = Math.imul((b << 15) | (b >>> 17), factorB)
    }
    return mix(mix(a) ^ b)
  }
}

/** A seed nobody can guess. */
export function randomSeed(): number {
  const random = new Uint32Array(2)
  crypto.getRandomValues(random)
  return ((random[0] as number) & 0x1fffff) * 2 ** 32 + (random[1] as number)
}

/** MurmurHash3's finalizer (Appleby, public domain): each bit of the input changes each bit of the output. One to one on 32 bits. */
export function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
