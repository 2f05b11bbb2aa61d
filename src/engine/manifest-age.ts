// Is the MANIFEST that was read the newest one? Its checksums cannot tell: a disk that has lost the write of a block, or a person who put
// back last week's file, leaves one that is good and old. To believe it would be the worst that can happen to a directory: what it does
// not list is no data and is removed, and that would be everything written since.
//
// The data tells. A segment is listed before anything is written to it, so a file that is not listed holds only copies: outputs of a merge,
// whose inputs were listed when nextSequence was given, and the tail that an interrupted start has copied, whose originals lie in the open
// segments. Hence
//
//   outdated    a file that is not listed begins with a record whose sequence is neither below nextSequence nor in an open segment
//   doubtful    a sealed segment that is listed is missing, and a file that is not listed holds records: what was merged since, perhaps;
//               or a lost file and the leavings of a crash
//   current     else. Nothing is read where no such file lies about, which is nearly always

import { dataName, parseSegmentName } from './filename.ts'
import type { Manifest } from './manifest.ts'
import { HEAD_GOOD, KIND_ANCHOR, type Salt } from './record.ts'
import { SegmentScanner } from './scanner.ts'
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-header.ts'
import type { Storage } from './storage.ts'
import { close, isMissing, isUnreadable, open, read, size, type Task } from './task.ts'

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
    const first = yield* firstSequence(storage, name, parsed.number, manifest.storeId)
    if (first === 0) continue
    if (isGone) age = 'doubtful'
    if (first >= manifest.nextSequence && first > (yield* newestInOpen(storage, manifest, present))) return 'outdated'
  }
  return age
}

// Of a file of this store that is not listed: the sequence of its first record; 0 where it has none that can be read.
function* firstSequence(storage: Storage, name: string, number: number, storeId: Buffer): Task<number> {
  const file = yield* open(storage, name, 'read')
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
    const got = yield* read(file, bytes, 0, bytes.length, 0)
    const header = decodeSegmentHeader(bytes.subarray(0, got))
    if (typeof header === 'string' || header.number !== number || !header.storeId.equals(storeId)) return 0
    const scanner = new SegmentScanner(file, header.salt, SEGMENT_HEADER_BYTES, yield* size(file))
    while ((yield* scanner.next()) === HEAD_GOOD) {
      if (scanner.head.kind !== KIND_ANCHOR) return scanner.head.sequence
    }
    return 0
  } catch (error) {
    if (isMissing(error) || isUnreadable(error)) return 0
    throw error
  } finally {
    yield* close(file)
  }
}

function* newestInOpen(storage: Storage, manifest: Manifest, present: ReadonlySet<string>): Task<number> {
  let newest = 0
  for (const { number, salt, sealed } of manifest.segments) {
    if (!sealed && present.has(dataName(number))) {
      newest = Math.max(newest, yield* newestIn(storage, dataName(number), salt))
    }
  }
  return newest
}

function* newestIn(storage: Storage, name: string, salt: Salt): Task<number> {
  const file = yield* open(storage, name, 'read')
  try {
    const scanner = new SegmentScanner(file, salt, SEGMENT_HEADER_BYTES, yield* size(file))
    let newest = 0
    for (;;) {
      if ((yield* scanner.next()) === HEAD_GOOD) newest = Math.max(newest, scanner.head.sequence)
      else if (!(yield* scanner.resync())) return newest
    }
  } finally {
    yield* close(file)
  }
}
