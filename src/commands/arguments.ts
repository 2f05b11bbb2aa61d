// A short notation for the arguments of a command, and its reader. COMMAND DOCS tells them as trees; syntax.ts writes them so:
//
//   key value             two strings
//   count:int             of another type: int, float, time, pattern; key0 is a key, of key specification 0
//   EX seconds:int        a word before it that must be there
//   NX                    only a word (in capitals)
//   [...]                 optional
//   name...               several times; with '...+' the word before it each time too
//   name<a | b>           one of these
//   name(a b)             these together
//   ...@7.0.0 ...!2.8.12  since, deprecated since
//
// It is read when a client asks, once for each command.

export interface Argument {
  readonly name: string
  readonly type: string
  /** Which of the command's key specifications finds it; null when it is no key of one. */
  readonly keySpecification: number | null
  readonly token: string | null
  readonly since: string | null
  readonly deprecatedSince: string | null
  readonly flags: readonly string[]
  readonly arguments: readonly Argument[]
}

const TYPES: Readonly<Record<string, string>> = {
  int: 'integer',
  float: 'double',
  time: 'unix-time',
  pattern: 'pattern',
  key: 'key',
}

/** Reads the notation. Throws where it is not understood: our mistake. */
export function readArguments(text: string): Argument[] {
  const reader = new Reader(text)
  const list = reader.list()
  if (!reader.isAtEnd) throw new Error(`arguments that cannot be read: ${text}`)
  return list
}

const WORD = /[^\s[\]<>()|]+/y
const WORD_PARTS = /^(.*?)(?::(int|float|time|pattern|key)(\d*))?$/
const SUFFIX = /(\.\.\.\+?)?(?:@([\d.]+))?(?:!([\d.]+))?/y

class Reader {
  private at = 0
  private readonly text: string

  constructor(text: string) {
    this.text = text
  }

  get isAtEnd(): boolean {
    return this.at === this.text.length
  }

  list(): Argument[] {
    const list: Argument[] = []
    for (;;) {
      this.blanks()
      if (this.isAtEnd || ']>)|'.includes(this.text[this.at]!)) return list
      list.push(this.one())
    }
  }

  private one(): Argument {
    if (this.skip('[')) {
      const inner = this.one()
      this.expect(']')
      return { ...inner, flags: ['optional', ...inner.flags] }
    }
    const word = this.word()
    if (!isToken(word)) return this.named(word, null)
    this.blanks()
    const next = this.peekWord()
    if (next === '' || isToken(next)) return this.suffixed(word, 'pure-token', null, word, [])
    return this.named(this.word(), word)
  }

  /** What has a name: a value, a choice, a block. */
  private named(word: string, token: string | null): Argument {
    if (this.skip('<')) {
      const choices = this.list()
      while (this.skip('|')) choices.push(...this.list())
      this.expect('>')
      return this.suffixed(word, 'oneof', null, token, choices)
    }
    if (this.skip('(')) {
      const parts = this.list()
      this.expect(')')
      return this.suffixed(word, 'block', null, token, parts)
    }
    const [, name = word, type, number = ''] = WORD_PARTS.exec(word)!
    const specification = number === '' ? null : Number(number)
    return this.suffixed(name, type === undefined ? 'string' : TYPES[type]!, specification, token, [])
  }

  private suffixed(
    name: string,
    type: string,
    keySpecification: number | null,
    token: string | null,
    parts: readonly Argument[],
  ): Argument {
    SUFFIX.lastIndex = this.at
    const [all = '', several, since, deprecatedSince] = SUFFIX.exec(this.text) ?? []
    this.at += all.length
    const flags: string[] = []
    if (several !== undefined) flags.push('multiple')
    if (several === '...+') flags.push('multiple_token')
    return {
      name: type === 'pure-token' ? name.toLowerCase() : name,
      type,
      keySpecification,
      token,
      since: since ?? null,
      deprecatedSince: deprecatedSince ?? null,
      flags,
      arguments: parts,
    }
  }

  /** A word without its suffix. */
  private word(): string {
    const word = this.peekWord()
    if (word === '') throw new Error(`a name is missing at ${this.at}: ${this.text}`)
    this.at += word.length
    return word
  }

  private peekWord(): string {
    WORD.lastIndex = this.at
    const word = WORD.exec(this.text)?.[0] ?? ''
    return word.replace(/(\.\.\.\+?)?(@[\d.]+)?(![\d.]+)?$/, '')
  }

  private blanks(): void {
    while (this.text[this.at] === ' ') this.at++
  }

  private skip(mark: string): boolean {
    if (this.text[this.at] !== mark) return false
    this.at++
    return true
  }

  private expect(mark: string): void {
    if (!this.skip(mark)) throw new Error(`'${mark}' is missing at ${this.at}: ${this.text}`)
  }
}

function isToken(word: string): boolean {
  return /^[A-Z][A-Z0-9-]*$/.test(word)
}
