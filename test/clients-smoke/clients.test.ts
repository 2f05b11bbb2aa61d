// ioredis and node-redis, the versions of package.json, with their default options: against Casky, and against
// redis-server, which shows that a failure is Casky's and not the program's.

import { describe, expect, it } from 'vitest'
import { skipWithout } from '../harness/programs.ts'
import { type Kind, startServer } from '../harness/server.ts'
import { type Program, tryNodeClient } from './clients.ts'

const clients: ReadonlyArray<readonly [Program, string]> = [
  ['ioredis', 'ioredis'],
  ['node-redis', 'redis'],
]

async function tryOn(kind: Kind, program: Program, module: string): Promise<void> {
  const server = await startServer(kind)
  try {
    expect(await tryNodeClient(program, module, server.port)).toBe('')
  } finally {
    await server.stop()
  }
}

describe('Casky', () => {
  it.each(clients)('serves %s', (program, module) => tryOn('casky', program, module))
})

describe.skipIf(skipWithout('redis-server'))('redis-server', () => {
  it.each(clients)('serves %s', (program, module) => tryOn('redis', program, module))
})
