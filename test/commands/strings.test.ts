// String commands on an engine in memory: what they answer, what they write, and which value they mean when it is not in memory.

import { describe, expect, it } from 'vitest'
import { FakeClient, FakeEngine } from './fakes.ts'

const OK = '+OK\r\n'
const NIL = '$-1\r\n'
const SYNTAX = '-ERR syntax error\r\n'
const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n'
const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`

describe('SET', () => {
  // Redis's own rules: a family of options excludes each other, except that EX 1 EX 2 is EX 2.
  const words = ['NX', 'XX', 'GET', 'KEEPTTL', 'EX 10', 'PX 10000', 'EXAT 1700000010', 'PXAT 1700000010000']
  const lifetime = new Set(['KEEPTTL', 'EX', 'PX', 'EXAT', 'PXAT'])
  const pairs = words.flatMap((a) => words.map((b) => [a, b] as const))

  it.each(pairs)('%s with %s', (a, b) => {
    const [first, second] = [a.split(' ')[0]!, b.split(' ')[0]!]
    const conflict =
      first !== second &&
      ((lifetime.has(first) && lifetime.has(second)) || (/^(NX|XX)$/.test(first) && /^(NX|XX)$/.test(second)))
    const reply = new FakeClient().run('set', 'k', 'v', ...`${a} ${b}`.toLowerCase().split(' '))
    if (conflict) expect(reply).toBe(SYNTAX)
    else expect(reply).toBe(first === 'XX' || second === 'XX' || first === 'GET' || second === 'GET' ? NIL : OK)
  })

  it('NX and XX look at the key, GET answers the old value in any case', () => {
    const client = new FakeClient()
    expect(client.run('SET', 'k', '1', 'XX')).toBe(NIL)
    expect(client.run('SET', 'k', '1', 'NX')).toBe(OK)
    expect(client.run('SET', 'k', '2', 'NX')).toBe(NIL)
    expect(client.run('SET', 'k', '2', 'NX', 'GET')).toBe(bulk('1'))
    expect(client.run('GET', 'k')).toBe(bulk('1'))
    expect(client.run('SET', 'k', '2', 'XX', 'GET')).toBe(bulk('1'))
    expect(client.run('GET', 'k')).toBe(bulk('2'))
    expect(client.run('SET', 'new', '3', 'XX', 'GET')).toBe(NIL)
    expect(client.run('EXISTS', 'new')).toBe(':0\r\n')
  })

  it('takes the time to live away, keeps it or sets it', () => {
    const client = new FakeClient()
    client.run('SET', 'k', '1', 'EX', '100')
    expect(client.run('PTTL', 'k')).toBe(':100000\r\n')
    client.run('SET', 'k', '2', 'KEEPTTL')
    expect(client.run('PTTL', 'k')).toBe(':100000\r\n')
    client.run('SET', 'k', '3', 'PX', '5')
    expect(client.run('PTTL', 'k')).toBe(':5\r\n')
    client.run('SET', 'k', '4')
    expect(client.run('PTTL', 'k')).toBe(':-1\r\n')
    client.run('SET', 'fresh', '1', 'KEEPTTL')
    expect(client.run('TTL', 'fresh')).toBe(':-1\r\n')
  })

  it.each([
    ['EX', '0'],
    ['PX', '-1'],
    ['EX', '9223372036854775807'],
    ['EX', '9223372036854775'],
    ['PX', '9223372036854775807'],
    ['EXAT', '9223372036854776'],
  ])('%s %s is no expire time, and nothing is written', (option, time) => {
    const client = new FakeClient()
    expect(client.run('SET', 'k', 'v', option, time)).toBe("-ERR invalid expire time in 'set' command\r\n")
    expect(client.engine.writes).toEqual([])
  })

  it.each([
    ['EX'],
    ['EX', 'x'],
    ['PXAT', '9223372036854775808'],
    ['PERSIST'],
    ['NXX'],
    [''],
  ])('refuses %j', (...options) => {
    const client = new FakeClient()
    expect(client.run('SET', 'k', 'v', ...options)).toBe(options.length === 2 ? NOT_INTEGER : SYNTAX)
    expect(client.engine.writes).toEqual([])
  })
})

describe('a value that is not in memory', () => {
  it('is the one of the instant of the command, whatever is written after', () => {
    const client = new FakeClient()
    client.run('MSET', 'a', 'old a', 'b', 'old b')
    client.engine.cold = true
    expect(client.run('SET', 'a', 'new', 'GET')).toBe('<later>')
    client.run('SET', 'a', 'newer')
    expect(client.run('GETDEL', 'b')).toBe('<later>')
    expect(client.run('MGET', 'a', 'none', 'a')).toBe(`*3\r\n<later>${NIL}<later>`)
    client.run('DEL', 'a')
    client.engine.warm()
    expect(client.run('EXISTS', 'a', 'b')).toBe(':0\r\n')
  })

  it.each([
    [['SET', 'k', 'new', 'GET'], bulk('hello')],
    [['GETDEL', 'k'], bulk('hello')],
    [['GETEX', 'k', 'PXAT', '1'], bulk('hello')],
    [['GETRANGE', 'k', '1', '-2'], bulk('ell')],
    [['MGET', 'none', 'k'], `*2\r\n${NIL}${bulk('hello')}`],
  ])('%j answers when it has come', (command, reply) => {
    const client = new FakeClient()
    client.run('SET', 'k', 'hello')
    client.engine.cold = true
    expect(client.run(...command)).toBe(reply.replace(/\$[1-9]\r\n[a-z]+\r\n/, '<later>'))
    client.engine.warm()
    expect(client.text()).toBe(reply)
  })
})

describe('GETEX', () => {
  it('changes the time to live and answers the value', () => {
    const client = new FakeClient()
    client.run('SET', 'k', 'v')
    expect(client.run('GETEX', 'k', 'EX', '7')).toBe(bulk('v'))
    expect(client.run('TTL', 'k')).toBe(':7\r\n')
    expect(client.run('GETEX', 'k')).toBe(bulk('v'))
    expect(client.run('TTL', 'k')).toBe(':7\r\n')
    expect(client.run('GETEX', 'k', 'PERSIST')).toBe(bulk('v'))
    expect(client.run('TTL', 'k')).toBe(':-1\r\n')
    expect(client.run('GETEX', 'k', 'PXAT', '1')).toBe(bulk('v'))
    expect(client.run('GET', 'k')).toBe(NIL)
  })

  it('judges the time only when there is a key, the words always', () => {
    const client = new FakeClient()
    expect(client.run('GETEX', 'none', 'EX', 'x')).toBe(NIL)
    expect(client.run('GETEX', 'none', 'EX')).toBe(SYNTAX)
    expect(client.run('GETEX', 'none', 'NX')).toBe(SYNTAX)
    expect(client.run('GETEX', 'none', 'KEEPTTL')).toBe(SYNTAX)
    client.run('SET', 'k', 'v')
    expect(client.run('GETEX', 'k', 'EX', '0')).toBe("-ERR invalid expire time in 'getex' command\r\n")
  })
})

describe('several keys', () => {
  it('MSET and MSETNX are one batch, and write nothing when a pair is not whole or a key is taken', () => {
    const client = new FakeClient()
    expect(client.run('MSET', 'a', '1', 'b')).toBe("-ERR wrong number of arguments for 'mset' command\r\n")
    expect(client.run('MSETNX', 'a', '1', 'b')).toBe("-ERR wrong number of arguments for 'msetnx' command\r\n")
    expect(client.engine.writes).toEqual([])
    expect(client.run('MSET', 'a', '1', 'b', '2')).toBe(OK)
    expect(client.engine.writes.map((it) => it.batched)).toEqual([true, true])
    expect(client.run('MSETNX', 'c', '3', 'a', '4')).toBe(':0\r\n')
    expect(client.run('MSETNX', 'c', '3', 'd', '4')).toBe(':1\r\n')
    expect(client.run('MGET', 'a', 'b', 'c', 'd')).toBe(`*4\r\n${bulk('1')}${bulk('2')}${bulk('3')}${bulk('4')}`)
    expect(client.engine.depth).toBe(0)
  })
})

describe('integers', () => {
  it.each([
    ['10', 'INCR', [], '11'],
    ['-1', 'INCR', [], '0'],
    ['10', 'DECR', [], '9'],
    ['10', 'INCRBY', ['-20'], '-10'],
    ['10', 'DECRBY', ['20'], '-10'],
    ['9007199254740991', 'INCR', [], '9007199254740992'],
    ['-9007199254740993', 'INCRBY', ['2'], '-9007199254740991'],
    ['9223372036854775806', 'INCR', [], '9223372036854775807'],
    ['9223372036854775807', 'INCRBY', ['-9223372036854775808'], '-1'],
    ['0', 'DECRBY', ['9223372036854775807'], '-9223372036854775807'],
  ])('%s %s %j = %s', (value, command, amount, result) => {
    const client = new FakeClient()
    client.run('SET', 'k', value, 'EX', '100')
    expect(client.run(command, 'k', ...amount)).toBe(`:${result}\r\n`)
    expect(client.run('GET', 'k')).toBe(bulk(result))
    expect(client.run('TTL', 'k')).toBe(':100\r\n')
  })

  it.each([
    ['9223372036854775807', 'INCR', [], '-ERR increment or decrement would overflow\r\n'],
    ['-9223372036854775808', 'DECR', [], '-ERR increment or decrement would overflow\r\n'],
    ['1', 'DECRBY', ['-9223372036854775808'], '-ERR decrement would overflow\r\n'],
    ['1', 'INCRBY', ['9223372036854775808'], NOT_INTEGER],
    ['1', 'INCRBY', ['1.5'], NOT_INTEGER],
    ['', 'INCR', [], NOT_INTEGER],
    ['1 ', 'INCR', [], NOT_INTEGER],
    ['012', 'INCR', [], NOT_INTEGER],
  ])('%j %s %j is refused and the value stays', (value, command, amount, error) => {
    const client = new FakeClient()
    client.run('SET', 'k', value)
    expect(client.run(command, 'k', ...amount)).toBe(error)
    expect(client.run('GET', 'k')).toBe(bulk(value))
  })

  it('counts a missing key as 0', () => {
    expect(new FakeClient().run('DECRBY', 'k', '5')).toBe(':-5\r\n')
  })
})

describe('parts of a string', () => {
  it('APPEND keeps the time to live and creates a missing key', () => {
    const client = new FakeClient()
    expect(client.run('APPEND', 'k', 'ab')).toBe(':2\r\n')
    client.run('EXPIRE', 'k', '50')
    expect(client.run('APPEND', 'k', Buffer.from([0, 255]))).toBe(':4\r\n')
    expect(client.run('GET', 'k')).toBe(bulk('ab\0\xff'))
    expect(client.run('TTL', 'k')).toBe(':50\r\n')
    expect(client.run('STRLEN', 'k')).toBe(':4\r\n')
  })

  it('SETRANGE fills the gap with zero bytes', () => {
    const client = new FakeClient()
    expect(client.run('SETRANGE', 'k', '3', 'x')).toBe(':4\r\n')
    expect(client.run('SETRANGE', 'k', '0', 'ab')).toBe(':4\r\n')
    expect(client.run('GET', 'k')).toBe(bulk('ab\0x'))
    expect(client.run('SETRANGE', 'none', '5', '')).toBe(':0\r\n')
    expect(client.run('EXISTS', 'none')).toBe(':0\r\n')
    expect(client.run('SETRANGE', 'k', '-1', 'x')).toBe('-ERR offset is out of range\r\n')
  })

  it('neither makes a string longer than proto-max-bulk-len', () => {
    const client = new FakeClient(new FakeEngine(), { maxBulkBytes: 10 })
    const tooLong = '-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n'
    client.run('SET', 'k', '12345678')
    expect(client.run('APPEND', 'k', '9ab')).toBe(tooLong)
    expect(client.run('APPEND', 'k', '9a')).toBe(':10\r\n')
    expect(client.run('SETRANGE', 'k', '9', 'xy')).toBe(tooLong)
    expect(client.run('SETRANGE', 'k', '9223372036854775807', 'x')).toBe(tooLong)
    expect(client.run('SETRANGE', 'none', '9007199254740993', 'x')).toBe(tooLong)
    expect(client.run('SETRANGE', 'k', '9', 'x')).toBe(':10\r\n')
  })

  it.each([
    ['0', '-1', 'hello'],
    ['1', '3', 'ell'],
    ['-3', '-2', 'll'],
    ['-100', '100', 'hello'],
    ['3', '1', ''],
    ['5', '9', ''],
    ['-100', '-100', 'h'],
    ['-100', '-101', ''],
    ['-9223372036854775808', '-9223372036854775807', 'h'],
    ['-9223372036854775807', '-9223372036854775808', ''],
    ['0', '9223372036854775807', 'hello'],
  ])('GETRANGE %s %s', (first, last, part) => {
    const client = new FakeClient()
    client.run('SET', 'k', 'hello')
    expect(client.run('GETRANGE', 'k', first, last)).toBe(bulk(part))
    expect(client.run('GETRANGE', 'none', first, last)).toBe(bulk(''))
  })
})

describe('limits', () => {
  const long = 'k'.repeat(1024 * 1024 + 1)
  const tooLong = '-ERR key is too long (at most 1048576 bytes)\r\n'
  it.each([
    ['SET', long, 'v'],
    ['SET', long, 'v', 'XX'],
    ['SETNX', long, 'v'],
    ['MSET', 'a', '1', long, 'v'],
    ['MSETNX', 'a', '1', long, 'v'],
    ['INCR', long],
    ['APPEND', long, 'v'],
    ['SETRANGE', long, '0', 'v'],
  ])('%s does not write a key of more than 1 MiB', (...command) => {
    const client = new FakeClient()
    expect(client.run(...command)).toBe(tooLong)
    expect(client.engine.writes).toEqual([])
  })

  it('a key of exactly 1 MiB is good, and longer ones are simply not there', () => {
    const client = new FakeClient()
    expect(client.run('SET', long.slice(1), 'v')).toBe(OK)
    expect(client.run('GET', long.slice(1))).toBe(bulk('v'))
    expect(client.run('GET', long)).toBe(NIL)
    expect(client.run('DEL', long)).toBe(':0\r\n')
  })

  it('a full batch takes no more', () => {
    const client = new FakeClient()
    client.engine.batchBytes = 1024 ** 3 - 10
    for (const command of [
      ['SET', 'k', '0123456789'],
      ['MSET', 'k', '1'],
      ['INCR', 'k'],
    ]) {
      expect(client.run(...command)).toMatch(/^-ERR too many bytes in one atomic write/)
    }
    expect(client.engine.writes).toEqual([])
  })
})
