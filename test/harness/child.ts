// A child process with its output kept: the black-box tests see Casky and redis-server only through processes and sockets.
//
// A child is stopped by its own pid and never by name. What it printed is kept whole (bounded), because a server that
// does not start says why on stdout or stderr and the failure has to show it.

import { type ChildProcess, spawn } from 'node:child_process'

/** More output than this is a server that went mad; its first part tells the story. */
const MAX_OUTPUT_BYTES = 1024 * 1024

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Child {
  readonly pid: number
  /** Settles when the process has ended and its pipes are closed. Never rejects. */
  readonly exited: Promise<Exit>
  /** The exit, once known. */
  readonly exit: Exit | undefined
  readonly stdin: ChildProcess['stdin']
  stdout(): string
  stderr(): string
  /** Both, for messages. */
  output(): string
  /** Sends the signal if it still runs; wait on `exited`. */
  kill(signal: NodeJS.Signals): void
}

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly input?: string | Buffer
}

/** Starts a program. Rejects when it cannot be started at all. */
export function startChild(program: string, args: readonly string[], options: ChildOptions = {}): Promise<Child> {
  return new Promise((resolve, reject) => {
    const process_ = spawn(program, args, {
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    let exit: Exit | undefined
    process_.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < MAX_OUTPUT_BYTES) stdout += text
    })
    process_.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < MAX_OUTPUT_BYTES) stderr += text
    })
    process_.stdin.on('error', () => {}) // it may end before it has read its input
    const exited = new Promise<Exit>((settle) => {
      process_.once('close', (code, signal) => {
        exit = { code, signal }
        settle(exit)
      })
    })
    process_.once('error', reject)
    process_.once('spawn', () => {
      if (options.input !== undefined) process_.stdin.end(options.input)
      resolve({
        pid: process_.pid!,
        exited,
        get exit() {
          return exit
        },
        stdin: process_.stdin,
        stdout: () => stdout,
        stderr: () => stderr,
        output: () => stdout + stderr,
        kill: (signal) => {
          if (exit === undefined) process_.kill(signal)
        },
      })
    })
  })
}

export interface Run extends Exit {
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end. After `limitMs` it is killed and the result carries the signal. */
export async function run(
  program: string,
  args: readonly string[],
  options: ChildOptions & { readonly limitMs?: number } = {},
): Promise<Run> {
  const child = await startChild(program, args, options)
  if (options.input === undefined) child.stdin?.end()
  const limit = setTimeout(() => child.kill('SIGKILL'), options.limitMs ?? 150_000)
  const exit = await child.exited
  clearTimeout(limit)
  return { ...exit, stdout: child.stdout(), stderr: child.stderr() }
}
