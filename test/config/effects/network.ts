// Effects of the directives about the network, security and general matters.

import { existsSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { run } from '../../harness/child.ts'
import { skipWithout } from '../../harness/programs.ts'
import { freePort } from '../../harness/server.ts'
import { startTestServer } from '../../server/test-server.ts'
import type { Effects } from './world.ts'

export const networkEffects: Effects = {
  async bind(world) {
    const server = await world.start(['--bind', '127.0.0.1 127.0.0.2'])
    const { port } = server
    const second = await world.connect({ host: '127.0.0.2', port })
    await second.set('bind', '127.0.0.1')
    await expect(world.connect({ host: '127.0.0.2', port })).rejects.toThrow('ECONNREFUSED')
    expect(await second.call('PING')).toBe('PONG') // who is connected stays
    const first = await world.connect(server)
    for (const bad of ['127.0.0.1 192.0.2.1', '127.0.0.1  127.0.0.2', 'a/b']) {
      expect(await first.call('CONFIG', 'SET', 'bind', bad)).toBe(
        "ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.",
      )
      expect(await first.call('CONFIG', 'GET', 'bind')).toEqual(['bind', '127.0.0.1'])
      expect(await (await world.connect(server)).call('PING')).toBe('PONG')
    }
    await first.set('bind', '127.0.0.2 -192.0.2.1')
    await expect(world.connect(server)).rejects.toThrow('ECONNREFUSED')
    expect(await (await world.connect({ host: '127.0.0.2', port })).call('PING')).toBe('PONG')
  },

  async port(world) {
    const server = await world.start([])
    const other = await world.start([])
    const client = await world.connect(server)
    const taken =
      "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs."
    expect(await client.call('CONFIG', 'SET', 'timeout', '100', 'port', String(other.port))).toBe(taken)
    expect(await client.call('CONFIG', 'GET', 'port', 'timeout')).toEqual(['port', String(server.port), 'timeout', '0'])
    expect(await (await world.connect(server)).call('PING')).toBe('PONG')
    await expect.poll(() => server.child.output()).toContain('bind: Address already in use')

    const port = await freePort()
    // Two at once on one connection, and one behind them on another: each waits for the one before it.
    const second = await world.connect(server)
    const replies = Promise.all([
      client.set('port', String(port)),
      client.call('CONFIG', 'GET', 'port'),
      second.call('CONFIG', 'SET', 'timeout', '200'),
    ])
    expect((await replies).slice(1)).toEqual([['port', String(port)], 'OK'])
    await expect(world.connect(server)).rejects.toThrow('ECONNREFUSED')
    const moved = await world.connect({ port })
    expect(await moved.info('tcp_port')).toBe(String(port))
    expect(await client.call('PING')).toBe('PONG')

    await client.call('MULTI')
    await client.call('CONFIG', 'SET', 'port', String(server.port))
    expect(await client.call('EXEC')).toEqual(["ERR port can't be set in a transaction: it takes time"])
    await client.set('port', '0')
    await expect(world.connect({ port })).rejects.toThrow('ECONNREFUSED')
    await client.set('port', String(server.port))
    expect(await (await world.connect(server)).call('PING')).toBe('PONG')
  },

  async 'tcp-backlog'(world) {
    const server = await world.start(['--tcp-backlog', '7'])
    if (skipWithout('ss')) return
    const { stdout } = await run('ss', ['-ltnH', `sport = :${server.port}`])
    expect(stdout.trim().split(/\s+/)[2]).toBe('7')
  },

  async unixsocket(world) {
    const path = join(await folder(world), 'sock')
    await world.start(['--unixsocket', path])
    expect(await (await world.connect({ path })).call('PING')).toBe('PONG')
  },

  async unixsocketperm(world) {
    const path = join(await folder(world), 'sock')
    await world.start(['--unixsocket', path, '--unixsocketperm', '0705'])
    expect((statSync(path).mode & 0o777).toString(8)).toBe('705')
  },

  'protected-mode': 'server/limits.test.ts',

  async timeout(world) {
    const server = await world.start(['--timeout', '1', '--hz', '100'])
    const idle = await world.connect(server)
    expect((await idle.connection.untilClosed()).closed).toBe(true)
    const client = await world.connect(server)
    await client.set('timeout', '1000')
    await client.set('timeout', '1')
    expect((await client.connection.untilClosed()).closed).toBe(true)
  },

  async 'tcp-keepalive'(world) {
    const server = await world.start(['--tcp-keepalive', '100'])
    const client = await world.connect(server)
    await client.call('PING')
    expect(keepaliveSeconds(server.port, client.connection.socket.localPort!)).toBeLessThanOrEqual(100)
    await client.set('tcp-keepalive', '0')
    const second = await world.connect(server)
    await second.call('PING')
    expect(keepaliveSeconds(server.port, second.connection.socket.localPort!)).toBe(null)
  },

  async maxclients(world) {
    const server = await world.start(['--maxclients', '2'])
    const first = await world.connect(server)
    await first.until(async () => (await first.info('connected_clients')) === '1') // the harness has left
    const second = await world.connect(server)
    await second.call('PING')
    const third = await world.connect(server)
    expect((await third.connection.untilClosed()).bytes.toString()).toBe('-ERR max number of clients reached\r\n')
    await first.set('maxclients', '3')
    expect(await (await world.connect(server)).call('PING')).toBe('PONG')
    expect(await first.call('CONFIG', 'SET', 'maxclients', '4294967295')).toMatch(
      /- The operating system is not able to handle the specified number of clients, try with \d+$/,
    )
    expect(await first.call('CONFIG', 'GET', 'maxclients')).toEqual(['maxclients', '3'])
  },

  async requirepass(world) {
    const server = await world.start([], { password: 'one' })
    const client = await world.connect(server)
    expect(await client.call('GET', 'a')).toBe('NOAUTH Authentication required.')
    expect(await client.call('AUTH', 'one')).toBe('OK')
    await client.set('requirepass', 'two')
    expect(await client.call('GET', 'a')).toBe(null)
    const second = await world.connect(server)
    expect(await second.call('AUTH', 'one')).toMatch(/^WRONGPASS/)
    expect(await second.call('AUTH', 'two')).toBe('OK')
    await client.set('requirepass', '')
    expect(await (await world.connect(server)).call('GET', 'a')).toBe(null)
  },

  async databases(world) {
    const client = await world.connect(await world.start(['--databases', '3']))
    expect(await client.call('SELECT', '2')).toBe('OK')
    expect(await client.call('SELECT', '3')).toBe('ERR DB index is out of range')
  },

  async hz(world) {
    const { systemClock } = await import('../../../src/base/clock.ts')
    const waits: number[] = []
    const clock: typeof systemClock = {
      ...systemClock,
      after(ms, then) {
        waits.push(ms)
        return systemClock.after(ms, then)
      },
    }
    const it = await startTestServer({ args: ['--hz', '250'], server: { clock } })
    world.givenAtStart.add('hz')
    try {
      const client = await it.connect()
      expect(waits).toContain(4)
      world.setAtRunTime.add('hz')
      expect(it.server.configSet([['hz', '500']])).toBe(null)
      while (!waits.includes(2)) await client.call('PING')
    } finally {
      it.stop()
    }
  },

  'shutdown-timeout': 'server/shutdown.test.ts',

  async loglevel(world) {
    const server = await world.start(['--loglevel', 'warning'])
    expect(server.child.output()).not.toContain('is starting')
    const client = await world.connect(server)
    await client.set('loglevel', 'verbose')
    const bad = await world.connect(server)
    await client.until(async () => /- Accepted 127\.0\.0\.1:\d+/.test(server.child.output()))
    bad.connection.send('*1\r\n!\r\n')
    await bad.connection.untilClosed()
    await client.until(async () => server.child.output().includes('Protocol error'))
    await client.until(async () => /- Client closed connection id=\d+ addr=127/.test(server.child.output()))
  },

  async logfile(world) {
    const path = join(await folder(world), 'casky.log')
    const server = await world.start(['--logfile', path])
    const client = await world.connect(server)
    await client.until(
      async () => existsSync(path) && readFileSync(path, 'utf8').includes('Ready to accept connections'),
    )
    expect(server.child.output()).not.toContain('Ready')
    renameSync(path, `${path}.1`)
    await client.until(async () => existsSync(path))
    await client.call('CONFIG', 'SET', 'maxmemory', '1mb')
    await client.until(async () => readFileSync(path, 'utf8').includes('has no meaning here: maxmemory'))
  },

  async pidfile(world) {
    const path = join(await folder(world), 'casky.pid')
    const server = await world.start(['--pidfile', path])
    expect(readFileSync(path, 'latin1')).toBe(`${server.child.pid}\n`)
    await server.halt()
    expect(existsSync(path)).toBe(false)
    const unwritable = await world.start(['--pidfile', '/proc/nowhere/casky.pid'])
    const client = await world.connect(unwritable)
    await client.until(async () => unwritable.child.output().includes('Failed to write PID file'))
  },

  async 'log-format'(world) {
    const server = await world.start(['--log-format', 'json'])
    const client = await world.connect(server)
    await client.until(async () => server.child.output().includes('Ready to accept connections'))
    const lines = server.child.output().trim().split('\n')
    expect(lines.map((line) => JSON.parse(line).msg)).toContain('Ready to accept connections')
  },
}

/** A directory that goes with the world: the data directory of a server in it. */
async function folder(world: Parameters<NonNullable<Extract<Effects['port'], CallableFunction>>>[0]): Promise<string> {
  return (await world.start([])).dir
}

/** What the kernel has left on the timer of the server's end of a connection, null without one. */
function keepaliveSeconds(serverPort: number, clientPort: number): number | null {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0')
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n')) {
    const fields = line.trim().split(/\s+/)
    if (!fields[1]?.endsWith(`:${hex(serverPort)}`) || !fields[2]?.endsWith(`:${hex(clientPort)}`)) continue
    const [kind, ticks] = fields[5]!.split(':')
    return kind === '02' ? Number.parseInt(ticks!, 16) / 100 : null
  }
  throw new Error('the connection is not in /proc/net/tcp')
}
