// Where memory goes, and giving some of it back.
//
// Keys and cached values lie in shared memory, which Node counts neither as heap nor as external: the store says how much it is.

import { totalmem } from 'node:os'
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { MemoryFacts } from '../commands/session.ts'
import type { Engine } from '../engine/engine.ts'
import type { Server } from './server.ts'

/** How large V8 lets the JavaScript heap become. At its end the process ends. */
export function heapLimitBytes(): number {
  return getHeapStatistics().heap_size_limit
}

/** What is in use: the JavaScript heap, buffers outside of it, keys and cached values. */
export function usedMemoryBytes(engine: Engine): number {
  const { heapUsed, external } = process.memoryUsage()
  const store = engine.stats()
  return heapUsed + external + store.keydirBytes + store.cache.bytes
}

export function memoryFacts(server: Server): MemoryFacts {
  const usage = process.memoryUsage()
  const usedBytes = usedMemoryBytes(server.engine)
  let clients = 0
  let clientBytes = 0
  for (const client of server.clients()) {
    clients++
    clientBytes += client.heldBytes
  }
  return {
    usedBytes,
    peakBytes: Math.max(usedBytes, server.statistics.peakMemoryBytes),
    startupBytes: server.statistics.startMemoryBytes,
    rssBytes: usage.rss,
    systemBytes: totalmem(),
    heapUsedBytes: usage.heapUsed,
    heapTotalBytes: usage.heapTotal,
    bufferBytes: usage.external,
    clients,
    clientBytes,
    idleBufferBytes: server.buffers.bytes,
    heapSpaces: getHeapSpaceStatistics().map((space) => ({ name: space.space_name, usedBytes: space.space_used_size })),
  }
}

/** MEMORY PURGE: idle reply buffers go, and what nobody needs on the heap. The heap is small: keys and values are not there. */
export function purgeMemory(server: Server): void {
  server.buffers.drop()
  collectGarbage()
}

// Node has the function only when a flag says so, and flags can be set while it runs: for contexts made afterwards.
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  setFlagsFromString('--no-expose-gc')
  collect()
}
