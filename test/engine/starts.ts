// The ways a store can be opened again after a stop or a kill: whatever is promised must hold for each of them.

import { copyOf, removeFiles, type TestOptions, TestStore } from './test-store.ts'

export type Start = 'image' | 'hints' | 'data' | 'killed'
export const STARTS: readonly Start[] = ['image', 'hints', 'data', 'killed']

/** Stops the store, or leaves it as a kill would, and starts it again from the image, the hints, or the data alone. */
export async function restart(store: TestStore, by: Start, options: TestOptions = {}): Promise<TestStore> {
  await store.tick()
  await store.quiet()
  let { directory } = store
  if (by === 'killed') directory = copyOf(directory)
  await store.close()
  if (by !== 'image') removeFiles(directory, '.image')
  if (by === 'data') removeFiles(directory, '.hint')
  return TestStore.open(directory, { clock: store.clock, ...options })
}
