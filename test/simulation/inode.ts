// One file of the simulated disk: what is on the platter, what the page cache shows, and the writes in between.
//
//   durable   what certainly survives a power cut
//   cached    what reads see
//   pending   completed writes that no finished sync covers: each sector of each may or may not have reached the platter
//   doomed    writes that a failed sync has marked clean: reads still see them, no later sync will write them (fsyncgate)
//
// A sync covers the writes that had completed when it was started, not those that completed meanwhile.

import { Content } from './content.ts'
import type { Random } from './random.ts'

export interface Piece {
  readonly position: number
  readonly bytes: Uint8Array
  /** Order of completion over the whole disk. */
  readonly stamp: number
}

export class Inode {
  readonly id: number
  durable: Content
  cached: Content
  pending: Piece[] = []
  doomed: Piece[] = []

  constructor(id: number, durable = new Content(), cached = new Content()) {
    this.id = id
    this.durable = durable
    this.cached = cached
  }

  fork(): Inode {
    const copy = new Inode(this.id, this.durable.fork(), this.cached.fork())
    copy.pending = [...this.pending]
    copy.doomed = [...this.doomed]
    return copy
  }

  write(piece: Piece): void {
    this.cached.write(piece.position, piece.bytes)
    this.pending.push(piece)
  }

  /** A sync that was started when `covered` were the pending writes has finished. */
  settle(covered: readonly Piece[]): void {
    if (covered.length === 0) return
    const settled = new Set(covered)
    for (const piece of this.pending) if (settled.has(piece)) this.durable.write(piece.position, piece.bytes)
    this.pending = this.pending.filter((piece) => !settled.has(piece))
  }

  /** Such a sync has failed: some sectors are on the platter, none of the rest will ever be. */
  doom(covered: readonly Piece[], sectorBytes: number, random: Random): void {
    const lost = new Set(covered)
    const now = this.pending.filter((piece) => lost.has(piece))
    this.pending = this.pending.filter((piece) => !lost.has(piece))
    this.doomed.push(...now)
    const keep = random.next()
    for (const piece of now) {
      eachSector(piece, sectorBytes, (position, bytes) => {
        if (random.chance(keep)) this.durable.write(position, bytes)
      })
    }
  }

  /** Memory pressure, or a new process: clean pages are dropped and read again, and what was doomed is not there. */
  evictDoomed(sectorBytes: number, random: Random): void {
    for (const piece of this.doomed) {
      eachSector(piece, sectorBytes, (position, bytes) => {
        if (random.chance(0.5)) return
        const truth = new Uint8Array(bytes.length)
        this.durable.read(truth, 0, truth.length, position)
        this.cached.write(position, truth)
      })
    }
    for (const piece of this.pending) this.cached.write(piece.position, piece.bytes)
  }

  /**
   * The power fails. `garbage(position, length)` gives what new space holds where nothing was kept: zeros or old data.
   * Returns the file that is left.
   */
  losePower(sectorBytes: number, random: Random, garbage: (position: number, length: number) => Uint8Array): Inode {
    if (this.pending.length === 0 && this.doomed.length === 0) {
      return new Inode(this.id, this.durable.fork(), this.durable.fork())
    }
    const size = this.#anySize(random)
    const left = this.durable.fork()
    left.resize(Math.max(size, left.size))
    for (let at = this.durable.size; at < size; ) {
      const end = Math.min(size, at - (at % sectorBytes) + sectorBytes)
      left.write(at, garbage(at, end - at))
      at = end
    }
    this.#keepSome(left, sectorBytes, random)
    left.resize(size)
    return new Inode(this.id, left, left.fork())
  }

  /** What a power cut leaves that keeps these of the pending writes. */
  keep(keeps: () => boolean): Inode {
    const left = this.durable.fork()
    for (const piece of this.pending) if (keeps()) left.write(piece.position, piece.bytes)
    return new Inode(this.id, left, left.fork())
  }

  /** Growth is metadata, written when the file system likes: never below what was synced, never beyond what was written. */
  #anySize(random: Random): number {
    const low = this.durable.size
    const ends = this.pending.map((piece) => piece.position + piece.bytes.length)
    const high = Math.max(low, this.cached.size, ...ends)
    switch (random.below(4)) {
      case 0:
        return low
      case 1:
        return random.between(low, high)
      case 2:
        return ends.length === 0 ? high : Math.max(low, random.pick(ends))
      default:
        return high
    }
  }

  /**
   * Applies some sectors of some pending writes. Two worlds: the kernel writes whole pages back, so that a sector holds all
   * writes up to some instant; or ranges go out one by one (network file systems), and any subset is there.
   */
  #keepSome(left: Content, sectorBytes: number, random: Random): void {
    const keep = random.pick([0, 1, 0.5, random.next()])
    const byInstant = random.chance(0.7)
    const instants = new Map<number, number>()
    const instantOf = (sector: number): number => {
      let instant = instants.get(sector)
      if (instant === undefined) {
        instant = random.chance(keep) ? this.pending.length : random.below(this.pending.length + 1)
        if (keep === 0) instant = 0
        instants.set(sector, instant)
      }
      return instant
    }
    this.pending.forEach((piece, index) => {
      eachSector(piece, sectorBytes, (position, bytes) => {
        const kept = byInstant ? index < instantOf(Math.floor(position / sectorBytes)) : random.chance(keep)
        if (kept) left.write(position, bytes)
      })
    })
  }
}

function eachSector(piece: Piece, sectorBytes: number, visit: (position: number, bytes: Uint8Array) => void): void {
  const end = piece.position + piece.bytes.length
  for (let at = piece.position; at < end; ) {
    const next = Math.min(end, at - (at % sectorBytes) + sectorBytes)
    visit(at, piece.bytes.subarray(at - piece.position, next - piece.position))
    at = next
  }
}
