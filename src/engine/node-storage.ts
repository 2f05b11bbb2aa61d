// Storage on real files: node:fs and nothing else. Each call is one system call, through libuv's thread pool unless the caller waits for it.

import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Done, Storage, StorageError, StorageFile } from './storage.ts'

class NodeFile implements StorageFile {
  // A raw descriptor used after close may write into somebody else's file, so closing forgets it: later calls get EBADF.
  private descriptor: number

  constructor(descriptor: number) {
    this.descriptor = descriptor
  }

  read(into: Uint8Array, start: number, length: number, position: number, done: Done<number>): void {
    if (this.descriptor < 0) return refuse(done, 0)
    fs.read(this.descriptor, into, start, length, position, (error, n) => done(error as StorageError | null, n))
  }

  write(from: Uint8Array, start: number, length: number, position: number, done: Done<number>): void {
    if (this.descriptor < 0) return refuse(done, 0)
    fs.write(this.descriptor, from, start, length, position, (error, n) => done(error as StorageError | null, n))
  }

  sync(done: Done): void {
    if (this.descriptor < 0) return refuse(done, undefined)
    fs.fdatasync(this.descriptor, (error) => done(error as StorageError | null))
  }

  size(done: Done<number>): void {
    if (this.descriptor < 0) return refuse(done, 0)
    fs.fstat(this.descriptor, (error, stat) => done(error as StorageError | null, error ? 0 : stat.size))
  }

  close(done: Done): void {
    const descriptor = this.descriptor
    if (descriptor < 0) return refuse(done, undefined)
    this.descriptor = -1
    fs.close(descriptor, (error) => done((error ?? null) as StorageError | null))
  }

  readSync(into: Uint8Array, start: number, length: number, position: number): number {
    return fs.readSync(this.descriptor, into, start, length, position)
  }

  writeSync(from: Uint8Array, start: number, length: number, position: number): number {
    return fs.writeSync(this.descriptor, from, start, length, position)
  }
}

/** For a thread of its own: reads and writes wait here, which spares the way to the pool and back. Syncing still goes there. */
class WaitingFile extends NodeFile {
  override read(into: Uint8Array, start: number, length: number, position: number, done: Done<number>): void {
    attempt(() => this.readSync(into, start, length, position), done)
  }

  override write(from: Uint8Array, start: number, length: number, position: number, done: Done<number>): void {
    attempt(() => this.writeSync(from, start, length, position), done)
  }
}

function attempt(call: () => number, done: Done<number>): void {
  let n = 0
  let error: StorageError | null = null
  try {
    n = call()
  } catch (thrown) {
    error = thrown as StorageError
  }
  done(error, n)
}

function refuse<T>(done: Done<T>, value: T): void {
  process.nextTick(done, Object.assign(new Error('file is closed'), { code: 'EBADF' }), value)
}

/** Files below `root`, an existing directory. `waits`: the calling thread has nothing else to do than to wait for reads and writes. */
export function nodeStorage(root: string, waits = false): Storage {
  const at = (name: string): string => path.join(root, name)
  return {
    open(name, mode, done) {
      const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = fs.constants
      const flags = mode === 'read' ? O_RDONLY : O_RDWR | O_CREAT | O_EXCL
      fs.open(at(name), flags, 0o600, (error, descriptor) => {
        if (error) done(error as StorageError, undefined as never)
        else done(null, waits ? new WaitingFile(descriptor) : new NodeFile(descriptor))
      })
    },
    list(directory, done) {
      fs.readdir(at(directory), { withFileTypes: true }, (error, entries) => {
        if (error) done(error as StorageError, [])
        else
          done(
            null,
            entries.filter((entry) => entry.isFile()).map((entry) => entry.name),
          )
      })
    },
    rename: (from, to, done) => fs.rename(at(from), at(to), (error) => done(error as StorageError | null)),
    unlink: (name, done) => fs.unlink(at(name), (error) => done(error as StorageError | null)),
    makeDirectory: (name, done) => fs.mkdir(at(name), 0o700, (error) => done(error as StorageError | null)),
    syncDirectory(name, done) {
      fs.open(at(name), fs.constants.O_RDONLY, (error, descriptor) => {
        if (error) return done(error as StorageError)
        fs.fsync(descriptor, (failed) => {
          fs.close(descriptor, () => done(failed as StorageError | null))
        })
      })
    },
    space(done) {
      fs.statfs(root, (error, s) => {
        if (error) done(error as StorageError, { free: 0, total: 0 })
        else {
          const bytes = { free: s.bavail * s.bsize, total: s.blocks * s.bsize }
          done(null, s.files === 0 ? bytes : { ...bytes, freeFiles: s.ffree }) // 0: made as they are needed (btrfs)
        }
      })
    },
  }
}

/** Makes the data directory (0700) where it is missing. Throws the file system's error. */
export function ensureDirectory(directory: string): void {
  // Level by level: where a parent takes no directories at all (/proc), Node's own `recursive` tries for ever.
  try {
    fs.mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const parent = path.dirname(path.resolve(directory))
    if (code === 'ENOENT' && !fs.existsSync(parent)) {
      ensureDirectory(parent)
      ensureDirectory(directory)
    } else if (code !== 'EEXIST' || !fs.statSync(directory).isDirectory()) throw error
  }
}
