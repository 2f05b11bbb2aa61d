// The clients of the matrix: what each needs to be there, and how it is tried against a port. A program of ours (programs/)
// does with it what an application would, with default options, and ends with "ok" and exit code 0, or says what was wrong.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { run } from '../harness/child.ts'
import { findProgram } from '../harness/programs.ts'
import { tryExporter } from './exporter.ts'
import { tryRedisCli } from './redis-cli.ts'

export interface Client {
  readonly name: string
  /** '' when it can be tried here, or what is missing. */
  readonly missing: () => string | Promise<string>
  /** '' when all went well, or what went wrong. */
  readonly attempt: (port: number) => Promise<string>
}

export const clientsFolder = fileURLToPath(new URL('.', import.meta.url))
const program = (name: string): string => join(clientsFolder, 'programs', name)
const LIMIT_MS = 120_000

/** Runs a program of ours to its end. */
export async function verdict(command: string, args: readonly string[]): Promise<string> {
  const result = await run(command, args, { limitMs: LIMIT_MS })
  if (result.code === 0 && result.stdout.trimEnd().endsWith('ok')) return ''
  const end = result.signal === null ? `exit ${result.code}` : `killed by ${result.signal} after ${LIMIT_MS / 1000} s`
  return `${end}\n${result.stdout}${result.stderr}`
}

/** A Node program whose first argument is the client's module, resolved from `from`, a folder with node_modules. */
export function tryNodeClient(script: string, module: string, port: number, from = clientsFolder): Promise<string> {
  const path = createRequire(join(from, 'package.json')).resolve(module)
  return verdict(process.execPath, [program(script), pathToFileURL(path).href, String(port)])
}

const installed = (module: string) => (): string =>
  existsSync(join(clientsFolder, 'node_modules', module)) ? '' : `${module} (npm ci --prefix test/clients)`

/** A client that our program gets to know as a module. */
const node = (name: string, script: string, module: string): Client => ({
  name,
  missing: installed(module),
  attempt: (port) => tryNodeClient(script, module, port),
})

/** A client that our program imports itself. */
const nodeProgram = (name: string, script: string, module: string): Client => ({
  name,
  missing: installed(module),
  attempt: (port) => verdict(process.execPath, [program(script), String(port)]),
})

/** A client of Debian's: `check` tells whether the package is there. */
function debian(name: string, aptPackage: string, command: string, check: readonly string[], script: string): Client {
  return {
    name,
    missing: async () => {
      const there = findProgram(command) ?? (existsSync(command) ? command : undefined)
      if (there !== undefined && (await run(command, check)).code === 0) return ''
      return `${aptPackage} (apt-get install ${aptPackage})`
    },
    attempt: (port) => verdict(command, [program(script), String(port)]),
  }
}

/** Debian's Python, for which Debian's packages are, also where another comes first on the PATH. */
const PYTHON = '/usr/bin/python3'

export const clients: readonly Client[] = [
  node('ioredis 6', 'ioredis.mjs', 'ioredis6'),
  node('ioredis 5', 'ioredis.mjs', 'ioredis5'),
  node('node-redis 6', 'node-redis.mjs', 'redis6'),
  node('node-redis 5', 'node-redis.mjs', 'redis5'),
  node('node-redis 4', 'node-redis.mjs', 'redis4'),
  node('node-redis 6, client-side cache', 'node-redis-cache.mjs', 'redis6'),
  node('iovalkey', 'ioredis.mjs', 'iovalkey'),
  nodeProgram('@valkey/valkey-glide', 'glide.mjs', '@valkey/valkey-glide'),
  nodeProgram('keyv with @keyv/redis', 'keyv.mjs', '@keyv/redis'),
  nodeProgram('cache-manager', 'cache-manager.mjs', 'cache-manager'),
  nodeProgram('connect-redis with express-session', 'express-session.mjs', 'connect-redis'),
  {
    name: 'redis-cli, all modes',
    missing: () => (findProgram('redis-cli') === undefined ? 'redis-tools (apt-get install redis-tools)' : ''),
    attempt: tryRedisCli,
  },
  debian('redis-py', 'python3-redis', PYTHON, ['-c', 'import redis'], 'redis_py.py'),
  debian('django-redis', 'python3-django-redis', PYTHON, ['-c', 'import django_redis'], 'django_cache.py'),
  debian('phpredis', 'php-redis', 'php', ['-r', 'exit(extension_loaded("redis") ? 0 : 1);'], 'phpredis.php'),
  debian('redis-rb', 'ruby-redis', 'ruby', ['-e', 'require "redis"'], 'redis.rb'),
  debian('lua-redis', 'lua-redis', 'lua5.1', ['-e', 'require "redis"'], 'redis.lua'),
  {
    name: 'hiredis',
    missing: () => {
      if (!existsSync('/usr/include/hiredis/hiredis.h')) return 'libhiredis-dev (apt-get install libhiredis-dev)'
      return findProgram('cc') === undefined ? 'a C compiler (apt-get install gcc libc6-dev)' : ''
    },
    attempt: tryHiredis,
  },
  {
    name: 'prometheus-redis-exporter',
    missing: () =>
      findProgram('prometheus-redis-exporter') === undefined
        ? 'prometheus-redis-exporter (apt-get install prometheus-redis-exporter)'
        : '',
    attempt: tryExporter,
  },
]

async function tryHiredis(port: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'casky-hiredis-'))
  try {
    const binary = join(folder, 'hiredis')
    const built = await run('cc', ['-Wall', '-O1', '-o', binary, program('hiredis.c'), '-lhiredis'], {
      limitMs: 60_000,
    })
    if (built.code !== 0) return `it does not compile:\n${built.stderr}`
    return await verdict(binary, [String(port)])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
