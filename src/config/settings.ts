// Settings: a value for every directive, and where it came from. Sources are laid over each other in one order:
//
//   defaults < file (with its includes) < standard input < environment < command line < CONFIG SET
//
// The later one wins, except where a kind says that lines add to each other (save, client-output-buffer-limit).

import { assert } from '../base/assert.ts'
import { Refusal, splitWords } from './grammar.ts'
import { type Directive, table } from './table.ts'

export type Origin = 'default' | 'file' | 'stdin' | 'environment' | 'flags' | 'set'

interface Setting {
  value: unknown
  origin: Origin
}

export class Settings {
  readonly #settings = new Map<Directive, Setting>()

  constructor() {
    for (const directive of table.values()) {
      const words = splitWords(directive.default)
      assert(words !== null, `the default of ${directive.name} has balanced quotes`)
      // No value is in force yet: a default names all there is.
      const value = directive.kind.parse(words, undefined, true)
      assert(!(value instanceof Refusal), `the default of ${directive.name} is in its own range`)
      this.#settings.set(directive, { value, origin: 'default' })
    }
  }

  get(directive: Directive): Setting {
    const setting = this.#settings.get(directive)
    assert(setting !== undefined, `${directive.name} is in the table`)
    return setting
  }

  /** As CONFIG GET answers. */
  text(directive: Directive): string {
    return directive.kind.text(this.get(directive).value)
  }

  put(directive: Directive, value: unknown, origin: Origin): void {
    this.#settings.set(directive, { value, origin })
  }

  /** Reads the words and puts the value, or says why not. */
  assign(directive: Directive, words: readonly string[], origin: Origin): Refusal | null {
    const value = this.parse(directive, words, origin !== 'set')
    if (value instanceof Refusal) return value
    this.put(directive, value, origin)
    return null
  }

  parse(directive: Directive, words: readonly string[], loading: boolean): unknown {
    const { kind } = directive
    const isSplit = kind.arity === 'many' && words.length === 1 && !(loading && words[0] === '')
    const given = isSplit ? splitBlanks(words[0]!) : words
    return kind.parse(given, this.get(directive).value, loading)
  }
}

/** At each blank: two in a row have an empty word between them, as in Redis. */
function splitBlanks(word: string): string[] {
  return word === '' ? [] : word.split(' ')
}
