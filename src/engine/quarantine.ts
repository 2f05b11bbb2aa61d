// Quarantine: bytes at the end of the log that a start drops are copied to quarantine/ first, for whoever wants to look. Nobody reads them again.
//
// Bounded, for a server that is killed again and again would fill the disk with them: the first bytes of each, and a few files.

import type { Logger } from '../base/logger.ts'
import { dataName, QUARANTINE } from './filename.ts'
import type { Segment } from './segments.ts'
import type { Storage, StorageFile } from './storage.ts'
import { close, isUnreadable, list, open, read, type Task, wait, write } from './task.ts'

const QUARANTINE_BYTES = 4 * 1024 * 1024
const QUARANTINE_FILES = 16
const DROPPED = 'The log ends in bytes that were never acknowledged as durable: dropped'

/** Keeps a copy of what is dropped. Returns how many bytes that was, 0 when they can't be read or were never written. */
export function* quarantine(
  storage: Storage,
  logger: Logger,
  segment: Segment,
  file: StorageFile,
  from: number,
  to: number,
): Task<number> {
  const bytes = Buffer.alloc(Math.min(to - from, QUARANTINE_BYTES))
  let dropped: Buffer
  try {
    dropped = bytes.subarray(0, yield* read(file, bytes, 0, bytes.length, from))
  } catch (error) {
    if (!isUnreadable(error)) throw error
    logger.warning('The log ends in bytes that cannot be read: dropped', { segment: segment.number, offset: from })
    return 0
  }
  // Zeros are space that was never written.
  if (dropped.every((byte) => byte === 0)) return 0
  const what = { segment: segment.number, offset: from, bytes: to - from }
  const name = `${QUARANTINE}/${dataName(segment.number)}.${from}`
  try {
    if (yield* keep(storage, name, dropped)) logger.warning(`${DROPPED}, a copy is kept`, { ...what, copy: name })
    else logger.warning(`${DROPPED}, without a copy: there are ${QUARANTINE_FILES} in ${QUARANTINE} already`, what)
  } catch (error) {
    logger.warning(`${DROPPED}, and no copy could be kept`, { ...what, error: (error as Error).message })
  }
  return to - from
}

/** False: there are enough. */
function* keep(storage: Storage, name: string, bytes: Buffer): Task<boolean> {
  yield* wait<void>((done) =>
    storage.makeDirectory(QUARANTINE, (error) => done(error?.code === 'EEXIST' ? null : error)),
  )
  const names = yield* list(storage, QUARANTINE)
  if (names.length >= QUARANTINE_FILES) return false
  const copy = yield* open(storage, name, 'create')
  try {
    yield* write(copy, bytes, 0, bytes.length, 0)
  } finally {
    yield* close(copy)
  }
  return true
}
