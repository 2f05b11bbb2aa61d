// What a server holds: every key of every database with its value, type and deadline. Compared at the end of each batch, so
// that a write that was answered rightly and done wrongly is found too.

import { encodeRequest, show } from '../harness/resp.ts'
import { APART_MS, END_OF_TIME_MS } from './allowances.ts'
import { ask } from './play.ts'
import { type Frame, isPush, Wire } from './wire.ts'

export const DATABASES = 16

/** One key, or the number of keys of a database. */
export interface Item {
  readonly text: string
  /** Milliseconds left to live; below 0: for ever. */
  readonly leftMs: number
}

/** Everything a server holds, sorted; with the number of keys of each database, if wanted. */
export async function stateOf(port: number, counts: boolean): Promise<Item[]> {
  const wire = await Wire.open(port)
  try {
    const items: Item[] = []
    for (let database = 0; database < DATABASES; database++) {
      await ask(wire, 'SELECT', String(database))
      const size = (await ask(wire, 'DBSIZE')).value
      if (size === 0) continue
      const keys = ((await ask(wire, 'KEYS', '*')).value as Buffer[]).map((key) => key.toString('latin1')).sort()
      if (counts) items.push({ text: `${database}: ${show(size)} keys`, leftMs: -1 })
      const asked = keys.flatMap((key) => ['GET', 'TYPE', 'PTTL'].map((name) => encodeRequest([name, key])))
      wire.send(Buffer.concat(asked))
      for (const key of keys) {
        const value = await next(wire)
        const type = await next(wire)
        const left = await next(wire)
        const text = `${database} ${JSON.stringify(key)} = ${show(value.value)}, ${show(type.value)}`
        items.push({ text, leftMs: Number(left.value) })
      }
    }
    return items
  } finally {
    wire.close()
  }
}

async function next(wire: Wire): Promise<Frame> {
  const frame = (await wire.until((one) => !isPush(one))).at(-1)
  if (frame === undefined) throw new Error('no answer while the state was read')
  return frame
}

/** What differs, as lines; both empty when nothing does. Deadlines may be as far apart as the moments they were made at. */
export function stateDifference(theirs: readonly Item[], ours: readonly Item[]): { expected: string; got: string } {
  const written = ({ text, leftMs }: Item): string => (leftMs < 0 ? text : `${text}, ${leftMs} ms left`)
  const missing = (these: readonly Item[], from: readonly Item[]): string => {
    const known = new Map(from.map((item) => [item.text, item.leftMs]))
    return these
      .filter(({ text, leftMs }) => !sameDeadline(leftMs, known.get(text)))
      .map(written)
      .join('\n')
  }
  return { expected: missing(theirs, ours), got: missing(ours, theirs) }
}

function sameDeadline(a: number, b: number | undefined): boolean {
  if (b === undefined || a < 0 !== b < 0) return false
  const latest = END_OF_TIME_MS - Date.now()
  return a < 0 || Math.abs(Math.min(a, latest) - Math.min(b, latest)) <= APART_MS
}
