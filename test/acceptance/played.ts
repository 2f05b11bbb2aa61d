// Conformance families, played for an acceptance script: in both protocols, every step compared, every difference with its row.

import { compare } from '../conformance/compare.ts'
import { differences } from '../conformance/differences.ts'
import { play } from '../conformance/play.ts'
import type { Family } from '../conformance/script.ts'
import type { Server } from '../harness/server.ts'
import type { Verdict } from './verdict.ts'

export async function playFamilies(
  verdict: Verdict,
  families: readonly Family[],
  casky: Server,
  redis: Server,
): Promise<void> {
  for (const family of families) {
    let steps = 0
    let known = 0
    const problems: string[] = []
    for (const protocol of [2, 3] as const) {
      for (const one of family.cases) {
        const [ours, theirs] = await Promise.all([play(one, casky, protocol), play(one, redis, protocol)])
        const { problems: found, used } = compare(one, protocol, ours, theirs, differences)
        steps += one.steps.length
        known += used.length
        problems.push(...found.map((problem) => `RESP${protocol}, ${one.title}: ${problem}`))
      }
    }
    verdict.figure(`${family.name}: exchanges, differing with a reason`, `${steps}, ${known}`)
    verdict.demand(problems.length === 0, `${family.name} as in redis-server`, problems.slice(0, 5).join('\n'))
  }
}
