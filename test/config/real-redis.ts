// The real redis-server as a judge. Where it is missing the tests that need it are skipped, and say so; in CI they fail.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const redisMissing = spawnSync('redis-server', ['--version']).status !== 0
if (redisMissing && process.env['CI'] === 'true') throw new Error('redis-server is missing, and this is CI')

export interface RedisServer {
  readonly socket: string
  stop(): Promise<void>
}

/** A redis-server of its own on a unix socket, ready. `args` come first: a file, if it shall have one. */
export async function startRedis(args: readonly string[] = []): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'casky-redis-'))
  const socket = join(folder, 'socket')
  const child: ChildProcess = spawn('redis-server', [...args, '--port', '0', '--unixsocket', socket, '--dir', folder], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let said = ''
  await new Promise<void>((ready, failed) => {
    child.once('error', failed)
    child.once('exit', () => failed(new Error(`redis-server ended: ${said}`)))
    child.stdout!.on('data', (data) => {
      said += data
      if (/ready to accept connections/i.test(said)) ready()
    })
  })
  return {
    socket,
    async stop() {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      rmSync(folder, { recursive: true })
    },
  }
}
