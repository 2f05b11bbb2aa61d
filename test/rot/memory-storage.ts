// Files in memory whose calls complete at once: a start of the engine on them is one call from beginning to end, hundreds a second.
//
// A disk is a map of names to bytes that are never changed in place, so that a copy of a disk with one file hurt costs no more than the
// map. What is written goes into files of the copy's own.

import type { Done, Storage, StorageError, StorageFile } from '../../src/engine/storage.ts'

/** The files of a directory: names to bytes. Nobody changes the bytes. */
export type Disk = ReadonlyMap<string, Buffer>

interface Written {
  bytes: Buffer
  length: number
}

export class MemoryStorage implements Storage {
  private readonly files: Map<string, Written>

  constructor(disk: Disk) {
    this.files = new Map([...disk].map(([name, bytes]) => [name, { bytes, length: bytes.length }]))
  }

  /** The files as they are now. */
  disk(): Map<string, Buffer> {
    return new Map([...this.files].map(([name, file]) => [name, Buffer.from(file.bytes.subarray(0, file.length))]))
  }

  has(name: string): boolean {
    return this.files.has(name)
  }

  /** A file's bytes to change under the engine's feet, as rot does. */
  rotting(name: string): Buffer {
    const file = this.files.get(name)
    if (file === undefined) throw new Error(`no file ${name}`)
    file.bytes = Buffer.from(file.bytes.subarray(0, file.length))
    return file.bytes
  }

  open(name: string, mode: 'read' | 'create', done: Done<StorageFile>): void {
    let file = this.files.get(name)
    if (mode === 'create') {
      if (file !== undefined) return done(failure('EEXIST'), undefined as never)
      file = { bytes: Buffer.alloc(256), length: 0 }
      this.files.set(name, file)
    }
    if (file === undefined) return done(failure('ENOENT'), undefined as never)
    done(null, new MemoryFile(file))
  }

  list(directory: string, done: Done<string[]>): void {
    const prefix = directory === '' ? '' : `${directory}/`
    const names = [...this.files.keys()].filter((name) => name.startsWith(prefix))
    done(
      null,
      names.map((name) => name.slice(prefix.length)).filter((name) => !name.includes('/')),
    )
  }

  rename(from: string, to: string, done: Done): void {
    const file = this.files.get(from)
    if (file === undefined) return done(failure('ENOENT'))
    this.files.delete(from)
    this.files.set(to, file)
    done(null)
  }

  unlink(name: string, done: Done): void {
    done(this.files.delete(name) ? null : failure('ENOENT'))
  }

  makeDirectory(_name: string, done: Done): void {
    done(null)
  }

  syncDirectory(_name: string, done: Done): void {
    done(null)
  }

  space(done: Done<{ free: number; total: number }>): void {
    done(null, { free: 2 ** 40, total: 2 ** 41 })
  }
}

class MemoryFile implements StorageFile {
  private readonly file: Written

  constructor(file: Written) {
    this.file = file
  }

  read(into: Uint8Array, start: number, length: number, position: number, done: Done<number>): void {
    done(null, this.readSync(into, start, length, position))
  }

  write(from: Uint8Array, start: number, length: number, position: number, done: Done<number>): void {
    done(null, this.writeSync(from, start, length, position))
  }

  sync(done: Done): void {
    done(null)
  }

  size(done: Done<number>): void {
    done(null, this.file.length)
  }

  close(done: Done): void {
    done(null)
  }

  readSync(into: Uint8Array, start: number, length: number, position: number): number {
    const { file } = this
    const n = Math.max(0, Math.min(length, file.length - position))
    into.set(file.bytes.subarray(position, position + n), start)
    return n
  }

  writeSync(from: Uint8Array, start: number, length: number, position: number): number {
    const { file } = this
    const end = position + length
    if (end > file.bytes.length) {
      const grown = Buffer.alloc(Math.max(end, file.bytes.length * 2))
      file.bytes.copy(grown, 0, 0, file.length)
      file.bytes = grown
    }
    file.bytes.set(from.subarray(start, start + length), position)
    file.length = Math.max(file.length, end)
    return length
  }
}

// Made once: a stack for each missing hint of a hundred thousand starts would be most of their time.
const failures = new Map(
  ['EEXIST', 'ENOENT'].map((code) => [code, Object.assign(new Error(code), { code }) as StorageError]),
)
const failure = (code: 'EEXIST' | 'ENOENT'): StorageError => failures.get(code) as StorageError
