// Fifty clients on the same few keys, none of which is in memory: `value-cache-size 0`, so every INCR, APPEND, RENAME,
// SET GET, SETBIT, BITFIELD, INCRBYFLOAT and EXEC has to wait for the disk while others change what it waits for. Each ending is arithmetic: sums,
// lengths and chains come out exact or a command has decided from a stale value.
//
// redis-server goes through the same, which shows that the arithmetic is right.

import { describe, expect, it } from 'vitest'
import type { RawConnection } from '../harness/connection.ts'
import { skipWithout } from '../harness/programs.ts'
import { type Random, randomFrom } from '../harness/random.ts'
import { type Argument, encodeRequest, type Reply, ReplyError } from '../harness/resp.ts'
import { type Kind, type ServerOptions, startServer } from '../harness/server.ts'

const CLIENTS = 50
const BURSTS = 12
const BURST = 10

/** What all clients together have been told. */
interface Tally {
  increments: number
  lastSeen: number[]
  appended: number
  renamed: number
  readonly swappedIn: string[]
  readonly swappedOut: string[]
  transactions: number
  halves: number
  fields: number
  bits: number
  readonly problems: string[]
}

interface Move {
  readonly commands: ReadonlyArray<readonly Argument[]>
  judge(replies: readonly Reply[], client: number): void
}

const text = (reply: Reply): string => (Buffer.isBuffer(reply) ? reply.toString() : String(reply))

function move(random: Random, tally: Tally, mark: string): Move {
  switch (random.below(8)) {
    case 0:
      return {
        commands: [['INCR', 'counter']],
        judge: ([now], client) => {
          tally.increments++
          if (Number(now) <= tally.lastSeen[client]!) tally.problems.push(`the counter went back to ${now}`)
          tally.lastSeen[client] = Number(now)
        },
      }
    case 1:
      return { commands: [['APPEND', 'text', 'xyz']], judge: () => void tally.appended++ }
    case 2: {
      const [from, to] = random.chance(0.5) ? ['here', 'there'] : ['there', 'here']
      return {
        commands: [['RENAME', from!, to!]],
        judge: ([reply]) => {
          if (reply === 'OK') tally.renamed++
          else if (!(reply instanceof ReplyError && reply.message === 'ERR no such key'))
            tally.problems.push(text(reply!))
        },
      }
    }
    case 3:
      return {
        commands: [['SET', 'chain', mark, 'GET']],
        judge: ([old]) => {
          tally.swappedIn.push(mark)
          tally.swappedOut.push(text(old!))
        },
      }
    case 4:
      return { commands: [['INCRBYFLOAT', 'float', '0.5']], judge: () => void tally.halves++ }
    case 5:
      return { commands: [['BITFIELD', 'fields', 'INCRBY', 'u20', '#3', '1']], judge: () => void tally.fields++ }
    case 6: {
      const bit = random.below(70_000 * 8)
      return {
        commands: [['SETBIT', 'bits', String(bit), '1']],
        judge: ([old]) => void (tally.bits += old === 0 ? 1 : 0),
      }
    }
    default:
      return {
        commands: [['MULTI'], ['INCR', 'left'], ['APPEND', 'right', 'r'], ['GET', 'left'], ['EXEC']],
        judge: (replies) => {
          tally.transactions++
          const [left, right, seen] = replies[4] as Reply[]
          if (left !== right || text(seen!) !== String(left)) {
            tally.problems.push(`left ${left} and right ${right} and seen ${text(seen!)} are of one transaction`)
          }
        },
      }
  }
}

async function client(connection: RawConnection, number: number, tally: Tally): Promise<void> {
  const random = randomFrom(number)
  for (let burst = 0; burst < BURSTS; burst++) {
    const moves = Array.from({ length: BURST }, (_, i) => move(random, tally, `${number}.${burst}.${i}`))
    connection.send(Buffer.concat(moves.flatMap((one) => one.commands.map((command) => encodeRequest(command)))))
    for (const one of moves) {
      const replies: Reply[] = []
      for (const _ of one.commands) replies.push((await connection.reply()).value)
      one.judge(replies, number)
    }
  }
  connection.close()
}

async function crowd(kind: Kind, options: ServerOptions): Promise<void> {
  const server = await startServer(kind, options)
  try {
    const first = await server.connect()
    await first.call('MSET', 'chain', 'start', 'here', 'traveller', 'text', '')
    const tally: Tally = {
      increments: 0,
      lastSeen: Array.from({ length: CLIENTS }, () => 0),
      appended: 0,
      renamed: 0,
      swappedIn: [],
      swappedOut: [],
      transactions: 0,
      halves: 0,
      fields: 0,
      bits: 0,
      problems: [],
    }
    const connections = await Promise.all(Array.from({ length: CLIENTS }, () => server.connect()))
    await Promise.all(connections.map((connection, number) => client(connection, number, tally)))

    expect(tally.problems).toEqual([])
    expect(text(await first.call('GET', 'counter'))).toBe(String(tally.increments))
    expect(await first.call('STRLEN', 'text')).toBe(tally.appended * 3)
    expect(text(await first.call('GET', 'text'))).toBe('xyz'.repeat(tally.appended))
    expect(await first.call('EXISTS', 'here', 'there')).toBe(1)
    const moved = (await first.call('MGET', 'here', 'there')) as Reply[]
    expect(moved.map(text).sort()).toEqual(['null', 'traveller'])
    expect(tally.renamed).toBeGreaterThan(0)
    expect(text(await first.call('GET', 'float'))).toBe(String(tally.halves / 2))
    expect(await first.call('BITFIELD', 'fields', 'GET', 'u20', '#3')).toEqual([tally.fields])
    expect(await first.call('BITCOUNT', 'bits')).toBe(tally.bits)
    // Every value but the last was replaced exactly once.
    const last = text(await first.call('GET', 'chain'))
    expect([...tally.swappedOut, last].sort()).toEqual([...tally.swappedIn, 'start'].sort())
    expect(text(await first.call('GET', 'left'))).toBe(String(tally.transactions))
    expect(await first.call('STRLEN', 'right')).toBe(tally.transactions)
    first.close()
  } finally {
    await server.stop()
  }
}

describe('fifty clients on the same cold keys', () => {
  it.each(['everysec', 'always'])('Casky without a value cache, appendfsync %s', (appendfsync) =>
    crowd('casky', { args: ['--value-cache-size', '0', '--appendfsync', appendfsync] }))

  it.skipIf(skipWithout('redis-server'))('redis-server', () => crowd('redis', {}))
})
