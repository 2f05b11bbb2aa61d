// DEBUG needs enable-debug-command, so its cases have servers of their own. What Redis's DEBUG does to the process or to the data that
// has no counterpart is refused as unknown, and not compared.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { skipWithout } from '../harness/programs.ts'
import { show } from '../harness/resp.ts'
import { type Kind, type Server, startServer } from '../harness/server.ts'
import { compare } from './compare.ts'
import { debug } from './families/debug.ts'
import { play } from './play.ts'

describe.skipIf(skipWithout('redis-server'))('DEBUG where it is allowed', () => {
  describe.each(['yes', 'local'])('enable-debug-command %s', (who) => {
    let casky: Server
    let redis: Server
    beforeAll(async () => {
      const options = { args: ['--enable-debug-command', who] }
      ;[casky, redis] = await Promise.all([startServer('casky', options), startServer('redis', options)])
    })
    afterAll(async () => {
      await Promise.all([casky?.stop(), redis?.stop()])
    })
    describe.each([2, 3] as const)('RESP%i', (protocol) => {
      it.each(debug.cases.map((one) => [one.title, one] as const))('%s', async (_, one) => {
        const [ours, theirs] = await Promise.all([play(one, casky, protocol), play(one, redis, protocol)])
        expect(compare(one, protocol, ours, theirs, []).problems.join('\n')).toBe('')
      })
    })
  })
})

describe('what DEBUG does', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer('casky', { args: ['--enable-debug-command', 'local', '--requirepass', 'secret'] })
  })
  afterAll(() => server?.stop())

  it('is refused before the password is asked for, where it is not allowed', async () => {
    for (const kind of ['casky', 'redis'] satisfies Kind[]) {
      if (kind === 'redis' && skipWithout('redis-server')) continue
      const closed = await startServer(kind, { password: 'secret' })
      const client = await closed.connect()
      expect(show(await client.call('DEBUG', 'SLEEP', 0))).toContain('DEBUG command not allowed')
      expect(show(await client.call('PING'))).toContain('NOAUTH')
      client.close()
      await closed.stop()
    }
  })

  it('RELOAD has values read from disk again', async () => {
    const client = await server.connect()
    await client.call('AUTH', 'secret')
    await client.call('SET', 'k', 'value')
    await client.call('GET', 'k')
    const coldReads = async (): Promise<number> =>
      Number(/casky_cold_reads:(\d+)/.exec(String(await client.call('INFO', 'everything')))?.[1])
    const before = await coldReads()
    expect(await client.call('DEBUG', 'RELOAD')).toBe('OK')
    expect(await client.call('GET', 'k')).toEqual(Buffer.from('value'))
    expect(await coldReads()).toBeGreaterThan(before)
    client.close()
  })
})
