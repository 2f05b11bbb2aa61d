// SCRUB: reading everything that is sealed, to find damage before somebody needs what is damaged.
//
//   SCRUB            starts one in the background    +Background scrub started
//   SCRUB WAIT       starts one unless one runs, and answers when it has ended: the number of damaged places
//   SCRUB STATUS     map: state, how far it is, what it has found, the last one's result
//   SCRUB PAUSE      the running one, or the next, stands still until SCRUB RESUME
//   SCRUB CANCEL     ends the running one
//
// Names and answers are as MERGE's (merge.ts).

import { ADMIN, BLOCKING, type Command, NO_MULTI, NOSCRIPT } from './command.ts'
import { replyWithFields } from './fields.ts'
import { replyWithHelp } from './help.ts'
import type { Session } from './session.ts'
import { subcommandsOf } from './subcommands.ts'

const SINCE_CASKY = '0.1.0'

const scrubSubcommands = [
  {
    name: 'SCRUB|WAIT',
    arity: 2,
    flags: ADMIN | NOSCRIPT | NO_MULTI | BLOCKING,
    keys: null,
    run: wait,
    summary: 'Scrubs and returns the number of damaged places when that is done. Other clients are served meanwhile.',
    since: SINCE_CASKY,
    group: 'server',
    complexity: 'O(N) for N bytes on disk.',
  },
  {
    name: 'SCRUB|STATUS',
    arity: 2,
    flags: ADMIN | NOSCRIPT,
    keys: null,
    run: status,
    summary: 'Returns what the scrub is doing, what it has found and what the last one found.',
    since: SINCE_CASKY,
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'SCRUB|PAUSE',
    arity: 2,
    flags: ADMIN | NOSCRIPT,
    keys: null,
    run: (session) => {
      session.engine.scrub.pause()
      session.reply.ok()
    },
    summary: 'Lets the scrub stand still until SCRUB RESUME.',
    since: SINCE_CASKY,
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'SCRUB|RESUME',
    arity: 2,
    flags: ADMIN | NOSCRIPT,
    keys: null,
    run: (session) => {
      session.engine.scrub.resume()
      session.reply.ok()
    },
    summary: 'Lets the scrub go on after SCRUB PAUSE.',
    since: SINCE_CASKY,
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'SCRUB|CANCEL',
    arity: 2,
    flags: ADMIN | NOSCRIPT,
    keys: null,
    run: (session) => {
      if (session.engine.scrub.cancel()) session.reply.ok()
      else session.reply.error('ERR no scrub is running')
    },
    summary: 'Ends the running scrub. What it has found stays known.',
    since: SINCE_CASKY,
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'SCRUB|HELP',
    arity: 2,
    flags: 0,
    keys: null,
    run: (session) => replyWithHelp(session, 'SCRUB', SCRUB_HELP),
    summary: 'Explains the subcommands.',
    since: SINCE_CASKY,
    group: 'server',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

const SCRUB_HELP = [
  '(no subcommand)',
  '    Start to read everything that is sealed, in the background.',
  'WAIT',
  '    Scrub, and return the number of damaged places.',
  'STATUS',
  '    What the scrub is doing, what it has found, and what the last one found.',
  'PAUSE',
  '    Stand still.',
  'RESUME',
  '    Go on.',
  'CANCEL',
  '    End the running scrub.',
]

export const scrubCommands = [
  {
    name: 'SCRUB',
    arity: -1,
    flags: ADMIN | NOSCRIPT,
    keys: null,
    run: start,
    subcommands: subcommandsOf(scrubSubcommands),
    summary:
      'Starts to read, in the background, all data files but those that are written to, and tells what is damaged.',
    since: SINCE_CASKY,
    group: 'server',
    complexity: 'O(1)',
    difference: "Casky's own.",
  },
] as const satisfies readonly Command[]

function start({ engine, reply }: Session): void {
  if (engine.scrub.start()) reply.simple('Background scrub started')
  else reply.error('ERR Background scrub already in progress')
}

function wait(session: Session): void {
  const release = session.hold()
  session.engine.scrub.wait((error, damaged) => {
    if (error === null) session.reply.integer(damaged)
    else session.reply.error(`ERR scrub failed: ${error.message}`)
    release()
  })
}

function status(session: Session): void {
  const status = session.engine.scrub.status()
  replyWithFields(session, [
    ['state', status.state],
    ['segments', status.segments],
    ['segments_read', status.segmentsRead],
    ['bytes_total', status.bytesTotal],
    ['bytes_read', status.bytesRead],
    ['damaged', status.damaged],
    ['damaged_keys', status.damagedKeys],
    ['scrubs', status.scrubs],
    ['failures', status.failures],
    ['last_time', status.lastEndedAt / 1000],
    ['last_duration_ms', status.lastDurationMs],
    ['last_segments', status.lastSegments],
    ['last_bytes', status.lastBytes],
    ['last_damaged', status.lastDamaged],
    ['last_damaged_keys', status.lastDamagedKeys],
    ['last_error', status.lastError],
  ])
}
