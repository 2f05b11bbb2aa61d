// The configuration while the server runs: typed values, CONFIG GET, SET and REWRITE.
//
// CONFIG SET is all or nothing. First every name is looked up, then every value is read, then all are put, then those who
// listen apply them. A listener that cannot (the port is taken) says why; then the old values are put back and the listeners
// that had already applied the new ones are called again. A refusing listener must have changed nothing.
//
// Nobody looks anything up here while commands run: whoever needs a value copies it at start and in its listener.

import { globMatch } from '../base/glob.ts'
import { sliceOf } from '../base/slice.ts'
import type { Name, Values } from './directives.ts'
import { type Files, systemErrorText } from './files.ts'
import { Refusal } from './grammar.ts'
import { rewriteText } from './rewrite.ts'
import type { Settings } from './settings.ts'
import { type Directive, find, table } from './table.ts'

/** Applies the new values of the directives it listens to. Returns null, or why it cannot and has not. */
export type Listener = () => string | null

export class Config {
  /** Absolute path of the file it was started with, null without one. */
  readonly file: string | null
  readonly #settings: Settings
  readonly #files: Files
  readonly #listeners: { readonly directives: ReadonlySet<Directive>; readonly apply: Listener }[] = []

  constructor(settings: Settings, file: string | null, files: Files) {
    this.file = file
    this.#settings = settings
    this.#files = files
  }

  get<K extends Name>(name: K): Values[K] {
    return this.#settings.get(table.get(name)!).value as Values[K]
  }

  /** Calls `apply` once after any of these has changed, however many of them did. In the order of registration. */
  onChange(names: readonly Name[], apply: Listener): void {
    this.#listeners.push({ directives: new Set(names.map((name) => table.get(name)!)), apply })
  }

  /** CONFIG GET: names and values, each once. A name without wildcards is answered as it was asked. */
  match(patterns: readonly string[]): [name: string, text: string][] {
    const found = new Map<string, [string, string]>()
    for (const pattern of patterns) {
      if (!/[*?[]/.test(pattern)) {
        const directive = find(pattern)
        const key = pattern.toLowerCase()
        if (directive !== undefined && !found.has(key)) found.set(key, [pattern, this.#settings.text(directive)])
        continue
      }
      const wanted = sliceOf(pattern)
      for (const [name, directive] of table) {
        if (!found.has(name) && globMatch(wanted, sliceOf(name), true)) {
          found.set(name, [name, this.#settings.text(directive)])
        }
      }
    }
    return [...found.values()]
  }

  /** CONFIG SET. Returns null, or the error's text without '-'. */
  set(pairs: readonly (readonly [name: string, text: string])[]): string | null {
    const wanted = new Map<Directive, { name: string; text: string }>()
    for (const [name, text] of pairs) {
      const directive = find(name)
      if (directive === undefined) {
        return `ERR Unknown option or number of arguments for CONFIG SET - '${harmless(name)}'`
      }
      const obstacle = wanted.has(directive) ? 'duplicate parameter' : this.#obstacle(directive)
      if (obstacle !== null) return refused(name, obstacle)
      wanted.set(directive, { name, text })
    }

    const settings = this.#settings
    const changes: { directive: Directive; name: string; value: unknown }[] = []
    for (const [directive, { name, text }] of wanted) {
      const value = settings.parse(directive, [text], false)
      if (value instanceof Refusal) return refused(name, value.text)
      changes.push({ directive, name, value })
    }

    const before = changes.map(({ directive }) => ({ directive, ...settings.get(directive) }))
    const changed = new Map<Directive, string>()
    for (const { directive, name, value } of changes) {
      if (directive.kind.text(value) !== settings.text(directive)) changed.set(directive, name)
      settings.put(directive, value, 'set')
    }
    return this.#apply(changed, () => {
      for (const { directive, value, origin } of before) settings.put(directive, value, origin)
    })
  }

  /** CONFIG REWRITE. Returns null, or the error's text without '-'. */
  rewrite(): string | null {
    if (this.file === null) return 'ERR The server is running without a config file'
    try {
      const text = rewriteText(this.#oldText(this.file), this.#settings, this.#files)
      if (text instanceof Refusal) return `ERR Rewriting config file: ${text.text}`
      this.#files.replace(this.file, text)
      return null
    } catch (error) {
      return `ERR Rewriting config file: ${systemErrorText(error)}`
    }
  }

  #oldText(path: string): string {
    try {
      return this.#files.read(path)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '' // removed meanwhile: made again
      throw error
    }
  }

  #obstacle(directive: Directive): string | null {
    if (directive.change === 'protected') return "can't set protected config"
    const heard = !directive.hasEffect || this.#listeners.some(({ directives }) => directives.has(directive))
    return directive.change === 'live' && heard ? null : "can't set immutable config"
  }

  #apply(changed: ReadonlyMap<Directive, string>, putBack: () => void): string | null {
    const applied: Listener[] = []
    for (const { directives, apply } of this.#listeners) {
      const cause = [...changed].find(([directive]) => directives.has(directive))
      if (cause === undefined) continue
      const refusal = apply()
      if (refusal !== null) {
        putBack()
        for (const again of applied.reverse()) again()
        return refused(cause[1], refusal)
      }
      applied.push(apply)
    }
    return null
  }
}

function refused(name: string, reason: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${harmless(name)}') - ${reason}`
}

/** What a client has sent, fit for an error text: printable, and not longer than anybody wants to read. */
function harmless(text: string): string {
  return text.slice(0, 128).replace(/[^ -~]/g, '?')
}
