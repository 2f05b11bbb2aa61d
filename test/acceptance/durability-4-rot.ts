// Durability 4: bit rot. All 524,288 bits of a 64 KiB data set, every length of its files, every block of 512 bytes zeroed, swapped, stale or of
// another file, every file missing: nothing wrong or old is served, what is not hurt is readable, INFO and exit codes say so. Then the sample
// on real servers, and SCRUB: test/rot.
//
//   npx tsx test/acceptance/durability-4-rot.ts [--seed 2] [--share N] [--workers W]        --share 100: one case in a hundred
//
// All of it takes twenty minutes of an idle core.

import { parseArgs } from 'node:util'
import { run } from '../harness/child.ts'
import { projectRoot } from '../harness/server.ts'
import { DATA_SET_BYTES } from '../rot/data-set.ts'
import { letRot } from '../soak/rot.ts'
import { Verdict } from './verdict.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '2' },
    share: { type: 'string', default: '1' },
    workers: { type: 'string' },
  },
})
const seed = Number(values.seed)
const share = Number(values.share)
const verdict = new Verdict('durability 4: rot')
verdict.figure('seed of the data set', seed)

await verdict.part('rot', async () => {
  const workers = values.workers === undefined ? undefined : Number(values.workers)
  const { good, counts } = await letRot({ seed, share, workers })
  for (const [name, count] of counts) verdict.figure(name, count)
  const bits = (counts.get('bits of data') ?? 0) + (counts.get('bits of hints and manifest') ?? 0)
  verdict.demand(good, 'nothing wrong or old was served, nothing unhurt was missing')
  verdict.demand(bits === Math.floor((DATA_SET_BYTES * 8) / share) || share > 1, 'every bit was flipped', String(bits))
})

await verdict.part('real servers', async () => {
  const env = { ...process.env, CASKY_TEST_FULL: '1' } as Record<string, string>
  const result = await run('npx', ['vitest', 'run', 'test/rot'], { cwd: projectRoot, limitMs: 900_000, env })
  verdict.demand(result.code === 0, 'the same on real servers, SCRUB, and the judge judged', result.stdout.slice(-3000))
})
verdict.finish()
