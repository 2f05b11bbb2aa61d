// A simulated disk: Storage as storage.ts promises it and not a bit better.
//
// Every call becomes a task of the scheduler and takes effect when that picks it, so calls in flight together take effect in
// any order; whoever needs an order waits for the callback. Names and content have a durable and a volatile state. A crash
// makes a *new* disk for the next process and leaves this one alone, so that one running world can be crashed at many instants:
//
//   processCrash   completed calls stay, those in flight happened or not, writes in flight perhaps to a part
//   crash          a power cut: then, of what no finished sync covers, any legal subset is left. Content: inode.ts. Names:
//                  each create, rename and unlink is kept or lost on its own until every directory it touches was synced;
//                  a rename is never half (the new name holds the old file or the new one)
//
// Misuse is an exception, not an error code, since on real files it corrupts silently: a call on a closed file, a close with
// calls in flight, a buffer that changes while it is being written.

import { createHash } from 'node:crypto'
import type { Done, Storage, StorageError, StorageFile } from '../../src/engine/storage.ts'
import type { Content } from './content.ts'
import { type CallKind, type Fault, type FaultKind, FaultPlan, isLie, type Lie } from './faults.ts'
import { Inode } from './inode.ts'
import { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'

export interface DiskOptions {
  /** What is written as a whole or not at all. Smaller is crueller. */
  readonly sectorBytes?: number
  readonly freeBytes?: number
}

type NameChange =
  | { readonly kind: 'create'; readonly name: string; readonly inode: Inode }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string; readonly inode: Inode }
  | { readonly kind: 'unlink'; readonly name: string; readonly inode: Inode }
  | { readonly kind: 'directory'; readonly name: string }

interface Pending {
  readonly change: NameChange
  /** Directories that have to be synced yet. */
  readonly waits: Set<string>
  /** A sync of its directory failed: no later one makes it durable. */
  doomed: boolean
}

/** What a call in flight will do, as data: a crash has to do a part of it on a copy. */
type Effect =
  | { readonly kind: 'write'; readonly inode: Inode; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'create'; readonly name: string; readonly inode: Inode }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly name: string }
  | { readonly kind: 'directory'; readonly name: string }

/** Where in a call something may happen to the process: the call has had no effect, a part of it (of a write: its first half), or all. */
export type Instant = 'before' | 'half' | 'after'

const GRAVES = 8

export class SimulatedDisk implements Storage {
  readonly sectorBytes: number
  freeBytes: number
  readonly faults = new FaultPlan()
  openFiles = 0
  /** How many files of each kind have come to be. */
  readonly made = { data: 0, hints: 0, images: 0 }
  /** Called when a call takes effect: for traces. */
  onCall: ((text: string) => void) | null = null
  /** Called at each instant of each call: for tests that crash at every one. */
  onInstant: ((instant: Instant, call: CallKind) => void) | null = null
  /** A write that is half done, at that instant. */
  #half: Effect | null = null
  readonly #scheduler: Scheduler
  readonly #inFlight = new Set<Effect>()
  #stamp = 0
  #nextInode = 1
  #names = new Map<string, Inode>()
  #durableNames = new Map<string, Inode>()
  #directories = new Set<string>([''])
  #durableDirectories = new Set<string>([''])
  #changes: Pending[] = []
  /** Contents of files that are gone: what new space may hold. */
  #graves: Content[] = []

  constructor(scheduler: Scheduler, options: DiskOptions = {}) {
    this.#scheduler = scheduler
    this.sectorBytes = options.sectorBytes ?? 512
    this.freeBytes = options.freeBytes ?? 2 ** 30
  }

  /** The k-th call from now fails. */
  failAt(k: number, kind: FaultKind, options: Pick<Fault, 'forever' | 'only'> = {}): void {
    this.faults.add({ at: this.faults.calls + k, kind, ...options })
  }

  // --- Storage

  open(name: string, mode: 'read' | 'create', done: Done<StorageFile>): void {
    if (mode === 'read') {
      this.#start('open', name, done, null, () => {
        const inode = this.#names.get(name)
        if (inode === undefined) return failure('ENOENT', 'open', name)
        return new SimulatedFile(this, inode, name, false)
      })
      return
    }
    const inode = new Inode(this.#nextInode++)
    const effect: Effect = { kind: 'create', name, inode }
    this.#start('create', name, done, effect, () => {
      const error = this.#apply(effect)
      return error ?? new SimulatedFile(this, inode, name, true)
    })
  }

  list(directory: string, done: Done<string[]>): void {
    this.#start('list', directory, done, null, () => {
      if (!this.#directories.has(directory)) return failure('ENOENT', 'list', directory)
      const prefix = directory === '' ? '' : `${directory}/`
      const names: string[] = []
      for (const name of this.#names.keys()) {
        if (directoryOf(name) === directory) names.push(name.slice(prefix.length))
      }
      // No order is promised.
      return shuffled(names, this.#scheduler.random)
    })
  }

  rename(from: string, to: string, done: Done): void {
    this.#startEffect('rename', `${from} -> ${to}`, done, { kind: 'rename', name: from, to })
  }

  unlink(name: string, done: Done): void {
    this.#startEffect('unlink', name, done, { kind: 'unlink', name })
  }

  makeDirectory(name: string, done: Done): void {
    this.#startEffect('makeDirectory', name, done, { kind: 'directory', name })
  }

  syncDirectory(name: string, done: Done): void {
    const covered = this.#changes.filter((pending) => pending.waits.has(name) && !pending.doomed)
    const failed = (): undefined => {
      for (const pending of covered) pending.doomed = true
    }
    this.#start(
      'syncDirectory',
      name,
      done,
      null,
      () => {
        if (!this.#directories.has(name)) return failure('ENOENT', 'syncDirectory', name)
        for (const pending of covered) if (!pending.doomed) pending.waits.delete(name)
        this.#settleNames()
        return undefined
      },
      failed,
    )
  }

  space(done: Done<{ free: number; total: number }>): void {
    this.#start('space', '', done, null, () => ({ free: this.freeBytes, total: 2 ** 32 }))
  }

  // --- for tests

  /** A power cut at this instant. The next process gets the disk that is returned. */
  crash(seed: number, scheduler: Scheduler): SimulatedDisk {
    const random = new Random(seed)
    const disk = this.#fork(scheduler)
    this.#finishSome(disk, random)
    disk.#losePower(random)
    return disk
  }

  /** Only the process dies: completed calls stay, also those that were not synced. */
  processCrash(seed: number, scheduler: Scheduler): SimulatedDisk {
    const random = new Random(seed)
    const disk = this.#fork(scheduler)
    this.#finishSome(disk, random)
    for (const inode of new Set(disk.#names.values())) inode.evictDoomed(disk.sectorBytes, random)
    return disk
  }

  /** How many completed changes a power cut could still take, each on its own: names first, then writes. */
  get unsynced(): number {
    let count = this.#changes.length
    for (const inode of this.#inodes()) count += inode.pending.length
    return count + (this.#half === null ? 0 : 1)
  }

  /**
   * A power cut that leaves to nobody's dice what it keeps: `keeps` says it of each unsynced change (they are numbered as `unsynced` counts
   * them). Calls in flight have not happened. All kept is what a killed process leaves.
   */
  cut(keeps: (change: number) => boolean, scheduler: Scheduler): SimulatedDisk {
    const disk = this.#fork(scheduler)
    if (this.#half?.kind === 'write') {
      const { inode: half } = this.#half
      for (const inode of disk.#inodes()) if (inode.id === half.id) disk.#apply({ ...this.#half, inode })
    }
    const names = new Map(disk.#durableNames)
    const directories = new Set(disk.#durableDirectories)
    let change = 0
    for (const pending of disk.#changes) if (keeps(change++)) replay(pending.change, names, directories)
    const left = new Map<Inode, Inode>()
    for (const inode of disk.#inodes())
      left.set(
        inode,
        inode.keep(() => keeps(change++)),
      )
    disk.#names = new Map()
    for (const [name, inode] of names) if (directories.has(directoryOf(name))) disk.#names.set(name, left.get(inode)!)
    disk.#durableNames = new Map(disk.#names)
    disk.#directories = directories
    disk.#durableDirectories = new Set(directories)
    disk.#changes = []
    return disk
  }

  /** The same for disks that hold the same files. */
  fingerprint(): string {
    const hash = createHash('sha1')
    for (const name of this.files()) {
      const bytes = this.#names.get(name)!.cached.view()
      hash.update(`${name} ${bytes.length}\n`).update(bytes)
    }
    return hash.digest('base64')
  }

  /** Names of all files, as reads see them, sorted. */
  files(): string[] {
    return [...this.#names.keys()].sort()
  }

  /** A file's bytes as reads see them, or null. */
  peek(name: string): Uint8Array | null {
    return this.#names.get(name)?.cached.view().slice() ?? null
  }

  /** What a power cut certainly leaves under a name, or null. */
  peekDurable(name: string): Uint8Array | null {
    return this.#durableNames.get(name)?.durable.view().slice() ?? null
  }

  /** Puts a durable file there, or (null) takes one away, without a process: for tests that prepare or damage a disk. */
  place(name: string, bytes: Uint8Array | null): void {
    this.#changes = this.#changes.filter(({ change }) => change.name !== name)
    this.#names.delete(name)
    this.#durableNames.delete(name)
    if (bytes === null) return
    const inode = new Inode(this.#nextInode++)
    inode.durable.write(0, bytes)
    inode.cached = inode.durable.fork()
    this.#names.set(name, inode)
    this.#durableNames.set(name, inode)
  }

  /** Counts completed writes. What completed up to a stamp below `durableBefore()` survives a power cut. */
  get stamp(): number {
    return this.#stamp
  }

  /** True when a sync has failed, so that completed writes may vanish without a power cut. */
  get doomed(): boolean {
    for (const inode of this.#names.values()) if (inode.doomed.length > 0) return true
    return false
  }

  /** Stamp of the oldest write to a living file that a power cut may take, one more than the newest when there is none. */
  durableBefore(matters: (name: string) => boolean): number {
    let oldest = this.#stamp + 1
    for (const [name, inode] of this.#names) {
      if (!matters(name)) continue
      if (inode.pending.length > 0) oldest = Math.min(oldest, inode.pending[0]!.stamp)
      if (inode.doomed.length > 0) oldest = Math.min(oldest, inode.doomed[0]!.stamp)
    }
    return oldest
  }

  // --- for SimulatedFile

  startRead(
    file: SimulatedFile,
    into: Uint8Array,
    start: number,
    length: number,
    position: number,
    done: Done<number>,
  ) {
    inside(into, start, length)
    const perform = (): number => file.inode.cached.read(into, start, length, position)
    this.#startOnFile('read', file, done, null, perform, (kind) => {
      if (!isLie(kind)) return failure(kind, 'read', file.name)
      const before = Uint8Array.from(into)
      const got = perform()
      const truth = kind === 'lie half' ? got >> 1 : 0
      for (let at = start + truth; at < start + got; at++) {
        into[at] = kind === 'lie other' ? (into[at] as number) ^ 0x5a : (before[at] as number)
      }
      return got
    })
  }

  startWrite(
    file: SimulatedFile,
    from: Uint8Array,
    start: number,
    length: number,
    position: number,
    done: Done<number>,
  ) {
    inside(from, start, length)
    const bytes = new Uint8Array(from.subarray(start, start + length)) // a copy, which slice() of a Buffer is not
    const effect: Effect = { kind: 'write', inode: file.inode, position, bytes }
    const unchanged = (): void => {
      if (Buffer.compare(from.subarray(start, start + length), bytes) !== 0)
        throw new Error(`misuse: the buffer changed while ${file.name} was written`)
    }
    const part = (kind: FaultKind): number | StorageError => {
      const written = length === 0 ? 0 : this.#scheduler.random.below(length)
      if (written > 0) this.#apply({ ...effect, bytes: bytes.subarray(0, written) })
      return kind === 'short' ? written : failure(kind, 'write', file.name)
    }
    this.#startOnFile(
      'write',
      file,
      done,
      effect,
      () => {
        unchanged()
        this.#apply(effect)
        return length
      },
      part,
    )
  }

  startSync(file: SimulatedFile, done: Done): void {
    const { inode } = file
    const covered = [...inode.pending]
    this.#startOnFile(
      'sync',
      file,
      done,
      null,
      () => {
        inode.settle(covered)
        return undefined
      },
      (kind) => {
        inode.doom(covered, this.sectorBytes, this.#scheduler.random)
        return failure(kind, 'sync', file.name)
      },
    )
  }

  startSize(file: SimulatedFile, done: Done<number>): void {
    this.#startOnFile('size', file, done, null, () => file.inode.cached.size)
  }

  startClose(file: SimulatedFile, done: Done): void {
    if (file.inFlight > 0) throw new Error(`misuse: ${file.name} closed with ${file.inFlight} calls in flight`)
    this.#startOnFile('close', file, done, null, () => {
      this.openFiles--
      return undefined
    })
    file.closed = true
  }

  // --- calls

  /** `perform` gives the value or an error; `failed` what a fault leaves behind, if it is more than an error. */
  #start<T>(
    call: CallKind,
    name: string,
    done: Done<T>,
    effect: Effect | null,
    perform: () => T | StorageError,
    failed?: (kind: FaultKind) => T | StorageError | undefined,
  ): void {
    if (effect !== null) this.#inFlight.add(effect)
    this.#scheduler.add(call, () => {
      if (effect !== null) this.#inFlight.delete(effect)
      if (this.onInstant !== null) this.#instants(call, effect)
      const fault = this.faults.next(call, name)
      let result: T | StorageError
      if (fault === null) result = perform()
      else if (isLie(fault) && call !== 'read') result = this.#lie(fault, effect) as T
      else result = (failed?.(fault) as T | StorageError | undefined) ?? failure(fault, call, name)
      this.onInstant?.('after', call)
      this.onCall?.(describe(call, name, effect, result))
      if (result instanceof Error) done(result as StorageError, undefined as never)
      else done(null, result)
    })
  }

  /** Does nothing, half of it or something else, and gives what says that all is well. */
  #lie(kind: Lie, effect: Effect | null): number | undefined {
    if (effect?.kind !== 'write') return undefined
    const { bytes } = effect
    if (kind === 'lie half') this.#apply({ ...effect, bytes: bytes.subarray(0, bytes.length >> 1) })
    if (kind === 'lie other') this.#apply({ ...effect, bytes: bytes.map((byte) => byte ^ 0x5a) })
    return bytes.length
  }

  #instants(call: CallKind, effect: Effect | null): void {
    this.onInstant!('before', call)
    if (effect?.kind !== 'write' || effect.bytes.length < 2) return
    this.#half = { ...effect, bytes: effect.bytes.subarray(0, effect.bytes.length >> 1) }
    this.onInstant!('half', call)
    this.#half = null
  }

  #startEffect(call: CallKind, name: string, done: Done, effect: Effect): void {
    this.#start(call, name, done, effect, () => this.#apply(effect) ?? undefined)
  }

  #startOnFile<T>(
    call: CallKind,
    file: SimulatedFile,
    done: Done<T>,
    effect: Effect | null,
    perform: () => T | StorageError,
    failed?: (kind: FaultKind) => T | StorageError,
  ): void {
    if (file.closed) throw new Error(`misuse: ${call} on ${file.name} after close`)
    file.inFlight++
    const counted: Done<T> = (error, value) => {
      file.inFlight--
      done(error, value)
    }
    this.#start(call, file.name, counted, effect, perform, failed)
  }

  #apply(effect: Effect): StorageError | null {
    const names = this.#names
    switch (effect.kind) {
      case 'write':
        effect.inode.write({ position: effect.position, bytes: effect.bytes, stamp: ++this.#stamp })
        return null
      case 'create':
        if (!this.#directories.has(directoryOf(effect.name))) return failure('ENOENT', 'create', effect.name)
        if (names.has(effect.name)) return failure('EEXIST', 'create', effect.name)
        names.set(effect.name, effect.inode)
        if (effect.name.endsWith('.data')) this.made.data++
        this.#change({ kind: 'create', name: effect.name, inode: effect.inode })
        return null
      case 'rename': {
        const inode = names.get(effect.name)
        if (inode === undefined) return failure('ENOENT', 'rename', effect.name)
        if (!this.#directories.has(directoryOf(effect.to))) return failure('ENOENT', 'rename', effect.to)
        this.#bury(names.get(effect.to))
        names.delete(effect.name)
        names.set(effect.to, inode)
        if (effect.to.endsWith('.hint')) this.made.hints++
        if (effect.to.endsWith('.image')) this.made.images++
        this.#change({ kind: 'rename', name: effect.name, to: effect.to, inode })
        return null
      }
      case 'unlink': {
        const inode = names.get(effect.name)
        if (inode === undefined) return failure('ENOENT', 'unlink', effect.name)
        this.#bury(inode)
        names.delete(effect.name)
        this.#change({ kind: 'unlink', name: effect.name, inode })
        return null
      }
      case 'directory':
        if (this.#directories.has(effect.name)) return failure('EEXIST', 'makeDirectory', effect.name)
        if (!this.#directories.has(directoryOf(effect.name))) return failure('ENOENT', 'makeDirectory', effect.name)
        this.#directories.add(effect.name)
        this.#change({ kind: 'directory', name: effect.name })
        return null
    }
  }

  // --- names

  #change(change: NameChange): void {
    const waits = new Set([directoryOf(change.name)])
    if (change.kind === 'rename') waits.add(directoryOf(change.to))
    this.#changes.push({ change, waits, doomed: false })
  }

  #settleNames(): void {
    const open: Pending[] = []
    for (const pending of this.#changes) {
      if (pending.waits.size > 0) {
        open.push(pending)
        continue
      }
      replay(pending.change, this.#durableNames, this.#durableDirectories)
      // What was to become of the same name before is history, also where a failed sync had left it open.
      const touched = namesOf(pending.change)
      for (let i = open.length - 1; i >= 0; i--) {
        if (touched.includes(namesOf(open[i]!.change).at(-1)!)) open.splice(i, 1)
      }
    }
    this.#changes = open
  }

  #bury(inode: Inode | undefined): void {
    if (inode === undefined || inode.cached.size === 0) return
    this.#graves.push(inode.cached.fork())
    if (this.#graves.length > GRAVES) this.#graves.shift()
  }

  // --- crashes

  #fork(scheduler: Scheduler): SimulatedDisk {
    const disk = new SimulatedDisk(scheduler, { sectorBytes: this.sectorBytes, freeBytes: this.freeBytes })
    const copies = new Map<Inode, Inode>()
    const copyOf = (inode: Inode): Inode => {
      let copy = copies.get(inode)
      if (copy === undefined) {
        copy = inode.fork()
        copies.set(inode, copy)
      }
      return copy
    }
    disk.#stamp = this.#stamp
    disk.#nextInode = this.#nextInode
    disk.#graves = [...this.#graves]
    disk.#directories = new Set(this.#directories)
    disk.#durableDirectories = new Set(this.#durableDirectories)
    for (const [name, inode] of this.#names) disk.#names.set(name, copyOf(inode))
    for (const [name, inode] of this.#durableNames) disk.#durableNames.set(name, copyOf(inode))
    for (const { change, waits, doomed } of this.#changes) {
      const copied = change.kind === 'directory' ? change : { ...change, inode: copyOf(change.inode) }
      disk.#changes.push({ change: copied, waits: new Set(waits), doomed })
    }
    return disk
  }

  /** Calls in flight have happened or not; writes perhaps to a part. In any order. */
  #finishSome(disk: SimulatedDisk, random: Random): void {
    const copies = new Map<number, Inode>()
    for (const inode of disk.#inodes()) copies.set(inode.id, inode)
    for (const effect of shuffled([...this.#inFlight], random)) {
      if (random.chance(0.5)) continue
      if (effect.kind === 'create') {
        const inode = new Inode(effect.inode.id)
        disk.#apply({ ...effect, inode })
      } else if (effect.kind === 'write') {
        const inode = copies.get(effect.inode.id)
        if (inode === undefined) continue // unlinked long ago
        const length = random.chance(0.5) ? effect.bytes.length : random.below(effect.bytes.length + 1)
        if (length > 0) disk.#apply({ ...effect, inode, bytes: effect.bytes.subarray(0, length) })
      } else {
        disk.#apply(effect)
      }
    }
  }

  #inodes(): Set<Inode> {
    const inodes = new Set<Inode>([...this.#names.values(), ...this.#durableNames.values()])
    for (const { change } of this.#changes) if (change.kind !== 'directory') inodes.add(change.inode)
    return inodes
  }

  #losePower(random: Random): void {
    const keep = random.pick([0, 1, 0.5, random.next()])
    const inOrder = random.chance(0.3) ? random.below(this.#changes.length + 1) : -1
    const names = new Map(this.#durableNames)
    const directories = new Set(this.#durableDirectories)
    this.#changes.forEach(({ change }, index) => {
      if (inOrder >= 0 ? index < inOrder : random.chance(keep)) replay(change, names, directories)
    })
    const useGarbage = random.chance(0.3)
    const garbage = (position: number, length: number): Uint8Array => {
      if (!useGarbage || this.#graves.length === 0 || random.chance(0.3)) return new Uint8Array(length)
      return oldData(random.pick(this.#graves).view(), position, length, this.sectorBytes, random)
    }
    for (const inode of this.#inodes()) this.#bury(inode.cached.size > 0 ? inode : undefined)
    const left = new Map<Inode, Inode>()
    this.#names = new Map()
    this.#durableNames = new Map()
    for (const [name, inode] of names) {
      if (!directories.has(directoryOf(name))) continue
      let copy = left.get(inode)
      if (copy === undefined) {
        copy = inode.losePower(this.sectorBytes, random, garbage)
        left.set(inode, copy)
      }
      this.#names.set(name, copy)
      this.#durableNames.set(name, copy)
    }
    this.#directories = directories
    this.#durableDirectories = new Set(directories)
    this.#changes = []
  }
}

export class SimulatedFile implements StorageFile {
  closed = false
  inFlight = 0
  readonly inode: Inode
  readonly name: string
  readonly #disk: SimulatedDisk
  readonly #writable: boolean

  constructor(disk: SimulatedDisk, inode: Inode, name: string, writable: boolean) {
    this.#disk = disk
    this.inode = inode
    this.name = name
    this.#writable = writable
    disk.openFiles++
  }

  read(into: Uint8Array, start: number, length: number, position: number, done: Done<number>): void {
    this.#disk.startRead(this, into, start, length, position, done)
  }

  write(from: Uint8Array, start: number, length: number, position: number, done: Done<number>): void {
    if (!this.#writable) throw new Error(`misuse: write to ${this.name}, which is open for reading`)
    this.#disk.startWrite(this, from, start, length, position, done)
  }

  sync(done: Done): void {
    this.#disk.startSync(this, done)
  }

  size(done: Done<number>): void {
    this.#disk.startSize(this, done)
  }

  close(done: Done): void {
    this.#disk.startClose(this, done)
  }

  readSync(): number {
    throw new Error('misuse: synchronous read in simulation')
  }

  writeSync(): number {
    throw new Error('misuse: synchronous write in simulation')
  }
}

/** The names a change touches; the last one is where it leaves a file, if it does. */
function namesOf(change: NameChange): string[] {
  return change.kind === 'rename' ? [change.name, change.to] : [change.name]
}

/** One change on a set of names in which earlier changes may be missing. */
function replay(change: NameChange, names: Map<string, Inode>, directories: Set<string>): void {
  switch (change.kind) {
    case 'create':
      names.set(change.name, change.inode)
      return
    case 'rename':
      if (names.get(change.name) === change.inode) names.delete(change.name)
      names.set(change.to, change.inode)
      return
    case 'unlink':
      if (names.get(change.name) === change.inode) names.delete(change.name)
      return
    case 'directory':
      directories.add(change.name)
      return
  }
}

/** Old data in new space: half the time at the offset where it was, so that whole old records lie where records are sought. */
function oldData(old: Uint8Array, position: number, length: number, sectorBytes: number, random: Random): Uint8Array {
  const bytes = new Uint8Array(length)
  const sectors = Math.ceil(old.length / sectorBytes)
  const from = random.chance(0.5) ? position : random.below(sectors) * sectorBytes + (position % sectorBytes)
  bytes.set(old.subarray(from, from + length))
  return bytes
}

function directoryOf(name: string): string {
  const slash = name.lastIndexOf('/')
  return slash < 0 ? '' : name.slice(0, slash)
}

function shuffled<T>(list: T[], random: Random): T[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const other = list[j]!
    list[j] = list[i]!
    list[i] = other
  }
  return list
}

function inside(bytes: Uint8Array, start: number, length: number): void {
  if (start < 0 || length < 0 || start + length > bytes.length) throw new Error('misuse: range outside of the buffer')
}

/** Errors are part of normal life here, and nobody asks where in the simulator they were made: without a stack they cost a tenth. */
function failure(code: string, call: string, name: string): StorageError {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  const error = Object.assign(new Error(`${code}: ${call} ${name}`), { code })
  Error.stackTraceLimit = stackTraceLimit
  return error
}

function describe(call: CallKind, name: string, effect: Effect | null, result: unknown): string {
  const where = effect?.kind === 'write' ? ` @${effect.position}+${effect.bytes.length}` : ''
  const outcome = result instanceof Error ? ` ${result.message.split(':')[0]}` : ''
  return `${call} ${name}${where}${outcome}`
}
