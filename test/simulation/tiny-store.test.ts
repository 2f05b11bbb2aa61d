import { expect, test } from 'vitest'
import { SimulatedClock } from './clock.ts'
import { SimulatedDisk } from './disk.ts'
import { Scheduler } from './scheduler.ts'
import { type Omission, parse, save } from './tiny-store.ts'

const SEEDS = 300

/** Counts the seeds after whose crash the store has lost or garbled what it acknowledged. */
function broken(omit: Omission, kind: 'power' | 'process'): number {
  let violations = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const scheduler = new Scheduler(seed)
    new SimulatedClock(scheduler, 0)
    const disk = new SimulatedDisk(scheduler)
    let acknowledged = 0
    const saveNext = (value: number): void =>
      save(disk, value, omit, (error) => {
        if (error !== null) throw error
        acknowledged = value
        if (value < 5) saveNext(value + 1)
      })
    saveNext(1)
    const steps = scheduler.random.between(1, 30)
    for (let step = 0; step < steps; step++) scheduler.step()
    const next = new Scheduler(seed)
    const left = kind === 'power' ? disk.crash(seed, next) : disk.processCrash(seed, next)
    let found = parse(left.peek('number'))
    if (omit === 'rename') found = Math.max(0, ...left.files().map((name) => parse(left.peek(name))))
    if (!(found >= acknowledged)) violations++
  }
  return violations
}

test('a store that does everything right survives every crash', () => {
  expect(broken('none', 'power')).toBe(0)
  expect(broken('none', 'process')).toBe(0)
})

test('no sync before the rename is caught', () => {
  expect(broken('file sync', 'power')).toBeGreaterThan(SEEDS / 10)
  expect(broken('file sync', 'process')).toBe(0)
})

test('no sync of the directory is caught', () => {
  expect(broken('directory sync', 'power')).toBeGreaterThan(SEEDS / 10)
  expect(broken('directory sync', 'process')).toBe(0)
})

test('no rename, so that a half file is read, is caught', () => {
  expect(broken('rename', 'power')).toBeGreaterThan(0)
})

test('a sync that did not wait for the write is caught', () => {
  expect(broken('waiting for the write', 'power')).toBeGreaterThan(0)
})
