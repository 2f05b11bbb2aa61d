// Where memory goes, and giving some of it back.
//
// Keys and cached values lie in shared memory, which Node counts neither as heap nor as external: the store says how much it is.

import { totalmem } from 'node:os'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { MemoryFacts } from '../commands/session.ts'
import type { Server } from './server.ts'

/** What the process uses beside the store: the JavaScript heap, and buffers outside of it. */
function processBytes(): { readonly used: number; readonly usage: NodeJS.MemoryUsage } {
  const usage = process.memoryUsage()
  return { used: usage.heapUsed + usage.external, usage }
}

/** At the start, before there is a store. */
export function startupBytes(): number {
  return processBytes().used
}

export function memoryFacts(server: Server): MemoryFacts {
  const { used, usage } = processBytes()
  const store = server.engine.stats()
  const usedBytes = used + store.keydirBytes + store.cache.bytes
  let clients = 0
  let clientBytes = 0
  for (const client of server.clients()) {
    clients++
    clientBytes += client.heldBytes
  }
  return {
    usedBytes,
    peakBytes: Math.max(usedBytes, server.statistics.peakMemoryBytes),
    startupBytes: server.startupBytes,
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
