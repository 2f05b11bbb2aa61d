// Every directive that redis-server has, against redis-server: values at the start, values set, values refused, several at once.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Config } from '../../src/config/config.ts'
import { directives } from '../../src/config/directives.ts'
import { splitWords } from '../../src/config/grammar.ts'
import { find, table } from '../../src/config/table.ts'
import { RawConnection } from '../harness/connection.ts'
import { configOf, memoryFiles } from './memory-files.ts'
import { type RedisServer, redisMissing, startRedis } from './real-redis.ts'
import { type Asked, DIFFERENCES, ELSEWHERE, overConnection, walk } from './walk.ts'

/** A configuration without a server, with somebody who follows everything. */
function inProcess(config: Config): Asked {
  return {
    get: async (...patterns) => new Map(config.match(patterns)),
    async set(...words) {
      const pairs = Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i]!, words[2 * i + 1]!] as const)
      return (await config.set(pairs)) ?? 'OK'
    },
  }
}

function followed(): Config {
  const config = configOf({})
  for (const { name, hasEffect } of table.values()) {
    if (hasEffect) config.onChange([name as Parameters<Config['get']>[0]], () => null)
  }
  return config
}

describe.skipIf(redisMissing)('beside redis-server', () => {
  let server: RedisServer
  let connection: RawConnection
  let redis: Asked
  beforeAll(async () => {
    server = await startRedis()
    connection = await RawConnection.open({ path: server.socket })
    redis = overConnection(connection)
    await connection.call('CLIENT', 'NO-EVICT', 'ON')
  })
  afterAll(async () => {
    connection.close()
    await server.stop()
  })

  test('every directive, every kind of word', async () => {
    const result = await walk(redis, inProcess(followed()))
    expect(result.unexplained).toEqual([])
    expect(result.directives).toBeGreaterThan(180)
    expect(result.exchanges).toBeGreaterThan(20_000)
    const used = new Set([...result.explained.keys()].map((key) => key.split(':')[0]))
    expect(DIFFERENCES.map(({ name }) => name).filter((name) => !used.has(name) && !ELSEWHERE.has(name))).toEqual([])
  })

  test('names that Redis 7.0 does not have are our own, or came with 7.2', async () => {
    const theirs = await redis.get('*')
    const more = [...table].filter(([name]) => !theirs.has(name))
    const inert = more.filter(([, directive]) => !directive.hasEffect).map(([name]) => name)
    expect(inert.sort()).toEqual(['locale-collate', 'set-max-listpack-entries', 'set-max-listpack-value'])
    const own = more.filter(([, directive]) => directive.hasEffect).map(([name]) => name)
    expect(
      own.every((name) => /^(merge|scrub|segment|value-cache|disk-reserve|on-corruption|unsafe|log-format)/.test(name)),
    ).toBe(true)
  })

  test.each([
    ['maxmemory', '1mb', 'timeout', '9', 'save', '1 2'],
    ['timeout', '7', 'hz', '20', 'maxclients', '0'],
    ['maxclients', '0', 'timeout', '7', 'nosuch', '1'],
    ['nosuch', '1', 'databases', '2'],
    ['databases', '2', 'nosuch', '1'],
    ['timeout', '7', 'TIMEOUT', '8'],
    ['timeout', 'x', 'timeout', '8'],
    ['slave-priority', '7', 'replica-priority', '8'],
    ['replica-priority', '7', 'slave-priority', '8'],
    ['Slave-Priority', '77'],
    ['dbfilename', 'x', 'databases', '2'],
    ['hz', '20', 'dir', '/tmp'],
    ['list-max-ziplist-size', '-3', 'list-max-listpack-size', '-4'],
    ['list-max-ziplist-size', '-3'],
    ['list-max-ziplist-entries', '3'],
    ['lua-time-limit', '100'],
    ['timeout\r\nx', '1'],
    ['a\0b', '1'],
    ['time\xffout', '1'],
    ['', ''],
    ['timeout', '1', '', '2'],
    ['*', '1'],
    ['include', '/tmp/x'],
    ['user', 'default on'],
    ['loadmodule', 'x'],
    ['n'.repeat(300), '1'],
  ])('CONFIG SET %j %j %j %j %j %j', async (...words) => {
    const ours = inProcess(followed())
    const before = await redis.get('*')
    const mine = await ours.get('*')
    expect(await ours.set(...words)).toBe(await redis.set(...words))
    const changed = [...(await redis.get('*'))].filter(([name, text]) => before.get(name) !== text)
    const changedHere = [...(await ours.get('*'))].filter(([name, text]) => mine.get(name) !== text)
    expect(changedHere.sort()).toEqual(changed.sort())
    for (const [name] of changed) if (find(name)!.name === name) await redis.set(name, before.get(name)!)
  })

  test.each([
    [['maxmemory']],
    [['MaxMemory', 'maxmemory', 'MAXMEMORY']],
    [['maxmemory*']],
    [['*-priority', 'replica-prio*']],
    [['slave-*', 'replica-*']],
    [['zset-max-*', 'hash-max-[lz]*', 'list-max-?*']],
    [['[']],
    [['\\*']],
    [['nosuch', 'tim?out', 'hz']],
    [['']],
    [['include', 'user', 'list-max-ziplist-entries', 'set-max-intset-entries']],
  ])('CONFIG GET %j', async (patterns) => {
    const theirs = await redis.get(...patterns)
    const ours = [...(await inProcess(followed()).get(...patterns))].filter(
      ([name]) => name in directives || theirs.has(name),
    )
    expect(ours.map(([name]) => name).sort()).toEqual([...theirs.keys()].sort())
  })
})

describe.skipIf(redisMissing)('CONFIG REWRITE beside redis-server', () => {
  test('comments, order and values are the same; each reads what the other has written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'casky-rewrite-'))
    const path = join(folder, 'conf')
    const written =
      '# mine\n\ntimeout 5\n# other\nsave 900 1\nsave 300 10\nslave-priority 50\nmaxmemory 1gb\n' +
      'client-output-buffer-limit normal 1 2 3\ntimeout 6\nappendfsync everysec\nhz 10\n#end\n' +
      'shutdown-on-sigterm save now\nlist-max-ziplist-entries 5\n'
    const sets = ['timeout', '7', 'save', '1 2 3 4', 'slave-priority', '60', 'maxmemory', '2gb', 'tcp-keepalive', '33']
    sets.push('latency-tracking-info-percentiles', '1 2.5', 'shutdown-on-sigterm', 'force')
    sets.push('client-output-buffer-limit', 'pubsub 4 5 6', 'masterauth', 'a "\\\x01 b', 'lfu-decay-time', '3')
    try {
      writeFileSync(path, written, 'latin1')
      const server = await startRedis([path])
      const connection = await RawConnection.open({ path: server.socket })
      const redis = overConnection(connection)
      expect(await redis.set(...sets)).toBe('OK')
      expect(await connection.call('CONFIG', 'REWRITE')).toBe('OK')
      const values = await redis.get('*')
      connection.close()
      await server.stop()
      const theirs = readFileSync(path, 'latin1')

      const files = memoryFiles({ '/start/c': written, '/start/theirs': theirs })
      const config = configOf({ argv: ['c'], files })
      for (const { name, hasEffect } of table.values()) {
        if (hasEffect) config.onChange([name as Parameters<Config['get']>[0]], () => null)
      }
      expect(await inProcess(config).set(...sets)).toBe('OK')
      expect(config.rewrite()).toBe(null)
      const ours = files.contents.get('/start/c')!

      const comments = (text: string): string[] => text.split('\n').filter((line) => /^#(?! Gen| \?)/.test(line))
      expect(comments(ours)).toEqual(comments(theirs))
      const above = (text: string): string[][] =>
        text
          .slice(0, text.indexOf('# Generated by'))
          .split('\n')
          .map((line) => splitWords(line)!)
          .filter((words) => words.length > 0 && !words[0]!.startsWith('#') && words[0] !== 'list-max-ziplist-entries')
      // Redis writes the limits that are at their default not at all; ours are one value, and written whole.
      const isWritten = (words: string[]): boolean => words[0] !== 'client-output-buffer-limit'
      expect(above(ours).filter(isWritten)).toEqual(above(theirs).filter(isWritten))
      expect(ours).toContain('# Generated by CONFIG REWRITE\n')

      const read = configOf({ argv: ['theirs'], files })
      for (const [name, text] of values) {
        if (!['dir', 'unixsocket', 'bind'].includes(name))
          expect(read.match([name])[0]?.[1], name).toBe(name === 'appendonly' ? 'yes' : text)
      }

      writeFileSync(path, ours.replace(/^appendonly .*\n/m, ''), 'latin1')
      const second = await startRedis([path])
      const again = await RawConnection.open({ path: second.socket })
      const theirValues = await overConnection(again).get('*')
      for (const name of [
        'timeout',
        'save',
        'replica-priority',
        'maxmemory',
        'tcp-keepalive',
        'masterauth',
        'lfu-decay-time',
      ]) {
        expect(theirValues.get(name), name).toBe(values.get(name))
      }
      again.close()
      await second.stop()
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
