// The face of starter.mjs: a process that wants a lock, perhaps as pid 1 of a process namespace of its own, as in a container.

import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { run } from '../harness/child.ts'
import { findProgram } from '../harness/programs.ts'
import { caskyMain } from '../harness/server.ts'

const program = fileURLToPath(new URL('starter.mjs', import.meta.url))
const caskysLock = join(caskyMain, '..', 'engine', 'lock.js')
const asPidOne = ['-p', '-f', '--mount-proc']

/** Can processes have a namespace of their own here? Needs root and the unshare program. Throws where CI=true and they cannot. */
export async function namespacesWork(): Promise<boolean> {
  if (findProgram('unshare') !== undefined) {
    const { code, stdout } = await run('unshare', [...asPidOne, 'sh', '-c', 'echo $$'])
    if (code === 0 && stdout.trim() === '1') return true
  }
  const line = 'no process namespaces here (unshare, root): locks are not tried as pid 1'
  if (process.env.CI === 'true') throw new Error(`${line}, and CI=true forbids that`)
  console.warn(line)
  return false
}

/** Program and arguments, so that it becomes pid 1 of a new namespace. */
export function inNamespace(program: string, args: readonly string[]): [program: string, args: string[]] {
  return ['unshare', [...asPidOne, program, ...args]]
}

/** The process inside: unshare stays outside and waits for it. Undefined when it has ended. */
export function pidInside(unsharePid: number): number | undefined {
  try {
    return (
      Number(readFileSync(`/proc/${unsharePid}/task/${unsharePid}/children`, 'latin1').trim().split(' ')[0]) ||
      undefined
    )
  } catch {
    return undefined // unshare has ended too
  }
}

export class Starter {
  /** What it believes its pid to be. */
  ownPid = 0
  private readonly process: ChildProcess
  private readonly isPidOne: boolean
  private readonly gone: Promise<void>
  /** Who waits for the next lines, in order. */
  private readonly waiting: Array<(line: string) => void> = []

  private constructor(isPidOne: boolean, lockModule: string) {
    this.isPidOne = isPidOne
    const args = [program, lockModule]
    const command = isPidOne ? inNamespace(process.execPath, args) : ([process.execPath, args] as const)
    // Being killed from outside makes unshare complain; that is no news.
    this.process = spawn(...command, { stdio: ['pipe', 'pipe', isPidOne ? 'ignore' : 'inherit'] })
    this.process.stdin!.on('error', () => {}) // it may be killed before it reads
    createInterface({ input: this.process.stdout! }).on('line', (line) => this.waiting.shift()?.(line))
    this.gone = new Promise((resolve) => this.process.once('close', () => resolve()))
    void this.gone.then(() => {
      for (const answer of this.waiting.splice(0)) answer('gone')
    })
  }

  /** `lockModule`: whose lockDirectory it calls, by default Casky's. */
  static async start(isPidOne: boolean, lockModule = caskysLock): Promise<Starter> {
    const starter = new Starter(isPidOne, lockModule)
    const ready = await starter.next()
    if (!ready.startsWith('ready ')) throw new Error(`a starter did not start: ${ready}`)
    starter.ownPid = Number(ready.split(' ')[1])
    return starter
  }

  /** Sends a line. Resolves with the answer, or with `gone` when it was killed meanwhile. */
  ask(line: string): Promise<string> {
    const answer = this.next()
    this.process.stdin!.write(`${line}\n`)
    return answer
  }

  /** SIGKILL, and wait until it is gone. */
  async kill(): Promise<void> {
    const pid = this.isPidOne ? pidInside(this.process.pid!) : this.process.pid
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
    await this.gone
  }

  private next(): Promise<string> {
    return new Promise((resolve) => this.waiting.push(resolve))
  }
}
