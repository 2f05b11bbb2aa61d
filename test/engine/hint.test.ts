import * as fs from 'node:fs'
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { filterHas, filterHash } from '../../src/engine/filter.ts'
import { decodeHint, HintBuilder, type HintSubject, makeHint, readHint, readHintEntry } from '../../src/engine/hint.ts'
import { type OrderedHint, orderHint } from '../../src/engine/hint-order.ts'
import { KeyHash } from '../../src/engine/keydir/key-hash.ts'
import { nodeStorage } from '../../src/engine/node-storage.ts'
import {
  FLAG_BATCH,
  FLAG_EXPIRY,
  Head,
  KIND_ANCHOR,
  KIND_BATCH_END,
  KIND_SYSTEM,
  KIND_TOMBSTONE,
  KIND_TOUCH,
  KIND_VALUE,
} from '../../src/engine/record.ts'
import { run, type Task } from '../../src/engine/task.ts'
import { dataPath, hintPath, manifestOf, recordsOf } from './files.ts'
import { cleanUp, freshDirectory, TestStore } from './test-store.ts'

afterEach(cleanUp)

const subject: HintSubject = { number: 7, salt: { low: 0xdeadbeef, high: 0x1234 }, validBytes: 4321 }
const perform = <T>(task: Task<T>): Promise<T> =>
  new Promise((resolve, reject) => run(task, (error, value) => (error === null ? resolve(value as T) : reject(error))))

interface Sample {
  readonly kind: number
  readonly flags: number
  readonly database: number
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly sequence: number
  readonly timeMs: number
  readonly expiry: number
  readonly offset: number
}

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const samples: fc.Arbitrary<Sample> = fc.record({
  kind: fc.integer({ min: KIND_VALUE, max: KIND_ANCHOR }),
  flags: fc.integer({ min: 0, max: 7 }),
  database: u32,
  key: fc.uint8Array({ maxLength: 50 }),
  value: fc.uint8Array({ maxLength: 50 }),
  sequence: u48,
  timeMs: u48,
  expiry: fc.maxSafeInteger(),
  offset: u32,
})

function build(records: readonly Sample[]): Buffer {
  const builder = new HintBuilder()
  for (const record of records) {
    const head = new Head()
    Object.assign(head, record, {
      type: 0,
      keyLength: record.key.length,
      valueLength: record.value.length,
      keyStart: 2,
      valueStart: 2 + record.key.length,
      end: 2 + record.key.length + record.value.length,
    })
    builder.add(Buffer.concat([Buffer.from('..'), record.key, record.value]), head, record.offset)
  }
  return Buffer.from(builder.finish(subject))
}

test('every record but anchors and batch ends is there, in order, with what a start needs of it', () => {
  fc.assert(
    fc.property(fc.array(samples, { maxLength: 30 }), (records) => {
      const hint = decodeHint(build(records), subject)
      if (hint === null) return expect.fail('not accepted')
      const expected = records.filter(({ kind }) => kind !== KIND_ANCHOR && kind !== KIND_BATCH_END)
      expect(hint.count).toBe(expected.length)
      const head = new Head()
      let at = 0
      for (const record of expected) {
        expect(readHintEntry(hint.view, at, head)).toBe(record.offset)
        const { kind, database, sequence, timeMs } = record
        const flags = record.flags & ~FLAG_BATCH
        expect(head).toMatchObject({ kind, flags, database, sequence, timeMs, valueLength: record.value.length })
        expect(head.expiry).toBe((flags & FLAG_EXPIRY) !== 0 ? record.expiry : 0)
        expect(hint.bytes.subarray(head.keyStart, head.valueStart)).toEqual(Buffer.from(record.key))
        if (kind === KIND_TOUCH || kind === KIND_SYSTEM) {
          expect(hint.bytes.subarray(head.valueStart, head.end)).toEqual(Buffer.from(record.value))
        }
        if (kind !== KIND_TOMBSTONE) {
          const pair = new Uint32Array(2)
          filterHash(database, record.key, 0, record.key.length, pair)
          expect(filterHas(hint.filter, pair)).toBe(true)
        }
        at = head.end
      }
      expect(at).toBe(hint.recordsEnd)
    }),
  )
})

test('a hint with any damage, cut anywhere or longer than it was is none', () => {
  const good = build(fc.sample(samples, { numRuns: 5, seed: 1 }))
  expect(decodeHint(good, subject)).not.toBe(null)
  for (let at = 0; at < good.length; at++) {
    const bytes = Buffer.from(good)
    bytes[at]! ^= 1 << (at & 7)
    if (decodeHint(bytes, subject) !== null) expect.fail(`byte ${at}`)
    if (decodeHint(good.subarray(0, at), subject) !== null) expect.fail(`cut at ${at}`)
  }
  expect(decodeHint(Buffer.concat([good, Buffer.alloc(1)]), subject)).toBe(null)
})

test('a hint of another segment, salt or length is none', () => {
  const good = build(fc.sample(samples, { numRuns: 5, seed: 1 }))
  expect(decodeHint(good, { ...subject, number: 8 })).toBe(null)
  expect(decodeHint(good, { ...subject, validBytes: 4322 })).toBe(null)
  expect(decodeHint(good, { ...subject, salt: { ...subject.salt, low: 1 } })).toBe(null)
  expect(decodeHint(good, { ...subject, salt: { ...subject.salt, high: 1 } })).toBe(null)
})

test('a hint made from a real segment says what the segment holds; of a damaged segment none is made', async () => {
  const store = await TestStore.open(freshDirectory())
  for (let i = 0; i < 50; i++) store.put(`key ${i}`, `value ${i}`, i % 3 === 0 ? store.clock.now() + 1e6 : 0)
  for (let i = 0; i < 50; i += 5) store.remove(`key ${i}`)
  store.setExpiry('key 7', store.clock.now() + 5e5)
  store.engine.swapDatabases(0, 1)
  store.batch(() => store.put('member', 'of a batch'))
  await store.tick()
  await store.seal()
  await store.close()
  const { directory } = store
  const segment = manifestOf(directory).segments[0]!
  const storage = nodeStorage(directory)
  const hint = await perform(readHint(storage, segment))
  if (hint === null) return expect.fail('no hint')
  const records = recordsOf(directory, segment).filter(({ kind }) => kind !== KIND_ANCHOR && kind !== KIND_BATCH_END)
  const head = new Head()
  const found: unknown[] = []
  for (let at = 0; at < hint.recordsEnd; at = head.end) {
    const offset = readHintEntry(hint.view, at, head)
    const key = hint.bytes.toString('latin1', head.keyStart, head.valueStart)
    found.push([offset, head.kind, head.sequence, head.expiry, key])
  }
  expect(found).toEqual(records.map((r) => [r.offset, r.kind, r.sequence, r.expiry, r.key]))
  expect(new Set(records.map((r) => r.kind))).toEqual(new Set([KIND_VALUE, KIND_TOMBSTONE, KIND_TOUCH, KIND_SYSTEM]))

  fs.unlinkSync(hintPath(directory, segment.number))
  const bytes = fs.readFileSync(dataPath(directory, segment.number))
  const victim = records[20]!
  bytes[victim.offset + victim.length - 1]! ^= 1
  fs.writeFileSync(dataPath(directory, segment.number), bytes)
  expect(await perform(makeHint(storage, segment))).toEqual({ damagedAt: [victim.offset] })
  expect(fs.existsSync(hintPath(directory, segment.number))).toBe(false)
})

test('ordered, a hint has the same records, each with the hash of its key, those of one hash in their order', () => {
  const keyHash = new KeyHash(12345)
  const entriesOf = (bytes: Uint8Array): string[] => {
    const entries: string[] = []
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const head = new Head()
    for (let at = 0; at < bytes.length; at = head.end) {
      const offset = readHintEntry(view, at, head)
      const hash = keyHash.of(head.database, bytes, head.keyStart, head.valueStart)
      entries.push(`${hash} ${offset} ${Buffer.from(bytes.subarray(at, head.end)).toString('hex')}`)
    }
    return entries
  }
  const hashOf = (entry: string): number => Number(entry.split(' ')[0])
  let spare: OrderedHint | null = null
  fc.assert(
    fc.property(fc.array(samples, { maxLength: 100 }), (records) => {
      // Few keys, so that many records share one.
      const few = records.map((record) => ({ ...record, database: 0, key: record.key.subarray(0, 1) }))
      const hint = decodeHint(build(few), subject)
      if (hint === null) return expect.fail('not accepted')
      const ordered = orderHint(hint, keyHash, spare)
      const found = entriesOf(ordered.bytes)
      const plain = entriesOf(hint.bytes.subarray(0, hint.recordsEnd))
      expect([...ordered.hashes]).toEqual(found.map(hashOf))
      expect([...found].sort()).toEqual([...plain].sort())
      for (const hash of new Set(found.map(hashOf))) {
        const same = (entry: string): boolean => hashOf(entry) === hash
        expect(found.filter(same)).toEqual(plain.filter(same))
      }
      const parts = [...ordered.hashes].map((hash) => hash >>> 23)
      expect(parts).toEqual([...parts].sort((a, b) => a - b))
      spare = ordered
    }),
  )
})
