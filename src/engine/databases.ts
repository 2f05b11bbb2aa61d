// Logical databases (SELECT 0..15) and the physical ids that keys are stored under.
//
// A key belongs to a physical id; a small map says which id a logical database has now. So SWAPDB is one record, and so is FLUSHDB: the
// database gets an id never used before, and what lies under the old one is dead at once and freed in slices. The map is the system
// record named "databases":   next id u32, count u32, then pairs (logical u32, physical u32) of all that are not as at first.
//
// At first logical n has physical n + 1; 0 is the system's. Ids given out later start at 2^20, so that more databases can be
// configured at any time without meeting one of those.

import { assert } from '../base/assert.ts'

export const DATABASES_KEY = Buffer.from('databases', 'latin1')
const FIRST_GIVEN_ID = 2 ** 20

/** Logical databases, each with its physical id. */
export type Mapped = readonly (readonly [logical: number, physical: number])[]

export class Databases {
  /** physical[logical]. */
  readonly physical: Uint32Array
  private nextId = FIRST_GIVEN_ID
  /** Pairs beyond the configured count, kept as they came. */
  private readonly hidden: [number, number][] = []

  constructor(count: number) {
    this.physical = Uint32Array.from({ length: count }, (_, logical) => logical + 1)
  }

  get count(): number {
    return this.physical.length
  }

  /** True when keys under that id belong to some database. */
  isMapped(id: number): boolean {
    if (this.physical.includes(id) || this.hidden.some(([, physical]) => physical === id)) return true
    // A database beyond the configured count that still has its first id is in no pair.
    const logical = id - 1
    return logical >= this.physical.length && id < FIRST_GIVEN_ID && !this.hidden.some(([n]) => n === logical)
  }

  /** Gives a logical database a fresh id; returns the old one. */
  renew(logical: number): number {
    const old = this.physical[logical] as number
    this.physical[logical] = this.nextId++
    assert(this.nextId < 2 ** 32, 'physical database ids are u32')
    return old
  }

  /** Keys lie under that id, perhaps of a map that is lost: it is not given out again, or they would be back. */
  used(id: number): void {
    if (id >= this.nextId) this.nextId = id + 1
  }

  swap(a: number, b: number): void {
    const physical = this.physical[a] as number
    this.physical[a] = this.physical[b] as number
    this.physical[b] = physical
  }

  /** Where these databases are now, for undo; ids given out since are not given out again. */
  mapped(logical: readonly number[]): Mapped {
    return logical.map((n) => [n, this.physical[n] as number])
  }

  restore(mapped: Mapped): void {
    for (const [logical, physical] of mapped) this.physical[logical] = physical
  }

  encode(): Buffer {
    const pairs: [number, number][] = [...this.hidden]
    this.physical.forEach((physical, logical) => {
      if (physical !== logical + 1) pairs.push([logical, physical])
    })
    const bytes = Buffer.alloc(8 + pairs.length * 8)
    bytes.writeUInt32LE(this.nextId, 0)
    bytes.writeUInt32LE(pairs.length, 4)
    pairs.forEach(([logical, physical], i) => {
      bytes.writeUInt32LE(logical, 8 + i * 8)
      bytes.writeUInt32LE(physical, 12 + i * 8)
    })
    return bytes
  }

  /** Takes over an encoded map. Databases beyond the configured count keep their keys, unseen, until they are configured again. */
  decode(bytes: Buffer): void {
    this.hidden.length = 0
    this.nextId = bytes.readUInt32LE(0)
    const unnamed = new Set(this.physical.keys())
    for (let i = 0, count = bytes.readUInt32LE(4); i < count; i++) {
      const logical = bytes.readUInt32LE(8 + i * 8)
      const physical = bytes.readUInt32LE(12 + i * 8)
      if (logical < this.physical.length) this.physical[logical] = physical
      else this.hidden.push([logical, physical])
      unnamed.delete(logical)
    }
    for (const logical of unnamed) this.physical[logical] = logical + 1
  }
}
