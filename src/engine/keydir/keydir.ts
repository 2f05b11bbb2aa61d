// The keydir: for each key of each database, where its newest record lies. Everything the engine keeps in memory for a key, behind one face.
//
//   buckets.ts   hash -> entry number        entries.ts   entry number -> place of the record, and the key's ref
//   arena.ts     ref -> key bytes            rows.ts      entry number -> expiry and touch, for those that have one
//   key-hash.ts, memory.ts
//
// 24 bytes of entry, 9.2 to 10.3 of index, 2 of head and up to 3 of padding around the key: 35 to 39 bytes a key besides its own bytes, at any count.
// Nothing here is a JS object for a key, and no call does more than a few pages of work (buckets.ts says how much).
//
// The life of an entry: insert (linked) ... unlink, then either relink or free. While it is unlinked it is not found, not scanned, not counted and not
// in the queue of expiries, but its number, fields, row and key stay as they were: that is how the undo ring takes a delete back. The key may be
// inserted again meanwhile, as another entry, any number of times: so the index holds linked entries only, as number + 1. (It held both once. A key set
// and deleted a thousand times before a sync had a thousand slots of one hash, and a page full of one hash cannot be split.)
//
// One entry a (database, key) may be linked; the caller sees to it. Slices that `key` filled in are good until the next free.

import { assert } from '../../base/assert.ts'
import type { Slice } from '../../base/slice.ts'
import { MAX_SPANS, type Spans } from '../../base/spans.ts'
import { Arena, type ArenaImage } from './arena.ts'
import { Buckets, type BucketsImage } from './buckets.ts'
import { Entries, type EntriesImage } from './entries.ts'
import { KeyHash, randomSeed } from './key-hash.ts'
import { Rows, type RowsImage } from './rows.ts'

/** What is left must be more than a second of writes brings. */
const NEARLY_FULL = 0.93

/** No entry. */
export const NONE = -1

/** What an image says beside its parts: plain data, for JSON. */
export interface KeydirImage {
  readonly seed: number
  readonly linked: number
  /** Database id, linked entries, and how many of these have an expiry. */
  readonly databases: readonly (readonly [number, number, number])[]
  readonly entries: EntriesImage
  readonly buckets: BucketsImage
  readonly arena: ArenaImage
  readonly rows: RowsImage
}

export interface KeydirBytes {
  readonly entries: number
  readonly index: number
  readonly arena: number
  readonly rows: number
  readonly total: number
}

interface Counts {
  linked: number
  expiring: number
}

export class Keydir {
  private readonly keyHash: KeyHash
  private readonly entries = new Entries()
  private readonly buckets = new Buckets()
  private readonly arena = new Arena()
  private readonly rows = new Rows()
  private readonly databases = new Map<number, Counts>()
  /** Unlinked entries by the ref of their key: there are as many as deletes that are not released. */
  private readonly unlinked = new Map<number, number>()
  private linked = 0
  // The last database counted, and the hash of the last entry found: the next call is nearly always about the same.
  private countsDatabase = -1
  private counts: Counts = { linked: 0, expiring: 0 }
  private hashedEntry = NONE
  private hashedAs = 0
  // What prefetch works with; `found` is its result.
  private readonly hashes = new Int32Array(MAX_SPANS)
  private readonly positions = new Int32Array(MAX_SPANS)
  private readonly refs = new Uint32Array(MAX_SPANS)
  readonly found = new Int32Array(MAX_SPANS)
  /** Keeps the reads of prefetch from being optimized away. */
  touched = 0

  constructor(options: { readonly seed?: number } = {}) {
    this.keyHash = new KeyHash(options.seed ?? randomSeed())
  }

  /** What makes its hashes those of no other keydir: for orderHint. */
  get seed(): number {
    return this.keyHash.seed
  }

  /** Linked entries of all databases. */
  get total(): number {
    return this.linked
  }

  /** Highest entry number ever used, plus one. */
  get capacity(): number {
    return this.entries.capacity
  }

  /** Index slots written so far by growing and shrinking: the work behind the calls, for tests. */
  get slotsMoved(): number {
    return this.buckets.moved
  }

  /** The hash that `find` and `insert` take: whoever calls both computes it once. */
  hash(database: number, key: Slice): number {
    return this.keyHash.of(database, key.bytes, key.start, key.end)
  }

  /** The linked entry of a key, or NONE. */
  find(database: number, key: Slice, hash: number = this.hash(database, key)): number {
    const { buckets } = this
    for (let position = buckets.find(hash); position >= 0; position = buckets.next(hash, position)) {
      const e = buckets.value(position) - 1
      if (this.arena.equals(this.entries.keyRef(e), database, key)) {
        this.hashedEntry = e
        this.hashedAs = hash
        return e
      }
    }
    return NONE
  }

  /**
   * Says that these keys will soon be looked for, and puts candidates for their entries into `found`. Returns how many; not all are theirs.
   *
   * A look-up is three reads, each of which needs the one before: index, entry, key. In memory much larger than the processor's caches each
   * takes about 100 ns, in which it can do nothing else. For several keys at once, first all index slots, then all entries, then all keys, a
   * dozen such reads are under way together. Only in short loops, though: it looks some hundred instructions ahead, and a loop that also
   * computes hashes has no second read within that (measured, 1M keys: find alone 480 ns, after this 110 ns and 105 ns for
   * this; with hash and read in one loop 250 ns).
   */
  prefetch(database: number, keys: Spans): number {
    const { bytes, starts, ends } = keys
    const { hashes, positions, found, refs, buckets, entries } = this
    let count = keys.count
    for (let i = 0; i < count; i++) {
      hashes[i] = this.keyHash.of(database, bytes, starts[i] as number, ends[i] as number)
    }
    buckets.locate(hashes, count, positions)
    let sum = buckets.touch(positions, count)
    let some = 0
    for (let i = 0; i < count; i++) {
      const position = buckets.find(hashes[i] as number)
      if (position >= 0) found[some++] = buckets.value(position) - 1
    }
    count = some
    sum += entries.touch(found, count)
    for (let i = 0; i < count; i++) refs[i] = entries.keyRef(found[i] as number)
    sum += this.arena.touch(refs, count)
    this.touched = sum | 0
    return count
  }

  /** A new linked entry for a key that has none; the key is copied, all other fields are zero. */
  insert(database: number, key: Slice, hash: number = this.hash(database, key)): number {
    const e = this.entries.take(this.arena.add(database, key))
    this.buckets.insert(hash, e + 1)
    this.entries.setLinked(e, true)
    this.countsOf(database).linked++
    this.linked++
    this.hashedEntry = e
    this.hashedAs = hash
    return e
  }

  /** Takes an entry out of sight. Everything it has stays. */
  unlink(entry: number): void {
    assert(this.entries.isLinked(entry), 'a linked entry is unlinked')
    const hash = this.hashOf(entry)
    const position = this.buckets.findPair(hash, entry + 1)
    assert(position >= 0, 'a linked entry is in the index')
    this.buckets.remove(hash, position)
    this.unlinked.set(this.entries.keyRef(entry), entry)
    this.entries.setLinked(entry, false)
    this.linked--
    const database = this.database(entry)
    const counts = this.countsOf(database)
    counts.linked--
    if (this.hasRow(entry) && this.rows.expiry(entry) !== 0) {
      this.rows.setQueued(entry, false)
      counts.expiring--
    }
    if (counts.linked === 0) {
      this.databases.delete(database)
      this.countsDatabase = -1
    }
  }

  /** Puts an unlinked entry back. Its key has no other linked entry. */
  relink(entry: number): void {
    assert(!this.entries.isLinked(entry), 'an unlinked entry is relinked')
    this.unlinked.delete(this.entries.keyRef(entry))
    this.buckets.insert(this.hashOf(entry), entry + 1)
    this.entries.setLinked(entry, true)
    this.linked++
    const counts = this.countsOf(this.database(entry))
    counts.linked++
    if (this.hasRow(entry) && this.rows.expiry(entry) !== 0) {
      this.rows.setQueued(entry, true)
      counts.expiring++
    }
  }

  /** Gives back the number, the key's bytes and the row of an unlinked entry. */
  free(entry: number): void {
    assert(!this.entries.isLinked(entry), 'an unlinked entry is freed')
    if (this.entries.hasRow(entry)) this.rows.remove(entry)
    const ref = this.entries.keyRef(entry)
    this.unlinked.delete(ref)
    this.entries.give(entry)
    this.hashedEntry = NONE
    const movedFrom = this.arena.free(ref)
    if (movedFrom !== 0) this.repoint(movedFrom, ref)
  }

  isLinked(entry: number): boolean {
    return this.entries.isLinked(entry)
  }

  segment(entry: number): number {
    return this.entries.segment(entry)
  }

  offset(entry: number): number {
    return this.entries.offset(entry)
  }

  valueSize(entry: number): number {
    return this.entries.valueSize(entry)
  }

  sequence(entry: number): number {
    return this.entries.sequence(entry)
  }

  type(entry: number): number {
    return this.entries.type(entry)
  }

  wide(entry: number): boolean {
    return this.entries.wide(entry)
  }

  /** Whether the entry has an expiry or a touch. Most have not, and this costs nothing to ask. */
  hasRow(entry: number): boolean {
    return this.entries.hasRow(entry)
  }

  /**
   * Where the newest record lies. `segment`: a slot number below 2^18; `offset`, `valueSize`: bytes, u32; `sequence` below 2^48; `type` 0 to 7.
   * Expiry, touch and access clock stay as they are; the entry is not read any more.
   */
  place(
    entry: number,
    segment: number,
    offset: number,
    valueSize: number,
    sequence: number,
    type: number,
    wide: boolean,
  ): void {
    this.entries.place(entry, segment, offset, valueSize, sequence, type, wide)
  }

  /** 24 bits; what they mean is the caller's. */
  accessClock(entry: number): number {
    return this.entries.accessClock(entry)
  }

  /** Whether `markRead` came after the last `place`. */
  wasRead(entry: number): boolean {
    return this.entries.wasRead(entry)
  }

  markRead(entry: number, clock: number): void {
    this.entries.markRead(entry, clock)
  }

  setAccessClock(entry: number, clock: number): void {
    this.entries.setAccessClock(entry, clock)
  }

  /** Physical id of the entry's database. */
  database(entry: number): number {
    return this.arena.database(this.entries.keyRef(entry))
  }

  /** Points `into` at the key. Borrowed: good until the next free. */
  key(entry: number, into: Slice): Slice {
    return this.arena.key(this.entries.keyRef(entry), into)
  }

  keyLength(entry: number): number {
    return this.arena.keyLength(this.entries.keyRef(entry))
  }

  /** In ms since 1970; 0: none. */
  expiry(entry: number): number {
    return this.entries.hasRow(entry) ? this.rows.expiry(entry) : 0
  }

  /** 0 takes the expiry away. */
  setExpiry(entry: number, ms: number): void {
    if (!this.entries.hasRow(entry)) {
      if (ms === 0) return
      this.rows.add(entry)
      this.entries.setHasRow(entry, true)
    }
    const linked = this.entries.isLinked(entry)
    if (linked && (this.rows.expiry(entry) !== 0) !== (ms !== 0)) {
      this.countsOf(this.database(entry)).expiring += ms === 0 ? -1 : 1
    }
    this.rows.setExpiry(entry, ms, linked)
    if (ms === 0) this.dropEmptyRow(entry)
  }

  /** Sequence of the touch record that changed the expiry; 0: none. */
  touchSequence(entry: number): number {
    return this.entries.hasRow(entry) ? this.rows.touchSequence(entry) : 0
  }

  touchSegment(entry: number): number {
    return this.entries.hasRow(entry) ? this.rows.touchSegment(entry) : 0
  }

  touchOffset(entry: number): number {
    return this.entries.hasRow(entry) ? this.rows.touchOffset(entry) : 0
  }

  /** Remembers where an entry's touch record lies; sequence 0 forgets it. */
  setTouch(entry: number, sequence: number, segment: number, offset: number): void {
    if (!this.entries.hasRow(entry)) {
      if (sequence === 0) return
      this.rows.add(entry)
      this.entries.setHasRow(entry, true)
    }
    this.rows.setTouch(entry, sequence, segment, offset)
    if (sequence === 0) this.dropEmptyRow(entry)
  }

  /** The linked entry that expires first, or NONE. */
  soonestExpiry(): number {
    return this.rows.soonest()
  }

  /** Visits up to `most` entries with a row of their own, from the row on that `chance` (0 to 1) falls on. They may be unlinked. */
  sampleRows(chance: number, most: number, visit: (entry: number) => void): void {
    const { count } = this.rows
    const first = Math.floor(chance * count)
    for (let i = 0; i < Math.min(most, count); i++) visit(this.rows.entryOf((first + i) % count))
  }

  /** Visits linked entries that expire before `ms`, in no order, some at a call (rows.ts). `visit` must not change expiries. */
  visitExpired(ms: number, places: number[], most: number, visit: (entry: number) => void): void {
    this.rows.visitBefore(ms, places, most, visit)
  }

  /** Linked entries with an expiry, of all databases. */
  get totalExpiring(): number {
    return this.rows.queued
  }

  /** Entries with an expiry or a touch. */
  get rowCount(): number {
    return this.rows.count
  }

  /** Physical ids of the databases that have linked entries. */
  databaseIds(): number[] {
    return [...this.databases.keys()]
  }

  /** Linked entries of a database. */
  count(database: number): number {
    return this.databases.get(database)?.linked ?? 0
  }

  /** Linked entries of a database that have an expiry. */
  expiring(database: number): number {
    return this.databases.get(database)?.expiring ?? 0
  }

  /**
   * Visits linked entries of all databases in the order of their numbers, from `cursor` (0 at first), looking at no more than `budget` of them.
   * Returns the next cursor, 0 at the end. What is linked from the first call to the last is visited exactly once. `visit` may change
   * anything.
   */
  scan(cursor: number, budget: number, visit: (entry: number) => void): number {
    return this.entries.scan(cursor, budget, visit)
  }

  /** Memory held, in bytes, slack included. */
  bytes(): KeydirBytes {
    const entries = this.entries.bytes
    const index = this.buckets.bytes
    const arena = this.arena.bytes
    const rows = this.rows.bytes
    return { entries, index, arena, rows, total: entries + index + arena + rows }
  }

  /** So near to the limits of its parts that no more keys are to come; nothing in the parts checks. */
  get isNearlyFull(): boolean {
    return Math.max(this.arena.fullness, this.buckets.fullness) > NEARLY_FULL
  }

  /** Many inserts follow, then `settle` until it returns 0: see buckets.ts. */
  beginBulk(): void {
    this.buckets.beginBulk()
  }

  /** In a bulk load: how many entries there will be, as far as one can tell. */
  expect(count: number): void {
    this.buckets.expect(count)
  }

  settle(cursor: number): number {
    return this.buckets.settle(cursor)
  }

  /** The whole keydir: views of its memory, to be written as they are before anything changes. */
  image(): { header: KeydirImage; parts: Uint8Array[] } {
    const entries = this.entries.image()
    const buckets = this.buckets.image()
    const arena = this.arena.image()
    const rows = this.rows.image()
    return {
      header: {
        seed: this.keyHash.seed,
        linked: this.linked,
        databases: [...this.databases].map(([id, counts]) => [id, counts.linked, counts.expiring] as const),
        entries: entries.header,
        buckets: buckets.header,
        arena: arena.header,
        rows: rows.header,
      },
      parts: [...entries.parts, ...buckets.parts, ...arena.parts, ...rows.parts],
    }
  }

  /**
   * A keydir of an image's shape, and the parts to read the image's bytes into, in the order and lengths that `image` gave. It is not a
   * keydir before they are filled, and nothing is checked: the caller has made sure (checksums) that header and parts belong together.
   */
  static forImage(header: KeydirImage): { keydir: Keydir; parts: Uint8Array[] } {
    const keydir = new Keydir({ seed: header.seed })
    keydir.linked = header.linked
    for (const [id, linked, expiring] of header.databases) keydir.databases.set(id, { linked, expiring })
    keydir.entries.restore(header.entries)
    keydir.buckets.restore(header.buckets)
    keydir.arena.restore(header.arena)
    keydir.rows.restore(header.rows)
    return { keydir, parts: keydir.image().parts }
  }

  /** As forImage, from parts already in memory. Throws when they do not fit the header. */
  static fromImage(header: KeydirImage, parts: readonly Uint8Array[]): Keydir {
    const { keydir, parts: targets } = Keydir.forImage(header)
    if (targets.length !== parts.length) throw new Error('keydir image: number of parts does not fit the header')
    for (let i = 0; i < targets.length; i++) {
      const target = targets[i] as Uint8Array
      const part = parts[i] as Uint8Array
      if (target.length !== part.length) throw new Error(`keydir image: length of part ${i} does not fit the header`)
      target.set(part)
    }
    return keydir
  }

  private hashOf(entry: number): number {
    if (entry === this.hashedEntry) return this.hashedAs
    const hash = this.hashOfRef(this.entries.keyRef(entry))
    this.hashedEntry = entry
    this.hashedAs = hash
    return hash
  }

  private hashOfRef(ref: number): number {
    return this.arena.hash(ref, this.keyHash)
  }

  /** The arena has moved a block: finds the entry it belongs to. */
  private repoint(from: number, to: number): void {
    const { buckets, entries } = this
    const gone = this.unlinked.get(from)
    if (gone !== undefined) {
      this.unlinked.delete(from)
      this.unlinked.set(to, gone)
      entries.setKeyRef(gone, to)
      return
    }
    const hash = this.hashOfRef(to)
    for (let position = buckets.find(hash); position >= 0; position = buckets.next(hash, position)) {
      const e = buckets.value(position) - 1
      if (entries.keyRef(e) !== from) continue
      entries.setKeyRef(e, to)
      return
    }
    assert(false, 'a key in the arena belongs to an entry')
  }

  private dropEmptyRow(entry: number): void {
    if (this.rows.expiry(entry) !== 0 || this.rows.touchSequence(entry) !== 0) return
    this.rows.remove(entry)
    this.entries.setHasRow(entry, false)
  }

  private countsOf(database: number): Counts {
    if (database === this.countsDatabase) return this.counts
    let counts = this.databases.get(database)
    if (counts === undefined) {
      counts = { linked: 0, expiring: 0 }
      this.databases.set(database, counts)
    }
    this.countsDatabase = database
    this.counts = counts
    return counts
  }
}
