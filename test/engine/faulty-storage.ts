// Real files whose calls fail on command. A rule sees every call before it is made and may answer with a fault; `write` and `writeSync`
// are one kind, as `read` and `readSync`, so that a test need not know which way the engine went.

import { nodeStorage } from '../../src/engine/node-storage.ts'
import type { Storage, StorageError, StorageFile } from '../../src/engine/storage.ts'

export type Call = 'open' | 'read' | 'write' | 'sync' | 'rename' | 'unlink' | 'syncDirectory'

/** A code: the call fails with it and does nothing. 'short': half of the bytes are written. 'hold': completes when release() is called. */
export type Fault = 'EIO' | 'ENOSPC' | 'EMFILE' | 'short' | 'hold' | null

/** Position and length are those of reads and writes; 0 else. */
export type Rule = (call: Call, name: string, position: number, length: number) => Fault

export class FaultyStorage implements Storage {
  rule: Rule = () => null
  /** Every call so far, as `call name`. */
  readonly calls: string[] = []
  /** Every write so far that was made, wholly or in part. */
  readonly writes: { readonly name: string; readonly position: number; readonly length: number }[] = []
  private readonly inner: Storage
  /** Files closed so far. */
  readonly closes: string[] = []
  private readonly held: { make(): void; fail(error: StorageError, short: boolean): void }[] = []

  constructor(directory: string) {
    this.inner = nodeStorage(directory)
  }

  /** The next `times` calls of that kind on names with that ending fail so; later ones succeed. */
  failNext(call: Call, ending: string, fault: Exclude<Fault, null>, times = 1): void {
    let left = times
    this.rule = (made, name) => (made === call && name.endsWith(ending) && left-- > 0 ? fault : null)
  }

  heal(): void {
    this.rule = () => null
  }

  get holding(): number {
    return this.held.length
  }

  /** Held calls are made now, or fail. */
  release(code: 'EIO' | 'ENOSPC' | null = null): void {
    for (const { make, fail } of this.held.splice(0)) {
      if (code === null) make()
      else fail(storageError(code), false)
    }
  }

  /** Makes the call, or fails it: always later, as real calls do. */
  judge(
    call: Call,
    name: string,
    make: () => void,
    fail: (error: StorageError, short: boolean) => void,
    position = 0,
    length = 0,
  ): void {
    const fault = this.ask(call, name, position, length)
    if (fault === null) make()
    else if (fault === 'hold') this.held.push({ make, fail })
    else setImmediate(() => fail(storageError(fault), fault === 'short'))
  }

  ask(call: Call, name: string, position = 0, length = 0): Fault {
    this.calls.push(`${call} ${name}`)
    return this.rule(call, name, position, length)
  }

  open(...[name, mode, done]: Parameters<Storage['open']>): void {
    this.judge(
      'open',
      name,
      () =>
        this.inner.open(name, mode, (error, file) => {
          if (error !== null) done(error, undefined as never)
          else done(null, new FaultyFile(this, name, file))
        }),
      (error) => done(error, undefined as never),
    )
  }

  list(...[directory, done]: Parameters<Storage['list']>): void {
    this.inner.list(directory, done)
  }

  rename(...[from, to, done]: Parameters<Storage['rename']>): void {
    this.judge(
      'rename',
      to,
      () => this.inner.rename(from, to, done),
      (error) => done(error),
    )
  }

  unlink(...[name, done]: Parameters<Storage['unlink']>): void {
    this.judge(
      'unlink',
      name,
      () => this.inner.unlink(name, done),
      (error) => done(error),
    )
  }

  makeDirectory(...[name, done]: Parameters<Storage['makeDirectory']>): void {
    this.inner.makeDirectory(name, done)
  }

  syncDirectory(...[name, done]: Parameters<Storage['syncDirectory']>): void {
    this.judge(
      'syncDirectory',
      name,
      () => this.inner.syncDirectory(name, done),
      (error) => done(error),
    )
  }

  space(...[done]: Parameters<Storage['space']>): void {
    this.inner.space(done)
  }
}

class FaultyFile implements StorageFile {
  private readonly storage: FaultyStorage
  private readonly name: string
  private readonly inner: StorageFile

  constructor(storage: FaultyStorage, name: string, inner: StorageFile) {
    this.storage = storage
    this.name = name
    this.inner = inner
  }

  read(...[into, start, length, position, done]: Parameters<StorageFile['read']>): void {
    this.storage.judge(
      'read',
      this.name,
      () => this.inner.read(into, start, length, position, done),
      (error) => done(error, 0),
      position,
      length,
    )
  }

  write(...[from, start, length, position, done]: Parameters<StorageFile['write']>): void {
    this.storage.writes.push({ name: this.name, position, length })
    this.storage.judge(
      'write',
      this.name,
      () => this.inner.write(from, start, length, position, done),
      (error, short) => {
        if (short) this.inner.write(from, start, length >> 1, position, done)
        else done(error, 0)
      },
      position,
      length,
    )
  }

  sync(done: Parameters<StorageFile['sync']>[0]): void {
    this.storage.judge(
      'sync',
      this.name,
      () => this.inner.sync(done),
      (error) => done(error),
    )
  }

  size(done: Parameters<StorageFile['size']>[0]): void {
    this.inner.size(done)
  }

  close(done: Parameters<StorageFile['close']>[0]): void {
    this.storage.closes.push(this.name)
    this.inner.close(done)
  }

  readSync(into: Uint8Array, start: number, length: number, position: number): number {
    const fault = this.storage.ask('read', this.name, position, length)
    if (fault !== null) throw storageError(fault)
    return this.inner.readSync(into, start, length, position)
  }

  writeSync(from: Uint8Array, start: number, length: number, position: number): number {
    this.storage.writes.push({ name: this.name, position, length })
    const fault = this.storage.ask('write', this.name, position, length)
    if (fault === 'short') return this.inner.writeSync(from, start, length >> 1, position)
    if (fault !== null) throw storageError(fault)
    return this.inner.writeSync(from, start, length, position)
  }
}

const storageError = (code: string): StorageError =>
  Object.assign(new Error(`${code}: injected`), { code }) as StorageError
