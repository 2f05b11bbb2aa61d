import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  claimedBytes,
  FLAG_BATCH,
  FLAG_EXPIRED,
  FLAG_EXPIRY,
  HEAD_BAD,
  HEAD_BYTES,
  HEAD_END,
  HEAD_GOOD,
  HEAD_UNKNOWN,
  Head,
  headBytes,
  headMask,
  KIND_ANCHOR,
  KIND_VALUE,
  moveRecord,
  readHead,
  readUint48,
  recordBytes,
  type Salt,
  sealRecord,
  valueIsGood,
  writeUint48,
} from '../../src/engine/record.ts'

interface Sample {
  readonly kind: number
  readonly type: number
  readonly flags: number
  readonly database: number
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly sequence: number
  readonly timeMs: number
  readonly expiry: number
}

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const salts: fc.Arbitrary<Salt> = fc.record({ low: u32, high: u32 })
const samples: fc.Arbitrary<Sample> = fc.record({
  kind: fc.integer({ min: KIND_VALUE, max: KIND_ANCHOR }),
  type: fc.integer({ min: 0, max: 5 }),
  flags: fc.integer({ min: 0, max: FLAG_EXPIRY | FLAG_BATCH | FLAG_EXPIRED }),
  database: u32,
  key: fc.uint8Array({ maxLength: 300 }),
  value: fc.uint8Array({ maxLength: 600 }),
  sequence: u48,
  timeMs: u48,
  expiry: fc.maxSafeInteger(),
})

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

/** A buffer with the record at `at` and `after` bytes behind it. */
function written(sample: Sample, salt: Salt, offset: number, at = 0, after = 0): Buffer {
  const { kind, type, flags, database, key, value, sequence, timeMs, expiry } = sample
  const length = recordBytes(flags, key.length, value.length)
  const bytes = Buffer.alloc(at + length + after, 0xee)
  bytes.set(key, at + headBytes(flags))
  bytes.set(value, at + headBytes(flags) + key.length)
  sealRecord(
    bytes,
    viewOf(bytes),
    at,
    salt,
    offset,
    kind,
    type,
    flags,
    database,
    key.length,
    value.length,
    sequence,
    timeMs,
    expiry,
  )
  return bytes
}

function expectSame(bytes: Buffer, head: Head, sample: Sample, flags = sample.flags): void {
  const { kind, type, database, sequence, timeMs } = sample
  expect(head).toMatchObject({ kind, type, flags, database, sequence, timeMs })
  expect(head.expiry).toBe((flags & FLAG_EXPIRY) !== 0 ? sample.expiry : 0)
  expect(bytes.subarray(head.keyStart, head.valueStart)).toEqual(Buffer.from(sample.key))
  expect(bytes.subarray(head.valueStart, head.end)).toEqual(Buffer.from(sample.value))
}

test('what is sealed is read back, wherever it lies; expiries are 64 bits and may be negative', () => {
  fc.assert(
    fc.property(samples, salts, u32, fc.nat(50), (sample, salt, offset, at) => {
      const bytes = written(sample, salt, offset, at, 7)
      const view = viewOf(bytes)
      const head = new Head()
      expect(readHead(bytes, view, at, bytes.length, salt, offset, head)).toBe(HEAD_GOOD)
      expectSame(bytes, head, sample)
      expect(valueIsGood(bytes, view, at, salt, offset, head)).toBe(true)
      expect(head.end).toBe(bytes.length - 7)
      expect(claimedBytes(view, at, bytes.length)).toBe(head.end - at)
    }),
  )
})

test('every single flipped bit of a record is noticed', () => {
  const salt = { low: 0x12345678, high: 0x9abcdef0 }
  for (const flags of [0, FLAG_EXPIRY]) {
    const sample = {
      kind: KIND_VALUE,
      type: 0,
      flags,
      database: 1,
      key: Buffer.from('key'),
      value: Buffer.from('a value'),
      sequence: 77,
      timeMs: 1e12,
      expiry: 2e12,
    }
    const bytes = written(sample, salt, 60)
    const view = viewOf(bytes)
    const head = new Head()
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      const status = readHead(bytes, view, 0, bytes.length, salt, 60, head)
      const accepted = status === HEAD_GOOD && valueIsGood(bytes, view, 0, salt, 60, head)
      // An unknown kind or flag is only believed under a good crc, which no single bit leaves.
      if (accepted || status === HEAD_UNKNOWN) expect.fail(`bit ${bit} with flags ${flags}`)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
    }
    expect(readHead(bytes, view, 0, bytes.length, salt, 60, head)).toBe(HEAD_GOOD)
  }
})

test('a record elsewhere, or of another segment, is no record: head and value are bound to salt and offset', () => {
  fc.assert(
    fc.property(samples, salts, u32, salts, u32, (sample, salt, offset, otherSalt, otherOffset) => {
      const bytes = written(sample, salt, offset)
      const view = viewOf(bytes)
      const head = new Head()
      if (headMask(salt, offset) !== headMask(salt, otherOffset)) {
        expect(readHead(bytes, view, 0, bytes.length, salt, otherOffset, head)).toBe(HEAD_BAD)
      }
      if (headMask(salt, offset) !== headMask(otherSalt, offset)) {
        expect(readHead(bytes, view, 0, bytes.length, otherSalt, offset, head)).toBe(HEAD_BAD)
        expect(readHead(bytes, view, 0, bytes.length, salt, offset, head)).toBe(HEAD_GOOD)
        expect(valueIsGood(bytes, view, 0, otherSalt, offset, head)).toBe(false)
      }
    }),
  )
  // And the masks do not collide where it matters: neighbouring offsets of one segment.
  const salt = { low: 1, high: 2 }
  expect(new Set(Array.from({ length: 100_000 }, (_, i) => headMask(salt, i * 4))).size).toBe(100_000)
})

test('a moved record is good at its new place only, without its value having been read', () => {
  fc.assert(
    fc.property(samples, salts, u32, salts, u32, (sample, fromSalt, fromOffset, toSalt, toOffset) => {
      const from = written(sample, fromSalt, fromOffset, 3)
      const head = new Head()
      expect(readHead(from, viewOf(from), 3, from.length, fromSalt, fromOffset, head)).toBe(HEAD_GOOD)
      const to = Buffer.alloc(from.length + 20)
      const flags = sample.flags & ~FLAG_BATCH
      const length = moveRecord(
        from,
        viewOf(from),
        3,
        fromSalt,
        fromOffset,
        head,
        flags,
        to,
        viewOf(to),
        11,
        toSalt,
        toOffset,
      )
      expect(length).toBe(from.length - 3)
      const moved = new Head()
      expect(readHead(to, viewOf(to), 11, 11 + length, toSalt, toOffset, moved)).toBe(HEAD_GOOD)
      expectSame(to, moved, sample, flags)
      expect(valueIsGood(to, viewOf(to), 11, toSalt, toOffset, moved)).toBe(true)
      // A value that was bad stays bad: nothing is healed by copying.
      if (sample.value.length > 0) {
        from[head.valueStart]! ^= 1
        moveRecord(from, viewOf(from), 3, fromSalt, fromOffset, head, flags, to, viewOf(to), 11, toSalt, toOffset)
        expect(valueIsGood(to, viewOf(to), 11, toSalt, toOffset, moved)).toBe(false)
      }
    }),
  )
})

test('a record that is cut anywhere is bad, and the exact end of the bytes is the end', () => {
  const salt = { low: 5, high: 6 }
  const sample = fc.sample(samples, { numRuns: 1, seed: 7 })[0] as Sample
  const bytes = written(sample, salt, 100)
  const head = new Head()
  for (let limit = 1; limit < bytes.length; limit++) {
    expect(readHead(bytes, viewOf(bytes), 0, limit, salt, 100, head)).toBe(HEAD_BAD)
  }
  expect(readHead(bytes, viewOf(bytes), 0, 0, salt, 100, head)).toBe(HEAD_END)
})

test('wild lengths neither wrap nor reach beyond the bytes', () => {
  const salt = { low: 5, high: 6 }
  fc.assert(
    fc.property(u32, u32, fc.integer({ min: 0, max: 0xffff }), (keyLength, valueLength, flags) => {
      const bytes = Buffer.alloc(100)
      const view = viewOf(bytes)
      view.setUint16(10, flags, true)
      view.setUint32(16, keyLength, true)
      view.setUint32(20, valueLength, true)
      const status = readHead(bytes, view, 0, bytes.length, salt, 0, new Head())
      expect(status === HEAD_GOOD || status === HEAD_UNKNOWN).toBe(false)
    }),
  )
})

test('an unknown kind or flag under a good crc is a newer Casky, not damage', () => {
  const salt = { low: 5, high: 6 }
  const plain = {
    type: 0,
    database: 1,
    key: Buffer.from('k'),
    value: Buffer.from('v'),
    sequence: 1,
    timeMs: 1,
    expiry: 0,
  }
  for (const [kind, flags] of [
    [0, 0],
    [7, 0],
    [8, 0],
    [255, 0],
    [KIND_VALUE, 8],
    [KIND_VALUE, 0x8000],
  ] as const) {
    const bytes = written({ ...plain, kind, flags }, salt, 0)
    expect(readHead(bytes, viewOf(bytes), 0, bytes.length, salt, 0, new Head())).toBe(HEAD_UNKNOWN)
  }
})

test('an empty value, an empty key, and a value that looks like a record are values like any other', () => {
  const salt = { low: 9, high: 9 }
  const inner = written(
    {
      kind: 2,
      type: 0,
      flags: 0,
      database: 1,
      key: Buffer.from('a'),
      value: Buffer.alloc(0),
      sequence: 9,
      timeMs: 1,
      expiry: 0,
    },
    salt,
    60 + HEAD_BYTES,
  )
  for (const value of [Buffer.alloc(0), inner]) {
    const sample = {
      kind: KIND_VALUE,
      type: 0,
      flags: 0,
      database: 1,
      key: Buffer.alloc(0),
      value,
      sequence: 1,
      timeMs: 1,
      expiry: 0,
    }
    const bytes = written(sample, salt, 60)
    const head = new Head()
    expect(readHead(bytes, viewOf(bytes), 0, bytes.length, salt, 60, head)).toBe(HEAD_GOOD)
    expectSame(bytes, head, sample)
  }
})

test('48-bit numbers are exact', () => {
  fc.assert(
    fc.property(u48, (n) => {
      const view = new DataView(new ArrayBuffer(8))
      writeUint48(view, 1, n)
      expect(readUint48(view, 1)).toBe(n)
    }),
  )
})
