// HELP of a container command: its subcommands with a line or two each, as an array of simple strings.

import type { Slice } from '../base/slice.ts'
import type { Session } from './session.ts'
import { quoted } from './words.ts'

/** `lines`: a syntax line, then indented lines that explain it. HELP itself is added. */
export function replyWithHelp(session: Session, name: string, lines: readonly string[]): void {
  const { reply } = session
  reply.array(lines.length + 3)
  reply.simple(`${name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`)
  for (const line of lines) reply.simple(line)
  reply.simple('HELP')
  reply.simple('    Prints this help.')
}

/** A subcommand with a number of arguments that only its handler can judge. */
export function wrongSubcommandArity(container: string, subcommand: Slice): string {
  return `ERR unknown subcommand or wrong number of arguments for '${quoted(subcommand)}'. Try ${container} HELP.`
}
