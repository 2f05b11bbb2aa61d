// A server whose disk becomes full, as a story told step by step: fill, read, delete, merge, write again, die, come back.
//
// Every step plays its commands through the accounts (accounts.ts), so that at any time each key's content can be asked for and judged. A wait
// here is for a state that the server promises to reach by itself, and gives up with the server's log when it does not.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { RESERVE } from '../../src/engine/filename.ts'
import { markedValue } from '../crash/workload.ts'
import { run } from '../harness/child.ts'
import type { RawConnection } from '../harness/connection.ts'
import { type Random, randomFrom } from '../harness/random.ts'
import { type Reply, ReplyError, show } from '../harness/resp.ts'
import { type Server, startServer } from '../harness/server.ts'
import { Accounts, type Tally, type Write } from './accounts.ts'

/** How long a promise may take to come true: the reserve is looked after once a second, on a machine that does other things as well. */
const PATIENCE_MS = 150_000
const BURST = 64

export interface StoryOptions {
  readonly seed: number
  readonly dir: string
  readonly args?: readonly string[]
  /** No file of the server may grow beyond this (ulimit -f). */
  readonly fileBytes?: number
  /** The longest value's filler. */
  readonly valueBytes?: number
  readonly keys?: number
}

export class Story {
  readonly accounts = new Accounts()
  readonly total: Tally = { done: 0, refused: 0, unknown: 0 }
  /** Makes room for a start that says there is none, and nothing to give up: that may be, where others take what is given up at once. */
  makeRoom: (() => void) | null = null
  server!: Server
  connection!: RawConnection
  private readonly options: StoryOptions
  private readonly random: Random
  private seq = 0
  /** What the servers before this one said. */
  private readonly saidBefore: string[] = []

  private constructor(options: StoryOptions) {
    this.options = options
    this.random = randomFrom(options.seed)
  }

  static async begin(options: StoryOptions): Promise<Story> {
    const story = new Story(options)
    await story.start()
    return story
  }

  private async start(): Promise<void> {
    const { dir, args = [], fileBytes } = this.options
    const options = { dir, args: [...args, '--hz', '50'] }
    try {
      this.server = await startServer('casky', options)
    } catch (error) {
      if (this.makeRoom === null || !(error as Error).message.includes('nothing is left to give up')) throw error
      this.makeRoom()
      this.server = await startServer('casky', options)
    }
    if (fileBytes !== undefined) {
      const { code, stderr } = await run('prlimit', ['--pid', String(this.server.child.pid), `--fsize=${fileBytes}`])
      if (code !== 0) throw new Error(stderr)
    }
    this.connection = await this.server.connect({ replyLimitMs: PATIENCE_MS })
  }

  // --- writing

  /** Any write: a value, two values in a transaction, a delete. */
  private next(growing: boolean): Write {
    const { keys = 2000 } = this.options
    this.seq++
    const dice = this.random.next()
    if (!growing || dice < 0.1) {
      const key = `p${this.random.below(keys)}`
      return { command: ['DEL', key], effects: [[key, null]] }
    }
    if (dice < 0.25) {
      const pair = this.random.below(50)
      const left = this.value(`left${pair}`, 100)
      const right = this.value(`right${pair}`, 100)
      const effects = [
        [`left${pair}`, left],
        [`right${pair}`, right],
      ] as const
      return { command: ['MSET', ...effects.flat()], effects }
    }
    const key = `p${this.random.below(keys)}`
    const value = this.value(key, this.options.valueBytes ?? 4000)
    return { command: ['SET', key, value], effects: [[key, value]] }
  }

  private value(key: string, longest: number): string {
    return markedValue(0, key, this.seq, this.random.below(longest))
  }

  /** Plays so many writes. */
  async write(count: number): Promise<Tally> {
    const sum: Tally = { done: 0, refused: 0, unknown: 0 }
    for (let left = count; left > 0; left -= BURST) {
      const writes = Array.from({ length: Math.min(left, BURST) }, () => this.next(true))
      add(sum, await this.accounts.play(this.connection, writes))
    }
    add(this.total, sum)
    return sum
  }

  /** Writes until one is refused. */
  async writeUntilRefused(most = 500_000): Promise<Tally> {
    const sum: Tally = { done: 0, refused: 0, unknown: 0 }
    while (sum.refused + sum.unknown === 0) {
      if (sum.done > most) throw new Error(`${sum.done} writes, and none was refused`)
      add(sum, await this.write(BURST))
    }
    return sum
  }

  /** Deletes that share of the keys. On a full disk they go on from the reserve, so every one must succeed once the log is repaired. */
  async remove(share: number): Promise<number> {
    const keys = this.accounts.held.filter((key) => !key.startsWith('right') && this.random.chance(share))
    for (const key of keys) {
      const all = key.startsWith('left') ? [key, key.replace('left', 'right')] : [key]
      const write: Write = { command: ['DEL', ...all], effects: all.map((each) => [each, null] as const) }
      await this.until(`DEL ${key} is accepted`, async () => {
        const tally = await this.accounts.play(this.connection, [write])
        add(this.total, tally)
        return tally.done === 1
      })
    }
    return keys.length
  }

  /** Deletes until that is refused too: the reserve is used up. `meanwhile` keeps others from having room. */
  async removeUntilRefused(meanwhile: () => void): Promise<void> {
    const keys = this.accounts.held.filter((key) => key.startsWith('p'))
    for (let from = 0; from < keys.length; from += BURST) {
      meanwhile()
      const writes = keys
        .slice(from, from + BURST)
        .map((key): Write => ({ command: ['DEL', key], effects: [[key, null]] }))
      const tally = await this.accounts.play(this.connection, writes)
      add(this.total, tally)
      if (tally.done < writes.length) return
    }
    throw new Error(`${keys.length} deletes, and none was refused\n${this.tail()}`)
  }

  /** A write that grows is refused and has no effect; reads, deletes and INFO go on. */
  async refusesWritesOnly(when: string): Promise<void> {
    const tally = await this.write(200)
    const status = await this.info('aof_last_write_status')
    if (status !== 'err') this.accounts.problems.push(`${when}: INFO says aof_last_write_status:${status}`)
    if (tally.done > 60) this.accounts.problems.push(`${when}: of 200 writes ${tally.done} were accepted`)
    await this.remove(0.002)
    await this.check(`${when}, writes refused`)
  }

  /** What is promised of a full disk is promised of a store whose reserve is there: it is made right after a start. */
  async untilReserved(): Promise<void> {
    await this.until('the reserve is there', async () => existsSync(join(this.options.dir, RESERVE)))
  }

  async writesResume(): Promise<void> {
    await this.until('writes resume', async () => (await this.write(1)).done === 1)
  }

  async merge(): Promise<Reply> {
    const reply = await this.connection.call('MERGE', 'WAIT')
    if (reply instanceof ReplyError) this.accounts.problems.push(`MERGE WAIT was answered ${show(reply)}`)
    return reply
  }

  // --- the server

  async check(when: string): Promise<void> {
    await this.accounts.check(this.connection, when)
  }

  /** The server is killed in the middle of writes; it comes back, and what it has is what it may have. */
  async killAndStart(when: string): Promise<void> {
    const dying = this.write(BURST * 4)
    await this.server.crash()
    this.saidBefore.push(this.server.child.output())
    await dying
    this.connection.close()
    await this.start()
    await this.accounts.check(this.connection, `${when}, killed and started`, true)
  }

  async stopAndStart(when: string): Promise<void> {
    this.connection.close()
    const exit = await this.server.halt()
    this.saidBefore.push(this.server.child.output())
    if (exit.code !== 0) {
      this.accounts.problems.push(`${when}: the stop ended with ${JSON.stringify(exit)}: ${this.tail()}`)
    }
    await this.start()
    await this.accounts.check(this.connection, `${when}, stopped and started`, true)
  }

  async info(field: string): Promise<string> {
    const text = String(await this.connection.call('INFO'))
    return new RegExp(`^${field}:(.*)\r$`, 'm').exec(text)?.[1] ?? ''
  }

  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    while (!(await holds())) {
      if (performance.now() > deadline) throw new Error(`waited in vain until ${what}\n${this.tail()}`)
      await pause(20) // the interval of the question, not a wait for luck
    }
  }

  tail(): string {
    const said = [...this.saidBefore, this.server.child.output()].map((one) =>
      one.length > 4000 ? `${one.slice(0, 2000)}\n[...]\n${one.slice(-2000)}` : one,
    )
    const files = readdirSync(this.options.dir).join(' ')
    return `seed ${this.options.seed}; its files: ${files}; the server said:\n${said.join('\n--- started again\n')}`
  }

  /** Ends the server. Returns what was wrong. */
  async end(): Promise<string> {
    this.connection.close()
    await this.server.crash()
    const { problems } = this.accounts
    return problems.length === 0 ? '' : [...problems.slice(0, 20), this.tail()].join('\n')
  }
}

function add(to: Tally, more: Tally): void {
  to.done += more.done
  to.refused += more.refused
  to.unknown += more.unknown
}
