// Starts over files that are torn, damaged, missing or foreign.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { crc32 } from '../../src/base/crc32.ts'
import { dataName, hintName, IMAGE, MANIFEST, QUARANTINE } from '../../src/engine/filename.ts'
import { sealRecord } from '../../src/engine/record.ts'
import { SEGMENT_HEADER_BYTES } from '../../src/engine/segment-header.ts'
import { flip, hurt, namesIn, newestOf } from './damage.ts'
import { FaultyStorage } from './faulty-storage.ts'
import { allRecords, dataPath, hintPath, manifestOf } from './files.ts'
import { restart } from './starts.ts'
import { bytesOf, type Contents, cleanUp, copyOf, freshDirectory, removeFiles, TestStore } from './test-store.ts'

afterEach(cleanUp)

/** Bytes between two cuts; before a release each is one. */
const STEP = process.env['CASKY_TEST_FULL'] === '1' ? 1 : 3

/** Two sealed segments with hints and what is in the log; stopped. Keys a0.., b0.., every third of the a's overwritten in the second. */
async function twoSegments(): Promise<{ directory: string; contents: Contents }> {
  const store = await TestStore.open(freshDirectory())
  for (let i = 0; i < 9; i++) store.put(`a${i}`, `old ${i} ${'x'.repeat(20)}`)
  await store.seal()
  for (let i = 0; i < 9; i++) store.put(`b${i}`, `value ${i}`)
  for (let i = 0; i < 9; i += 3) store.put(`a${i}`, `new ${i}`)
  await store.seal()
  const contents = await store.contents()
  await store.close()
  fs.unlinkSync(path.join(store.directory, IMAGE))
  return { directory: store.directory, contents }
}

/** Copies by the hundred need not wait for the end of the test. */
function discard(...directories: string[]): void {
  for (const directory of directories) fs.rmSync(directory, { recursive: true, force: true })
}

async function refusal(directory: string): Promise<{ code?: string; message: string }> {
  try {
    const store = await TestStore.open(directory)
    await store.close()
  } catch (error) {
    return error as Error
  }
  return expect.fail('it started')
}

describe('a torn tail', () => {
  /** The states after each tick of a small log that was never synced, and where in the file each ends. */
  async function log(): Promise<{ directory: string; file: string; states: { end: number; contents: Contents }[] }> {
    const store = await TestStore.open(freshDirectory(), { appendfsync: 'no' })
    const states: { end: number; contents: Contents }[] = [{ end: 0, contents: new Map() }]
    const step = async (write: () => void): Promise<void> => {
      write()
      await store.tick()
      states.push({ end: store.engine.log.active.sizeBytes, contents: await store.contents() })
    }
    await step(() => store.put('a', '1'))
    await step(() => store.put('b', '2', store.clock.now() + 1e6))
    await step(() => store.remove('a'))
    await step(() =>
      store.batch(() => {
        store.put('c', '3')
        store.put('b', '4')
      }),
    )
    await step(() => store.setExpiry('c', store.clock.now() + 1e6))
    await step(() => store.engine.swapDatabases(0, 1))
    await step(() => store.put('', ''))
    await store.quiet()
    const directory = copyOf(store.directory)
    const file = dataPath(directory, store.engine.log.active.number)
    await store.close()
    return { directory, file, states }
  }

  test('cut at any byte, what is left is a prefix, batches whole; and a second start says the same', async () => {
    const { directory, file, states } = await log()
    const size = fs.statSync(file).size
    expect(size).toBe(states.at(-1)!.end)
    for (let length = 0; length <= size; length += STEP) {
      const copy = copyOf(directory)
      fs.truncateSync(path.join(copy, path.basename(file)), length)
      let store = await TestStore.open(copy)
      const { contents } = states.findLast(({ end }) => end <= length)!
      expect(await store.contents(), `cut at ${length}`).toEqual(contents)
      if (length % 15 === 0) {
        store = await restart(store, 'killed')
        expect(await store.contents(), `cut at ${length}, second start`).toEqual(contents)
      }
      await store.close()
      discard(copy, store.directory)
    }
  })

  test('a bit flipped anywhere in what was never synced: a prefix up to it, never a wrong value', async () => {
    const { directory, file, states } = await log()
    const size = fs.statSync(file).size
    for (let at = SEGMENT_HEADER_BYTES; at < size; at += 7) {
      const copy = copyOf(directory)
      flip(path.join(copy, path.basename(file)), at, at & 7)
      const store = await TestStore.open(copy)
      expect(await store.contents(), `flipped in ${at}`).toEqual(states.findLast(({ end }) => end <= at)!.contents)
      await store.close()
      discard(copy)
    }
  })

  test('zeros behind the end are no data and nobody is told; other bytes are dropped, reported and kept', async () => {
    const { directory, file, states } = await log()
    const expected = states.at(-1)!.contents
    for (const [what, bytes] of [
      ['zeros', Buffer.alloc(5000)],
      ['noise', Buffer.from('noise'.repeat(50))],
      ['whole records of another segment', fs.readFileSync(file).subarray(SEGMENT_HEADER_BYTES)],
    ] as const) {
      const copy = copyOf(directory)
      const tail = path.join(copy, path.basename(file))
      fs.appendFileSync(tail, bytes)
      const store = await TestStore.open(copy)
      expect(await store.contents(), what).toEqual(expected)
      const quarantined = fs.existsSync(path.join(copy, QUARANTINE)) ? fs.readdirSync(path.join(copy, QUARANTINE)) : []
      if (what === 'zeros') {
        expect([quarantined, store.warnings]).toEqual([[], []])
      } else {
        expect(quarantined.length).toBe(1)
        expect(fs.readFileSync(path.join(copy, QUARANTINE, quarantined[0]!))).toEqual(bytes)
        expect(store.engine.stats().quarantinedBytes).toBe(bytes.length)
        expect(store.warnings.join()).toContain('never acknowledged as durable')
      }
      await store.close()
    }
  })

  test('is never appended to: the file stays as it was, or goes as a whole', async () => {
    const { directory, file } = await log()
    fs.truncateSync(file, fs.statSync(file).size - 3)
    const before = bytesOf(directory)
    const store = await TestStore.open(directory)
    store.put('more', 'x'.repeat(300))
    await store.tick()
    await store.seal()
    await store.close()
    for (const [name, bytes] of Object.entries(bytesOf(directory))) {
      if (name.endsWith('.data') && name in before) expect(bytes).toBe(before[name])
    }
  })

  test('quarantine is bounded: starts over a thousand torn tails do not fill the disk', async () => {
    const directory = freshDirectory()
    let store = await TestStore.open(directory)
    for (let i = 0; i < 20; i++) {
      store.put('k', `v${i}`)
      await store.tick()
      const { number } = store.engine.log.active
      const copy = copyOf(directory)
      fs.appendFileSync(dataPath(copy, number), 'torn')
      await store.close()
      for (const name of namesIn(directory)) fs.unlinkSync(path.join(directory, name))
      fs.cpSync(copy, directory, { recursive: true })
      store = await TestStore.open(directory)
      expect(await store.get('k')).toBe(`v${i}`)
    }
    expect(fs.readdirSync(path.join(directory, QUARANTINE)).length).toBe(16)
    await store.close()
  })
})

describe('damage below a proven position', () => {
  /** A log that was synced after c, and went on; as a kill leaves it. */
  async function synced(): Promise<string> {
    const store = await TestStore.open(freshDirectory())
    for (const key of ['a', 'b', 'c']) store.put(key, `value of ${key}`)
    await store.tick()
    store.clock.advance(1000)
    await store.until(() => store.engine.log.synced === 3)
    store.put('d', 'value of d')
    await store.tick()
    store.put('e', 'value of e')
    await store.tick()
    await store.quiet()
    const copy = copyOf(store.directory)
    await store.close()
    return copy
  }

  test('of a head: the start is refused, says what is lost, and `serve` serves what is left', async () => {
    const directory = await synced()
    hurt(directory, 'b', 'head')
    const error = await refusal(directory)
    expect(error.code).toBe('EDAMAGED')
    expect(error.message).toContain('on-corruption serve')
    expect(error.message).toMatch(/000000000\d\.data bytes \d+ to \d+/)
    // Refused again: nothing was made better or worse by trying.
    expect((await refusal(directory)).code).toBe('EDAMAGED')
    const store = await TestStore.open(directory, { onCorruption: 'serve' })
    // Reading resumes at the next anchor, the one behind the sync.
    expect([...(await store.contents()).keys()]).toEqual(['0:a', '0:d', '0:e'])
    expect(store.warnings.join()).toContain('Damage found')
    await store.close()
  })

  test('of a value: an error for that key, the rest readable', async () => {
    const directory = await synced()
    hurt(directory, 'b', 'value')
    const store = await TestStore.open(directory, { valueCacheBytes: 0 })
    await expect(store.get('b')).rejects.toMatchObject({ code: 'EDAMAGED' })
    for (const key of ['a', 'c', 'd', 'e']) expect(await store.get(key)).toBe(`value of ${key}`)
    expect(store.warnings.join()).toContain('Damage found')
    await store.close()
  })

  test('a cut that takes the proving anchor with it cannot be told from a torn tail: a prefix', async () => {
    const directory = await synced()
    const { segment, offset } = newestOf(directory, 'c')
    fs.truncateSync(dataPath(directory, segment), offset + 10)
    const store = await TestStore.open(directory)
    expect([...(await store.contents()).keys()]).toEqual(['0:a', '0:b'])
    await store.close()
  })

  /** A log that has gone over to its next segment while no sync comes back: a and b proven, c in the old segment, d in the new one. */
  async function twoOpen(): Promise<string> {
    const directory = freshDirectory()
    const storage = new FaultyStorage(directory)
    const store = await TestStore.open(directory, { storage, segmentSizeBytes: 400 })
    store.put('a', 'value of a')
    store.put('b', 'value of b')
    await store.tick()
    store.clock.advance(1000)
    await store.until(() => store.engine.log.synced === 2)
    storage.rule = (call, name) => (call === 'sync' && name.endsWith('.data') ? 'hold' : null)
    store.put('c', 'value of c')
    await store.tick()
    store.put('d', 'd'.repeat(200))
    await store.tick()
    expect(store.engine.log.openSegments().length).toBe(2)
    const copy = copyOf(directory)
    storage.heal()
    storage.release()
    await store.close()
    return copy
  }

  test('beyond it, a gap in the older of two open segments ends the log: what follows is dropped, though it is whole', async () => {
    const directory = await twoOpen()
    const { segment, offset } = newestOf(directory, 'c')
    fs.truncateSync(dataPath(directory, segment), offset + 10)
    const store = await TestStore.open(directory)
    expect([...(await store.contents()).keys()]).toEqual(['0:a', '0:b'])
    await store.close()
  })

  test('below it, a lost tail of the older of two open segments is damage: the newer one says how long it was', async () => {
    for (const key of ['a', 'b']) {
      const directory = await twoOpen()
      const { segment, offset } = newestOf(directory, key)
      fs.truncateSync(dataPath(directory, segment), offset + 10)
      expect((await refusal(directory)).code).toBe('EDAMAGED')
    }
  })

  test('all of the older of two open segments is lost: damage', async () => {
    const directory = await twoOpen()
    const { segment } = newestOf(directory, 'a')
    fs.truncateSync(dataPath(directory, segment), SEGMENT_HEADER_BYTES)
    expect((await refusal(directory)).code).toBe('EDAMAGED')
  })
})

describe('damage of a sealed segment', () => {
  test.each([
    ['value', true],
    ['value', false],
    ['head', true],
  ] as const)('of a %s, hint there: %s: an error for that key, never its older value, the rest readable', async (what, hinted) => {
    const { directory, contents } = await twoSegments()
    hurt(directory, 'a3', what)
    if (!hinted) removeFiles(directory, '.hint')
    let store = await TestStore.open(directory, { valueCacheBytes: 0 })
    for (let round = 0; round < 2; round++) {
      await expect(store.get('a3')).rejects.toMatchObject({ code: 'EDAMAGED' })
      for (const [name, { value }] of contents) {
        if (name !== '0:a3') expect(await store.get(name.slice(2))).toBe(value)
      }
      expect(store.engine.stats().corruptReads).toBe(1)
      // A merge works around it: the damaged segment stays, its key stays damaged.
      await store.merge().catch(() => {})
      await store.merge().catch(() => {})
      await expect(store.get('a3')).rejects.toMatchObject({ code: 'EDAMAGED' })
      store = await restart(store, 'hints', { valueCacheBytes: 0 })
    }
    // Written anew it is well again.
    store.put('a3', 'anew')
    store = await restart(store, 'data', { valueCacheBytes: 0, onCorruption: 'serve' })
    expect(await store.get('a3')).toBe('anew')
    await store.close()
  })

  test('of a head that no hint names: refused, unless told to serve', async () => {
    const { directory } = await twoSegments()
    hurt(directory, 'b8', 'head')
    removeFiles(directory, '.hint')
    const { code, message } = await refusal(directory)
    expect(code).toBe('EDAMAGED')
    expect(message).toContain(dataName(newestOf(directory, 'b7').segment))
    const store = await TestStore.open(directory, { onCorruption: 'serve' })
    expect(await store.get('b7')).toBe('value 7')
    expect(await store.get('b8')).toBe(null)
    await store.close()
  })

  test('shorter than the manifest says: noticed, whatever the hint says', async () => {
    const { directory } = await twoSegments()
    const { segment, offset } = newestOf(directory, 'b5')
    fs.truncateSync(dataPath(directory, segment), offset)
    const store = await TestStore.open(directory, { valueCacheBytes: 0 })
    expect(store.warnings.join()).toMatch(/bytes short/)
    expect(await store.get('b4')).toBe('value 4')
    await expect(store.get('b5')).rejects.toMatchObject({ code: 'EDAMAGED' })
    await expect(store.get('a0')).rejects.toMatchObject({ code: 'EDAMAGED' })
    await store.close()
    removeFiles(directory, IMAGE)
    removeFiles(directory, '.hint')
    expect((await refusal(directory)).code).toBe('EDAMAGED')
  })

  test('a lost header costs nothing: the manifest knows number and salt as well', async () => {
    const { directory, contents } = await twoSegments()
    for (const { number } of manifestOf(directory).segments) flip(dataPath(directory, number), 3)
    removeFiles(directory, '.hint')
    const store = await TestStore.open(directory)
    expect(await store.contents()).toEqual(contents)
    expect(store.warnings.join()).toContain('its header is damaged')
    await store.close()
  })

  test('missing: its keys get an error where the hint is there, else the start is refused', async () => {
    const { directory, contents } = await twoSegments()
    const { segment } = newestOf(directory, 'b0')
    fs.unlinkSync(dataPath(directory, segment))
    const copy = copyOf(directory)
    const store = await TestStore.open(copy)
    expect(store.warnings.join()).toContain('its file is missing')
    await expect(store.get('b0')).rejects.toThrow()
    await expect(store.get('a0')).rejects.toThrow()
    for (const key of ['a1', 'a2', 'a4']) expect(await store.get(key)).toBe(contents.get(`0:${key}`)!.value)
    await store.close()
    fs.unlinkSync(hintPath(directory, segment))
    const { code, message } = await refusal(directory)
    expect([code, message]).toEqual(['EDAMAGED', expect.stringContaining(`${dataName(segment)} is missing`)])
    const served = await TestStore.open(directory, { onCorruption: 'serve' })
    expect(await served.get('a1')).toBe(contents.get('0:a1')!.value)
    expect(await served.get('b0')).toBe(null)
    await served.close()
  })

  test('an open segment that is missing is damage too', async () => {
    const { directory } = await twoSegments()
    let store = await TestStore.open(directory)
    store.put('k', 'v')
    await store.tick()
    const { number } = store.engine.log.active
    const copy = copyOf(directory)
    await store.close()
    fs.unlinkSync(dataPath(copy, number))
    expect((await refusal(copy)).code).toBe('EDAMAGED')
    store = await TestStore.open(copy, { onCorruption: 'serve' })
    expect(await store.get('b0')).toBe('value 0')
    await store.close()
  })
})

describe('hints', () => {
  test.each<[string, (directory: string, numbers: number[]) => void]>([
    ['missing', (directory) => removeFiles(directory, '.hint')],
    ['empty', (directory, numbers) => numbers.forEach((n) => void fs.writeFileSync(hintPath(directory, n), ''))],
    ['damaged', (directory, numbers) => numbers.forEach((n) => void flip(hintPath(directory, n), 40))],
    [
      'cut',
      (directory, numbers) =>
        numbers.forEach(
          (n) => void fs.truncateSync(hintPath(directory, n), fs.statSync(hintPath(directory, n)).size - 1),
        ),
    ],
    [
      'longer than they were',
      (directory, numbers) => numbers.forEach((n) => void fs.appendFileSync(hintPath(directory, n), 'x')),
    ],
    [
      "each the other segment's",
      (directory, [a, b]) => {
        fs.renameSync(hintPath(directory, a!), path.join(directory, 'aside'))
        fs.renameSync(hintPath(directory, b!), hintPath(directory, a!))
        fs.renameSync(path.join(directory, 'aside'), hintPath(directory, b!))
      },
    ],
  ])('%s: the data is read instead, and the hints are made again', async (_, change) => {
    const { directory, contents } = await twoSegments()
    const numbers = manifestOf(directory).segments.map(({ number }) => number)
    change(directory, numbers)
    const store = await TestStore.open(directory)
    expect(await store.contents()).toEqual(contents)
    await store.quiet()
    for (const segment of store.engine.segments.all()) if (segment.sealed) expect(segment.hinted).toBe(true)
    await store.close()
    expect(numbers.every((number) => fs.existsSync(hintPath(directory, number)))).toBe(true)
  })

  test('a hint is not all that is read: what was written since counts', async () => {
    const { directory } = await twoSegments()
    let store = await TestStore.open(directory)
    store.put('a0', 'newest')
    store.remove('b0')
    store = await restart(store, 'killed')
    expect(await store.get('a0')).toBe('newest')
    expect(await store.get('b0')).toBe(null)
    await store.close()
  })
})

describe('the manifest', () => {
  test.each<[string, (file: string) => void]>([
    ['missing', (file) => fs.unlinkSync(file)],
    ['empty', (file) => fs.writeFileSync(file, '')],
    [
      'damaged in both bodies',
      (file) => {
        flip(file, 60)
        flip(file, fs.statSync(file).size - 60)
      },
    ],
  ])('%s: all segments are read, nothing is removed, and it is reported', async (_, change) => {
    const { directory, contents } = await twoSegments()
    change(path.join(directory, MANIFEST))
    fs.writeFileSync(path.join(directory, dataName(77)), 'not a segment'.repeat(10))
    const before = namesIn(directory)
    await expect(refusal(directory)).resolves.toMatchObject({ code: 'EDAMAGED' }) // 77 has no header: who knows what it was
    expect(namesIn(directory)).toEqual(expect.arrayContaining(before))
    fs.unlinkSync(path.join(directory, dataName(77)))
    removeFiles(directory, '.hint')
    const data = bytesOf(directory)
    const store = await TestStore.open(directory)
    expect(store.warnings.join()).toContain('There is no good MANIFEST')
    expect(await store.contents()).toEqual(contents)
    expect(bytesOf(directory)).toMatchObject(
      Object.fromEntries(Object.entries(data).filter(([name]) => name.endsWith('.data'))),
    )
    store.put('after', 'v')
    const again = await restart(store, 'killed')
    expect(await again.get('after')).toBe('v')
    expect(again.engine.keyCount(0)).toBe(contents.size + 1)
    await again.close()
  })

  test('one body damaged: nobody notices', async () => {
    const { directory, contents } = await twoSegments()
    flip(path.join(directory, MANIFEST), 60)
    const store = await TestStore.open(directory)
    expect(await store.contents()).toEqual(contents)
    await store.close()
  })

  test('decides what is data: files of our naming that it does not list go, others are left alone', async () => {
    const { directory, contents } = await twoSegments()
    const stray = [dataName(90), hintName(90), hintName(91), `${MANIFEST}.new`, `${IMAGE}.new`]
    const foreign = ['notes.txt', `${dataName(1)}.bak`, '1.data', 'backup.data']
    for (const name of [...stray, ...foreign]) fs.writeFileSync(path.join(directory, name), 'x')
    const store = await TestStore.open(directory)
    expect(await store.contents()).toEqual(contents)
    const names = namesIn(directory)
    for (const name of stray) expect(names).not.toContain(name)
    for (const name of foreign) expect(names).toContain(name)
    // Numbers of what was removed are not used again.
    expect(store.engine.log.active.number).toBeGreaterThan(91)
    await store.close()
  })
})

describe('a newer format is refused, and not a byte is written', () => {
  async function expectUntouched(directory: string): Promise<void> {
    const before = bytesOf(directory)
    const { code, message } = await refusal(directory)
    expect([code, message]).toEqual(['EUNSUPPORTED', expect.stringContaining('newer version')])
    expect(bytesOf(directory)).toEqual(before)
  }

  test('in the manifest', async () => {
    const { directory } = await twoSegments()
    const file = path.join(directory, MANIFEST)
    const bytes = fs.readFileSync(file)
    const half = bytes.length / 2
    for (const from of [0, half]) {
      bytes.writeUInt16LE(2, from + 8)
      bytes.writeUInt32LE(crc32(bytes, from, from + half - 4), from + half - 4)
    }
    fs.writeFileSync(file, bytes)
    fs.writeFileSync(path.join(directory, dataName(99)), 'of the newer version, perhaps')
    await expectUntouched(directory)
  })

  test('in a segment header', async () => {
    const { directory } = await twoSegments()
    const file = dataPath(directory, manifestOf(directory).segments[1]!.number)
    const bytes = fs.readFileSync(file)
    bytes.writeUInt32LE(1, 12)
    bytes.writeUInt32LE(crc32(bytes, 0, SEGMENT_HEADER_BYTES - 4), SEGMENT_HEADER_BYTES - 4)
    fs.writeFileSync(file, bytes)
    await expectUntouched(directory)
  })

  test.each(['sealed', 'open'])('in a record of a segment that is %s', async (where) => {
    const { directory: original } = await twoSegments()
    let directory = original
    if (where === 'open') {
      const store = await TestStore.open(directory)
      store.put('k', 'v')
      await store.tick()
      directory = copyOf(directory)
      await store.close()
    }
    removeFiles(directory, '.hint')
    const victim = newestOf(directory, where === 'open' ? 'k' : 'b4')
    const { salt } = manifestOf(directory).segments.find(({ number }) => number === victim.segment)!
    const file = dataPath(directory, victim.segment)
    const bytes = fs.readFileSync(file)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const { offset, key, value, sequence, timeMs } = victim
    sealRecord(bytes, view, offset, salt, offset, 7, 0, 0, 1, key.length, value.length, sequence, timeMs, 0)
    fs.writeFileSync(file, bytes)
    await expectUntouched(directory)
  })
})

describe('the image', () => {
  test('damaged, cut or of another time it is not there: the hints say the same', async () => {
    for (const change of ['flip', 'cut', 'stale'] as const) {
      let store = await TestStore.open(freshDirectory())
      for (let i = 0; i < 20; i++) store.put(`k${i}`, `v${i}`, i % 2 === 0 ? store.clock.now() + 1e6 : 0)
      await store.tick()
      await store.close()
      const image = path.join(store.directory, IMAGE)
      const bytes = fs.readFileSync(image)
      store = await TestStore.open(store.directory, { clock: store.clock })
      store.put('k0', 'newest')
      store.remove('k1')
      await store.tick()
      await store.close()
      if (change === 'flip') flip(image, bytes.length >> 1)
      else if (change === 'cut') fs.truncateSync(image, bytes.length - 10)
      else fs.writeFileSync(image, bytes)
      store = await TestStore.open(store.directory, { clock: store.clock })
      expect(await store.get('k0'), change).toBe('newest')
      expect(await store.get('k1'), change).toBe(null)
      expect(store.engine.keyCount(0)).toBe(19)
      expect(store.engine.expiringCount(0)).toBe(9)
      await store.close()
    }
  })

  test('counts once: a kill after the next start does not bring it back', async () => {
    let store = await TestStore.open(freshDirectory())
    store.put('k', 'old')
    store = await restart(store, 'image')
    expect(namesIn(store.directory)).not.toContain(IMAGE)
    store.remove('k')
    store = await restart(store, 'killed')
    expect(await store.get('k')).toBe(null)
    await store.close()
  })
})

test('sequences and segment numbers are never given out twice, however the store ended', async () => {
  let store = await TestStore.open(freshDirectory())
  const sequences = new Set<number>()
  const numbers = new Set<number>()
  for (let round = 0; round < 8; round++) {
    const before = store.engine.appended
    store.put('k', `round ${round}`)
    store.batch(() => store.put('l', 'm'))
    await store.tick()
    for (const { sequence, kind } of allRecords(store.directory)) {
      if (kind !== 6 && sequence > before) {
        expect(sequences.has(sequence)).toBe(false)
        sequences.add(sequence)
      }
    }
    const { number } = store.engine.log.active
    expect(numbers.has(number)).toBe(false)
    numbers.add(number)
    store = await restart(store, (['image', 'hints', 'data', 'killed'] as const)[round % 4]!)
    expect(store.engine.appended).toBeGreaterThanOrEqual(Math.max(...sequences))
  }
  await store.close()
})
