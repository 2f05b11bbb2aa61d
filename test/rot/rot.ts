// Rot, exhaustively: every bit of the data set, every length of its files, every block and every file, each met by a start of its own, and
// every bit of its data flipped under a store that runs.
//
// `share` is the part that is done, 1 for all: one case of so many, evenly spread.

import { Slice, sliceOf } from '../../src/base/slice.ts'
import { blocks, type Damage, flips, missing, truncations } from './damage.ts'
import { type DataSet, dataSets, type Way } from './data-set.ts'
import { emptyTally, Judge, type Tally } from './judge.ts'
import type { Live } from './reader.ts'
import { RotStore } from './store.ts'

/** An image is megabytes, nearly all of it zeros: one of so many of its bits. */
const IMAGE_BITS = 6007
/** A value is read from the disk also where another bit of its record was flipped before: some of the others are asked each time. */
const OTHERS = 2

export interface Phase {
  readonly name: string
  readonly tally: Tally
  readonly seconds: number
}

export interface RotOptions {
  readonly seed: number
  /** 1: all. 100: one in a hundred. */
  readonly share: number
  /** Which of the so many, 0 when left out: the parts of all offsets together are everything. */
  readonly offset?: number
  readonly progress?: (line: string) => void
}

/** Runs all of it. Throws at the first thing that is not as promised, saying what was done to which byte. */
export function rot({ seed, share, offset = 0, progress = () => {} }: RotOptions): Phase[] {
  const sets = dataSets(seed)
  const phases: Phase[] = []
  const run = (name: string, way: Way, cases: (set: DataSet) => Iterable<Damage>): void => {
    const set = sets[way]
    const judge = new Judge(set)
    const tally = emptyTally()
    const begun = performance.now()
    let told = begun
    try {
      judge.baseline()
      for (const damage of cases(set)) {
        judge.judge(damage, tally)
        if (tally.cases % 64 === 0 && performance.now() - told > 60_000) {
          told = performance.now()
          progress(`${name}: ${tally.cases} so far`)
        }
      }
    } catch (error) {
      throw new Error(`seed ${seed}, ${name}, start by ${way}: ${(error as Error).stack}`)
    }
    ended(name, tally, begun)
  }
  const ended = (name: string, tally: Tally, begun: number): void => {
    const phase = { name, tally, seconds: (performance.now() - begun) / 1000 }
    phases.push(phase)
    progress(show(phase))
  }

  const ways: readonly Way[] = ['hints', 'data', 'image', 'killed']
  if (offset === 0) for (const way of ways) run(`files missing, ${way}`, way, ({ disk }) => missing(disk))
  for (const way of ways) {
    if (way !== 'image') run(`blocks, ${way}`, way, (set) => some(blocks(set, seed), share, offset))
  }
  run('bits of the open log', 'killed', (set) => flips(set.disk, openFiles(set), share, offset))
  run('bits of the image', 'image', ({ disk }) =>
    flips(disk, ['keydir.image'], IMAGE_BITS * share, IMAGE_BITS * offset),
  )
  run('lengths, data', 'data', ({ disk }) => truncations(disk, data(disk), share, offset))
  run('lengths, hints', 'hints', ({ disk }) => truncations(disk, [...data(disk), ...others(disk)], share, offset))
  run('lengths of the open log', 'killed', (set) => truncations(set.disk, openFiles(set), share, offset))
  run('bits of hints and manifest', 'hints', ({ disk }) => flips(disk, others(disk), share, offset))
  const begun = performance.now()
  ended('bits of data, under a store that runs', running(sets.hints, share, offset), begun)
  run('bits of data', 'data', ({ disk }) => flips(disk, data(disk), share, offset))
  return phases
}

export const show = ({ name, tally, seconds }: Phase): string =>
  `${name}: ${tally.cases} damages, ${tally.starts} starts in ${seconds.toFixed(0)} s, ${tally.refused} refused, ${tally.errors} errors, ${tally.readable} values read, 0 wrong, 0 missing`

const data = (disk: DataSet['disk']): string[] => [...disk.keys()].filter((name) => name.endsWith('.data'))
const others = (disk: DataSet['disk']): string[] =>
  [...disk.keys()].filter((name) => !name.endsWith('.data') && !name.endsWith('.image'))
const openFiles = ({ segments }: DataSet): string[] => segments.filter(({ isOpen }) => isOpen).map(({ name }) => name)

function* some(cases: Iterable<Damage>, share: number, offset: number): Iterable<Damage> {
  let n = 0
  for (const damage of cases) if (n++ % share === offset) yield damage
}

// One start; then each bit is flipped on the disk, read, and flipped back.
function running(set: DataSet, share: number, offset: number): Tally {
  const tally = emptyTally()
  const judge = new Judge(set)
  const live = [...set.live.values()]
  const store = RotStore.open(set.disk, { works: false })
  if (!(store instanceof RotStore)) throw store
  tally.starts = 1
  const read = (key: Live): 'good' | 'error' => {
    const value = store.get(key.database, sliceOf(key.key))
    if (value instanceof Error) return 'error'
    if (value instanceof Slice && key.value.equals(value.bytes.subarray(value.start, value.end))) return 'good'
    throw new Error(`${key.database}:${key.key} shows ${value === null ? 'nothing' : value.key()}`)
  }
  for (const segment of set.segments) {
    const bytes = store.storage.rotting(segment.name)
    for (const record of segment.records) {
      const owner = judge.ownerOf(segment, record)
      for (let bit = record.start * 8; bit < record.end * 8; bit++) {
        if (bit % share !== offset) continue
        tally.cases++
        const at = bit >>> 3
        const before = bytes[at] as number
        bytes[at] = before ^ (1 << (bit & 7))
        if (owner !== null) {
          if (read(owner) === 'good') throw new Error(`bit ${bit} of ${segment.name} is not noticed`)
          tally.errors++
        }
        for (let n = 0; n < OTHERS; n++) {
          const other = live[(tally.cases * 7 + n * 31) % live.length] as Live
          if (other === owner) continue
          if (read(other) === 'error') throw new Error(`bit ${bit} of ${segment.name} hurts ${other.key}`)
          tally.readable++
        }
        bytes[at] = before
      }
      if (owner !== null && read(owner) === 'error') throw new Error(`${owner.key} is whole again, and an error`)
    }
  }
  if (store.engine.stats().corruptReads !== tally.errors) throw new Error('INFO does not count the errors')
  return tally
}
