// LZF, the compression inside payloads of DUMP: bytes said before are said again by where they stood.
//
//   000LLLLL                        L+1 bytes follow as they are (1..32)
//   LLLooooo oooooooo               L+2 bytes (3..8) stood o+1 bytes before this place; o has 13 bits, its high ones first
//   111ooooo LLLLLLLL oooooooo      the same for L+9 bytes (9..264)
//
// What is said again may overlap the place itself: distance 1, length 100 is a byte a hundred times.
//
// Both ways work in portions, so that megabytes do not hold up everybody else: `run` takes up to so many bytes of its input and
// says whether it has come to the end.
//
// The compressor remembers for each hash of three bytes where they were last seen, and takes the first place that fits: it shall be
// quick. Any compressor's output is as good as any other's; how long it is nobody relies on.

const MAX_LITERALS = 32
const MIN_MATCH = 3
const MAX_MATCH = 264
const MAX_DISTANCE = 8192
const SHORT_MATCH = 8
const HASH_BITS = 16
/** Multiplicative hashing (Knuth): the high bits of the product depend on all three bytes. */
const HASH_FACTOR = 0x9e3779b1
/** Inside a match every this many places is remembered: all of them would cost more than they find. */
const REMEMBER_EVERY = 4

export class LzfCompressor {
  readonly output: Buffer
  /** Bytes of `output` that count. */
  length = 0
  /** The output has no room for it: the input does not compress. */
  hasFailed = false
  private readonly input: Uint8Array
  private readonly end: number
  private readonly shift: number
  /** By hash: the place + 1; 0 none. */
  private readonly seen: Int32Array
  private at: number
  private literalsFrom: number

  /** Compresses input[start..end) into at most `limit` bytes. */
  constructor(input: Uint8Array, start: number, end: number, limit: number) {
    this.input = input
    this.end = end
    this.at = start
    this.literalsFrom = start
    this.output = Buffer.allocUnsafe(limit)
    const bits = Math.min(HASH_BITS, Math.max(4, 32 - Math.clz32(end - start)))
    this.shift = 32 - bits
    this.seen = new Int32Array(1 << bits)
  }

  /** Takes up to `budget` bytes. True: it has come to the end, or has failed. */
  run(budget: number): boolean {
    const { input, seen, shift } = this
    const stop = Math.min(this.at + budget, this.end - MIN_MATCH + 1)
    let { at } = this
    while (at < stop && !this.hasFailed) {
      const hash = hashAt(input, at) >>> shift
      const place = seen[hash]! - 1
      seen[hash] = at + 1
      const isMatch =
        place >= 0 &&
        at - place <= MAX_DISTANCE &&
        input[place] === input[at] &&
        input[place + 1] === input[at + 1] &&
        input[place + 2] === input[at + 2]
      if (isMatch) at = this.match(at, place)
      else at++
    }
    this.at = at
    if (!this.hasFailed && at < this.end - MIN_MATCH + 1) return false
    if (!this.hasFailed) this.literals(this.end)
    return true
  }

  /** Says again what stood at `place`; returns where to go on. */
  private match(at: number, place: number): number {
    const { input, output, seen, shift } = this
    const longest = Math.min(MAX_MATCH, this.end - at)
    let length = MIN_MATCH
    while (length < longest && input[place + length] === input[at + length]) length++
    this.literals(at)
    if (this.hasFailed || this.length + 3 > output.length) {
      this.hasFailed = true
      return at
    }
    const offset = at - place - 1
    if (length <= SHORT_MATCH) {
      output[this.length++] = ((length - 2) << 5) | (offset >> 8)
    } else {
      output[this.length++] = 0xe0 | (offset >> 8)
      output[this.length++] = length - 9
    }
    output[this.length++] = offset & 0xff
    const next = at + length
    const last = Math.min(next, this.end - MIN_MATCH + 1)
    for (let i = at + 1; i < last; i += REMEMBER_EVERY) seen[hashAt(input, i) >>> shift] = i + 1
    this.literalsFrom = next
    return next
  }

  /** Says the bytes from the last match to `to` as they are. */
  private literals(to: number): void {
    const { input, output } = this
    let from = this.literalsFrom
    while (from < to) {
      const count = Math.min(MAX_LITERALS, to - from)
      if (this.length + 1 + count > output.length) {
        this.hasFailed = true
        return
      }
      output[this.length++] = count - 1
      for (let i = 0; i < count; i++) output[this.length++] = input[from++]!
    }
    this.literalsFrom = to
  }
}

function hashAt(bytes: Uint8Array, at: number): number {
  return Math.imul((bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!, HASH_FACTOR)
}

/** The longest output that so many bytes of LZF can have: three bytes say 264. */
export function mostDecompressed(bytes: number): number {
  return bytes * (MAX_MATCH / 3)
}

export class LzfDecompressor {
  readonly output: Buffer
  /** The input is no LZF, or not of that length. */
  hasFailed = false
  private readonly input: Uint8Array
  private readonly end: number
  private at: number
  private length = 0

  /** Decompresses input[start..end), which must give exactly `length` bytes. */
  constructor(input: Uint8Array, start: number, end: number, length: number) {
    this.input = input
    this.at = start
    this.end = end
    this.output = Buffer.allocUnsafe(length)
  }

  /** Makes about `budget` bytes. True: it has come to the end, or has failed. */
  run(budget: number): boolean {
    const stop = this.length + budget
    while (this.at < this.end && this.length < stop) {
      if (this.one()) continue
      this.hasFailed = true
      return true
    }
    if (this.at < this.end) return false
    this.hasFailed = this.length !== this.output.length
    return true
  }

  /** One instruction. False: it makes no sense. */
  private one(): boolean {
    const { input, output, end } = this
    let { at, length } = this
    const control = input[at++]!
    if (control < MAX_LITERALS) {
      const count = control + 1
      if (at + count > end || length + count > output.length) return false
      for (let i = 0; i < count; i++) output[length++] = input[at++]!
    } else {
      let count = (control >> 5) + 2
      if (at + (count === 9 ? 2 : 1) > end) return false
      if (count === 9) count += input[at++]!
      let from = length - ((control & 31) << 8) - input[at++]! - 1
      if (from < 0 || length + count > output.length) return false
      for (let i = 0; i < count; i++) output[length++] = output[from++]!
    }
    this.at = at
    this.length = length
    return true
  }
}
