// Databases that were flushed: their keys are dead at once, because no database has their physical id any more (databases.ts). What is left to
// do is to give their memory back, in slices, between which others are served; and not before the record of the flush is released, since
// until then it may be undone.

import type { Bitcask } from './bitcask.ts'

const RETRY_MS = 5

export class DoomedDatabases {
  private readonly store: Bitcask
  /** Physical ids, and the sequence of the record that says so. */
  private readonly ids = new Map<number, number>()
  /** There is something to free, now or when it is released. */
  isFreeing = false

  constructor(store: Bitcask) {
    this.store = store
  }

  /** No database has these ids any more, since the record with that sequence; 0: since before the start. */
  add(ids: readonly number[], sequence: number): void {
    for (const id of ids) this.ids.set(id, sequence)
  }

  /** It has come to nothing. */
  restore(ids: readonly number[]): void {
    for (const id of ids) this.ids.delete(id)
  }

  /** Keys of that physical database belong to nobody any more. */
  has(id: number): boolean {
    return this.ids.has(id)
  }

  /** Frees an entry of a doomed database before its turn, unless the flush may still be undone. */
  freeNow(entry: number): boolean {
    const { store } = this
    if ((this.ids.get(store.keydir.database(entry)) as number) > store.log.released) return false
    store.discard(entry)
    return true
  }

  /** Frees what there is, and what is added meanwhile. */
  free(): void {
    if (this.isFreeing || this.ids.size === 0) return
    this.isFreeing = true
    const { store } = this
    let cursor = 0
    let ids: Set<number> | null = null
    const slice = (): void => {
      if (store.closing || this.ids.size === 0) {
        this.isFreeing = false
        return
      }
      if (ids === null) {
        ids = this.released()
        cursor = 0
        if (ids === null) {
          store.clock.after(RETRY_MS, slice)
          return
        }
      }
      const freed = ids
      const { keydir } = store
      cursor = keydir.scan(cursor, store.portions.freedEntries, (entry) => {
        if (freed.has(keydir.database(entry))) store.discard(entry)
      })
      if (cursor === 0) {
        for (const id of freed) this.ids.delete(id)
        ids = null
      }
      store.clock.soon(slice)
    }
    store.clock.soon(slice)
  }

  private released(): Set<number> | null {
    const ids = new Set<number>()
    for (const [id, sequence] of this.ids) if (sequence <= this.store.log.released) ids.add(id)
    return ids.size === 0 ? null : ids
  }
}
