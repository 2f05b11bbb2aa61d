// The kill -9 cycles by hand, in one mode:
//
//   npx tsx test/crash/main.ts [--cycles 300] [--seed N] [--appendfsync always|everysec|no|random] [--kind casky|redis]
//
// Prints the seed first, so that a run that is broken off can be repeated. Exits 1 when anything was wrong.

import { parseArgs } from 'node:util'
import type { Kind } from '../harness/server.ts'
import { type CycleOptions, killCycles } from './cycles.ts'

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '20' },
    seed: { type: 'string' },
    appendfsync: { type: 'string', default: 'random' },
    kind: { type: 'string', default: 'casky' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
console.log(`seed ${seed}, appendfsync ${values.appendfsync}`)
const result = await killCycles({
  cycles: Number(values.cycles),
  seed,
  ...(values.appendfsync === 'random' ? {} : { appendfsync: values.appendfsync as 'always' }),
  kind: values.kind as Kind,
  progress: (kills, operations) => {
    if (kills % 10 === 0) console.log(`${kills} kills, ${operations} operations acknowledged`)
  },
} satisfies CycleOptions)
console.log(`${result.cycles} kills, ${result.restarts} starts, ${result.operations} operations acknowledged`)
console.log([...result.moments, ...result.halfMade].map(([what, count]) => `  ${what}: ${count}`).join('\n'))
for (const problem of result.problems) console.error(problem)
if (result.keptDir !== undefined) console.error(`the data directory is kept: ${result.keptDir}`)
process.exitCode = result.problems.length === 0 ? 0 : 1
