// A container command's subcommands: rows of their own, found by what follows the container's name.

import type { Command } from './command.ts'

/** 'CONFIG|GET' is found as 'GET'. */
export function subcommandsOf(rows: readonly Command[]): ReadonlyMap<string, Command> {
  return new Map(rows.map((row) => [row.name.slice(row.name.indexOf('|') + 1), row]))
}
