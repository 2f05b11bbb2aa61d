// From a batch that shows a difference to the shortest list of steps that still does. Steps are taken away in ever smaller
// pieces; then words are taken away and shortened, one at a time.

import type { Step } from './step.ts'

/** More attempts than this are not worth their time. */
const MOST_ATTEMPTS = 1500
/** Nor is more time: where the difference is silence, each attempt waits for it. */
const MOST_MS = 60_000

export type StillFails = (steps: readonly Step[]) => Promise<boolean>

export async function shrink(steps: readonly Step[], stillFails: StillFails): Promise<readonly Step[]> {
  let attempts = 0
  const begun = performance.now()
  const fails = async (candidate: readonly Step[]): Promise<boolean> => {
    if (++attempts > MOST_ATTEMPTS || performance.now() - begun > MOST_MS) return false
    return stillFails(candidate)
  }
  let shortest = await fewerSteps(steps, fails)
  shortest = await simplerSteps(shortest, fails)
  return fewerSteps(shortest, fails)
}

async function fewerSteps(steps: readonly Step[], fails: StillFails): Promise<readonly Step[]> {
  let best = steps
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = best.length - size; from > -size; from -= size) {
      const at = Math.max(0, from)
      const candidate = [...best.slice(0, at), ...best.slice(at + size)]
      if (candidate.length > 0 && candidate.length < best.length && (await fails(candidate))) best = candidate
    }
  }
  return best
}

async function simplerSteps(steps: readonly Step[], fails: StillFails): Promise<readonly Step[]> {
  let best = steps
  for (let at = 0; at < best.length; at++) {
    for (const simpler of simplerWays(best[at]!)) {
      const candidate = best.with(at, simpler)
      if (await fails(candidate)) {
        best = candidate
        at--
        break
      }
    }
  }
  return best
}

/** One word less, a long word halved, an odd way of sending made a plain one. */
function* simplerWays(step: Step): Generator<Step> {
  if (step.kind === 'closing' || step.kind === 'expiring') return
  if (step.kind === 'silent') {
    const more = step.more ?? []
    if (more.length === 1) yield { on: step.on, kind: 'command', words: more[0]! }
    else for (let i = 0; i < more.length; i++) yield { ...step, more: more.toSpliced(i, 1) }
    return
  }
  if (step.kind === 'inline') yield { ...step, kind: 'command' }
  if (step.on === 'b') yield { ...step, on: 'a' }
  for (let i = step.words.length - 1; i > 0; i--) yield { ...step, words: step.words.toSpliced(i, 1) }
  for (let i = 1; i < step.words.length; i++) {
    const word = step.words[i]!
    if (word.length > 20) yield { ...step, words: step.words.with(i, word.slice(0, word.length >> 1)) }
  }
}
