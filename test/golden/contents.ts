// The live keys of a store as the golden files say them: [database, key, value, expiry], bytes in hex, sorted.

import type { Contents } from '../engine/test-store.ts'

export type Row = [database: number, key: string, value: string, expiry: number]

export function rowsOf(contents: Contents): Row[] {
  const rows = [...contents].map(([name, { value, expiry }]): Row => {
    const colon = name.indexOf(':')
    return [Number(name.slice(0, colon)), hex(name.slice(colon + 1)), hex(value), expiry]
  })
  return sorted(rows)
}

/** As Python sorts lists: by database, then by key. */
export function sorted(rows: Row[]): Row[] {
  return rows.sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0))
}

const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex')
