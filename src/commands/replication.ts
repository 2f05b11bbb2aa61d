// A server that stands alone: ROLE and REPLICAOF say so, WAIT and WAITAOF wait.
//
// There are no replicas, so WAIT for one waits until its time is up, as in a Redis that has none. WAITAOF is the one of the two
// that promises something here: it answers 1 when everything written so far is synced, whatever `appendfsync` says, and starts that
// sync itself instead of waiting for the next second.
//
// Who waits is held, and only that connection. CLIENT UNBLOCK ends the wait as if time were up, or with an error.

import type { Slice } from '../base/slice.ts'
import type { Args } from '../resp/args.ts'
import { ADMIN, type Command, FAST, LOADING, NOSCRIPT, STALE } from './command.ts'
import { NOT_AN_INTEGER } from './errors.ts'
import { parseInteger } from './numbers.ts'
import type { Session } from './session.ts'
import { isWord } from './words.ts'

const UNBLOCKED = 'UNBLOCKED client unblocked via CLIENT UNBLOCK'
const MAX_PORT = 65535
const ALONE = 'A server stands alone: an error, but for NO ONE.'

export const replicationCommands = [
  {
    name: 'ROLE',
    arity: 1,
    flags: NOSCRIPT | LOADING | STALE | FAST,
    keys: null,
    categories: ['admin', 'dangerous'],
    run: role,
    summary: 'Returns master, the replication offset, which stays 0, and the replicas: none.',
    since: '2.8.12',
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'REPLICAOF',
    arity: 3,
    flags: ADMIN | NOSCRIPT | STALE,
    keys: null,
    run: replicaof,
    summary: ALONE,
    since: '5.0.0',
    group: 'server',
    complexity: 'O(1)',
    difference: 'There is no replication.',
  },
  {
    name: 'SLAVEOF',
    arity: 3,
    flags: ADMIN | NOSCRIPT | STALE,
    keys: null,
    run: replicaof,
    summary: ALONE,
    since: '1.0.0',
    group: 'server',
    complexity: 'O(1)',
    difference: 'There is no replication.',
  },
  {
    name: 'WAIT',
    arity: 3,
    flags: NOSCRIPT,
    keys: null,
    category: 'connection',
    tips: ['request_policy:all_shards', 'response_policy:agg_min'],
    run: wait,
    summary: 'Waits for so many replicas, or until so many milliseconds are over, and returns how many there are: 0.',
    since: '3.0.0',
    group: 'generic',
    complexity: 'O(1)',
  },
  {
    name: 'WAITAOF',
    arity: 4,
    flags: NOSCRIPT,
    keys: null,
    category: 'connection',
    tips: ['request_policy:all_shards', 'response_policy:agg_min'],
    run: waitaof,
    summary:
      'Waits until what was written is synced to disk, or so many milliseconds are over. Returns whether it is, and 0 replicas.',
    since: '7.2.0',
    group: 'generic',
    complexity: 'O(1)',
    difference: 'Covers what all clients have written, and starts the sync instead of waiting for the next.',
  },
] as const satisfies readonly Command[]

function role(session: Session): void {
  const { reply } = session
  reply.array(3)
  reply.bulkText('master')
  reply.integer(0)
  reply.array(0)
}

function replicaof(session: Session, args: Args): void {
  const { reply } = session
  if (isWord(args.at(1), 'NO') && isWord(args.at(2), 'ONE')) return reply.ok()
  const port = parseInteger(args.at(2))
  if (port === null || port < 0 || port > MAX_PORT) return reply.error('ERR Invalid master port')
  reply.error('ERR Casky does not replicate: a server stands alone')
}

function wait(session: Session, args: Args): void {
  const { reply } = session
  const replicas = parseInteger(args.at(1))
  if (replicas === null) return reply.error(NOT_AN_INTEGER)
  const timeoutMs = parseTimeout(session, args.at(2))
  if (timeoutMs === null) return
  if (replicas <= 0 || session.isExecuting) return reply.integer(0)
  block(session, timeoutMs, () => reply.integer(0))
}

function waitaof(session: Session, args: Args): void {
  const { engine, reply } = session
  const local = parseInteger(args.at(1))
  if (local === null) return reply.error(NOT_AN_INTEGER)
  if (local < 0 || local > 1) return reply.error('ERR value is out of range, value must between 0 and 1')
  const replicas = parseInteger(args.at(2))
  if (replicas === null || replicas < 0) return reply.error('ERR value is out of range, must be positive')
  const timeoutMs = parseTimeout(session, args.at(3))
  if (timeoutMs === null) return

  // Whether it is synced is known at once when nothing is left to sync; else the answer comes from a later turn. A sync that failed is
  // not tried again, so nobody waits for another.
  let isSynced = false
  let failure: Error | null = null
  let isOver = false
  let end: (() => void) | null = null
  const say = (): void => {
    isOver = true
    if (failure !== null && local === 1) return reply.error(engine.gateMessage || `ERR ${failure.message}`)
    reply.array(2)
    reply.integer(isSynced ? 1 : 0)
    reply.integer(0)
  }
  engine.whenSynced((error) => {
    if (isOver) return
    isSynced = error === null
    failure = error
    if (local === 1 && (error !== null || replicas === 0)) end?.()
  })
  const isEnough = replicas === 0 && (isSynced || local === 0)
  if (session.isExecuting || isEnough || (failure !== null && local === 1)) return say()
  end = block(session, timeoutMs, say)
}

/**
 * Holds the connection until the returned function is called, time is up (0: never) or CLIENT UNBLOCK comes, and then has the answer
 * said.
 */
function block(session: Session, timeoutMs: number, say: () => void): () => void {
  let isOver = false
  const end = (withError = false): void => {
    if (isOver) return
    isOver = true
    timer?.cancel()
    if (withError) session.reply.error(UNBLOCKED)
    else say()
    release()
  }
  const release = session.hold(end)
  const timer = timeoutMs === 0 ? null : session.server.after(timeoutMs, () => end())
  return end
}

/** Milliseconds; null when they are none, and the client has been told. */
function parseTimeout(session: Session, argument: Slice): number | null {
  const timeout = parseInteger(argument)
  const problem =
    timeout === null ? 'timeout is not an integer or out of range' : timeout < 0 ? 'timeout is negative' : null
  if (problem === null) return Number(timeout)
  session.reply.error(`ERR ${problem}`)
  return null
}
