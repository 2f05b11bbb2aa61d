// The image's entry point, with a `casky` on PATH that only says how it was called. No container engine is needed: what the script
// decides, it decides from its arguments, its environment and the user it runs as.

import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run } from '../harness/child.ts'
import { projectRoot } from '../harness/server.ts'

const entrypoint = join(projectRoot, 'docker', 'entrypoint.sh')
let folder = ''
let bin = ''
let data = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'casky-entrypoint-'))
  bin = join(folder, 'bin')
  data = join(folder, 'data')
  mkdirSync(bin)
  mkdirSync(data)
  const report =
    'for a in "$@"; do echo "arg $a"; done; env | grep ^CASKY_ | sort; echo "umask $(umask)"; echo "pid $$"'
  program('casky', `echo casky; ${report}`)
  // An ordinary user, whoever runs the tests; `asRoot` puts other answers before these.
  program('id', 'echo 12345')
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function program(name: string, script: string, where = bin): void {
  writeFileSync(join(where, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(where, name), 0o755)
}

function configuration(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

interface Start {
  readonly args: string[]
  readonly env: Record<string, string>
  readonly lines: string[]
}

/** Runs the entry point in the data directory with this environment and nothing else of ours. */
async function start(args: readonly string[], env: Record<string, string> = {}, path = bin): Promise<Start> {
  const clean = Object.fromEntries(Object.keys(process.env).map((name) => [name, undefined]))
  const result = await run('/bin/sh', ['-c', 'umask 0022; exec "$0" "$@"', entrypoint, ...args], {
    cwd: data,
    env: { ...clean, PATH: `${path}:/usr/bin:/bin`, ...env },
  })
  expect(result.stderr).toBe('')
  expect(result.code).toBe(0)
  const lines = result.stdout.trimEnd().split('\n')
  const pairs = lines.filter((line) => line.startsWith('CASKY_')).map((line) => line.split(/=(.*)/s).slice(0, 2))
  return {
    args: lines.filter((line) => line.startsWith('arg ')).map((line) => line.slice(4)),
    env: Object.fromEntries(pairs) as Record<string, string>,
    lines,
  }
}

const IMAGE = { CASKY_BIND: '* -::*', CASKY_PROTECTED_MODE: 'no', CASKY_DIR: '.' }

describe('what is started', () => {
  test.each([
    [['casky'], []],
    [[], []],
    [['redis-server'], []],
    [
      ['casky-server', '--port', '7000'],
      ['--port', '7000'],
    ],
    [
      ['redis-server', '--requirepass pw', '--save 1 1 ', '--appendonly', 'yes'],
      ['--requirepass pw', '--save 1 1 ', '--appendonly', 'yes'],
    ],
    [
      ['--port', '7000'],
      ['--port', '7000'],
    ],
    [
      ['/etc/my.conf', '--port', '7000'],
      ['/etc/my.conf', '--port', '7000'],
    ],
    [
      ['--save', '', '--appendonly', 'no'],
      ['--save', '', '--appendonly', 'no'],
    ],
    [['--version'], ['--version']],
  ])('%j is casky %j', async (args, expected) => {
    const { lines, args: got } = await start(args)
    expect(lines[0]).toBe('casky')
    expect(got).toEqual(expected)
  })

  test('anything else is run as it is, without a word of ours', async () => {
    const { lines, env } = await start(['sh', '-c', 'echo other; env | grep ^CASKY_ || true'])
    expect(lines).toEqual(['other'])
    expect(env).toEqual({})
  })
})

describe("the container's defaults", () => {
  test('hold when nobody says otherwise', async () => {
    expect((await start(['casky'])).env).toEqual(IMAGE)
  })

  test('the environment wins', async () => {
    const mine = { CASKY_BIND: '127.0.0.1', CASKY_PROTECTED_MODE: 'yes', CASKY_DIR: '/elsewhere' }
    expect((await start(['casky'], mine)).env).toEqual(mine)
  })

  test.each([
    ['protected-mode yes', ['CASKY_PROTECTED_MODE']],
    ['  "protected-mode" yes', ['CASKY_PROTECTED_MODE']],
    ['PROTECTED-MODE\tyes', ['CASKY_PROTECTED_MODE']],
    ['port 7000\nbind 10.0.0.1', ['CASKY_BIND']],
    ['dir /var/lib/casky', ['CASKY_DIR']],
    ['include /etc/casky/local.conf', ['CASKY_BIND', 'CASKY_PROTECTED_MODE', 'CASKY_DIR']],
    ['# protected-mode yes\nbind-source-addr x', []],
  ])('a configuration file with %j decides what it names', async (text, decided) => {
    const expected = Object.fromEntries(Object.entries(IMAGE).filter(([name]) => !decided.includes(name)))
    const file = configuration('mine.conf', `port 1\n${text}\n`)
    expect((await start([file])).env).toEqual(expected)
    expect((await start(['redis-server', file])).env).toEqual(expected)
  })

  test('standard input may say anything, so nothing is assumed', async () => {
    expect((await start(['-'])).env).toEqual({})
    expect((await start(['--port', '7000', '-'])).env).toEqual({})
  })
})

describe('names of other images', () => {
  test.each([
    [{ REDIS_PASSWORD: 'pw $x "y"' }, { CASKY_REQUIREPASS: 'pw $x "y"' }],
    [{ REDIS_PASSWORD_FILE: '/run/secrets/pw' }, { CASKY_REQUIREPASS_FILE: '/run/secrets/pw' }],
    [{ REDIS_PASSWORD: 'a', REDIS_PASSWORD_FILE: '/b' }, { CASKY_REQUIREPASS_FILE: '/b' }],
    [{ REDIS_PASSWORD: 'a', CASKY_REQUIREPASS: 'b' }, { CASKY_REQUIREPASS: 'b' }],
    [{ REDIS_PASSWORD: 'a', CASKY_REQUIREPASS_FILE: '/b' }, { CASKY_REQUIREPASS_FILE: '/b' }],
    [{ REDIS_PORT_NUMBER: '7000' }, { CASKY_PORT: '7000' }],
    [{ REDIS_PORT_NUMBER: '7000', CASKY_PORT: '7001' }, { CASKY_PORT: '7001' }],
    [{ REDIS_PORT_NUMBER: '7000', CASKY_PORT: 'tcp://10.0.0.1:6379' }, { CASKY_PORT: '7000' }],
    [{ REDIS_PASSWORD: '' }, {}],
  ])('%j means %j', async (given, expected) => {
    expect((await start(['casky'], given as Record<string, string>)).env).toEqual({ ...IMAGE, ...expected })
  })
})

test('the umask becomes private, unless somebody has chosen one', async () => {
  expect((await start(['casky'])).lines).toContain('umask 0077')
  const chosen = await run('/bin/sh', ['-c', 'umask 0027; exec "$0" casky', entrypoint], {
    cwd: data,
    env: { PATH: `${bin}:/usr/bin:/bin` },
  })
  expect(chosen.stdout).toContain('umask 0027')
})

test('the server is the process that was started, so that signals reach it', async () => {
  const result = await run('/bin/sh', ['-c', 'echo "first $$"; exec "$0" casky', entrypoint], {
    cwd: data,
    env: { PATH: `${bin}:/usr/bin:/bin` },
  })
  const pids = /first (\d+)[\s\S]*pid (\d+)/.exec(result.stdout)
  expect(pids?.[1]).toBe(pids?.[2])
})

describe('as root', () => {
  const log = (): string => readFileSync(join(folder, 'log'), 'utf8')
  let asRoot = ''

  beforeAll(() => {
    const overlay = join(folder, 'root-bin')
    mkdirSync(overlay)
    program('id', 'echo 0', overlay)
    program('find', `echo "find $*" >> ${join(folder, 'log')}`, overlay)
    program(
      'setpriv',
      `echo "setpriv $*" >> ${join(folder, 'log')}; while [ "$1" != -- ]; do shift; done; shift; exec "$@"`,
      overlay,
    )
    asRoot = `${overlay}:${bin}`
  })

  test('the directory is made over to the user casky, and root is given up', async () => {
    writeFileSync(join(folder, 'log'), '')
    const { args } = await start(['--port', '7000'], {}, asRoot)
    expect(args).toEqual(['--port', '7000'])
    expect(log().split('\n')).toEqual([
      'find . ! -user casky -exec chown casky {} +',
      'setpriv --reuid=casky --regid=casky --clear-groups -- casky --port 7000',
      '',
    ])
  })

  test('another command stays root, as whoever asked for it expects', async () => {
    writeFileSync(join(folder, 'log'), '')
    await start(['sh', '-c', 'true'], {}, asRoot)
    expect(log()).toBe('')
  })
})
