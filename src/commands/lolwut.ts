// LOLWUT: a picture and the version. Ours is of casks in a cellar; how many, and how full, is chance.

import { CASKY_VERSION, REDIS_VERSION } from '../base/version.ts'
import type { Args } from '../resp/args.ts'
import { type Command, FAST, READ } from './command.ts'
import { NOT_AN_INTEGER } from './errors.ts'
import { parseInteger } from './numbers.ts'
import type { Session } from './session.ts'
import { isWord } from './words.ts'

const MAX_CASKS = 6
const FILLINGS = [' ', '.', '~', '=', '#'] as const

export const lolwutCommands = [
  {
    name: 'LOLWUT',
    arity: -1,
    flags: READ | FAST,
    keys: null,
    run: lolwut,
    summary: 'Draws something, and tells the version.',
    since: '5.0.0',
    group: 'server',
    complexity: 'O(1)',
    difference: 'A picture of its own, the same one for every VERSION.',
  },
] as const satisfies readonly Command[]

function lolwut(session: Session, args: Args): void {
  // VERSION asks Redis for the picture of that release. It is checked, and there is one picture.
  if (args.count > 2 && isWord(args.at(1), 'VERSION') && parseInteger(args.at(2)) === null) {
    return session.reply.error(NOT_AN_INTEGER)
  }
  const casks = 1 + Math.floor(Math.random() * MAX_CASKS)
  const levels = Array.from({ length: casks }, () => FILLINGS[Math.floor(Math.random() * FILLINGS.length)]!)
  session.reply.verbatim('txt', `${drawing(levels)}\nCasky ver. ${CASKY_VERSION} (Redis ver. ${REDIS_VERSION})\n`)
}

/** A cask for each level, side by side. */
function drawing(levels: readonly string[]): string {
  const row = (of: (level: string) => string): string => `${levels.map(of).join(' ')}\n`
  return (
    row(() => '   ________  ') +
    row((level) => `  /|${level.repeat(6)}|\\ `) +
    row((level) => ` (=|${level.repeat(6)}|=)`) +
    row((level) => ` ( |${level.repeat(6)}| )`) +
    row((level) => ` (=|${level.repeat(6)}|=)`) +
    row((level) => `  \\|${level.repeat(6)}|/ `) +
    row(() => '   --------  ')
  )
}
