// Ways to hurt the files of a store that is closed.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { allRecords, dataPath, type FoundRecord } from './files.ts'

/** Flips one bit of a file. */
export function flip(file: string, at: number, bit = 0): void {
  const bytes = fs.readFileSync(file)
  bytes[at]! ^= 1 << bit
  fs.writeFileSync(file, bytes)
}

/** The newest record of that kind and key. */
export function newestOf(directory: string, key: string, kind = 1): FoundRecord {
  const found = allRecords(directory).filter((record) => record.key === key && record.kind === kind)
  const newest = found.sort((a, b) => b.sequence - a.sequence)[0]
  if (newest === undefined) throw new Error(`no record of ${key}`)
  return newest
}

/** Hurts the value (its last byte) or the head (its sequence) of a key's newest value. */
export function hurt(directory: string, key: string, what: 'value' | 'head'): void {
  const record = newestOf(directory, key)
  const at = what === 'value' ? record.offset + record.length - 1 : record.offset + 24
  flip(dataPath(directory, record.segment), at)
}

export const namesIn = (directory: string): string[] =>
  fs.readdirSync(directory).filter((name) => fs.statSync(path.join(directory, name)).isFile())
