// What must not be seen of a command line: passwords. SLOWLOG and MONITOR show it, so both ask here first.

import { isWord } from '../commands/words.ts'
import { directives } from '../config/directives.ts'
import type { Args } from '../resp/args.ts'

export const REDACTED = '(redacted)'

/** Indexes of arguments that are secret; null for nearly every command. `name`: in upper case, subcommands with a bar. */
export function secretArguments(name: string, args: Args): ReadonlySet<number> | null {
  if (name === 'AUTH') return range(1, args.count)
  if (name === 'HELLO') return afterWord(args, 'AUTH', 2)
  if (name === 'MIGRATE') return afterWord(args, 'AUTH', 1)
  if (name === 'CONFIG|SET') return secretValues(args)
  return null
}

function range(first: number, end: number): ReadonlySet<number> {
  return new Set(Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i))
}

function afterWord(args: Args, word: string, count: number): ReadonlySet<number> | null {
  for (let i = 1; i < args.count; i++) {
    if (isWord(args.at(i), word)) return range(i + 1, Math.min(args.count, i + 1 + count))
  }
  return null
}

function secretValues(args: Args): ReadonlySet<number> {
  const secret = new Set<number>()
  for (let i = 2; i + 1 < args.count; i += 2) {
    const row = (directives as Record<string, { readonly secret: boolean } | undefined>)[args.at(i).key().toLowerCase()]
    if (row?.secret === true) secret.add(i + 1)
  }
  return secret
}
