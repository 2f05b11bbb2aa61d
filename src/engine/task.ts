// Tasks: background work written as straight lines, driven one step at a time.
//
// Recovery, hints, merge and manifest commits are sequences of file calls with decisions in between. As generators they read like
// synchronous code, yet whoever drives them decides when each step goes on: the main thread or a worker by completions of real
// files, a simulator by its seed. Promises would do the same with a scheduler nobody can seed, and not stop in the middle.
//
//   function* work(storage): Task<number> {
//     const file = yield* open(storage, 'x', 'read')     // every effect is one yield
//     ...
//   }
//   run(work(storage), (error, value) => ...)
//
// An effect is a function that takes a completion. An error of an effect is thrown at the yield, so try/finally works.

import type { Done, Storage, StorageFile } from './storage.ts'

export type Effect = (done: (error: Error | null, value?: unknown) => void) => void
export type Task<T> = Generator<Effect, T, unknown>

/** Runs a task to its end. `done` is called exactly once, possibly before run returns. */
export function run<T>(task: Task<T>, done: (error: Error | null, value: T | undefined) => void): void {
  // Completions that come back at once are handled by the loop, not by recursion: a long task must not grow the stack.
  let looping = false
  let ready = true
  let error: Error | null = null
  let value: unknown
  const advance = (): void => {
    if (looping) return
    looping = true
    while (ready) {
      ready = false
      let step: IteratorResult<Effect, T>
      try {
        step = error === null ? task.next(value) : task.throw(error)
      } catch (thrown) {
        done(thrown as Error, undefined)
        return
      }
      if (step.done === true) {
        done(null, step.value)
        return
      }
      let called = false
      step.value((e, v) => {
        if (called) throw new Error('an effect completed twice')
        called = true
        error = e
        value = v
        ready = true
        advance()
      })
    }
    looping = false
  }
  advance()
}

/** Waits for one callback-style call: `const x = yield* wait<number>((done) => file.size(done))`. */
export function* wait<T = void>(start: (done: Done<T>) => void): Task<T> {
  return (yield ((done) => start(done as Done<T>)) as Effect) as T
}

// --- the file calls, as task steps

export const open = (storage: Storage, name: string, mode: 'read' | 'create'): Task<StorageFile> =>
  wait((done) => storage.open(name, mode, done))

export const list = (storage: Storage, directory: string): Task<string[]> =>
  wait((done) => storage.list(directory, done))

export const rename = (storage: Storage, from: string, to: string): Task<void> =>
  wait((done) => storage.rename(from, to, done))

export const unlink = (storage: Storage, name: string): Task<void> => wait((done) => storage.unlink(name, done))

export const syncDirectory = (storage: Storage, name: string): Task<void> =>
  wait((done) => storage.syncDirectory(name, done))

export const sync = (file: StorageFile): Task<void> => wait((done) => file.sync(done))

export const close = (file: StorageFile): Task<void> => wait((done) => file.close(done))

export const size = (file: StorageFile): Task<number> => wait((done) => file.size(done))

/** Reads up to `length` bytes; fewer only at the end of the file. Returns how many. */
export function* read(
  file: StorageFile,
  into: Uint8Array,
  start: number,
  length: number,
  position: number,
): Task<number> {
  let got = 0
  while (got < length) {
    const n = yield* wait<number>((done) => file.read(into, start + got, length - got, position + got, done))
    if (n === 0) break
    got += n
  }
  return got
}

/** Writes all of it or throws: a short write is a disk that has just filled up (ENOSPC). */
export function* write(
  file: StorageFile,
  from: Uint8Array,
  start: number,
  length: number,
  position: number,
): Task<void> {
  const n = yield* wait<number>((done) => file.write(from, start, length, position, done))
  if (n !== length) throw shortWrite(n, length)
}

export function shortWrite(written: number, length: number): Error & { code: string } {
  return Object.assign(new Error(`short write: ${written} of ${length} bytes`), { code: 'ENOSPC' })
}

/** True when a file call failed because there is no such name. */
export function isMissing(error: unknown): boolean {
  return (error as { code?: string } | null)?.code === 'ENOENT'
}

/** True when a file call failed because the disk could not do it there: a bad sector. */
export function isUnreadable(error: unknown): boolean {
  return (error as { code?: string } | null)?.code === 'EIO'
}

/** There is no room: of the disk, or of a quota. */
export const OUT_OF_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])

/** True when a file call failed because there is no room. */
export function isOutOfRoom(error: unknown): boolean {
  return OUT_OF_ROOM.has((error as { code?: string } | null)?.code ?? '')
}

/** Starts a call now and waits for it later: the task does something else meanwhile. Returns what to wait with, once. */
export function begin<T>(start: (done: Done<T>) => void): () => Task<T> {
  let ended: { readonly error: Error | null; readonly value: T } | null = null
  let waiting: Done<T> | null = null
  start((error, value) => {
    ended = { error, value }
    waiting?.(error, value)
  })
  return () =>
    wait<T>((done) => {
      if (ended === null) waiting = done
      else done(ended.error as never, ended.value)
    })
}

/** Whether it could be done. For what is only tidier when it is. */
export function* attempt(task: Task<unknown>): Task<boolean> {
  try {
    yield* task
    return true
  } catch {
    return false
  }
}
