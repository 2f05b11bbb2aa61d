// openEngine on real directories: the lock, descriptors, file modes, and the worker thread that merges and makes hints.

import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import type * as threads from 'node:worker_threads'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { type Slice, sliceOf } from '../../src/base/slice.ts'
import type { Engine, EngineSettings } from '../../src/engine/engine.ts'
import { LOCK, MANIFEST } from '../../src/engine/filename.ts'
import { ensureDirectory } from '../../src/engine/node-storage.ts'
import { type DirectoryOptions, openEngine } from '../../src/engine/open.ts'
import { run, startChild } from '../harness/child.ts'
import { flip } from './damage.ts'
import { dataPath, manifestOf } from './files.ts'
import { bytesOf, settings, turn } from './test-store.ts'

// The driver is the only one who knows its worker: to let one die, the test looks over its shoulder.
const workers: threads.Worker[] = []
/** As where a limit of processes is reached. */
const threadsOfSystem = vi.hoisted(() => ({ areLeft: true }))
vi.mock('node:worker_threads', async (original) => {
  const real = await original<typeof threads>()
  class Watched extends real.Worker {
    constructor(...args: ConstructorParameters<typeof threads.Worker>) {
      if (!threadsOfSystem.areLeft) throw Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' })
      super(...args)
      workers.push(this)
    }
  }
  return { ...real, Worker: Watched }
})

// Below the system's temporary directory, on a real disk: not where the other tests make their thousands of files.
const directories: string[] = []
function freshDirectory(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'casky-engine-'))
  directories.push(directory)
  return directory
}
afterEach(() => {
  for (const directory of directories.splice(0)) fs.rmSync(directory, { recursive: true, force: true })
})

function open(
  directory: string,
  change: Partial<EngineSettings> = {},
  options: Partial<DirectoryOptions> = {},
): Promise<Engine> {
  return new Promise((resolve, reject) => {
    openEngine(
      {
        directory,
        clock: systemClock,
        logger: silentLogger,
        settings: { ...settings, ...change },
        databases: 4,
        onCorruption: 'refuse',
        unsafeNoLock: false,
        coldReads: 2,
        synchronousIo: true,
        reserveBytes: 0,
        ...options,
      },
      { onReleased() {}, onFailed() {}, onGate() {}, onChange() {} },
      (error, engine) => (error === null ? resolve(engine as Engine) : reject(error)),
    )
  })
}

const close = (engine: Engine): Promise<void> =>
  new Promise((resolve, reject) => engine.close((error) => (error === null ? resolve() : reject(error))))

const merge = (engine: Engine): Promise<number> =>
  new Promise((resolve, reject) =>
    engine.merge.wait((error, freed) => (error === null ? resolve(freed) : reject(error))),
  )

const seal = (engine: Engine): Promise<void> =>
  new Promise((resolve, reject) => engine.seal((error) => (error === null ? resolve() : reject(error))))

function put(engine: Engine, key: string, value: string): void {
  engine.put(0, sliceOf(key), sliceOf(value), 0)
  engine.flush()
}

const load = (engine: Engine, key: string): Promise<string> =>
  new Promise((resolve, reject) =>
    engine.load(engine.find(0, sliceOf(key)), (error, value) =>
      error === null ? resolve((value as Slice).key()) : reject(error),
    ),
  )

const has = (engine: Engine, key: string): boolean => engine.find(0, sliceOf(key)) !== -1

describe('the lock', () => {
  test('a second open fails at once with ELOCKED and writes nothing; after close it is free', async () => {
    const directory = freshDirectory()
    const engine = await open(directory)
    put(engine, 'k', 'v')
    const before = bytesOf(directory)
    await expect(open(directory)).rejects.toMatchObject({
      code: 'ELOCKED',
      message: expect.stringContaining(directory),
    })
    expect(bytesOf(directory)).toEqual(before)
    put(engine, 'l', 'v')
    await close(engine)
    const again = await open(directory)
    expect(has(again, 'l')).toBe(true)
    await close(again)
  })

  test('its file is never unlinked or renamed', async () => {
    const directory = freshDirectory()
    await close(await open(directory))
    const { ino } = fs.statSync(path.join(directory, LOCK))
    await close(await open(directory))
    expect(fs.statSync(path.join(directory, LOCK)).ino).toBe(ino)
  })

  test('another process holds it, and kill -9 sets it free', async () => {
    const directory = freshDirectory()
    const holder = fileURLToPath(new URL('./lock-holder.ts', import.meta.url))
    const child = await startChild(process.execPath, ['--import', 'tsx', holder, directory])
    while (!child.stdout().includes('open') && child.exit === undefined) await turn()
    expect(child.output()).toContain('open')
    await expect(open(directory)).rejects.toMatchObject({ code: 'ELOCKED' })
    child.kill('SIGKILL')
    await child.exited
    const engine = await open(directory)
    expect(has(engine, 'of the killed one')).toBe(true)
    await close(engine)
  })

  test('a start that is refused gives it back', async () => {
    const directory = freshDirectory()
    await close(await open(directory))
    const manifest = path.join(directory, MANIFEST)
    const good = fs.readFileSync(manifest)
    fs.writeFileSync(path.join(directory, '0000000077.data'), 'x'.repeat(100))
    fs.unlinkSync(manifest)
    await expect(open(directory)).rejects.toMatchObject({ code: 'EDAMAGED' })
    fs.unlinkSync(path.join(directory, '0000000077.data'))
    fs.writeFileSync(manifest, good)
    await close(await open(directory))
  })

  test('where none can be had the start is refused, unless told otherwise', async () => {
    const directory = freshDirectory()
    const before = process.env['PATH']
    process.env['PATH'] = directory
    try {
      await expect(open(directory)).rejects.toMatchObject({
        code: 'ENOLOCK',
        message: expect.stringContaining('unsafe-no-lock'),
      })
      const warnings: string[] = []
      const logger = { ...silentLogger, warning: (message: string) => void warnings.push(message) }
      await close(await open(directory, {}, { unsafeNoLock: true, logger }))
      expect(warnings.join()).toContain('unsafe-no-lock')
    } finally {
      process.env['PATH'] = before
    }
  })
})

test('files are for their owner only, and so is the directory', async () => {
  const directory = path.join(freshDirectory(), 'made', 'by open')
  const engine = await open(directory)
  put(engine, 'k', 'v')
  await seal(engine)
  await close(engine)
  expect(fs.statSync(directory).mode & 0o777).toBe(0o700)
  for (const name of fs.readdirSync(directory)) {
    expect([name, fs.statSync(path.join(directory, name)).mode & 0o777]).toEqual([name, 0o600])
  }
})

// Where a descriptor leads; it may have been closed meanwhile.
function linkOf(descriptor: string): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${descriptor}`)
  } catch {
    return ''
  }
}

test('twenty opens and closes leave no descriptor behind, nor do refused ones', async () => {
  const directory = freshDirectory()
  const damaged = freshDirectory()
  const engine = await open(damaged)
  put(engine, 'k', 'v')
  await close(engine)
  const { number } = manifestOf(damaged).segments[0]!
  flip(dataPath(damaged, number), 150)
  for (const name of fs.readdirSync(damaged)) if (/hint|image/.test(name)) fs.unlinkSync(path.join(damaged, name))
  const descriptors = (): string[] =>
    fs
      .readdirSync('/proc/self/fd')
      .map(linkOf)
      .filter((link) => link.startsWith(directory) || link.startsWith(damaged))
  for (let i = 0; i < 20; i++) {
    const store = await open(directory)
    put(store, `k${i % 7}`, `v${i}`)
    if (i % 5 === 0) await merge(store)
    expect(descriptors()).toContain(path.join(directory, LOCK))
    await close(store)
    await expect(open(damaged)).rejects.toMatchObject({ code: 'EDAMAGED' })
  }
  expect(descriptors()).toEqual([])
})

describe('the worker thread', () => {
  async function half(engine: Engine): Promise<void> {
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 300; i++) {
        if (round < 2 || i % 2 === 0) put(engine, `k${i}`, `round ${round} ${'x'.repeat(200)}`)
      }
      await seal(engine)
    }
  }

  async function expectHalf(engine: Engine): Promise<void> {
    for (let i = 0; i < 300; i++) {
      const value = await load(engine, `k${i}`)
      expect(value.slice(0, 7)).toBe(`round ${i % 2 === 0 ? 2 : 1}`)
    }
  }

  test('merges and makes hints like the one in line', async () => {
    const directory = freshDirectory()
    let engine = await open(directory)
    await half(engine)
    expect(await merge(engine)).toBeGreaterThan(100_000)
    await expectHalf(engine)
    await close(engine)
    for (const name of fs.readdirSync(directory)) if (/image/.test(name)) fs.unlinkSync(path.join(directory, name))
    engine = await open(directory)
    await expectHalf(engine)
    expect(engine.keyCount(0)).toBe(300)
    await close(engine)
  })

  test('dies in the middle of a merge: the merge is abandoned, the store unharmed, the next merge has a new worker', async () => {
    const directory = freshDirectory()
    let engine = await open(directory, { mergeRateBytesPerSecond: 1000 })
    await half(engine)
    const data = fs.readdirSync(directory).filter((name) => name.endsWith('.data'))
    const ending = merge(engine).then(
      () => 'merged',
      (error: Error) => error.message,
    )
    while (engine.merge.status().bytesRead === 0) await turn() // it has read its first batch, and now keeps to its rate
    await workers.at(-1)!.terminate()
    expect(await ending).toContain('the background thread has ended')
    expect([engine.gate, engine.merge.status().failures]).toEqual([0, 1])
    await expectHalf(engine)
    expect(fs.readdirSync(directory)).toEqual(expect.arrayContaining(data))
    put(engine, 'written after', 'v')
    engine.configure({ mergeRateBytesPerSecond: 0 })
    expect(await merge(engine)).toBeGreaterThan(0)
    await expectHalf(engine)
    await close(engine)
    engine = await open(directory)
    await expectHalf(engine)
    expect(has(engine, 'written after')).toBe(true)
    await close(engine)
  })

  test('a merge that is under way does not hold up the stop', async () => {
    const directory = freshDirectory()
    let engine = await open(directory, { mergeRateBytesPerSecond: 1 })
    await half(engine)
    engine.merge.start()
    while (engine.merge.status().bytesRead === 0) await turn()
    await close(engine)
    engine = await open(directory)
    await expectHalf(engine)
    await close(engine)
  })
})

test('no thread can be made: hints and merges wait until one can, and nothing else is harmed', async () => {
  threadsOfSystem.areLeft = false
  const directory = freshDirectory()
  try {
    const engine = await open(directory)
    put(engine, 'k', 'v')
    await seal(engine)
    put(engine, 'k', 'w')
    await expect(merge(engine)).rejects.toThrow('EAGAIN')
    threadsOfSystem.areLeft = true
    expect(await merge(engine)).toBeGreaterThan(0)
    expect(await load(engine, 'k')).toBe('w')
    await close(engine)
  } finally {
    threadsOfSystem.areLeft = true
  }
})

test('a program that only waits for the store is not ended under it', async () => {
  const directory = freshDirectory()
  const program = path.join(directory, 'program.mjs')
  const text = `
    import { openStore } from ${JSON.stringify(fileURLToPath(new URL('../../dist/engine/store.js', import.meta.url)))}
    const store = await openStore(${JSON.stringify(path.join(directory, 'data'))})
    await store.put(Buffer.from('k'), Buffer.from('v'))
    await store.sync()
    await store.put(Buffer.from('k'), Buffer.from('w'))
    await store.merge()
    await store.close()
    console.log('to the end')`
  fs.writeFileSync(program, text)
  const { code, stdout } = await run(process.execPath, [program])
  expect([code, stdout]).toEqual([0, 'to the end\n'])
})

test('a data directory is made with its parents, for its owner only; where none can be made the answer comes at once', () => {
  const root = freshDirectory()
  ensureDirectory(path.join(root, 'a/b/c'))
  ensureDirectory(path.join(root, 'a/b/c'))
  for (const made of ['a', 'a/b', 'a/b/c']) expect(fs.statSync(path.join(root, made)).mode & 0o777).toBe(0o700)
  fs.writeFileSync(path.join(root, 'file'), '')
  expect(() => ensureDirectory(path.join(root, 'file'))).toThrow('EEXIST')
  expect(() => ensureDirectory(path.join(root, 'file/below'))).toThrow('ENOTDIR')
  fs.symlinkSync(path.join(root, 'nowhere'), path.join(root, 'dangling'))
  expect(() => ensureDirectory(path.join(root, 'dangling'))).toThrow()
  if (process.platform === 'linux') expect(() => ensureDirectory('/proc/casky')).toThrow('ENOENT')
})
