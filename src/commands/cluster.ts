// CLUSTER and what belongs to it: this server is none of a cluster's, and says so in the words a Redis has for that.
//
// Clients ask to find out. So the rows are all there, with the arities of Redis, and every call that is well formed gets the same error.

import { ADMIN, type Command, FAST, LOADING, NOSCRIPT, STALE } from './command.ts'
import type { Session } from './session.ts'
import { subcommandsOf } from './subcommands.ts'

const DISABLED = 'ERR This instance has cluster support disabled'
const SUMMARY = 'There is no cluster here: an error.'
const VARIES = ['nondeterministic_output'] as const
const CHANGES = ADMIN | STALE

// biome-ignore format: a table is read by its columns
const SUBCOMMANDS: readonly (readonly [name: string, arity: number, flags: number, since: string, tips?: readonly string[]])[] = [
  ['ADDSLOTS', -3, CHANGES, '3.0.0'],
  ['ADDSLOTSRANGE', -4, CHANGES, '7.0.0'],
  ['BUMPEPOCH', 2, CHANGES, '3.0.0', VARIES],
  ['COUNT-FAILURE-REPORTS', 3, CHANGES, '3.0.0', VARIES],
  ['COUNTKEYSINSLOT', 3, STALE, '3.0.0'],
  ['DELSLOTS', -3, CHANGES, '3.0.0'],
  ['DELSLOTSRANGE', -4, CHANGES, '7.0.0'],
  ['FAILOVER', -2, CHANGES, '3.0.0'],
  ['FLUSHSLOTS', 2, CHANGES, '3.0.0'],
  ['FORGET', 3, CHANGES, '3.0.0'],
  ['GETKEYSINSLOT', 4, STALE, '3.0.0', VARIES],
  ['HELP', 2, LOADING | STALE, '5.0.0'],
  ['INFO', 2, STALE, '3.0.0', VARIES],
  ['KEYSLOT', 3, STALE, '3.0.0'],
  ['LINKS', 2, STALE, '7.0.0', VARIES],
  ['MEET', -4, CHANGES, '3.0.0'],
  ['MYID', 2, STALE, '3.0.0'],
  ['NODES', 2, STALE, '3.0.0', VARIES],
  ['REPLICAS', 3, CHANGES, '5.0.0', VARIES],
  ['REPLICATE', 3, CHANGES, '3.0.0'],
  ['RESET', -2, CHANGES | NOSCRIPT, '3.0.0'],
  ['SAVECONFIG', 2, CHANGES, '3.0.0'],
  ['SET-CONFIG-EPOCH', 3, CHANGES, '3.0.0'],
  ['SETSLOT', -4, CHANGES, '3.0.0'],
  ['SHARDS', 2, STALE, '7.0.0', VARIES],
  ['SLAVES', 3, CHANGES, '3.0.0', VARIES],
  ['SLOTS', 2, STALE, '3.0.0', VARIES],
]

const clusterSubcommands: readonly Command[] = SUBCOMMANDS.map(([name, arity, flags, since, tips = []]) => ({
  name: `CLUSTER|${name}`,
  arity,
  flags,
  keys: null,
  tips,
  run: refuse,
  summary: SUMMARY,
  since,
  group: 'cluster',
  complexity: 'O(1)',
}))

const CLIENT_OF_A_CLUSTER = { arity: 1, keys: null, run: refuse, summary: SUMMARY, category: 'connection' } as const

export const clusterCommands = [
  {
    name: 'CLUSTER',
    arity: -2,
    flags: 0,
    keys: null,
    run: () => {},
    subcommands: subcommandsOf(clusterSubcommands),
    summary: SUMMARY,
    since: '3.0.0',
    group: 'cluster',
    complexity: 'O(1)',
  },
  {
    ...CLIENT_OF_A_CLUSTER,
    name: 'READONLY',
    flags: LOADING | STALE | FAST,
    since: '3.0.0',
    group: 'cluster',
    complexity: 'O(1)',
  },
  {
    ...CLIENT_OF_A_CLUSTER,
    name: 'READWRITE',
    flags: LOADING | STALE | FAST,
    since: '3.0.0',
    group: 'cluster',
    complexity: 'O(1)',
  },
  { ...CLIENT_OF_A_CLUSTER, name: 'ASKING', flags: FAST, since: '3.0.0', group: 'cluster', complexity: 'O(1)' },
] as const satisfies readonly Command[]

function refuse(session: Session): void {
  session.reply.error(DISABLED)
}
