// The directives that do something: the one list of what Casky can be told. Those that are only accepted are in inert.ts.
//
//   kind      how its words are read and written (kinds.ts), with the range
//   default   as it would stand in a file
//   change    'live': CONFIG SET works. 'start': read once ("can't set immutable config"). 'protected': the same, with the
//             text Redis has for what a client must not touch ("can't set protected config")
//   secret    CASKY_<NAME>_FILE may name a file that holds it; never in logs
//   doc       one sentence, with the unit. The consequences are told in casky.conf.example, which a test holds to this table
//
// A value is read once and copied by whoever needs it. A 'live' directive is applied by listeners (config.ts, onChange); as
// long as nobody listens to it, CONFIG SET refuses it like any other immutable one. So nothing is accepted and ignored.

import { MAX_SEGMENT_SIZE, MAX_VALUE_BYTES } from '../base/limits.ts'
import { anyText, eventClasses, hours, type Kind, oneOf, path, type ValueOf, yesNo } from './kinds.ts'
import { addresses, outputLimits, percentiles, shutdownFlags } from './lists.ts'
import { amount, bytes, clamped, INT_MAX, integer, LONG_MAX, long, octal, UINT_MAX } from './numbers.ts'

export interface Row<T> {
  readonly kind: Kind<T>
  readonly default: string
  readonly change: 'live' | 'start' | 'protected'
  readonly secret: boolean
  readonly doc: string
}

const MAX_BYTES = Number.MAX_SAFE_INTEGER
const CACHE_MAX = 64 * 1024 ** 3

function live<T>(kind: Kind<T>, text: string, doc: string): Row<T> {
  return { kind, default: text, change: 'live', secret: false, doc }
}

function start<T>(kind: Kind<T>, text: string, doc: string): Row<T> {
  return { kind, default: text, change: 'start', secret: false, doc }
}

// biome-ignore format: a table is read by its columns
export const directives = {
  // network
  'bind':               live(addresses, '127.0.0.1 -::1', 'Addresses to listen on; "-" before one: skip it where it is missing; "": none.'),
  'port':               live(integer(0, 65535), '6379', 'TCP port; 0: no TCP.'),
  'tcp-backlog':        start(integer(0, INT_MAX), '511', 'Connections the kernel keeps waiting to be accepted.'),
  'unixsocket':         start(path, '""', 'Path of a unix socket to listen on as well; "": none.'),
  'unixsocketperm':     start(octal(0o777), '0', 'Its permission bits, octal; 0: as the umask has it.'),
  'protected-mode':     live(yesNo, 'yes', 'Without a password, only local clients are served.'),
  'timeout':            live(integer(0, INT_MAX), '0', 'Seconds after which an idle client is dropped; 0: never.'),
  'tcp-keepalive':      live(integer(0, INT_MAX), '300', 'Seconds of silence before TCP asks whether the peer still lives; 0: off.'),
  'maxclients':         live(integer(1, UINT_MAX), '10000', 'Clients connected at a time.'),

  // security
  'requirepass':        { kind: anyText, default: '""', change: 'live', secret: true, doc: 'Password; "": none.' } as Row<string>,
  'enable-debug-command':  start(oneOf('no', 'yes', 'local'), 'no', 'Who may use DEBUG.'),
  'enable-module-command': start(oneOf('no', 'yes', 'local'), 'no', 'Who may try MODULE LOAD, which fails: there are no modules.'),

  // general
  'databases':          start(integer(1, 65536), '16', 'Databases that SELECT chooses from.'),
  'hz':                 live(clamped(1, 500), '10', 'How often a second the server looks for time-outs and takes figures.'),
  'shutdown-on-sigint':   live(shutdownFlags, 'default', 'Options of SHUTDOWN for the signal SIGINT: default, or some of save, nosave, now, force.'),
  'shutdown-on-sigterm':  live(shutdownFlags, 'default', 'The same for SIGTERM.'),
  'shutdown-timeout':   live(integer(0, INT_MAX), '10', 'Seconds a shutdown may take before it is forced.'),
  'loglevel':           live(oneOf('debug', 'verbose', 'notice', 'warning', 'nothing'), 'notice', 'Least important level that is logged.'),
  'logfile':            start(path, '""', 'File the log is appended to; "": standard output.'),
  'pidfile':              start(path, '""', 'File that holds the process number while the server runs; "": none.'),
  'log-format':         start(oneOf('redis', 'json'), 'redis', 'Lines as redis-server writes them, or one JSON object a line.'),

  // storage
  'dir':                { kind: path, default: './data', change: 'protected', secret: false, doc: 'Directory of the data; made if missing.' } as Row<string>,
  'appendfsync':        live(oneOf('everysec', 'always', 'no'), 'everysec', 'When what was written is made safe from a power cut.'),
  'segment-size':       live(bytes(400, MAX_SEGMENT_SIZE), '128mb', 'Bytes after which a new segment file is begun.'),
  'segment-age':        live(integer(0, INT_MAX), '0', 'Seconds after which a new segment file is begun; 0: by size only.'),
  'value-cache-size':   live(bytes(0, CACHE_MAX), '128mb', 'Bytes of memory for values; 0: none, values come from disk.'),
  'disk-reserve':       start(bytes(0, CACHE_MAX), '64mb', 'Bytes held back on disk, given up when the disk is full; 0: none.'),
  'rdbcompression':     live(yesNo, 'yes', 'Whether DUMP makes long values smaller.'),
  'on-corruption':      start(oneOf('refuse', 'serve'), 'refuse', 'What to do at start when damage leaves unknown which keys are lost.'),
  'unsafe-no-lock':     start(yesNo, 'no', 'Start even where the directory cannot be locked.'),

  // merge
  'merge-enabled':                 live(yesNo, 'yes', 'Merges start by themselves; MERGE works either way.'),
  'merge-interval-ms':             live(integer(1, INT_MAX), '180000', 'Milliseconds between two looks at whether to merge.'),
  'merge-window':                  live(hours, 'always', 'When merges may start by themselves: always, never, or hours like 22-06.'),
  'merge-rate':                    live(bytes(0, MAX_BYTES), '0', 'Bytes a second that a merge may read and write; 0: no limit.'),
  'merge-trigger-fragmentation':   live(integer(0, 100), '60', 'Percent of dead records in a segment that starts a merge.'),
  'merge-trigger-segments':        live(integer(0, 1000), '3', 'Full segments of dead bytes in all from which that percentage counts.'),
  'merge-trigger-dead-bytes':      live(bytes(0, MAX_BYTES), '512mb', 'Dead bytes in a segment that start a merge.'),
  'merge-threshold-fragmentation': live(integer(0, 100), '40', 'Percent of dead records from which a segment takes part.'),
  'merge-threshold-dead-bytes':    live(bytes(0, MAX_BYTES), '128mb', 'Dead bytes from which a segment takes part.'),
  'merge-threshold-small-file':    live(bytes(0, MAX_BYTES), '10mb', 'Segments smaller than this take part.'),

  // scrub
  'scrub-rate':                    live(bytes(0, MAX_BYTES), '32mb', 'Bytes a second that SCRUB reads; 0: no limit.'),

  // watching
  'slowlog-log-slower-than':           live(long(-1n, LONG_MAX), '10000', 'Microseconds from which a command is slow; -1: none is, 0: all are.'),
  'slowlog-max-len':                   live(long(0n, LONG_MAX), '128', 'Slow commands that are kept.'),
  'latency-monitor-threshold':         live(long(0n, LONG_MAX), '0', 'Milliseconds from which an event is kept for LATENCY; 0: off.'),
  'latency-tracking':                  live(yesNo, 'yes', 'Keep how long each command takes.'),
  'latency-tracking-info-percentiles': live(percentiles, '50 99 99.9', 'Percentiles of it in INFO latencystats.'),
  'notify-keyspace-events':            live(eventClasses, '""', 'Classes of changes to keys that are published; "": none.'),
  'tracking-table-max-keys':           live(long(0n, LONG_MAX), '1000000', 'Keys remembered for client-side caching; 0: no limit.'),
  'hll-sparse-max-bytes':              live(amount(0n, LONG_MAX), '3000', 'Bytes a sparse HyperLogLog may have before it becomes dense.'),

  // limits on clients
  'proto-max-bulk-len':         live(bytes(1024 ** 2, MAX_VALUE_BYTES), '512mb', 'Bytes of the longest argument, hence value.'),
  'client-query-buffer-limit':  live(amount(1024n ** 2n, LONG_MAX), '1gb', 'Bytes of a request that has not arrived whole.'),
  'client-output-buffer-limit': live(outputLimits, 'normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60', 'Bytes of replies that a client has not read: at once, or for seconds.'),
} as const satisfies Record<string, Row<unknown>>

export type Name = keyof typeof directives

/** The value of each directive, typed. */
export type Values = { readonly [K in Name]: ValueOf<(typeof directives)[K]['kind']> }
