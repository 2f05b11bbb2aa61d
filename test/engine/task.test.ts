import { expect, test } from 'vitest'
import type { StorageFile } from '../../src/engine/storage.ts'
import { read, run, type Task, wait, write } from '../../src/engine/task.ts'

const later = <T>(value: T): Task<T> => wait((done) => setImmediate(() => done(null, value)))
const now = <T>(value: T): Task<T> => wait((done) => done(null, value))

const perform = <T>(task: Task<T>): Promise<T> =>
  new Promise((resolve, reject) => run(task, (error, value) => (error === null ? resolve(value as T) : reject(error))))

test('steps give their values, at once or later', async () => {
  function* work(): Task<number> {
    return (yield* now(1)) + (yield* later(2)) + (yield* now(3))
  }
  expect(await perform(work())).toBe(6)
})

test('a task whose steps complete at once ends before run returns, however many there are', () => {
  function* work(): Task<number> {
    let sum = 0
    for (let i = 0; i < 200_000; i++) sum += yield* now(1)
    return sum
  }
  let result = 0
  run(work(), (_, value) => {
    result = value as number
  })
  expect(result).toBe(200_000)
})

test('an error of a step is thrown where it stands, once, and finally runs', async () => {
  const seen: string[] = []
  const failing = (message: string): Task<void> => wait((done) => setImmediate(() => done(new Error(message) as never)))
  function* work(): Task<string> {
    try {
      yield* failing('first')
    } catch (error) {
      seen.push((error as Error).message)
    }
    try {
      yield* failing('second')
    } finally {
      seen.push(`closed ${yield* later('x')}`)
    }
    return 'not reached'
  }
  await expect(perform(work())).rejects.toThrow('second')
  expect(seen).toEqual(['first', 'closed x'])
})

test('what a task throws itself ends it with that error', async () => {
  // biome-ignore lint/correctness/useYield: it throws before it could
  function* work(): Task<void> {
    throw new Error('mine')
  }
  await expect(perform(work())).rejects.toThrow('mine')
})

test('a step that completes twice is a mistake of ours and says so', () => {
  let again: (() => void) | null = null
  function* work(): Task<void> {
    yield* wait<void>((done) => {
      again = () => done(null)
    })
  }
  run(work(), () => {})
  ;(again as unknown as () => void)()
  expect(again).toThrow('an effect completed twice')
})

test('a read that comes in pieces is put together, and ends at the end of the file', async () => {
  const content = Buffer.from('0123456789')
  const file = {
    read(into: Uint8Array, start: number, length: number, position: number, done: (e: null, n: number) => void) {
      const n = Math.min(3, length, Math.max(0, content.length - position))
      into.set(content.subarray(position, position + n), start)
      setImmediate(() => done(null, n))
    },
  } as unknown as StorageFile
  const into = Buffer.alloc(20, '.')
  expect(await perform(read(file, into, 2, 8, 1))).toBe(8)
  expect(into.toString()).toBe('..12345678..........')
  expect(await perform(read(file, into, 0, 20, 4))).toBe(6)
})

test('a short write is a full disk, and is not continued', async () => {
  let calls = 0
  const file = {
    write(_f: Uint8Array, _s: number, length: number, _p: number, done: (e: null, n: number) => void) {
      calls++
      done(null, length - 1)
    },
  } as unknown as StorageFile
  await expect(perform(write(file, Buffer.alloc(10), 0, 10, 0))).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(calls).toBe(1)
})
