// A Bloom filter over keys: 10 bits a key, 7 probes, about 1% false positives (Bloom 1970; double hashing after Kirsch and
// Mitzenmacher 2006). It stands in a hint and says of a segment "this key has no record here other than a tombstone", which is what
// allows a merge to drop a tombstone: a wrong "perhaps" keeps a tombstone too long, a wrong "no" would bring a deleted key back and
// cannot happen. The hash is part of the file format.

const BITS_PER_KEY = 10
const PROBES = 7

/** Two 32-bit hashes of (database, key), as pairs for FilterBuilder and filterHas. */
export function filterHash(database: number, bytes: Uint8Array, start: number, end: number, out: Uint32Array): void {
  let a = 0x811c9dc5 ^ database
  let b = 0x9747b28c ^ Math.imul(database, 0x85ebca6b)
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number
    a = Math.imul(a ^ byte, 0x01000193)
    b = Math.imul(b ^ byte, 0x5bd1e995)
    b ^= b >>> 13
  }
  out[0] = mix(a ^ (end - start))
  out[1] = mix(b) | 1
}

function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** Collects keys, then makes the filter's bytes. */
export class FilterBuilder {
  private hashes = new Uint32Array(1024)
  private length = 0
  private readonly pair = new Uint32Array(2)

  add(database: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.length + 2 > this.hashes.length) {
      const grown = new Uint32Array(this.hashes.length * 2)
      grown.set(this.hashes)
      this.hashes = grown
    }
    filterHash(database, bytes, start, end, this.pair)
    this.hashes[this.length++] = this.pair[0] as number
    this.hashes[this.length++] = this.pair[1] as number
  }

  build(): Uint8Array {
    const keys = this.length / 2
    const bytes = new Uint8Array(Math.ceil((keys * BITS_PER_KEY) / 8))
    for (let i = 0; i < this.length; i += 2) {
      setBits(bytes, this.hashes[i] as number, this.hashes[i + 1] as number, PROBES)
    }
    return bytes
  }
}

/** False: certainly not added. An empty filter denies everything. */
export function filterHas(filter: Uint8Array, pair: Uint32Array): boolean {
  return hasBits(filter, pair[0] as number, pair[1] as number, PROBES)
}

function setBits(filter: Uint8Array, hash: number, step: number, probes: number): void {
  const bits = filter.length * 8
  let h = hash
  for (let probe = 0; probe < probes; probe++) {
    const bit = h % bits
    filter[bit >>> 3] = (filter[bit >>> 3] as number) | (1 << (bit & 7))
    h = (h + step) >>> 0
  }
}

function hasBits(filter: Uint8Array, hash: number, step: number, probes: number): boolean {
  const bits = filter.length * 8
  if (bits === 0) return false
  let h = hash
  for (let probe = 0; probe < probes; probe++) {
    const bit = h % bits
    if (((filter[bit >>> 3] as number) & (1 << (bit & 7))) === 0) return false
    h = (h + step) >>> 0
  }
  return true
}

const SHARP_BITS_PER_KEY = 20
const SHARP_PROBES = 14

/**
 * The same in memory, for as long as a merge runs: 20 bits a key, 14 probes, one false "perhaps" in 15,000 keys. And with a seed: a tombstone that
 * stays for nothing in one merge goes in the next.
 */
export class SharpFilter {
  private readonly bytes: Uint8Array
  private readonly seed: number

  constructor(keys: number, seed: number) {
    this.bytes = new Uint8Array(Math.ceil((keys * SHARP_BITS_PER_KEY) / 8) + 1)
    this.seed = seed
  }

  /** `pair`: of filterHash. */
  add(pair: Uint32Array): void {
    setBits(this.bytes, this.hash(pair), this.step(pair), SHARP_PROBES)
  }

  /** False: certainly not added. */
  has(pair: Uint32Array): boolean {
    return hasBits(this.bytes, this.hash(pair), this.step(pair), SHARP_PROBES)
  }

  private hash(pair: Uint32Array): number {
    return mix((pair[0] as number) ^ this.seed) >>> 0
  }

  private step(pair: Uint32Array): number {
    return mix((pair[1] as number) + this.seed) | 1
  }
}
