// MERGE: making room by hand, and seeing what the engine would do by itself.
//
//   MERGE            starts one in the background    +Background merge started, or why not
//   MERGE WAIT       starts one unless one runs, and answers when it has ended: the bytes it freed
//   MERGE STATUS     map: state, counters, the last one's result, when the next check comes
//   MERGE ESTIMATE   map: bytes_freed, segments: what a merge now would free, and out of how many segments
//   MERGE WHY        array, a map for each segment: how much of it is live, dead, expired, and why it would be picked or not
//   MERGE PAUSE      none starts, the running one stands still until MERGE RESUME
//
// BGREWRITEAOF, which makes room in Redis, does the same under that name and with Redis's answers.

import type { MergeStatus, SegmentReason } from '../engine/engine.ts'
import { ADMIN, BLOCKING, type Command, NO_MULTI, NOSCRIPT } from './command.ts'
import { replyWithFields } from './fields.ts'
import { replyWithHelp } from './help.ts'
import type { Session } from './session.ts'
import { inSteps } from './steps.ts'
import { subcommandsOf } from './subcommands.ts'

const SINCE_CASKY = '0.1.0'

const mergeSubcommands = [
  {
    name: 'MERGE|WAIT',
    arity: 2,
    flags: ADMIN | NOSCRIPT | NO_MULTI | BLOCKING,
    keys: null,
    run: wait,
    summary: 'Merges and returns the number of bytes freed when that is done. Other clients are served meanwhile.',
    since: SINCE_CASKY,
    group: 'server',
    complexity: 'O(N) for N bytes of the segments picked.',
  },
  {
    name: 'MERGE|STATUS',
    arity: 2,
    flags: ADMIN | NOSCRIPT,
    keys: null,
    run: status,
    summary: 'Returns what the merge is doing and what the last one did.',
    since: SINCE_CASKY,
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'MERGE|ESTIMATE',
    arity: 2,
    flags: ADMIN | NOSCRIPT,
    keys: null,
    run: estimate,
    summary: 'Returns how many bytes a merge would free now, and out of how many segments.',
    since: SINCE_CASKY,
    group: 'server',
    complexity: 'O(N) for N segments.',
  },
  {
    name: 'MERGE|WHY',
    arity: 2,
    flags: ADMIN | NOSCRIPT,
    keys: null,
    run: why,
    summary: 'Returns for each segment what it holds and why the next merge would pick it or not.',
    since: SINCE_CASKY,
    group: 'server',
    complexity: 'O(N) for N segments and keys that have expired and are not removed yet.',
  },
  {
    name: 'MERGE|PAUSE',
    arity: 2,
    flags: ADMIN | NOSCRIPT,
    keys: null,
    run: (session) => {
      session.engine.merge.pause()
      session.reply.ok()
    },
    summary: 'Stops merging until MERGE RESUME; a running merge stands still.',
    since: SINCE_CASKY,
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'MERGE|RESUME',
    arity: 2,
    flags: ADMIN | NOSCRIPT,
    keys: null,
    run: (session) => {
      session.engine.merge.resume()
      session.reply.ok()
    },
    summary: 'Lets merges go on after MERGE PAUSE.',
    since: SINCE_CASKY,
    group: 'server',
    complexity: 'O(1)',
  },
  {
    name: 'MERGE|HELP',
    arity: 2,
    flags: 0,
    keys: null,
    run: (session) => replyWithHelp(session, 'MERGE', MERGE_HELP),
    summary: 'Explains the subcommands.',
    since: SINCE_CASKY,
    group: 'server',
    complexity: 'O(1)',
  },
] as const satisfies readonly Command[]

const MERGE_HELP = [
  '(no subcommand)',
  '    Start a merge in the background.',
  'WAIT',
  '    Merge, and return the number of bytes freed.',
  'STATUS',
  '    What the merge is doing and what the last one did.',
  'ESTIMATE',
  '    How many bytes a merge would free now.',
  'WHY',
  '    For each segment: live, dead, expired, and why it would be picked or not.',
  'PAUSE',
  '    Stop merging; a running merge stands still.',
  'RESUME',
  '    Go on.',
]

export const mergeCommands = [
  {
    name: 'MERGE',
    arity: -1,
    flags: ADMIN | NOSCRIPT,
    keys: null,
    run: (session) => start(session, 'Background merge started', 'ERR Background merge already in progress'),
    subcommands: subcommandsOf(mergeSubcommands),
    summary: 'Starts to give back, in the background, the disk space of what was deleted, overwritten or has expired.',
    since: SINCE_CASKY,
    group: 'server',
    complexity: 'O(1)',
    difference: "Casky's own.",
  },
  {
    name: 'BGREWRITEAOF',
    arity: 1,
    flags: ADMIN | NOSCRIPT,
    keys: null,
    run: (session) =>
      start(
        session,
        'Background append only file rewriting started',
        'ERR Background append only file rewriting already in progress',
      ),
    summary: 'The same as MERGE, under the name that makes room in Redis.',
    since: '1.0.0',
    group: 'server',
    complexity: 'O(1)',
    difference: 'Merges segments.',
  },
] as const satisfies readonly Command[]

function start(session: Session, started: string, running: string): void {
  const { engine, reply } = session
  if (engine.merge.start()) return reply.simple(started)
  const { state } = engine.merge.status()
  if (state === 'running') reply.error(running)
  else if (state === 'paused') reply.error('ERR merging is paused: MERGE RESUME lets it go on')
  else reply.simple('Nothing to merge')
}

function wait(session: Session): void {
  const release = session.hold()
  session.engine.merge.wait((error, bytesFreed) => {
    if (error === null) session.reply.integer(bytesFreed)
    else session.reply.error(`ERR merge failed: ${error.message}`)
    release()
  })
}

function status(session: Session): void {
  const status: MergeStatus = session.engine.merge.status()
  replyWithFields(session, [
    ['state', status.state],
    ['segments', status.segments],
    ['bytes_total', status.bytesTotal],
    ['bytes_read', status.bytesRead],
    ['bytes_written', status.bytesWritten],
    ['merges', status.merges],
    ['failures', status.failures],
    ['last_freed_bytes', status.lastFreedBytes],
    ['last_duration_ms', status.lastDurationMs],
    ['last_error', status.lastError],
    ['next_check_in_ms', status.nextCheckInMs],
  ])
}

function estimate(session: Session): void {
  const { bytesFreed, segments } = session.engine.merge.estimate()
  replyWithFields(session, [
    ['bytes_freed', bytesFreed],
    ['segments', segments],
  ])
}

function why(session: Session): void {
  const reasons = session.engine.merge.why()
  inSteps(session, reasons.step, () => replyWithReasons(session, reasons.segments()))
}

function replyWithReasons(session: Session, segments: readonly SegmentReason[]): void {
  session.reply.array(segments.length)
  for (const each of segments) {
    replyWithFields(session, [
      ['segment', each.segment],
      ['bytes', each.bytes],
      ['live_bytes', each.liveBytes],
      ['dead_bytes', each.deadBytes],
      ['expired_bytes', each.expiredBytes],
      ['tombstones', each.tombstones],
      ['verdict', each.verdict],
    ])
  }
}
