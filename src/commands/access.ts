// What counts as access to a key, for OBJECT IDLETIME.
//
// Writing does, and so does handing out or taking in hand a value (engine.valueOf), unless the client has said CLIENT NO-TOUCH. Here is
// the rest: commands that use a key without its value, and those that only look at how it is kept.

import type { Engine } from '../engine/engine.ts'

/** The entry was used, though its value was not. */
export function countAsAccess(engine: Engine, entry: number): void {
  if (engine.readsCount) engine.setIdle(entry, 0)
}

/** Whatever values `look` reads, that is no access. */
export function withoutAccess<T>(engine: Engine, look: () => T): T {
  const { readsCount } = engine
  engine.readsCount = false
  try {
    return look()
  } finally {
    engine.readsCount = readsCount
  }
}
