// A merge's or a scrub's rate.

import { expect, test } from 'vitest'
import { Pace } from '../../src/engine/pace.ts'
import { ManualClock } from './manual-clock.ts'

function portions(bytesPerSecond: number) {
  const clock = new ManualClock()
  const pace = new Pace(clock, bytesPerSecond)
  const told: (string | null)[] = []
  const spend = (bytes: number): void => pace.spend(bytes, (error) => told.push(error?.message ?? null))
  return { clock, pace, told, spend }
}

test('each portion waits until its bytes are due; what took long is not waited for again', () => {
  const { clock, told, spend } = portions(1000)
  spend(500)
  clock.advance(499)
  expect(told).toEqual([])
  clock.advance(1)
  expect(told).toEqual([null])
  clock.advance(300) // the next one takes so long
  spend(500)
  clock.advance(199)
  expect(told.length).toBe(1)
  clock.advance(1)
  expect(told).toEqual([null, null])
})

test('hours of a pause are not followed by a rush', async () => {
  const { clock, pace, told, spend } = portions(1000)
  pace.pause()
  spend(100)
  clock.advance(6 * 3600 * 1000)
  expect(told).toEqual([])
  pace.resume()
  expect(told).toEqual([null])
  spend(1000)
  await new Promise<void>((resolve) => setImmediate(resolve))
  expect(told.length).toBe(2) // a second's worth
  spend(10_000)
  clock.advance(9999)
  expect(told.length).toBe(2)
  clock.advance(1)
  expect(told.length).toBe(3)
})

test('another rate holds at once, also for who waits for a day', () => {
  const { clock, pace, told, spend } = portions(1)
  spend(86_400)
  clock.advance(1000)
  pace.limit(0)
  expect(told).toEqual([null])
  pace.limit(1000)
  spend(100)
  clock.advance(99)
  expect(told.length).toBe(1)
  clock.advance(1)
  expect(told.length).toBe(2)
})

test('who is to end hears of it at once, and so does who comes later', () => {
  const { pace, told, spend } = portions(1)
  spend(86_400)
  pace.cancel()
  spend(1)
  expect(told).toEqual(['cancelled', 'cancelled'])
})
