// Surface 6: a million commands at random to Casky and to redis-server, in both protocols, and no difference that has no reason.
// Half of them with every value on the disk. Then the fuzzer's own judges: test/fuzz/fuzz.test.ts.
//
//   npx tsx test/acceptance/surface-6-fuzz.ts [COMMANDS] [SEED]          default: 1,000,000 and a seed of chance, which is printed

import { fuzz } from '../fuzz/fuzz.ts'
import { excluded } from '../fuzz/grammar.ts'
import { run } from '../harness/child.ts'
import { projectRoot } from '../harness/server.ts'
import { Verdict } from './verdict.ts'

const wanted = Number(process.argv[2] ?? 1_000_000)
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 31))
const verdict = new Verdict('surface 6: differential fuzz')
verdict.figure('seed', seed)
verdict.figure('commands that are not sent, each with its reason', Object.keys(excluded).length)

let sent = 0
for (const [what, args] of [
  ['with its defaults', []],
  ['with every value on the disk', ['--value-cache-size', '0']],
] as const) {
  await verdict.part(what, async () => {
    const result = await fuzz({ commands: wanted / 2, seed: seed + sent, args, findings: 20 })
    sent += result.commands
    verdict.figure(`commands compared, ${what}`, result.commands)
    verdict.figure('of so many kinds', result.names.length)
    verdict.figure('states compared', result.batches)
    verdict.demand(result.findings.length === 0, `Casky ${what} answers as redis-server`, result.findings.join('\n\n'))
  })
}
verdict.demand(sent >= wanted, `${wanted} commands were compared`, `only ${sent}`)

await verdict.part('judges', async () => {
  const judges = await run('npx', ['vitest', 'run', 'test/fuzz'], { cwd: projectRoot, limitMs: 300_000 })
  verdict.demand(
    judges.code === 0,
    'the fuzzer finds what a lying relay does, and acquits redis-server',
    judges.stdout.slice(-3000),
  )
})
verdict.finish()
