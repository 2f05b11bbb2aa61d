// Work that may take longer than its turn: in steps of bounded time, between which others are served.
//
// Most such work ends with its first step, and the command has answered when its handler returns. Otherwise the session calls again.

import { GATE_FAILED, GATE_FULL } from '../engine/engine.ts'
import type { Session } from './session.ts'

/** Calls `step` until it says that it has come to the end, then `answer`, which appends the reply. */
export function inSteps(session: Session, step: () => boolean, answer: () => void): void {
  inStepsTo(session, step, () => {
    answer()
    return true
  })
}

/**
 * The same for commands that write at their end. The gates were open when they began; meanwhile the disk may have become full, the store
 * may have stalled, or clients may have been paused: the first is answered, the others are waited for.
 */
export function inStepsToWrite(session: Session, step: () => boolean, write: () => void): void {
  inStepsTo(session, step, () => {
    const { engine, reply } = session
    if (!session.mayWriteNow()) return false
    if ((engine.gate & (GATE_FAILED | GATE_FULL)) !== 0) reply.error(engine.gateMessage)
    else write()
    return true
  })
}

function inStepsTo(session: Session, step: () => boolean, end: () => boolean): void {
  let hasEnded = step()
  if (hasEnded && end()) return
  session.stepwise(() => {
    hasEnded ||= step()
    return hasEnded && end()
  })
}
