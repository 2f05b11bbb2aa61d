// npm run soak -- linearizable 500 [--seed S] [--clients 32]
//
// 32 clients on the same keys through so many kills (test/crash), in turn with a random configuration at each start, with
// every value on the disk and merges all the time, and with `appendfsync always`.

import { parseArgs } from 'node:util'
import { restless } from '../crash/configuration.ts'
import { sharedKeys } from '../crash/shared-keys.ts'

/** Kills over one directory, before the next run begins with an empty one. */
const KILLS_A_RUN = 50
const PROGRESS_MS = 60_000

const setups: ReadonlyArray<readonly string[] | undefined> = [
  undefined,
  [...restless, '--value-cache-size', '0', '--merge-interval-ms', '1', '--appendfsync', 'everysec'],
  [...restless, '--appendfsync', 'always'],
]

export async function soakLinearizable(words: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: { seed: { type: 'string' }, clients: { type: 'string', default: '32' } },
  })
  const wanted = Number(positionals[0])
  if (!(wanted > 0)) {
    console.error('usage: linearizable KILLS [--seed S] [--clients N]')
    return 2
  }
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`seed ${seed}, ${values.clients} clients, ${wanted} kills`)
  const started = performance.now()
  let told = started
  let kills = 0
  let calls = 0
  let unanswered = 0
  for (let runs = 0; kills < wanted; runs++) {
    const args = setups[runs % setups.length]
    const result = await sharedKeys({
      kills: Math.min(KILLS_A_RUN, Math.ceil(wanted / setups.length), wanted - kills),
      seed: seed + runs,
      clients: Number(values.clients),
      ...(args === undefined ? {} : { args }),
      progress: (now, judged) => {
        if (performance.now() - told < PROGRESS_MS) return
        told = performance.now()
        console.log(`${kills + now} kills, ${calls + judged} calls judged, ${minutes(started)} min`)
      },
    })
    kills += result.kills
    calls += result.calls
    unanswered += result.unanswered
    for (const problem of result.problems) console.error(problem)
    if (result.problems.length > 0) {
      console.log(`${kills} kills, ${calls} calls judged: VIOLATION`)
      return 1
    }
  }
  console.log(
    `${kills} kills, ${calls} calls judged, ${unanswered} of them never answered, ${minutes(started)} min: every history is linearizable`,
  )
  return 0
}

const minutes = (since: number): string => ((performance.now() - since) / 60_000).toFixed(1)
