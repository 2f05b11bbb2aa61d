// What counts as having become worse.

import { expect, it } from 'vitest'
import { alone, compared, single } from './figure.ts'
import { regressions } from './history.ts'
import { buildPlan, harmonic, type Plan } from './plan.ts'
import { table } from './table.ts'

const rounds = { casky: [90, 110, 100], redis: [100, 100, 100], other: [] }

it('judges a ratio by its aim', () => {
  expect(compared({ row: 'a', what: '', unit: '', aim: { atLeast: 1 } }, rounds)).toMatchObject({ ratio: 1, met: true })
  expect(compared({ row: 'a', what: '', unit: '', aim: { atLeast: 1.01 } }, rounds).met).toBe(false)
  expect(single({ row: 'a', what: '', unit: '', aim: { atMost: 0.5 } }, 40, 100)).toMatchObject({
    ratio: 0.4,
    met: true,
  })
  expect(alone({ row: 'a', what: '', unit: '', aim: { atMost: 5 } }, 6).met).toBe(false)
  expect(alone({ row: 'a', what: '', unit: '' }, 6).met).toBe(null)
})

it('tells what is more than a twentieth worse than before, in either direction', () => {
  const now = [
    single({ row: 'rate', what: '', unit: '', aim: { atLeast: 1 } }, 94, 100),
    single({ row: 'memory', what: '', unit: '', aim: { atMost: 1 } }, 110, 100),
    single({ row: 'better', what: '', unit: '', aim: { atMost: 1 } }, 50, 100),
    single({ row: 'new', what: '', unit: '' }, 1, 100),
    alone({ row: 'load', what: '', unit: '/s' }, 900),
    alone({ row: 'pause', what: '', unit: 'ms' }, 100),
    alone({ row: 'bytes', what: '', unit: 'bytes' }, 60),
  ]
  const worse = regressions({ rate: 1, memory: 1, better: 1, load: 1000, pause: 10, bytes: 90 }, now)
  expect(worse).toEqual([
    'rate: 0.940, was 1.00 at the last record',
    'memory: 1.10, was 1.00 at the last record',
    'load: 900, was 1.00e+3 at the last record',
    'pause: 100, was 10.0 at the last record',
  ])
})

it('puts the medians of several runs into a table, and judges them by the aim', () => {
  const report = (casky: number, memory: number): Parameters<typeof table>[0][number] => ({
    when: '',
    stolen: 0,
    rounds: 7,
    seconds: 3,
    scale: 1,
    figures: [
      single({ row: 'set-p1', what: 'SET P=1', unit: '/s', aim: { atLeast: 1 } }, casky, 100_000),
      single({ row: 'set-p1 p99', what: 'SET P=1', unit: 'ms' }, 1, 2),
      alone({ row: 'keydir', what: 'keydir a key', unit: 'bytes', aim: { atMost: 40 } }, memory),
    ],
  })
  expect(table([report(90_000, 38), report(110_000, 39), report(120_000, 44)])).toEqual([
    '|  | redis-server | Casky | ratio | aim |',
    '|---|---|---|---|---|',
    '| SET P=1, /s | 100,000 | 110,000 | 1.10 (0.90..1.20) | >= 1 met |',
    '| p99 of SET P=1, ms | 2.00 | 1.00 | 0.50 (0.50..0.50) |  |',
    '| keydir a key, bytes | - | 39.0 |  | <= 40 met |',
  ])
  expect(
    table([report(90_000, 44)])
      .slice(2)
      .join(),
  ).toMatch(/0.90 \| >= 1 NOT MET.*44.0 \| {2}\| <= 40 NOT MET/)
})

it('builds the same plan from the same words, with the part of reads and the popularity asked for', () => {
  const words = {
    keys: 10_000, valueBytes: 64, reads: 0.9, choice: 'zipf', clients: 5, pipeline: 16, pipelines: 2000, seed: 3,
  } as const // biome-ignore format: words
  const plan = buildPlan(words)
  const textOf = (built: Plan): string => Buffer.concat(built.pipelines.map((one) => one.request)).toString('latin1')
  const text = textOf(plan)
  expect(textOf(buildPlan(words)) === text).toBe(true)
  const reads = text.split('\r\nGET\r\n').length - 1
  expect(reads / 32_000).toBeGreaterThan(0.88)
  expect(reads / 32_000).toBeLessThan(0.92)
  // By Zipf's law with 0.99 the most popular of 10,000 keys gets a tenth of all requests.
  const counts = new Map<string, number>()
  for (const [key] of text.matchAll(/key:\d{12}/g)) counts.set(key, (counts.get(key) ?? 0) + 1)
  expect(Math.max(...counts.values()) / 32_000).toBeGreaterThan(0.07)
  const replies = plan.pipelines.reduce((sum, one) => sum + one.replyBytes, 0)
  expect(replies).toBe(reads * 71 + (32_000 - reads) * 5)
})

it('asks for each key once in a lap of `each`', () => {
  const words = {
    keys: 3200, valueBytes: 64, reads: 1, choice: 'each', clients: 5, pipeline: 16, pipelines: 200, seed: 3,
  } as const // biome-ignore format: words
  const text = Buffer.concat(buildPlan(words).pipelines.map((one) => one.request)).toString('latin1')
  expect(new Set([...text.matchAll(/key:\d{12}/g)].map(([key]) => key)).size).toBe(3200)
})

it('sums the terms of the law of Zipf in a short way, and comes to the same', () => {
  let sum = 0
  for (let i = 1; i <= 300_000; i++) sum += i ** -0.99
  expect(harmonic(300_000)).toBeCloseTo(sum, 6)
  expect(harmonic(2)).toBe(1 + 2 ** -0.99)
})
