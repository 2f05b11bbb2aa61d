// Small requests of one turn are put aside and run together: nobody's order changes, nobody's request is lost or doubled.

import { connect } from 'node:net'
import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { Spans } from '../../src/base/spans.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { Gather, type Gathering } from '../../src/server/gather.ts'
import { encodeRequest } from '../harness/resp.ts'
import { startTestServer } from './test-server.ts'

/** A connection that only notes what it is given. */
class Noting implements Gathering {
  database = 0
  isGathered = false
  readonly taken: string[] = []
  stopped = 0
  mayReadOn = true
  take(bytes: Buffer, start: number, end: number): boolean {
    this.taken.push(bytes.toString('latin1', start, end))
    return this.mayReadOn
  }
  stopReading(): void {
    this.stopped++
  }
}

let prefetched: string[][]
let gather: Gather
beforeEach(() => {
  prefetched = []
  const engine = {
    prefetch: (_database: number, keys: Spans) => {
      prefetched.push(
        Array.from({ length: keys.count }, (_, i) => keys.bytes.toString('latin1', keys.starts[i], keys.ends[i])),
      )
    },
  }
  gather = new Gather(engine as unknown as Engine, { beginBatch() {}, endBatch() {} }, new Spans())
})

const get = (key: string): Buffer => encodeRequest(['GET', key])

test('every request that was taken in runs once, in the order of its connection', () => {
  // Few connections and long turns: each comes several times in one, as with a thousand sockets ready at once.
  const step = fc.record({
    who: fc.nat(3),
    bytes: fc.integer({ min: 1, max: 300 }),
    turnEnds: fc.nat(9).map((n) => n === 0),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const connections = Array.from({ length: 4 }, () => new Noting())
      const sent: string[][] = connections.map(() => [])
      for (const [n, { who, bytes, turnEnds }] of steps.entries()) {
        const connection = connections[who] as Noting
        const request = Buffer.from(String(n).padStart(bytes, '.').slice(-bytes))
        // As Connection.receive does it.
        if (connection.isGathered) gather.runOf(connection)
        else if (gather.add(connection, request, request.length)) {
          sent[who]?.push(request.toString('latin1'))
          if (turnEnds) gather.run()
          continue
        }
        connection.take(request, 0, request.length)
        sent[who]?.push(request.toString('latin1'))
        if (turnEnds) gather.run()
      }
      gather.run()
      for (const [i, connection] of connections.entries()) {
        expect(connection.taken).toEqual(sent[i])
        expect(connection.isGathered).toBe(false)
      }
    }),
    { numRuns: 100 },
  )
})

test('a third request in one turn: the first is not run again in its place', () => {
  const connection = new Noting()
  const receive = (text: string): void => {
    const request = Buffer.from(text)
    if (connection.isGathered) gather.runOf(connection)
    else if (gather.add(connection, request, request.length)) return
    connection.take(request, 0, request.length)
  }
  for (const text of ['one', 'two', 'three', 'four', 'five']) receive(text)
  gather.run()
  expect(connection.taken).toEqual(['one', 'two', 'three', 'four', 'five'])
})

test('the keys of all are warmed up before the first runs', () => {
  const connections = ['a', 'b', 'c'].map((key) => {
    const connection = new Noting()
    gather.add(connection, get(key), get(key).length)
    return connection
  })
  const other = new Noting()
  other.database = 3
  gather.add(other, get('d'), get('d').length)
  gather.run()
  expect(prefetched).toEqual([['a', 'b', 'c']])
  for (const connection of [...connections, other]) expect(connection.taken.length).toBe(1)
})

test('a connection that must not be read on is stopped', () => {
  const connection = new Noting()
  connection.mayReadOn = false
  gather.add(connection, get('a'), get('a').length)
  gather.run()
  expect(connection.stopped).toBe(1)
})

test('many clients at once, in pieces, and one that leaves with its last word: each gets its own answers', async () => {
  const it = await startTestServer()
  try {
    const clients = await Promise.all(Array.from({ length: 30 }, () => it.connect()))
    for (let round = 0; round < 20; round++) {
      for (const [i, client] of clients.entries()) {
        const request = Buffer.concat([encodeRequest(['SET', `k${i}`, `${i}.${round}`]), get(`k${i}`)])
        const cut = (round * 7 + i) % request.length
        client.send(request.subarray(0, cut))
        client.send(request.subarray(cut))
      }
      for (const [i, client] of clients.entries()) {
        expect((await client.reply()).raw.toString()).toBe('+OK\r\n')
        expect((await client.reply()).raw.toString()).toContain(`\r\n${i}.${round}\r\n`)
      }
    }
    const leaving = connect({ port: it.port, host: '127.0.0.1' })
    leaving.end(encodeRequest(['SET', 'last', 'word']))
    const said: Buffer[] = []
    for await (const chunk of leaving) said.push(chunk as Buffer)
    expect(Buffer.concat(said).toString()).toBe('+OK\r\n')
    expect(String(await clients[0]?.call('GET', 'last'))).toBe('word')
  } finally {
    await it.stop()
  }
})
