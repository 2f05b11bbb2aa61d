// Directives that are accepted and do nothing here: images, test tools and old configuration files pass them, and a server
// that refuses to start over them serves nobody. They are judged as Redis judges them, kept, and answered by CONFIG GET and
// REWRITE. Each group says why it has no meaning; the manual lists them all.
//
// Accepting is not always kind. Where ignoring would break a promise (encryption, replication, a daemon, a password file),
// only the value that means "off" is taken, and the error says what to do instead. The same goes for the lines at the end that
// are no directives: what they ask for is not here, and the refusal says so.

import { Refusal } from './grammar.ts'
import { ARITY, anyText, type Kind, oneOf, only, textLike, yesNo } from './kinds.ts'
import { numbers, savePoints } from './lists.ts'
import { amount, bytesOrPercent, INT_MAX, INT_MIN, integer, LONG_MAX, long, UINT_MAX, ULONG_MAX } from './numbers.ts'

export interface InertRow {
  readonly kind: Kind<unknown>
  readonly default: string
  readonly change: 'live' | 'start' | 'protected'
  /** Other names that mean the same. */
  readonly aliases: readonly string[]
}

export interface InertGroup {
  readonly reason: string
  readonly rows: Readonly<Record<string, InertRow>>
}

const natural = integer(0, INT_MAX)
const positive = integer(1, INT_MAX)
const port = integer(0, 65535)
const count = long(0n, LONG_MAX)
const size = amount(0n, LONG_MAX)
const percent = integer(0, 100)

function row<T>(kind: Kind<T>, text: string, ...aliases: string[]): InertRow {
  // A row is always used with the value its own kind has made, so what T is does not matter outside of it.
  return { kind: kind as Kind<unknown>, default: text, change: 'live', aliases }
}

/** What Redis does not change at run time either. */
function fixed<T>(kind: Kind<T>, text: string, ...aliases: string[]): InertRow {
  return { ...row(kind, text, ...aliases), change: 'start' }
}

/** `replica-...` with the name it had before. */
function replica<T>(kind: Kind<T>, text: string, suffix: string): Readonly<Record<string, InertRow>> {
  return { [`replica-${suffix}`]: row(kind, text, `slave-${suffix}`) }
}

const noMaster: Kind<string> = {
  arity: 'many',
  range: 'only no one',
  parse(given) {
    if (given.length !== 2) return ARITY
    if (given.join(' ').toLowerCase() === 'no one') return ''
    return new Refusal('Casky does not replicate: only "no one" is accepted')
  },
  text: () => '',
  lines: () => ['no one'],
}

const supervisor: Kind<string> = {
  ...oneOf('upstart', 'systemd', 'auto', 'no'),
  range: 'only no, auto',
  parse(given, current, loading) {
    const said = oneOf('upstart', 'systemd', 'auto', 'no').parse(given, current as 'no', loading)
    return said === 'upstart' || said === 'systemd'
      ? new Refusal('Casky does not tell a supervisor that it is ready: use "supervised no" and Type=exec')
      : said
  },
}

const oomScore: Kind<string> = {
  ...oneOf('no', 'yes', 'relative', 'absolute'),
  parse(given, current, loading) {
    const said = oneOf('no', 'yes', 'relative', 'absolute').parse(given, current as 'no', loading)
    return said === 'relative' ? 'yes' : said // two names of one value
  },
}

const hostname: Kind<string> = {
  ...anyText,
  parse(given) {
    const [word = ''] = given
    if (given.length !== 1) return ARITY
    if (word.length >= 256) return new Refusal('Hostnames must be less than 256 characters')
    if (/^[0-9A-Za-z.-]*$/.test(word)) return word
    return new Refusal('Hostnames may only contain alphanumeric characters, hyphens or dots')
  },
}

const fileName = textLike((word) => !word.includes('/'), "dbfilename can't be a path, just a filename")
const aofName = notEmpty('appendfilename', 'filename')
const aofFolder = notEmpty('appenddirname', 'dirname')

function notEmpty(name: string, what: string): Kind<string> {
  const kind = textLike((word) => !word.includes('/'), `${name} can't be a path, just a ${what}`)
  return {
    ...kind,
    parse: (given, current, loading) =>
      given.length === 1 && given[0] === ''
        ? new Refusal(`${name} can't be empty`)
        : kind.parse(given, current, loading),
  }
}

const titleTemplate = textLike(isTitleTemplate, 'template format is invalid or contains unknown variables')

/** Variables in braces, known ones; and something is left when those that may be empty are. */
function isTitleTemplate(template: string): boolean {
  const rest = template
    .replace(/\{(title|unixsocket|config-file)\}/g, '')
    .replace(/\{(listen-addr|server-mode|port|tls-port)\}/g, 'x')
  return rest.trim() !== '' && !/[{}]/.test(rest)
}

export const inertGroups: readonly InertGroup[] = [
  {
    reason: 'There is no snapshot and no append-only file beside the data: the data is one log, always on.',
    rows: {
      save: row(savePoints, '""'),
      dbfilename: { ...row(fileName, 'dump.rdb'), change: 'protected' },
      rdbchecksum: fixed(yesNo, 'yes'),
      'rdb-del-sync-files': row(yesNo, 'no'),
      'rdb-save-incremental-fsync': row(yesNo, 'yes'),
      'stop-writes-on-bgsave-error': row(yesNo, 'yes'),
      'sanitize-dump-payload': row(oneOf('no', 'yes', 'clients'), 'no'),
      appendonly: row(yesNo, 'yes'),
      appendfilename: fixed(aofName, 'appendonly.aof'),
      appenddirname: fixed(aofFolder, 'appendonlydir'),
      'no-appendfsync-on-rewrite': row(yesNo, 'no'),
      'auto-aof-rewrite-percentage': row(natural, '100'),
      'auto-aof-rewrite-min-size': row(size, '64mb'),
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
      maxmemory: row(amount(0n, ULONG_MAX), '0'),
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
      'maxmemory-clients': row(bytesOrPercent, '0'),
      'lfu-log-factor': row(natural, '10'),
      'lfu-decay-time': row(natural, '1'),
      'lazyfree-lazy-eviction': row(yesNo, 'no'),
      'lazyfree-lazy-expire': row(yesNo, 'no'),
      'lazyfree-lazy-server-del': row(yesNo, 'no'),
      'lazyfree-lazy-user-del': row(yesNo, 'no'),
      'lazyfree-lazy-user-flush': row(yesNo, 'no'),
      activerehashing: row(yesNo, 'yes'),
      activedefrag: row(
        only(yesNo, 'no', 'Active defragmentation cannot be enabled: what Casky keeps in memory is not fragmented'),
        'no',
      ),
      'active-defrag-ignore-bytes': row(amount(1n, LONG_MAX), '100mb'),
      'active-defrag-threshold-lower': row(integer(0, 1000), '10'),
      'active-defrag-threshold-upper': row(integer(0, 1000), '100'),
      'active-defrag-cycle-min': row(integer(1, 99), '1'),
      'active-defrag-cycle-max': row(integer(1, 99), '25'),
      'active-defrag-max-scan-fields': row(long(1n, LONG_MAX), '1000'),
      'active-expire-effort': row(integer(1, 10), '1'),
      'jemalloc-bg-thread': row(yesNo, 'yes'),
    },
  },
  {
    reason: 'Encodings of data types that are not here.',
    rows: {
      'hash-max-listpack-entries': row(count, '512', 'hash-max-ziplist-entries'),
      'hash-max-listpack-value': row(size, '64', 'hash-max-ziplist-value'),
      'list-max-listpack-size': row(integer(INT_MIN, INT_MAX), '-2', 'list-max-ziplist-size'),
      'list-compress-depth': row(natural, '0'),
      'set-max-intset-entries': row(count, '512'),
      'set-max-listpack-entries': row(count, '128'),
      'set-max-listpack-value': row(size, '64'),
      'zset-max-listpack-entries': row(count, '128', 'zset-max-ziplist-entries'),
      'zset-max-listpack-value': row(size, '64', 'zset-max-ziplist-value'),
      'stream-node-max-bytes': row(size, '4kb'),
      'stream-node-max-entries': row(count, '100'),
    },
  },
  {
    reason: 'The process stays in the foreground and leaves starting, watching and naming it to others.',
    rows: {
      daemonize: fixed(
        only(yesNo, 'no', 'Casky does not daemonize: run it under a supervisor, in a container, or with &'),
        'no',
      ),
      supervised: fixed(supervisor, 'no'),
      'always-show-logo': fixed(yesNo, 'no'),
      'set-proc-title': fixed(yesNo, 'yes'),
      'proc-title-template': row(titleTemplate, '"{title} {listen-addr} {server-mode}"'),
      'syslog-enabled': fixed(only(yesNo, 'no', 'Casky does not write to syslog: see logfile'), 'no'),
      'syslog-ident': fixed(anyText, 'redis'),
      'syslog-facility': fixed(
        oneOf('user', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'),
        'local0',
      ),
      'crash-log-enabled': row(yesNo, 'yes'),
      'crash-memcheck-enabled': row(yesNo, 'yes'),
      'disable-thp': fixed(yesNo, 'yes'),
      'oom-score-adj': row(oomScore, 'no'),
      'oom-score-adj-values': row(
        numbers(3, -2000, 2000, 'Invalid oom-score-adj-values, elements must be between -2000 and 2000.'),
        '0 200 800',
      ),
      'ignore-warnings': row(anyText, '""'),
      'locale-collate': row(anyText, '""'),
    },
  },
  {
    reason: 'Threads and timing are handled otherwise.',
    rows: {
      'io-threads': fixed(integer(1, 128), '1'),
      'io-threads-do-reads': fixed(yesNo, 'no'),
      'dynamic-hz': row(yesNo, 'yes'),
      'socket-mark-id': fixed(integer(0, UINT_MAX), '0'),
      server_cpulist: fixed(anyText, '""'),
      bio_cpulist: fixed(anyText, '""'),
      aof_rewrite_cpulist: fixed(anyText, '""'),
      bgsave_cpulist: fixed(anyText, '""'),
    },
  },
  {
    reason: 'For what is not here: scripts, a data directory that changes while the server runs.',
    rows: {
      'busy-reply-threshold': row(count, '5000', 'lua-time-limit'),
      'enable-protected-configs': fixed(oneOf('no', 'yes', 'local'), 'no'),
    },
  },
  {
    reason: 'There is one user, default, with one password.',
    rows: {
      aclfile: fixed(only(anyText, '', 'Casky has no ACL files: there is one user, see requirepass'), '""'),
      'acllog-max-len': row(count, '128'),
      'acl-pubsub-default': row(oneOf('allchannels', 'resetchannels'), 'resetchannels'),
    },
  },
  {
    reason: 'There is no TLS: put a proxy in front of it, or keep it on a unix socket or the loopback.',
    rows: {
      'tls-port': row(only(port, '0', 'Casky has no TLS: put a proxy in front of it'), '0'),
      'tls-cluster': row(only(yesNo, 'no', 'Casky has no TLS and no cluster'), 'no'),
      'tls-replication': row(only(yesNo, 'no', 'Casky has no TLS and no replication'), 'no'),
      'tls-auth-clients': row(oneOf('no', 'yes', 'optional'), 'yes'),
      'tls-prefer-server-ciphers': row(yesNo, 'no'),
      'tls-session-caching': row(yesNo, 'yes'),
      'tls-session-cache-size': row(natural, '20480'),
      'tls-session-cache-timeout': row(natural, '300'),
      'tls-cert-file': row(anyText, '""'),
      'tls-key-file': row(anyText, '""'),
      'tls-key-file-pass': row(anyText, '""'),
      'tls-client-cert-file': row(anyText, '""'),
      'tls-client-key-file': row(anyText, '""'),
      'tls-client-key-file-pass': row(anyText, '""'),
      'tls-dh-params-file': row(anyText, '""'),
      'tls-ca-cert-file': row(anyText, '""'),
      'tls-ca-cert-dir': row(anyText, '""'),
      'tls-protocols': row(anyText, '""'),
      'tls-ciphers': row(anyText, '""'),
      'tls-ciphersuites': row(anyText, '""'),
    },
  },
  {
    reason: 'There is no replication and no cluster: a server stands alone.',
    rows: {
      replicaof: fixed(noMaster, 'no one', 'slaveof'),
      masterauth: row(anyText, '""'),
      masteruser: row(anyText, '""'),
      ...replica(yesNo, 'yes', 'read-only'),
      ...replica(yesNo, 'yes', 'serve-stale-data'),
      ...replica(natural, '100', 'priority'),
      ...replica(yesNo, 'no', 'lazy-flush'),
      ...replica(yesNo, 'yes', 'ignore-maxmemory'),
      ...replica(anyText, '""', 'announce-ip'),
      ...replica(port, '0', 'announce-port'),
      'replica-announced': row(yesNo, 'yes'),
      'replica-ignore-disk-write-errors': row(yesNo, 'no'),
      'min-replicas-to-write': row(
        only(natural, '0', 'Casky does not replicate: no replica will ever be there'),
        '0',
        'min-slaves-to-write',
      ),
      'min-replicas-max-lag': row(natural, '10', 'min-slaves-max-lag'),
      'repl-backlog-size': row(amount(1n, LONG_MAX, 16384n), '1mb'),
      'repl-backlog-ttl': row(count, '3600'),
      'repl-disable-tcp-nodelay': row(yesNo, 'no'),
      'repl-diskless-load': row(oneOf('disabled', 'on-empty-db', 'swapdb'), 'disabled'),
      'repl-diskless-sync': row(yesNo, 'yes'),
      'repl-diskless-sync-delay': row(natural, '5'),
      'repl-diskless-sync-max-replicas': row(natural, '0'),
      'repl-ping-replica-period': row(positive, '10', 'repl-ping-slave-period'),
      'repl-timeout': row(positive, '60'),
      'propagation-error-behavior': row(oneOf('ignore', 'panic', 'panic-on-replicas'), 'ignore'),
      'bind-source-addr': row(anyText, '""'),
      'cluster-enabled': fixed(only(yesNo, 'no', 'Casky has no cluster mode'), 'no'),
      'cluster-config-file': fixed(anyText, 'nodes.conf'),
      'cluster-node-timeout': row(count, '15000'),
      'cluster-require-full-coverage': row(yesNo, 'yes'),
      'cluster-allow-reads-when-down': row(yesNo, 'no'),
      'cluster-allow-pubsubshard-when-down': row(yesNo, 'yes'),
      'cluster-allow-replica-migration': row(yesNo, 'yes'),
      'cluster-migration-barrier': row(natural, '1'),
      'cluster-replica-no-failover': row(yesNo, 'no', 'cluster-slave-no-failover'),
      'cluster-replica-validity-factor': row(natural, '10', 'cluster-slave-validity-factor'),
      'cluster-link-sendbuf-limit': row(amount(0n, ULONG_MAX), '0'),
      'cluster-preferred-endpoint-type': row(oneOf('ip', 'hostname', 'unknown-endpoint'), 'ip'),
      'cluster-announce-ip': row(anyText, '""'),
      'cluster-announce-hostname': row(hostname, '""'),
      'cluster-announce-port': row(port, '0'),
      'cluster-announce-tls-port': row(port, '0'),
      'cluster-announce-bus-port': row(port, '0'),
      'cluster-port': fixed(port, '0'),
    },
  },
]

/** Lines of a file that once were directives. Redis reads over them; so it is here. They are no names for CONFIG GET. */
export const obsolete: ReadonlySet<string> = new Set([
  'list-max-ziplist-entries',
  'list-max-ziplist-value',
  'lua-replicate-commands',
])

const DEFAULT_USER = /^(default|on|off|nopass|sanitize-payload|~\*|allkeys|&\*|allchannels|\+@all|allcommands)$/i

/** What else may stand at the beginning of a line, and why it is refused; null: it says only what is so. */
export const refusedLines: Readonly<Record<string, (words: readonly string[]) => string | null>> = {
  'rename-command': () =>
    'Casky does not rename commands: what clients must not do has to be kept from them by a proxy',
  loadmodule: () => 'Casky has no modules',
  // CONFIG REWRITE of Redis writes the one user there is into every file.
  user: (given) =>
    given[0] === 'default' &&
    given.includes('nopass') &&
    !given.includes('off') &&
    given.every((it) => DEFAULT_USER.test(it))
      ? null
      : 'Casky has one user, default, and its password is in requirepass',
  sentinel: () => 'Casky is no sentinel',
}
