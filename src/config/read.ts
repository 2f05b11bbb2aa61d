// Reads configuration text into settings, and tells what is wrong with it the way redis-server does: tools and people know
// that text. Nothing here decides what a value means (kinds.ts) or which source wins (load.ts).

import { REDIS_VERSION } from '../base/version.ts'
import { type Files, systemErrorText } from './files.ts'
import { Refusal, splitWords, trim } from './grammar.ts'
import { obsolete, refusedLines } from './inert.ts'
import type { Origin, Settings } from './settings.ts'
import { type Directive, find } from './table.ts'

const BAD_DIRECTIVE = 'Bad directive or wrong number of arguments'
/** Files included by files included by ... A file that includes itself ends here. */
const MAX_INCLUDE_DEPTH = 16

export interface Source {
  readonly text: string
  readonly origin: Origin
  /** Number of the first line: the command line counts on where the file ended. */
  readonly firstLine: number
  /** Set for an included file, so that the line number can be found. */
  readonly includedPath?: string
}

/** Lays the lines of a source over the settings. Returns null, or the text to end with. */
export function readText(settings: Settings, source: Source, files: Files, depth = 0): string | null {
  const lines = source.text.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const line = trim(lines[i]!)
    if (line === '' || line.startsWith('#')) continue
    const failed = (reason: string): string => {
      const within = source.includedPath === undefined ? '' : ` of '${source.includedPath}'`
      return fatalError(`Reading the configuration file, at line ${source.firstLine + i}${within}`, line, reason)
    }

    const words = splitWords(line)
    if (words === null) return failed('Unbalanced quotes in configuration line')
    const [name, ...values] = words
    if (name === undefined) continue

    if (name.toLowerCase() === 'include' && values.length === 1) {
      if (depth === MAX_INCLUDE_DEPTH) return failed('Too many nested includes')
      const problem = include(settings, values[0]!, source.origin, files, depth + 1)
      if (problem !== null) return problem
      continue
    }

    const directive = find(name)
    if (directive === undefined) {
      if (obsolete.has(name.toLowerCase()) && values.length === 1) continue
      const reason = values.length === 0 ? BAD_DIRECTIVE : refusedLine(name, values)
      if (reason !== null) return failed(reason)
      continue
    }
    const refusal = settings.assign(directive, values, source.origin)
    if (refusal !== null) return failed(refusal.text)
  }
  return null
}

/** Why a line that is no directive is refused; null when it says only what is so. */
function refusedLine(name: string, values: readonly string[]): string | null {
  const judge = Object.hasOwn(refusedLines, name.toLowerCase()) ? refusedLines[name.toLowerCase()] : undefined
  return judge === undefined ? BAD_DIRECTIVE : judge(values)
}

// A pattern that matches nothing is fine (conf.d/*.conf), a named file that is missing is not.
function include(settings: Settings, path: string, origin: Origin, files: Files, depth: number): string | null {
  const name = Buffer.from(path, 'latin1').toString('utf8')
  for (const includedPath of /[*?[]/.test(name) ? files.list(name) : [name]) {
    const text = readFile(includedPath, files)
    if (text instanceof Refusal) return text.text
    const problem = readText(settings, { text, origin, firstLine: 1, includedPath }, files, depth)
    if (problem !== null) return problem
  }
  return null
}

/** The file's text, or the message to end with. */
export function readFile(path: string, files: Files): string | Refusal {
  try {
    return files.read(path)
  } catch (error) {
    return new Refusal(`Fatal error, can't open config file '${printable(path)}': ${systemErrorText(error)}\n`)
  }
}

/** Lays one variable of the environment over the settings: the whole of it is the value, as in CONFIG SET. */
export function readVariable(settings: Settings, variable: string, directive: Directive, value: string): string | null {
  const refusal = settings.assign(directive, [value], 'environment')
  return refusal === null
    ? null
    : fatalError(
        `Reading the environment, variable ${variable}`,
        directive.secret ? `${variable}=...` : `${variable}=${value}`,
        refusal.text,
      )
}

/** The shape that redis-server gives it, which others look for. */
export function fatalError(where: string, line: string, reason: string): string {
  const shown = printable(Buffer.from(withoutSecret(line), 'latin1').toString('utf8'))
  return `\n*** FATAL CONFIG FILE ERROR (Redis ${REDIS_VERSION}) ***\n${where}\n>>> '${shown}'\n${reason}\n`
}

function withoutSecret(line: string): string {
  const name = /^\S+/.exec(line)?.[0] ?? ''
  return find(name)?.secret === true ? `${name} ...` : line
}

/** Control characters made visible: what is shown came from a file or a command line. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
