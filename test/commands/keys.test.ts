// Key and expiry commands on an engine in memory.

import { describe, expect, it } from 'vitest'
import { FakeClient } from './fakes.ts'

const OK = '+OK\r\n'
const NIL = '$-1\r\n'
const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`

/** The bulk strings of a reply, in order. */
function bulks(reply: string): string[] {
  return [...reply.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map((it) => it[1]!)
}

describe('deleting', () => {
  it('counts what there was; several keys are one batch, one key needs none', () => {
    const client = new FakeClient()
    client.run('MSET', 'a', '1', 'b', '2', 'c', '3')
    client.engine.writes.length = 0
    expect(client.run('DEL', 'a', 'none', 'a', 'b')).toBe(':2\r\n')
    expect(client.run('UNLINK', 'c')).toBe(':1\r\n')
    expect(client.engine.writes).toEqual([
      { op: 'remove', key: 'a', batched: true },
      { op: 'remove', key: 'b', batched: true },
      { op: 'remove', key: 'c', batched: false },
    ])
    expect(client.engine.depth).toBe(0)
  })

  it('EXISTS counts a key as often as it is named', () => {
    const client = new FakeClient()
    client.run('SET', 'a', '1')
    expect(client.run('EXISTS', 'a', 'a', 'none')).toBe(':2\r\n')
    expect(client.run('TYPE', 'a')).toBe('+string\r\n')
    expect(client.run('TYPE', 'none')).toBe('+none\r\n')
  })
})

describe('RENAME, COPY, MOVE', () => {
  it('carry the time to live along, in one batch', () => {
    const client = new FakeClient()
    client.run('SET', 'a', 'v', 'EX', '100')
    client.run('SET', 'b', 'old')
    client.engine.writes.length = 0
    expect(client.run('RENAME', 'a', 'b')).toBe(OK)
    expect(client.engine.writes).toEqual([
      { op: 'put', key: 'b', batched: true },
      { op: 'remove', key: 'a', batched: true },
    ])
    expect(client.run('TTL', 'b')).toBe(':100\r\n')
    expect(client.run('COPY', 'b', 'c')).toBe(':1\r\n')
    expect(client.run('TTL', 'c')).toBe(':100\r\n')
    expect(client.run('MOVE', 'c', '1')).toBe(':1\r\n')
    expect(client.run('EXISTS', 'a', 'c')).toBe(':0\r\n')
    client.session.database = 1
    expect(client.run('GET', 'c')).toBe(bulk('v'))
    expect(client.run('TTL', 'c')).toBe(':100\r\n')
    expect(client.engine.depth).toBe(0)
  })

  it('a name given to itself changes nothing', () => {
    const client = new FakeClient()
    expect(client.run('RENAME', 'a', 'a')).toBe('-ERR no such key\r\n')
    client.run('SET', 'a', 'v')
    client.engine.writes.length = 0
    expect(client.run('RENAME', 'a', 'a')).toBe(OK)
    expect(client.run('COPY', 'a', 'a')).toBe('-ERR source and destination objects are the same\r\n')
    expect(client.run('MOVE', 'a', '0')).toBe('-ERR source and destination objects are the same\r\n')
    expect(client.engine.writes).toEqual([])
  })

  it('COPY takes another database and does not replace unless told', () => {
    const client = new FakeClient()
    client.run('MSET', 'a', 'v', 'b', 'w')
    expect(client.run('COPY', 'a', 'b')).toBe(':0\r\n')
    expect(client.run('COPY', 'a', 'b', 'REPLACE', 'DB', '0')).toBe(':1\r\n')
    expect(client.run('COPY', 'a', 'a', 'db', '3')).toBe(':1\r\n')
    expect(client.run('COPY', 'a', 'a', 'DB', '16')).toBe('-ERR DB index is out of range\r\n')
    expect(client.run('COPY', 'a', 'b', 'DB')).toBe('-ERR syntax error\r\n')
    expect(client.run('MOVE', 'a', '3')).toBe(':0\r\n')
    expect(client.run('MOVE', 'a', '99999999999')).toBe(
      '-ERR value is out of range, value must between -2147483648 and 2147483647\r\n',
    )
  })

  it('an expired target does not count as taken', () => {
    const client = new FakeClient()
    client.run('SET', 'b', 'old', 'PX', '5')
    client.run('SET', 'a', 'new')
    client.engine.now += 6
    expect(client.run('COPY', 'a', 'b')).toBe(':1\r\n')
    expect(client.run('GET', 'b')).toBe(bulk('new'))
    expect(client.run('TTL', 'b')).toBe(':-1\r\n')
  })

  it('a target name over 1 MiB is refused and nothing moves', () => {
    const client = new FakeClient()
    client.run('SET', 'a', 'v')
    const long = 'k'.repeat(1024 * 1024 + 1)
    expect(client.run('RENAME', 'a', long)).toBe('-ERR key is too long (at most 1048576 bytes)\r\n')
    expect(client.run('COPY', 'a', long)).toBe('-ERR key is too long (at most 1048576 bytes)\r\n')
    expect(client.run('GET', 'a')).toBe(bulk('v'))
  })
})

describe('SCAN', () => {
  function fill(client: FakeClient, count: number): string[] {
    const keys = Array.from({ length: count }, (_, i) => `key:${i}`)
    for (const key of keys) client.run('SET', key, 'v')
    return keys
  }

  function walk(client: FakeClient, ...options: string[]): string[] {
    const seen: string[] = []
    let cursor = '0'
    let calls = 0
    do {
      const [next, ...keys] = bulks(client.run('SCAN', cursor, ...options))
      cursor = next!
      seen.push(...keys)
      expect(++calls).toBeLessThan(1000)
    } while (cursor !== '0')
    return seen
  }

  it.each([
    [[]],
    [['COUNT', '1']],
    [['COUNT', '7']],
    [['COUNT', '9223372036854775807']],
    [['TYPE', 'STRING']],
    [['MATCH', '*']],
  ])('sees every key once: %j', (options) => {
    const client = new FakeClient()
    const keys = fill(client, 50)
    expect(walk(client, ...options).sort()).toEqual(keys.sort())
  })

  it('COUNT is about keys looked at, MATCH and TYPE about those shown', () => {
    const client = new FakeClient()
    fill(client, 50)
    expect(bulks(client.run('SCAN', '0'))).toHaveLength(11)
    expect(bulks(client.run('SCAN', '0', 'COUNT', '20'))).toHaveLength(21)
    expect(walk(client, 'MATCH', 'key:4?').sort()).toEqual(Array.from({ length: 10 }, (_, i) => `key:4${i}`))
    expect(walk(client, 'TYPE', 'list')).toEqual([])
    expect(walk(client, 'TYPE', 'nonsense')).toEqual([])
  })

  it('finds the few keys of one database among many of another in few calls', () => {
    const client = new FakeClient()
    fill(client, 900)
    client.session.database = 2
    client.run('SET', 'alone', 'v')
    expect(bulks(client.run('SCAN', '0'))).toEqual(['0', 'alone'])
  })

  it('does not show what has expired', () => {
    const client = new FakeClient()
    client.run('SET', 'gone', 'v', 'PX', '1')
    client.run('SET', 'here', 'v')
    client.engine.now += 2
    expect(walk(client)).toEqual(['here'])
  })

  it.each([
    [['abc'], 'ERR invalid cursor'],
    [[' 0'], 'ERR invalid cursor'],
    [['0 '], 'ERR invalid cursor'],
    [['-'], 'ERR invalid cursor'],
    [['18446744073709551616'], 'ERR invalid cursor'],
    [['0'.repeat(1_000_000)], 'ERR invalid cursor'],
    [['0', 'COUNT'], 'ERR syntax error'],
    [['0', 'COUNT', '0'], 'ERR syntax error'],
    [['0', 'COUNT', '-1'], 'ERR syntax error'],
    [['0', 'COUNT', 'x'], 'ERR value is not an integer or out of range'],
    [['0', 'LIMIT', '1'], 'ERR syntax error'],
    [['0', 'MATCH', 'a', 'COUNT'], 'ERR syntax error'],
  ])('refuses %#', (words, error) => expect(new FakeClient().run('SCAN', ...words)).toBe(`-${error}\r\n`))

  it.each(['', '+0', '00', '-1', '18446744073709551615'])('takes the cursor %j as C does', (cursor) => {
    expect(new FakeClient().run('SCAN', cursor)).toBe('*2\r\n$1\r\n0\r\n*0\r\n')
  })
})

describe('KEYS', () => {
  it('matches a pattern byte by byte, and an empty key by a lone star', () => {
    const client = new FakeClient()
    client.run('MSET', '', 'v', 'hello', 'v', 'hallo', 'v', '\xff\x00', 'v')
    expect(bulks(client.run('KEYS', 'h[ae]llo')).sort()).toEqual(['hallo', 'hello'])
    expect(client.run('KEYS', '*')).toMatch(/^\*4\r\n/)
    expect(client.run('KEYS', 'J')).toBe('*0\r\n')
    expect(bulks(client.run('KEYS', '\xff?'))).toEqual(['\xff\x00'])
  })

  it('goes in steps over many keys and misses none', () => {
    const client = new FakeClient()
    client.engine.fill(20_000)
    expect(client.run('KEYS', 'key:1*')).toMatch(/^\*11111\r\n/)
    expect(client.steps).toBeGreaterThan(2)
    const before = client.steps
    expect(client.run('KEYS', '*')).toMatch(/^\*20000\r\n/)
    expect(client.steps - before).toBeGreaterThan(2)
  })

  it('gives out what it found in pieces, all of it and in one array', () => {
    const client = new FakeClient()
    const keys = Array.from({ length: 30 }, (_, i) => String.fromCharCode(97 + i).repeat(100_000 + i))
    for (const key of keys) client.run('SET', key, 'v')
    expect(bulks(client.run('KEYS', '*'))).toEqual(keys)
    expect(client.steps).toBeGreaterThan(3)
    expect(bulks(client.run('SCAN', '0', 'COUNT', '1000'))).toEqual(['0', ...keys])
  })

  it('has a limit, and so has SCAN, whose walk goes on behind it', () => {
    const client = new FakeClient()
    const name = 'k'.repeat(1024 * 1024)
    // One key under many entries: the engine promises nothing about names here, and the memory is that of one.
    client.engine.keyOf = (_entry, into) => into.set(bytes, 0, bytes.length)
    const bytes = Buffer.from(name)
    client.engine.fill(600)
    expect(client.run('KEYS', '*')).toBe('-ERR more than 536870912 bytes of keys match: use SCAN\r\n')
    const reply = client.run('SCAN', '0', 'COUNT', '100000')
    expect(Number(bulks(reply.slice(0, 40))[0])).toBeGreaterThan(0)
    expect(reply.length).toBeLessThan(100 * 1024 * 1024)
  })

  it('makes its steps smaller where the pattern may cost much', () => {
    const client = new FakeClient()
    client.engine.fill(2000)
    client.run('KEYS', 'key:1*')
    expect(client.steps).toBe(0)
    client.run('KEYS', `*${'a*'.repeat(500)}b`)
    expect(client.steps).toBeGreaterThan(10)
  })
})

describe('whole databases', () => {
  it('FLUSHDB empties one, FLUSHALL all, and watchers are told first', () => {
    const client = new FakeClient()
    client.run('SET', 'a', 'v')
    client.session.database = 1
    client.run('SET', 'b', 'v')
    expect(client.run('FLUSHDB', 'async')).toBe(OK)
    expect(client.touched).toEqual([1])
    expect(client.run('DBSIZE')).toBe(':0\r\n')
    client.session.database = 0
    expect(client.run('DBSIZE')).toBe(':1\r\n')
    expect(client.run('FLUSHALL')).toBe(OK)
    expect(client.run('DBSIZE')).toBe(':0\r\n')
    expect(client.run('FLUSHALL', 'NOW')).toBe('-ERR syntax error\r\n')
    expect(client.run('FLUSHDB', 'SYNC', 'ASYNC')).toBe('-ERR syntax error\r\n')
    expect(client.flushes).toBe(2)
  })

  it('SWAPDB exchanges what clients see', () => {
    const client = new FakeClient()
    client.run('SET', 'a', 'v')
    expect(client.run('SWAPDB', '0', '5')).toBe(OK)
    expect(client.touched).toEqual([0, 5])
    expect(client.run('GET', 'a')).toBe(NIL)
    client.session.database = 5
    expect(client.run('GET', 'a')).toBe(bulk('v'))
    expect(client.run('SWAPDB', 'x', '0')).toBe('-ERR invalid first DB index\r\n')
    expect(client.run('SWAPDB', '0', 'x')).toBe('-ERR invalid second DB index\r\n')
    expect(client.run('SWAPDB', '0', '16')).toBe('-ERR DB index is out of range\r\n')
    expect(client.run('SWAPDB', '-1', '0')).toBe('-ERR DB index is out of range\r\n')
  })

  it('RANDOMKEY', () => {
    const client = new FakeClient()
    expect(client.run('RANDOMKEY')).toBe(NIL)
    client.run('SET', 'a', 'v')
    expect(client.run('RANDOMKEY')).toBe(bulk('a'))
  })
})

describe('expiry', () => {
  it('sets, tells, and takes back', () => {
    const client = new FakeClient()
    expect(client.run('EXPIRE', 'none', '1')).toBe(':0\r\n')
    expect(client.run('TTL', 'none')).toBe(':-2\r\n')
    client.run('SET', 'k', 'v')
    expect(client.run('TTL', 'k')).toBe(':-1\r\n')
    expect(client.run('PERSIST', 'k')).toBe(':0\r\n')
    expect(client.run('EXPIRE', 'k', '100')).toBe(':1\r\n')
    expect(client.run('PEXPIRETIME', 'k')).toBe(`:${client.engine.now + 100_000}\r\n`)
    expect(client.run('PEXPIRE', 'k', '1499')).toBe(':1\r\n')
    expect(client.run('TTL', 'k')).toBe(':1\r\n')
    expect(client.run('PEXPIRE', 'k', '1500')).toBe(':1\r\n')
    expect(client.run('TTL', 'k')).toBe(':2\r\n')
    expect(client.run('EXPIREAT', 'k', '1800000000')).toBe(':1\r\n')
    expect(client.run('EXPIRETIME', 'k')).toBe(':1800000000\r\n')
    expect(client.run('PEXPIREAT', 'k', '1800000000001')).toBe(':1\r\n')
    expect(client.run('PEXPIRETIME', 'k')).toBe(':1800000000001\r\n')
    expect(client.run('PERSIST', 'k')).toBe(':1\r\n')
    expect(client.run('EXPIRETIME', 'k')).toBe(':-1\r\n')
  })

  it.each([
    ['EXPIRE', '0'],
    ['EXPIRE', '-1'],
    ['PEXPIREAT', '0'],
    ['EXPIREAT', '-9223372036854775'],
  ])('%s %s deletes at once', (command, time) => {
    const client = new FakeClient()
    client.run('SET', 'k', 'v')
    expect(client.run(command, 'k', time)).toBe(':1\r\n')
    expect(client.engine.writes.at(-1)).toEqual({ op: 'remove', key: 'k', batched: false })
  })

  // What EXPIRE k 100 does to a key without an end, with a nearer one, with the same, with a later one.
  it.each([
    ['NX', [1, 0, 0, 0]],
    ['XX', [0, 1, 1, 1]],
    ['GT', [0, 1, 0, 0]],
    ['LT', [1, 0, 0, 1]],
    ['xx gt', [0, 1, 0, 0]],
    ['XX LT', [0, 0, 0, 1]],
  ])('%s', (condition, results) => {
    for (const [i, current] of [null, '50', '100', '200'].entries()) {
      const client = new FakeClient()
      client.run('SET', 'k', 'v')
      if (current !== null) client.run('EXPIRE', 'k', current)
      expect(client.run('EXPIRE', 'k', '100', ...condition.split(' '))).toBe(`:${results[i]}\r\n`)
    }
  })

  it.each([
    [['k', 'x'], 'ERR value is not an integer or out of range'],
    [['k', '9223372036854775807'], "ERR invalid expire time in 'expire' command"],
    [['k', '-9223372036854775808'], "ERR invalid expire time in 'expire' command"],
    [['k', '1', 'YY'], 'ERR Unsupported option YY'],
    [['k', '1', 'NX', 'XX'], 'ERR NX and XX, GT or LT options at the same time are not compatible'],
    [['k', 'x', 'GT', 'LT'], 'ERR GT and LT options at the same time are not compatible'],
  ])('EXPIRE %j is refused', (words, error) => expect(new FakeClient().run('EXPIRE', ...words)).toBe(`-${error}\r\n`))
})
