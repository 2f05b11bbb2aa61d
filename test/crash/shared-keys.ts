// Many clients on the same few keys, killed and started again and again, and every call written down: for the judge of
// linearizability. One process holds all clients, so that one counter orders everything that was sent and answered.
//
// A client has one request under way at a time; a request may be several calls (MSET, MGET, MULTI), which then share their
// beginning and end. Values are unique, so that a value names the call that wrote it.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConnectionClosed, type RawConnection } from '../harness/connection.ts'
import { type Random, randomFrom } from '../harness/random.ts'
import { type Argument, encodeRequest, type Reply, ReplyError, show } from '../harness/resp.ts'
import type { Kind } from '../harness/server.ts'
import { type Configuration, randomConfiguration } from './configuration.ts'
import { type Action, type Answer, type Call, KeyJudge } from './linearizable.ts'
import { meddle } from './meddler.ts'
import { momentToKill } from './moment.ts'
import { startVictim, type Victim } from './victim.ts'

export interface SharedOptions {
  readonly kills: number
  readonly seed: number
  /** Default casky. */
  readonly kind?: Kind
  /** One set of directives for the whole run; without it each start has a configuration of its own. */
  readonly args?: readonly string[]
  readonly clients?: number
  /** The longest load before a kill, in ms, counted from when every client has had some answers. */
  readonly loadMs?: number
  /** Told after each kill. */
  progress?(kills: number, calls: number): void
}

export interface SharedResult {
  readonly kills: number
  /** Calls judged, and how many of them were never answered. */
  readonly calls: number
  readonly unanswered: number
  /** What went wrong; empty: nothing. */
  readonly problems: readonly string[]
}

/** Few enough that clients meet, many enough that the judge keeps up. `c` are counters. */
const KEYS = [...Array.from({ length: 20 }, (_, i) => `k${i}`), ...Array.from({ length: 6 }, (_, i) => `c${i}`)]

/** Requests answered before the kill may come: on a busy machine a moment may pass before anything happens. */
const ANSWERS_A_CLIENT = 8

/** Runs it. Never throws for what the server does wrong: that is in `problems`. */
export async function sharedKeys(options: SharedOptions): Promise<SharedResult> {
  const random = randomFrom(options.seed)
  const home = mkdtempSync(join(tmpdir(), 'casky-shared-'))
  const place = { kind: options.kind ?? 'casky', dir: join(home, 'data'), socket: join(home, 'socket') } as const
  const history = new History()
  const problems: string[] = []
  let kills = 0
  try {
    for (; kills < options.kills && problems.length === 0; kills++) {
      const victim = await startVictim({ ...place, ...configure(options, random) })
      await load(victim, history, random, options, join(home, 'data'), problems)
      problems.push(...history.judge())
      options.progress?.(kills + 1, history.calls)
    }
    const victim = await startVictim({ ...place, ...configure(options, random) })
    await readAll(victim, history)
    await victim.crash()
    problems.push(...history.judge())
  } catch (error) {
    problems.push((error as Error).message)
  }
  if (problems.length === 0) rmSync(home, { recursive: true, force: true })
  else problems.push(`the data directory is kept: ${home}`)
  return {
    kills,
    calls: history.calls,
    unanswered: history.unanswered,
    problems: problems.map((problem) => `kill ${kills}, seed ${options.seed}: ${problem}`),
  }
}

function configure({ args }: SharedOptions, random: Random): Configuration {
  return args === undefined ? randomConfiguration(random, 1) : { args, poolThreads: 8 }
}

/** Every call since the last verdict, by key. */
class History {
  calls = 0
  unanswered = 0
  private clock = 0
  private value = 0
  private awaited: { answers: number; resolve(): void } | undefined
  private readonly judges = new Map(KEYS.map((key) => [key, new KeyJudge()]))
  private byKey = new Map<string, Call[]>()

  /** A value that nobody has written. */
  fresh(): string {
    return `v${++this.value}`
  }

  /** Calls that are sent now. */
  send(client: number, wanted: ReadonlyArray<readonly [key: string, action: Action]>): Call[] {
    const sentAt = ++this.clock
    return wanted.map(([key, action]) => {
      const call: Call = { action, sentAt, endedAt: Number.POSITIVE_INFINITY, answer: undefined, client }
      const calls = this.byKey.get(key)
      if (calls === undefined) this.byKey.set(key, [call])
      else calls.push(call)
      return call
    })
  }

  /** They are answered now, all at once. */
  answer(calls: readonly Call[], answers: readonly Answer[]): void {
    const endedAt = ++this.clock
    for (const [i, call] of calls.entries()) {
      call.endedAt = endedAt
      call.answer = answers[i]
    }
    if (this.awaited !== undefined && --this.awaited.answers === 0) this.awaited.resolve()
  }

  /** Resolves when so many requests more have been answered. */
  answered(answers: number): Promise<void> {
    return new Promise((resolve) => {
      this.awaited = { answers, resolve }
    })
  }

  /** The server is dead: what has no answer will have none. Returns what is wrong with what was recorded since. */
  judge(): string[] {
    const endedAt = ++this.clock
    const problems: string[] = []
    for (const [key, calls] of this.byKey) {
      for (const call of calls) {
        this.calls++
        if (call.answer !== undefined) continue
        this.unanswered++
        call.endedAt = endedAt
      }
      const wrong = this.judges.get(key)!.judge(calls)
      if (wrong !== undefined) problems.push(`${key}: ${wrong}`)
    }
    this.byKey = new Map()
    return problems
  }
}

async function load(
  victim: Victim,
  history: History,
  random: Random,
  options: SharedOptions,
  dir: string,
  problems: string[],
): Promise<void> {
  const clients = options.clients ?? 32
  const connections = await Promise.all(Array.from({ length: clients }, () => victim.connect()))
  const warm = history.answered(clients * ANSWERS_A_CLIENT)
  const working = connections.map((connection, i) => work(connection, i, history, randomFrom(random.below(2 ** 32))))
  const meddling =
    victim.child.exit === undefined && (options.kind ?? 'casky') === 'casky'
      ? meddle(() => victim.connect(), randomFrom(random.below(2 ** 32)))
      : Promise.resolve<string[]>([])
  await Promise.race([warm, ...connections.map((connection) => connection.closed)])
  await momentToKill(dir, random, options.loadMs ?? 500)
  await victim.crash()
  for (const found of await Promise.all([...working, meddling])) problems.push(...found)
}

/** One client, until the server is gone. Returns what it was told that nobody should be. */
async function work(connection: RawConnection, client: number, history: History, random: Random): Promise<string[]> {
  try {
    for (;;) {
      const request = choose(random, history)
      const calls = history.send(client, request.calls)
      connection.send(Buffer.concat(request.commands.map((words) => encodeRequest(words))))
      const replies: Reply[] = []
      for (const _ of request.commands) replies.push((await connection.reply()).value)
      const error = replies.flat().find((reply) => reply instanceof ReplyError)
      if (error !== undefined) return [`${request.commands.join(' ')} was answered ${show(error)}`]
      history.answer(calls, request.answers(replies))
    }
  } catch (error) {
    return error instanceof ConnectionClosed ? [] : [(error as Error).message]
  } finally {
    connection.close()
  }
}

interface Request {
  readonly commands: ReadonlyArray<readonly Argument[]>
  readonly calls: ReadonlyArray<readonly [key: string, action: Action]>
  answers(replies: readonly Reply[]): Answer[]
}

function choose(random: Random, history: History): Request {
  const key = `k${Math.floor(random.next() ** 2 * 20)}` // the first ones are asked for most
  const other = `k${random.below(20)}`
  const value = history.fresh()
  const counter = `c${random.below(6)}`
  const dice = random.next()
  const by = random.between(-5, 50)
  if (dice < 0.3) return single(['GET', key], key, { kind: 'get' })
  if (dice < 0.5) return single(['SET', key, value], key, { kind: 'set', value })
  if (dice < 0.56) return single(['SET', key, value, 'GET'], key, { kind: 'getset', value })
  if (dice < 0.6) return single(['SETNX', key, value], key, { kind: 'setnx', value })
  if (dice < 0.66) return single([random.pick(['DEL', 'UNLINK']), key], key, { kind: 'del' })
  if (dice < 0.68) return single(['PEXPIREAT', key, 1], key, { kind: 'del' }) // long past: deleted at once
  if (dice < 0.71) return single(['GETDEL', key], key, { kind: 'getdel' })
  if (dice < 0.75) return single(['APPEND', key, `+${value}`], key, { kind: 'append', suffix: `+${value}` })
  if (dice < 0.84) return single(['INCRBY', counter, by], counter, { kind: 'incr', by })
  if (dice < 0.86) return single(['GET', counter], counter, { kind: 'get' })
  if (dice < 0.87) return single(['DEL', counter], counter, { kind: 'del' })
  if (dice < 0.91 && key !== other) {
    const second = history.fresh()
    return {
      commands: [['MSET', key, value, other, second]],
      calls: [
        [key, { kind: 'set', value }],
        [other, { kind: 'set', value: second }],
      ],
      answers: () => ['OK', 'OK'],
    }
  }
  if (dice < 0.95 && key !== other) {
    return {
      commands: [['MGET', key, other]],
      calls: [
        [key, { kind: 'get' }],
        [other, { kind: 'get' }],
      ],
      answers: ([both]) => (both as Reply[]).map(plain),
    }
  }
  if (dice < 0.999) {
    return {
      commands: [['MULTI'], ['SET', key, value, 'GET'], ['INCRBY', counter, by], ['EXEC']],
      calls: [
        [key, { kind: 'getset', value }],
        [counter, { kind: 'incr', by }],
      ],
      answers: (replies) => (replies[3] as Reply[]).map(plain),
    }
  }
  return {
    commands: [['FLUSHDB']],
    calls: KEYS.map((each) => [each, { kind: 'clear' }] as const),
    answers: () => KEYS.map(() => 'OK'),
  }
}

const single = (words: readonly Argument[], key: string, action: Action): Request => ({
  commands: [words],
  calls: [[key, action]],
  answers: (replies) => replies.map(plain),
})

const plain = (reply: Reply): Answer => (Buffer.isBuffer(reply) ? reply.toString('latin1') : (reply as Answer))

/** One more reading of everything, at rest. */
async function readAll(victim: Victim, history: History): Promise<void> {
  const connection = await victim.connect()
  const calls = history.send(
    -1,
    KEYS.map((key) => [key, { kind: 'get' }]),
  )
  const reply = await connection.call('MGET', ...KEYS)
  history.answer(calls, (reply as Reply[]).map(plain))
  connection.close()
}
