// The request decoder: bytes of one connection in, one command at a time out.
//
// A request is an array of bulk strings, or a line of words (inline.ts):
//
//   *3 CRLF $3 CRLF SET CRLF $1 CRLF k CRLF $5 CRLF hello CRLF
//
// What is refused, where the limits lie and what the error says is Redis 7.0.15's, byte by byte. Redis looks for the CR
// of a header and skips the byte behind it unseen, and skips the two bytes behind a bulk unseen: so do we. Three stated
// differences: an array has at most 1,048,576 elements (7.0 takes two billion), a header or line over 64 KiB is refused
// however the bytes were cut into packets (in Redis that depends), and control characters in error texts become spaces.
//
// Nothing is copied as long as a command lies whole in the chunk that was fed: arguments are slices of it. The chunk is
// the socket's receive buffer and will be overwritten, so `keep` takes what is left of it into a buffer of our own. When
// the next chunk comes, only as much of it is copied behind that as the half command needs; then the rest is read from
// the chunk again, and what had been copied too much is simply given back. So all arguments of one command always lie in
// one buffer, and a full pipeline costs one small copy a chunk.
//
//   own    |....from=====pos~~~~end|        from: the command under way; pos: where parsing goes on; end: of what is known
//   chunk  |..........chunkPos~~~~~chunkEnd|
//
// No byte is parsed twice: elements still to come, the length of the bulk under way and how far a line end has been
// searched survive from packet to packet. And no length is believed before its bytes have come: memory grows with what was
// received, at most 1 MiB ahead of it or to its double.

import { assert } from '../base/assert.ts'
import type { Spans } from '../base/spans.ts'
import { Args } from './args.ts'
import { splitInline } from './inline.ts'
import { peekKeys } from './peek.ts'

/** Nothing complete: feed more. */
export const MORE = 0
/** `args` holds a command. */
export const READY = 1
/** The client broke the protocol: answer `error` (nothing when `overflow`) and close. Stays so. */
export const INVALID = 2

export interface DecoderLimits {
  /** proto-max-bulk-len */
  maxBulkBytes: number
  /** client-query-buffer-limit */
  maxQueryBytes: number
}

/** Elements of one request. Redis before 7.0; MSET of half a million pairs. */
export const MAX_ARGUMENTS = 1024 * 1024
/** A header or an inline command without its line end. */
export const MAX_LINE_BYTES = 64 * 1024
/** Who has not given the password has no use for more. */
export const MAX_UNAUTHENTICATED_ARGUMENTS = 10
export const MAX_UNAUTHENTICATED_BULK_BYTES = 16 * 1024

/** How far memory may run ahead of the bytes that came, when a header promises more. */
const MAX_AHEAD_BYTES = 1024 * 1024
/** Our own buffer is given back when it is empty and larger than this: ten thousand idle clients should cost little. */
const KEPT_BYTES = 16 * 1024
/** Taken from the chunk at once when nobody knows how much a half command needs. */
const PULL_BYTES = 1024

// What readNumber says instead of a position.
const PARTIAL = -1
const NOT_A_NUMBER = -2
const TOO_LONG = -3

const MAX_INT64 = '9223372036854775807'
const MIN_INT64 = '9223372036854775808'

const LF = 10
const CR = 13
const DOLLAR = 36
const STAR = 42
const MINUS = 45
const ZERO = 48

const NOTHING = Buffer.alloc(0)

export class RequestDecoder {
  /** False: at most 10 arguments of 16 KiB. */
  authenticated: boolean
  /** The command when next() returned READY, valid until the next call of next, feed or keep. */
  readonly args: Args
  /** When INVALID: the error's text, with its `ERR` and without '-' and CRLF. Empty when `overflow`. */
  error: string
  /** client-query-buffer-limit was exceeded: Redis closes without a word. */
  overflow: boolean

  private readonly limits: DecoderLimits
  private failed: boolean
  private bytes: Buffer // own or chunk
  private from: number
  private pos: number
  private end: number
  private remaining: number // elements of the array still to come; 0 between commands
  private bulkLength: number // of the bulk under way, -1 before its header
  private scanned: number // bytes from pos on known to hold no line end
  private number: number // readNumber's second result
  private own: Buffer
  private inOwn: boolean
  private chunk: Buffer
  private chunkPos: number
  private chunkEnd: number
  private pulled: number // bytes of the present chunk that were copied into own

  /** The limits are shared and may change at run time. */
  constructor(limits: DecoderLimits, authenticated = true) {
    this.authenticated = authenticated
    this.args = new Args()
    this.error = ''
    this.overflow = false
    this.limits = limits
    this.failed = false
    this.bytes = NOTHING
    this.from = 0
    this.pos = 0
    this.end = 0
    this.remaining = 0
    this.bulkLength = -1
    this.scanned = 0
    this.number = 0
    this.own = NOTHING
    this.inOwn = false
    this.chunk = NOTHING
    this.chunkPos = 0
    this.chunkEnd = 0
    this.pulled = 0
  }

  /** Lends bytes[start..end) until `keep`. Before the next chunk, `keep` or take every command until MORE and then `keep`. */
  feed(bytes: Buffer, start: number, end: number): void {
    if (this.failed) return
    if (this.inOwn) {
      assert(this.chunkPos === this.chunkEnd, 'fed while an earlier chunk is still lent')
      this.chunk = bytes
      this.chunkPos = start
      this.chunkEnd = end
      this.pulled = 0
    } else {
      const held = this.remaining > 0 ? this.from : this.pos
      assert(held === this.end, 'fed while an earlier chunk is still lent')
      this.bytes = bytes
      this.from = start
      this.pos = start
      this.end = end
    }
  }

  /** The next command: MORE, READY or INVALID. Empty lines and arrays of no elements are passed over. */
  next(): number {
    if (this.failed) return INVALID
    for (;;) {
      if (this.inOwn && this.remaining === 0 && this.end - this.pos <= this.pulled) this.returnToChunk()
      const state = this.parse()
      if (state !== MORE) return state
      if (!this.inOwn) return MORE
      if (!this.pull()) return this.failed ? INVALID : MORE
    }
  }

  /** The keys of the commands that follow in the buffer: see peek.ts. Consumes nothing. */
  peekKeys(into: Spans): void {
    into.bytes = this.bytes
    into.count = 0
    if (this.remaining === 0) peekKeys(this.bytes, this.pos, this.end, into)
  }

  /** The chunk will be overwritten: copies what is left of it, and lets go of it. */
  keep(): void {
    if (this.failed) return
    if (this.inOwn) {
      const rest = this.chunkEnd - this.chunkPos
      if (rest > 0) this.take(rest)
      this.chunk = NOTHING
      this.chunkPos = 0
      this.chunkEnd = 0
      this.pulled = 0
      return
    }
    const half = this.remaining > 0
    const from = half ? this.from : this.pos
    const live = this.end - from
    if (live === 0) {
      this.bytes = NOTHING
      this.from = 0
      this.pos = 0
      this.end = 0
      this.args.forget()
      return
    }
    if (!half) this.args.clear()
    const chunk = this.bytes
    this.inOwn = true
    this.from = 0
    this.pos -= from
    this.end = live
    if (this.own.length < live) this.own = Buffer.allocUnsafeSlow(this.capacityFor(live, live))
    chunk.copy(this.own, 0, from, from + live)
    this.bytes = this.own
    this.args.move(this.own, -from)
  }

  /** Of what has been received, bytes that are no whole command yet. */
  get waitingBytes(): number {
    return this.inOwn ? this.end - (this.remaining > 0 ? this.from : this.pos) : 0
  }

  /** Memory held for a half-received command and for input not consumed yet, in bytes. */
  get heldBytes(): number {
    return this.own.length + this.args.heldBytes
  }

  /** Parses bytes[pos..end): one command, or as far as it goes. */
  private parse(): number {
    const bytes = this.bytes
    const end = this.end
    const args = this.args
    let pos = this.pos
    let remaining = this.remaining
    if (remaining === 0) {
      args.clear()
      while (remaining === 0) {
        if (pos >= end) {
          this.pos = pos
          return MORE
        }
        if (bytes[pos] !== STAR) {
          this.pos = pos
          const state = this.parseLine()
          if (state !== READY || args.count > 0) return state
          pos = this.pos
          continue
        }
        if (pos + 4 <= end && bytes[pos + 2] === CR && bytes[pos + 1]! > ZERO && bytes[pos + 1]! <= ZERO + 9) {
          remaining = bytes[pos + 1]! - ZERO
          pos += 4
          this.scanned = 0
          break
        }
        const next = this.readNumber(pos)
        if (next < 0) {
          this.pos = pos
          if (next === PARTIAL) return MORE
          return this.fail(next === TOO_LONG ? 'too big mbulk count string' : 'invalid multibulk length')
        }
        const count = this.number
        if (count > MAX_ARGUMENTS) return this.fail('invalid multibulk length')
        if (count > MAX_UNAUTHENTICATED_ARGUMENTS && !this.authenticated)
          return this.fail('unauthenticated multibulk length')
        pos = next
        if (count > 0) remaining = count
      }
      this.from = pos
    }
    const maxBulkBytes = this.limits.maxBulkBytes
    let length = this.bulkLength
    do {
      // Nearly every header is `$` and one or two digits: read here, a SET takes half the time (measured).
      if (length < 0 && pos + 5 <= end && bytes[pos] === DOLLAR) {
        const first = bytes[pos + 1]! - ZERO
        const second = bytes[pos + 2]! - ZERO
        if (second === CR - ZERO) {
          if (first >= 0 && first <= 9) {
            length = first
            pos += 4
            this.scanned = 0
          }
        } else if (first >= 1 && first <= 9 && second >= 0 && second <= 9 && bytes[pos + 3] === CR) {
          length = first * 10 + second
          pos += 5
          this.scanned = 0
        }
      }
      if (length < 0) {
        const next = pos < end ? this.readNumber(pos) : PARTIAL
        if (next < 0 || bytes[pos] !== DOLLAR) {
          this.pos = pos
          this.remaining = remaining
          this.bulkLength = -1
          if (next === PARTIAL) return MORE
          if (next === TOO_LONG) return this.fail('too big bulk count string')
          if (bytes[pos] !== DOLLAR) return this.fail(`expected '$', got '${printable(bytes[pos]!)}'`)
          return this.fail('invalid bulk length')
        }
        length = this.number
        if (length < 0 || length > maxBulkBytes) return this.fail('invalid bulk length')
        if (length > MAX_UNAUTHENTICATED_BULK_BYTES && !this.authenticated)
          return this.fail('unauthenticated bulk length')
        pos = next
      }
      const stop = pos + length
      if (stop + 2 > end) {
        this.pos = pos
        this.remaining = remaining
        this.bulkLength = length
        return MORE
      }
      args.push(bytes, pos, stop)
      pos = stop + 2
      length = -1
    } while (--remaining > 0)
    this.pos = pos
    this.remaining = 0
    this.bulkLength = -1
    return READY
  }

  /**
   * The header at pos, a type byte and a number: returns the position behind it, the number in `this.number`; or PARTIAL,
   * NOT_A_NUMBER, TOO_LONG. This is the usual case, up to ten digits.
   */
  private readNumber(pos: number): number {
    const bytes = this.bytes
    const last = this.end - 1
    const first = pos + 1
    const stop = first + 10 < last ? first + 10 : last
    let at = first
    let value = 0
    while (at < stop) {
      const digit = bytes[at]! - ZERO
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
      at++
    }
    // `at < last`: the byte behind the CR, whatever it is, must be there too.
    if (at > first && at < last && bytes[at] === CR && (bytes[first] !== ZERO || at === first + 1)) {
      this.number = value
      this.scanned = 0
      return at + 2
    }
    return this.readOddNumber(pos)
  }

  /** The same for everything else: half a header, a sign, nonsense. */
  private readOddNumber(pos: number): number {
    const bytes = this.bytes
    const limit = Math.min(this.end, pos + MAX_LINE_BYTES + 1)
    let stop = pos + this.scanned
    while (stop < limit && bytes[stop] !== CR) stop++
    if (stop === limit && limit - pos > MAX_LINE_BYTES) return TOO_LONG
    if (stop + 1 >= this.end) {
      this.scanned = stop - pos
      return PARTIAL
    }
    this.scanned = 0
    const negative = bytes[pos + 1] === MINUS
    const first = negative ? pos + 2 : pos + 1
    const digits = stop - first
    if (digits < 1 || digits > 19 || (bytes[first] === ZERO && (digits > 1 || negative))) return NOT_A_NUMBER
    let value = 0
    for (let at = first; at < stop; at++) {
      const digit = bytes[at]! - ZERO
      if (digit < 0 || digit > 9) return NOT_A_NUMBER
      value = value * 10 + digit
    }
    if (digits === 19 && bytes.toString('latin1', first, stop) > (negative ? MIN_INT64 : MAX_INT64)) return NOT_A_NUMBER
    this.number = negative ? -value : value
    return stop + 2
  }

  /** An inline command at pos. READY without arguments: an empty line, passed over. */
  private parseLine(): number {
    const bytes = this.bytes
    const pos = this.pos
    const limit = Math.min(this.end, pos + MAX_LINE_BYTES + 1)
    let at = pos + this.scanned
    while (at < limit && bytes[at] !== LF) at++
    if (at === limit) {
      if (limit - pos > MAX_LINE_BYTES) return this.fail('too big inline request')
      this.scanned = at - pos
      return MORE
    }
    this.scanned = 0
    const stop = at > pos && bytes[at - 1] === CR ? at - 1 : at
    if (!splitInline(bytes, pos, stop, this.args)) return this.fail('unbalanced quotes in request')
    this.pos = at + 1
    return READY
  }

  /** Copies from the chunk what the half command in our own buffer needs. False: nothing left, or over the limit. */
  private pull(): boolean {
    const from = this.remaining > 0 ? this.from : this.pos
    if (this.end - from + this.args.listBytes > this.limits.maxQueryBytes) {
      this.overflow = true
      this.fail('')
      return false
    }
    const rest = this.chunkEnd - this.chunkPos
    if (rest === 0) return false
    const missing = this.bulkLength < 0 ? 0 : this.bulkLength + 2 - (this.end - this.pos)
    this.take(Math.min(rest, Math.max(missing, PULL_BYTES)))
    return true
  }

  /** Copies the next n bytes of the chunk behind what we hold. */
  private take(n: number): void {
    if (this.end + n > this.own.length) this.makeRoom(n)
    this.chunk.copy(this.own, this.end, this.chunkPos, this.chunkPos + n)
    this.chunkPos += n
    this.end += n
    this.pulled += n
  }

  private makeRoom(n: number): void {
    const from = this.remaining > 0 ? this.from : this.pos
    if (this.remaining === 0) this.args.clear()
    const live = this.end - from
    const old = this.own
    // Moving down is paid for by the bytes consumed before; else the new buffer is at least twice what is held.
    if (from < live || live + n > old.length) this.own = Buffer.allocUnsafeSlow(this.capacityFor(live + n, 2 * live))
    old.copy(this.own, 0, from, this.end)
    this.bytes = this.own
    this.args.move(this.own, -from)
    this.pos -= from
    this.end -= from
    this.from = 0
  }

  /**
   * How large our buffer becomes: holds `needed` and, as far as MAX_AHEAD_BYTES allows, all of the bulk under way. When that
   * is the command's last we know the whole size; else at least `wanted`, so that growing costs one copy a byte on average.
   */
  private capacityFor(needed: number, wanted: number): number {
    const announced = this.bulkLength < 0 ? 0 : this.pos - this.from + this.bulkLength + 2
    const ahead = Math.min(announced, Math.max(2 * needed, MAX_AHEAD_BYTES))
    if (this.remaining === 1 && announced > needed) return Math.max(needed, ahead)
    return Math.max(needed, wanted, ahead, PULL_BYTES)
  }

  /** What our own buffer still holds was copied from the chunk: read it there, and be rid of ours. */
  private returnToChunk(): void {
    this.bytes = this.chunk
    this.pos = this.chunkPos - (this.end - this.pos)
    this.end = this.chunkEnd
    this.chunk = NOTHING
    this.chunkPos = 0
    this.chunkEnd = 0
    this.pulled = 0
    this.inOwn = false
    if (this.own.length > KEPT_BYTES) {
      this.own = NOTHING
      this.args.forget()
    }
  }

  private fail(text: string): number {
    this.failed = true
    this.error = text === '' ? '' : `ERR Protocol error: ${text}`
    this.bytes = NOTHING
    this.own = NOTHING
    this.chunk = NOTHING
    this.args.forget()
    return INVALID
  }
}

/** One byte for an error text. */
function printable(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ' '
}
