// Commands of many keys look some of them up together, which takes half as long (engine/keydir/keydir.ts: prefetch). The first keys of
// several small commands are looked up by whoever receives these (server/gather.ts); the other keys of a command only it knows.

import { MAX_SPANS, Spans } from '../base/spans.ts'
import type { Args } from '../resp/args.ts'
import type { Session } from './session.ts'

const ahead = new Spans()

/**
 * Called before the key at argument `i` is used, `step` arguments behind the one before, the first at argument 1: now and then makes
 * the next keys ready. Changes nothing.
 */
export function lookAhead(session: Session, args: Args, i: number, step: number): void {
  if ((i - 1) % (MAX_SPANS * step) !== 0 || i + step >= args.count) return
  // All arguments of a command lie in one buffer.
  ahead.bytes = args.at(i).bytes
  ahead.count = 0
  for (let at = i; at < args.count && ahead.count < MAX_SPANS; at += step) {
    const key = args.at(at)
    ahead.starts[ahead.count] = key.start
    ahead.ends[ahead.count++] = key.end
  }
  if (ahead.count > 1) session.engine.prefetch(session.database, ahead)
}
