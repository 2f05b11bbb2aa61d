// Effects of the limits on clients, and of the directives about watching a server.

import { expect } from 'vitest'
import type { Effects } from './world.ts'

const MB = 1024 ** 2

export const watchingEffects: Effects = {
  async 'proto-max-bulk-len'(world) {
    const server = await world.start(['--proto-max-bulk-len', '1mb'])
    const header = `*2\r\n$3\r\nGET\r\n$${MB + 1}\r\n`
    const refused = await world.connect(server)
    refused.connection.send(header)
    expect((await refused.connection.untilClosed()).bytes.toString()).toBe(
      '-ERR Protocol error: invalid bulk length\r\n',
    )
    const client = await world.connect(server)
    await client.set('proto-max-bulk-len', '2mb')
    expect(await client.call('SET', 'a', 'v'.repeat(MB + 1))).toBe('OK')
  },

  async 'client-query-buffer-limit'(world) {
    const server = await world.start(['--client-query-buffer-limit', '1mb'])
    const half = `*3\r\n$3\r\nSET\r\n$1\r\na\r\n$${3 * MB}\r\n${'v'.repeat(2 * MB)}`
    const dropped = await world.connect(server)
    dropped.connection.send(half)
    expect((await dropped.connection.untilClosed()).closed).toBe(true)
    const client = await world.connect(server)
    await client.set('client-query-buffer-limit', '16mb')
    client.connection.send(`${half}${'v'.repeat(MB)}\r\n`)
    expect((await client.connection.reply()).value).toBe('OK')
  },

  async 'client-output-buffer-limit'(world) {
    const server = await world.start(['--client-output-buffer-limit', 'normal 1mb 0 0'])
    const client = await world.connect(server)
    await client.call('SET', 'a', 'v'.repeat(MB / 2))
    const deaf = await world.connect(server)
    deaf.connection.socket.pause()
    deaf.connection.send('*2\r\n$3\r\nGET\r\n$1\r\na\r\n'.repeat(200))
    await client.until(async () => (await client.info('client_output_buffer_limit_disconnections')) === '1')
    await client.set('client-output-buffer-limit', 'normal 0 0 0')
    const slow = await world.connect(server)
    slow.connection.socket.pause()
    slow.connection.send('*2\r\n$3\r\nGET\r\n$1\r\na\r\n'.repeat(200))
    await client.fill('b', 100)
    slow.connection.socket.resume()
    for (let i = 0; i < 200; i++) expect(((await slow.connection.reply()).value as Buffer).length).toBe(MB / 2)
  },

  async 'enable-debug-command'(world) {
    const refused = await world.connect(await world.start([]))
    expect(await refused.call('DEBUG', 'SLEEP', '0')).toMatch(/^ERR DEBUG command not allowed/)
    for (const value of ['yes', 'local']) {
      const client = await world.connect(await world.start(['--enable-debug-command', value]))
      expect(await client.call('DEBUG', 'SLEEP', '0')).toBe('OK')
    }
  },

  async 'enable-module-command'(world) {
    const refused = await world.connect(await world.start([]))
    expect(await refused.call('MODULE', 'LOAD', 'x')).toMatch(/^ERR MODULE command not allowed/)
    const client = await world.connect(await world.start(['--enable-module-command', 'yes']))
    expect(await client.call('MODULE', 'LOAD', 'x')).not.toMatch(/not allowed/)
  },

  async 'slowlog-log-slower-than'(world) {
    const client = await world.connect(await world.start(['--slowlog-log-slower-than', '0']))
    await client.call('GET', 'a')
    expect(await client.call('SLOWLOG', 'LEN')).toBeGreaterThan(0)
    await client.set('slowlog-log-slower-than', '-1')
    await client.call('SLOWLOG', 'RESET')
    await client.call('GET', 'a')
    expect(await client.call('SLOWLOG', 'LEN')).toBe(0)
  },

  async 'slowlog-max-len'(world) {
    const client = await world.connect(await world.start(['--slowlog-log-slower-than', '0', '--slowlog-max-len', '3']))
    await client.fill('a', 10)
    expect(await client.call('SLOWLOG', 'LEN')).toBe(3)
    await client.set('slowlog-max-len', '5')
    await client.fill('a', 10)
    expect(await client.call('SLOWLOG', 'LEN')).toBe(5)
  },

  async 'latency-tracking'(world) {
    const client = await world.connect(await world.start(['--latency-tracking', 'no']))
    await client.fill('a', 200)
    expect(await client.info('latency_percentiles_usec_set')).toBe('')
    await client.set('latency-tracking', 'yes')
    await client.fill('a', 200)
    expect(await client.info('latency_percentiles_usec_set')).toMatch(/^p50=/)
  },

  async 'latency-tracking-info-percentiles'(world) {
    const client = await world.connect(await world.start(['--latency-tracking-info-percentiles', '10 20.5']))
    await client.fill('a', 200)
    expect(await client.info('latency_percentiles_usec_set')).toMatch(/^p10=[0-9.]+,p20\.5=[0-9.]+$/)
    await client.set('latency-tracking-info-percentiles', '75')
    expect(await client.info('latency_percentiles_usec_set')).toMatch(/^p75=[0-9.]+$/)
  },

  async 'hll-sparse-max-bytes'(world) {
    const client = await world.connect(await world.start(['--hll-sparse-max-bytes', '0']))
    expect(await client.call('PFADD', 'dense', 'a')).toBe(1)
    expect(await client.call('STRLEN', 'dense')).toBe(12304)
    await client.set('hll-sparse-max-bytes', '3000')
    expect(await client.call('PFADD', 'sparse', 'a')).toBe(1)
    expect(await client.call('STRLEN', 'sparse')).toBeLessThan(100)
  },

  async 'notify-keyspace-events'(world) {
    const server = await world.start(['--notify-keyspace-events', 'E$'])
    const client = await world.connect(server)
    const listener = await world.connect(server)
    await listener.call('PSUBSCRIBE', '*')
    await client.call('SET', 'a', '1')
    const heard = async (): Promise<string[]> =>
      ((await listener.connection.reply()).value as Buffer[]).slice(2).map(String)
    expect(await heard()).toEqual(['__keyevent@0__:set', 'a'])
    await client.set('notify-keyspace-events', 'Kg')
    await client.call('SET', 'a', '1')
    await client.call('DEL', 'a')
    expect(await heard()).toEqual(['__keyspace@0__:a', 'del'])
  },

  async 'tracking-table-max-keys'(world) {
    const server = await world.start(['--tracking-table-max-keys', '2'])
    const client = await world.connect(server)
    await client.call('HELLO', '3')
    await client.call('CLIENT', 'TRACKING', 'ON')
    const watcher = await world.connect(server)
    const tracked = async (): Promise<number> => Number(await watcher.info('tracking_total_keys'))
    const read = (count: number): void => {
      for (let i = 0; i < count; i++) client.connection.send(`*2\r\n$3\r\nGET\r\n$3\r\nk${10 + i}\r\n`)
    }
    read(20)
    await watcher.until(async () => (await tracked()) === 2)
    await watcher.set('tracking-table-max-keys', '5')
    read(20)
    await watcher.until(async () => (await tracked()) === 5)
  },

  async 'latency-monitor-threshold'(world) {
    const args = ['--latency-monitor-threshold', '1', '--enable-debug-command', 'yes']
    const client = await world.connect(await world.start(args))
    const events = async (): Promise<string[]> =>
      ((await client.call('LATENCY', 'LATEST')) as unknown[][]).map((it) => String(it[0]))
    await client.call('DEBUG', 'SLEEP', '0.01')
    expect(await events()).toContain('command')
    await client.set('latency-monitor-threshold', '0')
    await client.call('LATENCY', 'RESET')
    await client.call('DEBUG', 'SLEEP', '0.01')
    expect(await events()).toEqual([])
  },
}
