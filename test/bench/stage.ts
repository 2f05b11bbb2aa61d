// A stage: the servers that are compared, with one data set in them. Rows that need the same data share it.
//
// Redis keeps an append-only file that is synced every second, as Casky does, and writes no snapshots of its own. All are loaded with
// the same keys. A run starts only when every server is idle: a rewrite or a merge of the one must not run on the other's time.

import { closeSync, openSync, readdirSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { run } from '../harness/child.ts'
import { loadKeys, readKeys } from '../harness/loader.ts'
import { cpuMs } from '../harness/process-stats.ts'
import { type Server, startServer } from '../harness/server.ts'

/** `other` is Casky on another Node. */
export type Side = 'casky' | 'redis' | 'other'

export interface StageWords {
  readonly name: string
  readonly keys: number
  readonly valueBytes: number
  readonly args?: { readonly both?: readonly string[]; readonly casky?: readonly string[] }
}

export interface Contender {
  readonly side: Side
  server: Server
}

export class Stage {
  readonly words: StageWords
  readonly contenders: Contender[]
  private readonly node: string | undefined

  private constructor(words: StageWords, contenders: Contender[], node: string | undefined) {
    this.words = words
    this.contenders = contenders
    this.node = node
  }

  /** `node`: the program of another Node, if a third contender is wanted. */
  static async open(words: StageWords, node: string | undefined, sides: readonly Side[]): Promise<Stage> {
    const stage = new Stage(words, [], node)
    try {
      for (const side of sides) {
        const server = await stage.start(side)
        stage.contenders.push({ side, server })
        await idle(server)
        if (words.keys > 0) await loadKeys({ port: server.port, count: words.keys, valueBytes: words.valueBytes })
        await idle(server)
      }
    } catch (error) {
      await stage.close()
      throw error
    }
    return stage
  }

  /** Starts a server of that side with the stage's directives; `dir` when it has its data already. */
  start(side: Side, dir?: string): Promise<Server> {
    const { both = ['--appendfsync', 'everysec'], casky = [] } = this.words.args ?? {}
    const args = side === 'redis' ? ['--appendonly', 'yes', ...both] : [...both, ...casky]
    return startServer(side === 'redis' ? 'redis' : 'casky', {
      args,
      readyLimitMs: 600_000,
      ...(dir === undefined ? {} : { dir }),
      ...(side === 'other' ? { node: this.node! } : {}),
    })
  }

  of(side: Side): Contender {
    const found = this.contenders.find((one) => one.side === side)
    if (found === undefined) throw new Error(`there is no ${side} on this stage`)
    return found
  }

  /** Waits until all of them are idle, and what they have written is on disk: else the one's fsync falls into the other's time. */
  async rest(): Promise<void> {
    await Promise.all(this.contenders.map(({ server }) => idle(server)))
    for (const { server } of this.contenders) await run('sync', ['--file-system', server.dir])
  }

  /** Reads every key once, everywhere or on these sides: what was read is hot. */
  async warm(sides?: readonly Side[]): Promise<void> {
    const { keys, valueBytes } = this.words
    for (const { side, server } of this.contenders) {
      if (sides === undefined || sides.includes(side)) await readKeys({ port: server.port, count: keys, valueBytes })
    }
  }

  /**
   * Ends one server, in good manners or not, and starts it again over the same directory. Its files are in the page cache then: some systems
   * take idle pages away within a minute, and what is measured is not the disk.
   */
  async restart(side: Side, how: 'halt' | 'crash'): Promise<Server> {
    const contender = this.of(side)
    const { signal } = await contender.server[how]()
    if (how === 'halt' && signal === 'SIGKILL') throw new Error(`${side} did not stop in time`)
    readThrough(contender.server.dir)
    contender.server = await this.start(side, contender.server.dir)
    return contender.server
  }

  /** Nobody needs their data any more. */
  async close(): Promise<void> {
    for (const { server } of this.contenders.splice(0)) {
      await server.crash()
      rmSync(server.dir, { recursive: true, force: true })
    }
  }
}

function readThrough(dir: string): void {
  const buffer = Buffer.allocUnsafe(1024 * 1024)
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = openSync(join(entry.parentPath, entry.name), 'r')
    while (readSync(file, buffer) > 0) {}
    closeSync(file)
  }
}

/** Waits until the server neither works nor has work in the background: two windows of 100 ms with no more than 10 of them at work. */
export async function idle(server: Server): Promise<void> {
  const deadline = performance.now() + 120_000
  for (let quiet = 0; quiet < 2; ) {
    if (performance.now() > deadline) throw new Error(`${server.kind} does not come to rest`)
    const before = cpuMs(server.child.pid)
    await pause(100)
    const busy = cpuMs(server.child.pid) - before > 10 || (await info(server, 'aof_rewrite_in_progress')) === '1'
    quiet = busy ? 0 : quiet + 1
  }
}

/** One field of INFO, or '' when the server has no such field. */
export async function info(server: Server, field: string): Promise<string> {
  const connection = await server.connect({ replyLimitMs: 60_000 })
  const text = String(await connection.call('INFO', 'everything'))
  connection.close()
  return new RegExp(`^${field}:(.*)$`, 'm').exec(text)?.[1]?.trim() ?? ''
}
