// The keydir image: the keydir's memory as it was at a clean stop, so that the next start reads it back instead of building it.
//
//   0  8  magic "CASKYIMG"     8  4  version, 3     12  4  length of the header     16  4  crc-32 of the header
//   20 .. header, JSON: manifest epoch, last sequence, segments with their salts, lengths, slots and counts, the newest system record, and what the
//         keydir says about its parts
//   then the keydir's parts, raw, in their order; then 4 bytes crc-32 of everything before
//
// It is valid only for the manifest epoch it names, and for segments with the same salts and lengths: the next start commits a new manifest, so
// an image counts once, and that of another store (whose epochs are small numbers, too) never. Anything wrong with it means it is not there,
// and hints are read.

import { crc32 } from '../base/crc32.ts'
import type { Bitcask } from './bitcask.ts'
import { IMAGE, temporary } from './filename.ts'
import { Keydir, type KeydirImage } from './keydir/keydir.ts'
import type { Salt } from './record.ts'
import type { Storage } from './storage.ts'
import { close, isMissing, open, read, rename, size, sync, syncDirectory, type Task, unlink, write } from './task.ts'

const MAGIC = Buffer.from('CASKYIMG', 'latin1')
const VERSION = 3
const FIXED_BYTES = 20
/** Parts are written and read in pieces: one call of a gigabyte would hold a pool thread, and the shutdown, for too long. */
const PIECE_BYTES = 4 * 1024 * 1024
/** A header says how many bytes to read: a damaged one must not ask for gigabytes. */
const MAX_HEADER_BYTES = 64 * 1024 * 1024

interface ImageHeader {
  readonly epoch: number
  readonly lastSequence: number
  readonly segments: readonly {
    readonly number: number
    readonly salt: Salt
    readonly validBytes: number
    readonly slot: number
    readonly liveBytes: number
    readonly tombstones: number
    readonly tombstoneBytes: number
    readonly hinted: boolean
  }[]
  readonly system: { segment: number; offset: number; bytes: number; sequence: number } | null
  /** The map of databases, also where no record of it is left: which ids were ever given out nothing else knows. */
  readonly databases: string
  readonly keydir: KeydirImage
}

export interface LoadedImage {
  readonly keydir: Keydir
  readonly header: ImageHeader
}

/** Writes the image of a store whose log is sealed and whose manifest has that epoch. */
export function* writeImage(storage: Storage, store: Bitcask, epoch: number): Task<void> {
  const image = store.keydir.image()
  const { system } = store
  const header: ImageHeader = {
    epoch,
    lastSequence: store.log.appended,
    segments: [...store.segments.all()].map((segment) => ({
      number: segment.number,
      salt: segment.salt,
      validBytes: segment.sizeBytes,
      slot: segment.slot,
      liveBytes: segment.liveBytes,
      tombstones: segment.tombstones,
      tombstoneBytes: segment.tombstoneBytes,
      hinted: segment.hinted,
    })),
    system:
      system.segment === null
        ? null
        : {
            segment: system.segment.number,
            offset: system.offset,
            bytes: system.bytes,
            sequence: system.sequence,
          },
    databases: store.databases.encode().toString('base64'),
    keydir: image.header,
  }
  const json = Buffer.from(JSON.stringify(header), 'utf8')
  const front = Buffer.alloc(FIXED_BYTES)
  MAGIC.copy(front)
  front.writeUInt32LE(VERSION, 8)
  front.writeUInt32LE(json.length, 12)
  front.writeUInt32LE(crc32(json, 0, json.length), 16)
  yield* removeImage(storage, temporary(IMAGE))
  const file = yield* open(storage, temporary(IMAGE), 'create')
  try {
    let at = 0
    let crc = 0
    for (const part of [front, json, ...image.parts]) {
      for (let from = 0; from < part.length; from += PIECE_BYTES) {
        const length = Math.min(PIECE_BYTES, part.length - from)
        crc = crc32(part, from, from + length, crc)
        yield* write(file, part, from, length, at)
        at += length
      }
    }
    const end = Buffer.alloc(4)
    end.writeUInt32LE(crc, 0)
    yield* write(file, end, 0, 4, at)
    yield* sync(file)
  } finally {
    yield* close(file)
  }
  yield* rename(storage, temporary(IMAGE), IMAGE)
  yield* syncDirectory(storage, '')
}

/** Reads the image if there is a good one for that epoch. `progress` is told the bytes read. */
export function* readImage(
  storage: Storage,
  epoch: number,
  progress: (bytes: number) => void,
): Task<LoadedImage | null> {
  try {
    const file = yield* open(storage, IMAGE, 'read')
    try {
      return yield* readFrom(file, yield* size(file), epoch, progress)
    } finally {
      yield* close(file)
    }
  } catch {
    // An image is a cache, whatever is wrong with it.
    return null
  }
}

function* readFrom(
  file: Parameters<typeof read>[0],
  length: number,
  epoch: number,
  progress: (bytes: number) => void,
): Task<LoadedImage | null> {
  const front = Buffer.alloc(FIXED_BYTES)
  if ((yield* read(file, front, 0, FIXED_BYTES, 0)) !== FIXED_BYTES) return null
  if (!front.subarray(0, 8).equals(MAGIC) || front.readUInt32LE(8) !== VERSION) return null
  const jsonBytes = front.readUInt32LE(12)
  if (jsonBytes > MAX_HEADER_BYTES || FIXED_BYTES + jsonBytes > length) return null
  const json = Buffer.alloc(jsonBytes)
  if ((yield* read(file, json, 0, jsonBytes, FIXED_BYTES)) !== jsonBytes) return null
  if (crc32(json, 0, jsonBytes) !== front.readUInt32LE(16)) return null
  let crc = crc32(json, 0, jsonBytes, crc32(front, 0, FIXED_BYTES))
  const header = JSON.parse(json.toString('utf8')) as ImageHeader
  if (header.epoch !== epoch) return null
  const { keydir, parts } = Keydir.forImage(header.keydir)
  const wanted = parts.reduce((sum, part) => sum + part.length, FIXED_BYTES + jsonBytes + 4)
  if (wanted !== length) return null
  let at = FIXED_BYTES + jsonBytes
  for (const part of parts) {
    for (let from = 0; from < part.length; from += PIECE_BYTES) {
      const piece = Math.min(PIECE_BYTES, part.length - from)
      if ((yield* read(file, part, from, piece, at)) !== piece) return null
      crc = crc32(part, from, from + piece, crc)
      at += piece
      progress(at)
    }
  }
  const end = Buffer.alloc(4)
  if ((yield* read(file, end, 0, 4, at)) !== 4 || end.readUInt32LE(0) !== crc) return null
  return { keydir, header }
}

/** Removes an image that must not count any more. */
export function* removeImage(storage: Storage, name = IMAGE): Task<void> {
  try {
    yield* unlink(storage, name)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}
