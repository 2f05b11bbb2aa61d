// A clean stop of which each file call fails in turn, while a merge moves or copies: whatever it says, nothing acknowledged is lost, the
// files are closed, and a stop that reports success has made everything durable.

import { expect, test } from 'vitest'
import { sliceOf } from '../../src/base/slice.ts'
import { SimulatedDisk } from './disk.ts'
import type { FaultKind } from './faults.ts'
import { difference, type State, sameState, withKey } from './model.ts'
import { Scheduler } from './scheduler.ts'
import { storySettings } from './settings.ts'
import { World } from './world.ts'

const SETTINGS = storySettings({ appendfsync: 'everysec', segmentSizeBytes: 600 })
const DATABASES = 2
const STRIDE = process.env['CASKY_TEST_FULL'] === '1' ? 1 : 7

function opened(disk: (scheduler: Scheduler) => SimulatedDisk, seed: number): World {
  const scheduler = new Scheduler(seed)
  const world = new World(scheduler, disk(scheduler), null)
  const error = world.open(SETTINGS, DATABASES)
  if (error !== null) throw error
  return world
}

/** A store with some of everything, all of it released; a merge has made `merging` steps. `early`: what it has held before, write by write. */
function filled(seed: number, merging: number): { world: World; state: State; early: State[] } {
  const world = opened((scheduler) => new SimulatedDisk(scheduler), seed)
  const engine = world.engine!
  const early: State[] = []
  const note = (): number => early.push(world.dump(DATABASES))
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 6; i++) {
      engine.put(i % 2, sliceOf(`k${i}`), sliceOf(`round ${round}`), 0)
      note()
    }
    engine.remove(engine.find(0, sliceOf(`k${2 * (round % 3)}`)))
    note()
    if (round === 2) engine.flushDatabase(1)
    note()
    engine.flush()
    world.until(() => engine.released === engine.appended, 'never written')
  }
  const last = world.dump(DATABASES)
  engine.merge.wait(() => {})
  for (let steps = 0; steps < merging; steps++) world.step()
  // Nobody but the stop makes this durable.
  engine.put(0, sliceOf('late'), sliceOf('v'), 0)
  engine.flush()
  world.until(() => engine.released === engine.appended, 'never written')
  return { world, early, state: withKey(last, 0, 'late', { value: 'v', expiry: 0 }) }
}

const KINDS: readonly FaultKind[] = ['EIO', 'ENOSPC', 'EMFILE', 'short']

test.each(KINDS)('each call of a stop fails in turn: %s', (kind) => {
  let stops = 0
  for (const merging of [0, 30, 60, 90]) {
    for (let at = 1; ; at += STRIDE) {
      const seed = at + merging
      const { world, state, early } = filled(seed, merging)
      const { disk } = world
      disk.failAt(at, kind)
      const error = world.finish((done) => world.engine!.close(done), `${kind} ${merging} ${at}: close never ended`)
      world.until(() => disk.openFiles === 0, `${kind} ${merging} ${at}: ${disk.openFiles} files open after close`)
      stops++
      const { fired } = disk.faults
      const forks = [(scheduler: Scheduler) => disk.processCrash(seed, scheduler)]
      // A stop that went well, as it says, leaves nothing to the page cache.
      if (error === null) forks.push((scheduler) => disk.crash(seed, scheduler))
      for (const fork of forks) {
        const found = opened(fork, seed).dump(DATABASES)
        // After a failed sync even the page cache may forget what was not durable: what is left is a prefix.
        if (disk.doomed && early.some((one) => sameState(one, found))) continue
        if (!sameState(state, found)) expect.fail(`${kind} ${merging} ${at} ${error}\n${difference(state, found)}`)
      }
      if (fired === 0) break
    }
  }
  expect(stops).toBeGreaterThan(15)
})
