// The reply writer: appends RESP2 or RESP3 to one growing buffer.
//
//   what          RESP2                RESP3
//   null          $-1 (array: *-1)     _
//   map of n      *2n                  %n
//   set, push     *n                   ~n, >n
//   double        bulk string          ,1.5   ,inf ,-inf ,nan
//   boolean       :1 :0                #t #f
//   big number    bulk string          (123
//   verbatim      bulk string          =7 CRLF txt:abc
//
// A handler says what it means and the protocol decides how it looks. Only growth allocates: the buffer doubles. When to
// send it, to swap it for another and to shrink it is the owner's decision, by `bytes` and `length`. So is how much may be said at all:
// it is asked before each growth, and takes bulk strings that would only make the buffer large.
//
// Texts of errors and simple strings are one line by definition, and they may quote what a client sent. So they are taken
// as one byte a character (latin1), CR, LF and other control characters become spaces, and what is no byte a '?'.

import { assert } from '../base/assert.ts'
import { formatDouble } from './double.ts'

const CR = 13
const LF = 10
const SPACE = 32
const HASH = 35
const DOLLAR = 36
const PERCENT = 37
const STAR = 42
const PLUS = 43
const COMMA = 44
const MINUS = 45
const ZERO = 48
const COLON = 58
const GREATER = 62
const QUESTION = 63
const TILDE = 126

/** A header: type byte, up to 20 digits with sign, CRLF. */
const MAX_HEADER_BYTES = 24
const MIN_CAPACITY = 256
/** Below this a loop is faster than Buffer.copy's call into C++ (measured: the two meet near 40 bytes). */
const LOOP_BYTES = 40
/** Below this the same for a text of ASCII. */
const LOOP_CHARACTERS = 16

/** A bulk string from this size on goes to the owner: beside it, the copy that growing makes of everything else costs more. */
export const LARGE_BYTES = 256 * 1024

export interface ReplyOwner {
  /** May the buffer grow? False: the reply is for nobody any more. */
  mayGrow(): boolean
  /** A buffer of at least so many bytes. */
  takeBuffer(bytes: number): Buffer
  /** Takes back what it was instead of. */
  giveBuffer(buffer: Buffer): void
  /** Takes the bytes [start..end), a bulk string, which follows what has been written until now. They are copied. */
  takeLarge(bytes: Buffer, start: number, end: number): void
}

const OK = Buffer.from('+OK\r\n', 'latin1')
const NULL_BULK = Buffer.from('$-1\r\n', 'latin1')
const NULL_ARRAY = Buffer.from('*-1\r\n', 'latin1')
const NULL = Buffer.from('_\r\n', 'latin1')

export class ReplyWriter {
  protocol: 2 | 3
  /** bytes[0..length) is what has been written. */
  bytes: Buffer
  length: number
  private readonly owner: ReplyOwner | null

  constructor(protocol: 2 | 3 = 2, bytes: Buffer = Buffer.alloc(0), owner: ReplyOwner | null = null) {
    this.protocol = protocol
    this.bytes = bytes
    this.length = 0
    this.owner = owner
  }

  /** Makes room for n bytes more. */
  reserve(n: number): void {
    if (this.length + n > this.bytes.length) this.grow(n)
  }

  ok(): void {
    this.reserve(5)
    this.short(OK)
  }

  /** One line: `PONG`. */
  simple(text: string): void {
    this.line(PLUS, text)
  }

  /** An error with its code and without '-': `ERR syntax error`. */
  error(text: string): void {
    this.line(MINUS, text)
  }

  /** A whole number up to 2^53; larger ones are bigInteger's. */
  integer(n: number): void {
    this.header(COLON, n)
  }

  bigInteger(n: bigint): void {
    this.line(COLON, n.toString())
  }

  /** The bytes [start..end) as a bulk string. */
  bulk(bytes: Buffer, start: number, end: number): void {
    const length = end - start
    if (length >= LARGE_BYTES && this.owner !== null) {
      this.owner.takeLarge(bytes, start, end)
      return
    }
    this.reserve(length + MAX_HEADER_BYTES + 2)
    this.header(DOLLAR, length)
    this.copy(bytes, start, end)
    this.lineEnd()
  }

  /** A text as a bulk string, in UTF-8. */
  bulkText(text: string): void {
    const length = utf8Length(text)
    this.reserve(length + MAX_HEADER_BYTES + 2)
    this.header(DOLLAR, length)
    this.text(text, length)
    this.lineEnd()
  }

  /** `$length CRLF`: the caller appends the bytes, and CRLF, with `raw`. */
  bulkHeader(length: number): void {
    this.header(DOLLAR, length)
  }

  null(): void {
    this.reserve(5)
    this.short(this.protocol === 2 ? NULL_BULK : NULL)
  }

  nullArray(): void {
    this.reserve(5)
    this.short(this.protocol === 2 ? NULL_ARRAY : NULL)
  }

  /** The header of an array; its n elements follow. */
  array(n: number): void {
    this.header(STAR, n)
  }

  /** The header of a map; n keys, each with its value, follow. */
  map(n: number): void {
    if (this.protocol === 2) this.header(STAR, 2 * n)
    else this.header(PERCENT, n)
  }

  set(n: number): void {
    this.header(this.protocol === 2 ? STAR : TILDE, n)
  }

  push(n: number): void {
    this.header(this.protocol === 2 ? STAR : GREATER, n)
  }

  double(x: number): void {
    const text = formatDouble(x)
    if (this.protocol === 2) this.bulkText(text)
    else this.line(COMMA, text)
  }

  boolean(b: boolean): void {
    if (this.protocol === 2) this.header(COLON, b ? 1 : 0)
    else this.line(HASH, b ? 't' : 'f')
  }

  bigNumber(n: bigint): void {
    if (this.protocol === 2) this.bulkText(n.toString())
    else this.line(0x28, n.toString())
  }

  /** A text for human eyes, in UTF-8; the format has three letters: txt, mkd. */
  verbatim(format: string, text: string): void {
    assert(format.length === 3, 'the format of a verbatim string has three letters')
    if (this.protocol === 2) {
      this.bulkText(text)
      return
    }
    const length = utf8Length(text)
    this.reserve(length + MAX_HEADER_BYTES + 6)
    this.header(0x3d, length + 4)
    this.text(format, 3)
    this.bytes[this.length++] = COLON
    this.text(text, length)
    this.lineEnd()
  }

  /** Bytes that are a reply, or a part of one, already. */
  raw(bytes: Buffer, start: number, end: number): void {
    this.reserve(end - start)
    this.copy(bytes, start, end)
  }

  private grow(n: number): void {
    // Written all the same, but over what this reply has said: the caller need not know, and memory does not grow.
    if (this.owner !== null && !this.owner.mayGrow() && this.length + n <= this.bytes.length) return
    const { bytes, owner } = this
    const least = Math.max(MIN_CAPACITY, this.length + n, 2 * bytes.length)
    this.bytes = owner === null ? Buffer.allocUnsafeSlow(least) : owner.takeBuffer(least)
    bytes.copy(this.bytes, 0, 0, this.length)
    owner?.giveBuffer(bytes)
  }

  /** Type byte, number, CRLF. */
  private header(type: number, n: number): void {
    this.reserve(MAX_HEADER_BYTES)
    const bytes = this.bytes
    let at = this.length
    bytes[at++] = type
    if ((n | 0) !== n) {
      assert(Number.isSafeInteger(n), 'a reply integer beyond 2^53')
      at += bytes.write(String(n), at, 'latin1')
    } else if (n >= 0 && n < 10) {
      bytes[at++] = ZERO + n
    } else if (n >= 10 && n < 100) {
      const tens = (n / 10) | 0
      bytes[at++] = ZERO + tens
      bytes[at++] = ZERO + n - tens * 10
    } else {
      at = writeInt32(bytes, at, n)
    }
    bytes[at++] = CR
    bytes[at++] = LF
    this.length = at
  }

  private line(type: number, text: string): void {
    this.reserve(text.length + 3)
    const bytes = this.bytes
    let at = this.length
    bytes[at++] = type
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      bytes[at++] = code < SPACE || code === 127 ? SPACE : code > 255 ? QUESTION : code
    }
    bytes[at++] = CR
    bytes[at++] = LF
    this.length = at
  }

  private lineEnd(): void {
    this.bytes[this.length++] = CR
    this.bytes[this.length++] = LF
  }

  private short(from: Buffer): void {
    const bytes = this.bytes
    let at = this.length
    for (let i = 0; i < from.length; i++) bytes[at++] = from[i]!
    this.length = at
  }

  private copy(from: Buffer, start: number, end: number): void {
    const bytes = this.bytes
    let at = this.length
    if (end - start < LOOP_BYTES) {
      for (let i = start; i < end; i++) bytes[at++] = from[i]!
      this.length = at
    } else {
      this.length = at + from.copy(bytes, at, start, end)
    }
  }

  private text(text: string, length: number): void {
    if (length === text.length && length < LOOP_CHARACTERS) {
      const bytes = this.bytes
      let at = this.length
      for (let i = 0; i < length; i++) bytes[at++] = text.charCodeAt(i)
      this.length = at
    } else {
      // As many bytes as characters: ASCII, for which latin1 is the faster writer.
      this.length += this.bytes.write(text, this.length, length === text.length ? 'latin1' : 'utf8')
    }
  }
}

function writeInt32(bytes: Buffer, at: number, n: number): number {
  let rest = n
  if (rest < 0) {
    bytes[at++] = MINUS
    rest = -rest
  }
  let end = at + 1
  for (let power = 10; power <= rest; power *= 10) end++
  let i = end
  do {
    const tenth = (rest / 10) | 0
    bytes[--i] = ZERO + rest - tenth * 10
    rest = tenth
  } while (rest > 0)
  return end
}

function utf8Length(text: string): number {
  if (text.length >= LOOP_CHARACTERS) return Buffer.byteLength(text, 'utf8')
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return Buffer.byteLength(text, 'utf8')
  return text.length
}
