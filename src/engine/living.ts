// Where the live records of some segments lie, as far as the keydir can tell without reading them.
//
// A merge that reads all of its inputs pays most for what is dead: each record is checked, and asked about. The keydir knows every live place, and
// to walk through it costs a tenth of that a key (measured: 12 ns a key against 550 ns a record in the background, and 150 ns on the thread that
// serves clients). So where there are not many more keys than dead records, a merge is told the places, and passes over the rest unchecked.
//
// What is found is a superset of what lives when the merge comes to read it: a record of a sealed segment can die, but not come back to life, except
// where the log fails and undoes writes; after that a merge drops nothing (merger.ts). What has died meanwhile the merge still asks about.
//
// Tombstones are in no keydir. A segment that has any is read as a whole.

import type { Bitcask } from './bitcask.ts'
import type { Segment } from './segments.ts'
import { type Task, wait } from './task.ts'

/** So many keys may be walked through for each dead record that is passed over. */
const KEYS_A_RECORD = 8

/** Offsets of records, by segment number. */
export type Places = ReadonlyMap<number, Uint32Array<ArrayBuffer>>

/** Offsets of one segment's records. */
class Offsets {
  private items = new Uint32Array(256)
  private count = 0

  add(offset: number): void {
    if (this.count === this.items.length) {
      const grown = new Uint32Array(2 * this.count)
      grown.set(this.items)
      this.items = grown
    }
    this.items[this.count++] = offset
  }

  /** In the order they were added in. */
  all(): Uint32Array<ArrayBuffer> {
    return this.items.subarray(0, this.count)
  }
}

/**
 * The live places of those segments that have no tombstones, if it is worth the walk; of none else. It is done bit by bit, and ends early, with
 * nothing, when `isOver` says so.
 */
export function* livingPlaces(store: Bitcask, segments: readonly Segment[], isOver: () => boolean): Task<Places> {
  const { clock, keydir, portions, system } = store
  const chosen = segments.filter(({ tombstones }) => tombstones === 0)
  if (!isWorthIt(store, chosen)) return new Map()
  const bySlot: (Offsets | null)[] = []
  for (const { slot } of chosen) {
    while (bySlot.length <= slot) bySlot.push(null)
    bySlot[slot] = new Offsets()
  }
  const note = (slot: number, offset: number): void => bySlot[slot]?.add(offset)
  const visit = (entry: number): void => {
    note(keydir.segment(entry), keydir.offset(entry))
    if (keydir.touchSequence(entry) !== 0) note(keydir.touchSegment(entry), keydir.touchOffset(entry))
  }
  if (system.segment !== null) note(system.segment.slot, system.offset)
  let cursor = 0
  do {
    cursor = keydir.scan(cursor, portions.surveyedEntries, visit)
    if (cursor !== 0) yield* wait<void>((done) => clock.soon(() => done(null)))
    if (isOver()) return new Map()
  } while (cursor !== 0)
  return new Map(chosen.map(({ number, slot }) => [number, (bySlot[slot] as Offsets).all()]))
}

// How many records are dead nobody counts. But they are as long as those that live, one with another, so bytes will do.
function isWorthIt({ segments }: Bitcask, chosen: readonly Segment[]): boolean {
  const deadBytes = chosen.reduce((sum, segment) => sum + segment.deadBytes, 0)
  let liveBytes = 0
  for (const segment of segments.all()) liveBytes += segment.liveBytes
  return liveBytes <= KEYS_A_RECORD * deadBytes
}
