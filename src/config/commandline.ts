// The command line, by redis-server's own rules:
//
//   casky [file] [--directive value ...] [-]
//
// - the first argument is a file unless it begins with '-';
// - '-' alone, first or last, reads the configuration from standard input;
// - `--name a b` is the line `name "a" "b"`. What begins with '--' is a value when the option before it has none yet
//   (`--requirepass --odd`), else the next option;
// - `"--name value"` in one argument is that line as it stands: so it may hold quotes of its own;
// - `--save` followed by another option, or last, is `save ""`: programs that build a command line from an array do that;
// - `-v`, `--version`, `-h`, `--help` only as the first argument.

import { quote, splitWords } from './grammar.ts'

export type CommandLine =
  | { readonly kind: 'version' }
  | { readonly kind: 'help' }
  | { readonly kind: 'run'; readonly file: string | null; readonly stdin: boolean; readonly text: string }

/** Arguments without the program's own name. `text` is configuration text, one character a byte. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const first = argv[0]
  if (first === '-v' || first === '--version') return { kind: 'version' }
  if (first === '-h' || first === '--help') return { kind: 'help' }

  const named = first !== undefined && !first.startsWith('-')
  const args = named ? argv.slice(1) : argv
  const text = new OptionText()
  let stdin = false
  args.forEach((arg, i) => {
    const outermost = i === args.length - 1 || (i === 0 && !named)
    if (arg === '-' && outermost) stdin = true
    else text.add(toBytes(arg), args[i + 1])
  })
  return { kind: 'run', file: named && first !== '' ? first : null, stdin, text: text.toString() }
}

/** Options given as words (CASKY_EXTRA_FLAGS) as configuration text. */
export function optionText(args: readonly string[]): string {
  const text = new OptionText()
  args.forEach((arg, i) => {
    text.add(arg, args[i + 1])
  })
  return text.toString()
}

class OptionText {
  #text = ''
  #hasValue = true // of the option read last

  add(arg: string, next: string | undefined): void {
    if (!this.#hasValue || !arg.startsWith('--')) {
      this.#text += `${quote(arg)} `
      this.#hasValue = true
      return
    }
    if (this.#text !== '') this.#text += '\n'
    this.#text += `${arg.slice(2)} `
    this.#hasValue = splitWords(arg)?.length !== 1
    if (arg.toLowerCase() === '--save' && (next === undefined || next.startsWith('--'))) {
      this.#text += '""'
      this.#hasValue = true
    }
  }

  toString(): string {
    return this.#text
  }
}

/** Node has decoded the argument as UTF-8; this gives its bytes back, one character a byte. */
export function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

export const USAGE = `Usage: casky [/path/to/casky.conf] [options] [-]
       casky - (read config from stdin)
       casky -v or --version
       casky -h or --help

Examples:
       casky (run the server with the defaults)
       echo 'value-cache-size 1gb' | casky -
       casky /etc/casky/6379.conf
       casky --port 7777 --dir /var/lib/casky
       casky /etc/casky.conf --loglevel verbose -

Every directive of casky.conf is an option, and an environment variable:
       casky --merge-window 22-06
       CASKY_MERGE_WINDOW=22-06 casky
`
