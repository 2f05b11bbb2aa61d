// Done 2: redis-cli in all its ways, redis-benchmark, ioredis 6 and 5, node-redis 6 and 4, Debian's python3-redis:
// default options, no error.
//
//   npx tsx test/acceptance/done-2-clients.ts [--kind redis]      redis: the same against redis-server, as a check

import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tryNodeClient, tryPythonClient } from '../clients-smoke/clients.ts'
import { type Run, run, startChild } from '../harness/child.ts'
import { loadKeys } from '../harness/loader.ts'
import { encodeRequest } from '../harness/resp.ts'
import { startServer } from '../harness/server.ts'
import { Verdict } from './verdict.ts'

const KEYS = 5000
const here = fileURLToPath(new URL('.', import.meta.url))
const verdict = new Verdict('done 2: clients with their default options')
const server = await startServer(process.argv.includes('redis') ? 'redis' : 'casky')
const port = String(server.port)

/** redis-cli exits 0 even when the server answers with errors, so its words are judged too. */
const troubled = /\berr(or)?\b|could not|NOAUTH|WARNING/i

async function cli(what: string, args: readonly string[], input: string | Buffer, wanted: RegExp): Promise<void> {
  await verdict.part(what, async () => {
    const result = await run('redis-cli', ['-p', port, ...args], { input, limitMs: 30_000 })
    const text = result.stdout + result.stderr
    const fine = result.code === 0 && wanted.test(result.stdout) && !troubled.test(text.replace(/errors: 0/, ''))
    verdict.demand(fine, what, told(result))
  })
}

const told = (result: Run): string =>
  `exit ${result.code ?? result.signal}: ${(result.stdout + result.stderr).slice(0, 1500)}`

await loadKeys({ port: server.port, count: KEYS, valueBytes: 64 })

await verdict.part('redis-cli interactive', async () => {
  const result = await run('/usr/bin/python3', [join(here, 'interactive.py'), port], { limitMs: 30_000 })
  verdict.demand(result.stdout.trim().endsWith('ok'), 'redis-cli interactive', told(result))
})
await cli('redis-cli one command', ['SET', 'once', '1'], '', /^OK$/m)
await cli('redis-cli piped', [], 'SET piped 1\nINCR piped\nGET piped\nMGET piped none\n', /^OK\n2\n2\n2\n\n$/)
await cli('redis-cli -3', ['-3', 'HELLO'], '', /proto 3|proto\n3/)
const mass = Buffer.concat(Array.from({ length: 2000 }, (_, i) => encodeRequest(['SET', `mass:${i}`, i])))
await cli('redis-cli --pipe', ['--pipe'], mass, /errors: 0, replies: 2000/)
await verdict.part('redis-cli --scan', async () => {
  const result = await run('redis-cli', ['-p', port, '--scan', '--pattern', 'key:*'], { limitMs: 30_000 })
  const found = new Set(result.stdout.trim().split('\n'))
  verdict.demand(result.code === 0 && found.size === KEYS, `redis-cli --scan finds ${KEYS} keys`, `found ${found.size}`)
})
await cli('redis-cli --bigkeys', ['--bigkeys'], '', /Biggest string found|Sampled \d+ keys/)
await cli('redis-cli --latency', ['--latency', '-i', '1', '--raw'], '', /^\d+ [\d.]+ [\d.]+ \d+/m)
await verdict.part('redis-cli --stat', async () => {
  const stat = await startChild('stdbuf', ['-oL', 'redis-cli', '-p', port, '--stat', '-i', '0.1'])
  const limit = setTimeout(() => stat.kill('SIGKILL'), 1500) // it never ends by itself
  await stat.exited
  clearTimeout(limit)
  const lines = stat
    .stdout()
    .split('\n')
    .filter((line) => /^\d+ +\S+ +\d+/.test(line))
  verdict.demand(lines.length >= 3 && !troubled.test(stat.output()), 'redis-cli --stat', stat.output().slice(0, 1000))
})

for (const pipeline of ['1', '16']) {
  const what = `redis-benchmark -t ping_inline,ping_mbulk,set,get,incr,mset -P ${pipeline}`
  await verdict.part(what, async () => {
    const tests = 'ping_inline,ping_mbulk,set,get,incr,mset'
    const args = ['-p', port, '-t', tests, '-P', pipeline, '-n', '20000', '-r', '1000', '--csv']
    const result = await run('redis-benchmark', args, { limitMs: 120_000 })
    const rows = result.stdout.trim().split('\n').length - 1
    verdict.demand(result.code === 0 && rows === 6 && !troubled.test(result.stdout + result.stderr), what, told(result))
  })
}

const elsewhere = mkdtempSync(join(tmpdir(), 'casky-clients-'))
cpSync(join(here, 'clients'), elsewhere, { recursive: true })
await verdict.part('client libraries', async () => {
  const installed = await run('npm', ['install', '--no-audit', '--no-fund'], { cwd: elsewhere, limitMs: 300_000 })
  verdict.demand(installed.code === 0, 'npm install of the clients', told(installed))
  for (const [name, program] of [
    ['ioredis6', 'ioredis'],
    ['ioredis5', 'ioredis'],
    ['redis6', 'node-redis'],
    ['redis4', 'node-redis'],
  ] as const) {
    const trouble = await tryNodeClient(program, name, server.port, elsewhere)
    verdict.demand(trouble === '', `${program} ${name.at(-1)}`, trouble)
  }
})
await verdict.part("Debian's python3-redis", async () => {
  const trouble = await tryPythonClient(server.port)
  verdict.demand(trouble === '', "Debian's python3-redis (apt-get install python3-redis)", trouble)
})

rmSync(elsewhere, { recursive: true, force: true })
const exit = await server.stop()
verdict.demand(exit.code === 0, 'the server lived and ends with exit code 0', server.child.output().slice(-2000))
verdict.finish()
