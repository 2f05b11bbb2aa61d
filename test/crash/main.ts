// The kill -9 cycles by hand:
//
//   npx tsx test/crash/main.ts [--cycles 300] [--seed N] [--appendfsync always|everysec|no] [--kind casky|redis]
//
// Prints the seed first, so that a run that is broken off can be repeated. Exits 1 when anything was wrong.

import { parseArgs } from 'node:util'
import type { Kind } from '../harness/server.ts'
import { type CycleOptions, killCycles } from './cycles.ts'

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '20' },
    seed: { type: 'string' },
    appendfsync: { type: 'string', default: 'everysec' },
    kind: { type: 'string', default: 'casky' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
console.log(`seed ${seed}, appendfsync ${values.appendfsync}`)
const result = await killCycles({
  cycles: Number(values.cycles),
  seed,
  appendfsync: values.appendfsync as CycleOptions['appendfsync'],
  kind: values.kind as Kind,
  progress: (cycle, operations) => {
    if (cycle % 10 === 0) console.log(`${cycle} cycles, ${operations} operations acknowledged`)
  },
})
console.log(`${result.cycles} cycles, ${result.restarts} starts, ${result.operations} operations acknowledged`)
for (const problem of result.problems) console.error(problem)
if (result.keptDir !== undefined) console.error(`the data directory is kept: ${result.keptDir}`)
process.exitCode = result.problems.length === 0 ? 0 : 1
