import { expect, test } from 'vitest'
import type { Config } from '../../src/config/config.ts'
import { table } from '../../src/config/table.ts'
import { configOf } from './memory-files.ts'

function listening(): Config {
  const config = configOf({})
  config.onChange(['timeout', 'maxclients', 'loglevel', 'port', 'bind', 'client-output-buffer-limit'], () => null)
  config.onChange(['proto-max-bulk-len', 'protected-mode', 'appendfsync', 'requirepass', 'hz'], () => null)
  return config
}

test.each([
  [['foo', '1'], "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"],
  [['a\r\nb', '1'], "ERR Unknown option or number of arguments for CONFIG SET - 'a  b'"],
  [['databases', '3'], "ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config"],
  [['dir', '/x'], "ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config"],
  [
    ['maxclients', 'abc'],
    "ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument couldn't be parsed into an integer",
  ],
  [
    ['maxclients', '0'],
    "ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument must be between 1 and 4294967295 inclusive",
  ],
  [
    ['TIMEOUT', '-1'],
    "ERR CONFIG SET failed (possibly related to argument 'TIMEOUT') - argument must be between 0 and 2147483647 inclusive",
  ],
  [
    ['appendfsync', 'x'],
    "ERR CONFIG SET failed (possibly related to argument 'appendfsync') - argument(s) must be one of the following: everysec, always, no",
  ],
  [
    ['timeout', '1', 'timeout', '2'],
    "ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter",
  ],
  [
    ['maxmemory', '10zb'],
    "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value",
  ],
  [
    ['protected-mode', 'maybe'],
    "ERR CONFIG SET failed (possibly related to argument 'protected-mode') - argument must be 'yes' or 'no'",
  ],
  [
    ['client-output-buffer-limit', 'foo 1 2 3'],
    "ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - Invalid client class specified in buffer limit configuration.",
  ],
  [
    ['client-output-buffer-limit', 'normal 1 2'],
    "ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - Wrong number of arguments in buffer limit configuration.",
  ],
  [['save', 'a'], "ERR CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters"],
  [
    ['proto-max-bulk-len', '10'],
    "ERR CONFIG SET failed (possibly related to argument 'proto-max-bulk-len') - argument must be between 1048576 and 1073741824 inclusive",
  ],
  // Names are judged before values, from left to right.
  [['timeout', '1', 'port', '7', 'foo', '3'], "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"],
  [
    ['databases', '3', 'foo', '3'],
    "ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config",
  ],
  [
    ['timeout', '5', 'port', 'x'],
    "ERR CONFIG SET failed (possibly related to argument 'port') - argument couldn't be parsed into an integer",
  ],
])('CONFIG SET %j is refused and changes nothing', (words, text) => {
  const config = listening()
  const before = config.match(['*'])
  expect(config.set(pairs(words))).toBe(text)
  expect(config.match(['*'])).toEqual(before)
})

test('several pairs at once, any case, lists in one word', () => {
  const config = listening()
  expect(
    config.set(pairs(['TimeOut', '7', 'bind', '1.1.1.1 ::1', 'client-output-buffer-limit', 'slave 1mb 2mb 30'])),
  ).toBe(null)
  expect(config.get('timeout')).toBe(7)
  expect(config.get('bind')).toEqual(['1.1.1.1', '::1'])
  expect(config.match(['client-output-buffer-limit'])[0]![1]).toBe(
    'normal 0 0 0 slave 1048576 2097152 30 pubsub 33554432 8388608 60',
  )
})

test('save points are replaced by CONFIG SET, not added to', () => {
  const config = configOf({ argv: ['--save', '900', '1'] })
  expect(config.set([['save', '1 2 3 4']])).toBe(null)
  expect(config.match(['save'])).toEqual([['save', '1 2 3 4']])
  expect(config.set([['save', '']])).toBe(null)
  expect(config.match(['save'])).toEqual([['save', '']])
})

test('a directive with effect that nobody listens to is not accepted and ignored', () => {
  const config = configOf({})
  for (const [name, directive] of table) {
    if (directive.change === 'live' && directive.hasEffect) {
      expect(config.set([[name, config.match([name])[0]![1]]]), name).toContain("can't set immutable config")
    }
  }
})

test('listeners are called once for all they listen to, only when something changed, in order', () => {
  const config = configOf({})
  const calls: string[] = []
  config.onChange(['port', 'bind'], () => {
    calls.push(`listen ${config.get('port')} ${config.get('bind').join(' ')}`)
    return null
  })
  config.onChange(['timeout'], () => {
    calls.push(`timeout ${config.get('timeout')}`)
    return null
  })
  expect(config.set(pairs(['timeout', '1', 'bind', '::1', 'port', '7']))).toBe(null)
  expect(calls).toEqual(['listen 7 ::1', 'timeout 1'])
  expect(config.set(pairs(['timeout', '1', 'port', '7']))).toBe(null)
  expect(calls.length).toBe(2)
})

test('a listener that refuses takes everything back, and those before it apply the old values again', () => {
  const config = configOf({})
  const applied: number[] = []
  let refuse = true
  config.onChange(['timeout'], () => {
    applied.push(config.get('timeout'))
    return null
  })
  config.onChange(['port'], () => (refuse ? 'Unable to listen on this port. Check server logs.' : null))
  config.onChange(['hz'], () => {
    throw new Error('never reached')
  })
  const words = ['hz', '20', 'PORT', '80', 'timeout', '9', 'save', '1 1']
  expect(config.set(pairs(words))).toBe(
    "ERR CONFIG SET failed (possibly related to argument 'PORT') - Unable to listen on this port. Check server logs.",
  )
  expect(applied).toEqual([9, 0])
  expect(config.match(['hz', 'port', 'timeout', 'save']).map(([, text]) => text)).toEqual(['10', '6379', '0', ''])
  refuse = false
  expect(config.set(pairs(['port', '80', 'timeout', '9']))).toBe(null)
  expect(applied).toEqual([9, 0, 9])
})

test('CONFIG GET: several patterns, each name once, a plain name as it was asked', () => {
  const config = configOf({})
  expect(config.match(['TIMEOUT', 'timeout', 'nosuch'])).toEqual([['TIMEOUT', '0']])
  expect(config.match(['MERGE-w?ndow', 'merge-[w]*', 'port']).map(([name]) => name)).toEqual(['merge-window', 'port'])
  expect(config.match(['slave-*']).every(([name]) => name.startsWith('slave-'))).toBe(true)
  expect(config.match(['slave-*']).length).toBeGreaterThan(5)
  expect(config.match(['*']).length).toBe(table.size)
  expect(config.match(['__proto__', 'constructor', ''])).toEqual([])
})

function pairs(words: readonly string[]): [string, string][] {
  const out: [string, string][] = []
  for (let i = 0; i < words.length; i += 2) out.push([words[i]!, words[i + 1]!])
  return out
}
