import fc from 'fast-check'
import { expect, test } from 'vitest'
import { quote, quoteIfNeeded, splitWords } from '../../src/config/grammar.ts'

const bytes = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) })

test.each([
  ['', []],
  ['  \t ', []],
  ['port 6379', ['port', '6379']],
  [' a\tb\r', ['a', 'b']],
  ['a "" b', ['a', '', 'b']],
  ['a "b c" \'d e\'', ['a', 'b c', 'd e']],
  ['"\\x41\\n\\r\\t\\b\\a\\q\\""', ['A\n\r\t\b\x07q"']],
  ['"\\xff\\xZZ"', ['\xffxZZ']],
  ["'it\\'s \\n'", ["it's \\n"]],
  ['a#b #c', ['a#b', '#c']],
  ['a"b c"', ['ab c']],
  ['"a', null],
  ["'a", null],
  ['"a\\"', null],
  ['"a"b', null],
  ["'a'b", null],
] as const)('words of %j', (line, words) => {
  expect(splitWords(line)).toEqual(words)
})

test('what is quoted is one word again, whatever its bytes, and the line stays one line', () => {
  fc.assert(
    fc.property(fc.array(bytes, { minLength: 1, maxLength: 4 }), (words) => {
      expect(splitWords(words.map(quote).join(' '))).toEqual(words)
      const line = words.map(quoteIfNeeded).join(' ')
      expect(splitWords(line)).toEqual(words)
      expect(line).toMatch(/^[ -~]*$/)
    }),
  )
})

test('any text is split or refused, never thrown at', () => {
  fc.assert(
    fc.property(bytes, (line) => {
      const words = splitWords(line)
      expect(words === null || Array.isArray(words)).toBe(true)
    }),
  )
})
