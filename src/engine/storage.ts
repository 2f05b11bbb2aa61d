// Storage: the engine's only door to files.
//
// Everything completes by callback, also where the disk answers at once, so that three worlds fit behind it: real files
// (node-storage.ts), a simulated disk that loses what was not synced, tears writes and fails on command (test/simulation), and
// injected faults. Names are relative to the data directory; nothing outside of it can be named.
//
// What the engine may assume: a write that completed is seen by later reads of this process; it is durable only after a `sync`
// of that file that was *started* after the write completed. A created, renamed or removed name is durable only after
// `syncDirectory`. Nothing is assumed about order or atomicity of what was not synced, except that a rename replaces whole.
//
// `written` smaller than asked for is a failure that has just happened (libuv retries short writes by itself): callers treat it
// as one and never continue the write.
//
// The synchronous twins exist for the page cache, where they are five times cheaper than a trip through the thread pool. They
// block whoever calls them, so on the main thread they are only called under the fuse (fuse.ts).

export type Done<T = void> = (error: StorageError | null, value: T) => void

export interface StorageError extends Error {
  readonly code: string // EIO, ENOSPC, ENOENT, ...
}

export interface StorageFile {
  read(into: Uint8Array, start: number, length: number, position: number, done: Done<number>): void
  write(from: Uint8Array, start: number, length: number, position: number, done: Done<number>): void
  /** fdatasync: content and size, not times. */
  sync(done: Done): void
  size(done: Done<number>): void
  close(done: Done): void
  readSync(into: Uint8Array, start: number, length: number, position: number): number
  writeSync(from: Uint8Array, start: number, length: number, position: number): number
}

export interface Storage {
  /** 'read': must exist. 'create': must not exist; opened for reading and writing, mode 0600. */
  open(name: string, mode: 'read' | 'create', done: Done<StorageFile>): void
  /** Names of the plain files in a directory ('' is the data directory itself). A missing directory is ENOENT. */
  list(directory: string, done: Done<string[]>): void
  rename(from: string, to: string, done: Done): void
  unlink(name: string, done: Done): void
  makeDirectory(name: string, done: Done): void
  syncDirectory(name: string, done: Done): void
  space(done: Done<Space>): void
}

/** What somebody may take of the disk, or wants of it. */
export interface Room {
  readonly bytes: number
  readonly files: number
}

export const NOTHING: Room = { bytes: 0, files: 0 }

export interface Space {
  /** Bytes free for us on the file system. */
  readonly free: number
  /** Its whole size in bytes. */
  readonly total: number
  /** How many files can still be made; absent where that is no question. */
  readonly freeFiles?: number
}
