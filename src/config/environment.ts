// The environment: CASKY_<DIRECTIVE>, in capitals, '-' as '_'. For containers, where a file is a burden.
//
//   CASKY_PORT=7000               the whole variable is the value, as in CONFIG SET; an empty one counts as not set
//   CASKY_REQUIREPASS_FILE=path   for secrets: the value is in that file (a line end at its end is not part of it)
//   CASKY_EXTRA_FLAGS="--a b"     options as on the command line; they lie over the other variables
//
// A variable that begins with CASKY_ and is none of these is an error, since it is a misspelt one more often than not. Left
// alone are CASKY_TEST_* (the project's own tests) and what container platforms invent for a service that is called
// "casky": CASKY_SERVICE_HOST, CASKY_SERVICE_PORT..., CASKY_PORT_6379_TCP..., and CASKY_PORT=tcp://...

import { toBytes } from './commandline.ts'
import { type Files, systemErrorText } from './files.ts'
import { fatalError } from './read.ts'
import { type Directive, table } from './table.ts'

export interface Variable {
  readonly name: string
  readonly directive: Directive
  readonly value: string
}

export interface Environment {
  readonly variables: readonly Variable[]
  readonly extraFlags: string
}

const PREFIX = 'CASKY_'
const OURS_OR_THE_PLATFORMS = /^CASKY_(TEST_.*|SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_[0-9]+_(TCP|UDP)(_.*)?)$/

/** What the environment sets, or (a string) the text to end with. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>, files: Files): Environment | string {
  const names = new Map<string, Directive>()
  for (const [name, directive] of table) names.set(PREFIX + name.toUpperCase().replaceAll('-', '_'), directive)

  const variables: Variable[] = []
  let extraFlags = ''
  for (const name of Object.keys(env)
    .filter((name) => name.startsWith(PREFIX))
    .sort()) {
    const text = env[name] ?? ''
    if (text === '' || OURS_OR_THE_PLATFORMS.test(name)) continue
    if (name === 'CASKY_PORT' && /^(tcp|udp):\/\//.test(text)) continue
    if (name === 'CASKY_EXTRA_FLAGS') {
      extraFlags = toBytes(text)
      continue
    }
    const directive = names.get(name)
    if (directive !== undefined) {
      variables.push({ name, directive, value: toBytes(text) })
      continue
    }
    const failed = (reason: string): string =>
      fatalError(`Reading the environment, variable ${name}`, `${name}=...`, reason)
    const owner = name.endsWith('_FILE') ? names.get(name.slice(0, -'_FILE'.length)) : undefined
    if (owner?.secret !== true) return failed('Bad directive or wrong number of arguments')
    if (env[name.slice(0, -'_FILE'.length)]) return failed('the variable without _FILE is set as well')
    const secret = readSecret(text, files)
    if (secret.value === '') return failed(secret.problem)
    variables.push({ name, directive: owner, value: secret.value })
  }
  return { variables, extraFlags }
}

// An empty file is a secret that is not there (yet): to go on without a password would be the worst answer.
function readSecret(path: string, files: Files): { value: string; problem: string } {
  try {
    return { value: files.read(path).replace(/\r?\n$/, ''), problem: `'${path}' is empty` }
  } catch (error) {
    return { value: '', problem: `can't open '${path}': ${systemErrorText(error)}` }
  }
}
