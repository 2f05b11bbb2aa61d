// Everything a server holds in some databases, in the ledger's words: read by SCAN, GET and PEXPIRETIME, and DBSIZE has to
// agree with what was found.

import type { RawConnection } from '../harness/connection.ts'
import { encodeRequest, ReplyError, show } from '../harness/resp.ts'
import type { Observed } from './ledger.ts'
import { MORTAL_KEYS } from './workload.ts'

/** Keys a SCAN is asked for: sometimes all at once, sometimes a few, so that cursors are followed too. */
const COUNTS = [100, 500, 10_000]

/** What the databases hold together. What contradicts itself goes to `problems`. */
export async function observe(
  connection: RawConnection,
  databases: readonly number[],
  problems: string[],
): Promise<Observed> {
  const fromMs = Date.now()
  const entries = new Map<string, { value: string; expiresAt: number }>()
  for (const database of databases) {
    await connection.call('SELECT', database)
    const keys = await scanAll(connection, COUNTS[database % COUNTS.length]!)
    connection.send(
      Buffer.concat(keys.flatMap((key) => [encodeRequest(['GET', key]), encodeRequest(['PEXPIRETIME', key])])),
    )
    const found: number[] = []
    for (const key of keys) {
      const { value } = await connection.reply()
      const expiresAt = (await connection.reply()).value
      if (value instanceof ReplyError) problems.push(`GET ${key}: ${value.message}`)
      if (Buffer.isBuffer(value) && typeof expiresAt === 'number' && expiresAt !== -2) {
        entries.set(`${database}/${key}`, { value: value.toString('latin1'), expiresAt })
        found.push(expiresAt)
      }
    }
    // Asking for a key whose time has come removes it, so that DBSIZE counts what a reader can find.
    await connection.call('EXISTS', ...MORTAL_KEYS)
    const size = await connection.call('DBSIZE')
    const never = await connection.call('EXISTS', 'never', 'written', `p${Number.MAX_SAFE_INTEGER}`)
    if (never !== 0) problems.push(`database ${database}: keys never written exist: ${show(never)}`)
    const lasting = found.filter((expiresAt) => expiresAt === -1 || expiresAt > Date.now() + 1000).length
    if (typeof size !== 'number' || size < lasting || size > keys.length) {
      problems.push(
        `database ${database}: DBSIZE is ${show(size)}, SCAN found ${keys.length} keys, of which ${lasting} are not about to expire`,
      )
    }
  }
  return { entries, fromMs, toMs: Date.now() }
}

async function scanAll(connection: RawConnection, count: number): Promise<string[]> {
  const keys = new Set<string>()
  let cursor = '0'
  do {
    const reply = await connection.call('SCAN', cursor, 'COUNT', count)
    if (!Array.isArray(reply)) throw new Error(`SCAN was answered ${show(reply)}`)
    const [next, found] = reply as [Buffer, Buffer[]]
    for (const key of found) keys.add(key.toString('latin1'))
    cursor = next.toString()
  } while (cursor !== '0')
  return [...keys]
}
