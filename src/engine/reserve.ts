// The reserve: bytes held back on the disk for the day it is full.
//
// A store whose disk is full must still delete, merge and commit manifests, or it could never get out of that state. So a file of random
// bytes (a hole or zeros would reserve nothing on file systems that compress) lies ready; at ENOSPC it is given up, and writes resume
// when it could be built again.

import { randomFillSync } from 'node:crypto'
import { RESERVE, temporary } from './filename.ts'
import type { Storage } from './storage.ts'
import { close, isMissing, open, rename, size, sync, type Task, unlink, wait, write } from './task.ts'

const CHUNK_BYTES = 1024 * 1024
/** What a start writes besides the end of the log: two segments' headers and a manifest. */
const START_BYTES = 1024 * 1024
/** Never more than this part of the file system. */
const PART_OF_DISK = 0.05

export class Reserve {
  private readonly storage: Storage
  private readonly wantedBytes: number
  /** The reserve is there. */
  whole = false

  constructor(storage: Storage, wantedBytes: number) {
    this.storage = storage
    this.wantedBytes = wantedBytes
  }

  /** Builds the reserve if it is not there. Throws ENOSPC while the disk has no room for it and as much again. */
  *build(): Task<void> {
    if (this.wantedBytes === 0) {
      this.whole = true
      return
    }
    const space = yield* wait<{ free: number; total: number }>((done) => this.storage.space(done))
    const bytes = Math.min(this.wantedBytes, Math.floor(space.total * PART_OF_DISK))
    if ((yield* this.length()) >= bytes) {
      this.whole = true
      return
    }
    yield* this.remove(RESERVE)
    yield* this.remove(temporary(RESERVE))
    if (space.free < 2 * bytes) throw Object.assign(new Error('no room for the reserve'), { code: 'ENOSPC' })
    const file = yield* open(this.storage, temporary(RESERVE), 'create')
    try {
      const chunk = Buffer.allocUnsafeSlow(Math.min(bytes, CHUNK_BYTES))
      for (let at = 0; at < bytes; at += chunk.length) {
        randomFillSync(chunk)
        yield* write(file, chunk, 0, Math.min(chunk.length, bytes - at), at)
      }
      yield* sync(file)
    } finally {
      yield* close(file)
    }
    yield* rename(this.storage, temporary(RESERVE), RESERVE)
    this.whole = true
  }

  /**
   * Gives the reserve up where the disk has no room for so many bytes, and some more: at a start. What that has to write is little, and
   * a disk that somebody has filled meanwhile must not keep the store from coming back.
   */
  *makeRoom(bytes: number): Task<void> {
    try {
      const { free } = yield* wait<{ free: number; total: number }>((done) => this.storage.space(done))
      if (free < bytes + START_BYTES) yield* this.giveUp()
    } catch {
      // Then the writes will tell.
    }
  }

  /** Gives the bytes back to the disk. */
  *giveUp(): Task<void> {
    this.whole = false
    yield* this.remove(RESERVE)
    yield* this.remove(temporary(RESERVE))
  }

  private *length(): Task<number> {
    try {
      const file = yield* open(this.storage, RESERVE, 'read')
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
