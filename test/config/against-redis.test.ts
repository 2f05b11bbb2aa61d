// What is wrong with a configuration is told as redis-server tells it: same words, same line number, same exit code.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemFiles } from '../../src/config/files.ts'
import { loadConfig } from '../../src/config/load.ts'
import { redisMissing } from './real-redis.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'casky-config-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

// Every case ends in an error, so that the real server never starts.
const files = [
  'port 17400\nbadopt 1\n',
  'port 1\n\n# c\n  timeout x # y\n',
  'port\n',
  'port 1 2\n',
  'port "17400\n',
  'port 99999\n',
  'port 17400x\n',
  'port +1',
  'port 007',
  'port ""',
  'port 0x10\n',
  'port 1 "x"y\n',
  "port 'a\\'b' c\n",
  'requirepass "a\\x41\\n\\tb c"\nsave ""\ntimeout 10 20\n',
  'unixsocketperm 999',
  'unixsocketperm 1777',
  'unixsocketperm 0700\nzz',
  'bind a b c d e f g h i j k l m n o p q\n',
  'bind ""\nzz',
  'bind "1 2"\nzz',
  'save 1\n',
  'save 0 1\n',
  'save a b\n',
  'save "1 2"\nzz',
  'SAVE ""\nsave 1 1\nzz',
  'client-output-buffer-limit normal 1\n',
  'client-output-buffer-limit xx 1 2 3\n',
  'client-output-buffer-limit normal 1 2 x\n',
  'client-output-buffer-limit normal -1 0 0',
  'client-output-buffer-limit slave 1 2 3 replica 1 2 3\nzz',
  'appendfsync\n',
  'appendfsync yes\n',
  'maxmemory 12zb\n',
  'maxmemory 1.5gb',
  'maxmemory 1GB\nzz',
  'maxmemory-policy foo\n',
  'hz -1',
  'hz 0\nhz 5000\nzz\n',
  'tcp-backlog -1\n',
  'maxclients 0\n',
  'protected-mode Yes\nprotected-mode 1',
  'notify-keyspace-events Q\n',
  'supervised x',
  'oom-score-adj-values 1 2\n',
  'oom-score-adj-values a b c',
  'latency-tracking-info-percentiles 101\n',
  'client-query-buffer-limit zz\n',
  'include\n',
  'include a b\n',
  'include nothing-like-that*.conf\nzz 1\n',
  'list-max-ziplist-entries 3\nlist-compress-depth -1\n',
]

const commandLines = [
  ['--badopt', '1'],
  ['--port'],
  ['--port', '17400', '--requirepass', '--foo', '--zz'],
  ['--port', '17400', '--timeout'],
  ['--timeout 10', '--port', '17400', '--zz'],
  ['--port', '17400', 'zz'],
  ['--port', '17400', '-', '--zz', '1'],
  ['-', '--port', '17400', '--badopt'],
  ['--port', '17400', '--badopt', '-'],
  ['-x'],
  ['--port', '17400', '--save', '', '--appendonly', 'no', '--zz'],
  ['--port', '17400', '--save 1 1 ', '--appendonly yes', '--zz', '1'],
  ['--save', '--port', '17400', '--zz'],
  ['--port', '17400 1'],
  ['--port  17400', '--zz'],
  ['--port', '17400', '--bind 127.0.0.1', '127.0.0.2', '--zz'],
  ['--save', '900', '1', '--save', '300', '10', '--zz', 'a"b', 'c\n\x01\\'],
  ['--', '--zz'],
  ['--port', '17400', '--timeout', '--hz', '3'],
  ['--port', '17400', '--slaveof', 'no', 'one', '--zz'],
  ['', '--zz'],
]

/** From the headline on, without the version; the log lines before it are the real server's only. */
function told(stderr: string): string {
  return stderr.slice(stderr.indexOf('***')).replace(/\(Redis [^)]*\)/, '')
}

function both(argv: string[], stdin = ''): void {
  const real = spawnSync('redis-server', argv, { cwd: folder, input: stdin, encoding: 'utf8', timeout: 120_000 })
  expect(real.status, `redis-server is expected to refuse this: ${real.stdout}`).toBe(1)
  const ours = loadConfig({ argv, env: {}, cwd: folder, files: { ...systemFiles, readStdin: () => stdin } })
  if ('config' in ours) throw new Error(`accepted, but redis-server says ${real.stderr}`)
  expect(ours.exit).toBe(1)
  expect(told(ours.stderr)).toBe(told(real.stderr))
}

describe.skipIf(redisMissing)('refused in the words of redis-server', () => {
  test.each(files)('file %j', (text) => {
    writeFileSync(join(folder, 'conf'), text)
    both(['conf'])
  })
  test.each(commandLines)('command line %j %j %j %j %j', (...argv) => {
    both(argv)
  })
  test.each([
    ['timeout 1\n', 'hz 1\nbad 1\n', ['--port', '17400']],
    ['timeout 1\n', 'hz 1\n', ['--port', '17400', '--zz']],
    ['timeout 1', '', ['--port', '17400', '--zz']],
  ])('file %j, standard input %j, options %j: lines are counted through', (text, stdin, options) => {
    writeFileSync(join(folder, 'conf'), text)
    both(['conf', ...options, '-'], stdin)
  })
})
