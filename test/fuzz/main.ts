// The differential fuzz by hand.
//
//   npx tsx test/fuzz/main.ts --seed N                         one batch, the one of this seed
//   npx tsx test/fuzz/main.ts --commands 100000 [--seed N]     many, from a seed on
//      --findings 20      go on after a difference
//      --cold             Casky keeps no values in memory

import { parseArgs } from 'node:util'
import { fuzz } from './fuzz.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    commands: { type: 'string' },
    findings: { type: 'string' },
    cold: { type: 'boolean', default: false },
  },
})

const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
console.log(`seed ${seed}`)
const result = await fuzz({
  seed,
  commands: Number(values.commands ?? (values.seed === undefined ? 20_000 : 1)),
  findings: Number(values.findings ?? 1),
  args: values.cold ? ['--value-cache-size', '0'] : [],
  progress: (line) => console.log(line),
})
console.log(`${result.commands} commands in ${result.batches} batches, ${result.findings.length} differences`)
process.exitCode = result.findings.length === 0 ? 0 : 1
