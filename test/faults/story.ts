// The story that is told under faults, again and again: a start, writes by several clients, rotation, hints, a merge, expiry, a flush,
// a value larger than a segment, a clean stop. Small segments and no cache, so that a second is enough for all of it.
//
// Clients send one command at a time, so that each knows what the running server must show; between them bursts of plain
// SETs, which need no knowledge.

import { type Asked, MORTAL_KEYS, markedValue, PLAIN_KEYS, Workload } from '../crash/workload.ts'
import { ConnectionClosed, type RawConnection } from '../harness/connection.ts'
import { type Random, randomFrom } from '../harness/random.ts'
import { encodeRequest, type Reply, ReplyError, show } from '../harness/resp.ts'
import type { Server } from '../harness/server.ts'
import { type Found, History } from './history.ts'

export const CLIENTS = 3
/** Bytes of the one large value: it needs a segment of its own. */
const LARGE_BYTES = 40_000
/** Operations that each client had made before the story begins. */
const PAST = 60

export const tiny = [
  ...['--segment-size', '16kb', '--value-cache-size', '0', '--disk-reserve', '4kb', '--merge-interval-ms', '100'],
  ...['--merge-trigger-fragmentation', '10', '--merge-trigger-segments', '0', '--merge-trigger-dead-bytes', '8kb'],
  ...['--merge-threshold-fragmentation', '5', '--merge-threshold-dead-bytes', '4kb'],
  ...['--merge-threshold-small-file', '8kb'],
]

/** What the disk does to this run, as far as clients may notice it. */
export interface Weather {
  /** Has any call been failed or falsified so far? */
  readonly bad: () => boolean
  /** May a GET be answered with an error? */
  readonly readsFail: boolean
}

export const fair: Weather = { bad: () => false, readsFail: false }

/** One client: its databases, what it asked for, and what was answered that must not have been. */
export class Teller {
  readonly history: History
  readonly problems: string[] = []
  /** Every error it was answered. */
  readonly errors: string[] = []
  acknowledged = 0
  private readonly number: number
  private readonly workload: Workload
  private readonly random: Random
  private seq = 1_000_000

  constructor(number: number, random: Random, history = new History(), past = 0) {
    this.number = number
    this.random = random
    this.history = history
    this.workload = new Workload(number, random)
    for (let i = 0; i < past; i++) this.workload.next(new Map()) // values of the past carry other numbers than those to come
    this.connected()
  }

  get databases(): readonly [number, number] {
    return this.workload.databases
  }

  /** A new connection, for which no database is selected yet. */
  connected(): void {
    this.workload.connected()
  }

  /** Asks for some operations, one after the other. */
  async ask(connection: RawConnection, weather: Weather, count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.one(connection, weather, this.workload.next(this.history.live))
  }

  /** Plain SETs, sent together. */
  async burst(connection: RawConnection, weather: Weather, count: number): Promise<void> {
    await this.select(connection)
    const asked = Array.from({ length: count }, () => this.plain(this.random.between(100, 900)))
    for (const operation of asked) this.history.invoke(operation)
    connection.send(Buffer.concat(asked.map((operation) => encodeRequest(operation.commands[0]!))))
    for (const operation of asked) this.answered(operation, [(await connection.reply()).value], weather)
  }

  async flush(connection: RawConnection, weather: Weather): Promise<void> {
    await this.select(connection)
    await this.one(connection, weather, {
      seq: this.seq++,
      commands: [['FLUSHDB']],
      effects: [{ kind: 'clear', prefix: `${this.databases[0]}/` }],
      check: isOk,
    })
  }

  async large(connection: RawConnection, weather: Weather): Promise<void> {
    await this.select(connection)
    await this.one(connection, weather, this.plain(LARGE_BYTES))
  }

  /** The first database, for what the workload does not ask for; that selects anew what it needs. */
  private async select(connection: RawConnection): Promise<void> {
    const reply = await connection.call('SELECT', this.databases[0])
    if (reply !== 'OK') this.problems.push(`SELECT was answered ${show(reply)}`)
    this.workload.connected()
  }

  private plain(bytes: number): Asked {
    const key = `p${this.random.below(PLAIN_KEYS)}`
    const seq = this.seq++
    const value = markedValue(this.number, key, seq, bytes)
    return {
      seq,
      commands: [['SET', key, value]],
      effects: [{ kind: 'set', key: `${this.databases[0]}/${key}`, entry: { value } }],
      check: isOk,
    }
  }

  private async one(connection: RawConnection, weather: Weather, asked: Asked): Promise<void> {
    this.history.invoke(asked)
    connection.send(Buffer.concat(asked.commands.map((command) => encodeRequest(command))))
    const replies: Reply[] = []
    for (let i = 0; i < asked.commands.length; i++) replies.push((await connection.reply()).value)
    this.answered(asked, replies, weather)
  }

  private answered(asked: Asked, replies: readonly Reply[], weather: Weather): void {
    const errors = replies.flatMap(errorsIn)
    if (errors.length === 0) {
      const wrong = asked.check(replies)
      if (wrong !== undefined) this.problems.push(wrong)
      asked.acknowledged?.()
      this.history.acknowledge(asked)
      this.acknowledged++
      return
    }
    const command = asked.commands.find(([name]) => name !== 'SELECT')!
    const told = errors[0]!
    this.errors.push(told)
    if (!weather.bad()) this.problems.push(`${command[0]} was answered ${told} while the disk was well`)
    // What another client has just written, and what then came to nothing, nobody is told: such a read waited for that write.
    const waited = told.includes('outcome of this command is unknown')
    if (command[0] === 'GET' && !weather.readsFail && !waited) this.problems.push(`a read was refused: ${told}`)
    if (told.includes('the value could not be read') && answersWithOldValue(command)) this.history.acknowledge(asked)
    else if (errors.some((error) => error.includes('outcome of this command is unknown'))) this.history.doubt(asked)
    else this.history.refuse(asked)
  }
}

const isOk = ([reply]: readonly Reply[]): string | undefined =>
  reply === 'OK' ? undefined : `a write was answered ${show(reply ?? null)}`

/** Those do what they say and answer with what was there before: where only that cannot be read, they have been done. */
const answersWithOldValue = ([name, , , option]: readonly unknown[]): boolean =>
  name === 'GETDEL' || (name === 'SET' && option === 'GET')

function errorsIn(reply: Reply): string[] {
  if (reply instanceof ReplyError) return [reply.message]
  return Array.isArray(reply) ? reply.flatMap(errorsIn) : []
}

/** What the clients do, until all is told or the server has gone. Throws only what is nobody's end of connection. */
export async function tell(server: Server, tellers: readonly Teller[], weather: Weather): Promise<void> {
  try {
    const connections = await Promise.all(tellers.map(() => server.connect({ replyLimitMs: 150_000 })))
    const side = await server.connect({ replyLimitMs: 150_000 })
    await all(tellers, connections, async (teller, connection) => {
      teller.connected()
      await teller.ask(connection, weather, 8)
      await teller.burst(connection, weather, 12)
    })
    const merged = side.call('MERGE', 'WAIT')
    merged.catch(() => {}) // looked at below
    await all(tellers, connections, async (teller, connection) => {
      await teller.ask(connection, weather, 6)
      await teller.burst(connection, weather, 8)
    })
    const reply = await merged
    if (reply instanceof ReplyError && !weather.bad()) throw new Error(`MERGE was answered ${reply.message}`)
    await tellers[0]!.flush(connections[0]!, weather)
    await tellers[1]!.large(connections[1]!, weather)
    await all(tellers, connections, async (teller, connection) => {
      await teller.ask(connection, weather, 6)
      await teller.burst(connection, weather, 6)
    })
    if ((await side.call('PING')) !== 'PONG') throw new Error('PING was not answered PONG')
    for (const connection of [...connections, side]) connection.close()
  } catch (error) {
    if (!(error instanceof ConnectionClosed) && !/ECONNREFUSED|ECONNRESET/.test((error as Error).message)) throw error
  }
}

/** The past: what lies in the directory before the story begins. */
export async function past(server: Server, tellers: readonly Teller[]): Promise<void> {
  const connections = await Promise.all(tellers.map(() => server.connect()))
  await all(tellers, connections, async (teller, connection) => {
    teller.connected()
    await teller.ask(connection, fair, PAST)
  })
  for (const connection of connections) connection.close()
}

export const tellersAfter = (histories: readonly History[], random: Random): Teller[] =>
  histories.map((history, i) => new Teller(i, randomFrom(random.below(2 ** 32)), history.copy(), PAST))

async function all(
  tellers: readonly Teller[],
  connections: readonly RawConnection[],
  run: (teller: Teller, connection: RawConnection) => Promise<void>,
): Promise<void> {
  // All of them, also when one has failed: nobody may go on asking behind our back.
  const outcomes = await Promise.allSettled(tellers.map((teller, i) => run(teller, connections[i]!)))
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}

/**
 * Everything in some databases, by SCAN, GET and PEXPIRETIME. What does not fit together goes to `problems`. While writes are refused
 * (`readOnly`) expired keys are hidden and not removed, and DBSIZE counts them.
 */
export async function find(
  connection: RawConnection,
  databases: readonly number[],
  problems: string[],
  readOnly = false,
): Promise<Found> {
  const fromMs = Date.now()
  const entries = new Map<string, { value: string; expiresAt: number }>()
  const errors = new Map<string, string>()
  for (const database of databases) {
    await connection.call('SELECT', database)
    const keys = await scanAll(connection)
    const asked = keys.flatMap((key) => [encodeRequest(['GET', key]), encodeRequest(['PEXPIRETIME', key])])
    connection.send(Buffer.concat(asked))
    let lasting = 0
    for (const key of keys) {
      const { value } = await connection.reply()
      const expiresAt = (await connection.reply()).value as number
      if (value instanceof ReplyError) errors.set(`${database}/${key}`, value.message)
      if (!Buffer.isBuffer(value) || expiresAt === -2) continue
      entries.set(`${database}/${key}`, { value: value.toString('latin1'), expiresAt })
      if (expiresAt === -1 || expiresAt > Date.now() + 5000) lasting++
    }
    await connection.call('EXISTS', ...MORTAL_KEYS) // asking removes those whose time has come, so that DBSIZE does not count them
    const size = (await connection.call('DBSIZE')) as number
    if ((size > keys.length && !readOnly) || size < lasting) {
      problems.push(
        `DBSIZE is ${show(size)}, SCAN found ${keys.length} keys, of which ${lasting} are not about to expire`,
      )
    }
  }
  return { entries, errors, fromMs, toMs: Date.now() }
}

async function scanAll(connection: RawConnection): Promise<string[]> {
  const keys = new Set<string>()
  let cursor = '0'
  do {
    const reply = await connection.call('SCAN', cursor, 'COUNT', 500)
    if (!Array.isArray(reply)) throw new Error(`SCAN was answered ${show(reply)}`)
    const [next, found] = reply as [Buffer, Buffer[]]
    for (const key of found) keys.add(key.toString('latin1'))
    cursor = next.toString()
  } while (cursor !== '0')
  return [...keys]
}
