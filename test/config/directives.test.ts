import { expect, test } from 'vitest'
import { directives, type Name } from '../../src/config/directives.ts'
import { Refusal, splitWords } from '../../src/config/grammar.ts'
import { inertGroups } from '../../src/config/inert.ts'
import { table } from '../../src/config/table.ts'
import { configOf, failureOf, memoryFiles, textOf } from './memory-files.ts'

const LISTENED = Object.keys(directives) as Name[]

// Each directive with effect: words that are taken (with what CONFIG GET then says), and words that are not.
const cases: Record<Name, { good: [string, string][]; bad: string[] }> = {
  bind: {
    good: [
      ['"1.2.3.4 -::1"', '1.2.3.4 -::1'],
      ['* -::*', '* -::*'],
      ['""', ''],
      ['fe80::1%eth0', 'fe80::1%eth0'],
    ],
    bad: [Array(17).fill('::1').join(' ')],
  },
  port: {
    good: [
      ['0', '0'],
      ['65535', '65535'],
    ],
    bad: ['', '-1', '65536', '07', '+7', '0x10', '1e3', '6379 6380', '""', 'x'],
  },
  'tcp-backlog': {
    good: [
      ['0', '0'],
      ['2147483647', '2147483647'],
    ],
    bad: ['-1', '2147483648', '1.5'],
  },
  unixsocket: {
    good: [
      ['/a/b', '/a/b'],
      ['"/a b"', '/a b'],
    ],
    bad: ['', '/a /b', '"\\x00"', '"\\xff"'],
  },
  unixsocketperm: {
    good: [
      ['0700', '700'],
      ['777', '777'],
      ['0', '0'],
    ],
    bad: ['1000', '8', 'rwx', '-1', '0x1'],
  },
  'protected-mode': {
    good: [
      ['no', 'no'],
      ['YES', 'yes'],
    ],
    bad: ['1', 'true', ''],
  },
  timeout: {
    good: [
      ['0', '0'],
      ['2147483647', '2147483647'],
    ],
    bad: ['-1', '2147483648', '1k'],
  },
  'tcp-keepalive': {
    good: [
      ['0', '0'],
      ['60', '60'],
    ],
    bad: ['-1', '2147483648'],
  },
  maxclients: {
    good: [
      ['1', '1'],
      ['4294967295', '4294967295'],
    ],
    bad: ['0', '4294967296'],
  },
  requirepass: {
    good: [
      ['"\\xff\\x00 "', '\xff\0 '],
      ["''", ''],
    ],
    bad: ['', 'a b'],
  },
  databases: {
    good: [
      ['1', '1'],
      ['65536', '65536'],
    ],
    bad: ['0', '65537'],
  },
  hz: {
    good: [
      ['0', '1'],
      ['501', '500'],
      ['77', '77'],
    ],
    bad: ['-1', '2147483648'],
  },
  'shutdown-on-sigint': { good: [['now nosave', 'nosave now']], bad: ['never', '"save  now"', 'save nosave'] },
  'shutdown-on-sigterm': { good: [['"save force"', 'save force']], bad: [''] },
  'shutdown-timeout': {
    good: [
      ['0', '0'],
      ['2147483647', '2147483647'],
    ],
    bad: ['-1', '2147483648'],
  },
  loglevel: {
    good: [
      ['DEBUG', 'debug'],
      ['nothing', 'nothing'],
    ],
    bad: ['info', ''],
  },
  logfile: {
    good: [
      ['/var/log/casky.log', '/var/log/casky.log'],
      ['""', ''],
    ],
    bad: ['', '"\\x00"'],
  },
  pidfile: { good: [['/run/casky.pid', '/run/casky.pid']], bad: ['', '"\\x00"', 'a b'] },
  'log-format': {
    good: [
      ['json', 'json'],
      ['redis', 'redis'],
    ],
    bad: ['xml'],
  },
  dir: {
    good: [
      ['/data', '/data'],
      ['"./a b"', './a b'],
    ],
    bad: ['', '"\\x00"'],
  },
  appendfsync: {
    good: [
      ['always', 'always'],
      ['no', 'no'],
      ['everysec', 'everysec'],
    ],
    bad: ['yes', 'never'],
  },
  'segment-size': {
    good: [
      ['400', '400'],
      ['2gb', '2147483648'],
    ],
    bad: ['399', '4gb', '-1', '1.5gb', '1tb', 'mb'],
  },
  'segment-age': {
    good: [
      ['0', '0'],
      ['86400', '86400'],
    ],
    bad: ['-1', '1h'],
  },
  'disk-reserve': {
    good: [
      ['0', '0'],
      ['64mb', '67108864'],
    ],
    bad: ['-1', '1tb', 'much'],
  },
  'value-cache-size': {
    good: [
      ['0', '0'],
      ['64gb', '68719476736'],
    ],
    bad: ['65gb', '-1'],
  },
  'enable-debug-command': {
    good: [
      ['no', 'no'],
      ['yes', 'yes'],
      ['local', 'local'],
    ],
    bad: ['', 'maybe', '1'],
  },
  'enable-module-command': {
    good: [
      ['no', 'no'],
      ['yes', 'yes'],
      ['local', 'local'],
    ],
    bad: ['', 'maybe', '1'],
  },
  rdbcompression: { good: [['NO', 'no']], bad: ['1'] },
  'on-corruption': {
    good: [
      ['refuse', 'refuse'],
      ['serve', 'serve'],
    ],
    bad: ['repair'],
  },
  'unsafe-no-lock': {
    good: [
      ['yes', 'yes'],
      ['no', 'no'],
    ],
    bad: ['maybe'],
  },
  'merge-enabled': {
    good: [
      ['yes', 'yes'],
      ['no', 'no'],
    ],
    bad: ['on'],
  },
  'merge-interval-ms': {
    good: [
      ['1', '1'],
      ['2147483647', '2147483647'],
    ],
    bad: ['0', '2147483648'],
  },
  'merge-window': {
    good: [
      ['always', 'always'],
      ['Never', 'never'],
      ['22-06', '22-06'],
      ['0-24', '0-24'],
    ],
    bad: ['22', '24-1', '3-3', '1-25', '1-', 'sometimes'],
  },
  'merge-rate': {
    good: [
      ['0', '0'],
      ['10m', '10000000'],
    ],
    bad: ['-1', 'fast'],
  },
  'scrub-rate': {
    good: [
      ['0', '0'],
      ['10m', '10000000'],
    ],
    bad: ['-1', 'fast'],
  },
  'merge-trigger-fragmentation': {
    good: [
      ['0', '0'],
      ['100', '100'],
    ],
    bad: ['-1', '101'],
  },
  'merge-trigger-segments': {
    good: [
      ['0', '0'],
      ['1000', '1000'],
    ],
    bad: ['-1', '1001'],
  },
  'merge-trigger-dead-bytes': {
    good: [
      ['0', '0'],
      ['1GB', '1073741824'],
    ],
    bad: ['-1', '9007199254740992'],
  },
  'merge-threshold-fragmentation': {
    good: [
      ['0', '0'],
      ['100', '100'],
    ],
    bad: ['-1', '101'],
  },
  'merge-threshold-dead-bytes': { good: [['1kb', '1024']], bad: ['-1'] },
  'merge-threshold-small-file': { good: [['1k', '1000']], bad: ['-1'] },
  'proto-max-bulk-len': {
    good: [
      ['1mb', '1048576'],
      ['1gb', '1073741824'],
    ],
    bad: ['1048575', '2gb'],
  },
  'slowlog-log-slower-than': {
    good: [
      ['-1', '-1'],
      ['9223372036854775807', '9223372036854775807'],
    ],
    bad: ['-2', '9223372036854775808', '10ms', '""', '01'],
  },
  'slowlog-max-len': { good: [['0', '0']], bad: ['-1', '1k'] },
  'latency-monitor-threshold': { good: [['100', '100']], bad: ['-1'] },
  'latency-tracking': {
    good: [
      ['no', 'no'],
      ['Yes', 'yes'],
    ],
    bad: ['1'],
  },
  'latency-tracking-info-percentiles': {
    good: [
      ['0 99.99 100', '0 99.99 100'],
      ['"50.5 1e1"', '50.5 10'],
      ['33.33333333333', '33.333333'],
      ['""', ''],
    ],
    bad: ['101', '-1', 'x', '"1  2"', 'nan', 'inf'],
  },
  'notify-keyspace-events': {
    good: [
      ['KEA', 'AKE'],
      ['mnxE$', '$xnEm'],
      ['g$lshzxetdK', 'AK'],
      ['An', 'A'],
      ['""', ''],
    ],
    bad: ['Q', 'K E', 'a'],
  },
  'tracking-table-max-keys': { good: [['0', '0']], bad: ['-1', '1mb'] },
  'hll-sparse-max-bytes': {
    good: [
      ['0', '0'],
      ['16kb', '16384'],
    ],
    bad: ['-1', '9223372036854775808', '1tb'],
  },
  'client-query-buffer-limit': {
    good: [
      ['1mb', '1048576'],
      ['2gb', '2147483648'],
    ],
    bad: ['1048575'],
  },
  'client-output-buffer-limit': {
    good: [
      ['slave 1 2 3', 'normal 0 0 0 slave 1 2 3 pubsub 33554432 8388608 60'],
      ['normal 1mb 1k 5 PubSub 0 0 0', 'normal 1048576 1000 5 slave 268435456 67108864 60 pubsub 0 0 0'],
    ],
    bad: ['normal 1 2', 'master 1 2 3', 'normal x 2 3', 'normal 1 2 x', 'normal 1 2 -1'],
  },
}

const rows = Object.entries(cases)
test.each(
  rows.flatMap(([name, { good }]) => good.map(([words, text]) => [name, words, text] as const)),
)('%s takes %s', (name, words, text) => {
  const files = memoryFiles({ '/start/c': `${name} ${words}\n` })
  expect(textOf(configOf({ argv: ['c'], files }), name)).toBe(text)
})

test.each(
  rows.flatMap(([name, { bad }]) => bad.map((words) => [name, words] as const)),
)('%s refuses %s', (name, words) => {
  const files = memoryFiles({ '/start/c': `\n${name} ${words}\n` })
  const stderr = failureOf({ argv: ['c'], files })
  expect(stderr).toMatch(
    /^\n\*\*\* FATAL CONFIG FILE ERROR \(Redis 7\.2\.0\) \*\*\*\nReading the configuration file, at line 2\n>>> '/,
  )
  expect(stderr.split('\n')[4]).not.toBe('')
})

test('every directive is reached through the environment under its own name', () => {
  for (const [name, directive] of table) {
    const variable = `CASKY_${name.toUpperCase().replaceAll('-', '_')}`
    const text = configOf({}).match([name])[0]![1]
    if (text === '') continue
    expect(textOf(configOf({ env: { [variable]: text } }), directive.name)).toBe(text)
  }
})

test('what a value says of itself reads back as the same value: lines for a file, text for CONFIG SET', () => {
  const examples = rows.flatMap(([name, { good }]) => good.map(([words]) => [name, words] as const))
  for (const [name, words] of [...examples, ...[...table.values()].map((it) => [it.name, it.default] as const)]) {
    const { kind } = table.get(name)!
    const initial = kind.parse(splitWords(table.get(name)!.default)!, undefined, true)
    const given = splitWords(words)!
    const config = configOf({ files: memoryFiles({ '/start/c': `${name} ${words}` }), argv: ['c'] })
    const value = config.match([name])[0]![1]

    let read: unknown = initial
    const parsed = kind.parse(given.length === 1 && kind.arity === 'many' ? given[0]!.split(' ') : given, initial, true)
    expect(parsed).not.toBeInstanceOf(Refusal)
    for (const line of kind.lines(parsed)) read = kind.parse(splitWords(line)!, read, true)
    expect(kind.text(read), `${name} ${words}`).toBe(value)

    for (const known of LISTENED) config.onChange([known], () => null)
    if (table.get(name)!.change === 'live') {
      expect(config.set([[name, value]])).toBe(null)
      expect(textOf(config, name)).toBe(value)
    }
  }
})

test('no name is in two lists', () => {
  const names = [
    ...Object.keys(directives),
    ...inertGroups.flatMap((group) => Object.entries(group.rows).flatMap(([name, row]) => [name, ...row.aliases])),
  ]
  expect(new Set(names).size).toBe(names.length)
  expect(names.length).toBe(table.size)
})

test('what would be dangerous to ignore is refused with a reason', () => {
  for (const [line, reason] of [
    ['daemonize yes', 'does not daemonize'],
    ['cluster-enabled yes', 'no cluster mode'],
    ['tls-port 6380', 'no TLS'],
    ['replicaof 10.0.0.1 6379', 'does not replicate'],
    ['slaveof 10.0.0.1 6379', 'does not replicate'],
    ['aclfile /etc/users.acl', 'no ACL files'],
    ['syslog-enabled yes', 'syslog'],
    ['rename-command FLUSHALL ""', 'does not rename commands'],
    ['user alice on >x ~* +@all', 'one user, default'],
    ['user default on >x ~* +@all', 'one user, default'],
    ['user default off nopass ~* +@all', 'one user, default'],
    ['loadmodule x.so', 'no modules'],
    ['sentinel monitor mymaster 127.0.0.1 6379 2', 'no sentinel'],
    ['supervised systemd', 'Type=exec'],
    ['activedefrag yes', 'cannot be enabled'],
    ['tls-replication yes', 'no TLS'],
    ['min-replicas-to-write 1', 'no replica will ever be there'],
  ]) {
    expect(failureOf({ argv: ['c'], files: memoryFiles({ '/start/c': line! }) })).toContain(reason!)
  }
})

test('images and test tools pass these, and they are answered sensibly', () => {
  const config = configOf({
    argv: [
      '--save 900 1 300 10',
      '--appendonly no',
      '--daemonize',
      'no',
      '--replicaof',
      'no',
      'one',
      '--slave-read-only',
      'no',
    ],
  })
  expect(config.match(['save', 'appendonly', 'daemonize', 'slaveof', 'replica-read-only'])).toEqual([
    ['save', '900 1 300 10'],
    ['appendonly', 'no'],
    ['daemonize', 'no'],
    ['slaveof', ''],
    ['replica-read-only', 'no'],
  ])
})
