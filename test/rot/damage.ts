// What a disk can do to a data set: each bit, each length, each block of 512 bytes, each file.
//
// A generator for each kind of damage yields every case of it. A case is a disk of its own that shares all that is not hurt.

import { randomFrom } from '../harness/random.ts'
import type { DataSet } from './data-set.ts'
import type { Disk } from './memory-storage.ts'

export const BLOCK_BYTES = 512

/** Bytes of a file that are not what they were. */
export interface Range {
  readonly file: string
  readonly from: number
  readonly to: number
}

export interface Damage {
  /** For people, and enough to do it again. */
  readonly what: string
  readonly ranges: readonly Range[]
  readonly disk: Disk
}

/** One bit. `bit` counts through the file. */
export function flipped(disk: Disk, file: string, bit: number): Damage {
  const at = bit >>> 3
  const bytes = Buffer.from(disk.get(file) as Buffer)
  bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7))
  return { what: `bit ${bit} of ${file}`, ranges: [{ file, from: at, to: at + 1 }], disk: withFile(disk, file, bytes) }
}

/** Every bit of these files, or (`every` above 1) one of so many, the first one at `start`. */
export function* flips(disk: Disk, files: readonly string[], every = 1, start = 0): Iterable<Damage> {
  let skip = start
  for (const file of files) {
    const bits = (disk.get(file) as Buffer).length * 8
    let bit = skip
    for (; bit < bits; bit += every) yield flipped(disk, file, bit)
    skip = bit - bits
  }
}

/** Each file cut to each length that is less than its own. */
export function* truncations(disk: Disk, files: readonly string[], every = 1, start = 0): Iterable<Damage> {
  let skip = start
  for (const file of files) {
    const bytes = disk.get(file) as Buffer
    let length = skip
    for (; length < bytes.length; length += every) {
      const range = { file, from: length, to: bytes.length }
      yield { what: `${file} cut to ${length}`, ranges: [range], disk: withFile(disk, file, bytes.subarray(0, length)) }
    }
    skip = length - bytes.length
  }
}

/** Each file gone. */
export function* missing(disk: Disk): Iterable<Damage> {
  for (const [file, bytes] of disk) {
    const without = new Map(disk)
    without.delete(file)
    yield { what: `${file} is missing`, ranges: [{ file, from: 0, to: bytes.length }], disk: without }
  }
}

/** Each block of 512 bytes: zeros, noise, another one's content, what it held earlier, what the same block of another file holds. */
export function* blocks(set: DataSet, seed: number): Iterable<Damage> {
  const { disk } = set
  const random = randomFrom(seed)
  const files = [...disk.keys()].filter((file) => file !== 'keydir.image')
  const all = files.flatMap((file) => blocksOf(disk, file).map((from) => ({ file, from })))
  for (const { file, from } of all) {
    const name = `block ${from / BLOCK_BYTES} of ${file}`
    const hurt = (bytes: Buffer | undefined, what: string): Iterable<Damage> =>
      bytes === undefined ? [] : replaced(disk, file, from, bytes, `${name} ${what}`)
    yield* hurt(Buffer.alloc(BLOCK_BYTES), 'zeroed')
    yield* hurt(Buffer.from(Array.from({ length: BLOCK_BYTES }, () => random.below(256))), 'noise')
    for (const [i, old] of set.stale.entries()) yield* hurt(blockAt(old, file, from), `as in version ${i}`)
    // A disk that forgets a write shows what lay there before: zeros, or a file that is gone.
    for (const [i, old] of set.stale.entries()) {
      for (const gone of old.keys()) {
        if (!disk.has(gone) && gone.endsWith('.data'))
          yield* hurt(blockAt(old, gone, from), `of ${gone} of version ${i}`)
      }
    }
    for (const other of files) {
      if (other !== file && kindOf(other) === kindOf(file)) yield* hurt(blockAt(disk, other, from), `of ${other}`)
    }
    // Swapped with the next one, and with some block of any file.
    for (const other of [{ file, from: from + BLOCK_BYTES }, random.pick(all)])
      yield* swapped(disk, { file, from }, other)
  }
  for (const file of files) {
    for (const [i, old] of set.stale.entries()) {
      const bytes = old.get(file)
      if (bytes === undefined || bytes.equals(disk.get(file) as Buffer)) continue
      const ranges = [{ file, from: 0, to: Math.max(bytes.length, (disk.get(file) as Buffer).length) }]
      yield { what: `${file} as in version ${i}`, ranges, disk: withFile(disk, file, bytes) }
    }
  }
}

const kindOf = (file: string): string => file.slice(file.indexOf('.'))

function blocksOf(disk: Disk, file: string): number[] {
  const { length } = disk.get(file) as Buffer
  return Array.from({ length: Math.ceil(length / BLOCK_BYTES) }, (_, i) => i * BLOCK_BYTES)
}

function blockAt(disk: Disk, file: string, from: number): Buffer | undefined {
  const bytes = disk.get(file)
  return bytes === undefined || from >= bytes.length ? undefined : bytes.subarray(from, from + BLOCK_BYTES)
}

// The file keeps its length. Nothing, when these bytes are there already.
function* replaced(disk: Disk, file: string, from: number, block: Buffer, what: string): Iterable<Damage> {
  const bytes = Buffer.from(disk.get(file) as Buffer)
  block.copy(bytes, from)
  const range = changed(disk, file, bytes)
  if (range !== null) yield { what, ranges: [range], disk: withFile(disk, file, bytes) }
}

interface Block {
  readonly file: string
  readonly from: number
}

// Not between MANIFEST and data: that is damage to both, and what the contract says of one fault is not to be asked of two.
function* swapped(disk: Disk, a: Block, b: Block): Iterable<Damage> {
  if ((a.file === 'MANIFEST') !== (b.file === 'MANIFEST')) return
  const [one, other] = [blockAt(disk, a.file, a.from), blockAt(disk, b.file, b.from)]
  if (one === undefined || other === undefined) return
  let after = disk
  for (const { file, from, block } of [
    { ...a, block: other },
    { ...b, block: one },
  ]) {
    const bytes = Buffer.from(after.get(file) as Buffer)
    block.copy(bytes, from)
    after = withFile(after, file, bytes)
  }
  const ranges = [...new Set([a.file, b.file])].flatMap((file) => {
    const range = changed(disk, file, after.get(file) as Buffer)
    return range === null ? [] : [range]
  })
  const what = `block ${a.from / BLOCK_BYTES} of ${a.file} swapped with ${b.from / BLOCK_BYTES} of ${b.file}`
  if (ranges.length > 0) yield { what, ranges, disk: after }
}

// From the first byte that differs to the last.
function changed(disk: Disk, file: string, bytes: Buffer): Range | null {
  const before = disk.get(file) as Buffer
  let from = 0
  while (from < bytes.length && bytes[from] === before[from]) from++
  if (from === bytes.length) return null
  let to = bytes.length
  while (bytes[to - 1] === before[to - 1]) to--
  return { file, from, to }
}

function withFile(disk: Disk, file: string, bytes: Buffer): Disk {
  return new Map(disk).set(file, bytes)
}
