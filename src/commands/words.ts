// Option words in arguments: NX, MATCH, schedule. Compared in place, in any case, without making a string.
//
// An argument can be larger than any string may be (proto-max-bulk-len is 512 MB by default, V8's limit 24 bytes less), and a string of
// one takes time. So what is looked up or quoted becomes one only up to a length.

import type { Slice } from '../base/slice.ts'

/** Whether the argument is this word; `word` is given in upper case ASCII letters. */
export function isWord(argument: Slice, word: string): boolean {
  const { bytes, start } = argument
  if (argument.end - start !== word.length) return false
  for (let i = 0; i < word.length; i++) {
    const wanted = word.charCodeAt(i)
    const byte = bytes[start + i]!
    if (byte !== wanted && byte !== wanted + 32) return false
  }
  return true
}

/** Longer than the name of any command. */
const MAX_NAME_BYTES = 64
/** Of a client's bytes in an error text, as in Redis. */
export const QUOTED_BYTES = 128
/** What is logged of one, as in Redis. */
export const LOGGED_BYTES = 1024

/** The argument in upper case, to look a command up by; '' when no command's name is that long. */
export function nameOf(argument: Slice): string {
  return argument.length > MAX_NAME_BYTES ? '' : argument.key().toUpperCase()
}

/** The beginning of an argument, for an error text; the reply writer makes control characters harmless. */
export function quoted({ bytes, start, end }: Slice, most = QUOTED_BYTES): string {
  return bytes.toString('latin1', start, Math.min(end, start + most))
}
