// What a start on a hurt disk may show, derived from the records that an independent reader (reader.ts) found on the disk unhurt.
//
//   it starts    every key shows its value, but those whose own newest value lies in hurt bytes may answer an error. No other error, no
//                missing key, no key too many, no older value. Whoever hurt data that the start has read has been told (log, INFO)
//   it refuses   only where the bytes of a segment whose data is read, or a whole file, are hurt, and not where only values are. Then
//                `serve` starts, has warned, and what lies outside of the lost ranges is exact: a range ends at the next anchor. Keys with a
//                record inside show an error, nothing, or something that was once written to them
//   open log     beyond the proven position rot cannot be told from a torn tail: the state may be the one before the first hurt record

import { Slice, sliceOf } from '../../src/base/slice.ts'
import { NONE } from '../../src/engine/engine.ts'
import type { Damage, Range } from './damage.ts'
import { allRecords, type DataSet } from './data-set.ts'
import type { Disk } from './memory-storage.ts'
import {
  ANCHOR,
  type Found,
  type FoundSegment,
  type Live,
  nameOf,
  physicalIds,
  replay,
  SYSTEM,
  TOUCH,
  VALUE,
} from './reader.ts'
import { DATABASES, RotStore } from './store.ts'

export interface Tally {
  /** Damages judged, and starts made for them. */
  cases: number
  starts: number
  /** Starts that refused, each followed by one that serves. */
  refused: number
  /** Keys that answered an error, and keys read that were not hurt: all of them had their value. */
  errors: number
  readable: number
  /** Starts that took the open end of the log for torn. */
  torn: number
}

export const emptyTally = (): Tally => ({ cases: 0, starts: 0, refused: 0, errors: 0, readable: 0, torn: 0 })

/** In one case of so many every value is really read; in the others those that are where they were count as read (isAtHome). */
const READ_ALL = 16

interface Expected extends Live {
  readonly name: string
  readonly slice: Slice
}

/** Where a key's newest value lies. */
interface Home {
  readonly segment: FoundSegment
  readonly record: Found
}

export class Judge {
  private readonly set: DataSet
  private readonly expected: readonly Expected[]
  private readonly counts: readonly number[]
  private readonly homes = new Map<string, Home>()
  /** All values ever written to a key of that name, in whatever database. */
  private readonly versions = new Map<string, Set<string>>()
  private readonly logical = new Map<number, number>()

  constructor(set: DataSet) {
    this.set = set
    this.expected = [...set.live].map(([name, live]) => ({ ...live, name, slice: sliceOf(live.key) }))
    this.counts = countsOf(set.live)
    const records = allRecords(set.segments)
    let map: Found | null = null
    for (const record of records) if (record.kind === SYSTEM && (map?.sequence ?? 0) < record.sequence) map = record
    for (const [n, physical] of physicalIds(map, DATABASES).entries()) this.logical.set(physical, n)
    for (const segment of set.segments) {
      for (const record of segment.records) {
        if (record.kind !== VALUE) continue
        const values = this.versions.get(record.key) ?? new Set()
        this.versions.set(record.key, values.add(record.value.toString('latin1')))
        const name = this.nameOf(record)
        if (set.live.has(name) && (this.homes.get(name)?.record.sequence ?? 0) < record.sequence) {
          this.homes.set(name, { segment, record })
        }
      }
    }
  }

  /** Before anything is hurt: every value is read, and is what the independent reader says. */
  baseline(): void {
    const store = RotStore.open(this.set.disk, { works: false })
    if (!(store instanceof RotStore)) throw store
    for (const each of this.expected) {
      const value = store.get(each.database, each.slice)
      const isSame = value instanceof Slice && each.value.equals(value.bytes.subarray(value.start, value.end))
      if (!isSame || store.engine.expiryOf(store.find(each.database, each.key)) !== each.expiry) {
        throw new Error(`unhurt, ${show(each)} is not what it should be`)
      }
    }
    if (!sameCounts(store, this.counts)) throw new Error('unhurt, there are keys too many')
    if (store.warnings.some((line) => line.startsWith('Damage'))) throw new Error(`unhurt, ${store.warnings}`)
  }

  /** The key whose value lies there, and its value. */
  ownerOf(segment: FoundSegment, record: Found): Live | null {
    if (record.kind !== VALUE) return null
    const name = this.nameOf(record)
    const home = this.homes.get(name)
    return home?.record === record && home.segment === segment ? (this.set.live.get(name) as Live) : null
  }

  private nameOf(record: Found): string {
    return nameOf(this.logical.get(record.database) ?? -1, record.key)
  }

  /** Starts on the hurt disk, in both modes where the first refuses, and throws what is wrong with it. */
  judge(damage: Damage, tally: Tally): void {
    tally.cases++
    tally.starts++
    const started = RotStore.open(damage.disk, { works: false })
    if (started instanceof RotStore) {
      this.whole(started, damage, tally)
      return
    }
    if (started.code !== 'EDAMAGED') throw new Error(`${damage.what}: ${started.stack}`)
    if (!this.mayRefuse(damage)) throw new Error(`${damage.what}: refused without need: ${started.message}`)
    tally.refused++
    tally.starts++
    const served = RotStore.open(damage.disk, { works: false, onCorruption: 'serve' })
    if (!(served instanceof RotStore)) throw new Error(`${damage.what}: 'serve' does not start: ${served.stack}`)
    if (served.warnings.length === 0) throw new Error(`${damage.what}: served, and nobody was told`)
    this.rest(served, damage, tally)
  }

  // --- a start that nothing kept from starting

  private whole(store: RotStore, damage: Damage, tally: Tally): void {
    const torn = this.tornState(damage)
    if (torn !== null && !sameCounts(store, this.counts)) {
      tally.torn++
      if (store.warnings.length === 0 && !this.isCutBetween(damage)) {
        throw new Error(`${damage.what}: the end is gone, and nobody was told`)
      }
      this.exact(
        store,
        damage,
        [...torn].map(([name, live]) => ({ ...live, name, slice: sliceOf(live.key) })),
        tally,
      )
      return
    }
    this.exact(store, damage, this.expected, tally)
    if (this.mustReport(damage, true)) this.told(store, damage)
    else if (this.mustReport(damage, false) && store.warnings.length === 0)
      throw new Error(`${damage.what}: no warning`)
  }

  private exact(store: RotStore, damage: Damage, expected: readonly Expected[], tally: Tally): void {
    const { engine } = store
    const before = engine.stats().corruptReads
    let errors = 0
    for (const each of expected) {
      if (tally.cases % READ_ALL !== 1 && this.isAtHome(store, each, damage)) {
        tally.readable++
        continue
      }
      const value = store.get(each.database, each.slice)
      if (value instanceof Slice) {
        const isSame = each.value.equals(value.bytes.subarray(value.start, value.end))
        const expiry = engine.expiryOf(engine.find(each.database, each.slice))
        if (!isSame || expiry !== each.expiry)
          throw new Error(`${damage.what}: ${show(each)} shows ${show(value)}, ${expiry}`)
        tally.readable++
      } else if (value === null) {
        throw new Error(`${damage.what}: ${show(each)} is not there`)
      } else {
        if (!this.isHurt(each.name, damage))
          throw new Error(`${damage.what}: ${show(each)} is unhurt: ${value.message}`)
        errors++
      }
    }
    if (!sameCounts(store, countsOf(new Map(expected.map((each) => [each.name, each]))))) {
      throw new Error(`${damage.what}: there are keys too many`)
    }
    tally.errors += errors
    if (engine.stats().corruptReads - before !== errors)
      throw new Error(`${damage.what}: INFO does not count the errors`)
  }

  // True when the keydir points at the very record that the independent reader found for this key, in bytes that are as they were: then it reads
  // as in a start on the whole disk, where every value was really read. All others are read here.
  private isAtHome(store: RotStore, each: Expected, damage: Damage): boolean {
    const { engine } = store
    const home = this.homes.get(each.name)
    const entry = engine.find(each.database, each.slice)
    if (entry === NONE || home === undefined || this.isHurt(each.name, damage)) return false
    const { keydir } = engine
    return (
      keydir.sequence(entry) === home.record.sequence &&
      keydir.offset(entry) === home.record.start &&
      keydir.valueSize(entry) === each.value.length &&
      engine.segments.at(keydir.segment(entry)).number === home.segment.number &&
      engine.expiryOf(entry) === each.expiry
    )
  }

  // Both places an operator looks at: the log and INFO.
  private told(store: RotStore, damage: Damage): void {
    if (store.warnings.length === 0) throw new Error(`${damage.what}: no warning`)
    if (store.engine.stats().damagedSegments === 0) throw new Error(`${damage.what}: INFO does not say so`)
  }

  private isHurt(name: string, damage: Damage): boolean {
    const home = this.homes.get(name)
    return home !== undefined && damage.ranges.some((range) => overlaps(range, home.segment, home.record))
  }

  // Data that the start reads: of segments without a hint. Only what is valid counts. Of an open one little may stay (recovery.ts), so that
  // there is nothing of it left for INFO to tell of.
  private mustReport({ ranges, disk }: Damage, isSealed: boolean): boolean {
    return ranges.some((range) => {
      const segment = this.segmentOf(range)
      if (segment === undefined || segment.records.length === 0 || !this.isScanned || segment.isOpen === isSealed)
        return false
      return !this.isHinted(segment, disk) && range.from < segment.validBytes
    })
  }

  private get isScanned(): boolean {
    return this.set.way !== 'image'
  }

  private segmentOf(range: Range): FoundSegment | undefined {
    return this.set.segments.find(({ name }) => name === range.file)
  }

  private isHinted(segment: FoundSegment, disk: Disk): boolean {
    const name = segment.name.replace('.data', '.hint')
    const bytes = disk.get(name)
    return !segment.isOpen && bytes !== undefined && bytes === this.set.disk.get(name)
  }

  // --- a start that refuses

  private mayRefuse(damage: Damage): boolean {
    return damage.ranges.some((range) => {
      // An older list of segments names some that are gone.
      if (range.file === 'MANIFEST') return damage.what.includes('version')
      const segment = this.segmentOf(range)
      if (segment === undefined || this.isHinted(segment, damage.disk)) return false
      // A value that the file ends in: there is no more of it to be checked than of a lost head.
      const isCut = (damage.disk.get(range.file)?.length ?? 0) < segment.validBytes
      return isCut || segment.records.some((record) => overlaps(range, segment, record) && losesRecord(range, record))
    })
  }

  private rest(store: RotStore, damage: Damage, tally: Tally): void {
    const lost = new Set<string>()
    let mapLost = false
    for (const range of damage.ranges) {
      const segment = this.segmentOf(range)
      if (segment === undefined) continue
      for (const record of lostRecords(segment, range, damage.disk)) {
        if (record.kind === SYSTEM) mapLost = true
        else lost.add(this.nameOf(record))
      }
    }
    let known = 0
    for (const each of this.expected) {
      const isFree = mapLost || lost.has(each.name)
      if (!isFree && this.isAtHome(store, each, damage)) {
        known++
        tally.readable++
        continue
      }
      const value = store.get(each.database, each.slice)
      if (value !== null) known++
      if (value instanceof Slice) {
        const isSame = each.value.equals(value.bytes.subarray(value.start, value.end))
        const expiry = store.engine.expiryOf(store.find(each.database, each.key))
        if (!isFree && (!isSame || expiry !== each.expiry)) {
          throw new Error(`${damage.what}, served: ${show(each)} shows ${show(value)}, ${expiry}`)
        }
        this.onlyWritten(each.key, value, damage)
        tally.readable++
      } else if (value === null) {
        if (!isFree) throw new Error(`${damage.what}, served: ${show(each)} is not there`)
      } else {
        if (!isFree && !this.isHurt(each.name, damage))
          throw new Error(`${damage.what}, served: ${show(each)}: ${value.message}`)
        tally.errors++
      }
    }
    if (mapLost) return
    // Whoever is there besides has a record that was lost: its delete, most likely.
    let others = -known
    for (let database = 0; database < DATABASES; database++) others += store.engine.keyCount(database)
    for (const name of lost) {
      if (this.set.live.has(name) || others === 0) continue
      const database = Number(name.slice(0, name.indexOf(':')))
      if (database < 0) continue
      const key = name.slice(name.indexOf(':') + 1)
      const value = store.get(database, sliceOf(key))
      if (value === null) continue
      others--
      if (value instanceof Slice) this.onlyWritten(key, value, damage)
    }
    if (others !== 0) throw new Error(`${damage.what}, served: there are keys too many`)
  }

  private onlyWritten(key: string, value: Slice, damage: Damage): void {
    if (this.versions.get(key)?.has(value.key()) !== true) {
      throw new Error(`${damage.what}: ${JSON.stringify(key)} shows what nobody wrote: ${show(value)}`)
    }
  }

  // --- the open end of the log

  // What is left when everything from the first hurt record on never happened; null where that is not to be excused.
  private tornState(damage: Damage): ReadonlyMap<string, Live> | null {
    const { segments } = this.set
    for (const range of damage.ranges) {
      const at = segments.findIndex(({ name, isOpen }) => name === range.file && isOpen)
      if (at < 0) continue
      const segment = segments[at] as FoundSegment
      let first = segment.records.findIndex((record) => overlaps(range, segment, record))
      if (first < 0) continue
      if ((segment.records[first] as Found).start < this.provenBytes(segment, range)) continue
      while (first > 0 && (segment.records[first - 1] as Found).isMember) first--
      const kept = [...allRecords(segments.slice(0, at)), ...segment.records.slice(0, first)]
      return replay(kept, DATABASES)
    }
    return null
  }

  // A log that ends between two records tells nobody that there were more.
  private isCutBetween({ ranges, disk }: Damage): boolean {
    return ranges.some((range) => {
      const length = disk.get(range.file)?.length ?? 0
      return this.segmentOf(range)?.records.some(({ start }) => start === length) === true
    })
  }

  // As anchors that are not hurt, and the manifest, claim it.
  private provenBytes(segment: FoundSegment, range: Range): number {
    let proven = this.set.openBytes.get(segment.number) ?? 0
    for (const other of this.set.segments) {
      for (const record of other.records) {
        if (record.kind !== ANCHOR || overlaps(range, other, record)) continue
        const [number, offset] = [record.value.readUInt32LE(0), record.value.readUInt32LE(4)]
        if (number === segment.number) proven = Math.max(proven, offset)
      }
    }
    return proven
  }
}

function overlaps(range: Range, segment: FoundSegment, record: Found): boolean {
  return range.file === segment.name && range.from < record.end && range.to > record.start
}

// Which key a record is about is lost with its head; what a touch or the map of databases says, with its value too.
function losesRecord(range: Range, record: Found): boolean {
  if (record.kind === TOUCH || record.kind === SYSTEM) return true
  const valueAt = record.end - record.value.length
  return (
    (range.from < record.start + 4 && range.to > record.start) || (range.from < valueAt && range.to > record.start + 8)
  )
}

// From the first hurt record to the first whole anchor behind the damage.
function lostRecords(segment: FoundSegment, range: Range, disk: Disk): Found[] {
  const first = segment.records.findIndex((record) => range.from < record.end)
  if (first < 0) return []
  if (!disk.has(range.file)) return [...segment.records]
  let last = first + 1
  for (; last < segment.records.length; last++) {
    const record = segment.records[last] as Found
    if (record.kind === ANCHOR && record.start >= range.to) break
  }
  return segment.records.slice(first, last)
}

function countsOf(live: ReadonlyMap<string, { readonly database: number }>): number[] {
  const counts = Array.from({ length: DATABASES }, () => 0)
  for (const { database } of live.values()) counts[database] = (counts[database] as number) + 1
  return counts
}

const sameCounts = (store: RotStore, counts: readonly number[]): boolean =>
  counts.every((count, database) => store.engine.keyCount(database) === count)

function show(what: Expected | Slice): string {
  if (what instanceof Slice) return JSON.stringify(what.key().slice(0, 40))
  return `${what.database}:${JSON.stringify(what.key)} (${JSON.stringify(what.value.toString('latin1', 0, 40))}, ${what.expiry})`
}
