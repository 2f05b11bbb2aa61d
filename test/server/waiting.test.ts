// Clients that wait (WAIT, WAITAOF), commands that nobody may use, a store that cannot commit, reads that do not count.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GATE_FAILED, GATE_FULL, GATE_STALLED } from '../../src/engine/engine.ts'
import type { RawConnection } from '../harness/connection.ts'
import { encodeRequest, show } from '../harness/resp.ts'
import { startTestServer, type TestServer } from './test-server.ts'

let server: TestServer
let client: RawConnection
let shutdowns: object[]
beforeEach(async () => {
  shutdowns = []
  server = await startTestServer({ server: { onShutdown: (options) => void shutdowns.push(options) } })
  client = await server.connect()
})
afterEach(() => server.stop())

const ask = async (...words: (string | Buffer)[]): Promise<string> => show(await client.call(...words))

describe('WAIT', () => {
  it('holds one connection only, until its time is up', async () => {
    const other = await server.connect()
    client.send(Buffer.concat([encodeRequest(['WAIT', '1', '50']), encodeRequest(['PING'])]))
    expect(await other.call('PING')).toBe('PONG')
    expect((await client.reply()).value).toBe(0)
    expect((await client.reply()).value).toBe('PONG')
  })

  it('ends with its client: one that has gone is not waited for', async () => {
    client.send(encodeRequest(['WAIT', '1', '0']))
    client.socket.end()
    await client.closed
    const other = await server.connect()
    expect(show(await other.call('CLIENT', 'LIST'))).not.toContain('cmd=wait')
    expect(server.server.clientCount).toBe(1)
  })
})

describe('WAITAOF', () => {
  it('answers when the store says that everything is synced, not before', async () => {
    const done: ((error: Error | null) => void)[] = []
    server.engine.asEngine().whenSynced = (callback) => void done.push(callback)
    client.send(encodeRequest(['WAITAOF', '1', '0', '0']))
    const other = await server.connect()
    expect(await other.call('PING')).toBe('PONG')
    expect(done.length).toBe(1)
    const reply = client.reply()
    done[0]!(null)
    expect((await reply).raw.toString()).toBe('*2\r\n:1\r\n:0\r\n')
  })

  it('says 0 when time is up', async () => {
    const done: ((error: Error | null) => void)[] = []
    server.engine.asEngine().whenSynced = (callback) => void done.push(callback)
    client.send(encodeRequest(['WAITAOF', '1', '0', '20']))
    expect((await client.reply()).raw.toString()).toBe('*2\r\n:0\r\n:0\r\n')
    done[0]!(null) // too late
    expect(await client.call('PING')).toBe('PONG')
  })

  it('says that the sync has failed, at once or later: nobody would try again', async () => {
    const done: ((error: Error | null) => void)[] = []
    server.engine.asEngine().whenSynced = (callback) => void done.push(callback)
    client.send(encodeRequest(['WAITAOF', '1', '0', '0']))
    const reply = client.reply()
    await (await server.connect()).call('PING')
    done[0]!(new Error('EIO'))
    expect(show((await reply).value)).toContain('MISCONF')
    server.engine.asEngine().whenSynced = (callback) => callback(new Error('EIO'))
    expect(await ask('WAITAOF', '1', '0', '0')).toContain('MISCONF')
    expect(await ask('WAITAOF', '0', '0', '0')).toBe(show([0, 0]))
  })

  it('in a transaction says how things stand, and does not wait', async () => {
    server.engine.asEngine().whenSynced = () => {}
    await client.call('MULTI')
    await client.call('WAITAOF', '1', '0', '0')
    client.send(encodeRequest(['EXEC']))
    expect((await client.reply()).raw.toString()).toBe('*1\r\n*2\r\n:0\r\n:0\r\n')
  })
})

describe('SHUTDOWN', () => {
  it('is refused while the store cannot commit, unless FORCE or NOSAVE is said', async () => {
    server.engine.setGate(GATE_FAILED)
    expect(await ask('SHUTDOWN')).toContain('Errors trying to SHUTDOWN')
    expect(await ask('SHUTDOWN', 'NOW')).toContain('Errors trying to SHUTDOWN')
    expect(shutdowns).toEqual([])
    expect(server.log.join()).toContain('SHUTDOWN FORCE ends it anyway')
    client.send(encodeRequest(['SHUTDOWN', 'FORCE']))
    await (await server.connect()).call('PING')
    expect(shutdowns).toEqual([{ nosave: false, now: false, force: true }])
  })
})

describe('RESTORE of a value that takes several turns to read', () => {
  const value = Buffer.alloc(4_000_000, 'a value ')
  const payloadOf = async (): Promise<Buffer> => {
    await client.call('SET', 'k', value)
    return (await client.call('DUMP', 'k')) as Buffer
  }

  it('is not written when the disk has become full meanwhile', async () => {
    const payload = await payloadOf()
    client.send(encodeRequest(['RESTORE', 'l', '0', payload]))
    const other = await server.connect()
    await other.call('PING')
    server.engine.setGate(GATE_FULL)
    const reply = show((await client.reply()).value)
    const length = await other.call('STRLEN', 'l')
    // Either it was through before the gate closed, or it says what the gate says.
    if (reply === 'OK') expect(length).toBe(value.length)
    else {
      expect(reply).toContain('MISCONF')
      expect(length).toBe(0)
    }
  })

  it('waits for a store that has stalled meanwhile', async () => {
    const payload = await payloadOf()
    client.send(encodeRequest(['RESTORE', 'l', '0', payload]))
    const other = await server.connect()
    await other.call('PING')
    server.engine.setGate(GATE_STALLED)
    for (let i = 0; i < 30; i++) await other.call('PING')
    server.engine.setGate(0)
    expect((await client.reply()).value).toBe('OK')
    expect(await other.call('STRLEN', 'l')).toBe(value.length)
  })
})

describe('CLIENT NO-TOUCH', () => {
  it('tells the store for this client only, from one command to the next', async () => {
    const engine = server.engine.asEngine()
    const other = await server.connect()
    expect(await client.call('CLIENT', 'NO-TOUCH', 'ON')).toBe('OK')
    expect(engine.readsCount).toBe(false)
    await other.call('PING')
    expect(engine.readsCount).toBe(true)
    await client.call('PING')
    expect(engine.readsCount).toBe(false)
    await client.call('CLIENT', 'NO-TOUCH', 'OFF')
    expect(engine.readsCount).toBe(true)
  })
})
