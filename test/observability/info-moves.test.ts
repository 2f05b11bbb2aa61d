// Every field of INFO moves when the world does: a constant would be a lie with a name that tools trust.
//
// MOVERS change something real in a real server and name the fields that have to be different afterwards. What no test can do to
// a process (a day passes, the disk rots) is done to the facts that INFO is drawn from (DRAWN). What cannot move at all stands in FIXED, by reason;
// those that are Redis's are listed in the README. A field in none of these lists fails the test, and so does a name in a list that INFO has not.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Facts, renderInfo } from '../../src/observability/info.ts'
import type { RawConnection } from '../harness/connection.ts'
import { encodeRequest } from '../harness/resp.ts'
import { caskyIsBuilt, projectRoot, type Server, startServer } from '../harness/server.ts'

type Fields = ReadonlyMap<string, string>

function fieldsOf(text: string): Fields {
  const lines = text.split('\r\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]))
}

let server: Server
let admin: RawConnection
const open: RawConnection[] = []
const deaf: Socket[] = []

const info = async (): Promise<Fields> => fieldsOf(String(await admin.call('INFO', 'everything')))

async function client(): Promise<RawConnection> {
  const one = await server.connect()
  open.push(one)
  return one
}

/** Asks for so many megabytes and reads none. */
function askAndNeverRead(count: number): void {
  const socket = connect({ port: server.port, host: '127.0.0.1' })
  socket.on('error', () => {}) // the server may well hang up
  socket.pause()
  socket.write(Buffer.concat(Array.from({ length: count }, () => encodeRequest(['GET', 'megabyte']))))
  deaf.push(socket)
}

/** A field that has not moved by then does not. */
const PATIENCE_MS = 120_000

const kilobyte = Buffer.alloc(1024, 'v')
const megabyte = Buffer.alloc(1024 * 1024, 'v')

async function fill(count: number, value: Buffer, prefix: string): Promise<void> {
  const one = await client()
  for (let i = 0; i < count; i++) one.send(encodeRequest(['SET', `${prefix}${i}`, value]))
  for (let i = 0; i < count; i++) await one.reply()
}

interface Mover {
  readonly fields: readonly string[]
  readonly act: () => Promise<unknown>
  /** Before each look: for what goes back by itself. */
  readonly again?: () => Promise<unknown>
}

const MOVERS: Readonly<Record<string, Mover>> = {
  'another replication id': { fields: ['master_replid'], act: () => admin.call('DEBUG', 'CHANGE-REPL-ID') },
  'time passes, and is used': {
    fields: ['server_time_usec', 'uptime_in_seconds', 'lru_clock', 'used_cpu_sys', 'used_cpu_user'],
    act: () => fill(2000, kilobyte, 'cpu'),
  },
  'CONFIG SET': {
    fields: [
      'hz',
      'configured_hz',
      'maxclients',
      'maxmemory',
      'maxmemory_human',
      'maxmemory_policy',
      'casky_value_cache_capacity',
    ],
    act: () =>
      admin.call(
        ...['CONFIG', 'SET', 'hz', '100', 'maxclients', '500', 'maxmemory', '1gb', 'maxmemory-policy', 'allkeys-lru'],
        ...['value-cache-size', '8mb'],
      ),
  },
  'a client comes and asks': {
    fields: [
      ...['connected_clients', 'total_connections_received', 'total_commands_processed', 'total_net_input_bytes'],
      ...['total_net_output_bytes', 'total_reads_processed', 'total_writes_processed', 'cmdstat_echo'],
      'latency_percentiles_usec_echo',
    ],
    act: async () => (await client()).call('ECHO', 'x'),
  },
  'many commands a second': {
    fields: ['instantaneous_ops_per_sec', 'instantaneous_input_kbps', 'instantaneous_output_kbps'],
    act: async () => {
      const one = await client()
      for (let i = 0; i < 5000; i++) one.send(encodeRequest(['ECHO', kilobyte]))
      for (let i = 0; i < 5000; i++) await one.reply()
    },
  },
  'a client waits': {
    fields: ['blocked_clients'],
    act: async () => (await client()).send(encodeRequest(['WAIT', '1', '0'])),
  },
  'half a command, and replies that nobody reads': {
    fields: ['client_recent_max_input_buffer', 'client_recent_max_output_buffer', 'mem_clients_normal'],
    act: async () => {
      await admin.call('SET', 'megabyte', megabyte)
      ;(await client()).send(encodeRequest(['SET', 'half', megabyte]).subarray(0, 700_000))
      askAndNeverRead(40)
    },
  },
  'client-side caching': {
    fields: ['tracking_clients', 'tracking_total_keys', 'tracking_total_items'],
    act: async () => {
      const one = await client()
      await one.call('HELLO', 3)
      await one.call('CLIENT', 'TRACKING', 'ON')
      await one.call('GET', 'tracked')
    },
  },
  'client-side caching by prefix': {
    fields: ['tracking_total_prefixes'],
    act: async () => {
      const one = await client()
      await one.call('HELLO', 3)
      await one.call('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'p')
    },
  },
  subscribers: {
    fields: ['pubsub_channels', 'pubsub_patterns', 'pubsubshard_channels'],
    act: async () => {
      await (await client()).call('SUBSCRIBE', 'c')
      await (await client()).call('PSUBSCRIBE', 'p*')
      await (await client()).call('SSUBSCRIBE', 's')
    },
  },
  'keys come': {
    fields: [
      ...['used_memory', 'used_memory_human', 'used_memory_rss', 'used_memory_rss_human', 'used_memory_peak'],
      ...['used_memory_peak_human', 'used_memory_dataset', 'mem_fragmentation_ratio', 'mem_fragmentation_bytes'],
      ...['db0', 'rdb_changes_since_last_save', 'aof_current_size', 'casky_disk_bytes', 'casky_live_bytes'],
      ...['casky_records_written', 'casky_bytes_written', 'casky_value_cache_bytes'],
      ...['casky_keydir_bytes', 'casky_unsynced_bytes'],
    ],
    act: async () => {
      await fill(12_000, kilobyte, 'key')
      await fill(12_000, Buffer.from('v'), 'small')
      // A peak above all earlier ones, for certain: most of a command, which stays where it is.
      ;(await client()).send(encodeRequest(['SET', 'never', Buffer.alloc(64 << 20)]).subarray(0, 60 << 20))
    },
    again: () => admin.call('SET', 'unsynced', 'v'),
  },
  'memory goes up and down': {
    fields: ['used_memory_peak_perc', 'used_memory_overhead'],
    act: () => fill(1000, kilobyte, 'again'),
  },
  'a disk that is asked to be sure': {
    fields: ['casky_syncs', 'casky_last_sync_ms'],
    act: async () => {
      await admin.call('CONFIG', 'SET', 'appendfsync', 'always')
      await admin.call('SET', 'sure', 'v')
      await admin.call('CONFIG', 'SET', 'appendfsync', 'everysec')
    },
  },
  'keys go': { fields: ['casky_dead_bytes'], act: () => admin.call('DEL', 'key1', 'key2') },
  'keys are looked for': {
    fields: ['keyspace_hits', 'keyspace_misses', 'casky_value_cache_hits'],
    act: async () => {
      await admin.call('SET', 'there', 'v')
      await admin.call('MGET', 'there', 'not there')
    },
  },
  'values come from disk': {
    fields: [
      ...['casky_value_cache_misses', 'casky_cold_reads', 'casky_value_cache_entries', 'casky_value_cache_evictions'],
    ],
    act: async () => {
      const one = await client()
      for (let i = 0; i < 20_000; i++) one.send(encodeRequest(['GET', `key${(i % 10_000) + 10}`]))
      for (let i = 0; i < 20_000; i++) await one.reply()
    },
  },
  'a key expires': { fields: ['expired_keys'], act: () => admin.call('SET', 'short', 'v', 'PX', '1') },
  errors: {
    fields: ['total_error_replies', 'errorstat_WRONGPASS', 'acl_access_denied_auth'],
    act: () => admin.call('AUTH', 'nobody', 'x'),
  },
  'SAVE, a second later': {
    fields: ['rdb_last_save_time', 'rdb_saves', 'rdb_last_bgsave_time_sec', 'casky_segments'],
    act: () => admin.call('SAVE'),
  },
  'MERGE WAIT': {
    fields: [
      ...[
        'aof_rewrites',
        'aof_last_rewrite_time_sec',
        'casky_merges',
        'casky_merge_last_freed_bytes',
        'casky_merge_last_ms',
      ],
    ],
    act: async () => {
      await fill(12_000, kilobyte, 'key')
      await admin.call('MERGE', 'WAIT')
    },
  },
  'SCRUB WAIT': {
    fields: [
      ...['casky_scrubs', 'casky_scrub_last_time', 'casky_scrub_last_ms', 'casky_scrub_last_segments'],
      'casky_scrub_last_bytes',
    ],
    act: async () => {
      await admin.call('SAVE')
      await admin.call('SCRUB', 'WAIT')
    },
  },
  'a client too many': {
    fields: ['rejected_connections'],
    act: async () => {
      await admin.call('CONFIG', 'SET', 'maxclients', '1')
      await (await server.connect()).untilClosed()
      await admin.call('CONFIG', 'SET', 'maxclients', '500')
    },
  },
  'a command that never ends': {
    fields: ['client_query_buffer_limit_disconnections'],
    act: async () => {
      await admin.call('CONFIG', 'SET', 'client-query-buffer-limit', '1mb')
      const one = await client()
      one.send(encodeRequest(['SET', 'k', Buffer.alloc(4 * 1024 * 1024)]))
      await one.untilClosed()
      await admin.call('CONFIG', 'SET', 'client-query-buffer-limit', '1gb')
    },
  },
  'a client that does not read': {
    fields: ['client_output_buffer_limit_disconnections'],
    act: async () => {
      await admin.call('SET', 'megabyte', megabyte)
      await admin.call('CONFIG', 'SET', 'client-output-buffer-limit', 'normal 2mb 0 0')
      askAndNeverRead(60)
    },
  },
}

/** Seen only while it lasts: the command and INFO go out in one packet. */
const MEANWHILE: Readonly<Record<string, readonly [field: string, value: RegExp, ...command: string[]]>> = {
  'a save under way': ['rdb_bgsave_in_progress', /^1$/, 'BGSAVE'],
  'a write not yet released': ['casky_unreleased_bytes', /^[1-9]/, 'SET', 'k', 'v'],
}

/** Of this process and this start: two servers differ in them. */
const OF_A_SERVER = ['process_id', 'run_id', 'tcp_port', 'config_file']

/** Drawn from facts that a test can't bring about in a second. */
const DRAWN: Readonly<Record<string, (facts: Facts) => Facts>> = {
  uptime_in_days: (facts) => ({ ...facts, nowMs: facts.nowMs + 86_400_000 }),
  // Two starts of the same build may take the same bytes, so another server's need not differ.
  used_memory_startup: (facts) => ({ ...facts, memory: { ...facts.memory, startBytes: facts.memory.startBytes + 1 } }),
  unexpected_error_replies: (facts) => ({ ...facts, counts: { ...facts.counts, unexpectedErrors: 1 } }),
  evicted_clients: (facts) => ({ ...facts, counts: { ...facts.counts, evictedClients: 1 } }), // for real: test/server/limits.test.ts
  aof_last_write_status: (facts) => ({ ...facts, store: { ...facts.store, lastWriteOk: false } }),
  rdb_last_bgsave_status: (facts) => ({ ...facts, saves: { ...facts.saves, lastFailed: true } }),
  aof_last_bgrewrite_status: (facts) => ({ ...facts, merge: { ...facts.merge, lastError: 'EIO' } }),
  aof_rewrite_in_progress: (facts) => ({ ...facts, merge: { ...facts.merge, state: 'running' } }),
  casky_merge_state: (facts) => ({ ...facts, merge: { ...facts.merge, state: 'running' } }),
  casky_merge_failures: (facts) => ({ ...facts, merge: { ...facts.merge, failures: 1 } }),
  // Of rot on a real server: test/rot/server.test.ts.
  casky_scrub_state: (facts) => ({ ...facts, scrub: { ...facts.scrub, state: 'running' } }),
  casky_scrub_failures: (facts) => ({ ...facts, scrub: { ...facts.scrub, failures: 1 } }),
  casky_scrub_last_damaged: (facts) => ({ ...facts, scrub: { ...facts.scrub, lastDamaged: 1 } }),
  casky_scrub_last_damaged_keys: (facts) => ({ ...facts, scrub: { ...facts.scrub, lastDamagedKeys: 1 } }),
  casky_damaged_segments: (facts) => ({ ...facts, store: { ...facts.store, damagedSegments: 1 } }),
  casky_corrupt_reads: (facts) => ({ ...facts, store: { ...facts.store, corruptReads: 1 } }),
  casky_quarantined_bytes: (facts) => ({ ...facts, store: { ...facts.store, quarantinedBytes: 1 } }),
  loading: (facts) => ({ ...facts, store: { ...facts.store, loading: LOADING } }),
}

const LOADING = { active: true, startedAt: 1000, totalBytes: 100, loadedBytes: 50 }
const WHILE_LOADING = [
  ...[
    'loading_start_time',
    'loading_total_bytes',
    'loading_loaded_bytes',
    'loading_loaded_perc',
    'loading_eta_seconds',
  ],
]

/** The program and the machine. */
const OF_THE_BUILD = [
  ...['redis_version', 'casky_version', 'node_version', 'os', 'arch_bits', 'executable'],
  ...['total_system_memory', 'total_system_memory_human'],
]
/** What is not here does not change. The README says so. */
const FIXED = [
  ...[
    'async_loading',
    'aof_enabled',
    'cluster_enabled',
    'connected_slaves',
    'evicted_keys',
    'number_of_cached_scripts',
  ],
  ...[
    'number_of_functions',
    'number_of_libraries',
    'redis_mode',
    'role',
    'sync_full',
    'sync_partial_err',
    'sync_partial_ok',
  ],
]
/** Rows of the statistics, one name for all. */
const FAMILIES = /^(cmdstat|errorstat|latency_percentiles_usec)_|^db\d+$/

describe.skipIf(!caskyIsBuilt())('INFO moves', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'casky-info-'))
  const seen = new Set<string>()

  beforeAll(async () => {
    const conf = join(scratch, 'casky.conf')
    writeFileSync(conf, 'merge-enabled no\nenable-debug-command local\n')
    server = await startServer('casky', { conf })
    admin = await server.connect({ replyLimitMs: 150_000 })
  })
  afterAll(async () => {
    for (const one of open) one.close()
    for (const one of deaf) one.destroy()
    admin?.close()
    await server?.stop()
    rmSync(scratch, { recursive: true, force: true })
  })

  it.each(Object.entries(MOVERS))('%s', async (_, { fields, act, again }) => {
    const before = await info()
    await act()
    const until = performance.now() + PATIENCE_MS
    const waiting = new Set(fields)
    while (waiting.size > 0) {
      await again?.()
      const now = await info()
      for (const name of now.keys()) seen.add(name)
      for (const name of waiting) if (now.get(name) !== before.get(name)) waiting.delete(name)
      if (performance.now() > until) break
    }
    expect([...waiting]).toEqual([])
  })

  it.each(Object.entries(MEANWHILE))('%s', async (_, [field, value, ...command]) => {
    expect((await info()).get(field)).toBe('0')
    const one = await client()
    one.send(Buffer.concat([encodeRequest(command), encodeRequest(['INFO', 'everything'])]))
    await one.reply()
    expect(fieldsOf(String((await one.reply()).value)).get(field)).toMatch(value)
    seen.add(field)
  })

  it('two servers are told apart', async () => {
    const other = await startServer('casky')
    try {
      const connection = await other.connect()
      const theirs = fieldsOf(String(await connection.call('INFO')))
      connection.close()
      const ours = await info()
      for (const name of OF_A_SERVER) {
        expect(ours.get(name), name).not.toBe(theirs.get(name))
        seen.add(name)
      }
    } finally {
      await other.stop()
    }
  })

  it.each(Object.entries(DRAWN))('%s is drawn from what is known', (name, change) => {
    const before = fieldsOf(renderInfo(['everything'], FACTS))
    const after = fieldsOf(renderInfo(['everything'], change(FACTS)))
    expect(after.get(name)).not.toBe(before.get(name))
    seen.add(name)
  })

  it('tells how far loading is', () => {
    const fields = fieldsOf(renderInfo([], DRAWN['loading']!(FACTS)))
    expect(WHILE_LOADING.map((name) => fields.get(name))).toEqual(['1', '100', '50', '50.00', '8'])
  })

  it('no field is in none of the lists, and none is listed that INFO has not', async () => {
    const there = [...(await info()).keys()].filter((name) => !FAMILIES.test(name))
    const listed = [
      ...Object.values(MOVERS).flatMap(({ fields }) => fields),
      ...Object.values(MEANWHILE).map(([field]) => field),
      ...[...OF_A_SERVER, ...Object.keys(DRAWN), ...OF_THE_BUILD, ...FIXED],
    ].filter((name) => !FAMILIES.test(name))
    expect(there.filter((name) => !listed.includes(name))).toEqual([])
    expect(listed.filter((name) => !there.includes(name))).toEqual([])
    expect([...listed].sort()).toEqual([...new Set(listed)].sort())
    expect(there.filter((name) => !seen.has(name) && !FIXED.includes(name) && !OF_THE_BUILD.includes(name))).toEqual([])
  })

  it('what never changes is in the README', () => {
    const readme = readFileSync(join(projectRoot, 'README.md'), 'utf8')
    const told = /never change here[^:]*: ([^.]*)\./.exec(readme)?.[1] ?? ''
    expect([...told.matchAll(/`(\w+)`/g)].map((match) => match[1]).sort()).toEqual([...FIXED].sort())
  })
})

const FACTS: Facts = {
  nowMs: 9000,
  startedAtMs: 0,
  redisVersion: '7.2.0',
  caskyVersion: '1.0.0',
  nodeVersion: '20.0.0',
  os: 'Linux',
  archBits: 64,
  processId: 1,
  runId: '',
  replicationId: '',
  port: 1,
  hz: 10,
  executable: '',
  configFile: '',
  clients: { connected: 0, max: 0, waiting: 0, bufferBytes: 0, recentInputBytes: 0, recentOutputBytes: 0 },
  memory: {
    usedBytes: 1,
    rssBytes: 1,
    peakBytes: 1,
    startBytes: 1,
    systemBytes: 1,
    limitBytes: 0,
    policy: 'noeviction',
  },
  cpu: { userSeconds: 0, systemSeconds: 0 },
  counts: {
    connectionsReceived: 0,
    connectionsRejected: 0,
    commands: 0,
    commandsPerSecond: 0,
    inputBytes: 0,
    outputBytes: 0,
    inputBytesPerSecond: 0,
    outputBytesPerSecond: 0,
    reads: 0,
    writes: 0,
    hits: 0,
    misses: 0,
    unexpectedErrors: 0,
    errorReplies: 0,
    authenticationFailures: 0,
    outputLimitDisconnections: 0,
    queryLimitDisconnections: 0,
    evictedClients: 0,
  },
  store: {
    keydirBytes: 0,
    cache: { bytes: 0, capacity: 0, entries: 0, hits: 0, misses: 0, evictions: 0 },
    segments: 0,
    damagedSegments: 0,
    diskBytes: 0,
    liveBytes: 0,
    deadBytes: 0,
    unsyncedBytes: 0,
    unreleasedBytes: 0,
    writes: 0,
    bytesWritten: 0,
    syncs: 0,
    lastSyncMs: 0,
    coldReads: 0,
    expired: 0,
    corruptReads: 0,
    quarantinedBytes: 0,
    lastWriteOk: true,
    lastSeal: 0,
    changesSinceSeal: 0,
    loading: { active: false, startedAt: 0, totalBytes: 0, loadedBytes: 0 },
  },
  merge: { state: 'idle', merges: 0, failures: 0, lastFreedBytes: 0, lastDurationMs: 0, lastError: '' },
  scrub: {
    state: 'idle',
    scrubs: 0,
    failures: 0,
    lastEndedAt: 0,
    lastDurationMs: 0,
    lastSegments: 0,
    lastBytes: 0,
    lastDamaged: 0,
    lastDamagedKeys: 0,
  },
  saves: { done: 0, underWay: 0, lastFailed: false, lastMs: -1 },
  pubsub: { channels: 0, patterns: 0, shardChannels: 0 },
  tracking: { clients: 0, keys: 0, items: 0, prefixes: 0 },
  commands: [],
  percentiles: [50],
  errors: [],
  databases: [],
}
