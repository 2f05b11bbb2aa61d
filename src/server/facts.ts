// What INFO tells (observability/info.ts has the names), gathered from those who know it.

import { arch, type as osType, release, totalmem } from 'node:os'
import { CASKY_VERSION, REDIS_VERSION } from '../base/version.ts'
import { GATE_LOADING } from '../engine/engine.ts'
import type { CommandFacts, Facts } from '../observability/info.ts'
import { usedMemoryBytes } from './memory.ts'
import type { Server } from './server.ts'

/** While the store loads there is nothing yet that merges or scrubs. */
const NO_MERGE = { state: 'idle', merges: 0, failures: 0, lastFreedBytes: 0, lastDurationMs: 0, lastError: '' }
const NO_SCRUB: Facts['scrub'] = {
  ...{ state: 'idle', scrubs: 0, failures: 0, lastEndedAt: 0, lastDurationMs: 0 },
  ...{ lastSegments: 0, lastBytes: 0, lastDamaged: 0, lastDamagedKeys: 0 },
}

export function gatherFacts(server: Server): Facts {
  const { clock, config, engine, statistics } = server
  const used = process.memoryUsage()
  const usedBytes = usedMemoryBytes(engine)
  const cpu = process.cpuUsage()
  const store = engine.stats()
  let waiting = 0
  let bufferBytes = server.buffers.bytes
  for (const client of server.clients()) {
    if (client.isWaiting) waiting++
    bufferBytes += client.heldBytes
  }
  const databases: Facts['databases'][number][] = []
  for (let number = 0; number < server.databases; number++) {
    const expiring = engine.expiringCount(number)
    const averageTtlMs = expiring === 0 ? 0 : engine.averageTtl(number)
    databases.push({ number, keys: engine.keyCount(number), expiring, averageTtlMs })
  }
  return {
    nowMs: clock.now(),
    startedAtMs: server.startedAt,
    redisVersion: REDIS_VERSION,
    caskyVersion: CASKY_VERSION,
    nodeVersion: process.versions.node,
    os: `${osType()} ${release()} ${arch()}`,
    archBits: /64|s390x/.test(arch()) ? 64 : 32,
    processId: process.pid,
    runId: server.runId,
    replicationId: server.replicationId,
    port: server.port,
    hz: config.get('hz'),
    executable: process.execPath,
    configFile: config.file ?? '',
    clients: {
      connected: server.clientCount,
      max: server.admission.maxClients,
      waiting,
      bufferBytes,
      recentInputBytes: statistics.recentInput.largest,
      recentOutputBytes: statistics.recentOutput.largest,
    },
    memory: {
      usedBytes,
      rssBytes: used.rss,
      peakBytes: Math.max(usedBytes, statistics.peakMemoryBytes),
      startBytes: statistics.startMemoryBytes,
      systemBytes: totalmem(),
      limitBytes: Number(textOf(server, 'maxmemory')),
      policy: textOf(server, 'maxmemory-policy'),
    },
    cpu: { userSeconds: cpu.user / 1e6, systemSeconds: cpu.system / 1e6 },
    counts: {
      connectionsReceived: statistics.connectionsReceived,
      connectionsRejected: statistics.connectionsRejected,
      commands: server.dispatch.commandsRun,
      commandsPerSecond: statistics.commandRate.perSecond,
      inputBytes: statistics.inputBytes,
      outputBytes: statistics.outputBytes,
      inputBytesPerSecond: statistics.inputRate.perSecond,
      outputBytesPerSecond: statistics.outputRate.perSecond,
      reads: statistics.reads,
      writes: statistics.writes,
      hits: statistics.lookups.hits,
      misses: statistics.lookups.misses,
      unexpectedErrors: statistics.unexpectedErrors,
      errorReplies: statistics.errorReplies,
      authenticationFailures: statistics.authenticationFailures,
      outputLimitDisconnections: statistics.outputLimitDisconnections,
      queryLimitDisconnections: statistics.queryLimitDisconnections,
      evictedClients: statistics.evictedClients,
    },
    store: { ...store, expired: store.expired - statistics.expiredAtReset },
    merge: (engine.gate & GATE_LOADING) === 0 ? engine.merge.status() : NO_MERGE,
    scrub: (engine.gate & GATE_LOADING) === 0 ? engine.scrub.status() : NO_SCRUB,
    saves: {
      done: statistics.saves,
      underWay: statistics.savesUnderWay,
      lastFailed: statistics.lastSaveFailed,
      lastMs: statistics.lastSaveMs,
    },
    pubsub: {
      channels: server.pubsub.channelCount,
      patterns: server.pubsub.patternCount,
      shardChannels: server.pubsub.shardChannelCount,
    },
    tracking: {
      clients: server.tracking.clientCount,
      keys: server.tracking.keyCount,
      items: server.tracking.itemCount,
      prefixes: server.tracking.prefixCount,
    },
    commands: commandFacts(server),
    percentiles: config.get('latency-tracking') ? config.get('latency-tracking-info-percentiles') : null,
    errors: statistics.errors,
    databases,
  }
}

/** A directive that only CONFIG and INFO know of. */
function textOf(server: Server, name: string): string {
  return server.config.match([name])[0]![1]
}

function commandFacts(server: Server): CommandFacts[] {
  const facts: CommandFacts[] = []
  for (const row of server.dispatch.rows.values()) {
    if (row.calls + row.rejected === 0) continue
    const { calls, microseconds, rejected, failed, latencies } = row
    const percentile = latencies === null ? null : (percent: number) => latencies.percentile(percent)
    facts.push({ name: row.command.name.toLowerCase(), calls, microseconds, rejected, failed, percentile })
  }
  return facts
}
