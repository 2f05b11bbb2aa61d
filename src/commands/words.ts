// Option words in arguments: NX, MATCH, schedule. Compared in place, in any case, without making a string.

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
