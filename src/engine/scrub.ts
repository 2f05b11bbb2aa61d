// Scrub: reads a sealed segment from end to end and says what is damaged, before somebody needs it.
//
// Damage that nobody reads is not noticed: a start reads hints, a clients' read meets one record, and values that are asked for often come from
// memory, also when the disk no longer has them. This task reads all of it: the header, every record against both of its crcs, the living and
// the dead, and the hint against what the data says. It changes nothing; what follows from damage is its owner's decision (scrubber.ts).
//
// The page cache may know better than the disk: what it still holds is not read again. To be sure of the disk, scrub more data than fits
// into memory, or after `echo 1 > /proc/sys/vm/drop_caches`.

import { Slice, shown } from '../base/slice.ts'
import { dataName } from './filename.ts'
import { HintBuilder, type HintSubject, readHint } from './hint.ts'
import type { Pace } from './pace.ts'
import { HEAD_END, HEAD_GOOD } from './record.ts'
import { SegmentScanner } from './scanner.ts'
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-header.ts'
import type { Storage, StorageFile } from './storage.ts'
import { close, isMissing, isUnreadable, open, read, type Task, wait } from './task.ts'

export interface ScrubJob extends HintSubject {
  /** It has a hint, as far as is known. */
  readonly hinted: boolean
  readonly rateBytesPerSecond: number // 0: unlimited
}

/** A place that is damaged: [offset, offset + bytes) of the segment. */
export interface Damage {
  readonly offset: number
  readonly bytes: number
  readonly what: string
  /** The beginning of it, where it is known. */
  readonly key?: string
}

export interface ScrubResult {
  readonly bytesRead: number
  /** Damaged places; of these the first MAX_DAMAGES. */
  readonly damaged: number
  readonly damages: readonly Damage[]
  readonly isHintGood: boolean
}

/** A segment that is gone altogether has more places than anybody wants to hear of. */
const MAX_DAMAGES = 1000
/** So much is read between two looks at the rate, and at whether to go on. */
const STEP_BYTES = 256 * 1024

/** Reads one segment and its hint. `progress` is told the bytes read so far. Throws when the disk cannot be asked, not when it answers badly. */
export function* scrubSegment(
  storage: Storage,
  job: ScrubJob,
  pace: Pace,
  progress: (bytesRead: number) => void,
): Task<ScrubResult> {
  const damages: Damage[] = []
  let damaged = 0
  const found = (offset: number, end: number, what: string, key?: string): void => {
    const damage = { offset, bytes: end - offset, what }
    if (damaged++ < MAX_DAMAGES) damages.push(key === undefined ? damage : { ...damage, key })
  }
  let rested = 0
  function* rest(bytesRead: number): Task<void> {
    progress(bytesRead)
    const bytes = bytesRead - rested
    rested = bytesRead
    yield* wait<void>((done) => pace.spend(bytes, done as never))
  }
  const builder = new HintBuilder()
  let file: StorageFile | null = null
  try {
    file = yield* open(storage, dataName(job.number), 'read')
  } catch (error) {
    if (!isMissing(error)) throw error
    found(0, job.validBytes, 'the file is missing')
  }
  if (file !== null) {
    try {
      if (!(yield* isHeaderGood(file, job))) found(0, SEGMENT_HEADER_BYTES, 'its header is damaged')
      const scanner = new SegmentScanner(file, job.salt, SEGMENT_HEADER_BYTES, job.validBytes)
      for (;;) {
        const status = scanner.nextHeld() ? HEAD_GOOD : yield* scanner.next()
        if (status === HEAD_END) break
        const from = scanner.offset
        if (status !== HEAD_GOOD) {
          const resumed = yield* scanner.resync()
          found(from, resumed ? scanner.offset : job.validBytes, 'no record can be read')
          if (!resumed) break
          continue
        }
        const end = from + (scanner.head.end - scanner.at)
        if (!scanner.valueGood) {
          const { keyStart, keyLength } = scanner.head
          const key = shown(new Slice(scanner.bytes, keyStart, keyStart + keyLength))
          found(from, end, 'a value does not match its checksum', key)
        }
        builder.add(scanner.bytes, scanner.head, from)
        if (end - rested >= STEP_BYTES) {
          yield* rest(end)
        }
      }
    } finally {
      yield* close(file)
    }
  }
  let bytesRead = file === null ? 0 : job.validBytes
  let isHintGood = true
  if (job.hinted) {
    const hint = yield* readHint(storage, job)
    if (hint !== null) bytesRead += hint.bytes.length
    // What hurt data would say as a hint is worth nothing: then the hint is judged by its own checksum.
    isHintGood = hint !== null && (damaged > 0 || builder.finish(job).equals(hint.bytes))
  }
  yield* rest(bytesRead)
  return { bytesRead, damaged, damages, isHintGood }
}

function* isHeaderGood(file: StorageFile, job: ScrubJob): Task<boolean> {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  let got = 0
  try {
    got = yield* read(file, bytes, 0, bytes.length, 0)
  } catch (error) {
    if (!isUnreadable(error)) throw error
  }
  const header = decodeSegmentHeader(bytes.subarray(0, got))
  if (typeof header === 'string' || header.number !== job.number) return false
  return header.salt.low === job.salt.low && header.salt.high === job.salt.high
}
