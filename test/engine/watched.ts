// A store on a disk that can be told to fail.

import { FaultyStorage } from './faulty-storage.ts'
import { freshDirectory, type TestOptions, TestStore } from './test-store.ts'

export async function watched(options: TestOptions = {}): Promise<{ store: TestStore; storage: FaultyStorage }> {
  const directory = freshDirectory()
  const storage = new FaultyStorage(directory)
  const store = await TestStore.open(directory, { ...options, storage })
  return { store, storage }
}
