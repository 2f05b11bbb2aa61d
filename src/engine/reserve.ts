// The reserve: bytes held back on the disk for the day it is full.
//
// A store whose disk is full must still delete, merge and commit manifests, or it could never get out of that state. So a file of random
// bytes (a hole or zeros would reserve nothing on file systems that compress) lies ready; at ENOSPC it is given up, and writes resume
// when it could be built again. What runs out may also be the number of files, so some empty ones lie beside it.
//
// Deletes eat of what it leaves, and so do keys whose time has come, but those only of a part (upkeep.ts). When that is gone too, the last
// reserve is given up: with it the log is repaired and manifests are committed, so that merges can make room, and so that a start succeeds.
// Deletes are refused until it is back.
//
// What is given up is free, and others on that disk may take it. Where the system says that there is no room even for the last reserve, hints go,
// which are caches: at a start, and while all writes are refused. To a merge that lacks only files to make they go too, and then the reserve.
//
// A merge and the reserve live on the same room: each looks at what is free, and then takes it bit by bit. So a merge waits until no reserve is being
// built, and says what it counts on (`claim`), which is not free for a reserve then. (A merge failed for want of the files that the last reserve took.)
//
//   whole       reserve and last reserve are there
//   not whole   writes that grow are refused (GATE_FULL)
//   spent       the last one is given up as well: all writes are refused

import { randomFillSync } from 'node:crypto'
import { IMAGE, isTemporary, LAST_RESERVE, LAST_SPARE_FILES, RESERVE, SPARE_FILES, temporary } from './filename.ts'
import { NOTHING, type Room, type Space, type Storage, type StorageFile } from './storage.ts'
import {
  attempt,
  close,
  isMissing,
  list,
  open,
  rename,
  shortWrite,
  size,
  sync,
  type Task,
  unlink,
  wait,
} from './task.ts'

const CHUNK_BYTES = 1024 * 1024
/** What a start writes besides the end of the log: two segments' headers and a manifest. */
const START_BYTES = 1024 * 1024
/** Files it must be able to make: a copy of the end of the log, the segment after it, a manifest. */
const START_FILES = 3
/** What a stop or a build that came to nothing may have left: it takes room and means nothing. */
const LEFT_OVER = [RESERVE, LAST_RESERVE, IMAGE].map(temporary)
/** Never more than this part of the file system. */
const PART_OF_DISK = 0.05
/** A segment's header and a manifest of some thousand segments, or a quarter of a small reserve. */
const LAST_BYTES = 1024 * 1024

export class Reserve {
  private readonly storage: Storage
  private readonly wantedBytes: number
  /** Removes a file that is only a cache, and says whether there was one. */
  readonly giveUpCache: () => Task<boolean>
  /** What a merge that is under way counts on. */
  claim: Room = NOTHING
  /** How long it is, or would be. */
  sizeBytes = 0
  /** The reserve is there. */
  whole = false
  /** Not even the last one is there. */
  spent = false
  /** How often it was given up: a build that spans one has built nothing. */
  private givenUp = 0
  /** No file may have more bytes: with less, that is all the reserve there can be. */
  private longestFile = Number.POSITIVE_INFINITY
  private building = false
  private readonly waiting: (() => void)[] = []

  constructor(storage: Storage, wantedBytes: number, giveUpCache: () => Task<boolean>) {
    this.storage = storage
    this.wantedBytes = wantedBytes
    this.giveUpCache = giveUpCache
  }

  /**
   * Builds what is not there. Throws ENOSPC while the disk has no room for it and as much again, EAGAIN while a merge counts on that room. Never
   * twice at a time.
   */
  *build(): Task<void> {
    this.building = true
    try {
      yield* this.buildParts()
    } finally {
      this.building = false
      for (const each of this.waiting.splice(0)) each()
    }
  }

  /** Waits until nothing is being built. */
  *whenStill(): Task<void> {
    if (this.building) yield* wait<void>((done) => this.waiting.push(() => done(null)))
  }

  private *buildParts(): Task<void> {
    if (this.wantedBytes === 0) {
      this.whole = true
      return
    }
    const { givenUp } = this
    const { total } = yield* this.space()
    this.sizeBytes = this.bytes(total)
    yield* this.part(LAST_RESERVE, this.lastBytes(total), LAST_SPARE_FILES, 1)
    if (givenUp !== this.givenUp) throw noRoom()
    this.spent = false
    yield* this.part(RESERVE, this.bytes(total), SPARE_FILES, 2)
    if (givenUp !== this.givenUp) throw noRoom()
    this.whole = true
  }

  /** `times`: how often it must fit. Twice, or writes would resume for a moment only. */
  private *part(name: string, bytes: number, spares: readonly string[], times: number): Task<void> {
    if ((yield* this.length(name)) >= Math.min(bytes, this.longestFile)) return
    yield* this.remove(name)
    yield* this.remove(temporary(name))
    while (!(yield* this.isHad(name, bytes, spares, times))) {
      // Without the last one not even a delete is accepted.
      if (name !== LAST_RESERVE || !(yield* this.giveUpCache())) throw noRoom()
    }
    // The last one is small, and without it nothing is written: of a merge's bytes it takes its own.
    const claim = name === LAST_RESERVE ? { bytes: 0, files: this.claim.files } : this.claim
    if (!(yield* this.isHad(name, bytes, spares, times, claim))) throw notNow()
    const { freeFiles } = yield* this.space()
    if (freeFiles !== undefined) for (const spare of spares) yield* this.spare(spare)
    const file = yield* open(this.storage, temporary(name), 'create')
    try {
      const filled = yield* fill(file, bytes)
      if (filled < bytes) this.longestFile = filled
      yield* sync(file)
    } catch (error) {
      yield* close(file)
      yield* this.remove(temporary(name)) // half of it helps nobody, and takes what others may need
      throw error
    }
    yield* close(file)
    yield* rename(this.storage, temporary(name), name)
  }

  private *spare(name: string): Task<void> {
    try {
      yield* close(yield* open(this.storage, name, 'create'))
    } catch (error) {
      if ((error as { code?: string }).code !== 'EEXIST') throw error
    }
  }

  /**
   * Gives up as much of it as is needed where the disk has no room for so many bytes, and some more, then what an interrupted job has left, then
   * caches: at a start. What that has to write is little, and a disk that somebody has filled meanwhile must not keep the store from coming back.
   */
  *makeRoom(bytes: number): Task<void> {
    try {
      for (let given = 0; given < 2; given++) {
        if (yield* this.hasRoom(bytes)) return
        yield* this.giveUp()
      }
      for (const name of yield* list(this.storage, ''))
        if (isTemporary(name)) yield* attempt(unlink(this.storage, name))
      while (!(yield* this.hasRoom(bytes)) && (yield* this.giveUpCache()));
    } catch {
      // Then the writes will tell.
    }
  }

  private *hasRoom(bytes: number): Task<boolean> {
    const { free, freeFiles = START_FILES } = yield* this.space()
    return free >= bytes + START_BYTES && freeFiles >= START_FILES
  }

  /** At a start: how full the disk is. Nothing is changed but `spent`. */
  *look(): Task<'full' | 'fine'> {
    if (this.wantedBytes === 0) return 'fine'
    try {
      const { total } = yield* this.space()
      this.sizeBytes = this.bytes(total)
      this.spent = !(yield* this.isHad(LAST_RESERVE, this.lastBytes(total), LAST_SPARE_FILES, 1))
      return this.spent || !(yield* this.isHad(RESERVE, this.bytes(total), SPARE_FILES, 2)) ? 'full' : 'fine'
    } catch {
      return 'fine' // what cannot be looked at is not known to be full
    }
  }

  /** It is there, or there is room for it. */
  private *isHad(
    name: string,
    bytes: number,
    spares: readonly string[],
    times: number,
    claim = NOTHING,
  ): Task<boolean> {
    if ((yield* this.length(name)) >= bytes) return true
    const { free, freeFiles = Number.POSITIVE_INFINITY } = yield* this.space()
    return free - claim.bytes >= times * bytes && freeFiles - claim.files >= times * (1 + spares.length)
  }

  /** Gives bytes back to the disk: the reserve, or what is left of it. Returns whether there was any. */
  *giveUp(): Task<boolean> {
    this.givenUp++
    const isThere = (yield* this.length(RESERVE)) >= 0
    this.whole = false
    for (const name of [RESERVE, ...SPARE_FILES, ...LEFT_OVER]) yield* this.remove(name)
    if (isThere || this.wantedBytes === 0) return isThere
    const isLastThere = (yield* this.length(LAST_RESERVE)) >= 0
    this.spent = true
    for (const name of [LAST_RESERVE, ...LAST_SPARE_FILES]) yield* this.remove(name)
    return isLastThere
  }

  private bytes(total: number): number {
    return Math.min(this.wantedBytes, Math.floor(total * PART_OF_DISK))
  }

  private lastBytes(total: number): number {
    return Math.min(LAST_BYTES, Math.floor(this.bytes(total) / 4))
  }

  private *space(): Task<Space> {
    return yield* wait<Space>((done) => this.storage.space(done))
  }

  /** -1: there is none. */
  private *length(name: string): Task<number> {
    try {
      const file = yield* open(this.storage, name, 'read')
      try {
        return yield* size(file)
      } finally {
        yield* close(file)
      }
    } catch (error) {
      if (isMissing(error)) return -1
      throw error
    }
  }

  private *remove(name: string): Task<void> {
    try {
      yield* unlink(this.storage, name)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
}

const noRoom = (): Error => Object.assign(new Error('no room for the reserve'), { code: 'ENOSPC' })

const notNow = (): Error => Object.assign(new Error('a merge counts on the room for the reserve'), { code: 'EAGAIN' })

/** Random bytes. Where no file may have so many (ulimit -f), fewer. Returns how many. */
function* fill(file: StorageFile, bytes: number): Task<number> {
  const chunk = Buffer.allocUnsafeSlow(Math.min(bytes, CHUNK_BYTES))
  let at = 0
  while (at < bytes) {
    randomFillSync(chunk)
    const length = Math.min(chunk.length, bytes - at)
    try {
      const n = yield* wait<number>((done) => file.write(chunk, 0, length, at, done))
      if (n === 0) throw shortWrite(n, length)
      at += n
    } catch (error) {
      if ((error as { code?: string }).code === 'EFBIG') return at
      throw error
    }
  }
  return at
}
