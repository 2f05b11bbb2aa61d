// Rounds: the contenders by turns, and who begins changes from round to round. So a slow minute of the machine touches all.

import { noRounds, type Rounds } from './figure.ts'
import type { Contender, Stage } from './stage.ts'

/** Runs `measure` for each contender, `count` times, with the number of the round; one result of it becomes one value for each of `pick`. */
export async function inRounds<T, K extends string>(
  stage: Stage,
  count: number,
  measure: (contender: Contender, round: number) => Promise<T>,
  pick: Readonly<Record<K, (result: T) => number>>,
): Promise<Record<K, Rounds>> {
  const names = Object.keys(pick) as K[]
  const rounds = Object.fromEntries(names.map((name) => [name, noRounds()])) as Record<K, Rounds>
  for (let round = 0; round < count; round++) {
    const order = [...stage.contenders]
    if (round % 2 === 1) order.reverse()
    for (const contender of order) {
      await stage.rest()
      const result = await measure(contender, round)
      for (const name of names) rounds[name][contender.side].push(pick[name](result))
    }
  }
  return rounds
}
