// The notation in which grammar.ts says what a command's arguments look like:
//
//   key value            kinds of words (words.ts), in lower case
//   MATCH                the word itself, in any case
//   "default"            the word itself, as it is
//   [A|B key]            one of these, or nothing
//   (A|B)                one of these
//   x...                 once to five times, often once
//   (key value)...       the same for several
//
// Optional groups that stand side by side come in any order, because order is where option parsers differ.

import type { Random } from '../harness/random.ts'
import { kinds } from './words.ts'

export type Shape = (random: Random) => string[]

/** Reads the notation. Throws on what it does not understand. */
export function shape(text: string): Shape {
  const tokens = text.match(/\.\.\.|[[\]()|]|(?:(?!\.\.\.)[^\s[\]()|])+/g) ?? []
  let at = 0

  function sequence(): Shape {
    const items: Array<{ readonly make: Shape; readonly optional: boolean }> = []
    while (at < tokens.length && !/^[\])|]$/.test(tokens[at]!)) {
      const optional = tokens[at] === '['
      let make = item()
      if (tokens[at] === '...') {
        at++
        make = repeated(make)
      }
      items.push({ make, optional })
    }
    return (random) => {
      const order = [...items]
      for (let i = 1; i < order.length; i++) {
        if (order[i]!.optional && order[i - 1]!.optional && random.chance(0.3)) {
          ;[order[i - 1], order[i]] = [order[i]!, order[i - 1]!]
        }
      }
      return order.flatMap(({ make }) => make(random))
    }
  }

  function item(): Shape {
    const token = tokens[at++]!
    if (token === '[' || token === '(') {
      const choices = [sequence()]
      while (tokens[at] === '|') {
        at++
        choices.push(sequence())
      }
      if (tokens[at++] !== (token === '[' ? ']' : ')')) throw new Error(`an open bracket: ${text}`)
      const must = token === '('
      return (random) => (must || random.chance(0.4) ? random.pick(choices)(random) : [])
    }
    if (/^[a-z]+$/.test(token)) {
      const kind = kinds[token]
      if (kind === undefined) throw new Error(`no kind of word is called ${token}: ${text}`)
      return (random) => [kind(random)]
    }
    if (token.startsWith('"')) return () => [token.slice(1, -1)]
    return (random) => [inSomeCase(token, random)]
  }

  const whole = sequence()
  if (at < tokens.length) throw new Error(`a bracket too many: ${text}`)
  return whole
}

function repeated(make: Shape): Shape {
  return (random) => {
    const times = random.chance(0.5) ? 1 : random.between(1, 5)
    return Array.from({ length: times }, () => make(random)).flat()
  }
}

/** Commands and options are the same in any case. */
export function inSomeCase(word: string, random: Random): string {
  if (random.chance(0.7)) return word
  if (random.chance(0.5)) return word.toLowerCase()
  return [...word].map((letter) => (random.chance(0.5) ? letter.toLowerCase() : letter)).join('')
}
