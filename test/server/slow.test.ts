// Which commands SLOWLOG and LATENCY get to know of, by a clock that the test turns: a key's look-up takes as long as the test says.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { Slice } from '../../src/base/slice.ts'
import type { RawConnection } from '../harness/connection.ts'
import { encodeRequest, type Reply } from '../harness/resp.ts'
import { startTestServer, type TestServer } from './test-server.ts'

let nowMs = 0
/** What it takes to look a key up, in milliseconds; others take nothing. */
const costs = new Map<string, number>()
let test: TestServer
let client: RawConnection

beforeEach(async () => {
  nowMs = 1000
  costs.clear()
  test = await startTestServer({ server: { clock: { ...systemClock, monotonic: () => nowMs } } })
  const find = test.engine.find.bind(test.engine)
  test.engine.find = (database: number, key: Slice) => {
    nowMs += costs.get(key.key()) ?? 0
    return find(database, key)
  }
  client = await test.connect()
})
afterEach(() => test.stop())

async function pipeline(...commands: string[][]): Promise<void> {
  client.send(Buffer.concat(commands.map((words) => encodeRequest(words))))
  for (const _ of commands) await client.reply()
}

const times = (count: number, ...words: string[]): string[][] => Array.from({ length: count }, () => words)

/** Microseconds and command line of each entry, oldest first. */
async function slow(): Promise<string[]> {
  const entries = (await client.call('SLOWLOG', 'GET', '-1')) as Reply[][]
  return entries.map(([, , micros, args]) => `${micros} ${(args as Buffer[]).join(' ')}`).reverse()
}

async function events(): Promise<string[]> {
  const latest = (await client.call('LATENCY', 'LATEST')) as Reply[][]
  return latest.map(([name, , ms, worst]) => `${name} ${ms} ${worst}`).sort()
}

describe('SLOWLOG knows', () => {
  it('every slow command of a client that waits for replies, however often it was quick', async () => {
    costs.set('slow', 12)
    for (let i = 0; i < 300; i++) await client.call('GET', 'quick')
    await client.call('GET', 'slow')
    expect(await slow()).toEqual(['12000 GET slow'])
  })

  it('nothing of a command that took a little less', async () => {
    costs.set('slow', 9.999)
    await client.call('GET', 'slow')
    expect(await slow()).toEqual([])
  })

  it('inside a pipeline: what has many keys, or works on more than its arguments', async () => {
    costs.set('slow', 15)
    const many = Array.from({ length: 20 }, (_, i) => `k${i}`)
    await pipeline(...times(200, 'GET', 'quick'), ...times(200, 'GETRANGE', 'quick', '0', '1'))
    await pipeline(
      ...times(2, 'GET', 'quick'),
      ['MGET', ...many, 'slow'],
      ['GETRANGE', 'slow', '0', '1'],
      ['GET', 'quick'],
    )
    expect(await slow()).toEqual([`15000 MGET ${many.join(' ')} slow`, '15000 GETRANGE slow 0 1'])
  })

  it('inside a pipeline of quick commands: not the first one that stalls, but every other for a second', async () => {
    await client.call('CONFIG', 'SET', 'latency-monitor-threshold', '5')
    costs.set('slow', 20)
    await pipeline(...times(201, 'GET', 'quick'))
    const stalled = [...times(5, 'GET', 'quick'), ['GET', 'slow'], ...times(5, 'GET', 'quick')]
    await pipeline(...stalled)
    expect(await slow()).toEqual([])
    expect(await events()).toEqual(['stall 20 20'])
    await pipeline(...stalled)
    expect(await slow()).toEqual(['20000 GET slow'])
    expect(await events()).toEqual(['fast-command 20 20', 'stall 20 20'])
    nowMs += 1001
    await pipeline(...times(3, 'GET', 'quick')) // looks at the clock: the second is over
    await client.call('SLOWLOG', 'RESET')
    await pipeline(...times(10, 'GET', 'quick'), ['GET', 'slow']) // none of them a 16th call
    expect(await slow()).toEqual([])
  })

  it('no stall where nothing was called: unknown commands after a quiet while', async () => {
    await client.call('CONFIG', 'SET', 'latency-monitor-threshold', '5')
    nowMs += 2000
    await pipeline(['NOPE', '1'], ['NOPE', '2'], ['NOPE', '3'])
    expect(await events()).toEqual([])
  })

  it('all of it when the threshold is below a millisecond', async () => {
    await client.call('CONFIG', 'SET', 'slowlog-log-slower-than', '0')
    await client.call('SLOWLOG', 'RESET')
    await pipeline(...times(100, 'GET', 'quick'))
    expect((await slow()).filter((line) => line === '0 GET quick')).toHaveLength(100)
  })

  it('what EXEC runs, and not EXEC', async () => {
    costs.set('slow', 11)
    await pipeline(['MULTI'], ['GET', 'slow'], ['GET', 'quick'], ['EXEC'])
    expect(await slow()).toEqual(['11000 GET slow'])
  })

  it('a command that works in steps, by the sum of them', async () => {
    await client.call('SET', 'key', 'v')
    const scan = test.engine.scan.bind(test.engine)
    test.engine.scan = (...args: Parameters<typeof scan>) => {
      nowMs += 30
      return scan(...args)
    }
    await client.call('KEYS', '*')
    const [line = ''] = await slow()
    expect(line).toMatch(/^\d+ KEYS \*$/)
    expect(Number.parseInt(line, 10)).toBeGreaterThanOrEqual(30_000)
  })

  it('nothing when it is off', async () => {
    await client.call('CONFIG', 'SET', 'slowlog-log-slower-than', '-1')
    costs.set('slow', 5000)
    await client.call('GET', 'slow')
    expect(await slow()).toEqual([])
  })
})

describe('times in INFO and LATENCY HISTOGRAM', () => {
  const line = async (section: string, name: string): Promise<string> =>
    String(await client.call('INFO', section))
      .split('\r\n')
      .find((it) => it.startsWith(`${name}:`)) ?? ''

  it('are exact for a client that waits', async () => {
    costs.set('k', 0.5)
    for (let i = 0; i < 100; i++) await client.call('GET', 'k')
    expect(await line('commandstats', 'cmdstat_get')).toMatch(/calls=100,usec=50000,usec_per_call=500\.00,/)
  })

  it('stand for all calls where only some are timed', async () => {
    costs.set('k', 0.25)
    await pipeline(...times(1000, 'GET', 'k'))
    expect(await line('commandstats', 'cmdstat_get')).toMatch(/calls=1000,usec=250000,usec_per_call=250\.00,/)
    const [, calls] = /^[^:]*:p50=([\d.]+),p99=([\d.]+),/.exec(
      await line('latencystats', 'latency_percentiles_usec_get'),
    )!
    expect(Number(calls)).toBeCloseTo(250, -1)
    const [, described] = (await client.call('LATENCY', 'HISTOGRAM', 'get')) as [Buffer, Reply[]]
    expect(described[1]).toBeGreaterThan(900)
    expect(described[1]).toBeLessThan(1100)
  })

  it('begin anew with CONFIG RESETSTAT', async () => {
    costs.set('k', 1)
    await client.call('GET', 'k')
    await client.call('CONFIG', 'RESETSTAT')
    expect(await line('commandstats', 'cmdstat_get')).toBe('')
    expect(await client.call('LATENCY', 'HISTOGRAM', 'get')).toEqual([])
  })
})

describe('LATENCY keeps', () => {
  it('the worst of each second, the worst ever, and forgets what it is told to', async () => {
    await client.call('CONFIG', 'SET', 'latency-monitor-threshold', '10')
    for (const ms of [9, 30, 12]) {
      costs.set('k', ms)
      await client.call('GETRANGE', 'k', '0', '1')
    }
    const [event] = await events()
    expect(event).toMatch(/^command (30|12) 30$/) // one second or two
    expect(String(await client.call('LATENCY', 'GRAPH', 'command'))).toContain('all time high 30 ms')
    expect(String(await client.call('LATENCY', 'DOCTOR'))).toContain('SLOWLOG GET')
    expect(await client.call('LATENCY', 'RESET', 'command', 'nosuch')).toBe(1)
    expect(await events()).toEqual([])
  })

  it('what the store reports', async () => {
    await client.call('CONFIG', 'SET', 'latency-monitor-threshold', '10')
    test.engine.events.onTook?.('fsync', 40)
    test.engine.events.onTook?.('expire-cycle', 9)
    expect(await events()).toEqual(['fsync 40 40'])
  })
})

it('SLOWLOG does not show what CONFIG SET says of other passwords', async () => {
  await client.call('CONFIG', 'SET', 'slowlog-log-slower-than', '0')
  await client.call('CONFIG', 'SET', 'masterauth', 'secret1', 'MasterUser', 'secret2', 'tls-key-file-pass', 'secret3')
  await client.call('CONFIG', 'SET', 'slowlog-log-slower-than', '-1')
  const log = JSON.stringify(await client.call('SLOWLOG', 'GET'), (_, value) =>
    value?.type === 'Buffer' ? Buffer.from(value.data).toString() : value,
  )
  expect(log.match(/\(redacted\)/g)).toHaveLength(3)
  expect(log).not.toContain('secret')
})
