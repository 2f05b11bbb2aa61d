// Transactions: MULTI queues, EXEC runs the queue in one go and as one batch.
//
// Between MULTI and EXEC dispatch copies commands into the queue; one that it had to refuse breaks the transaction. When EXEC
// runs, everything it needs is in memory (dispatch has parked it until then), so nothing of others happens in between, and what it
// writes is one batch on disk: all or nothing, also after a crash. A command that fails on the way is an error in its place; the
// others run all the same, as in Redis.
//
// WATCH makes EXEC answer null when a watched key has changed since (server/watch.ts), or when its time has run out.

import { GATE_LOADING } from '../engine/engine.ts'
import type { Args } from '../resp/args.ts'
import { ALL_KEYS, type Command, FAST, IMMEDIATE, LOADING, NOSCRIPT, SKIP_SLOWLOG, STALE } from './command.ts'
import type { Session } from './session.ts'

const ANY_TIME = NOSCRIPT | LOADING | STALE | IMMEDIATE

export const transactionCommands = [
  {
    name: 'MULTI',
    arity: 1,
    flags: ANY_TIME | FAST,
    keys: null,
    run: multi,
    summary: 'Begins a transaction: the commands that follow are queued.',
    since: '1.2.0',
    group: 'transactions',
    complexity: 'O(1)',
  },
  {
    name: 'EXEC',
    arity: 1,
    flags: ANY_TIME | SKIP_SLOWLOG,
    keys: null,
    run: exec,
    summary: 'Runs the queued commands, all or none, with nothing in between.',
    since: '1.2.0',
    group: 'transactions',
    complexity: 'That of the queued commands.',
  },
  {
    name: 'DISCARD',
    arity: 1,
    flags: ANY_TIME | FAST,
    keys: null,
    run: discard,
    summary: 'Forgets the queued commands and the watched keys.',
    since: '2.0.0',
    group: 'transactions',
    complexity: 'O(N) for N queued commands.',
  },
  {
    name: 'WATCH',
    arity: -2,
    flags: ANY_TIME | FAST,
    keys: ALL_KEYS,
    access: [['RO']],
    run: watch,
    summary: 'Makes the next EXEC do nothing if one of the keys changes before it.',
    since: '2.2.0',
    group: 'transactions',
    complexity: 'O(N) for N keys.',
    difference:
      'A key that had expired before, and is there again by RESTORE, has changed too. ' +
      'What is watched counts against `client-query-buffer-limit`, as names of subscriptions do.',
  },
  {
    name: 'UNWATCH',
    arity: 1,
    flags: (ANY_TIME & ~IMMEDIATE) | FAST,
    keys: null,
    run: unwatch,
    summary: 'Forgets the watched keys.',
    since: '2.2.0',
    group: 'transactions',
    complexity: 'O(N) for N watched keys.',
  },
] as const satisfies readonly Command[]

function multi(session: Session): void {
  if (session.transaction !== null) return session.reply.error('ERR MULTI calls can not be nested')
  session.transaction = { queue: [], flags: 0, bytes: 0, broken: false }
  session.reply.ok()
}

function exec(session: Session): void {
  const { engine, reply, transaction } = session
  if (transaction === null) return reply.error('ERR EXEC without MULTI')
  const hasLost = session.watchBroken || session.watched.some(({ expiry }) => expiry !== 0 && expiry <= session.now)
  forget(session)
  if (transaction.broken) return reply.error('EXECABORT Transaction discarded because of previous errors.')
  if (hasLost) return reply.nullArray()
  reply.array(transaction.queue.length)
  // While it loads there is no log to write a batch to, and nothing that could be queued writes.
  const isBatch = (engine.gate & GATE_LOADING) === 0
  try {
    session.isExecuting = true
    if (isBatch) engine.begin()
    try {
      for (const { command, args } of transaction.queue) session.call(command, args)
    } finally {
      if (isBatch) engine.end()
    }
  } finally {
    session.isExecuting = false
  }
}

function discard(session: Session): void {
  if (session.transaction === null) return session.reply.error('ERR DISCARD without MULTI')
  forget(session)
  session.reply.ok()
}

function watch(session: Session, args: Args): void {
  if (session.transaction !== null) return session.reply.error('ERR WATCH inside MULTI is not allowed')
  for (let i = 1; i < args.count; i++) session.server.watch(session, session.database, args.at(i))
  session.reply.ok()
}

function unwatch(session: Session): void {
  session.server.unwatch(session)
  session.reply.ok()
}

function forget(session: Session): void {
  session.transaction = null
  session.server.unwatch(session)
}
