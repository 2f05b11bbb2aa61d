import { expect, test } from 'vitest'
import { Fuse } from '../../src/engine/fuse.ts'
import { ManualClock } from './manual-clock.ts'

function call(fuse: Fuse, clock: ManualClock, ms: number, meanwhile = () => {}): boolean {
  fuse.tick()
  if (!fuse.begin()) return false
  clock.advance(ms)
  meanwhile()
  fuse.end()
  return true
}

test('a slow call sends its kind to the threads for a while, a very slow one for seconds', () => {
  const clock = new ManualClock()
  clock.advance(1000)
  const fuse = new Fuse(clock, true)
  expect(call(fuse, clock, 0.5)).toBe(true)
  expect(call(fuse, clock, 3)).toBe(true)
  expect(call(fuse, clock, 0)).toBe(false)
  clock.advance(59)
  expect(call(fuse, clock, 0)).toBe(false)
  clock.advance(2)
  expect(call(fuse, clock, 12)).toBe(true)
  clock.advance(4000)
  expect(call(fuse, clock, 0)).toBe(false)
  clock.advance(1100)
  expect(call(fuse, clock, 0)).toBe(true)
})

test('a very slow call that was paid for ten times rests twenty times as long; the next one for seconds', () => {
  const clock = new ManualClock()
  clock.advance(1000)
  const fuse = new Fuse(clock, true)
  for (let i = 0; i < 21_000; i++) call(fuse, clock, 0)
  expect(call(fuse, clock, 50)).toBe(true)
  clock.advance(1001)
  expect(call(fuse, clock, 50)).toBe(true)
  clock.advance(4999)
  expect(call(fuse, clock, 0)).toBe(false)
  clock.advance(2)
  expect(call(fuse, clock, 0)).toBe(true)
})

test('slow calls that follow soon rest twice as long each, unless those before them have saved more', () => {
  const clock = new ManualClock()
  clock.advance(1000)
  const fuse = new Fuse(clock, true)
  const restAfter = (goodCalls: number): number => {
    for (let i = 0; i < goodCalls; i++) expect(call(fuse, clock, 0)).toBe(true)
    expect(call(fuse, clock, 2)).toBe(true)
    let ms = 0
    for (; !call(fuse, clock, 0); ms++) clock.advance(1)
    return ms
  }
  expect(restAfter(0)).toBe(40)
  expect(restAfter(0)).toBe(80)
  expect(restAfter(790)).toBe(160)
  expect(restAfter(800)).toBe(40)
  expect(restAfter(0)).toBe(80)
})

test('reads that take longer than the trip to a thread go there, though none of them is slow', () => {
  const clock = new ManualClock()
  let blocks = 0
  const fuse = new Fuse(clock, true, () => blocks)
  const disk = (): boolean => call(fuse, clock, 0.2, () => (blocks += 8))
  let bets = 0
  while (disk()) bets++
  expect(bets).toBe(12) // 2 ms lost
  clock.advance(41)
  for (let i = 0; i < 1000; i++) expect(call(fuse, clock, 0.005)).toBe(true)
  for (let i = 0; i < 100; i++) expect(disk()).toBe(true) // one in eleven: they pay
})

test('writes of large batches are no lost bets', () => {
  const clock = new ManualClock()
  const fuse = new Fuse(clock, true)
  for (let i = 0; i < 1000; i++) expect(call(fuse, clock, 0.2)).toBe(true)
})

test('a read that was slow without any block from a disk has only lost its core: nothing follows', () => {
  const clock = new ManualClock()
  let blocks = 0
  const fuse = new Fuse(clock, true, () => blocks)
  for (let i = 0; i < 5; i++) expect(call(fuse, clock, 30)).toBe(true)
  expect(call(fuse, clock, 30, () => (blocks += 8))).toBe(true)
  expect(call(fuse, clock, 0)).toBe(false)
})

test('a slow read does not answer for blocks that others have read before it', () => {
  const clock = new ManualClock()
  let blocks = 5000 // loading
  const fuse = new Fuse(clock, true, () => blocks)
  for (let i = 0; i < 5; i++) {
    expect(call(fuse, clock, 30)).toBe(true)
    blocks += 8 // a merge
  }
})

test('a turn has a budget', () => {
  const clock = new ManualClock()
  const fuse = new Fuse(clock, true)
  for (let i = 0; i < 3; i++) {
    expect(fuse.begin()).toBe(true)
    clock.advance(0.9)
    fuse.end()
  }
  expect(fuse.begin()).toBe(false)
  fuse.tick()
  expect(fuse.begin()).toBe(true)
})
