// Values brought for parked commands.
//
// A command that needs a value from the disk is parked and runs again when it is here. It must find it then, whatever the cache has done
// meanwhile: so what was read stays for as long as somebody holds a ticket for it, and what a command was told is in memory stays until the
// next flush, however many other values it goes on to read. Both are known by the sequence they had: a value that was overwritten
// meanwhile is nobody's.

import { NONE } from './engine.ts'

interface Brought {
  sequence: number
  /** null: still on its way. Its bytes never change. */
  value: Buffer | null
  tickets: number
}

export class BroughtValues {
  /** By entry. */
  private readonly brought = new Map<number, Brought>()
  private readonly entries = new Map<number, number>() // by ticket
  private nextTicket = 1
  private readonly kept = new Map<number, { sequence: number; value: Buffer }>()

  /** A ticket for an entry whose value is going to be read, or for NONE. */
  ticket(entry: number, sequence: number): number {
    const ticket = this.nextTicket++
    if (entry === NONE) return ticket
    this.entries.set(ticket, entry)
    const brought = this.brought.get(entry)
    if (brought === undefined) this.brought.set(entry, { sequence, value: null, tickets: 1 })
    else brought.tickets++
    return ticket
  }

  /** The value with that sequence has come. An older read that comes in late does not replace what is current. */
  came(entry: number, sequence: number, value: Buffer, isCurrent: boolean): void {
    const brought = this.brought.get(entry)
    if (brought === undefined || (brought.value !== null && !isCurrent)) return
    brought.sequence = sequence
    brought.value = value
  }

  drop(ticket: number): void {
    const entry = this.entries.get(ticket)
    if (entry === undefined) return
    this.entries.delete(ticket)
    const brought = this.brought.get(entry)
    if (brought !== undefined && --brought.tickets === 0) this.brought.delete(entry)
  }

  /** Until `forgetKept`. The bytes are the caller's to give. */
  keep(entry: number, sequence: number, value: Buffer): void {
    this.kept.set(entry, { sequence, value })
  }

  forgetKept(): void {
    if (this.kept.size > 0) this.kept.clear()
  }

  /** What was brought for the entry, if it still has that sequence. */
  valueOf(entry: number, sequence: number): Buffer | null {
    if (this.brought.size === 0) return null
    const brought = this.brought.get(entry)
    return brought !== undefined && brought.sequence === sequence ? brought.value : null
  }

  /** The same, or what was kept. */
  anyOf(entry: number, sequence: number): Buffer | null {
    if (this.kept.size > 0) {
      const kept = this.kept.get(entry)
      if (kept !== undefined && kept.sequence === sequence) return kept.value
    }
    return this.valueOf(entry, sequence)
  }
}
