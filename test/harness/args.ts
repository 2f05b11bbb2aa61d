// Arguments as a decoder would give them.

import { Args } from '../../src/resp/args.ts'

/** Of texts (latin1) or bytes; all in one buffer, as those of a command are. */
export function argsOf(...values: readonly (string | Buffer)[]): Args {
  const args = new Args()
  const bytes = Buffer.concat(values.map((value) => (typeof value === 'string' ? Buffer.from(value, 'latin1') : value)))
  let at = 0
  for (const { length } of values) args.push(bytes, at, (at += length))
  return args
}
