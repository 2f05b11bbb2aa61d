// ioredis and node-redis, the versions of package.json, with their default options: against Casky, and against
// redis-server, which shows that a failure is Casky's and not the program's. The whole matrix is test/clients/run.ts.

import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { tryNodeClient } from '../clients/matrix.ts'
import { skipWithout } from '../harness/programs.ts'
import { type Kind, startServer } from '../harness/server.ts'

const clients: ReadonlyArray<readonly [script: string, module: string]> = [
  ['ioredis.mjs', 'ioredis'],
  ['node-redis.mjs', 'redis'],
]

async function tryOn(kind: Kind, script: string, module: string): Promise<void> {
  const server = await startServer(kind)
  try {
    const here = fileURLToPath(new URL('.', import.meta.url))
    expect(await tryNodeClient(script, module, server.port, here)).toBe('')
  } finally {
    await server.stop()
  }
}

describe('Casky', () => {
  it.each(clients)('serves %s', (script, module) => tryOn('casky', script, module))
})

describe.skipIf(skipWithout('redis-server'))('redis-server', () => {
  it.each(clients)('serves %s', (script, module) => tryOn('redis', script, module))
})
