// The arithmetic of the benchmark, and the figure it reads from redis-benchmark.

import { expect, it } from 'vitest'
import { skipWithout } from '../harness/programs.ts'
import { startServer } from '../harness/server.ts'
import { compareRounds, median } from './statistics.ts'
import { requestsPerSecond } from './tool.ts'

it('takes the median', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  expect(() => median([])).toThrow('no values')
})

it('compares round by round, so that a slow machine in one round touches both', () => {
  expect(compareRounds([100, 50, 120], [100, 25, 100])).toEqual({
    casky: 100,
    redis: 100,
    ratio: 1.2,
    lowest: 1,
    highest: 2,
  })
})

it.skipIf(skipWithout('redis-benchmark'))('reads one figure, and fails when there is none', async () => {
  const server = await startServer('redis')
  const figure = await requestsPerSecond(server.port, { command: 'get', pipeline: 16 }, 2000, 10)
  expect(figure).toBeGreaterThan(0)
  await server.stop()
  const closed = await startServer('redis', { password: 'secret' })
  await expect(requestsPerSecond(closed.port, { command: 'get', pipeline: 1 }, 100, 10)).rejects.toThrow('NOAUTH')
  await closed.stop()
})
