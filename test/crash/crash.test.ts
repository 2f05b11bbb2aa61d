// kill -9 under load: nothing acknowledged is lost, nothing comes back, whatever survives is a prefix.
//
//   npx vitest run test/crash                  a few kills a mode; CASKY_TEST_FULL=1: more, and with a new
//                                              configuration at each start
//   npm run soak -- kill 10000                 as many as asked
//   npx tsx test/crash/main.ts --seed 7        one seed again, on its own
//
// The ledger itself is tested first, and the whole driver is tried on redis-server: one that keeps its log passes, one
// that keeps none is caught. A judge that acquits everybody would pass Casky too.

import { rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { skipWithout } from '../harness/programs.ts'
import { randomFrom } from '../harness/random.ts'
import { anySeed } from '../harness/seed.ts'
import { killCycles } from './cycles.ts'
import { Ledger, type Observed, type Operation } from './ledger.ts'
import { markedValue, seqOf, Workload } from './workload.ts'

const put = (seq: number, ...pairs: Array<[key: string, value: string]>): Operation => ({
  seq,
  effects: pairs.map(([key, value]) => ({ kind: 'set', key, entry: { value } })),
})

const seen = (entries: Record<string, string>): Observed => ({
  entries: new Map(Object.entries(entries).map(([key, value]) => [key, { value, expiresAt: -1 }])),
  fromMs: 1000,
  toMs: 2000,
})

describe('the ledger', () => {
  const history = (): { ledger: Ledger; second: Operation } => {
    const ledger = new Ledger()
    const first = put(1, ['a', '1'])
    const second = put(2, ['a', '2'], ['b', '2'])
    ledger.invoke(first)
    ledger.invoke(second)
    ledger.acknowledge(first)
    return { ledger, second }
  }

  it('accepts every prefix from what was acknowledged to what was asked', () => {
    expect(history().ledger.settle(seen({ a: '1' }))).toEqual([])
    expect(history().ledger.settle(seen({ a: '2', b: '2' }))).toEqual([])
  })

  it('refuses a loss, half an operation, an old value, a foreign key', () => {
    expect(history().ledger.settle(seen({}))[1]).toContain('lost')
    expect(history().ledger.settle(seen({ a: '2' }))[1]).toContain('a: holds "2" and not "1"')
    expect(history().ledger.settle(seen({ a: '1', b: '2' }))).not.toEqual([])
    expect(history().ledger.settle(seen({ a: '1', c: '9' }))[1]).toContain('should not be')
    const { ledger, second } = history()
    ledger.acknowledge(second)
    expect(ledger.settle(seen({ a: '1' }))).not.toEqual([])
  })

  it('refuses to forget what a reader was shown', () => {
    const { ledger } = history()
    ledger.show(2)
    expect(ledger.settle(seen({ a: '1' }))).not.toEqual([])
    expect(ledger.settle(seen({ a: '2', b: '2' }))).toEqual([])
  })

  it('follows keys through a swap of databases and the flush of one', () => {
    const ledger = new Ledger()
    const steps: Operation[] = [
      put(1, ['0/a', '1'], ['0/b', '1'], ['1/a', '2']),
      { seq: 2, effects: [{ kind: 'swap', prefixes: ['0/', '1/'] }] },
      { seq: 3, effects: [{ kind: 'clear', prefix: '0/' }] },
    ]
    for (const step of steps) ledger.invoke(step)
    ledger.acknowledge(steps[0]!)
    expect(ledger.settle(seen({ '0/a': '1', '1/a': '2', '1/b': '1' }))).not.toEqual([]) // half a swap
    expect(ledger.settle(seen({ '0/a': '2', '1/a': '1', '1/b': '1' }))).toEqual([])
    const flush = steps[2]!
    ledger.invoke(flush)
    ledger.acknowledge(flush)
    expect(ledger.settle(seen({ '0/a': '2', '1/a': '1', '1/b': '1' }))).not.toEqual([])
    expect(ledger.settle(seen({ '1/a': '1', '1/b': '1' }))).toEqual([])
  })

  it('refuses a deleted key that comes back, and an expired one', () => {
    const { ledger, second } = history()
    ledger.acknowledge(second)
    const gone: Operation = { seq: 3, effects: [{ kind: 'delete', key: 'b' }] }
    const brief: Operation = {
      seq: 4,
      effects: [{ kind: 'set', key: 'a', entry: { value: '4', expiry: { from: 1500, to: 1500 } } }],
    }
    for (const operation of [gone, brief]) {
      ledger.invoke(operation)
      ledger.acknowledge(operation)
    }
    expect(ledger.settle(seen({ a: '4', b: '2' }))).not.toEqual([])
    expect(ledger.settle(seen({}))).toEqual([]) // a has expired; from now on it is known to be gone
    expect(ledger.settle({ ...seen({}), entries: new Map([['a', { value: '4', expiresAt: 1500 }]]) })[1]).toContain(
      'should not be',
    )
  })
})

describe('the workload', () => {
  it('is the same for the same seed', () => {
    const stream = (seed: number): unknown[] => {
      const workload = new Workload(0, randomFrom(seed))
      return Array.from({ length: 50 }, () => workload.next(new Map()).commands.map(([name, key]) => [name, key]))
    }
    expect(stream(1)).toEqual(stream(1))
    expect(stream(1)).not.toEqual(stream(2))
  })

  it('writes values that know themselves', () => {
    expect(seqOf(markedValue(3, 'p1', 77, 10))).toBe(77)
    expect(seqOf('12')).toBeUndefined()
    expect(() => seqOf(markedValue(3, 'p1', 77, 10).replace('p1', 'p2'))).toThrow('false checksum')
  })
})

describe.skipIf(skipWithout('redis-server'))('the driver, tried on redis-server', () => {
  it('acquits a server that keeps its log', async () => {
    const result = await killCycles({ kind: 'redis', cycles: 4, seed: 1, appendfsync: 'always', loadMs: 200 })
    expect(result.problems).toEqual([])
    expect(result.operations).toBeGreaterThan(100)
  })

  it('convicts a server that keeps none', async () => {
    const args = ['--appendonly', 'no']
    const result = await killCycles({ kind: 'redis', cycles: 4, seed: 1, appendfsync: 'no', loadMs: 200, args })
    if (result.keptDir !== undefined) rmSync(result.keptDir, { recursive: true })
    expect(result.problems.join('\n')).toContain('lost')
  })
})

describe('Casky', () => {
  const isFull = process.env.CASKY_TEST_FULL === '1'
  const seed = anySeed()
  const modes = ['always', 'everysec', undefined] as const
  it.each(
    modes,
  )('loses nothing to kill -9 with appendfsync %s (undefined: a random configuration at each start)', async (appendfsync) => {
    const cycles = isFull ? 40 : 4
    const result = await killCycles({ cycles, seed, ...(appendfsync === undefined ? {} : { appendfsync }) })
    expect(result.problems.join('\n'), `seed ${seed}, kept ${result.keptDir}`).toBe('')
    expect(result.cycles).toBe(cycles)
  }, 600_000)
})
