// Durability 12: two hours of load and trouble, merges always on: memory, descriptors and handles are flat after the warm-up,
// and a server that leaks is found out by the same judge.
//
//   npx tsx test/acceptance/durability-12-endurance.ts [--minutes 120] [--seed N]

import { parseArgs } from 'node:util'
import { endure } from '../soak/endurance.ts'
import { Verdict } from './verdict.ts'

/** Long enough for the leaky one to be seen. */
const LEAK_MINUTES = 4

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '120' }, seed: { type: 'string' } } })
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const minutes = Number(values.minutes)
const verdict = new Verdict(`durability 12: ${minutes} minutes under load and trouble`)
verdict.figure('seed', seed)
const say = (line: string): void => console.log(`  ${line}`)

await verdict.part('endurance', async () => {
  const result = await endure({ minutes, seed, leak: false, say })
  verdict.figure('requests, merges, samples', `${result.requests}, ${result.merges}, ${result.samples}`)
  verdict.figure('writes refused while the disk was full', result.refused)
  verdict.demand(result.problems.length === 0, 'flat after the warm-up, nothing wrong', result.problems.join('\n'))
  verdict.demand(result.merges > minutes, 'merges all the time', `${result.merges}`)
})
await verdict.part('a leak', async () => {
  const result = await endure({ minutes: LEAK_MINUTES, seed, leak: true, say })
  const found = result.problems.join('\n')
  verdict.demand(/external memory|active handles/.test(found), 'a server that leaks is found out', found)
})
verdict.finish()
