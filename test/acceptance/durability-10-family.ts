// Durability 10: the family's bugs have their tests, and the tests can fail: every mutant turns them red.
//
//   npm run build && npx tsx test/acceptance/durability-10-family.ts [--count N --seed S]     all of them, or so many by chance

import { parseArgs } from 'node:util'
import { family } from '../family/family.ts'
import { applies, isDead, readMutants } from '../mutants/mutants.ts'
import { judgeMutants } from '../soak/mutants.ts'
import { Verdict } from './verdict.ts'

const { values } = parseArgs({ options: { count: { type: 'string', default: '0' }, seed: { type: 'string' } } })
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
const count = Number(values.count)

const verdict = new Verdict('durability 10: the bugs of the family, and mutants')
const mutants = readMutants()
const named = new Set(mutants.map(({ name }) => name))
verdict.figure('bugs, their tests', `${family.length}, ${family.reduce((sum, { tests }) => sum + tests.length, 0)}`)
verdict.figure('mutants', `${mutants.length}${count === 0 ? '' : `, of them ${count} by seed ${seed}`}`)
verdict.demand(
  family.every((bug) => bug.tests.length > 0 && bug.mutants.some((name) => named.has(name))),
  'each bug has a test and a mutant that has the bug',
)
const misfits = mutants.filter((mutant) => !applies(mutant)).map(({ name }) => name)
verdict.demand(mutants.length >= 30 && misfits.length === 0, 'thirty patches and more, and all fit', misfits.join(' '))
await verdict.part('the tests are green without any mutant', async () => {
  const judged = await judgeMutants({
    names: [],
    count,
    seed,
    everything: true,
    progress: (line) => console.log(`  ${line}`),
  })
  const killed = judged.filter(isDead)
  const alive = judged.filter((each) => !isDead(each)).map(({ mutant }) => mutant.name)
  verdict.figure('killed', `${killed.length} of ${judged.length}`)
  verdict.figure(
    'by the files that they name',
    killed.filter((each) => each.verdict !== 'red, but only by everything').length,
  )
  verdict.demand(alive.length === 0, 'every mutant turns the tests red', alive.join('\n'))
})
verdict.finish()
