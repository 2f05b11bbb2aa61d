// The client matrix: every client of matrix.ts against a Casky of its own, and a table of how it went.
//
//   npm ci --prefix test/clients           what is not Debian's
//   npx tsx test/clients/run.ts [--kind redis] [--only WORD]      redis: the same against redis-server, as a check of the programs
//
// What is not installed is skipped with a line that says how to get it; where CI=true that is a failure. Exits 1 when anything failed.

import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Kind, startServer } from '../harness/server.ts'
import { type Client, clients } from './matrix.ts'

export interface Row {
  readonly name: string
  readonly outcome: 'works' | 'FAILED' | 'skipped'
  readonly detail: string
  readonly ms: number
}

/** Tries the clients one after the other; `tell` hears each row as it comes. */
export async function runMatrix(kind: Kind, chosen: readonly Client[], tell: (row: Row) => void): Promise<Row[]> {
  const rows: Row[] = []
  for (const client of chosen) {
    const begun = performance.now()
    const [outcome, detail] = await tried(kind, client)
    const row: Row = { name: client.name, outcome, detail, ms: performance.now() - begun }
    rows.push(row)
    tell(row)
  }
  return rows
}

async function tried(kind: Kind, client: Client): Promise<[Row['outcome'], string]> {
  const missing = await client.missing()
  if (missing !== '') return [process.env['CI'] === 'true' ? 'FAILED' : 'skipped', `not installed: ${missing}`]
  const server = await startServer(kind)
  try {
    const trouble = await client.attempt(server.port)
    if (trouble !== '') return ['FAILED', trouble]
    return server.child.exit === undefined
      ? ['works', '']
      : ['FAILED', `the server has died:\n${server.child.output()}`]
  } catch (error) {
    return ['FAILED', (error as Error).stack ?? String(error)]
  } finally {
    await server.stop()
  }
}

export function line(row: Row): string {
  const detail = row.detail === '' ? '' : `\n    ${row.detail.trim().slice(0, 3000).replaceAll('\n', '\n    ')}`
  return `${row.outcome.padEnd(8)} ${row.name.padEnd(40)} ${(row.ms / 1000).toFixed(1).padStart(6)} s${detail}`
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { kind: { type: 'string', default: 'casky' }, only: { type: 'string', default: '' } },
  })
  const chosen = clients.filter((client) => client.name.includes(values.only))
  const rows = await runMatrix(values.kind === 'redis' ? 'redis' : 'casky', chosen, (row) => console.log(line(row)))
  const count = (outcome: Row['outcome']): number => rows.filter((row) => row.outcome === outcome).length
  const parts = [`${count('FAILED')} failed`, `${count('works')} passed`, `${count('skipped')} skipped`]
  console.log(`\n      Tests  ${parts.filter((part) => !part.startsWith('0 ')).join(' | ')} (${rows.length})`)
  return count('FAILED') === 0 && count('works') > 0 ? 0 : 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main()
