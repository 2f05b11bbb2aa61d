// The end of the log: among the open segments, how far it is proven to be synced, and how far it can be believed.
//
// An anchor claims how far the log was synced when it was written; the furthest claim is the proven position, and a gap below it is rot.
// Beyond it torn is legal: the log ends at the first gap there, in whichever open segment that lies, never inside a batch. A gap is what
// cannot be read, a record whose value is bad, and what a segment lacks of the length that its successor's first anchor tells.

import { ANCHOR_KEY_BYTES, type AnchorClaim, readClaim } from './anchor.ts'
import { dataName } from './filename.ts'
import { FLAG_BATCH, HEAD_END, HEAD_GOOD, HEAD_UNKNOWN, KIND_ANCHOR } from './record.ts'
import { unsupported } from './recovery-error.ts'
import { recordLength, SegmentScanner } from './scanner.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'
import type { Segment } from './segments.ts'
import type { StorageFile } from './storage.ts'
import type { Task } from './task.ts'

/** A place in the log: a segment (by its rank among the open ones) and an offset. */
export interface LogPlace {
  readonly rank: number
  readonly offset: number
}

export interface LogEnd {
  /** Synced up to here, whatever happened. */
  readonly proven: LogPlace
  /** What follows is dropped. Not before `proven`. */
  readonly end: LogPlace
  /** For each open segment, the end of its last whole batch. */
  readonly readTo: readonly number[]
  /** For each, its length as its successor's first anchor tells it; 0 when nobody does. */
  readonly toldLength: readonly number[]
}

export class LogEndFinder {
  private readonly fileOf: (segment: Segment) => Task<StorageFile>
  private readonly giveWay: () => Task<void>

  /** `giveWay` is called often, and lets others have their turn when it is time. */
  constructor(fileOf: (segment: Segment) => Task<StorageFile>, giveWay: () => Task<void>) {
    this.fileOf = fileOf
    this.giveWay = giveWay
  }

  /** Reads the open segments once, without taking anything in. */
  *survey(openOnes: readonly Segment[]): Task<LogEnd> {
    const ranks = new Map(openOnes.map((segment, rank) => [segment.number, rank]))
    const gaps: { at: LogPlace; to: LogPlace }[] = []
    let proven: LogPlace = { rank: 0, offset: SEGMENT_HEADER_BYTES }
    let last: LogPlace = proven
    // The manifest claims something too: a merge has synced the log before it let go of older values, and perhaps no anchor says so yet.
    for (const [rank, { syncedBytes }] of openOnes.entries()) {
      if (syncedBytes > SEGMENT_HEADER_BYTES) proven = { rank, offset: syncedBytes }
    }
    const readTo: number[] = []
    const toldLength = openOnes.map(() => 0)
    for (const [rank, segment] of openOnes.entries()) {
      const file = yield* this.fileOf(segment)
      const scanner = new SegmentScanner(file, segment.salt, SEGMENT_HEADER_BYTES, segment.sizeBytes)
      let atStart = true
      let goodTo = SEGMENT_HEADER_BYTES
      // Batches are taken in whole: the end of what is good never lies inside one.
      let inBatch = false
      for (let n = 0; ; n++) {
        const status = scanner.nextHeld() ? HEAD_GOOD : yield* scanner.next()
        if (status === HEAD_UNKNOWN) throw unsupported(dataName(segment.number))
        if (status === HEAD_END) break
        if (status !== HEAD_GOOD || !scanner.valueGood) {
          // A value that is bad is as torn as a head, beyond the proven position.
          const from = scanner.offset
          if (status === HEAD_GOOD) {
            gaps.push({
              at: { rank, offset: inBatch ? goodTo : from },
              to: { rank, offset: from + recordLength(scanner) },
            })
            continue
          }
          const resumed = yield* scanner.resync()
          const to = resumed ? scanner.offset : segment.sizeBytes
          gaps.push({ at: { rank, offset: inBatch ? goodTo : from }, to: { rank, offset: to } })
          inBatch = false
          if (!resumed) break
          continue
        }
        const { head } = scanner
        const after = scanner.offset + recordLength(scanner)
        if (head.kind === KIND_ANCHOR) {
          const claim = readClaim(scanner.view, head.keyStart + ANCHOR_KEY_BYTES)
          const claimed = placeOf(claim, ranks)
          if (claimed !== null && isBefore(proven, claimed)) proven = claimed
          if (atStart && rank > 0) {
            const before = openOnes[rank - 1] as Segment
            if (claim.previousSegment === before.number) toldLength[rank - 1] = claim.previousLength
            if (
              claim.previousSegment === before.number &&
              last.offset < claim.previousLength &&
              last.rank === rank - 1
            ) {
              gaps.push({ at: last, to: { rank: rank - 1, offset: claim.previousLength } })
            }
          }
          if (!inBatch) goodTo = after
        } else if ((head.flags & FLAG_BATCH) !== 0) {
          inBatch = true
        } else {
          inBatch = false
          goodTo = after
        }
        atStart = false
        if (n % 256 === 0) yield* this.giveWay()
      }
      readTo.push(goodTo)
      if (goodTo > SEGMENT_HEADER_BYTES || rank === 0) last = { rank, offset: goodTo }
    }
    gaps.sort((a, b) => (isBefore(a.at, b.at) ? -1 : 1))
    let end = last
    for (const gap of gaps) {
      if (isBefore(gap.at, proven)) {
        // Rot: met again, and reported, when the records are taken in. If it reaches beyond the proven position, what follows that
        // position has not been looked at yet.
        if (!isBefore(proven, gap.to)) continue
        const reached = yield* this.goodFrom(openOnes[proven.rank] as Segment, proven.offset, gap.to.offset)
        if (reached >= gap.to.offset) continue
        end = { rank: proven.rank, offset: reached }
        break
      }
      end = gap.at
      break
    }
    return { proven, end: isBefore(end, proven) ? proven : end, readTo, toldLength }
  }

  // How far whole batches follow each other from `from`, a record's place, to `to`.
  private *goodFrom(segment: Segment, from: number, to: number): Task<number> {
    const file = yield* this.fileOf(segment)
    const scanner = new SegmentScanner(file, segment.salt, from, segment.sizeBytes)
    let reached = from
    for (;;) {
      const status = scanner.nextHeld() ? HEAD_GOOD : yield* scanner.next()
      if (status !== HEAD_GOOD || !scanner.valueGood || scanner.offset >= to) return reached
      if ((scanner.head.flags & FLAG_BATCH) === 0) reached = scanner.offset + recordLength(scanner)
    }
  }
}

const isBefore = (a: LogPlace, b: LogPlace): boolean => a.rank < b.rank || (a.rank === b.rank && a.offset < b.offset)

// A claim in terms of the open segments; null when it names an older one, or nothing.
function placeOf(claim: AnchorClaim, ranks: ReadonlyMap<number, number>): LogPlace | null {
  const rank = ranks.get(claim.provenSegment)
  return rank === undefined ? null : { rank, offset: claim.provenOffset }
}
