// A reader of the format for the judge, written from the comments in src/engine (record, manifest, anchor, databases), sharing no code with
// it: what it says a key's newest record is, and which bytes of which file that is, decides what damage may cost.
//
// It reads whole files only. It never looks for what lies behind damage.

import { crc32 } from 'node:zlib'
import type { Disk } from './memory-storage.ts'

export const VALUE = 1
export const TOMBSTONE = 2
export const BATCH_END = 3
export const TOUCH = 4
export const SYSTEM = 5
export const ANCHOR = 6
const HAS_EXPIRY = 1
const MEMBER = 2

export interface Found {
  readonly start: number
  readonly end: number
  readonly kind: number
  readonly isMember: boolean
  /** Physical. */
  readonly database: number
  readonly key: string
  readonly value: Buffer
  readonly sequence: number
  readonly expiry: number
}

export interface FoundSegment {
  readonly name: string
  readonly number: number
  readonly isOpen: boolean
  readonly validBytes: number
  readonly records: readonly Found[]
}

/** A key of a logical database, its value, its expiry (0: none). */
export interface Live {
  readonly database: number
  readonly key: string
  readonly value: Buffer
  readonly expiry: number
}

export const nameOf = (database: number, key: string): string => `${database}:${key}`

/** All segments the manifest lists, in the order of their numbers, with all their records. */
export function readDisk(disk: Disk): FoundSegment[] {
  return listing(disk.get('MANIFEST') as Buffer).map(({ number, salt, isOpen, validBytes }) => {
    const name = `${String(number).padStart(10, '0')}.data`
    const bytes = disk.get(name)
    if (bytes === undefined) throw new Error(`${name} is listed and not there`)
    const limit = isOpen ? bytes.length : validBytes
    return { name, number, isOpen, validBytes: limit, records: recordsOf(bytes, salt, limit) }
  })
}

/** Of open segments, by number: how much of them the manifest says is synced. */
export function syncedBytes(disk: Disk): Map<number, number> {
  const open = listing(disk.get('MANIFEST') as Buffer).filter(({ isOpen }) => isOpen)
  return new Map(open.map(({ number, validBytes }) => [number, validBytes]))
}

type Words = readonly [low: number, high: number]

function listing(bytes: Buffer): { number: number; salt: Words; isOpen: boolean; validBytes: number }[] {
  const length = bytes.readUInt32LE(12)
  if (crc32(bytes.subarray(0, length - 4)) !== bytes.readUInt32LE(length - 4)) throw new Error('MANIFEST')
  const rows = Array.from({ length: bytes.readUInt32LE(48) }, (_, i) => {
    const at = 52 + 44 * i
    return {
      number: bytes.readUInt32LE(at),
      salt: [bytes.readUInt32LE(at + 4), bytes.readUInt32LE(at + 8)] as const,
      isOpen: bytes[at + 12] === 0,
      validBytes: bytes.readUInt32LE(at + 16),
    }
  })
  return rows.sort((a, b) => a.number - b.number)
}

function maskOf([low, high]: Words, offset: number): number {
  let h = low ^ Math.imul(offset, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b) ^ high
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

function recordsOf(bytes: Buffer, salt: Words, limit: number): Found[] {
  const found: Found[] = []
  for (let at = bytes.readUInt16LE(10); at < limit; ) {
    const flags = bytes.readUInt16LE(at + 10)
    const keyAt = at + ((flags & HAS_EXPIRY) !== 0 ? 44 : 36)
    const valueAt = keyAt + bytes.readUInt32LE(at + 16)
    const end = valueAt + bytes.readUInt32LE(at + 20)
    const mask = maskOf(salt, at)
    const valueMask = Math.imul(mask ^ 0x5bd1e995, 0x27d4eb2f)
    const isGood =
      end <= limit &&
      (crc32(bytes.subarray(at + 8, valueAt)) ^ mask) >>> 0 === bytes.readUInt32LE(at) &&
      (crc32(bytes.subarray(valueAt, end)) ^ valueMask) >>> 0 === bytes.readUInt32LE(at + 4)
    if (!isGood) throw new Error(`no record at ${at}`)
    found.push({
      start: at,
      end,
      kind: bytes[at + 8] as number,
      isMember: (flags & MEMBER) !== 0,
      database: bytes.readUInt32LE(at + 12),
      key: bytes.toString('latin1', keyAt, valueAt),
      value: Buffer.from(bytes.subarray(valueAt, end)),
      sequence: bytes.readUIntLE(at + 24, 6),
      expiry: (flags & HAS_EXPIRY) !== 0 ? Number(bytes.readBigInt64LE(at + 36)) : 0,
    })
    at = end
  }
  return found
}

/** What is alive according to these records, whichever order they come in. */
export function replay(records: Iterable<Found>, databases: number): Map<string, Live> {
  const newest = new Map<string, Found>()
  const touches: Found[] = []
  let map: Found | null = null
  for (const record of records) {
    const name = nameOf(record.database, record.key)
    if (record.kind === VALUE || record.kind === TOMBSTONE) {
      if ((newest.get(name)?.sequence ?? 0) < record.sequence) newest.set(name, record)
    } else if (record.kind === TOUCH) {
      touches.push(record)
    } else if (record.kind === SYSTEM && (map === null || map.sequence < record.sequence)) {
      map = record
    }
  }
  const logical = new Map<number, number>()
  for (const [n, physical] of physicalIds(map, databases).entries()) logical.set(physical, n)
  const expiries = new Map<string, number>()
  for (const touch of touches.sort((a, b) => a.sequence - b.sequence)) {
    const name = nameOf(touch.database, touch.key)
    if (newest.get(name)?.sequence === touch.value.readUIntLE(0, 6)) expiries.set(name, touch.expiry)
  }
  const live = new Map<string, Live>()
  for (const [name, { kind, database, key, value, expiry }] of newest) {
    const n = logical.get(database)
    if (kind !== VALUE || n === undefined) continue
    live.set(nameOf(n, key), { database: n, key, value, expiry: expiries.get(name) ?? expiry })
  }
  return live
}

/** The physical id of each logical database. */
export function physicalIds(map: Found | null, databases: number): number[] {
  const ids = Array.from({ length: databases }, (_, n) => n + 1)
  if (map === null) return ids
  for (let i = 0; i < map.value.readUInt32LE(4); i++) {
    const n = map.value.readUInt32LE(8 + i * 8)
    if (n < databases) ids[n] = map.value.readUInt32LE(12 + i * 8)
  }
  return ids
}
