// Durability 6: fsyncs that fail for real. A file system on a loop device that runs out of blocks, and is healed again; with the page
// cache kept, then dropped; `always` and `everysec` (test/faults/failed-fsync.ts tells what must hold).
//
//   npx tsx test/acceptance/durability-6-failed-fsync.ts [--size 10] [--seed N]
//
// Needs root and loop devices.

import { parseArgs } from 'node:util'
import { FSYNC_STORIES, failedFsync } from '../faults/failed-fsync.ts'
import { skipWithoutLoopDevices } from '../faults/failing-disk.ts'
import { Verdict } from './verdict.ts'

const { values } = parseArgs({ options: { size: { type: 'string', default: '10' }, seed: { type: 'string' } } })
const size = Number(values.size)
const first = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))

const verdict = new Verdict('durability 6: a failed fsync')
if (skipWithoutLoopDevices()) process.exit(1)
for (const story of FSYNC_STORIES) {
  const name = `${story.appendfsync}, page cache ${story.cache}${story.restless ? ', merges on' : ''}`
  const problems: string[] = []
  let acknowledged = 0
  let refused = 0
  let told = ''
  let evicted = 0
  for (let seed = first; seed < first + size; seed++) {
    await verdict.part(`${name}, seed ${seed}`, async () => {
      const outcome = await failedFsync(story, seed)
      problems.push(...outcome.problems.map((problem) => `seed ${seed}: ${problem}`))
      acknowledged += outcome.acknowledged
      refused += outcome.refused
      told = outcome.told
      if (outcome.evicted) evicted++
    })
  }
  verdict.figure(
    `${name}: runs, acknowledged, refused`,
    `${size}, ${acknowledged}, ${refused}; ${evicted} with pages evicted`,
  )
  verdict.figure('  told', told.slice(0, 100))
  verdict.demand(problems.length === 0, `${name}: nothing acknowledged is lost`, problems.join('\n'))
  verdict.demand(refused > 0, `${name}: the disk failed`)
}
verdict.finish()
