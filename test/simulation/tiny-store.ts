// A store of thirty lines for judging the simulator, not the engine: it keeps one number by the oldest recipe there is (write
// aside, sync, rename, sync the directory) or by that recipe with one step left out. A simulator that does not catch each
// omission proves nothing.

import type { Storage, StorageError, StorageFile } from '../../src/engine/storage.ts'

export type Omission = 'none' | 'file sync' | 'directory sync' | 'rename' | 'waiting for the write'

/** Stores `value` durably by the recipe; calls back when it would acknowledge. */
export function save(
  storage: Storage,
  value: number,
  omit: Omission,
  done: (error: StorageError | null) => void,
): void {
  const text = Buffer.from(`value ${value} `.repeat(80))
  const name = omit === 'rename' ? `number.${value}` : `number.tmp${value}`
  const placed = (error: StorageError | null): void => {
    if (error !== null || omit === 'directory sync') done(error)
    else storage.syncDirectory('', done)
  }
  const synced = (file: StorageFile) => (error: StorageError | null) => {
    if (error !== null) return done(error)
    file.close((closing) => {
      if (closing !== null) done(closing)
      else if (omit === 'rename') placed(null)
      else storage.rename(name, 'number', placed)
    })
  }
  storage.open(name, 'create', (error, file) => {
    if (error !== null) return done(error)
    if (omit === 'waiting for the write') {
      let left = 2
      const both = (failed: StorageError | null): void => {
        if (failed !== null) done(failed)
        else if (--left === 0) synced(file)(null)
      }
      file.write(text, 0, text.length, 0, both)
      file.sync(both)
      return
    }
    file.write(text, 0, text.length, 0, (failed, written) => {
      if (failed !== null) return done(failed)
      if (written < text.length) return done(Object.assign(new Error('short write'), { code: 'EIO' }))
      if (omit === 'file sync') synced(file)(null)
      else file.sync(synced(file))
    })
  })
}

/** The stored number, 0 when there is none, NaN when what is there is not whole. */
export function parse(bytes: Uint8Array | null): number {
  if (bytes === null) return 0
  const text = Buffer.from(bytes).toString('latin1')
  const value = Number(text.split(' ')[1])
  return text === `value ${value} `.repeat(80) ? value : Number.NaN
}
