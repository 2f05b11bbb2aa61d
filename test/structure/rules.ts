// The rules of structure, as a function from sources to complaints.
//
//   layers   an import only goes down, or stays in its directory; siblings of one rank do not know each other
//   cycles   no import cycle among files (imports of types alone are erased and cannot make one)
//   doors    each piece of the outside world is named in the files of one list
//   drawers  nothing called utils, no index.ts, no file that only passes on what others export
//
// Imports are found with regular expressions over text without comments. That is exact for sources that the formatter has
// passed (an import begins a line), and it needs no compiler.

export type Sources = ReadonlyMap<string, string>

const RANKS: Record<string, number> = {
  main: 5,
  server: 4,
  tools: 4,
  commands: 3,
  engine: 2,
  resp: 2,
  observability: 2,
  config: 2,
  base: 1,
}

/** A path is allowed when it equals an entry, or begins with one that ends in a slash. */
interface Door {
  readonly what: string
  readonly modules?: readonly string[]
  readonly globals?: RegExp
  readonly allowed: readonly string[]
}

const DOORS: readonly Door[] = [
  { what: 'sockets', modules: ['node:net', 'node:tls', 'node:http', 'node:dgram'], allowed: ['src/server/'] },
  {
    what: 'files',
    modules: ['node:fs', 'node:fs/promises'],
    allowed: [
      ...['src/engine/node-storage.ts', 'src/engine/lock.ts', 'src/config/files.ts', 'src/main.ts'],
      'src/server/adopt.ts', // write(2), on a socket
    ],
  },
  { what: 'logging', modules: ['pino'], allowed: ['src/observability/'] },
  { what: 'checksums', modules: ['crc-32', 'node:zlib'], allowed: ['src/base/crc32.ts'] },
  {
    what: 'threads',
    modules: ['node:worker_threads'],
    allowed: ['src/engine/worker-driver.ts', 'src/engine/worker.ts'],
  },
  { what: 'processes', modules: ['node:child_process', 'node:cluster'], allowed: ['src/engine/lock.ts'] },
  {
    what: 'time',
    modules: ['node:timers', 'node:timers/promises', 'node:perf_hooks'],
    globals: /\b(?:Date\.now|new Date\(\)|setTimeout|setInterval|setImmediate|performance\.|process\.hrtime)/,
    allowed: ['src/base/clock.ts'],
  },
  { what: 'the environment', globals: /\bprocess\.(?:env|argv)\b/, allowed: ['src/main.ts', 'src/tools/main.ts'] },
]

const DRAWER = /^index\.ts$|(?:^|[-_.])(?:utils?|helpers?|misc|common)\.ts$/

interface Import {
  readonly target: string
  readonly line: number
  readonly typeOnly: boolean
}

/** Every breach of a rule as `path:line: what is wrong`, sorted by path. */
export function breaches(sources: Sources): string[] {
  const found: string[] = []
  const imports = new Map<string, Import[]>()
  for (const [path, source] of [...sources].sort()) {
    const code = withoutComments(source)
    const list = importsOf(code)
    imports.set(path, list)
    found.push(...layers(path, list), ...doors(path, list, code), ...drawers(path, code))
    for (const { target, line } of list) {
      if (target.startsWith('.') && !sources.has(resolve(path, target))) {
        found.push(`${path}:${line}: imports ${target}, which does not exist`)
      }
    }
  }
  found.push(...cycles(imports))
  return found
}

function layers(path: string, imports: readonly Import[]): string[] {
  const from = layerOf(path)
  if (RANKS[from] === undefined) return [`${path}:1: ${from} is no layer`]
  const found: string[] = []
  for (const { target, line } of imports) {
    if (!target.startsWith('.')) continue
    const to = layerOf(resolve(path, target))
    if (to !== from && !(RANKS[to]! < RANKS[from]!)) found.push(`${path}:${line}: ${from} must not import ${to}`)
  }
  return found
}

function doors(path: string, imports: readonly Import[], code: string): string[] {
  const found: string[] = []
  for (const { what, modules, globals, allowed } of DOORS) {
    if (allowed.some((entry) => path === entry || (entry.endsWith('/') && path.startsWith(entry)))) continue
    for (const { target, line } of imports) {
      const name = BARE_NODE.has(target) ? `node:${target}` : target
      if (modules?.includes(name)) found.push(`${path}:${line}: ${target} here; the door to ${what} is ${allowed[0]}`)
    }
    if (globals === undefined) continue
    code.split('\n').forEach((text, index) => {
      const match = globals.exec(text)
      if (match !== null) found.push(`${path}:${index + 1}: ${match[0]} here; the door to ${what} is ${allowed[0]}`)
    })
  }
  return found
}

const BARE_NODE = new Set([
  'fs',
  'fs/promises',
  'net',
  'tls',
  'http',
  'zlib',
  'worker_threads',
  'child_process',
  'timers',
])

function drawers(path: string, code: string): string[] {
  const found: string[] = []
  if (DRAWER.test(path.split('/').at(-1)!)) found.push(`${path}:1: a drawer, not a name`)
  const passedOn = [...code.matchAll(RE_EXPORT)]
  const star = passedOn.find((match) => match[2]!.startsWith('*'))
  if (star !== undefined) found.push(`${path}:${lineAt(code, star.index)}: export * hides where things come from`)
  const own = code.replaceAll(RE_EXPORT, '').trim()
  if (passedOn.length > 0 && own === '') found.push(`${path}:1: a barrel`)
  return found
}

function cycles(imports: ReadonlyMap<string, readonly Import[]>): string[] {
  const found: string[] = []
  const finished = new Set<string>()
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) {
      const back = trail.at(-1)!
      const line = imports.get(back)!.find(({ target }) => resolve(back, target) === path)!.line
      found.push(`${back}:${line}: import cycle ${[...trail.slice(at), path].join(' > ')}`)
      return
    }
    if (finished.has(path)) return
    for (const { target, typeOnly } of imports.get(path) ?? []) {
      if (!typeOnly && target.startsWith('.')) walk(resolve(path, target), [...trail, path])
    }
    finished.add(path)
  }
  for (const path of imports.keys()) walk(path, [])
  return found
}

const IMPORT_FROM = /^import\s+(type\s+)?[\w*{][^'"]*?from\s+['"]([^'"]+)['"]/gm
const IMPORT_BARE = /^import\s+()['"]([^'"]+)['"]/gm
const IMPORT_CALL = /\bimport\(\s*()['"]([^'"]+)['"]/g
const REQUIRE = /\brequire\(\s*()['"]([^'"]+)['"]/g
const RE_EXPORT = /^export\s+(type\s+)?(\*(?:\s+as\s+\w+)?|\{[^}]*\})\s+from\s+['"]([^'"]+)['"]/gm

function importsOf(code: string): Import[] {
  const list: Import[] = []
  const add = (match: RegExpMatchArray, target: string): void => {
    list.push({ target, line: lineAt(code, match.index!), typeOnly: match[1] !== undefined && match[1] !== '' })
  }
  for (const pattern of [IMPORT_FROM, IMPORT_BARE, IMPORT_CALL, REQUIRE]) {
    for (const match of code.matchAll(pattern)) add(match, match[2]!)
  }
  for (const match of code.matchAll(RE_EXPORT)) add(match, match[3]!)
  return list
}

/** The same text with comments blanked, so that line numbers stay. Strings end at their line, which keeps regexes harmless. */
export function withoutComments(source: string): string {
  return source.replaceAll(
    /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (text, string: string | undefined) => (string !== undefined ? text : text.replaceAll(/[^\n]/g, ' ')),
  )
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

/** `src/engine/x.ts` belongs to engine, `src/main.ts` to main. */
function layerOf(path: string): string {
  const [, first, second] = path.split('/')
  return second === undefined ? first!.replace(/\.ts$/, '') : first!
}

function resolve(from: string, target: string): string {
  const parts = from.split('/').slice(0, -1)
  for (const part of target.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}
