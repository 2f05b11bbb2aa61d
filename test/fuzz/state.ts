// What a server holds: every key of every database with its value, type and deadline. Compared at the end of each batch, so
// that a write that was answered rightly and done wrongly is found too.

import { encodeRequest, type Reply, show } from '../harness/resp.ts'
import { ask } from './play.ts'
import { type Frame, isPush, Wire } from './wire.ts'

export const DATABASES = 16

/** Lines `database key = value, type, deadline`, sorted. Deadlines are to the minute of their distance from now. */
export async function stateOf(port: number): Promise<string[]> {
  const wire = await Wire.open(port)
  try {
    const lines: string[] = []
    for (let database = 0; database < DATABASES; database++) {
      await ask(wire, 'SELECT', String(database))
      const size = (await ask(wire, 'DBSIZE')).value
      if (size === 0) continue
      const keys = ((await ask(wire, 'KEYS', '*')).value as Buffer[]).map((key) => key.toString('latin1')).sort()
      lines.push(`${database}: ${show(size)} keys`)
      const asked = keys.flatMap((key) => [
        ['GET', key],
        ['TYPE', key],
        ['PTTL', key],
      ])
      wire.send(Buffer.concat(asked.map(encodeRequest)))
      for (const key of keys) {
        const value = await next(wire)
        const type = await next(wire)
        const left = await next(wire)
        lines.push(
          `${database} ${JSON.stringify(key)} = ${show(value.value)}, ${show(type.value)}, ${about(left.value)}`,
        )
      }
    }
    return lines
  } finally {
    wire.close()
  }
}

async function next(wire: Wire): Promise<Frame> {
  const frame = (await wire.until((one) => !isPush(one))).at(-1)
  if (frame === undefined) throw new Error('no answer while the state was read')
  return frame
}

/** Casky keeps moments up to 2^53 - 1 ms (a stated difference). The rest agrees to ten minutes, and the lines must be equal:
 * a difference of a few milliseconds may fall on a border, so the border is put where no deadline of words.ts lies. */
function about(left: Reply): string {
  const ms = Number(left)
  if (ms < 0) return 'no deadline'
  if (ms > 9e15 - 2e12) return 'the end of time'
  return `deadline in about ${Math.round((ms - 137_000) / 600_000)}`
}
