// What random power cuts have found in the engine, each as the shortest story that shows it. Named after what broke.

import { expect, test } from 'vitest'
import { sliceOf } from '../../src/base/slice.ts'
import { GATE_FAILED, NONE } from '../../src/engine/engine.ts'
import { SimulatedDisk } from './disk.ts'
import { Scheduler } from './scheduler.ts'
import { storySettings } from './settings.ts'
import { World } from './world.ts'

const SETTINGS = storySettings({ appendfsync: 'no', segmentSizeBytes: 4096 })

function start(disk: (scheduler: Scheduler) => SimulatedDisk, seed: number, settings = SETTINGS): World {
  const scheduler = new Scheduler(seed)
  const world = new World(scheduler, disk(scheduler), null)
  const error = world.open(settings, 1)
  if (error !== null) throw error
  return world
}

const fresh = (scheduler: Scheduler): SimulatedDisk => new SimulatedDisk(scheduler)

function put(world: World, key: string, bytes: number): void {
  world.engine!.put(0, sliceOf(key), sliceOf('x'.repeat(bytes)), 0)
}

function remove(world: World, key: string): void {
  const entry = world.engine!.find(0, sliceOf(key))
  if (entry !== NONE) world.engine!.remove(entry)
}

function written(world: World): void {
  const { engine } = world
  engine!.flush()
  world.until(() => engine!.released === engine!.appended, 'never written')
}

function keys(world: World): string[] {
  return [...world.dump(1)[0]!.keys()].sort()
}

test('a batch that fills a segment stays in it, end and all', () => {
  for (let bytes = 200; bytes < 420; bytes += 5) {
    const world = start(fresh, bytes, { ...SETTINGS, segmentSizeBytes: 400 })
    world.engine!.begin()
    put(world, 'a', bytes)
    put(world, 'b', 1)
    world.engine!.end()
    put(world, 'c', 1)
    written(world)
    const next = start((scheduler) => world.disk.processCrash(1, scheduler), 2)
    expect(keys(next)).toEqual(['a', 'b', 'c'])
  }
})

test('the sequence of a batch end is not given out again after a crash', () => {
  const world = start(fresh, 1)
  world.engine!.begin()
  put(world, 'a', 1)
  world.engine!.end()
  written(world)
  const { appended } = world.engine!
  const next = start((scheduler) => world.disk.processCrash(1, scheduler), 2)
  expect(next.engine!.appended).toBeGreaterThanOrEqual(appended)
})

test('two seals at once both succeed', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const world = start(fresh, seed)
    const ended: (string | null)[] = []
    for (const key of ['a', 'b', 'c']) {
      put(world, key, 1)
      world.engine!.seal((error) => ended.push(error === null ? null : error.message))
    }
    world.until(() => ended.length === 3, 'a seal never ended')
    expect(ended).toEqual([null, null, null])
  }
})

test('deletes in the recovered tail outlive its merge, though the values lie in what was the open segment', () => {
  const roomy = { ...SETTINGS, segmentSizeBytes: 40_000 }
  const old = Array.from({ length: 20 }, (_, n) => `old ${n}`)
  for (let seed = 1; seed <= 5; seed++) {
    const world = start(fresh, seed, { ...roomy, appendfsync: 'always' })
    for (const key of old) put(world, key, 1)
    put(world, 'much that lives', 20_000)
    written(world)
    // An anchor that claims all of the above as synced.
    put(world, 'more', 1)
    written(world)
    world.engine!.configure({ appendfsync: 'no' })
    for (const key of old) remove(world, key)
    written(world)
    const next = start((scheduler) => world.disk.processCrash(seed, scheduler), seed, { ...roomy, mergeEnabled: true })
    const { scheduler } = next
    // Merges come by themselves and may only take what is worth it: the tail, not the segment with the values.
    for (let steps = 0; steps < 2000; steps++) scheduler.step()
    const last = start((after) => next.disk.crash(seed, after), seed)
    expect(keys(last)).toEqual(['more', 'much that lives'])
  }
})

test('no file is removed for a manifest whose rename may still be lost', () => {
  for (let seed = 1; seed <= 12; seed++) {
    // During a merge the process dies when a manifest is in place but its directory not yet synced.
    const world = start(fresh, seed)
    for (let round = 0; round < 4; round++) put(world, 'a', 500)
    written(world)
    let merged = false
    let renames = 1 + (seed % 4) // the third is the merge's own
    world.disk.onCall = (call) => {
      if (call.startsWith('rename MANIFEST')) renames--
    }
    world.engine!.merge.wait(() => {
      merged = true
    })
    world.until(() => renames === 0 || merged, 'a merge never ended')
    // The next process removes what that manifest does not list. Then the power fails, and the rename may be lost with it.
    const scheduler = new Scheduler(seed)
    const next = new World(scheduler, world.disk.processCrash(seed, scheduler), null)
    let stop = false
    next.disk.onCall = (call) => {
      if (/^unlink \d+\.data$/.test(call)) stop = true
    }
    next.beginOpen(SETTINGS, 1, () => {
      stop = true
    })
    next.until(() => stop, 'the start hangs')
    // Every subset of what a power cut may take.
    const { unsynced } = next.disk
    for (let kept = 0; kept < 2 ** unsynced; kept++) {
      const left = (after: Scheduler): SimulatedDisk => next.disk.cut((change) => ((kept >> change) & 1) === 1, after)
      expect(keys(start(left, seed))).toEqual(['a'])
    }
  }
})

test('a next segment whose listing failed once is not sealed before it is used', () => {
  const small = { ...SETTINGS, segmentSizeBytes: 400 }
  for (let seed = 1; seed <= 3; seed++) {
    const world = start(fresh, seed, small)
    world.disk.failAt(1, 'ENOSPC', { only: (call, name) => call === 'sync' && name === 'MANIFEST.new' })
    const all: string[] = []
    for (let n = 10; n < 25; n++) {
      all.push(`key ${n}`)
      put(world, `key ${n}`, 100)
      written(world)
      const next = start((scheduler) => world.disk.processCrash(seed, scheduler), seed, small)
      expect(keys(next)).toEqual(all)
      // Time for a rotation, its failure and another try after a second.
      for (let steps = 0; steps < 200; steps++) world.step()
    }
    expect(world.disk.faults.fired).toBe(1)
  }
})

test('a stop of a store that cannot write waits for values that are being read', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = start(fresh, seed)
    const { engine, disk, scheduler } = world
    for (const key of ['a', 'b', 'c']) put(world, key, 100)
    written(world)
    // A failed log has nothing left to write, so that the stop comes to closing its files at once.
    disk.failAt(1, 'EIO', { only: (call, name) => call === 'sync' && name === '0000000001.data' })
    engine!.seal(() => {})
    world.until(() => disk.faults.fired > 0 && engine!.gate !== 0, 'the sync never failed')
    scheduler.slowKind = 'read'
    let read = 0
    for (const key of ['a', 'b', 'c']) engine!.load(engine!.find(0, sliceOf(key)), () => read++)
    world.finish((done) => engine!.close(done), 'close never ended')
    expect(read).toBe(3)
    world.until(() => disk.openFiles === 0, 'files open after close')
  }
})

test('what a failed write has undone stays undone, though a sync has come between its two segments', () => {
  const small = { ...SETTINGS, appendfsync: 'everysec' as const, segmentSizeBytes: 400 }
  let undone = 0
  for (let seed = 1; seed <= 12; seed++) {
    const world = start(fresh, seed, small)
    const { engine, disk, scheduler } = world
    put(world, 'there', 10)
    written(world)
    // One tick that reaches into the next segment, whose write fails; when the first part is written, somebody wants a sync.
    put(world, 'undone', 40)
    put(world, 'undone as well', 300)
    disk.failAt(1, 'ENOSPC', { only: (call, name) => call === 'write' && name === '0000000002.data' })
    let isWritten = false
    disk.onCall = (call) => {
      isWritten ||= call.startsWith('write 0000000001.data')
    }
    engine!.flush()
    world.until(() => isWritten, 'never written')
    scheduler.slowKind = 'write'
    engine!.whenSynced(() => {})
    world.until(() => disk.faults.fired > 0 && (engine!.gate & GATE_FAILED) === 0, 'never repaired')
    if (keys(world).length === 1) undone++
    engine!.remove(engine!.find(0, sliceOf('there')))
    written(world)
    const next = start((scheduler) => disk.processCrash(seed, scheduler), seed, small)
    expect(keys(next)).toEqual(keys(world))
  }
  expect(undone).toBeGreaterThan(0)
})

test('a merge whose outputs were created before a sync of the directory failed is given up, and none of them is missed after a power cut', () => {
  let abandoned = 0
  for (let seed = 1; seed <= 40; seed++) {
    const world = start(fresh, seed, { ...SETTINGS, segmentSizeBytes: 400 })
    const { engine, disk, scheduler } = world
    for (let n = 10; n < 22; n++) {
      put(world, `key ${n % 4}`, 100)
      written(world)
    }
    // An output, which begins with more than a header, is there when the directory is synced for the log's next segment, in vain.
    let outputs = 0
    let nextSegment = false
    disk.onCall = (call) => {
      const [, bytes] = /^write \d+\.data @0\+(\d+)$/.exec(call) ?? []
      if (bytes !== undefined && bytes !== '60') outputs++
      if (bytes === '60') nextSegment = true
      else if (call.startsWith('rename')) nextSegment = false
    }
    disk.failAt(1, 'EIO', { only: (call) => call === 'syncDirectory' && outputs > 0 && nextSegment })
    let ended = false
    scheduler.slowKind = 'read'
    engine!.merge.wait((error) => {
      ended = true
      if (error !== null) abandoned++
    })
    for (let n = 30; !ended; n++) {
      if (n < 36) put(world, `key ${n}`, 300)
      engine!.flush()
      for (let steps = 0; steps < 20 && !ended; steps++) world.step()
    }
    written(world)
    for (let cut = 0; cut < 10; cut++) {
      const next = start((scheduler) => disk.crash(seed * 100 + cut, scheduler), seed)
      expect(keys(next).filter((key) => key.startsWith('key 0'))).toEqual(['key 0'])
    }
  }
  expect(abandoned).toBeGreaterThan(0)
})
