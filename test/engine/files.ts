// What lies in a store's directory, read without the engine's memory: manifest, segments, records. The judge of accounting and of merges.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { dataName, hintName, MANIFEST } from '../../src/engine/filename.ts'
import { decodeManifest, type Manifest, type ManifestSegment } from '../../src/engine/manifest.ts'
import {
  HEAD_GOOD,
  Head,
  KIND_SYSTEM,
  KIND_TOMBSTONE,
  KIND_TOUCH,
  KIND_VALUE,
  readHead,
  readUint48,
  valueIsGood,
} from '../../src/engine/record.ts'
import { SEGMENT_HEADER_BYTES } from '../../src/engine/segment-header.ts'

export interface FoundRecord {
  readonly segment: number
  readonly offset: number
  readonly length: number
  readonly kind: number
  readonly flags: number
  readonly database: number
  readonly key: string
  readonly value: Buffer
  readonly sequence: number
  readonly timeMs: number
  readonly expiry: number
}

export function manifestOf(directory: string): Manifest {
  const manifest = decodeManifest(fs.readFileSync(path.join(directory, MANIFEST)))
  if (manifest === null || manifest === 'newer') throw new Error('no good manifest')
  return manifest
}

export const dataPath = (directory: string, number: number): string => path.join(directory, dataName(number))
export const hintPath = (directory: string, number: number): string => path.join(directory, hintName(number))

/** All records of one segment; stops at the first that is not good. */
export function recordsOf(directory: string, segment: ManifestSegment): FoundRecord[] {
  const bytes = fs.readFileSync(dataPath(directory, segment.number))
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const limit = segment.sealed ? segment.validBytes : bytes.length
  const head = new Head()
  const records: FoundRecord[] = []
  for (let at = SEGMENT_HEADER_BYTES; at < limit; at = head.end) {
    if (readHead(bytes, view, at, limit, segment.salt, at, head) !== HEAD_GOOD) break
    if (!valueIsGood(bytes, view, at, segment.salt, at, head)) break
    records.push({
      segment: segment.number,
      offset: at,
      length: head.end - at,
      kind: head.kind,
      flags: head.flags,
      database: head.database,
      key: bytes.toString('latin1', head.keyStart, head.valueStart),
      value: Buffer.from(bytes.subarray(head.valueStart, head.end)),
      sequence: head.sequence,
      timeMs: head.timeMs,
      expiry: head.expiry,
    })
  }
  return records
}

/** All records of all listed segments. */
export function allRecords(directory: string): FoundRecord[] {
  return manifestOf(directory).segments.flatMap((segment) => recordsOf(directory, segment))
}

export interface Account {
  liveBytes: number
  tombstones: number
  tombstoneBytes: number
}

/** What each segment's account should say, counted from nothing but the files. */
export function recount(directory: string): Map<number, Account> {
  const accounts = new Map<number, Account>()
  for (const { number } of manifestOf(directory).segments) {
    accounts.set(number, { liveBytes: 0, tombstones: 0, tombstoneBytes: 0 })
  }
  const account = (record: FoundRecord): Account => accounts.get(record.segment) as Account
  const newest = new Map<string, FoundRecord>()
  const touches = new Map<string, FoundRecord>()
  let system: FoundRecord | null = null
  const records = allRecords(directory)
  for (const record of records) {
    const name = `${record.database}:${record.key}`
    if (record.kind === KIND_VALUE || record.kind === KIND_TOMBSTONE) {
      if ((newest.get(name)?.sequence ?? 0) < record.sequence) newest.set(name, record)
    }
    if (record.kind === KIND_SYSTEM && (system === null || system.sequence < record.sequence)) system = record
    if (record.kind === KIND_TOMBSTONE) {
      account(record).tombstones++
      account(record).tombstoneBytes += record.length
    }
  }
  for (const record of records) {
    if (record.kind !== KIND_TOUCH) continue
    const name = `${record.database}:${record.key}`
    const reference = readUint48(new DataView(record.value.buffer, record.value.byteOffset, 6), 0)
    const value = newest.get(name)
    if (value === undefined || value.kind !== KIND_VALUE || value.sequence !== reference) continue
    if ((touches.get(name)?.sequence ?? 0) < record.sequence) touches.set(name, record)
  }
  const mapped = mappedIds(system)
  for (const [name, record] of newest) {
    if (record.kind !== KIND_VALUE || !mapped(record.database)) continue
    account(record).liveBytes += record.length
    const touch = touches.get(name)
    if (touch !== undefined) account(touch).liveBytes += touch.length
  }
  if (system !== null) account(system).liveBytes += system.length
  return accounts
}

// databases.ts says what the record holds: at first logical n has physical n + 1.
function mappedIds(system: FoundRecord | null): (id: number) => boolean {
  const physical = new Map<number, number>()
  for (let logical = 0; logical < 4; logical++) physical.set(logical, logical + 1)
  if (system !== null) {
    for (let i = 0; i < system.value.readUInt32LE(4); i++) {
      physical.set(system.value.readUInt32LE(8 + i * 8), system.value.readUInt32LE(12 + i * 8))
    }
  }
  const ids = new Set(physical.values())
  return (id) => ids.has(id)
}
