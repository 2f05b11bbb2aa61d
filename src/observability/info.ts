// INFO: the names under which tools look for what the server knows.
//
// A field is here when it is measured, or when its constant is the plain truth (there are no replicas). What cannot be known is left
// out, never invented: a dashboard with a hole is better than one with a lie. Fields that Redis does not have begin with casky_.
//
// Sections and their order are Redis's. Without a section, the default ones; `all` and `everything` add what is long.

export interface Facts {
  readonly nowMs: number
  readonly startedAtMs: number
  readonly redisVersion: string
  readonly caskyVersion: string
  readonly nodeVersion: string
  readonly os: string
  readonly archBits: number
  readonly processId: number
  readonly runId: string
  readonly replicationId: string
  readonly port: number
  readonly hz: number
  readonly executable: string
  readonly configFile: string
  readonly clients: {
    readonly connected: number
    readonly max: number
    readonly waiting: number
    readonly bufferBytes: number
    readonly recentInputBytes: number
    readonly recentOutputBytes: number
  }
  readonly memory: {
    readonly usedBytes: number
    readonly rssBytes: number
    readonly peakBytes: number
    readonly startBytes: number
    readonly systemBytes: number
    readonly limitBytes: number
    readonly policy: string
  }
  readonly cpu: { readonly userSeconds: number; readonly systemSeconds: number }
  readonly counts: {
    readonly connectionsReceived: number
    readonly connectionsRejected: number
    readonly commands: number
    readonly commandsPerSecond: number
    readonly inputBytes: number
    readonly outputBytes: number
    readonly inputBytesPerSecond: number
    readonly outputBytesPerSecond: number
    readonly reads: number
    readonly writes: number
    readonly hits: number
    readonly misses: number
    readonly unexpectedErrors: number
    readonly errorReplies: number
    readonly authenticationFailures: number
    readonly outputLimitDisconnections: number
    readonly queryLimitDisconnections: number
    /** Closed for the memory that clients take together. */
    readonly evictedClients: number
  }
  readonly store: StoreFacts
  readonly merge: {
    readonly state: string
    readonly merges: number
    readonly failures: number
    readonly lastFreedBytes: number
    readonly lastDurationMs: number
    readonly lastError: string
  }
  readonly scrub: {
    readonly state: string
    readonly scrubs: number
    readonly failures: number
    readonly lastEndedAt: number
    readonly lastDurationMs: number
    readonly lastSegments: number
    readonly lastBytes: number
    readonly lastDamaged: number
    readonly lastDamagedKeys: number
  }
  readonly saves: {
    readonly done: number
    readonly underWay: number
    readonly lastFailed: boolean
    readonly lastMs: number
  }
  readonly pubsub: { readonly channels: number; readonly patterns: number; readonly shardChannels: number }
  /** Client-side caching: clients, keys, pairs of a key and a client, prefixes. */
  readonly tracking: {
    readonly clients: number
    readonly keys: number
    readonly items: number
    readonly prefixes: number
  }
  readonly commands: readonly CommandFacts[]
  /** latency-tracking-info-percentiles; null: latency-tracking is off. */
  readonly percentiles: readonly number[] | null
  readonly errors: Iterable<readonly [code: string, count: number]>
  readonly databases: readonly {
    readonly number: number
    readonly keys: number
    readonly expiring: number
    readonly averageTtlMs: number
  }[]
}

/** As the engine's statistics have it. */
export interface StoreFacts {
  readonly keydirBytes: number
  readonly cache: {
    readonly bytes: number
    readonly capacity: number
    readonly entries: number
    readonly hits: number
    readonly misses: number
    readonly evictions: number
  }
  readonly segments: number
  readonly damagedSegments: number
  readonly diskBytes: number
  readonly liveBytes: number
  readonly deadBytes: number
  readonly unsyncedBytes: number
  readonly unreleasedBytes: number
  readonly writes: number
  readonly bytesWritten: number
  readonly syncs: number
  readonly lastSyncMs: number
  readonly coldReads: number
  readonly expired: number
  readonly corruptReads: number
  readonly quarantinedBytes: number
  readonly lastWriteOk: boolean
  readonly lastSeal: number
  readonly changesSinceSeal: number
  readonly loading: {
    readonly active: boolean
    readonly startedAt: number
    readonly totalBytes: number
    readonly loadedBytes: number
  }
}

export interface CommandFacts {
  readonly name: string
  readonly calls: number
  readonly microseconds: number
  readonly rejected: number
  readonly failed: number
  /** Microseconds that this percentage of calls did not exceed; null: nothing was timed. */
  readonly percentile: ((percent: number) => number) | null
}

type Field = readonly [name: string, value: string | number]
type Section = (facts: Facts) => Iterable<Field>

const DEFAULT = [
  'server',
  'clients',
  'memory',
  'persistence',
  'stats',
  'replication',
  'cpu',
  'modules',
  'errorstats',
  'cluster',
  'keyspace',
  'casky',
]

const SECTIONS: ReadonlyMap<string, Section> = new Map([
  ['server', server],
  ['clients', clients],
  ['memory', memory],
  ['persistence', persistence],
  ['stats', stats],
  ['replication', replication],
  ['cpu', cpu],
  ['modules', () => []],
  ['commandstats', commandStats],
  ['errorstats', errorStats],
  ['latencystats', latencyStats],
  ['cluster', () => [['cluster_enabled', 0]]],
  ['keyspace', keyspace],
  ['casky', casky],
])

/** The text of these sections, in lower case; none: the default ones. Unknown ones say nothing. */
export function renderInfo(wanted: readonly string[], facts: Facts): string {
  const names = new Set<string>()
  for (const name of wanted.length === 0 ? ['default'] : wanted) {
    if (name === 'default') for (const each of DEFAULT) names.add(each)
    else if (name === 'everything') for (const each of SECTIONS.keys()) names.add(each)
    else if (name === 'all') for (const each of SECTIONS.keys()) each !== 'modules' && names.add(each)
    else names.add(name)
  }
  const parts: string[] = []
  for (const [name, section] of SECTIONS) {
    if (!names.has(name)) continue
    let text = `# ${name[0]!.toUpperCase()}${name.slice(1)}\r\n`
    if (name === 'cpu') text = '# CPU\r\n'
    for (const [field, value] of section(facts)) text += `${field}:${value}\r\n`
    parts.push(text)
  }
  return parts.join('\r\n')
}

function* server(facts: Facts): Iterable<Field> {
  const uptime = Math.floor((facts.nowMs - facts.startedAtMs) / 1000)
  yield ['redis_version', facts.redisVersion]
  yield ['casky_version', facts.caskyVersion]
  yield ['node_version', facts.nodeVersion]
  yield ['redis_mode', 'standalone']
  yield ['os', facts.os]
  yield ['arch_bits', facts.archBits]
  yield ['process_id', facts.processId]
  yield ['run_id', facts.runId]
  yield ['tcp_port', facts.port]
  yield ['server_time_usec', facts.nowMs * 1000]
  yield ['uptime_in_seconds', uptime]
  yield ['uptime_in_days', Math.floor(uptime / 86400)]
  yield ['hz', facts.hz]
  yield ['configured_hz', facts.hz]
  yield ['lru_clock', Math.floor(facts.nowMs / 1000) & 0xffffff]
  yield ['executable', facts.executable]
  yield ['config_file', facts.configFile]
}

function* clients({ clients, tracking }: Facts): Iterable<Field> {
  yield ['connected_clients', clients.connected]
  yield ['maxclients', clients.max]
  yield ['client_recent_max_input_buffer', clients.recentInputBytes]
  yield ['client_recent_max_output_buffer', clients.recentOutputBytes]
  yield ['blocked_clients', clients.waiting]
  yield ['tracking_clients', tracking.clients]
}

function* memory({ memory, clients, store }: Facts): Iterable<Field> {
  const dataset = store.keydirBytes + store.cache.bytes
  yield ['used_memory', memory.usedBytes]
  yield ['used_memory_human', human(memory.usedBytes)]
  yield ['used_memory_rss', memory.rssBytes]
  yield ['used_memory_rss_human', human(memory.rssBytes)]
  yield ['used_memory_peak', memory.peakBytes]
  yield ['used_memory_peak_human', human(memory.peakBytes)]
  yield ['used_memory_peak_perc', percent(memory.usedBytes, memory.peakBytes)]
  yield ['used_memory_overhead', Math.max(0, memory.usedBytes - dataset)]
  yield ['used_memory_startup', memory.startBytes]
  yield ['used_memory_dataset', dataset]
  yield ['total_system_memory', memory.systemBytes]
  yield ['total_system_memory_human', human(memory.systemBytes)]
  yield ['number_of_cached_scripts', 0]
  yield ['number_of_functions', 0]
  yield ['number_of_libraries', 0]
  yield ['maxmemory', memory.limitBytes]
  yield ['maxmemory_human', human(memory.limitBytes)]
  yield ['maxmemory_policy', memory.policy]
  yield ['mem_fragmentation_ratio', (memory.rssBytes / memory.usedBytes).toFixed(2)]
  yield ['mem_fragmentation_bytes', memory.rssBytes - memory.usedBytes]
  yield ['mem_clients_normal', clients.bufferBytes]
}

function* persistence({ store, merge, nowMs, saves }: Facts): Iterable<Field> {
  const { loading } = store
  yield ['loading', loading.active ? 1 : 0]
  yield ['async_loading', 0]
  yield ['rdb_changes_since_last_save', store.changesSinceSeal]
  yield ['rdb_bgsave_in_progress', saves.underWay > 0 ? 1 : 0]
  yield ['rdb_last_save_time', Math.floor(store.lastSeal / 1000)]
  yield ['rdb_last_bgsave_status', saves.lastFailed ? 'err' : 'ok']
  yield ['rdb_last_bgsave_time_sec', seconds(saves.lastMs)]
  yield ['rdb_saves', saves.done]
  yield ['aof_enabled', 1]
  yield ['aof_rewrite_in_progress', merge.state === 'running' ? 1 : 0]
  yield ['aof_last_rewrite_time_sec', merge.merges + merge.failures === 0 ? -1 : seconds(merge.lastDurationMs)]
  yield ['aof_last_bgrewrite_status', merge.lastError === '' ? 'ok' : 'err']
  yield ['aof_rewrites', merge.merges]
  yield ['aof_last_write_status', store.lastWriteOk ? 'ok' : 'err']
  yield ['aof_current_size', store.diskBytes]
  if (!loading.active) return
  const elapsed = Math.max(0, nowMs - loading.startedAt) / 1000
  const left = loading.totalBytes - loading.loadedBytes
  yield ['loading_start_time', Math.floor(loading.startedAt / 1000)]
  yield ['loading_total_bytes', loading.totalBytes]
  yield ['loading_loaded_bytes', loading.loadedBytes]
  yield ['loading_loaded_perc', ((loading.loadedBytes * 100) / Math.max(1, loading.totalBytes)).toFixed(2)]
  yield ['loading_eta_seconds', loading.loadedBytes === 0 ? 1 : Math.ceil((elapsed * left) / loading.loadedBytes)]
}

function* stats({ counts, store, pubsub, tracking }: Facts): Iterable<Field> {
  yield ['total_connections_received', counts.connectionsReceived]
  yield ['total_commands_processed', counts.commands]
  yield ['instantaneous_ops_per_sec', Math.round(counts.commandsPerSecond)]
  yield ['total_net_input_bytes', counts.inputBytes]
  yield ['total_net_output_bytes', counts.outputBytes]
  yield ['instantaneous_input_kbps', (counts.inputBytesPerSecond / 1024).toFixed(2)]
  yield ['instantaneous_output_kbps', (counts.outputBytesPerSecond / 1024).toFixed(2)]
  yield ['rejected_connections', counts.connectionsRejected]
  yield ['sync_full', 0]
  yield ['sync_partial_ok', 0]
  yield ['sync_partial_err', 0]
  yield ['expired_keys', store.expired]
  yield ['evicted_keys', 0]
  yield ['evicted_clients', counts.evictedClients]
  yield ['keyspace_hits', counts.hits]
  yield ['keyspace_misses', counts.misses]
  yield ['pubsub_channels', pubsub.channels]
  yield ['pubsub_patterns', pubsub.patterns]
  yield ['pubsubshard_channels', pubsub.shardChannels]
  yield ['tracking_total_keys', tracking.keys]
  yield ['tracking_total_items', tracking.items]
  yield ['tracking_total_prefixes', tracking.prefixes]
  yield ['unexpected_error_replies', counts.unexpectedErrors]
  yield ['total_error_replies', counts.errorReplies]
  yield ['total_reads_processed', counts.reads]
  yield ['total_writes_processed', counts.writes]
  yield ['acl_access_denied_auth', counts.authenticationFailures]
  yield ['client_query_buffer_limit_disconnections', counts.queryLimitDisconnections]
  yield ['client_output_buffer_limit_disconnections', counts.outputLimitDisconnections]
}

function* replication(facts: Facts): Iterable<Field> {
  yield ['role', 'master']
  yield ['connected_slaves', 0]
  yield ['master_replid', facts.replicationId]
}

function* cpu({ cpu }: Facts): Iterable<Field> {
  yield ['used_cpu_sys', cpu.systemSeconds.toFixed(6)]
  yield ['used_cpu_user', cpu.userSeconds.toFixed(6)]
}

function* commandStats({ commands }: Facts): Iterable<Field> {
  for (const { name, calls, microseconds, rejected, failed } of commands) {
    const perCall = calls === 0 ? 0 : microseconds / calls
    const usec = `usec=${Math.round(microseconds)},usec_per_call=${perCall.toFixed(2)}`
    yield [`cmdstat_${name}`, `calls=${calls},${usec},rejected_calls=${rejected},failed_calls=${failed}`]
  }
}

function* errorStats({ errors }: Facts): Iterable<Field> {
  for (const [code, count] of errors) yield [`errorstat_${code}`, `count=${count}`]
}

function* latencyStats({ commands, percentiles }: Facts): Iterable<Field> {
  if (percentiles === null) return
  for (const { name, percentile } of commands) {
    if (percentile === null) continue
    const values = percentiles.map((each) => `p${each}=${percentile(each).toFixed(3)}`)
    yield [`latency_percentiles_usec_${name}`, values.join(',')]
  }
}

function* keyspace({ databases }: Facts): Iterable<Field> {
  for (const { number, keys, expiring, averageTtlMs } of databases) {
    if (keys > 0) yield [`db${number}`, `keys=${keys},expires=${expiring},avg_ttl=${averageTtlMs}`]
  }
}

function* casky({ store, merge, scrub }: Facts): Iterable<Field> {
  yield ['casky_segments', store.segments]
  yield ['casky_disk_bytes', store.diskBytes]
  yield ['casky_live_bytes', store.liveBytes]
  yield ['casky_dead_bytes', store.deadBytes]
  yield ['casky_unsynced_bytes', store.unsyncedBytes]
  yield ['casky_unreleased_bytes', store.unreleasedBytes]
  yield ['casky_records_written', store.writes]
  yield ['casky_bytes_written', store.bytesWritten]
  yield ['casky_syncs', store.syncs]
  yield ['casky_last_sync_ms', store.lastSyncMs.toFixed(3)]
  yield ['casky_keydir_bytes', store.keydirBytes]
  yield ['casky_value_cache_bytes', store.cache.bytes]
  yield ['casky_value_cache_capacity', store.cache.capacity]
  yield ['casky_value_cache_entries', store.cache.entries]
  yield ['casky_value_cache_hits', store.cache.hits]
  yield ['casky_value_cache_misses', store.cache.misses]
  yield ['casky_value_cache_evictions', store.cache.evictions]
  yield ['casky_cold_reads', store.coldReads]
  yield ['casky_corrupt_reads', store.corruptReads]
  yield ['casky_damaged_segments', store.damagedSegments]
  yield ['casky_quarantined_bytes', store.quarantinedBytes]
  yield ['casky_merge_state', merge.state]
  yield ['casky_merges', merge.merges]
  yield ['casky_merge_failures', merge.failures]
  yield ['casky_merge_last_freed_bytes', merge.lastFreedBytes]
  yield ['casky_merge_last_ms', Math.round(merge.lastDurationMs)]
  yield ['casky_scrub_state', scrub.state]
  yield ['casky_scrubs', scrub.scrubs]
  yield ['casky_scrub_failures', scrub.failures]
  yield ['casky_scrub_last_time', Math.floor(scrub.lastEndedAt / 1000)]
  yield ['casky_scrub_last_ms', scrub.lastDurationMs]
  yield ['casky_scrub_last_segments', scrub.lastSegments]
  yield ['casky_scrub_last_bytes', scrub.lastBytes]
  yield ['casky_scrub_last_damaged', scrub.lastDamaged]
  yield ['casky_scrub_last_damaged_keys', scrub.lastDamagedKeys]
}

/** Whole seconds; -1 stays: nothing to tell. */
function seconds(ms: number): number {
  return ms < 0 ? -1 : Math.floor(ms / 1000)
}

function percent(part: number, whole: number): string {
  return `${((part * 100) / Math.max(1, whole)).toFixed(2)}%`
}

/** As Redis writes sizes for people: 1.50M. */
function human(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T', 'P']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return unit === 0 ? `${bytes}B` : `${value.toFixed(2)}${units[unit]}`
}
