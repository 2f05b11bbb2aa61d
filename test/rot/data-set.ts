// The data set that rots: 65,536 bytes of segments, hints and manifest as the engine itself has written them, with every kind of record in
// every place where it can lie: plain and merged segments, batches, tombstones (by expiry as well), touches that set and take away, the map of
// databases after swaps and flushes, values that were overwritten and must not come back, anchors.
//
// One story, stopped in different ways, so that each way of starting meets the damage:
//
//   hints    a clean stop without its image: the start reads hints, and no data
//   data     the same without hints: the start reads all data
//   image    the clean stop as it is: the start reads neither
//   killed   a moment of it as a kill leaves it: the log is open, and its end is not proven

import { randomFrom } from '../harness/random.ts'
import type { Disk } from './memory-storage.ts'
import { type Found, type FoundSegment, type Live, readDisk, replay, syncedBytes } from './reader.ts'
import { DATABASES, RotStore } from './store.ts'

export const DATA_SET_BYTES = 65_536
const FAR = 4_102_444_800_000 // 2100
const PAD = 'pad'

export type Way = 'hints' | 'data' | 'image' | 'killed'

/** A directory of the story, and what is true of it. */
export interface DataSet {
  readonly way: Way
  readonly disk: Disk
  readonly segments: readonly FoundSegment[]
  /** Of open segments, by number: how much of them the manifest says is synced. */
  readonly openBytes: ReadonlyMap<number, number>
  readonly live: ReadonlyMap<string, Live>
  /** Earlier versions of the same files, and files that are gone: what a stale block may hold. */
  readonly stale: readonly Disk[]
}

export const allRecords = (segments: readonly FoundSegment[]): Found[] => segments.flatMap(({ records }) => records)

/** Makes the story from a seed. Its segments, hints and manifest are DATA_SET_BYTES long together. */
export function dataSets(seed: number): Record<Way, DataSet> {
  // One value of the story makes it as long as it is to be. It may take a segment of its own, which changes the sum: so once more.
  let padBytes = 0
  let played = play(seed, padBytes)
  for (let tries = 0; bytesOf(played.hints) !== DATA_SET_BYTES; tries++) {
    padBytes += DATA_SET_BYTES - bytesOf(played.hints)
    if (padBytes < 0 || tries === 5)
      throw new Error(`no pad makes the story of seed ${seed} ${DATA_SET_BYTES} bytes long`)
    played = play(seed, padBytes)
  }
  const { hints, image, killed, stale } = played
  const data = new Map([...hints].filter(([name]) => !name.endsWith('.hint')))
  const set = (way: Way, disk: Disk): DataSet => {
    const segments = readDisk(disk)
    const live = replay(allRecords(segments), DATABASES)
    return { way, disk, segments, openBytes: syncedBytes(disk), live, stale }
  }
  return {
    hints: set('hints', hints),
    data: set('data', data),
    image: set('image', image),
    killed: set('killed', killed),
  }
}

const bytesOf = (disk: Disk): number => [...disk.values()].reduce((sum, bytes) => sum + bytes.length, 0)

function play(seed: number, padBytes: number): { hints: Disk; image: Disk; killed: Disk; stale: Disk[] } {
  const random = randomFrom(seed)
  const store = RotStore.open(new Map(), { seed })
  if (!(store instanceof RotStore)) throw store
  const stale: Disk[] = []
  const text = (bytes: number): string =>
    Array.from({ length: bytes }, () => String.fromCharCode(random.below(256))).join('')
  const someKey = (): string => `key ${random.below(170)}`
  const expiry = (): number => (random.chance(0.2) ? FAR + random.below(1e6) : 0)
  let version = 0
  const write = (database = random.below(3), key = someKey()): void =>
    store.put(database, key, `${version++} ${text(random.below(random.chance(0.1) ? 500 : 60))}`, expiry())
  const change = (): void => {
    const dice = random.below(20)
    if (dice < 12) write()
    else if (dice < 15) store.remove(random.below(3), someKey())
    else if (dice < 18) store.setExpiry(random.below(3), someKey(), random.chance(0.3) ? 0 : FAR + random.below(1e6))
    else
      store.batch(() => {
        for (let n = random.between(2, 5); n > 0; n--) write()
      })
  }
  /** Many changes, some turns of the disk, some syncs: rarely in one part of the story, often in another. */
  const work = (changes: number, syncs: number): void => {
    for (let i = 0; i < changes; i++) {
      change()
      if (random.chance(0.3)) store.flush()
      if (random.chance(syncs)) store.sync()
    }
    store.sync()
  }

  for (let i = 0; i < 170; i++) write(i % 3, `key ${i}`)
  store.put(0, '', 'the empty key')
  store.put(0, 'empty', '')
  store.put(3, 'gone', 'expires', store.clock.now() + 500)
  store.put(3, 'flushed', 'with its database')
  store.put(1, 'long', text(3000))
  work(60, 0.1)
  stale.push(store.storage.disk())
  work(60, 0.02)
  store.engine.flushDatabase(3)
  store.put(3, 'after', 'the flush', FAR)
  store.engine.swapDatabases(0, 1)
  work(40, 0.1)
  store.seal()
  stale.push(store.storage.disk())
  if (store.merge() <= 0) throw new Error('the merge of the story had nothing to do')
  work(60, 0.15)
  store.seal()
  stale.push(store.storage.disk())
  work(40, 0.05)
  store.put(2, PAD, 'x'.repeat(padBytes))
  store.sync()
  work(25, 0.15)
  // The end of the log: whole batches that no sync has followed.
  store.batch(() => {
    write(0)
    store.remove(1, 'key 7')
    write(2)
  })
  write(1, 'last')
  store.remove(2, 'key 5')
  store.flush()
  const killed = store.storage.disk()
  stale.push(killed)
  store.close()
  const image = store.storage.disk()
  const hints = new Map([...image].filter(([name]) => name !== 'keydir.image'))
  return { hints, image, killed, stale }
}
