import { expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { CASKY_VERSION } from '../../src/base/version.ts'
import { configOf, failureOf, load, memoryFiles, textOf } from './memory-files.ts'

test('the version in the code is the version of the package', () => {
  expect(CASKY_VERSION).toBe(packageJson.version)
})

test('version and help end at once, with the exit codes that redis-server has', () => {
  for (const argv of [['-v'], ['--version', 'x']]) {
    const loaded = load({ argv })
    expect(loaded).toMatchObject({ exit: 0, stderr: '' })
    expect('stdout' in loaded && loaded.stdout).toMatch(/^Casky server v=7\.2\.0 .* bits=64 build=casky-[0-9.]+\n$/)
  }
  for (const argv of [['-h'], ['--help']]) {
    const loaded = load({ argv })
    expect(loaded).toMatchObject({ exit: 1, stdout: '' })
    expect('stderr' in loaded && loaded.stderr).toMatch(/^Usage: /)
  }
})

test('typed defaults', () => {
  const config = configOf({})
  expect(config.file).toBe(null)
  expect(config.get('port')).toBe(6379)
  expect(config.get('bind')).toEqual(['127.0.0.1', '-::1'])
  expect(config.get('protected-mode')).toBe(true)
  expect(config.get('appendfsync')).toBe('everysec')
  expect(config.get('segment-size')).toBe(128 * 1024 * 1024)
  expect(config.get('client-output-buffer-limit').pubsub).toEqual({
    hardBytes: 33554432,
    softBytes: 8388608,
    softSeconds: 60,
  })
})

test('each source lies over the one before it', () => {
  const files = memoryFiles({ '/start/c': 'timeout 1\n' }, 'timeout 2\n')
  const env = { CASKY_TIMEOUT: '3' }
  const extra = { ...env, CASKY_EXTRA_FLAGS: '--timeout 4 --hz 20' }
  const timeout = (options: Parameters<typeof configOf>[0]): number => configOf({ files, ...options }).get('timeout')
  expect(timeout({})).toBe(0)
  expect(timeout({ argv: ['c'] })).toBe(1)
  expect(timeout({ argv: ['c', '-'] })).toBe(2)
  expect(timeout({ argv: ['-'] })).toBe(2)
  expect(timeout({ argv: ['c', '-'], env })).toBe(3)
  expect(timeout({ argv: ['c', '-'], env: extra })).toBe(4)
  expect(timeout({ argv: ['c', '--timeout', '5', '-'], env: extra })).toBe(5)
  expect(configOf({ env: extra }).get('hz')).toBe(20)
})

test('an empty variable counts as not set', () => {
  const files = memoryFiles({ '/start/c': 'requirepass secret\n' })
  expect(configOf({ argv: ['c'], files, env: { CASKY_REQUIREPASS: '' } }).get('requirepass')).toBe('secret')
})

test('a variable is the whole value, a list is split at blanks, text is bytes', () => {
  const config = configOf({
    env: { CASKY_REQUIREPASS: 'a "b\' \u00e9', CASKY_BIND: '1.1.1.1 ::1', CASKY_DIR: '/d\u00e9' },
  })
  expect(config.get('requirepass')).toBe('a "b\' \xc3\xa9')
  expect(config.get('bind')).toEqual(['1.1.1.1', '::1'])
  expect(config.get('dir')).toBe('/d\u00e9')
})

test('an unknown variable is an error that names it, and does not show its value', () => {
  for (const name of ['CASKY_PRT', 'CASKY_PORT_FILE', 'CASKY_TIMEOUT_', 'CASKY_']) {
    const stderr = failureOf({ env: { [name]: 'hidden' } })
    expect(stderr).toContain(`Reading the environment, variable ${name}\n`)
    expect(stderr).not.toContain('hidden')
  }
})

test("the project's test variables and those of container platforms are left alone", () => {
  const config = configOf({
    env: {
      CASKY_TEST_FULL: '1',
      CASKY_SERVICE_HOST: '10.0.0.1',
      CASKY_SERVICE_PORT: '6379',
      CASKY_SERVICE_PORT_REDIS: '6379',
      CASKY_PORT: 'tcp://10.0.0.1:6379',
      CASKY_PORT_6379_TCP: 'tcp://10.0.0.1:6379',
      CASKY_PORT_6379_TCP_ADDR: '10.0.0.1',
      PATH: '/bin',
    },
  })
  expect(config.get('port')).toBe(6379)
})

test('a bad value in a variable is told with the variable, a secret is not shown', () => {
  expect(failureOf({ env: { CASKY_PORT: 'x' } })).toContain(
    "variable CASKY_PORT\n>>> 'CASKY_PORT=x'\nargument couldn't be parsed into an integer\n",
  )
  expect(failureOf({ env: { CASKY_EXTRA_FLAGS: '--port "1' } })).toContain('variable CASKY_EXTRA_FLAGS\n')
  const files = memoryFiles({ '/start/c': 'requirepass "hunter2\nrequirepass a hunter2' })
  expect(failureOf({ argv: ['c'], files })).not.toContain('hunter2')
  expect(failureOf({ argv: ['--requirepass', 'a', 'hunter2'] })).not.toContain('hunter2')
})

test('a secret from a file: without the line end, never empty, never twice', () => {
  const files = memoryFiles({ '/run/secret': 'pa ss\n\n', '/run/dos': 'x\r\n', '/run/empty': '\n' })
  const env = { CASKY_REQUIREPASS_FILE: '/run/secret' }
  expect(configOf({ files, env }).get('requirepass')).toBe('pa ss\n')
  expect(configOf({ files, env: { CASKY_REQUIREPASS_FILE: '/run/dos' } }).get('requirepass')).toBe('x')
  expect(textOf(configOf({ files, env: { CASKY_MASTERAUTH_FILE: '/run/dos' } }), 'masterauth')).toBe('x')
  expect(failureOf({ files, env: { CASKY_REQUIREPASS_FILE: '/run/empty' } })).toContain("'/run/empty' is empty")
  expect(failureOf({ files, env: { CASKY_REQUIREPASS_FILE: '/run/none' } })).toContain('No such file or directory')
  expect(failureOf({ files, env: { ...env, CASKY_REQUIREPASS: 'x' } })).toContain('without _FILE is set as well')
})

test('includes: in their place, with wildcards, with their own line numbers', () => {
  const files = memoryFiles({
    '/start/c': 'timeout 1\ninclude /inc/a\nhz 30\ninclude "/conf.d/*"\ninclude /nothing/here*\n',
    '/inc/a': 'timeout 2\nhz 20\n',
    '/conf.d/1': 'tcp-keepalive 1\n',
    '/conf.d/2': 'tcp-keepalive 2\n',
  })
  const config = configOf({ argv: ['c'], files })
  expect([config.get('timeout'), config.get('hz'), config.get('tcp-keepalive')]).toEqual([2, 30, 2])
  files.contents.set('/conf.d/2', '\n\nbad\n')
  expect(failureOf({ argv: ['c'], files })).toContain(
    "Reading the configuration file, at line 3 of '/conf.d/2'\n>>> 'bad'\nBad directive or wrong number of arguments\n",
  )
  files.contents.set('/conf.d/2', 'include /inc/missing')
  expect(failureOf({ argv: ['c'], files })).toBe(
    "Fatal error, can't open config file '/inc/missing': No such file or directory\n",
  )
  files.contents.set('/conf.d/2', 'include /conf.d/2')
  expect(failureOf({ argv: ['c'], files })).toContain('Too many nested includes')
})

test('a missing file is told with its whole path', () => {
  expect(failureOf({ argv: ['c.conf'] })).toBe(
    "Fatal error, can't open config file '/start/c.conf': No such file or directory\n",
  )
})

test('control characters of a file are not sent to the terminal', () => {
  const files = memoryFiles({ '/start/c': 'x\x1b[2J\x07' })
  expect(failureOf({ argv: ['c'], files })).toContain(">>> 'x\\x1b[2J\\x07'")
})
