// Recovery: from the files of a directory to a keydir, whatever happened before.
//
//   1. MANIFEST says which segments are data. Files of our naming that it does not list are removed. With no good manifest nothing is
//      removed and all segments are read.
//   2. Sealed segments are loaded from their hints, or from their data where a hint is not good. They were synced: a bad record in them
//      is rot, and reported.
//   3. Open segments are the end of the log. There, and only beyond the last proven position, torn is legal (log-end.ts): reading stops
//      at the first gap beyond it, and all that follows is dropped (kept in quarantine/). A gap below it is rot.
//   4. What lies between the proven position and the end was perhaps never synced: after a failed or missing sync the page cache shows
//      what the disk does not have. So it is copied, with its sequences, into a fresh segment that is synced and listed before anyone is
//      served. Batches without their end never happened.
//   5. The keydir is tidied: tombstones go, keys of flushed databases go, live bytes of touches are counted (replay.ts).
//
// Damage whose keys are known (a bad value) costs those keys an error when they are read. A lost head hides which keys it was about: an
// older value might be taken for the newest. Then the start is refused, unless `on-corruption serve`.

import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { MAX_SPANS, Spans } from '../base/spans.ts'
import type { Background } from './background.ts'
import type { Catalog } from './catalog.ts'
import type { Databases } from './databases.ts'
import { dataName, hintName, isTemporary, parseSegmentName } from './filename.ts'
import { readHintEntry } from './hint.ts'
import { type OrderedHint, orderedHint } from './hint-order.ts'
import type { Keydir } from './keydir/keydir.ts'
import { LogEndFinder } from './log-end.ts'
import type { Manifest, ManifestSegment } from './manifest.ts'
import type { Portions } from './portions.ts'
import { quarantine } from './quarantine.ts'
import {
  HEAD_END,
  HEAD_GOOD,
  HEAD_UNKNOWN,
  Head,
  KIND_ANCHOR,
  KIND_BATCH_END,
  KIND_SYSTEM,
  KIND_TOUCH,
} from './record.ts'
import { RecoveryError, unsupported } from './recovery-error.ts'
import { Replay, type SystemRecord } from './replay.ts'
import type { Reserve } from './reserve.ts'
import { recordLength, SegmentScanner } from './scanner.ts'
import { decodeSegmentHeader, type HeaderProblem, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.ts'
import type { Segment, Segments } from './segments.ts'
import type { Storage, StorageFile } from './storage.ts'
import { TailCopy } from './tail-copy.ts'
import { begin, close, isMissing, isUnreadable, open, read, size, type Task, unlink, wait } from './task.ts'

/** Loading gives way to others (PING answers -LOADING) after this long. */
const SLICE_MS = 8

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
  system: SystemRecord
  quarantinedBytes: number
  /** Segments that hold nothing any more: to be retired once the manifest no longer lists them. */
  readonly emptied: Segment[]
}

export class Recovery {
  private readonly p: RecoveryParts
  private readonly replay: Replay
  private readonly logEnd: LogEndFinder
  private readonly head = new Head()
  private readonly emptied: Segment[] = []
  private quarantinedBytes = 0
  private sealedBytes = 0
  /** How many of the last hint's records were of keys not seen before. */
  private newPart = 1
  /** What is lost, and nobody knows which keys it was about: a reason not to start. */
  readonly lost: string[] = []
  private yieldedAt: number

  constructor(parts: RecoveryParts) {
    this.p = parts
    this.replay = new Replay(parts.keydir, parts.segments, parts.databases)
    this.logEnd = new LogEndFinder(
      (segment) => this.fileOf(segment),
      () => this.giveWay(),
    )
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
    // By what they hold, not by number: a merge writes old values into new segments, and a touch that is read before its value has to wait for it.
    sealed.sort((a, b) => a.lowSequence - b.lowSequence)
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
      this.refuseIfLost() // before anything is written: who tries again and again would fill the disk with copies of the log's end
      yield* this.loadLogEnd(openOnes)
    }
    this.refuseIfLost()
    for (const segment of openOnes) yield* this.forgetHint(segment)
    yield* this.replay.tidy(() => this.giveWay())
    if (manifest !== null) this.replay.used(manifest.nextSequence - 1)
    const { lastSequence, system } = this.replay
    return { lastSequence, system, quarantinedBytes: this.quarantinedBytes, emptied: this.emptied }
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
        const header = yield* this.readHeader(file, bytes)
        if (header === 'newer') throw unsupported(name)
        // A segment that was being created when the process died: it never had a record.
        const length = yield* size(file)
        if (length <= SEGMENT_HEADER_BYTES && bytes.every((byte) => byte === 0)) continue
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
    this.replay.used(each.highSequence)
    let length: number
    try {
      const file = yield* open(storage, dataName(each.number), 'read')
      segment.file = file
      length = yield* size(file)
      const header = yield* this.readHeader(file, Buffer.alloc(SEGMENT_HEADER_BYTES))
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
        this.emptied.push(segment)
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

  // One that cannot be read is one that is damaged; what is not good is read once more, for a read can go wrong.
  private *readHeader(file: StorageFile, into: Buffer): Task<SegmentHeader | HeaderProblem> {
    const first = yield* this.readHeaderOnce(file, into)
    return typeof first === 'string' ? yield* this.readHeaderOnce(file, into) : first
  }

  private *readHeaderOnce(file: StorageFile, into: Buffer): Task<SegmentHeader | HeaderProblem> {
    try {
      const got = yield* read(file, into, 0, into.length, 0)
      return decodeSegmentHeader(into.subarray(0, got))
    } catch (error) {
      if (!isUnreadable(error)) throw error
      into.fill(0xff)
      return 'damaged'
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
      this.lost.length = 0 // said once
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
    const { background, keydir, logger, portions, storage } = this.p
    const subject = { number: segment.number, salt: segment.salt, validBytes: segment.sizeBytes }
    if (this.sealedBytes <= portions.hintsElsewhereBytes) return () => orderedHint(storage, subject, keydir.seed, spare)
    // Whatever keeps the background from it: a hint is a cache, and the data says the same.
    return begin((done) =>
      background.order(subject, keydir.seed, spare, (error, hint) => {
        if (error !== null) {
          logger.warning('A hint could not be put in order: the data is read instead', { error: error.message })
        }
        done(null, hint ?? null)
      }),
    )
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
        this.replay.apply(segment, offset, head, buffer, hashes[i] as number)
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
    this.replay.apply(segment, offset, head, bytes)
  }

  private lose(segment: Segment, from: number, to: number): void {
    this.report(segment, from, `${to - from} bytes are unreadable`)
    this.lost.push(`${dataName(segment.number)} bytes ${from} to ${to}`)
  }

  // Without a manifest nothing says where a segment ends: a gap with no anchor behind it is taken for a torn tail.
  private *loadSalvaged(segment: Segment): Task<void> {
    const { end } = yield* this.logEnd.survey([segment])
    if (end.offset < segment.sizeBytes) yield* this.drop(segment, end.offset, segment.sizeBytes)
    segment.sizeBytes = end.offset
    segment.flushedBytes = end.offset
    segment.syncedBytes = end.offset
    segment.sealed = true
    yield* this.scan(segment, end.offset)
    this.p.segments.release(segment)
  }

  // --- the end of the log

  private *loadLogEnd(openOnes: readonly Segment[]): Task<void> {
    if (openOnes.length === 0) return
    const { proven, end, readTo: wholeTo, toldLength } = yield* this.logEnd.survey(openOnes)
    // Below the proven position: as it stands. Beyond it: copied. Beyond the end: dropped.
    const parts = openOnes.map((_, rank) => {
      const readTo = wholeTo[rank] as number
      // A segment before the proven position is proven to its end: as its successor tells it, for its own file may be cut.
      const whole = Math.max(readTo, toldLength[rank] as number)
      const provenTo = rank < proven.rank ? whole : rank === proven.rank ? proven.offset : SEGMENT_HEADER_BYTES
      const readable = rank < end.rank ? readTo : rank === end.rank ? end.offset : SEGMENT_HEADER_BYTES
      const goodTo = Math.max(readable, provenTo)
      const keep = Math.min(provenTo, goodTo)
      return { goodTo, keep }
    })
    for (const [rank, segment] of openOnes.entries()) {
      const { keep } = parts[rank] as { keep: number }
      if (keep > SEGMENT_HEADER_BYTES) yield* this.scan(segment, keep)
    }
    this.refuseIfLost() // once more: a copy of the end of the log for each start that is refused would fill the disk
    yield* this.p.reserve.makeRoom(parts.reduce((sum, { goodTo, keep }) => sum + goodTo - keep, 0))
    const copy = new TailCopy(this.p.catalog)
    for (const [rank, segment] of openOnes.entries()) {
      const { goodTo, keep } = parts[rank] as { goodTo: number; keep: number }
      const fileBytes = segment.sizeBytes
      if (goodTo < fileBytes) yield* this.drop(segment, Math.max(goodTo, SEGMENT_HEADER_BYTES), fileBytes)
      yield* this.loadOpen(segment, keep, goodTo, copy)
      segment.sizeBytes = keep
      segment.flushedBytes = keep
      segment.syncedBytes = keep
      segment.sealed = true
      this.p.progress.loadedBytes += fileBytes
      if (keep <= SEGMENT_HEADER_BYTES) this.emptied.push(segment)
    }
    yield* copy.finish()
  }

  // Takes in the end of an open segment: from `keep` to `goodTo`, by way of the copy.
  private *loadOpen(segment: Segment, keep: number, goodTo: number, copy: TailCopy): Task<void> {
    if (goodTo <= keep) return
    const file = yield* this.fileOf(segment)
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
      this.replay.used(head.sequence)
      if (head.kind === KIND_ANCHOR || head.kind === KIND_BATCH_END) continue
      const to = yield* copy.add(segment, scanner)
      this.replay.apply(to.segment, to.offset, head, scanner.bytes)
      to.segment.note(head.sequence, head.timeMs)
      if (n % 256 === 0) yield* this.giveWay()
    }
  }

  private *drop(segment: Segment, from: number, to: number): Task<void> {
    const file = yield* this.fileOf(segment)
    this.quarantinedBytes += yield* quarantine(this.p.storage, this.p.logger, segment, file, from, to)
  }

  private *fileOf(segment: Segment): Task<StorageFile> {
    if (segment.file === null) yield* wait<void>((done) => this.p.segments.open(segment, done as never))
    return segment.file as StorageFile
  }

  private *giveWay(): Task<void> {
    const { clock } = this.p
    if (clock.monotonic() - this.yieldedAt < SLICE_MS) return
    yield* wait<void>((done) => clock.soon(() => done(null)))
    this.yieldedAt = clock.monotonic()
  }
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
