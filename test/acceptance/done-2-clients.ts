// Done 2: redis-cli in all its ways, redis-benchmark, ioredis 6 and 5, node-redis 6 and 4, Debian's python3-redis:
// default options, no error.
//
//   npx tsx test/acceptance/done-2-clients.ts [--kind redis]      redis: the same against redis-server, as a check
//
// The clients come from test/clients (npm ci --prefix test/clients). The whole matrix is surface-7-clients.ts.

import { clients } from '../clients/matrix.ts'
import { runMatrix } from '../clients/run.ts'
import { type Run, run } from '../harness/child.ts'
import { startServer } from '../harness/server.ts'
import { Verdict } from './verdict.ts'

const NAMES = ['redis-cli, all modes', 'ioredis 6', 'ioredis 5', 'node-redis 6', 'node-redis 4', 'redis-py']
const verdict = new Verdict('done 2: clients with their default options')
const kind = process.argv.includes('redis') ? 'redis' : 'casky'

const told = (result: Run): string =>
  `exit ${result.code ?? result.signal}: ${(result.stdout + result.stderr).slice(0, 1500)}`

await runMatrix(
  kind,
  clients.filter((client) => NAMES.includes(client.name)),
  (row) => verdict.demand(row.outcome === 'works', row.name, row.detail),
)

const server = await startServer(kind)
for (const pipeline of ['1', '16']) {
  const what = `redis-benchmark -t ping_inline,ping_mbulk,set,get,incr,mset -P ${pipeline}`
  await verdict.part(what, async () => {
    const tests = 'ping_inline,ping_mbulk,set,get,incr,mset'
    const args = ['-p', String(server.port), '-t', tests, '-P', pipeline, '-n', '20000', '-r', '1000', '--csv']
    const result = await run('redis-benchmark', args, { limitMs: 120_000 })
    const rows = result.stdout.trim().split('\n').length - 1
    const troubled = /\berr(or)?\b|could not|NOAUTH|WARNING/i.test(result.stdout + result.stderr)
    verdict.demand(result.code === 0 && rows === 6 && !troubled, what, told(result))
  })
}
const exit = await server.stop()
verdict.demand(exit.code === 0, 'the server lived and ends with exit code 0', server.child.output().slice(-2000))
verdict.finish()
