// What must not be seen of a command line: passwords. SLOWLOG and MONITOR show it, so both ask here first.

import { isWord, nameOf } from '../commands/words.ts'
import { find } from '../config/table.ts'
import type { Args } from '../resp/args.ts'

export const REDACTED = '(redacted)'

/** Indexes of arguments that are secret; null for nearly every command. `name`: in upper case, subcommands with a bar. */
export function secretArguments(name: string, args: Args): ReadonlySet<number> | null {
  if (name === 'AUTH') return range(1, args.count)
  if (name === 'HELLO') return afterWords(args, { AUTH: 2 })
  if (name === 'MIGRATE') return afterWords(args, { AUTH: 1, AUTH2: 2 })
  if (name === 'CONFIG|SET') return secretValues(args)
  return null
}

function range(first: number, end: number): ReadonlySet<number> {
  return new Set(Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i))
}

/** What follows each of the words, so many arguments. */
function afterWords(args: Args, words: Readonly<Record<string, number>>): ReadonlySet<number> | null {
  const secret = new Set<number>()
  for (let i = 1; i < args.count; i++) {
    for (const [word, count] of Object.entries(words)) {
      if (!secret.has(i) && isWord(args.at(i), word))
        for (const each of range(i + 1, Math.min(args.count, i + 1 + count))) secret.add(each)
    }
  }
  return secret.size === 0 ? null : secret
}

function secretValues(args: Args): ReadonlySet<number> {
  const secret = new Set<number>()
  for (let i = 2; i + 1 < args.count; i += 2) {
    if (find(nameOf(args.at(i)))?.secret === true) secret.add(i + 1)
  }
  return secret
}
