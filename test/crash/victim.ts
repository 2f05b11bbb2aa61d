// The server that is going to be killed: a process on a unix socket.
//
// A socket in a directory of one's own, and not a port: a port that was free a moment ago may be somebody else's server by
// now, and in ten thousand starts it once will be. The socket of the server killed last still lies there at each start, too.

import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { type Child, type Exit, startChild } from '../harness/child.ts'
import { RawConnection } from '../harness/connection.ts'
import { ReplyError } from '../harness/resp.ts'
import { caskyMain, type Kind, program } from '../harness/server.ts'

/** Loading, on a machine that has twenty times more to do than it can: a start has taken a minute there. */
const READY_LIMIT_MS = 300_000
/** A stop has ten seconds by itself (shutdown-timeout). On a machine with twenty times more to do than it can, a good one has needed them. */
const STOP_SECONDS = 60
/** A reply that has not come by then never will. */
const REPLY_LIMIT_MS = 180_000

export interface Victim {
  readonly child: Child
  /** From spawn to the first PONG. */
  readonly readyMs: number
  connect(): Promise<RawConnection>
  /** SIGTERM, and wait for the end. */
  halt(): Promise<Exit>
  /** SIGKILL, and wait for the end. */
  crash(): Promise<Exit>
}

export interface VictimOptions {
  readonly kind: Kind
  readonly dir: string
  readonly socket: string
  readonly args: readonly string[]
  /** Threads of libuv's pool: how much of the disk's work is under way at once. */
  readonly poolThreads?: number
  readonly env?: Readonly<Record<string, string>>
}

/** Spawns it and does not wait: for whoever wants to kill it while it starts. */
export function spawnVictim({ kind, dir, socket, args, poolThreads, env }: VictimOptions): Promise<Child> {
  if (kind === 'redis') mkdirSync(dir, { recursive: true }) // it does not make its directory, Casky does
  const own = ['--port', '0', '--unixsocket', socket, '--dir', dir, '--shutdown-timeout', String(STOP_SECONDS)]
  const words = kind === 'casky' ? [caskyMain, ...own, ...args] : [...own, '--save', '', ...args]
  return startChild(program(kind), words, {
    env: { UV_THREADPOOL_SIZE: String(poolThreads ?? 8), ...env },
    cwd: tmpdir(), // not `dir`: making it is the server's own business
  })
}

/** Spawns it and waits until it answers PONG. Throws, with what it said, when it ends instead. */
export async function startVictim(options: VictimOptions): Promise<Victim> {
  const started = performance.now()
  const child = await spawnVictim(options)
  while (!(await answers(options.socket))) {
    if (child.exit !== undefined) throw new Error(`it ended with ${JSON.stringify(child.exit)}:\n${child.output()}`)
    if (performance.now() - started > READY_LIMIT_MS) {
      child.kill('SIGKILL')
      await child.exited
      throw new Error(`not ready within ${READY_LIMIT_MS} ms:\n${child.output()}`)
    }
    await pause(4) // the interval of the retry, not a wait for luck
  }
  const end = async (signal: NodeJS.Signals): Promise<Exit> => {
    child.kill(signal)
    const limit = setTimeout(() => child.kill('SIGKILL'), STOP_SECONDS * 1500)
    const exit = await child.exited
    clearTimeout(limit)
    return exit
  }
  return {
    child,
    readyMs: performance.now() - started,
    connect: () => RawConnection.open({ path: options.socket, replyLimitMs: REPLY_LIMIT_MS }),
    halt: () => end('SIGTERM'),
    crash: () => end('SIGKILL'),
  }
}

async function answers(socket: string): Promise<boolean> {
  let connection: RawConnection | undefined
  try {
    connection = await RawConnection.open({ path: socket, replyLimitMs: REPLY_LIMIT_MS })
    const reply = await connection.call('PING')
    return reply === 'PONG' || (reply instanceof ReplyError && !reply.message.startsWith('LOADING'))
  } catch {
    return false // nobody listens yet, or it was the socket of a dead one
  } finally {
    connection?.close()
  }
}
