// redis-cli in each of its modes. It exits 0 even when the server answers with errors, so its words are judged too.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run, startChild } from '../harness/child.ts'
import { RawConnection } from '../harness/connection.ts'
import { loadKeys } from '../harness/loader.ts'
import { encodeRequest } from '../harness/resp.ts'

const KEYS = 5000
const LIMIT_MS = 30_000
const TROUBLED = /\berr(or)?\b|could not|NOAUTH|WARNING/i

/** '' or what went wrong, one mode a line. */
export async function tryRedisCli(port: number): Promise<string> {
  const wrong: string[] = []
  const cli = (args: readonly string[], input: string | Buffer = ''): ReturnType<typeof run> =>
    run('redis-cli', ['-p', String(port), ...args], { input, limitMs: LIMIT_MS })
  const expect = async (args: readonly string[], wanted: RegExp, input: string | Buffer = ''): Promise<void> => {
    const result = await cli(args, input)
    const text = (result.stdout + result.stderr).replace('errors: 0', '')
    if (result.code === 0 && wanted.test(result.stdout) && !TROUBLED.test(text)) return
    wrong.push(`redis-cli ${args.join(' ')}: exit ${result.code ?? result.signal}: ${text.slice(0, 600)}`)
  }

  await cli(['FLUSHALL'])
  await loadKeys({ port, count: KEYS, valueBytes: 64 })
  await expect(['SET', 'once', '1'], /^OK$/m)
  await expect(['-n', '3', 'SET', 'in-three', '1'], /^OK$/m)
  await expect(['-n', '3', 'DBSIZE'], /^1$/m)
  await expect(['-u', `redis://127.0.0.1:${port}/3`, 'GET', 'in-three'], /^1$/m)
  await expect(['-3', 'HELLO'], /proto 3|proto\n3/)
  await expect(['-r', '3', '-i', '0.01', 'INCR', 'again'], /^1\n2\n3$/m)
  await expect(['-x', 'SET', 'from-input'], /^OK$/m, 'a text\nof lines')
  await expect(['-X', 'tag', 'SET', 'tag', 'from-tag'], /^OK$/m, 'tagged')
  await expect(['GET', 'tagged'], /^from-tag$/m)
  await expect(['--csv', 'MGET', 'once', 'none'], /^"1",(NULL|NIL)$/m)
  await expect(['--json', 'MGET', 'once', 'none'], /^\["1",null\]$/m)
  await expect(['--no-raw', 'GET', 'once'], /^"1"$/m)
  await expect(['-e', 'PING'], /^PONG$/m)
  await expect([], /^OK\n2\n2\n2\n\n$/, 'SET piped 1\nINCR piped\nGET piped\nMGET piped none\n')
  const mass = Buffer.concat(Array.from({ length: 2000 }, (_, i) => encodeRequest(['SET', `mass:${i}`, i])))
  await expect(['--pipe'], /errors: 0, replies: 2000/, mass)
  await expect(['--bigkeys'], /Biggest string found|Sampled \d+ keys/)
  await expect(['--memkeys'], /Sampled \d+ keys/)
  await expect(['--latency', '-i', '1', '--raw'], /^\d+ [\d.]+ [\d.]+ \d+/m)
  await expect(['INFO', 'server'], /redis_version:/)
  await expect(['CONFIG', 'SET', 'requirepass', 'secret'], /^OK$/m)
  await expect(['--no-auth-warning', '-a', 'secret', 'PING'], /^PONG$/m)
  await expect(['--no-auth-warning', '--user', 'default', '--pass', 'secret', 'PING'], /^PONG$/m)
  await expect(
    ['-u', `redis://default:secret@127.0.0.1:${port}`, '--no-auth-warning', 'CONFIG', 'SET', 'requirepass', ''],
    /^OK$/m,
  )

  const failed = await cli(['-e', 'INCR', 'from-input'])
  if (failed.code === 0 || !/not an integer/.test(failed.stdout + failed.stderr))
    wrong.push('redis-cli -e hides an error')
  const found = new Set((await cli(['--scan', '--pattern', 'key:*'])).stdout.trim().split('\n'))
  if (found.size !== KEYS) wrong.push(`redis-cli --scan: found ${found.size} keys of ${KEYS}`)

  const script = fileURLToPath(new URL('programs/interactive.py', import.meta.url))
  const interactive = await run('/usr/bin/python3', [script, String(port)], { limitMs: LIMIT_MS })
  if (!interactive.stdout.trim().endsWith('ok'))
    wrong.push(`redis-cli interactive: ${interactive.stdout}${interactive.stderr}`)

  wrong.push(...(await watching(port)), ...(await dumped(port, cli)))
  return wrong.join('\n')
}

/** Modes that never end by themselves: --stat, --latency-history, MONITOR, SUBSCRIBE. Each is ended when it has said what is wanted. */
async function watching(port: number): Promise<string[]> {
  const wrong: string[] = []
  const client = await RawConnection.open({ port })
  const until = async (args: readonly string[], wanted: RegExp, poke: () => Promise<unknown>): Promise<void> => {
    const child = await startChild('stdbuf', ['-oL', 'redis-cli', '-p', String(port), ...args])
    const deadline = performance.now() + LIMIT_MS
    while (!wanted.test(child.stdout()) && performance.now() < deadline && child.exit === undefined) await poke()
    if (!wanted.test(child.stdout())) wrong.push(`redis-cli ${args.join(' ')}: ${child.output().slice(0, 600)}`)
    child.kill('SIGKILL')
    await child.exited
  }
  await until(['--stat', '-i', '0.01'], /^\d+ +\S+ +\d+.*\n\d+ +\S+ +\d+/m, () => client.call('PING'))
  await until(['--latency-history', '-i', '1'], /^\d+ \d+ [\d.]+ \d+$/m, () => client.call('PING'))
  await until(['--latency-dist', '-i', '1'], /\[48;5;\d+m/, () => client.call('PING'))
  await until(['MONITOR'], /"PING" "heard"/i, () => client.call('PING', 'heard'))
  await until(['SUBSCRIBE', 'news'], /message\nnews\nhello/, () => client.call('PUBLISH', 'news', 'hello'))
  await until(['PSUBSCRIBE', 'n*'], /pmessage\nn\*\nnews\nhello/, () => client.call('PUBLISH', 'news', 'hello'))
  client.close()
  return wrong
}

/** DUMP through a pipe into RESTORE, as people copy keys by hand. */
async function dumped(
  port: number,
  cli: (args: readonly string[], input?: Buffer) => ReturnType<typeof run>,
): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'casky-cli-'))
  try {
    const file = join(folder, 'dump')
    writeFileSync(file, '')
    await run('sh', ['-c', `redis-cli -p ${port} --raw DUMP once | head -c -1 > ${file}`], { limitMs: LIMIT_MS })
    const payload = existsSync(file) ? readFileSync(file) : Buffer.alloc(0)
    const restored = await cli(['-x', 'RESTORE', 'copied', '0'], payload)
    const got = await cli(['GET', 'copied'])
    return restored.stdout === 'OK\n' && got.stdout === '1\n'
      ? []
      : [`redis-cli DUMP and RESTORE: ${restored.stdout}${got.stdout}`]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
