// Databases that were flushed: their keys are dead at once, because no database has their physical id any more (databases.ts). What is left to
// do is to give their memory back, in slices, between which others are served; and not before the record of the flush is released, since
// until then it may be undone.

import type { Bitcask } from './bitcask.ts'

export class DoomedDatabases {
  private readonly store: Bitcask
  /** Physical ids, and the sequence of the record that says so. */
  private readonly ids = new Map<number, number>()
  /** There is something to free, now or when it is released. */
  isFreeing = false
  /** What is left waits for a release. */
  private isWaiting = false
  /** Those that are being freed, and how far: all in one walk over the keydir. */
  private freed: ReadonlySet<number> | null = null
  private cursor = 0
  private readonly waiting: (() => void)[] = []

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
    this.goOn()
  }

  /** Calls back when there is nothing to free (any more), or the store is closing. */
  whenFreed(done: () => void): void {
    if (this.isFreeing) this.waiting.push(done)
    else done()
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
    this.store.clock.soon(this.slice)
  }

  /** Something was released, or the store is closing. */
  goOn(): void {
    if (!this.isWaiting) return
    this.isWaiting = false
    this.store.clock.soon(this.slice)
  }

  private readonly slice = (): void => {
    const { store } = this
    if (store.closing || this.ids.size === 0) {
      this.isFreeing = false
      for (const done of this.waiting.splice(0)) done()
      return
    }
    this.freed ??= this.released()
    const { freed } = this
    if (freed === null) {
      this.isWaiting = true
      return
    }
    const { keydir } = store
    this.cursor = keydir.scan(this.cursor, store.portions.freedEntries, (entry) => {
      if (freed.has(keydir.database(entry))) store.discard(entry)
    })
    if (this.cursor === 0) {
      for (const id of freed) this.ids.delete(id)
      this.freed = null
    }
    store.clock.soon(this.slice)
  }

  private released(): Set<number> | null {
    const ids = new Set<number>()
    for (const [id, sequence] of this.ids) if (sequence <= this.store.log.released) ids.add(id)
    return ids.size === 0 ? null : ids
  }
}
