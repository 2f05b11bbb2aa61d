// Durability 5: disks that are full for real (tmpfs by size and by inodes, ulimit -f): writes are refused in clear words, reads, deletes and
// merges go on, writes resume by themselves, and nothing acknowledged is lost through filling, deleting, merging, kill -9 and restarts.
//
//   npx tsx test/acceptance/durability-5-disk-full.ts [seed] [MiB]        needs root and `npm run build`

import { skipWithoutMounts } from '../disk-full/small-disk.ts'
import { type Fsync, stories } from '../disk-full/stories.ts'
import { seconds, Verdict } from './verdict.ts'

const seed = Number(process.argv[2] ?? 1)
const mib = Number(process.argv[3] ?? 64)
const modes: readonly Fsync[] = ['always', 'everysec', 'no']

const verdict = new Verdict(`durability 5: full disks (seed ${seed}, ${mib} MiB)`)
verdict.demand(!skipWithoutMounts(), 'a tmpfs can be mounted')
for (const [name, tell] of Object.entries(stories)) {
  for (const appendfsync of modes) {
    await verdict.part(name, async () => {
      const begun = performance.now()
      const { problems, done, refused, unknown } = await tell({ seed, appendfsync, mib })
      const figures = `${done} writes acknowledged, ${refused} refused, ${unknown} unknown, ${seconds(performance.now() - begun)}`
      verdict.figure(`${name}, ${appendfsync}`, figures)
      verdict.demand(problems === '' && refused + unknown > 0, `${name}, ${appendfsync}: the ledger is clean`, problems)
    })
  }
}
verdict.finish()
