// Directives that are accepted and do nothing here: images, test tools and old configuration files pass them, and a server
// that refuses to start over them serves nobody. They are range-checked, kept, and answered by CONFIG GET and REWRITE.
// Each group says why it has no meaning; the manual lists them all.
//
// Accepting is not always kind. Where ignoring would break a promise (encryption, replication, a daemon, a password file),
// only the value that means "off" is taken, and the error says what to do instead. rename-command, loadmodule and user are
// not known at all, and so are an error, for the same reason.

import { Refusal } from './grammar.ts'
import { anyText, bytes, integer, type Kind, oneOf, only, savePoints, words, yesNo } from './kinds.ts'

export interface InertRow {
  readonly kind: Kind<unknown>
  readonly default: string
  /** Other names that mean the same. */
  readonly aliases: readonly string[]
}

export interface InertGroup {
  readonly reason: string
  readonly rows: Readonly<Record<string, InertRow>>
}

const natural = integer(0, 2147483647)
const positive = integer(1, 2147483647)
const whole = integer(-2147483648, 2147483647)
const percent = integer(0, 100)
const amount = bytes(0, Number.MAX_SAFE_INTEGER)

function row<T>(kind: Kind<T>, text: string, ...aliases: string[]): InertRow {
  // A row is always used with the value its own kind has made, so what T is does not matter outside of it.
  return { kind: kind as Kind<unknown>, default: text, aliases }
}

/** `replica-...` with the name it had before. */
function replica<T>(kind: Kind<T>, text: string, suffix: string): Readonly<Record<string, InertRow>> {
  return { [`replica-${suffix}`]: row(kind, text, `slave-${suffix}`) }
}

const noMaster: Kind<string> = {
  arity: 'many',
  range: 'no one',
  parse(given) {
    const said = given.join(' ').toLowerCase()
    return said === '' || said === 'no one' ? '' : new Refusal('Casky does not replicate: only "no one" is accepted')
  },
  text: () => '',
  lines: () => ['no one'],
}

export const inertGroups: readonly InertGroup[] = [
  {
    reason: 'There is no snapshot and no append-only file beside the data: the data is one log, always on.',
    rows: {
      save: row(savePoints, '""'),
      dbfilename: row(anyText, 'dump.rdb'),
      rdbcompression: row(yesNo, 'yes'),
      rdbchecksum: row(yesNo, 'yes'),
      'rdb-del-sync-files': row(yesNo, 'no'),
      'rdb-save-incremental-fsync': row(yesNo, 'yes'),
      'stop-writes-on-bgsave-error': row(yesNo, 'yes'),
      'sanitize-dump-payload': row(oneOf('no', 'yes', 'clients'), 'no'),
      appendonly: row(yesNo, 'yes'),
      appendfilename: row(anyText, 'appendonly.aof'),
      appenddirname: row(anyText, 'appendonlydir'),
      'no-appendfsync-on-rewrite': row(yesNo, 'no'),
      'auto-aof-rewrite-percentage': row(natural, '100'),
      'auto-aof-rewrite-min-size': row(amount, '64mb'),
      'aof-load-truncated': row(yesNo, 'yes'),
      'aof-use-rdb-preamble': row(yesNo, 'yes'),
      'aof-timestamp-enabled': row(yesNo, 'no'),
      'aof-rewrite-incremental-fsync': row(yesNo, 'yes'),
      'aof-disable-auto-gc': row(yesNo, 'no'),
    },
  },
  {
    reason: 'Values live on disk, so memory does not bound the data; keys are never evicted.',
    rows: {
      maxmemory: row(amount, '0'),
      'maxmemory-policy': row(
        oneOf(
          'volatile-lru',
          'volatile-lfu',
          'volatile-random',
          'volatile-ttl',
          'allkeys-lru',
          'allkeys-lfu',
          'allkeys-random',
          'noeviction',
        ),
        'noeviction',
      ),
      'maxmemory-samples': row(positive, '5'),
      'maxmemory-eviction-tenacity': row(percent, '10'),
      'maxmemory-clients': row(
        words(1, 1, (word) => /^[0-9]+([a-z]*|%)$/i.test(word), 'argument must be a memory or percent value'),
        '0',
      ),
      'lfu-log-factor': row(natural, '10'),
      'lfu-decay-time': row(natural, '1'),
      'lazyfree-lazy-eviction': row(yesNo, 'no'),
      'lazyfree-lazy-expire': row(yesNo, 'no'),
      'lazyfree-lazy-server-del': row(yesNo, 'no'),
      'lazyfree-lazy-user-del': row(yesNo, 'no'),
      'lazyfree-lazy-user-flush': row(yesNo, 'no'),
      activerehashing: row(yesNo, 'yes'),
      activedefrag: row(yesNo, 'no'),
      'active-defrag-ignore-bytes': row(amount, '100mb'),
      'active-defrag-threshold-lower': row(integer(0, 1000), '10'),
      'active-defrag-threshold-upper': row(integer(0, 1000), '100'),
      'active-defrag-cycle-min': row(integer(1, 99), '1'),
      'active-defrag-cycle-max': row(integer(1, 99), '25'),
      'active-defrag-max-scan-fields': row(positive, '1000'),
      'active-expire-effort': row(integer(1, 10), '1'),
      'jemalloc-bg-thread': row(yesNo, 'yes'),
    },
  },
  {
    reason: 'Encodings of data types that are not here, or of values in memory.',
    rows: {
      'hash-max-listpack-entries': row(natural, '512', 'hash-max-ziplist-entries'),
      'hash-max-listpack-value': row(natural, '64', 'hash-max-ziplist-value'),
      'list-max-listpack-size': row(whole, '-2', 'list-max-ziplist-size'),
      'list-compress-depth': row(natural, '0'),
      'list-max-ziplist-entries': row(natural, '512'),
      'list-max-ziplist-value': row(natural, '64'),
      'set-max-intset-entries': row(natural, '512'),
      'set-max-listpack-entries': row(natural, '128'),
      'set-max-listpack-value': row(natural, '64'),
      'zset-max-listpack-entries': row(natural, '128', 'zset-max-ziplist-entries'),
      'zset-max-listpack-value': row(natural, '64', 'zset-max-ziplist-value'),
      'hll-sparse-max-bytes': row(natural, '3000'),
      'stream-node-max-bytes': row(amount, '4kb'),
      'stream-node-max-entries': row(natural, '100'),
    },
  },
  {
    reason: 'The process stays in the foreground and leaves starting, watching and naming it to others.',
    rows: {
      daemonize: row(
        only('no', 'Casky does not daemonize: run it under a supervisor, in a container, or with &'),
        'no',
      ),
      supervised: row(oneOf('upstart', 'systemd', 'auto', 'no'), 'no'),
      pidfile: row(anyText, '""'),
      'always-show-logo': row(yesNo, 'no'),
      'set-proc-title': row(yesNo, 'yes'),
      'proc-title-template': row(anyText, '"{title} {listen-addr} {server-mode}"'),
      'syslog-enabled': row(only('no', 'Casky does not write to syslog: see logfile'), 'no'),
      'syslog-ident': row(anyText, 'casky'),
      'syslog-facility': row(anyText, 'local0'),
      'crash-log-enabled': row(yesNo, 'yes'),
      'crash-memcheck-enabled': row(yesNo, 'yes'),
      'disable-thp': row(yesNo, 'yes'),
      'oom-score-adj': row(oneOf('no', 'yes', 'relative', 'absolute'), 'no'),
      'oom-score-adj-values': row(
        words(
          3,
          3,
          (word) => /^-?[0-9]{1,4}$/.test(word) && Math.abs(Number(word)) <= 2000,
          'Invalid oom-score-adj-values, elements must be between -2000 and 2000.',
        ),
        '0 200 800',
      ),
      'shutdown-on-sigint': row(words(1, 4, isShutdownFlag, 'Invalid shutdown flag'), 'default'),
      'shutdown-on-sigterm': row(words(1, 4, isShutdownFlag, 'Invalid shutdown flag'), 'default'),
      'ignore-warnings': row(anyText, '""'),
      'locale-collate': row(anyText, '""'),
    },
  },
  {
    reason: 'Threads and timing are handled otherwise.',
    rows: {
      'io-threads': row(integer(1, 128), '1'),
      'io-threads-do-reads': row(yesNo, 'no'),
      'dynamic-hz': row(yesNo, 'yes'),
      'socket-mark-id': row(integer(0, 4294967295), '0'),
      server_cpulist: row(anyText, '""'),
      bio_cpulist: row(anyText, '""'),
      aof_rewrite_cpulist: row(anyText, '""'),
      bgsave_cpulist: row(anyText, '""'),
    },
  },
  {
    reason: 'For commands that are not here: scripts, slow log, latency monitor, notifications, DEBUG, modules.',
    rows: {
      'busy-reply-threshold': row(natural, '5000', 'lua-time-limit'),
      'lua-replicate-commands': row(yesNo, 'yes'),
      'slowlog-log-slower-than': row(integer(-1, Number.MAX_SAFE_INTEGER), '10000'),
      'slowlog-max-len': row(integer(0, Number.MAX_SAFE_INTEGER), '128'),
      'latency-monitor-threshold': row(integer(0, Number.MAX_SAFE_INTEGER), '0'),
      'latency-tracking': row(yesNo, 'yes'),
      'latency-tracking-info-percentiles': row(
        words(
          0,
          100,
          (word) => /^[0-9]{1,3}(\.[0-9]+)?$/.test(word) && Number(word) <= 100,
          'latency-tracking-info-percentiles parameters should sit between [0.0,100.0]',
        ),
        '50 99 99.9',
      ),
      'notify-keyspace-events': row(
        words(
          0,
          1,
          (word) => /^[Ag$lshzxeKEtmdn]*$/.test(word),
          "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
        ),
        '""',
      ),
      'tracking-table-max-keys': row(integer(0, Number.MAX_SAFE_INTEGER), '1000000'),
      'enable-debug-command': row(oneOf('no', 'yes', 'local'), 'no'),
      'enable-module-command': row(oneOf('no', 'yes', 'local'), 'no'),
      'enable-protected-configs': row(oneOf('no', 'yes', 'local'), 'no'),
    },
  },
  {
    reason: 'There is one user, default, with one password.',
    rows: {
      aclfile: row(only('', 'Casky has no ACL files: there is one user, see requirepass'), '""'),
      'acllog-max-len': row(natural, '128'),
      'acl-pubsub-default': row(oneOf('allchannels', 'resetchannels'), 'resetchannels'),
    },
  },
  {
    reason: 'There is no TLS: put a proxy before it, or keep it on a unix socket or the loopback.',
    rows: {
      'tls-port': row(only('0', 'Casky has no TLS: put a proxy before it'), '0'),
    },
  },
  {
    reason: 'There is no replication and no cluster: a server stands alone.',
    rows: {
      replicaof: row(noMaster, '""', 'slaveof'),
      masterauth: row(anyText, '""'),
      masteruser: row(anyText, '""'),
      ...replica(yesNo, 'yes', 'read-only'),
      ...replica(yesNo, 'yes', 'serve-stale-data'),
      ...replica(natural, '100', 'priority'),
      ...replica(yesNo, 'no', 'lazy-flush'),
      ...replica(yesNo, 'yes', 'ignore-maxmemory'),
      ...replica(anyText, '""', 'announce-ip'),
      ...replica(integer(0, 65535), '0', 'announce-port'),
      'replica-announced': row(yesNo, 'yes'),
      'replica-ignore-disk-write-errors': row(yesNo, 'no'),
      'min-replicas-to-write': row(
        only('0', 'Casky does not replicate: no replica will ever be there'),
        '0',
        'min-slaves-to-write',
      ),
      'min-replicas-max-lag': row(natural, '10', 'min-slaves-max-lag'),
      'repl-backlog-size': row(amount, '1mb'),
      'repl-backlog-ttl': row(natural, '3600'),
      'repl-disable-tcp-nodelay': row(yesNo, 'no'),
      'repl-diskless-load': row(oneOf('disabled', 'on-empty-db', 'swapdb'), 'disabled'),
      'repl-diskless-sync': row(yesNo, 'yes'),
      'repl-diskless-sync-delay': row(natural, '5'),
      'repl-diskless-sync-max-replicas': row(natural, '0'),
      'repl-ping-replica-period': row(positive, '10', 'repl-ping-slave-period'),
      'repl-timeout': row(positive, '60'),
      'propagation-error-behavior': row(oneOf('ignore', 'panic', 'panic-on-replicas'), 'ignore'),
      'bind-source-addr': row(anyText, '""'),
      'cluster-enabled': row(only('no', 'Casky has no cluster mode'), 'no'),
      'cluster-config-file': row(anyText, 'nodes.conf'),
      'cluster-node-timeout': row(integer(0, Number.MAX_SAFE_INTEGER), '15000'),
      'cluster-require-full-coverage': row(yesNo, 'yes'),
      'cluster-migration-barrier': row(natural, '1'),
      'cluster-announce-ip': row(anyText, '""'),
      'cluster-announce-port': row(integer(0, 65535), '0'),
      'cluster-announce-bus-port': row(integer(0, 65535), '0'),
      'cluster-port': row(integer(0, 65535), '0'),
    },
  },
]

function isShutdownFlag(word: string): boolean {
  return ['default', 'save', 'nosave', 'now', 'force'].includes(word.toLowerCase())
}
