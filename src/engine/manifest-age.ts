// Is the MANIFEST that was read the newest one? Its checksums cannot tell: a disk that has lost the write of a block, or a person who put
// back last week's file, leaves one that is good and old. To believe it would be the worst that can happen to a directory: what it does
// not list is no data and is removed, and that would be everything written since.
//
// The data tells. A segment of the log is listed before anything is written to it. So a file that is not listed holds only copies, outputs of a
// merge or of an interrupted start, whose anchors claim nothing (anchor.ts), or was taken off the list, and then its number is below nextNumber.
//
//   outdated    a file that is not listed, of a number that had not been given out, is a segment of the log and has records
//   doubtful    a sealed segment that is listed is missing, and a file that is not listed holds copies: what it was merged into, perhaps;
//               or a lost file and the leavings of a crash
//   current     else. Nothing is read where no such file lies about, which is nearly always

import { ANCHOR_KEY_BYTES, readClaim } from './anchor.ts'
import { dataName, parseSegmentName } from './filename.ts'
import type { Manifest } from './manifest.ts'
import { HEAD_GOOD, KIND_ANCHOR } from './record.ts'
import { SegmentScanner } from './scanner.ts'
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-header.ts'
import type { Storage } from './storage.ts'
import { close, isUnreadable, open, read, size, type Task } from './task.ts'

export type ManifestAge = 'current' | 'outdated' | 'doubtful'

/** Judges a good manifest by the files in its directory, which `names` lists. */
export function* manifestAge(storage: Storage, manifest: Manifest, names: readonly string[]): Task<ManifestAge> {
  const listed = new Set(manifest.segments.map(({ number }) => number))
  const present = new Set(names)
  const isGone = manifest.segments.some(({ number, sealed }) => sealed && !present.has(dataName(number)))
  let age: ManifestAge = 'current'
  for (const name of names) {
    const parsed = parseSegmentName(name)
    if (parsed === null || parsed.kind !== 'data' || listed.has(parsed.number)) continue
    const isNew = parsed.number >= manifest.nextNumber
    if (!isNew && !isGone) continue
    const content = yield* contentOf(storage, name, parsed.number, manifest.storeId)
    if (content === 'log' && isNew) return 'outdated'
    if (content === 'copies' && isGone) age = 'doubtful'
  }
  return age
}

// Of a file that is not listed: whether it is this store's, has a record, and was written as a part of the log.
function* contentOf(
  storage: Storage,
  name: string,
  number: number,
  storeId: Buffer,
): Task<'nothing' | 'copies' | 'log'> {
  const file = yield* open(storage, name, 'read')
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
    const got = yield* read(file, bytes, 0, bytes.length, 0)
    const header = decodeSegmentHeader(bytes.subarray(0, got))
    if (typeof header === 'string' || header.number !== number || !header.storeId.equals(storeId)) return 'nothing'
    const scanner = new SegmentScanner(file, header.salt, SEGMENT_HEADER_BYTES, yield* size(file))
    let isLog = false
    while (scanner.nextHeld() || (yield* scanner.next()) === HEAD_GOOD) {
      if (scanner.head.kind !== KIND_ANCHOR) return isLog ? 'log' : 'copies'
      const claim = readClaim(scanner.view, scanner.head.keyStart + ANCHOR_KEY_BYTES)
      if (claim.provenSegment !== 0 || claim.previousSegment !== 0) isLog = true
    }
    return 'nothing'
  } catch (error) {
    if (isUnreadable(error)) return 'nothing'
    throw error
  } finally {
    yield* close(file)
  }
}
