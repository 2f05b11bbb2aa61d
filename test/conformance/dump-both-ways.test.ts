import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { skipWithout } from '../harness/programs.ts'
import { show } from '../harness/resp.ts'
import { type Server, startServer } from '../harness/server.ts'
import { carry, valuesOf } from './dump-both-ways.ts'

const ANY_VALUES = 600
const LARGE = [300_000, 1_000_000, 5_000_000].flatMap((length) => [
  Buffer.alloc(length, 'abcdefg '),
  Buffer.from(Array.from({ length: length / 4 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24)),
])

describe.skipIf(skipWithout('redis-server'))('DUMP here, RESTORE there', () => {
  let casky: Server
  let cold: Server
  let redis: Server
  beforeAll(async () => {
    ;[casky, cold, redis] = await Promise.all([
      startServer('casky'),
      startServer('casky', { args: ['--value-cache-size', '0'] }),
      startServer('redis'),
    ])
  })
  afterAll(async () => {
    await Promise.all([casky?.stop(), cold?.stop(), redis?.stop()])
  })

  it.each([
    ['from Casky to redis-server', () => [casky, redis]],
    ['from redis-server to Casky', () => [redis, casky]],
    ['from Casky without a cache to redis-server', () => [cold, redis]],
    ['from redis-server to Casky without a cache', () => [redis, cold]],
  ] as const)('%s', async (_, servers) => {
    const [from, to] = await Promise.all(servers().map((server) => server.connect()))
    expect(await carry([...valuesOf(ANY_VALUES, 1), ...LARGE], from!, to!)).toEqual([])
    from!.close()
    to!.close()
  })

  it('a key that comes into being while a long RESTORE reads its payload is not overwritten', async () => {
    const [one, other] = await Promise.all([casky.connect(), casky.connect()])
    const value = Buffer.alloc(20_000_000, 'a value of many bytes ')
    await one.call('SET', 'long', value)
    const payload = (await one.call('DUMP', 'long')) as Buffer
    const restored = one.call('RESTORE', 'target', 0, payload)
    // Either comes first; but what SET NX has written stays.
    const isSet = await other.call('SET', 'target', 'mine', 'NX')
    const answer = await restored
    const now = (await other.call('GET', 'target')) as Buffer
    if (isSet === 'OK') {
      expect(show(answer)).toContain('BUSYKEY')
      expect(now.toString()).toBe('mine')
    } else {
      expect(answer).toBe('OK')
      expect(now.equals(value)).toBe(true)
    }
    one.close()
    other.close()
  })
})
