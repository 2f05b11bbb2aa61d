import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32 } from '../../src/base/crc32.ts'
import { decodeManifest, encodeManifest, type Manifest } from '../../src/engine/manifest.ts'

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const manifests: fc.Arbitrary<Manifest> = fc.record({
  storeId: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
  epoch: u48,
  nextSequence: u48,
  nextNumber: u32,
  segments: fc.array(
    fc.record({
      number: u32,
      salt: fc.record({ low: u32, high: u32 }),
      sealed: fc.boolean(),
      merged: fc.boolean(),
      damaged: fc.boolean(),
      validBytes: u32,
      lowSequence: u48,
      highSequence: u48,
      lowTime: u48,
      highTime: u48,
    }),
    { maxLength: 30 },
  ),
})

const sample = fc.sample(manifests, { numRuns: 1, seed: 3 })[0] as Manifest

test('what is encoded is decoded', () => {
  fc.assert(
    fc.property(manifests, (manifest) => {
      expect(decodeManifest(encodeManifest(manifest))).toEqual(manifest)
    }),
  )
})

test('damage of either body costs nothing, of both it is damage', () => {
  const good = encodeManifest(sample)
  const half = good.length / 2
  for (let at = 0; at < half; at++) {
    const first = Buffer.from(good)
    first[at]! ^= 0x40
    expect(decodeManifest(first)).toEqual(sample)
    const second = Buffer.from(good)
    second[half + at]! ^= 0x40
    expect(decodeManifest(second)).toEqual(sample)
    const both = Buffer.from(good)
    both[at]! ^= 1
    both[half + ((at * 7) % half)]! ^= 2
    expect(decodeManifest(both)).toBe(null)
  }
})

test('a whole lost block of either body costs nothing', () => {
  const large = { ...sample, segments: Array.from({ length: 40 }, (_, i) => ({ ...sample.segments[0]!, number: i })) }
  const good = encodeManifest(large)
  for (let block = 0; block < good.length; block += 512) {
    const bytes = Buffer.from(good)
    bytes.fill(0, block, Math.min(block + 512, bytes.length))
    // The one block where the first body ends and the second begins belongs to both.
    const both = block < good.length / 2 && block + 512 > good.length / 2
    expect(decodeManifest(bytes)).toEqual(both ? null : large)
  }
})

test('cut at any length it is the manifest or nothing, never another one', () => {
  const good = encodeManifest(sample)
  for (let length = 0; length < good.length; length++) {
    const found = decodeManifest(good.subarray(0, length))
    if (length >= good.length / 2) expect(found).toEqual(sample)
    else expect(found).toBe(null)
  }
})

test('another format version or an incompatible feature is newer', () => {
  for (const at of [8, 10]) {
    const bytes = encodeManifest(sample)
    const half = bytes.length / 2
    for (const from of [0, half]) {
      bytes[from + at] = 2
      bytes.writeUInt32LE(crc32(bytes, from, from + half - 4), from + half - 4)
    }
    expect(decodeManifest(bytes)).toBe('newer')
  }
})
