// The engine's accounts against a count over its files: they decide what is merged, so they must never drift.

import { expect } from 'vitest'
import { recount } from './files.ts'
import type { TestStore } from './test-store.ts'

/** Every segment's live bytes and tombstones are what its files say. The store must be quiet and all of it written. */
export function expectAccounts(store: TestStore): void {
  const counted = recount(store.directory)
  for (const { number, listed, liveBytes, tombstones, tombstoneBytes } of store.engine.segments.all()) {
    if (listed) expect({ number, liveBytes, tombstones, tombstoneBytes }).toEqual({ number, ...counted.get(number) })
  }
}
