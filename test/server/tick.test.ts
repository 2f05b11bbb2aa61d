// A turn has little time, and it is shared out: who stands in line, who does not, and that everybody comes to an end.

import { beforeEach, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import type { Engine } from '../../src/engine/engine.ts'
import type { Gather } from '../../src/server/gather.ts'
import { Tick, type Ticking } from '../../src/server/tick.ts'
import type { RawConnection } from '../harness/connection.ts'
import { randomFrom } from '../harness/random.ts'
import { encodeRequest } from '../harness/resp.ts'
import { startTestServer, type TestServer } from './test-server.ts'

let nowMs: number
let tasks: (() => void)[]
let order: string[]
let tick: Tick
beforeEach(() => {
  nowMs = 0
  tasks = []
  order = []
  const clock: Clock = {
    ...systemClock,
    monotonic: () => nowMs,
    soon: (task) => void tasks.push(task),
  }
  const engine = { gate: 0, flush: () => {} }
  tick = new Tick(clock, engine as unknown as Engine, { run: () => {} } as unknown as Gather)
})

/** One turn of the event loop; what asked for time in it has its own in the next. */
function turn(): string {
  order.length = 0
  for (const task of tasks.splice(0)) task()
  return order.join(' ')
}

/** A connection whose turns and writes take their time. */
class Busy implements Ticking {
  readonly name: string
  readonly tookMs: number
  pendingBytes = 0
  mayWait = true
  turnsLeft = 1
  isDirty = false
  isQueued = false
  readonly waitsForRelease = false

  constructor(name: string, tookMs: number) {
    this.name = name
    this.tookMs = tookMs
  }
  turn(): void {
    order.push(this.name)
    nowMs += this.tookMs
    tick.spent(100_000)
    if (--this.turnsLeft > 0) tick.again(this)
  }
  send(): void {
    order.push(`${this.name}!`)
    nowMs += this.tookMs
    this.pendingBytes = 0
  }
}

test('who stands in line has a turn in order, and what does not fit waits for the next; who comes back stands behind', () => {
  const all = ['a', 'b', 'c', 'd', 'e'].map((name) => new Busy(name, 1))
  all[0]!.turnsLeft = 2
  for (const one of all) tick.again(one)
  expect([turn(), turn(), turn()]).toEqual(['a b c', 'd e a', ''])
  expect(tasks.length).toBe(0)
})

test('behind a crowd turns are half as long', () => {
  for (let i = 0; i < 70; i++) tick.again(new Busy(String(i), 1))
  expect(turn()).toBe('0 1')
  for (let i = 0; i < 3; i++) turn()
  expect(turn()).toBe('9 10 11')
})

test('one turn is always had, however long it takes', () => {
  for (const name of ['a', 'b']) tick.again(new Busy(name, 1000))
  expect([turn(), turn()]).toEqual(['a', 'b'])
})

test('who asks for little stands before the others', () => {
  for (const name of ['a', 'b', 'c', 'd']) tick.again(new Busy(name, 1))
  tick.again(new Busy('light', 1), true)
  expect(turn()).toBe('light a b')
})

test('long replies leave as far as there is time, in order; short ones at once', () => {
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    const long = new Busy(name, 1)
    long.pendingBytes = 1024 * 1024
    tick.dirty(long)
  }
  const short = new Busy('short', 0)
  short.pendingBytes = 100
  tick.dirty(short)
  expect(turn()).toBe('a! b! c! short!')
  expect(tick.isOverdue).toBe(true) // nothing long is begun meanwhile
  expect(turn()).toBe('d! e!')
  expect(tasks.length).toBe(0)
  tick.begin()
  expect(tick.isOverdue).toBe(false)
})

test('who would be taken for one who does not read does not wait; nor does anybody when the end is near', () => {
  const all = ['a', 'b', 'c'].map((name) => new Busy(name, 5))
  for (const one of all) {
    one.pendingBytes = 1024 * 1024
    tick.dirty(one)
  }
  all[2]!.mayWait = false
  expect(turn()).toBe('a! c!')
  expect(turn()).toBe('b!')
  for (const one of all) {
    one.mayWait = true
    one.pendingBytes = 1024 * 1024
    tick.dirty(one)
  }
  tick.hurry()
  expect(turn()).toBe('a! b! c!')
})

test('while long replies stand in line nobody asks for more, except who asks for little; but not for ever', () => {
  const owed = new Busy('owed', 5)
  const more = new Busy('more', 5)
  const waiting = new Busy('waiting', 0)
  const light = new Busy('light', 0)
  tick.again(waiting)
  tick.again(light, true)
  const turns: string[] = []
  for (let i = 0; i < 10; i++) {
    for (const one of [owed, more]) {
      one.pendingBytes = 1024 * 1024
      tick.dirty(one)
    }
    turns.push(turn())
  }
  expect(turns[0]).toMatch(/^owed! light$/)
  expect(turns.findIndex((names) => names.includes('waiting'))).toBe(7)
})

/** A server without any time: what can wait does. */
function startWithoutTime(): Promise<TestServer> {
  let ms = 0
  return startTestServer({ server: { clock: { ...systemClock, monotonic: () => (ms += 100) } } })
}

/** It, and fifty who are told something long, in a turn that ends before they hear it. */
async function withoutTime(then: (publisher: RawConnection, it: TestServer) => Promise<void>): Promise<void> {
  const it = await startWithoutTime()
  try {
    const subscribers = await Promise.all(Array.from({ length: 50 }, () => it.connect()))
    for (const subscriber of subscribers) await subscriber.call('SUBSCRIBE', 'news')
    const publisher = await it.connect()
    expect(await publisher.call('PUBLISH', 'news', 'x'.repeat(100_000))).toBe(50)
    await then(publisher, it)
    for (const subscriber of subscribers) expect((await subscriber.untilClosed()).bytes.length).toBeGreaterThan(100_000)
  } finally {
    it.stop()
  }
}

test('a message that waits for its turn is not lost by CLIENT KILL', () =>
  withoutTime(async (publisher) => {
    expect(await publisher.call('CLIENT', 'KILL', 'TYPE', 'pubsub')).toBe(50)
  }))

test('nor by SHUTDOWN NOW', () =>
  withoutTime(async (_, { server }) => {
    server.closeAllWhenSaid()
    for (let turns = 0; turns < 2; turns++) await new Promise((resolve) => setImmediate(resolve))
    server.closeAll()
  }))

test('without any time at all every request is answered, in the order of its connection', async () => {
  const it = await startWithoutTime()
  try {
    const random = randomFrom(7)
    const clients = await Promise.all(Array.from({ length: 20 }, () => it.connect()))
    const answers = clients.map(async (client, c) => {
      const words = Array.from({ length: 60 }, (_, i) => `${c} ${i} ${'x'.repeat(2 ** random.below(17))}`)
      const bytes = Buffer.concat(words.map((word) => encodeRequest(['ECHO', word])))
      // In pieces that have nothing to do with requests, and some of them at once.
      for (let at = 0; at < bytes.length; ) {
        const end = Math.min(bytes.length, at + 1 + random.below(200_000))
        client.send(bytes.subarray(at, end))
        at = end
        if (random.below(2) === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      for (const word of words) expect(String((await client.reply()).value)).toBe(word)
    })
    await Promise.all(answers)
    // Whoever has gone is not waited for.
    const gone = await it.connect()
    gone.send(encodeRequest(['ECHO', 'x'.repeat(100_000)]))
    gone.close()
    const last = clients[0]!
    while (it.server.clientCount > 20) await last.call('PING')
    expect(await last.call('PING')).toBe('PONG')
  } finally {
    it.stop()
  }
})
