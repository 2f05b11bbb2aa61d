// From the command line, the environment and the files to a Config, or to the text and exit code to end with.
// The only place where the order of sources stands (settings.ts explains it). process.env and argv come in as parameters.

import { resolve } from 'node:path'
import { CASKY_VERSION, REDIS_VERSION } from '../base/version.ts'
import { optionText, parseCommandLine, USAGE } from './commandline.ts'
import { Config } from './config.ts'
import { readEnvironment } from './environment.ts'
import type { Files } from './files.ts'
import { Refusal, splitWords } from './grammar.ts'
import { fatalError, readFile, readText, readVariable } from './read.ts'
import { Settings } from './settings.ts'

export interface LoadInput {
  /** Without node and the script. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly files: Files
}

export type Loaded =
  | { readonly config: Config }
  | { readonly exit: number; readonly stdout: string; readonly stderr: string }

export function loadConfig(input: LoadInput): Loaded {
  const commandLine = parseCommandLine(input.argv)
  // Programs that ask a server for its version take the first number for the Redis version. Casky's own stands behind.
  if (commandLine.kind === 'version') {
    const line = `Casky server v=${REDIS_VERSION} sha=00000000:0 malloc=libc bits=64 build=casky-${CASKY_VERSION}\n`
    return { exit: 0, stdout: line, stderr: '' }
  }
  if (commandLine.kind === 'help') return failed(USAGE)

  const { files } = input
  const settings = new Settings()
  const path = commandLine.file === null ? null : resolve(input.cwd, commandLine.file)

  const file = path === null ? '' : readFile(path, files)
  if (file instanceof Refusal) return failed(file.text)
  const stdin = commandLine.stdin ? files.readStdin() : ''
  // Lines are counted as if file, standard input and options were one text, as redis-server counts them.
  const stdinLine = 1 + newlines(file)
  const flagsLine = 1 + newlines(file) + newlines(stdin) + 1

  const environment = readEnvironment(input.env, files)
  if (typeof environment === 'string') return failed(environment)
  const extraFlags = splitWords(environment.extraFlags)
  if (extraFlags === null) {
    const reason = 'Unbalanced quotes in configuration line'
    return failed(fatalError('Reading the environment, variable CASKY_EXTRA_FLAGS', 'CASKY_EXTRA_FLAGS=...', reason))
  }

  const problem =
    readText(settings, { text: file, origin: 'file', firstLine: 1 }, files) ??
    readText(settings, { text: stdin, origin: 'stdin', firstLine: stdinLine }, files) ??
    firstProblem(environment.variables, (it) => readVariable(settings, it.name, it.directive, it.value)) ??
    readText(settings, { text: optionText(extraFlags), origin: 'environment', firstLine: 1 }, files) ??
    readText(settings, { text: commandLine.text, origin: 'flags', firstLine: flagsLine }, files)
  return problem === null ? { config: new Config(settings, path, files) } : failed(problem)
}

function failed(stderr: string): Loaded {
  return { exit: 1, stdout: '', stderr }
}

function firstProblem<T>(items: readonly T[], check: (item: T) => string | null): string | null {
  for (const item of items) {
    const problem = check(item)
    if (problem !== null) return problem
  }
  return null
}

function newlines(text: string): number {
  return text.split('\n').length - 1
}
