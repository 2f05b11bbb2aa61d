// Casky and redis-server as child processes behind one face, so that one test can ask both the same question.
//
// A port is free at the moment we ask for it and may be taken a moment later, so a server that could not bind is started
// again on another. Ready means: a PING is answered with PONG (not LOADING). Each server owns a temporary directory
// unless it is given one; `stop` ends it in good manners (SIGTERM), `crash` does not (SIGKILL).

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Child, type Exit, startChild } from './child.ts'
import { RawConnection } from './connection.ts'
import { ReplyError } from './resp.ts'

export type Kind = 'casky' | 'redis'

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url))
/** What is tested: this project's build, or another one that CASKY_TEST_MAIN names. */
export const caskyMain = process.env.CASKY_TEST_MAIN ?? join(projectRoot, 'dist', 'main.js')

/** Has the project been built? Tests against Casky's process need `dist`. */
export function caskyIsBuilt(): boolean {
  return existsSync(caskyMain)
}

export interface ServerOptions {
  /** Directives beside --port and --dir: `['--appendfsync', 'always']`. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** A configuration file; the directives on the command line lie over it. */
  readonly conf?: string
  /** The data directory. Default: a temporary one, removed by `stop` and by `discard`. */
  readonly dir?: string
  readonly password?: string
  /** How long it may take from start to PONG: loading counts. */
  readonly readyLimitMs?: number
  /** The program of another Node, for Casky. */
  readonly node?: string
}

export interface Server {
  readonly kind: Kind
  readonly port: number
  readonly dir: string
  readonly child: Child
  /** Milliseconds from spawn to the first PONG. */
  readonly readyMs: number
  connect(options?: { readonly replyLimitMs?: number }): Promise<RawConnection>
  /** SIGTERM, wait, remove the directory if it was ours. After 20 s SIGKILL. */
  stop(): Promise<Exit>
  /** SIGTERM and wait, the directory stays. */
  halt(): Promise<Exit>
  /** SIGKILL and wait, the directory stays. */
  crash(): Promise<Exit>
}

/** Starts a server and waits until it answers PONG. Throws with its output when it does not. */
export async function startServer(kind: Kind, options: ServerOptions = {}): Promise<Server> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), `casky-test-${kind}-`))
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const started = performance.now()
    const child = await launch(kind, port, dir, options)
    try {
      await untilReady(child, port, options)
    } catch (error) {
      child.kill('SIGKILL')
      await child.exited
      if (attempt < 5 && /address already in use|EADDRINUSE/i.test(child.output())) continue
      if (options.dir === undefined) rmSync(dir, { recursive: true, force: true })
      throw error
    }
    return face(kind, port, dir, child, performance.now() - started, options)
  }
}

/** Spawns the server and does not wait for it: for whoever wants to kill it while it starts. */
export function launch(kind: Kind, port: number, dir: string, options: ServerOptions = {}): Promise<Child> {
  return startChild(
    kind === 'casky' ? (options.node ?? program(kind)) : program(kind),
    commandLine(kind, port, dir, options),
    {
      env: {
        UV_THREADPOOL_SIZE: '8',
        GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1048576',
        ...options.env,
      },
      cwd: tmpdir(), // not `dir`: making it is the server's own business
    },
  )
}

function face(kind: Kind, port: number, dir: string, child: Child, readyMs: number, options: ServerOptions): Server {
  const end = async (signal: NodeJS.Signals): Promise<Exit> => {
    child.kill(signal)
    const limit = setTimeout(() => child.kill('SIGKILL'), 20_000)
    const exit = await child.exited
    clearTimeout(limit)
    return exit
  }
  return {
    kind,
    port,
    dir,
    child,
    readyMs,
    connect: (more) => RawConnection.open({ port, ...more }),
    stop: async () => {
      const exit = await end('SIGTERM')
      if (options.dir === undefined) rmSync(dir, { recursive: true, force: true })
      return exit
    },
    halt: () => end('SIGTERM'),
    crash: () => end('SIGKILL'),
  }
}

export function program(kind: Kind): string {
  return kind === 'casky' ? process.execPath : 'redis-server'
}

function commandLine(kind: Kind, port: number, dir: string, options: ServerOptions): string[] {
  const own = ['--port', String(port), '--dir', dir, ...(options.password ? ['--requirepass', options.password] : [])]
  const more = options.args ?? []
  const conf = options.conf === undefined ? [] : [options.conf]
  return kind === 'casky' ? [caskyMain, ...conf, ...own, ...more] : [...conf, ...own, '--save', '', ...more]
}

/** A port that nobody listened on a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve((address as { port: number }).port))
    })
  })
}

async function untilReady(child: Child, port: number, options: ServerOptions): Promise<void> {
  const limitMs = options.readyLimitMs ?? 150_000
  const deadline = performance.now() + limitMs
  for (;;) {
    if (child.exit !== undefined) throw new Error(`the server ended (${child.exit.code}):\n${child.output()}`)
    if (performance.now() > deadline) throw new Error(`not ready within ${limitMs} ms:\n${child.output()}`)
    if (await answers(port, child.pid, options.password)) return
    await pause(5) // the interval of the retry, not a wait for luck
  }
}

async function answers(port: number, pid: number, password: string | undefined): Promise<boolean> {
  let connection: RawConnection | undefined
  try {
    connection = await RawConnection.open({ port, replyLimitMs: 150_000 })
    if (password !== undefined) await connection.call('AUTH', Buffer.from(password, 'utf8')) // as it stands on the command line
    const reply = await connection.call('PING')
    if (reply instanceof ReplyError) return !reply.message.startsWith('LOADING')
    if (reply !== 'PONG') return false
    // Somebody else's server may have taken the port meanwhile: ours will say so, and is started again.
    const info = await connection.call('INFO', 'server')
    return !Buffer.isBuffer(info) || info.includes(`process_id:${pid}\r\n`)
  } catch {
    return false
  } finally {
    connection?.close()
  }
}
