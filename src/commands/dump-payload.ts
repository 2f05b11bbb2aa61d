// What DUMP gives and RESTORE takes: one value as it would stand in Redis's RDB file, with a footer. Redis takes ours and we take its.
//
//   size  field
//      1  type of the value: 0, a string
//         the string, see below
//      2  RDB version, little-endian: 10 (Redis 7.0)
//      8  CRC-64 (base/crc64.ts) of everything before, little-endian
//
// A string is a length and that many bytes, or a number, or LZF:
//
//   00LLLLLL                  6 bits of length            11000000 i8        an integer, as it is written in decimal
//   01LLLLLL LLLLLLLL         14 bits                     11000001 i16       the same, little-endian
//   10000000 u32              32 bits, big-endian         11000010 i32       the same, little-endian
//   10000001 u64              64 bits, big-endian         11000011 N M ...   N bytes of LZF (base/lzf.ts) that give M bytes;
//                                                                            N and M are lengths as on the left
//
// Integers are written as such, longer strings as LZF when that saves at least four bytes, as Redis does it. Reading believes nothing:
// no length beyond the payload, no room for more bytes than so much LZF can give.
//
// Both ways work in steps of bounded time, and between them others are served (dump.ts).

import { Crc64 } from '../base/crc64.ts'
import { MAX_VALUE_BYTES } from '../base/limits.ts'
import { LzfCompressor, LzfDecompressor, mostDecompressed } from '../base/lzf.ts'
import { Slice } from '../base/slice.ts'
import { STRING_TOO_LONG } from './errors.ts'
import { formatInteger, MAX_INTEGER_LENGTH, parseInteger } from './numbers.ts'

/** Written: what Redis 7.0 writes. */
const VERSION = 10
/** Read: Redis 7.2's too. Nothing has changed for strings since version 1. */
const NEWEST_VERSION = 11
const FOOTER_BYTES = 10

const TYPE_STRING = 0
const ENCODED = 0xc0
const ENCODED_INT8 = 0xc0
const ENCODED_INT16 = 0xc1
const ENCODED_INT32 = 0xc2
const ENCODED_LZF = 0xc3
const LENGTH_32 = 0x80
const LENGTH_64 = 0x81

/** Longer than any 32-bit integer is written. */
const LONGEST_INTEGER = 11
/** Strings up to here are not compressed. */
const UNCOMPRESSED_BYTES = 20
const MIN_SAVED_BYTES = 4
const HEAD_BYTES = 32

/** One or two milliseconds of work. */
const STEP_BYTES = 256 * 1024

const WRONG_FOOTER = 'ERR DUMP payload version or checksum are wrong'
const BAD_DATA = 'ERR Bad data format'

/** Other types of Redis 7, by their number in a payload; several numbers are one type, encoded differently. */
const FOREIGN_TYPES: Readonly<Record<number, string>> = {
  1: 'list',
  2: 'set',
  3: 'sorted set',
  4: 'hash',
  5: 'sorted set',
  6: 'module value',
  7: 'module value',
  9: 'hash',
  10: 'list',
  11: 'set',
  12: 'sorted set',
  13: 'hash',
  14: 'list',
  15: 'stream',
  16: 'hash',
  17: 'sorted set',
  18: 'list',
  19: 'stream',
  20: 'set',
  21: 'stream',
}

/** Makes a payload of a string. The value must not change until it is done. `compresses` is rdbcompression. */
export class Serialization {
  private readonly value: Slice
  private readonly crc = new Crc64()
  private compressor: LzfCompressor | null
  private payload: Buffer | null = null
  private summed = 0

  constructor(value: Slice, compresses: boolean) {
    this.value = value
    const integer = value.length <= LONGEST_INTEGER ? integerPayload(value) : null
    this.payload = integer
    this.compressor =
      compresses && value.length > UNCOMPRESSED_BYTES
        ? new LzfCompressor(value.bytes, value.start, value.end, value.length - MIN_SAVED_BYTES)
        : null
  }

  /** Goes on for a while. True: `bytes` is the payload. */
  step(): boolean {
    if (this.compressor !== null && !this.compressor.hasFailed && !this.compressor.run(STEP_BYTES)) return false
    const payload = (this.payload ??= this.assemble())
    const end = payload.length - FOOTER_BYTES + 2
    const to = Math.min(end, this.summed + STEP_BYTES * 4)
    this.crc.add(payload, this.summed, to)
    this.summed = to
    if (to < end) return false
    this.crc.write(payload, end)
    return true
  }

  get bytes(): Buffer {
    return this.payload!
  }

  /** Bytes of the string as encoded, without type and footer. */
  get encodedLength(): number {
    return this.payload!.length - 1 - FOOTER_BYTES
  }

  private assemble(): Buffer {
    const { value, compressor } = this
    const head = Buffer.alloc(HEAD_BYTES)
    let at = head.writeUInt8(TYPE_STRING, 0)
    if (compressor !== null && !compressor.hasFailed) {
      at = head.writeUInt8(ENCODED_LZF, at)
      at = writeLength(head, at, compressor.length)
      at = writeLength(head, at, value.length)
      this.compressor = null
      return withFooter(head.subarray(0, at), compressor.output, 0, compressor.length)
    }
    this.compressor = null
    at = writeLength(head, at, value.length)
    return withFooter(head.subarray(0, at), value.bytes, value.start, value.end)
  }
}

/** The payload without its checksum when the value spells an integer of 32 bits, else null. */
function integerPayload(value: Slice): Buffer | null {
  const integer = parseInteger(value)
  if (typeof integer !== 'number' || integer < -0x8000_0000 || integer > 0x7fff_ffff) return null
  const head = Buffer.alloc(6)
  let end: number
  if (integer >= -0x80 && integer <= 0x7f) {
    head[1] = ENCODED_INT8
    end = head.writeInt8(integer, 2)
  } else if (integer >= -0x8000 && integer <= 0x7fff) {
    head[1] = ENCODED_INT16
    end = head.writeInt16LE(integer, 2)
  } else {
    head[1] = ENCODED_INT32
    end = head.writeInt32LE(integer, 2)
  }
  return withFooter(head.subarray(0, end), head, 0, 0)
}

function withFooter(head: Buffer, bytes: Buffer, start: number, end: number): Buffer {
  const payload = Buffer.allocUnsafe(head.length + end - start + FOOTER_BYTES)
  head.copy(payload)
  bytes.copy(payload, head.length, start, end)
  payload.writeUInt16LE(VERSION, payload.length - FOOTER_BYTES)
  return payload
}

function writeLength(into: Buffer, at: number, length: number): number {
  if (length < 1 << 6) return into.writeUInt8(length, at)
  if (length < 1 << 14) return into.writeUInt16BE(0x4000 | length, at)
  return into.writeUInt32BE(length, into.writeUInt8(LENGTH_32, at))
}

/** Whether reading a payload surely ends with the first step, whatever is in it. */
export function isReadAtOnce(payload: Slice): boolean {
  return mostDecompressed(payload.length) <= STEP_BYTES
}

/** Whether making a payload of so many bytes surely ends with the first step. */
export function isMadeAtOnce(valueBytes: number): boolean {
  return valueBytes <= STEP_BYTES
}

/** Reads a payload back. It must not change until it is done, nor as long as `value` is used. */
export class Deserialization {
  /** What a client is told when it is none of ours, null as long as it may be. */
  problem: string | null = null
  readonly value = new Slice()
  private readonly payload: Slice
  private readonly crc = new Crc64()
  private readonly end: number
  private summed: number
  private at = 0
  private decompressor: LzfDecompressor | null = null
  private hasRead = false

  constructor(payload: Slice) {
    this.payload = payload
    this.end = payload.end - FOOTER_BYTES
    this.summed = payload.start
    this.at = payload.start
    if (payload.length < FOOTER_BYTES || payload.bytes.readUInt16LE(this.end) > NEWEST_VERSION) {
      this.problem = WRONG_FOOTER
    }
  }

  /** Goes on for a while. True: `problem` says what is wrong, or `value` is the string. */
  step(): boolean {
    if (this.problem !== null) return true
    if (!this.hasRead) {
      const { bytes } = this.payload
      const end = this.end + 2
      const to = Math.min(end, this.summed + STEP_BYTES * 4)
      this.crc.add(bytes, this.summed, to)
      this.summed = to
      if (to < end) return false
      this.hasRead = true
      if (this.crc.equals(bytes, end)) this.read()
      else this.problem = WRONG_FOOTER
    }
    const { decompressor } = this
    if (this.problem !== null || decompressor === null) return true
    if (!decompressor.run(STEP_BYTES)) return false
    if (decompressor.hasFailed) this.problem = BAD_DATA
    else this.value.set(decompressor.output, 0, decompressor.output.length)
    return true
  }

  private read(): void {
    const { bytes } = this.payload
    const type = this.has(1) ? bytes[this.at++]! : -1
    if (type !== TYPE_STRING) {
      const name = FOREIGN_TYPES[type]
      this.problem = name === undefined ? BAD_DATA : `ERR Casky holds strings only, and this payload is a ${name}`
    } else if (this.has(1) && (bytes[this.at]! & ENCODED) === ENCODED) {
      this.readEncoded(bytes[this.at++]!)
    } else {
      const length = this.readLength()
      if (this.has(length)) this.value.set(bytes, this.at, this.at + length)
      else this.problem = BAD_DATA
    }
  }

  private readEncoded(encoding: number): void {
    const { bytes } = this.payload
    const { at } = this
    if (encoding === ENCODED_INT8 && this.has(1)) this.number(bytes.readInt8(at))
    else if (encoding === ENCODED_INT16 && this.has(2)) this.number(bytes.readInt16LE(at))
    else if (encoding === ENCODED_INT32 && this.has(4)) this.number(bytes.readInt32LE(at))
    else if (encoding === ENCODED_LZF) this.readCompressed()
    else this.problem = BAD_DATA
  }

  private number(integer: number): void {
    const digits = Buffer.alloc(MAX_INTEGER_LENGTH)
    this.value.set(digits, 0, formatInteger(integer, digits))
  }

  private readCompressed(): void {
    const compressed = this.readLength()
    const length = this.readLength()
    if (!this.has(compressed) || length < 0 || length > mostDecompressed(compressed)) this.problem = BAD_DATA
    else if (length > MAX_VALUE_BYTES) this.problem = STRING_TOO_LONG
    else this.decompressor = new LzfDecompressor(this.payload.bytes, this.at, this.at + compressed, length)
  }

  /** A length, -1 where none stands. */
  private readLength(): number {
    const { bytes } = this.payload
    if (!this.has(1)) return -1
    const first = bytes[this.at++]!
    if (first < 0x40) return first
    if (first < 0x80) return this.has(1) ? ((first & 0x3f) << 8) | bytes[this.at++]! : -1
    const size = first === LENGTH_32 ? 4 : first === LENGTH_64 ? 8 : 0
    if (size === 0 || !this.has(size)) return -1
    const { at } = this
    this.at += size
    return size === 4 ? bytes.readUInt32BE(at) : Number(bytes.readBigUInt64BE(at))
  }

  private has(count: number): boolean {
    return count >= 0 && this.at + count <= this.end
  }
}

/** The payload of nothing at all, what FUNCTION DUMP gives where no function is loaded: the footer alone. */
export function emptyPayload(): Buffer {
  const payload = Buffer.alloc(FOOTER_BYTES)
  const crc = new Crc64()
  payload.writeUInt16LE(VERSION, 0)
  crc.add(payload, 0, 2)
  crc.write(payload, 2)
  return payload
}

/** Whether version and checksum are right. */
export function isSoundPayload(payload: Slice): boolean {
  const { bytes, start, end } = payload
  if (payload.length < FOOTER_BYTES || bytes.readUInt16LE(end - FOOTER_BYTES) > NEWEST_VERSION) return false
  const crc = new Crc64()
  crc.add(bytes, start, end - 8)
  return crc.equals(bytes, end - 8)
}

export function isEmptyPayload(payload: Slice): boolean {
  return payload.length === FOOTER_BYTES
}
