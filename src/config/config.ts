// The configuration while the server runs: typed values, CONFIG GET, SET and REWRITE.
//
// CONFIG SET is all or nothing. First every name is looked up, then every value is read, then all are put, then those who
// listen apply them. A listener that cannot (the port is taken) says why; then the old values are put back and the listeners
// that had already applied the new ones are called again. A refusing listener must have changed nothing.
//
// A listener may take its time (a port to listen on is not had at once). Then so does CONFIG SET, and those that come meanwhile
// are done after it, one by one.
//
// Nobody looks anything up here while commands run: whoever needs a value copies it at start and in its listener.

import { globMatch } from '../base/glob.ts'
import { sliceOf } from '../base/slice.ts'
import type { Name, Values } from './directives.ts'
import { type Files, systemErrorText } from './files.ts'
import { Refusal } from './grammar.ts'
import { rewriteText } from './rewrite.ts'
import { Settings } from './settings.ts'
import { type Directive, find, table } from './table.ts'

/** Applies the new values of the directives it listens to. Null, or why it cannot and has not. */
export type Listener = () => string | null | Promise<string | null>

/** Null when all is set, else the error's text without '-'. */
export type Outcome = string | null | Promise<string | null>

interface Follower {
  readonly directives: ReadonlySet<Directive>
  readonly apply: Listener
  readonly takesTime: boolean
}

/** The table's names as patterns see them: a request may have a great many patterns. */
const named = [...table].map(([name, directive]) => ({ name, slice: sliceOf(name), directive }))

export class Config {
  /** Absolute path of the file it was started with, null without one. */
  readonly file: string | null
  readonly #settings: Settings
  readonly #files: Files
  readonly #listeners: Follower[] = []
  /** The CONFIG SET that takes its time, and those behind it. */
  #busy: Promise<string | null> | null = null

  constructor(settings: Settings, file: string | null, files: Files) {
    this.file = file
    this.#settings = settings
    this.#files = files
  }

  get<K extends Name>(name: K): Values[K] {
    return this.#settings.get(table.get(name)!).value as Values[K]
  }

  /** Calls `apply` once after any of these has changed, however many of them did. In the order of registration. */
  onChange(names: readonly Name[], apply: () => string | null): void {
    this.#follow(names, apply, false)
  }

  /** The same, for what cannot be done at once. */
  onChangeLater(names: readonly Name[], apply: () => Promise<string | null>): void {
    this.#follow(names, apply, true)
  }

  #follow(names: readonly Name[], apply: Listener, takesTime: boolean): void {
    this.#listeners.push({ directives: new Set(names.map((name) => table.get(name)!)), apply, takesTime })
  }

  /** Whether setting this may give a promise. */
  takesTime(name: string): boolean {
    if (this.#busy !== null) return true // it waits for its turn
    const directive = find(name)
    return directive !== undefined && this.#listeners.some((it) => it.takesTime && it.directives.has(directive))
  }

  /** Names of directives that somebody has set, other than by default, and that nobody follows here (inert.ts). */
  meaningless(): string[] {
    const defaults = new Settings()
    const idle = [...new Set(table.values())].filter((it) => !it.hasEffect)
    return idle.filter((it) => this.#settings.text(it) !== defaults.text(it)).map(({ name }) => name)
  }

  /** Accepted, kept, and nobody follows it. */
  isMeaningless(name: string): boolean {
    return find(name)?.hasEffect === false
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
      for (const { name, slice, directive } of named) {
        if (!found.has(name) && globMatch(wanted, slice, true)) {
          found.set(name, [name, this.#settings.text(directive)])
        }
      }
    }
    return [...found.values()]
  }

  /** CONFIG SET. */
  set(pairs: readonly (readonly [name: string, text: string])[]): Outcome {
    const outcome = this.#busy === null ? this.#set(pairs) : this.#busy.then(() => this.#set(pairs))
    if (outcome instanceof Promise) {
      this.#busy = outcome
      void outcome.then(() => {
        if (this.#busy === outcome) this.#busy = null
      })
    }
    return outcome
  }

  #set(pairs: readonly (readonly [name: string, text: string])[]): Outcome {
    const wanted = new Map<string, { directive: Directive; name: string; text: string }>()
    for (const [name, text] of pairs) {
      const directive = find(name)
      if (directive === undefined) {
        return `ERR Unknown option or number of arguments for CONFIG SET - '${harmless(name)}'`
      }
      // Under its two names a directive may be set twice, as in Redis; then the last one holds.
      const obstacle = wanted.has(name.toLowerCase()) ? 'duplicate parameter' : this.#obstacle(directive)
      if (obstacle !== null) return refused(name, obstacle)
      wanted.set(name.toLowerCase(), { directive, name, text })
    }

    const settings = this.#settings
    const changes: { directive: Directive; name: string; value: unknown }[] = []
    for (const { directive, name, text } of wanted.values()) {
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

  #apply(changed: ReadonlyMap<Directive, string>, putBack: () => void): Outcome {
    const concerned: { apply: Listener; name: string }[] = []
    for (const { directives, apply } of this.#listeners) {
      const cause = [...changed].find(([directive]) => directives.has(directive))
      if (cause !== undefined) concerned.push({ apply, name: cause[1] })
    }
    const undo = (at: number): Outcome => {
      putBack()
      const again = concerned.slice(0, at).reverse()
      return inTurn(again.map(({ apply }) => apply))
    }
    const from = (at: number): Outcome => {
      const next = concerned[at]
      if (next === undefined) return null
      return then(next.apply(), (refusal) =>
        refusal === null ? from(at + 1) : then(undo(at), () => refused(next.name, refusal)),
      )
    }
    return from(0)
  }
}

function inTurn(steps: readonly Listener[]): Outcome {
  const [first, ...rest] = steps
  return first === undefined ? null : then(first(), () => inTurn(rest))
}

/** At once where that is possible, so that CONFIG SET in a transaction has its reply in its place. */
function then(outcome: Outcome, next: (refusal: string | null) => Outcome): Outcome {
  return outcome instanceof Promise ? outcome.then(next) : next(outcome)
}

function refused(name: string, reason: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${harmless(name)}') - ${reason}`
}

/** What a client has sent, as Redis puts it into an error: up to a zero byte, on one line. */
function harmless(text: string): string {
  return text.replace(/\0.*/s, '').replace(/[\r\n]/g, ' ')
}
