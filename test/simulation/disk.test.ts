import { describe, expect, test } from 'vitest'
import type { StorageError, StorageFile } from '../../src/engine/storage.ts'
import { SimulatedDisk } from './disk.ts'
import { Random } from './random.ts'
import { Scheduler } from './scheduler.ts'

const SEEDS = 400

interface World {
  scheduler: Scheduler
  disk: SimulatedDisk
}

function world(seed: number, sectorBytes = 512): World {
  const scheduler = new Scheduler(seed)
  return { scheduler, disk: new SimulatedDisk(scheduler, { sectorBytes }) }
}

function settle({ scheduler }: World): void {
  while (scheduler.step()) {}
}

/** Runs one call to its end and gives its value; throws its error. */
function finish<T>(w: World, call: (done: (error: StorageError | null, value: T) => void) => void): T {
  let result: { error: StorageError | null; value: T } | null = null
  call((error, value) => {
    result = { error, value }
  })
  while (result === null && w.scheduler.step()) {}
  if (result === null) throw new Error('never called back')
  const { error, value } = result as { error: StorageError | null; value: T }
  if (error !== null) throw error
  return value
}

function create(w: World, name: string): StorageFile {
  return finish<StorageFile>(w, (done) => w.disk.open(name, 'create', done))
}

function write(w: World, file: StorageFile, bytes: Buffer, position: number): number {
  return finish<number>(w, (done) => file.write(bytes, 0, bytes.length, position, done))
}

const sync = (w: World, file: StorageFile): void => finish<void>(w, (done) => file.sync(done))
const syncDirectory = (w: World, name = ''): void => finish<void>(w, (done) => w.disk.syncDirectory(name, done))
const rename = (w: World, from: string, to: string): void => finish<void>(w, (done) => w.disk.rename(from, to, done))
const unlink = (w: World, name: string): void => finish<void>(w, (done) => w.disk.unlink(name, done))

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return (error as StorageError).code ?? String(error)
  }
  return 'no error'
}

/** Crashes a fresh world, set up alike each time, with many seeds; gives every different outcome once. */
function outcomes(prepare: (w: World) => void, look: (disk: SimulatedDisk) => string, sectorBytes = 512): Set<string> {
  const seen = new Set<string>()
  for (let seed = 1; seed <= SEEDS; seed++) {
    const w = world(seed, sectorBytes)
    prepare(w)
    seen.add(look(w.disk.crash(seed, new Scheduler(seed))))
  }
  return seen
}

const letters = (letter: string, count: number): Buffer => Buffer.alloc(count, letter)
const text = (disk: SimulatedDisk, name: string): string => {
  const bytes = disk.peek(name)
  return bytes === null ? 'absent' : Buffer.from(bytes).toString('latin1')
}

describe('what was synced', () => {
  test('survives every crash, whatever else was going on', () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const w = world(seed, 64)
      const random = new Random(seed)
      const file = create(w, 'data')
      syncDirectory(w)
      // Truth of each byte that a finished sync covers and no later write touches; NaN where anything may be.
      const truth: number[] = []
      let unsynced: [number, number][] = []
      const rounds = random.between(1, 12)
      for (let round = 0; round < rounds; round++) {
        const bytes = letters(String.fromCharCode(97 + round), random.between(1, 300))
        const position = random.chance(0.7) ? truth.length : random.below(truth.length + 1)
        write(w, file, bytes, position)
        unsynced.push([position, bytes.length])
        for (let i = 0; i < bytes.length; i++) truth[position + i] = bytes[i]!
        if (random.chance(0.4)) {
          sync(w, file)
          unsynced = []
        }
      }
      for (const [position, length] of unsynced) truth.fill(Number.NaN, position, position + length)
      const left = w.disk.crash(seed * 7, new Scheduler(seed)).peek('data')!
      truth.forEach((byte, at) => {
        if (!Number.isNaN(byte) && left[at] !== byte) throw new Error(`seed ${seed}: byte ${at} lost`)
      })
    }
  })

  test('does not include a write that completed after the sync had been started', () => {
    const seen = outcomes(
      (w) => {
        const file = create(w, 'f')
        syncDirectory(w)
        file.sync(() => {})
        file.write(letters('x', 4), 0, 4, 0, () => {})
        settle(w)
      },
      (disk) => text(disk, 'f'),
    )
    expect(seen).toContain('')
    expect(seen).toContain('xxxx')
  })
})

describe('what was not synced', () => {
  test('is kept, lost, torn between sectors, cut short or never on the platter though the size is', () => {
    const seen = outcomes(
      (w) => {
        const file = create(w, 'f')
        syncDirectory(w)
        write(w, file, letters('x', 24), 0)
      },
      (disk) => text(disk, 'f'),
      8,
    )
    const eight = 'x'.repeat(8)
    const none = '\0'.repeat(8)
    expect(seen).toContain('')
    expect(seen).toContain(eight + eight + eight)
    expect(seen).toContain(eight + none + eight)
    expect(seen).toContain(none + none + eight)
    expect([...seen].some((left) => left.length % 8 !== 0)).toBe(true)
    for (const left of seen) {
      for (let at = 0; at < left.length; at += 8) {
        const sector = left.slice(at, at + 8)
        expect([eight.slice(0, sector.length), none.slice(0, sector.length)]).toContain(sector)
      }
    }
  })

  test('does not reach back into bytes that no write touched', () => {
    const seen = outcomes(
      (w) => {
        const file = create(w, 'f')
        write(w, file, letters('a', 10), 0)
        sync(w, file)
        syncDirectory(w)
        write(w, file, letters('b', 10), 10)
      },
      (disk) => text(disk, 'f').slice(0, 10),
    )
    expect([...seen]).toEqual(['aaaaaaaaaa'])
  })

  test('may be covered by old data of a deleted file', () => {
    const seen = outcomes(
      (w) => {
        const old = create(w, 'old')
        write(w, old, letters('o', 16), 0)
        sync(w, old)
        syncDirectory(w)
        unlink(w, 'old')
        const file = create(w, 'f')
        syncDirectory(w)
        write(w, file, letters('x', 16), 0)
      },
      (disk) => text(disk, 'f'),
      8,
    )
    expect([...seen].some((left) => left.includes('oooooooo'))).toBe(true)
  })
})

describe('names', () => {
  test('a created name may be lost until its directory is synced, though the file is', () => {
    const prepare = (w: World): void => {
      const file = create(w, 'f')
      write(w, file, letters('x', 4), 0)
      sync(w, file)
    }
    expect(outcomes(prepare, (disk) => text(disk, 'f'))).toEqual(new Set(['absent', 'xxxx']))
    const both = outcomes(
      (w) => {
        prepare(w)
        syncDirectory(w)
      },
      (disk) => text(disk, 'f'),
    )
    expect(both).toEqual(new Set(['xxxx']))
  })

  test('a rename over a file leaves the old or the new one, never neither', () => {
    const seen = outcomes(
      (w) => {
        for (const [name, letter] of [
          ['f', 'o'],
          ['f.tmp', 'n'],
        ] as const) {
          const file = create(w, name)
          write(w, file, letters(letter, 1200), 0)
          sync(w, file)
        }
        syncDirectory(w)
        rename(w, 'f.tmp', 'f')
      },
      (disk) => `${text(disk, 'f')} ${disk.files().length}`,
    )
    expect(seen).toEqual(new Set([`${'o'.repeat(1200)} 2`, `${'n'.repeat(1200)} 1`]))
  })

  test('a rename of a file that was not synced may leave it empty or in part', () => {
    const seen = outcomes(
      (w) => {
        const file = create(w, 'f.tmp')
        write(w, file, letters('n', 1200), 0)
        rename(w, 'f.tmp', 'f')
        syncDirectory(w)
      },
      (disk) => text(disk, 'f'),
    )
    expect(seen).toContain('')
    expect(seen).toContain('n'.repeat(1200))
    expect(seen.size).toBeGreaterThan(4)
  })

  test('of an unlink and a rename either may be lost without the other', () => {
    const seen = outcomes(
      (w) => {
        create(w, 'a')
        create(w, 'b')
        syncDirectory(w)
        unlink(w, 'a')
        rename(w, 'b', 'c')
      },
      (disk) => disk.files().join(' '),
    )
    expect(seen).toEqual(new Set(['a b', 'b', 'a c', 'c']))
  })

  test('a rename between directories is durable when both are synced, and whole before', () => {
    const prepare = (w: World): void => {
      finish<void>(w, (done) => w.disk.makeDirectory('d', done))
      create(w, 'f')
      syncDirectory(w)
      rename(w, 'f', 'd/f')
      syncDirectory(w, 'd')
    }
    expect(outcomes(prepare, (disk) => disk.files().join(' '))).toEqual(new Set(['f', 'd/f']))
    const synced = outcomes(
      (w) => {
        prepare(w)
        syncDirectory(w)
      },
      (disk) => disk.files().join(' '),
    )
    expect(synced).toEqual(new Set(['d/f']))
  })

  test('a directory that is lost takes its files along', () => {
    const seen = outcomes(
      (w) => {
        finish<void>(w, (done) => w.disk.makeDirectory('d', done))
        create(w, 'd/f')
        syncDirectory(w, 'd')
      },
      (disk) => disk.files().join(' '),
    )
    expect(seen).toEqual(new Set(['', 'd/f']))
  })
})

describe('calls in flight', () => {
  test('at a power cut, took effect or not', () => {
    const seen = outcomes(
      (w) => {
        const file = create(w, 'f')
        syncDirectory(w)
        w.disk.rename('f', 'g', () => {})
        file.write(letters('x', 4), 0, 4, 0, () => {})
      },
      (disk) =>
        disk
          .files()
          .map((name) => `${name}=${text(disk, name).replaceAll('\0', '0')}`)
          .join(' '),
    )
    for (const outcome of ['f=', 'g=', 'f=xxxx', 'g=xxxx', 'f=xx', 'f=0000']) expect(seen).toContain(outcome)
  })

  test('complete in any order', () => {
    const orders = new Set<string>()
    for (let seed = 1; seed <= 50; seed++) {
      const w = world(seed)
      const file = create(w, 'f')
      let order = ''
      for (const letter of ['a', 'b', 'c']) {
        file.write(letters(letter, 1), 0, 1, 0, () => {
          order += letter
        })
      }
      settle(w)
      expect(text(w.disk, 'f')).toBe(order[2])
      orders.add(order)
    }
    expect(orders.size).toBe(6)
  })
})

describe('a process crash', () => {
  test('keeps what completed, synced or not, and a power cut after it may still take it', () => {
    const afterwards = new Set<string>()
    for (let seed = 1; seed <= SEEDS; seed++) {
      const w = world(seed)
      const file = create(w, 'f')
      write(w, file, letters('x', 4), 0)
      const next = w.disk.processCrash(seed, new Scheduler(seed))
      expect(text(next, 'f')).toBe('xxxx')
      afterwards.add(text(next.crash(seed, new Scheduler(seed)), 'f'))
    }
    expect(afterwards).toContain('absent')
    expect(afterwards).toContain('')
    expect(afterwards).toContain('xxxx')
  })

  test('leaves the world it happened to alone', () => {
    const w = world(1)
    const file = create(w, 'f')
    write(w, file, letters('x', 4), 0)
    const stamp = w.disk.stamp
    for (let seed = 1; seed <= 20; seed++) {
      const other = { scheduler: new Scheduler(seed), disk: w.disk.crash(seed, new Scheduler(seed)) }
      other.disk.place('f', letters('y', 9))
    }
    expect(text(w.disk, 'f')).toBe('xxxx')
    expect(w.disk.stamp).toBe(stamp)
    sync(w, file)
    syncDirectory(w)
    expect(text(w.disk.crash(3, new Scheduler(3)), 'f')).toBe('xxxx')
  })
})

describe('injected faults', () => {
  test('after a failed sync the next one succeeds, reads see the data, and a power cut takes it', () => {
    const seen = outcomes(
      (w) => {
        const file = create(w, 'f')
        syncDirectory(w)
        write(w, file, letters('x', 4), 0)
        w.disk.failAt(1, 'EIO')
        expect(codeOf(() => sync(w, file))).toBe('EIO')
        sync(w, file)
        expect(text(w.disk, 'f')).toBe('xxxx')
      },
      (disk) => text(disk, 'f').replaceAll('\0', '0'),
    )
    expect(seen).toContain('')
    expect(seen).toContain('0000')
  })

  test('a new process may find that the doomed data is gone from the page cache', () => {
    const seen = new Set<string>()
    for (let seed = 1; seed <= 50; seed++) {
      const w = world(seed)
      const file = create(w, 'f')
      write(w, file, letters('x', 4), 0)
      w.disk.failAt(1, 'EIO')
      codeOf(() => sync(w, file))
      seen.add(text(w.disk.processCrash(seed, new Scheduler(seed)), 'f').replaceAll('\0', '0'))
    }
    expect(seen).toEqual(new Set(['xxxx', '0000']))
  })

  test('happen at the call asked for, once or for ever, and only to calls they can happen to', () => {
    const w = world(1)
    const file = create(w, 'f')
    w.disk.failAt(2, 'ENOSPC')
    expect(write(w, file, letters('a', 4), 0)).toBe(4)
    expect(codeOf(() => write(w, file, letters('b', 4), 4))).toBe('ENOSPC')
    expect(write(w, file, letters('c', 4), 4)).toBe(4)
    w.disk.failAt(1, 'EMFILE', { forever: true })
    expect(write(w, file, letters('d', 4), 8)).toBe(4)
    expect(codeOf(() => create(w, 'g'))).toBe('EMFILE')
    expect(codeOf(() => create(w, 'g'))).toBe('EMFILE')
    w.disk.faults.clear()
    create(w, 'g')
    w.disk.failAt(1, 'short')
    expect(write(w, file, letters('e', 4), 12)).toBeLessThan(4)
    w.disk.failAt(1, 'EIO', { only: (call, name) => call === 'rename' && name.startsWith('g') })
    expect(write(w, file, letters('f', 4), 12)).toBe(4)
    expect(codeOf(() => rename(w, 'g', 'h'))).toBe('EIO')
    expect(w.disk.files()).toEqual(['f', 'g'])
  })

  test('a directory whose sync failed is not made durable by the next', () => {
    const seen = outcomes(
      (w) => {
        create(w, 'f')
        w.disk.failAt(1, 'EIO')
        codeOf(() => syncDirectory(w))
        syncDirectory(w)
      },
      (disk) => disk.files().join(' '),
    )
    expect(seen).toEqual(new Set(['', 'f']))
  })
})

test('a create whose directory sync failed does not come back over a later one that was synced', () => {
  const seen = outcomes(
    (w) => {
      create(w, 'f')
      w.disk.failAt(1, 'EIO')
      codeOf(() => syncDirectory(w))
      unlink(w, 'f')
      const file = create(w, 'f')
      write(w, file, letters('x', 4), 0)
      sync(w, file)
      syncDirectory(w)
    },
    (disk) => text(disk, 'f'),
  )
  expect(seen).toEqual(new Set(['xxxx']))
})

describe('storage.ts', () => {
  test('opens, lists, sizes and reads as it says', () => {
    const w = world(1)
    expect(codeOf(() => finish<StorageFile>(w, (done) => w.disk.open('f', 'read', done)))).toBe('ENOENT')
    const file = create(w, 'f')
    expect(codeOf(() => create(w, 'f'))).toBe('EEXIST')
    write(w, file, Buffer.from('hello'), 3)
    expect(finish<number>(w, (done) => file.size(done))).toBe(8)
    const into = Buffer.alloc(10, '.')
    const again = finish<StorageFile>(w, (done) => w.disk.open('f', 'read', done))
    expect(finish<number>(w, (done) => again.read(into, 1, 9, 2, done))).toBe(6)
    expect(into.toString('latin1')).toBe('.\0hello...')
    finish<void>(w, (done) => w.disk.makeDirectory('d', done))
    create(w, 'd/g')
    expect(finish<string[]>(w, (done) => w.disk.list('', done))).toEqual(['f'])
    expect(finish<string[]>(w, (done) => w.disk.list('d', done))).toEqual(['g'])
    expect(codeOf(() => finish<string[]>(w, (done) => w.disk.list('e', done)))).toBe('ENOENT')
    expect(codeOf(() => unlink(w, 'nothing'))).toBe('ENOENT')
    expect(w.disk.openFiles).toBe(3)
    finish<void>(w, (done) => again.close(done))
    expect(w.disk.openFiles).toBe(2)
  })

  test('misuse is an exception', () => {
    const w = world(1)
    const file = create(w, 'f')
    const bytes = letters('x', 4)
    file.write(bytes, 0, 4, 0, () => {})
    expect(() => file.close(() => {})).toThrow('calls in flight')
    bytes[2] = 0
    expect(() => settle(w)).toThrow('buffer changed')
    const other = create(w, 'g')
    other.close(() => {})
    expect(() => other.sync(() => {})).toThrow('after close')
    expect(() => file.write(bytes, 2, 4, 0, () => {})).toThrow('outside of the buffer')
    const reader = finish<StorageFile>(w, (done) => w.disk.open('f', 'read', done))
    expect(() => reader.write(bytes, 0, 4, 0, () => {})).toThrow('open for reading')
    expect(() => file.readSync(bytes, 0, 1, 0)).toThrow('synchronous')
  })

  test('durableBefore names the oldest write that a power cut may take', () => {
    const w = world(1)
    const all = (): boolean => true
    const a = create(w, 'a')
    const b = create(w, 'b')
    expect(w.disk.durableBefore(all)).toBe(1)
    write(w, a, letters('x', 1), 0)
    write(w, b, letters('x', 1), 0)
    expect(w.disk.durableBefore(all)).toBe(1)
    sync(w, a)
    expect(w.disk.durableBefore(all)).toBe(2)
    expect(w.disk.durableBefore((name) => name === 'a')).toBe(3)
    w.disk.failAt(1, 'EIO')
    codeOf(() => sync(w, b))
    sync(w, b)
    expect(w.disk.durableBefore(all)).toBe(2)
  })
})

test('the same seed is the same run', () => {
  const run = (seed: number): string => {
    const w = world(seed, 16)
    const log: string[] = []
    w.disk.onCall = (call) => log.push(call)
    const file = create(w, 'f')
    for (let i = 0; i < 10; i++) file.write(letters('x', 10), 0, 10, i * 10, () => {})
    for (let i = 0; i < 5; i++) w.scheduler.step()
    const left = w.disk.crash(seed, new Scheduler(seed))
    return `${log.join(';')} ${left.files()} ${text(left, 'f')}`
  }
  expect(run(5)).toBe(run(5))
  expect(run(5)).not.toBe(run(6))
})
