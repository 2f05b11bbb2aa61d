// Recovery: from the files of a directory to a keydir, whatever happened before.
//
//   1. MANIFEST says which segments are data. Files of our naming that it does not list are removed. With no good manifest nothing is
//      removed and all segments are read.
//   2. Sealed segments are loaded from their hints, or from their data where a hint is not good. They were synced: a bad record in them
//      is rot, and reported.
//   3. Open segments are the end of the log. There, and only beyond the last proven position, torn is legal. An anchor claims how far
//      the log was synced when it was written; the furthest claim is the proven position. Reading stops at the first gap beyond it, in
//      whichever open segment that lies, and all that follows is dropped (kept in quarantine/). A gap below it is rot.
//   4. What lies between the proven position and the end was perhaps never synced: after a failed or missing sync the page cache shows
//      what the disk does not have. So it is copied, with its sequences, into a fresh segment that is synced and listed before anyone is
//      served. Batches without their end never happened.
//   5. The keydir is tidied: tombstones go, keys of flushed databases go, live bytes of touches are counted.
//
// The newest sequence of a key wins, in whatever order segments are read. No clock is asked.
//
// Damage whose keys are known (a bad value) costs those keys an error when they are read. A lost head hides which keys it was about: an
// older value might be taken for the newest. Then the start is refused, unless `on-corruption serve`.

import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { Slice } from '../base/slice.ts'
import { MAX_SPANS, Spans } from '../base/spans.ts'
import { ANCHOR_KEY_BYTES, type AnchorClaim, readClaim } from './anchor.ts'
import type { Background } from './background.ts'
import type { Catalog } from './catalog.ts'
import type { Databases } from './databases.ts'
import { NONE } from './engine.ts'
import { dataName, hintName, isTemporary, parseSegmentName, QUARANTINE } from './filename.ts'
import { readHintEntry } from './hint.ts'
import { type OrderedHint, orderedHint } from './hint-order.ts'
import type { Keydir } from './keydir/keydir.ts'
import type { Manifest, ManifestSegment } from './manifest.ts'
import type { Portions } from './portions.ts'
import {
  FLAG_BATCH,
  FLAG_EXPIRY,
  HEAD_END,
  HEAD_GOOD,
  HEAD_UNKNOWN,
  Head,
  KIND_ANCHOR,
  KIND_BATCH_END,
  KIND_SYSTEM,
  KIND_TOMBSTONE,
  KIND_TOUCH,
  KIND_VALUE,
  readUint48,
  recordBytes,
  TOUCH_BYTES,
} from './record.ts'
import type { Reserve } from './reserve.ts'
import { SegmentScanner } from './scanner.ts'
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-header.ts'
import type { Segment, Segments } from './segments.ts'
import type { Storage, StorageFile } from './storage.ts'
import { TailCopy } from './tail-copy.ts'
import {
  begin,
  close,
  isMissing,
  isUnreadable,
  list,
  open,
  read,
  size,
  type Task,
  unlink,
  wait,
  write,
} from './task.ts'

/** Type of a keydir entry that stands for a delete; only while loading. */
const TOMBSTONE_TYPE = 7
/** Loading gives way to others (PING answers -LOADING) after this long. */
const SLICE_MS = 8
const QUARANTINE_BYTES = 4 * 1024 * 1024
const QUARANTINE_FILES = 16

export class RecoveryError extends Error {
  readonly code: 'EUNSUPPORTED' | 'EDAMAGED' | 'ENOSPC'

  constructor(code: RecoveryError['code'], message: string) {
    super(message)
    this.code = code
  }
}

interface Touch {
  readonly sequence: number
  readonly expiry: number
  readonly segment: Segment
  readonly offset: number
}

export interface RecoveryParts {
  readonly storage: Storage
  readonly clock: Clock
  readonly logger: Logger
  readonly keydir: Keydir
  readonly segments: Segments
  readonly databases: Databases
  readonly catalog: Catalog
  readonly background: Background
  readonly portions: Portions
  readonly reserve: Reserve
  readonly onCorruption: 'refuse' | 'serve'
  readonly progress: { totalBytes: number; loadedBytes: number }
}

export interface Recovered {
  lastSequence: number
  system: { segment: Segment | null; offset: number; bytes: number; sequence: number }
  quarantinedBytes: number
  /** Segments that hold nothing any more: to be retired once the manifest no longer lists them. */
  readonly emptied: Segment[]
}

/** A place in the log: a segment (by its rank among the open ones) and an offset. */
interface LogPlace {
  readonly rank: number
  readonly offset: number
}

export class Recovery {
  private readonly p: RecoveryParts
  /** Touches whose value has not been read yet, by that value's sequence: the newest each. */
  private readonly touches = new Map<number, Touch>()
  private readonly key = new Slice()
  private readonly head = new Head()
  private readonly out: Recovered
  private systemValue: Buffer | null = null
  private highestDatabase = 0
  private sealedBytes = 0
  /** How many of the last hint's records were of keys not seen before. */
  private newPart = 1
  /** Entries that stand for a delete. */
  private tombstones = 0
  /** What is lost, and nobody knows which keys it was about: a reason not to start. */
  readonly lost: string[] = []
  private yieldedAt: number

  constructor(parts: RecoveryParts) {
    this.p = parts
    this.out = {
      lastSequence: 0,
      system: { segment: null, offset: 0, bytes: 0, sequence: 0 },
      quarantinedBytes: 0,
      emptied: [],
    }
    this.yieldedAt = parts.clock.monotonic()
  }

  /** Loads everything a manifest lists (null: there is none that is good, and `names` are all files). */
  *load(manifest: Manifest | null, names: readonly string[]): Task<Recovered> {
    this.p.keydir.beginBulk()
    const listed = manifest === null ? yield* this.salvage(names) : manifest.segments
    const sealed: Segment[] = []
    const openOnes: Segment[] = []
    for (const each of [...listed].sort((a, b) => a.number - b.number)) {
      const segment = yield* this.register(each)
      if (segment === null) continue
      if (each.sealed) sealed.push(segment)
      else openOnes.push(segment)
      this.p.progress.totalBytes += segment.sizeBytes
    }
    this.sealedBytes = sealed.reduce((sum, segment) => sum + segment.sizeBytes, 0)
    let hint = this.beginHint(sealed[0], null)
    let loaded: OrderedHint | null = null
    for (const [i, segment] of sealed.entries()) {
      const ordered: OrderedHint | null = yield* hint()
      hint = this.beginHint(sealed[i + 1], loaded)
      yield* this.loadSealed(segment, ordered)
      loaded = ordered
      this.p.progress.loadedBytes += segment.sizeBytes
    }
    if (manifest === null) {
      for (const segment of openOnes) yield* this.loadSalvaged(segment)
    } else {
      yield* this.loadLogEnd(openOnes)
    }
    this.refuseIfLost()
    for (const segment of openOnes) yield* this.forgetHint(segment)
    yield* this.tidy()
    if (manifest !== null) this.out.lastSequence = Math.max(this.out.lastSequence, manifest.nextSequence - 1)
    return this.out
  }

  // --- which files

  // No good manifest: every segment file with a good header is data, its end found by reading.
  private *salvage(names: readonly string[]): Task<ManifestSegment[]> {
    const found: ManifestSegment[] = []
    for (const name of names) {
      const parsed = parseSegmentName(name)
      if (parsed === null || parsed.kind !== 'data') continue
      const file = yield* open(this.p.storage, name, 'read')
      try {
        const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
        const got = yield* this.readHeader(file, bytes)
        const header = decodeSegmentHeader(bytes.subarray(0, got))
        if (header === 'newer') throw unsupported(name)
        // A segment that was being created when the process died: it never had a record.
        const length = yield* size(file)
        if (length <= SEGMENT_HEADER_BYTES && bytes.subarray(0, got).every((byte) => byte === 0)) continue
        if (length < SEGMENT_HEADER_BYTES) continue
        if (typeof header === 'string' || header.number !== parsed.number) {
          this.lost.push(`${name} has no good header`)
          continue
        }
        header.storeId.copy(this.p.catalog.storeId)
        const nothing = { validBytes: 0, lowSequence: 0, highSequence: 0, lowTime: 0, highTime: 0 }
        found.push({
          ...nothing,
          number: header.number,
          salt: header.salt,
          sealed: false,
          merged: false,
          damaged: false,
        })
      } finally {
        yield* close(file)
      }
    }
    this.p.logger.warning('There is no good MANIFEST: all segment files are read and nothing is removed', {
      segments: found.length,
    })
    return found
  }

  // Opens a listed segment and looks at its header and length.
  private *register(each: ManifestSegment): Task<Segment | null> {
    const { segments, storage } = this.p
    const segment = segments.add(each.number, each.salt, each.merged)
    segment.listed = true
    segment.damaged = each.damaged
    segment.lowSequence = each.lowSequence
    segment.highSequence = each.highSequence
    segment.lowTime = each.lowTime
    segment.highTime = each.highTime
    // Hints do not name batch ends, which have sequences too.
    this.out.lastSequence = Math.max(this.out.lastSequence, each.highSequence)
    let length: number
    try {
      const file = yield* open(storage, dataName(each.number), 'read')
      segment.file = file
      length = yield* size(file)
      const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
      const got = yield* this.readHeader(file, bytes)
      const header = decodeSegmentHeader(bytes.subarray(0, got))
      if (header === 'newer') throw unsupported(dataName(each.number))
      const good =
        typeof header !== 'string' &&
        header.number === each.number &&
        header.salt.low === each.salt.low &&
        header.salt.high === each.salt.high
      // The manifest knows number and salt as well, so a lost header costs nothing but this line.
      if (!good) this.report(segment, 0, 'its header is damaged')
    } catch (error) {
      if (!isMissing(error)) throw error
      if (!each.sealed) {
        this.lost.push(`${dataName(each.number)} is missing`)
        this.out.emptied.push(segment)
        return null
      }
      // A good hint still names its keys: they get an error, and nobody an older value.
      this.report(segment, 0, 'its file is missing')
      length = each.validBytes
    }
    if (each.sealed) {
      segment.sealed = true
      segment.sizeBytes = each.validBytes
      if (length < each.validBytes) this.report(segment, length, `it is ${each.validBytes - length} bytes short`)
    } else {
      segment.sizeBytes = Math.max(SEGMENT_HEADER_BYTES, length)
    }
    segment.flushedBytes = segment.sizeBytes
    segment.syncedBytes = Math.max(SEGMENT_HEADER_BYTES, each.validBytes)
    segments.release(segment)
    return segment
  }

  // One that cannot be read is one that is damaged.
  private *readHeader(file: StorageFile, into: Buffer): Task<number> {
    try {
      return yield* read(file, into, 0, into.length, 0)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      return into.fill(0xff).length
    }
  }

  private report(segment: Segment, offset: number, what: string): void {
    segment.damaged = true
    this.p.logger.warning('Damage found', { segment: segment.number, offset, what })
  }

  private refuseIfLost(): void {
    if (this.lost.length === 0) return
    const what = this.lost.join('; ')
    if (this.p.onCorruption === 'serve') {
      this.p.logger.warning('Serving although records are lost (on-corruption serve)', { lost: what })
      return
    }
    throw new RecoveryError(
      'EDAMAGED',
      `Records are lost, and which keys they were about is not known: ${what}. Older values could be taken for the newest ones. Restore the directory from a backup, or start with --on-corruption serve to serve what is left.`,
    )
  }

  // --- sealed segments

  /** Has a segment's hint read and ordered; gives what waits for it. */
  private beginHint(segment: Segment | undefined, spare: OrderedHint | null): () => Task<OrderedHint | null> {
    if (segment === undefined) return begin((done) => done(null, null))
    const { background, keydir, portions, storage } = this.p
    const subject = { number: segment.number, salt: segment.salt, validBytes: segment.sizeBytes }
    if (this.sealedBytes <= portions.hintsElsewhereBytes) return () => orderedHint(storage, subject, keydir.seed, spare)
    // Whatever keeps the background from it: a hint is a cache, and the data says the same.
    return begin((done) => background.order(subject, keydir.seed, spare, (_error, hint) => done(null, hint ?? null)))
  }

  private *loadSealed(segment: Segment, hint: OrderedHint | null): Task<void> {
    if (hint !== null) {
      segment.hinted = true
      yield* this.loadHint(segment, hint)
    } else if (segment.file === null && !(yield* this.exists(segment))) {
      this.lost.push(`${dataName(segment.number)} is missing`)
    } else {
      yield* this.scan(segment, segment.sizeBytes)
    }
  }

  private *exists(segment: Segment): Task<boolean> {
    try {
      yield* this.fileOf(segment)
      return true
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
  }

  // A crash can leave the hint of a segment that its manifest lists as open. What was read is what the data says; the next start, for which
  // the segment is sealed, must not read something else from a hint that this one did not look at.
  private *forgetHint(segment: Segment): Task<void> {
    try {
      yield* unlink(this.p.storage, hintName(segment.number))
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }

  private *loadHint(segment: Segment, { bytes, hashes }: OrderedHint): Task<void> {
    const { head } = this
    const { keydir, progress } = this.p
    // If what is left is like this one, and brings as many new keys as the one before.
    const left = (progress.totalBytes - progress.loadedBytes) / segment.sizeBytes
    const before = keydir.total
    keydir.expect(before + hashes.length * left * this.newPart)
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    let at = 0
    for (let i = 0; i < hashes.length; ) {
      const end = Math.min(i + 512, hashes.length)
      for (; i < end; i++) {
        const offset = readHintEntry(view, at, head)
        at = head.end
        this.apply(segment, offset, head, buffer, hashes[i] as number)
      }
      yield* this.giveWay()
    }
    this.newPart = (keydir.total - before) / Math.max(1, hashes.length)
  }

  // Reads a synced segment's data: every gap in it is rot. Batches of sealed segments are complete.
  private *scan(segment: Segment, limit: number): Task<void> {
    const file = yield* this.fileOf(segment)
    const scanner = new SegmentScanner(file, segment.salt, SEGMENT_HEADER_BYTES, limit)
    for (;;) {
      if (this.applyHeld(segment, scanner)) {
        yield* this.giveWay()
        continue
      }
      const status = yield* scanner.next()
      if (status === HEAD_END) return
      if (status === HEAD_UNKNOWN) throw unsupported(dataName(segment.number))
      if (status !== HEAD_GOOD) {
        const from = scanner.offset
        const resumed = yield* scanner.resync()
        this.lose(segment, from, resumed ? scanner.offset : limit)
        if (!resumed) return
        continue
      }
      if (!scanner.valueGood) {
        // A reader of that key will be told. What a touch or the map of databases says nobody reads again, so it is lost here.
        if (scanner.head.kind === KIND_TOUCH || scanner.head.kind === KIND_SYSTEM) {
          this.lose(segment, scanner.offset, scanner.offset + recordLength(scanner))
          continue
        }
        this.report(segment, scanner.offset, 'a value does not match its checksum')
      }
      this.applyScanned(segment, scanner.offset, scanner.head, scanner.bytes)
    }
  }

  private readonly heads = Array.from({ length: MAX_SPANS }, () => new Head())
  private readonly offsets = new Uint32Array(MAX_SPANS)
  private readonly ahead = new Spans()

  // Takes in the records that the scanner has in memory, some at a time: their keys are looked for together, which takes half as long
  // (keydir.ts: prefetch). False: there are none, or the first is not good.
  private applyHeld(segment: Segment, scanner: SegmentScanner): boolean {
    const { heads, offsets, ahead } = this
    const own = scanner.head
    let count = 0
    ahead.bytes = scanner.bytes
    ahead.count = 0
    for (; count < MAX_SPANS; count++) {
      const head = heads[count] as Head
      scanner.head = head
      if (!scanner.nextHeld()) break
      offsets[count] = scanner.offset
      if (head.database !== (heads[0] as Head).database) continue
      ahead.starts[ahead.count] = head.keyStart
      ahead.ends[ahead.count++] = head.valueStart
    }
    scanner.head = own
    if (count === 0) return false
    this.p.keydir.prefetch((heads[0] as Head).database, ahead)
    for (let i = 0; i < count; i++) {
      this.applyScanned(segment, offsets[i] as number, heads[i] as Head, scanner.bytes)
    }
    return true
  }

  private applyScanned(segment: Segment, offset: number, head: Head, bytes: Buffer): void {
    // An open segment's range is in no manifest yet, and a merge asks it whether older records may lie here.
    if (head.kind !== KIND_ANCHOR) segment.note(head.sequence, head.timeMs)
    this.apply(segment, offset, head, bytes)
  }

  private lose(segment: Segment, from: number, to: number): void {
    this.report(segment, from, `${to - from} bytes are unreadable`)
    this.lost.push(`${dataName(segment.number)} bytes ${from} to ${to}`)
  }

  // Without a manifest nothing says where a segment ends: a gap with no anchor behind it is taken for a torn tail.
  private *loadSalvaged(segment: Segment): Task<void> {
    const end = yield* this.survey([segment])
    if (end.offset < segment.sizeBytes) yield* this.quarantine(segment, end.offset, segment.sizeBytes)
    segment.sizeBytes = end.offset
    segment.flushedBytes = end.offset
    segment.syncedBytes = end.offset
    segment.sealed = true
    yield* this.scan(segment, end.offset)
  }

  // --- the end of the log

  private *loadLogEnd(openOnes: readonly Segment[]): Task<void> {
    if (openOnes.length === 0) return
    const end = yield* this.survey(openOnes)
    const { proven } = this
    // Below the proven position: as it stands. Beyond it: copied. Beyond the end: dropped.
    const copy = new TailCopy(this.p.catalog)
    yield* this.p.reserve.makeRoom(this.readTo.reduce((sum, readTo) => sum + readTo, 0))
    for (const [rank, segment] of openOnes.entries()) {
      const readTo = this.readTo[rank] as number
      // A segment before the proven position is proven to its end: as its successor tells it, for its own file may be cut.
      const whole = Math.max(readTo, this.toldLength[rank] as number)
      const provenTo = rank < proven.rank ? whole : rank === proven.rank ? proven.offset : SEGMENT_HEADER_BYTES
      const readable = rank < end.rank ? readTo : rank === end.rank ? end.offset : SEGMENT_HEADER_BYTES
      const goodTo = Math.max(readable, provenTo)
      const fileBytes = segment.sizeBytes
      if (goodTo < fileBytes) yield* this.quarantine(segment, Math.max(goodTo, SEGMENT_HEADER_BYTES), fileBytes)
      const keep = Math.min(provenTo, goodTo)
      yield* this.loadOpen(segment, keep, goodTo, copy)
      segment.sizeBytes = keep
      segment.flushedBytes = keep
      segment.syncedBytes = keep
      segment.sealed = true
      this.p.progress.loadedBytes += fileBytes
      if (keep <= SEGMENT_HEADER_BYTES) this.out.emptied.push(segment)
    }
    yield* copy.finish()
  }

  /** Where the log is proven to be synced up to, among the open segments. */
  private proven: LogPlace = { rank: 0, offset: SEGMENT_HEADER_BYTES }
  /** For each open segment, the end of its last whole batch. */
  private readTo: number[] = []
  /** Its length as its successor's first anchor tells it; 0 when nobody does. */
  private toldLength: number[] = []

  // Reads the open segments once, without taking anything in: finds the proven position and the end.
  private *survey(openOnes: readonly Segment[]): Task<LogPlace> {
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
    this.proven = proven
    this.readTo = readTo
    this.toldLength = toldLength
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
    return isBefore(end, proven) ? proven : end
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

  // Takes in an open segment: up to `keep` where it lies, from there to `goodTo` by way of the copy.
  private *loadOpen(segment: Segment, keep: number, goodTo: number, copy: TailCopy): Task<void> {
    const file = yield* this.fileOf(segment)
    if (keep > SEGMENT_HEADER_BYTES) {
      yield* this.scan(segment, keep)
    }
    if (goodTo <= keep) return
    const scanner = new SegmentScanner(file, segment.salt, Math.max(keep, SEGMENT_HEADER_BYTES), goodTo)
    for (let n = 0; ; n++) {
      const status = scanner.nextHeld() ? HEAD_GOOD : yield* scanner.next()
      if (status === HEAD_END) return
      // The survey has found these records good; a disk that now says otherwise ends the log here.
      if (status !== HEAD_GOOD || !scanner.valueGood) {
        this.report(segment, scanner.offset, 'the end of the log reads differently each time')
        return
      }
      const { head } = scanner
      // Not copied, but its sequence is used up: none is ever given out twice.
      this.out.lastSequence = Math.max(this.out.lastSequence, head.sequence)
      if (head.kind === KIND_ANCHOR || head.kind === KIND_BATCH_END) continue
      const to = yield* copy.add(segment, scanner)
      this.apply(to.segment, to.offset, head, scanner.bytes)
      to.segment.note(head.sequence, head.timeMs)
      if (n % 256 === 0) yield* this.giveWay()
    }
  }

  private *quarantine(segment: Segment, from: number, to: number): Task<void> {
    const { storage, logger } = this.p
    const bytes = Buffer.alloc(Math.min(to - from, QUARANTINE_BYTES))
    const file = yield* this.fileOf(segment)
    let dropped: Buffer
    try {
      dropped = bytes.subarray(0, yield* read(file, bytes, 0, bytes.length, from))
    } catch (error) {
      if (!isUnreadable(error)) throw error
      logger.warning('The log ends in bytes that cannot be read: dropped', { segment: segment.number, offset: from })
      return
    }
    // Zeros are space that was never written.
    if (dropped.every((byte) => byte === 0)) return
    const name = `${QUARANTINE}/${dataName(segment.number)}.${from}`
    logger.warning('The log ends in bytes that were never acknowledged as durable: dropped, a copy is kept', {
      segment: segment.number,
      offset: from,
      bytes: to - from,
      copy: name,
    })
    this.out.quarantinedBytes += to - from
    try {
      yield* wait<void>((done) =>
        storage.makeDirectory(QUARANTINE, (error) => done(error?.code === 'EEXIST' ? null : error)),
      )
      const names = yield* list(storage, QUARANTINE)
      if (names.length >= QUARANTINE_FILES) return
      const copy = yield* open(storage, name, 'create')
      try {
        yield* write(copy, dropped, 0, dropped.length, 0)
      } finally {
        yield* close(copy)
      }
    } catch (error) {
      logger.warning('The dropped bytes could not be kept', { error: (error as Error).message })
    }
  }

  private *fileOf(segment: Segment): Task<StorageFile> {
    if (segment.file === null) yield* wait<void>((done) => this.p.segments.open(segment, done as never))
    return segment.file as StorageFile
  }

  // --- taking a record in

  private apply(segment: Segment, offset: number, head: Head, bytes: Buffer, known: number | null = null): void {
    if (head.sequence > this.out.lastSequence) this.out.lastSequence = head.sequence
    const key = this.key.set(bytes, head.keyStart, head.valueStart)
    const hash = known ?? this.p.keydir.hash(head.database, key)
    switch (head.kind) {
      case KIND_VALUE:
        this.applyValue(segment, offset, head, key, hash)
        return
      case KIND_TOMBSTONE:
        segment.tombstones++
        segment.tombstoneBytes += recordBytes(0, head.keyLength, 0)
        this.applyTombstone(segment, head, key, hash)
        return
      case KIND_TOUCH: {
        const view = new DataView(bytes.buffer, bytes.byteOffset + head.valueStart, TOUCH_BYTES)
        const reference = readUint48(view, 0)
        const { sequence, expiry } = head
        this.applyTouch(head.database, key, hash, reference, { sequence, expiry, segment, offset })
        return
      }
      case KIND_SYSTEM:
        if (head.sequence > this.out.system.sequence) {
          const value = bytes.subarray(head.valueStart, head.valueStart + head.valueLength)
          this.systemValue = Buffer.from(value)
          const length = recordBytes(0, head.keyLength, head.valueLength)
          this.out.system = { segment, offset, bytes: length, sequence: head.sequence }
        }
        return
    }
  }

  private applyValue(segment: Segment, offset: number, head: Head, key: Slice, hash: number): void {
    const { keydir } = this.p
    if (head.database > this.highestDatabase) this.highestDatabase = head.database
    let entry = keydir.find(head.database, key, hash)
    if (entry === NONE) entry = keydir.insert(head.database, key, hash)
    else if (keydir.sequence(entry) >= head.sequence) return
    else this.replaced(entry)
    const wide = (head.flags & FLAG_EXPIRY) !== 0
    keydir.place(entry, segment.slot, offset, head.valueLength, head.sequence, head.type, wide)
    segment.liveBytes += recordBytes(head.flags & FLAG_EXPIRY, head.keyLength, head.valueLength)
    this.setExpiry(entry, head.expiry)
    const touch = this.touches.get(head.sequence)
    if (touch === undefined) return
    this.touches.delete(head.sequence)
    keydir.setExpiry(entry, touch.expiry)
    keydir.setTouch(entry, touch.sequence, touch.segment.slot, touch.offset)
  }

  // The state of a newer record: an older one's touch is nothing to it.
  private setExpiry(entry: number, expiry: number): void {
    const { keydir } = this.p
    if (expiry === 0 && !keydir.hasRow(entry)) return
    keydir.setExpiry(entry, expiry)
    if (keydir.hasRow(entry)) keydir.setTouch(entry, 0, 0, 0)
  }

  // Most touches lie behind their value and are applied at once; the others wait for it. A value that was overwritten has none.
  private applyTouch(database: number, key: Slice, hash: number, reference: number, touch: Touch): void {
    const { keydir } = this.p
    const entry = keydir.find(database, key, hash)
    const current = entry === NONE ? 0 : keydir.sequence(entry)
    if (current > reference) return
    if (current < reference || keydir.type(entry) === TOMBSTONE_TYPE) {
      const waiting = this.touches.get(reference)
      if (waiting === undefined || waiting.sequence < touch.sequence) this.touches.set(reference, touch)
      return
    }
    if (keydir.hasRow(entry) && keydir.touchSequence(entry) >= touch.sequence) return
    keydir.setExpiry(entry, touch.expiry)
    keydir.setTouch(entry, touch.sequence, touch.segment.slot, touch.offset)
  }

  private applyTombstone(segment: Segment, head: Head, key: Slice, hash: number): void {
    const { keydir } = this.p
    let entry = keydir.find(head.database, key, hash)
    if (entry === NONE) entry = keydir.insert(head.database, key, hash)
    else if (keydir.sequence(entry) >= head.sequence) return
    else this.replaced(entry)
    keydir.place(entry, segment.slot, 0, 0, head.sequence, TOMBSTONE_TYPE, false)
    this.tombstones++
    this.setExpiry(entry, 0)
  }

  // What an entry stood for is not the newest any more.
  private replaced(entry: number): void {
    const { keydir, segments } = this.p
    if (keydir.type(entry) === TOMBSTONE_TYPE) {
      this.tombstones--
      return
    }
    const length = recordBytes(keydir.wide(entry) ? FLAG_EXPIRY : 0, keydir.keyLength(entry), keydir.valueSize(entry))
    segments.at(keydir.segment(entry)).liveBytes -= length
  }

  // --- tidying

  private *tidy(): Task<void> {
    const { keydir, databases } = this.p
    const { system } = this.out
    if (this.systemValue !== null) databases.decode(this.systemValue)
    databases.used(this.highestDatabase)
    if (system.segment !== null) system.segment.liveBytes += system.bytes
    this.touches.clear()
    let cursor = 0
    do {
      cursor = keydir.settle(cursor)
      yield* this.giveWay()
    } while (cursor !== 0)
    // Most stores have nothing to tidy: looking at each entry would be a sixth of the time that loading takes.
    if (this.tombstones === 0 && keydir.rowCount === 0 && keydir.databaseIds().every((id) => databases.isMapped(id)))
      return
    do {
      cursor = keydir.scan(cursor, 1024, (entry) => this.tidyEntry(entry))
      yield* this.giveWay()
    } while (cursor !== 0)
  }

  private tidyEntry(entry: number): void {
    const { keydir, segments, databases } = this.p
    if (keydir.type(entry) === TOMBSTONE_TYPE || !databases.isMapped(keydir.database(entry))) {
      this.replaced(entry)
      keydir.unlink(entry)
      keydir.free(entry)
    } else if (keydir.touchSequence(entry) !== 0) {
      const expires = keydir.expiry(entry) !== 0 ? FLAG_EXPIRY : 0
      segments.at(keydir.touchSegment(entry)).liveBytes += recordBytes(expires, keydir.keyLength(entry), TOUCH_BYTES)
    }
  }

  private *giveWay(): Task<void> {
    const { clock } = this.p
    if (clock.monotonic() - this.yieldedAt < SLICE_MS) return
    yield* wait<void>((done) => clock.soon(() => done(null)))
    this.yieldedAt = clock.monotonic()
  }
}

const recordLength = (scanner: SegmentScanner): number => scanner.head.end - scanner.at

const isBefore = (a: LogPlace, b: LogPlace): boolean => a.rank < b.rank || (a.rank === b.rank && a.offset < b.offset)

// A claim in terms of the open segments; null when it names an older one, or nothing.
function placeOf(claim: AnchorClaim, ranks: ReadonlyMap<number, number>): LogPlace | null {
  const rank = ranks.get(claim.provenSegment)
  return rank === undefined ? null : { rank, offset: claim.provenOffset }
}

function unsupported(name: string): RecoveryError {
  return new RecoveryError(
    'EUNSUPPORTED',
    `${name} was written by a newer version of Casky. Start that version; nothing was changed.`,
  )
}

/** Removes files of our naming that a manifest does not list: they are no data. */
export function* removeUnlisted(storage: Storage, manifest: Manifest, names: readonly string[]): Task<void> {
  const listed = new Set(manifest.segments.map((segment) => segment.number))
  for (const name of names) {
    const parsed = parseSegmentName(name)
    if ((parsed === null || listed.has(parsed.number)) && !isTemporary(name)) continue
    try {
      yield* unlink(storage, name)
    } catch (error) {
      // The commit of a manifest removes what an interrupted one left.
      if (!isMissing(error)) throw error
    }
  }
}
