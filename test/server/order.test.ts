// Replies leave in the order of the commands, each when it may, and what failed is said to have failed.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { GATE_FAILED, GATE_FULL, GATE_LOADING, GATE_STALLED } from '../../src/engine/engine.ts'
import { encodeRequest, ReplyError } from '../harness/resp.ts'
import { startTestServer, type TestServer, timeless } from './test-server.ts'

let it: TestServer
let aheadMs = 0
beforeEach(async () => {
  aheadMs = 0
  it = await startTestServer({ server: { clock: { ...timeless, now: () => Date.now() + aheadMs } } })
})
afterEach(() => it.stop())

const request = (...commands: string[]): Buffer => Buffer.concat(commands.map((line) => encodeRequest(line.split(' '))))

async function raw(connection: Awaited<ReturnType<TestServer['connect']>>, count: number): Promise<string> {
  let text = ''
  for (let i = 0; i < count; i++) text += (await connection.reply()).raw.toString('latin1')
  return text
}

test('a pipeline is answered in order', async () => {
  const client = await it.connect()
  client.send(request('SET a 1', 'GET a', 'PING', 'INCR a', 'GET a', 'NOPE', 'ECHO x'))
  expect(await raw(client, 7)).toBe(
    "+OK\r\n$1\r\n1\r\n+PONG\r\n:2\r\n$1\r\n2\r\n-ERR unknown command 'NOPE', with args beginning with: \r\n$1\r\nx\r\n",
  )
})

test('a value that is read later holds back what follows, and nothing else overtakes it', async () => {
  const client = await it.connect()
  await client.call('MSET', 'a', 'one', 'b', 'two', 'c', 'x'.repeat(40_000))
  it.engine.isCold = true
  client.send(request('PING', 'GET a', 'PING', 'MGET a nope b', 'GET c', 'ECHO end'))
  expect(await raw(client, 1)).toBe('+PONG\r\n')
  expect(it.engine.readsUnderWay).toBe(4)
  const other = await it.connect()
  expect(await other.call('PING')).toBe('PONG')
  expect(client.take().length).toBe(0)
  it.engine.warm('last')
  expect(await raw(client, 5)).toBe(
    `$3\r\none\r\n+PONG\r\n*3\r\n$3\r\none\r\n$-1\r\n$3\r\ntwo\r\n$40000\r\n${'x'.repeat(40_000)}\r\n$3\r\nend\r\n`,
  )
})

test('a reply waits until its write is released, and so does what came after it', async () => {
  const client = await it.connect()
  it.engine.releasesAtFlush = false
  client.send(request('PING', 'SET a 1', 'PING', 'SET b 2', 'PING'))
  expect(await raw(client, 1)).toBe('+PONG\r\n')
  const other = await it.connect()
  expect(await other.call('PING')).toBe('PONG')
  expect(client.take().length).toBe(0)
  it.engine.release(1)
  expect(await raw(client, 2)).toBe('+OK\r\n+PONG\r\n')
  expect(await other.call('PING')).toBe('PONG')
  expect(client.take().length).toBe(0)
  it.engine.release()
  expect(await raw(client, 2)).toBe('+OK\r\n+PONG\r\n')
})

test('what another client sees of an unreleased write waits too', async () => {
  it.engine.releasesAtFlush = false
  const writer = await it.connect()
  const reader = await it.connect()
  writer.send(request('SET a 1'))
  reader.send(request('PING'))
  await raw(reader, 1)
  reader.send(request('GET a', 'PING'))
  const other = await it.connect()
  expect(await other.call('PING')).toBe('PONG')
  expect(reader.take().length).toBe(0)
  it.engine.release()
  expect(await raw(reader, 2)).toBe('$1\r\n1\r\n+PONG\r\n')
  expect(await raw(writer, 1)).toBe('+OK\r\n')
})

test('a failed batch: one error for each reply that depends on it, the others stay', async () => {
  const client = await it.connect()
  await client.call('MSET', 'old', 'v', 'older', 'w')
  it.engine.releasesAtFlush = false
  client.send(request('SET a 1', 'PING', 'MULTI', 'SET b 2', 'GET b', 'EXEC', 'GET old', 'GET a', 'ECHO end'))
  const other = await it.connect()
  expect(await other.call('PING')).toBe('PONG')
  it.engine.fail('MISCONF gone')
  expect(await raw(client, 9)).toBe(
    '-MISCONF gone\r\n+PONG\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n-MISCONF gone\r\n$1\r\nv\r\n-MISCONF gone\r\n$3\r\nend\r\n',
  )
})

test('a failed reply takes its slots with it; slots of others stay where they were', async () => {
  const client = await it.connect()
  await client.call('MSET', 'x', 'left', 'y', 'right')
  it.engine.isCold = true
  it.engine.releasesAtFlush = false
  client.send(request('GET x', 'SET a 1', 'GETDEL y', 'GET x', 'PING'))
  const other = await it.connect()
  expect(await other.call('PING')).toBe('PONG')
  it.engine.fail('MISCONF gone')
  it.engine.warm()
  expect(await raw(client, 5)).toBe('$4\r\nleft\r\n-MISCONF gone\r\n-MISCONF gone\r\n$4\r\nleft\r\n+PONG\r\n')
})

test('commands that need values are parked, and only their connection waits', async () => {
  const client = await it.connect()
  await client.call('SET', 'n', '41')
  it.engine.isCold = true
  client.send(request('INCR n', 'PING'))
  const other = await it.connect()
  expect(await other.call('PING')).toBe('PONG')
  expect(client.take().length).toBe(0)
  expect(it.engine.warm()).toBe(1)
  expect(await raw(client, 2)).toBe(':42\r\n+PONG\r\n')
})

test('EXEC waits for the values of all it will run, in the databases they will run in', async () => {
  const client = await it.connect()
  await client.call('SET', 'n', '1')
  await client.call('SELECT', '1')
  await client.call('SET', 'm', '5')
  await client.call('SELECT', '0')
  it.engine.isCold = true
  client.send(request('MULTI', 'INCR n', 'SELECT 1', 'INCR m', 'EXEC'))
  await raw(client, 4)
  const other = await it.connect()
  expect(await other.call('PING')).toBe('PONG')
  expect(it.engine.warm()).toBe(2)
  expect(await raw(client, 1)).toBe('*3\r\n:2\r\n+OK\r\n:6\r\n')
  expect(it.engine.batches).toBe(1)
})

test('while the store stalls, writes wait and reads go on', async () => {
  const client = await it.connect()
  const reader = await it.connect()
  it.engine.setGate(GATE_STALLED)
  client.send(request('GET a', 'SET a 1', 'GET a'))
  expect(await raw(client, 1)).toBe('$-1\r\n')
  expect(await reader.call('GET', 'a')).toBe(null)
  it.engine.setGate(0)
  expect(await raw(client, 2)).toBe('+OK\r\n$1\r\n1\r\n')
})

test('DEBUG while loading: what needs the keys is refused, and the connection goes on', async () => {
  const local = await startTestServer({ args: ['--enable-debug-command', 'yes'] })
  const client = await local.connect()
  local.engine.gate = GATE_LOADING
  for (const words of [['RELOAD'], ['RELOAD', 'NOSAVE'], ['OBJECT', 'a']]) {
    expect(await client.call('DEBUG', ...words)).toEqual(
      new ReplyError('LOADING Redis is loading the dataset in memory'),
    )
  }
  expect(await client.call('DEBUG', 'SLEEP', '0')).toBe('OK')
  local.stop()
})

test('a handler that fails after it asked for time holds nobody up', async () => {
  const local = await startTestServer({ args: ['--enable-debug-command', 'yes'] })
  const client = await local.connect()
  local.engine.seal = () => {
    throw new Error('a mistake')
  }
  expect(await client.call('DEBUG', 'RELOAD')).toEqual(new ReplyError('ERR internal error'))
  expect(await client.call('PING')).toBe('PONG')
  local.stop()
})

test('gates that refuse', async () => {
  const client = await it.connect()
  it.engine.gate = GATE_LOADING
  client.send(request('GET a', 'CLIENT ID'))
  expect(await raw(client, 2)).toBe('-LOADING Redis is loading the dataset in memory\r\n:1\r\n')
  it.engine.gate = GATE_FULL
  client.send(request('SET a 1', 'DEL a', 'GET a'))
  expect(await raw(client, 3)).toBe('-MISCONF scripted\r\n:0\r\n$-1\r\n')
  it.engine.gate = GATE_FAILED
  client.send(request('DEL a', 'GET a', 'MULTI', 'SET a 1', 'EXEC'))
  expect(await raw(client, 5)).toBe(
    '-MISCONF scripted\r\n$-1\r\n+OK\r\n-MISCONF scripted\r\n-EXECABORT Transaction discarded because of previous errors.\r\n',
  )
  it.engine.gate = 0
  client.send(request('MULTI', 'SET a 1'))
  await raw(client, 2)
  it.engine.gate = GATE_FAILED
  client.send(request('EXEC', 'EXEC'))
  expect(await raw(client, 2)).toBe(
    '-EXECABORT Transaction discarded because of: MISCONF scripted\r\n-ERR EXEC without MULTI\r\n',
  )
})

test('a command that holds its connection, and one that works in steps', async () => {
  const client = await it.connect()
  client.send(request('SAVE', 'PING'))
  const other = await it.connect()
  expect(await other.call('PING')).toBe('PONG')
  expect(client.take().length).toBe(0)
  it.engine.warm()
  expect(await raw(client, 2)).toBe('+OK\r\n+PONG\r\n')
  for (let i = 0; i < 3; i++) client.send(request(`SET key:${i} v`))
  await raw(client, 3)
  client.send(request('KEYS *', 'PING'))
  expect(await client.reply().then(({ value }) => (value as Buffer[]).map(String).sort())).toEqual([
    'key:0',
    'key:1',
    'key:2',
  ])
  expect(await raw(client, 1)).toBe('+PONG\r\n')
})

test('an exception in a handler is answered and logged, and the connection lives', async () => {
  const client = await it.connect()
  it.engine.find = () => {
    throw new Error('a bug for the test')
  }
  client.send(request('GET a', 'PING'))
  expect(await raw(client, 2)).toBe('-ERR internal error\r\n+PONG\r\n')
  expect(it.log.join()).toContain('a bug for the test')
})

test('WATCH: any change, by anybody, also by expiry, makes EXEC answer null', async () => {
  const client = await it.connect()
  const other = await it.connect()
  const attempt = async (between: () => Promise<unknown>): Promise<unknown> => {
    await client.call('WATCH', 'w')
    await between()
    await client.call('MULTI')
    await client.call('SET', 'done', '1')
    return client.call('EXEC')
  }
  expect(await attempt(async () => {})).toEqual(['OK'])
  expect(await attempt(() => other.call('SET', 'w', '1'))).toBe(null)
  expect(await attempt(() => other.call('SET', 'unwatched', '1'))).toEqual(['OK'])
  expect(await attempt(() => other.call('DEL', 'w'))).toBe(null)
  expect(await attempt(() => client.call('SET', 'w', '2'))).toBe(null)
  expect(await attempt(() => client.call('UNWATCH'))).toEqual(['OK'])
  await client.call('SET', 'w', 'v', 'EX', '100')
  await client.call('WATCH', 'w')
  aheadMs = 200_000
  await client.call('MULTI')
  expect(await client.call('EXEC')).toBe(null)
  expect(it.engine.watching).toBe(false)
})

test('a client that leaves while its command waits: the command still runs, and nothing is left behind', async () => {
  const client = await it.connect()
  await client.call('SET', 'n', '1')
  it.engine.isCold = true
  client.send(request('WATCH w', 'GET n', 'INCR n'))
  const other = await it.connect()
  await other.call('PING')
  client.close()
  it.engine.warm()
  while (it.server.clientCount > 1) await other.call('PING')
  expect(it.engine.watching).toBe(false)
  it.engine.isCold = false
  expect(await other.call('GET', 'n')).toEqual(Buffer.from('2'))
})

test('a skipped reply of a write that fails puts no error into the next reply', async () => {
  const client = await it.connect()
  it.engine.releasesAtFlush = false
  client.send(request('CLIENT REPLY SKIP', 'SET a 1', 'ECHO hello'))
  expect(await raw(client, 1)).toBe('$5\r\nhello\r\n')
  client.send(request('SET b 1', 'CLIENT REPLY SKIP', 'SET a 1', 'ECHO hello', 'SET c 1', 'ECHO end'))
  expect(await (await it.connect()).call('PING')).toBe('PONG')
  it.engine.release(2)
  expect(await raw(client, 2)).toBe('+OK\r\n$5\r\nhello\r\n')
  it.engine.fail('MISCONF gone')
  expect(await raw(client, 2)).toBe('-MISCONF gone\r\n$3\r\nend\r\n')
})

test('EXEC runs while the store loads, and an empty one is answered', async () => {
  const client = await it.connect()
  it.engine.gate = GATE_LOADING
  it.engine.begin = () => {
    throw new Error('there is no log yet')
  }
  client.send(request('MULTI', 'ECHO hi', 'EXEC', 'MULTI', 'EXEC', 'MULTI', 'GET a', 'EXEC'))
  expect(await raw(client, 8)).toBe(
    '+OK\r\n+QUEUED\r\n*1\r\n$2\r\nhi\r\n+OK\r\n*0\r\n' +
      '+OK\r\n-LOADING Redis is loading the dataset in memory\r\n-EXECABORT Transaction discarded because of previous errors.\r\n',
  )
})

test('a command of EXEC that throws is an error in its place, the others have run', async () => {
  const client = await it.connect()
  it.server.slowlog.reset = () => {
    throw new Error('a mistake')
  }
  await client.call('SET', 'cold', 'v')
  client.send(request('MULTI', 'SET a 1', 'GET cold', 'SLOWLOG RESET', 'GET a', 'EXEC'))
  expect(await raw(client, 6)).toBe(
    `+OK\r\n${'+QUEUED\r\n'.repeat(4)}*4\r\n+OK\r\n$1\r\nv\r\n-ERR internal error\r\n$1\r\n1\r\n`,
  )
})

test('CONFIG SET in EXEC beside one that takes its time is refused, and all the rest of EXEC is done', async () => {
  let finish = (): void => {}
  it.server.config.onChangeLater(['port'], () => new Promise((resolve) => (finish = () => resolve(null))))
  const admin = await it.connect()
  const client = await it.connect()
  admin.send(request('CONFIG SET port 7777'))
  while (!it.server.configTakesTime('timeout')) await client.call('PING')
  client.send(request('MULTI', 'SET a 1', 'CONFIG SET timeout 77', 'SET c 1', 'EXEC', 'MGET a c'))
  expect(await raw(client, 6)).toBe(
    `+OK\r\n${'+QUEUED\r\n'.repeat(3)}*3\r\n+OK\r\n` +
      "-ERR timeout can't be set in a transaction: it takes time\r\n+OK\r\n*2\r\n$1\r\n1\r\n$1\r\n1\r\n",
  )
  finish()
  expect(await raw(admin, 1)).toBe('+OK\r\n')
  expect(await client.call('CONFIG', 'SET', 'timeout', '77')).toBe('OK')
})

test('an EXEC that could not begin damages nothing after it', async () => {
  const client = await it.connect()
  const begin = it.engine.begin
  it.engine.begin = () => {
    throw new Error('a mistake')
  }
  client.send(request('MULTI', 'ECHO hi', 'EXEC'))
  expect(await raw(client, 3)).toBe('+OK\r\n+QUEUED\r\n-ERR internal error\r\n')
  it.engine.begin = begin
  const [connection] = it.server.clients()
  expect(connection!.isExecuting).toBe(false)
  client.send(request('MULTI', 'ECHO hi', 'EXEC'))
  expect(await raw(client, 3)).toBe('+OK\r\n+QUEUED\r\n*1\r\n$2\r\nhi\r\n')
})

test('COMMAND DOCS of hundreds of names works in steps, and says what it says of one', async () => {
  const client = await it.connect()
  const [session] = it.server.clients()
  const turn = vi.spyOn(session!, 'turn')
  client.send(request('COMMAND DOCS ping', 'COMMAND DOCS client|id'))
  const [ping, id] = [(await client.reply()).raw, (await client.reply()).raw]
  const names = Array.from({ length: 600 }, (_, i) => (i % 2 === 0 ? 'ping' : 'client|id'))
  const said = Array.from({ length: 300 }, () => [ping.subarray(4), id.subarray(4)]).flat() // without *2 CRLF
  client.send(encodeRequest(['COMMAND', 'DOCS', ...names]))
  expect((await client.reply()).raw.equals(Buffer.concat([Buffer.from('*1200\r\n'), ...said]))).toBe(true)
  expect(turn.mock.calls.length).toBeGreaterThan(2)
})

test('COMMAND INFO of hundreds of names works in steps, and says what it says of one', async () => {
  const client = await it.connect()
  const [session] = it.server.clients()
  const turn = vi.spyOn(session!, 'turn')
  client.send(request('COMMAND INFO ping', 'COMMAND INFO nothing'))
  const [ping, nothing] = [(await client.reply()).raw, (await client.reply()).raw]
  const names = Array.from({ length: 600 }, (_, i) => (i % 2 === 0 ? 'ping' : 'nothing'))
  const said = Array.from({ length: 300 }, () => [ping.subarray(4), nothing.subarray(4)]).flat() // without *1 CRLF
  client.send(encodeRequest(['COMMAND', 'INFO', ...names]))
  expect((await client.reply()).raw.equals(Buffer.concat([Buffer.from('*600\r\n'), ...said]))).toBe(true)
  expect(turn.mock.calls.length).toBeGreaterThan(2)
})
