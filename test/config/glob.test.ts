import fc from 'fast-check'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { globMatch } from '../../src/base/glob.ts'
import { Slice, sliceOf } from '../../src/base/slice.ts'
import { redisMissing, startRedis } from './real-redis.ts'

const matches = (pattern: string, text: string, ignoreCase = false): boolean =>
  globMatch(sliceOf(pattern), sliceOf(text), ignoreCase)

test.each([
  // pattern, text, whether it matches: redis-server's answers
  ['', '', true],
  ['', 'a', false],
  ['*', '', false],
  ['*', 'a', true],
  ['**', 'abc', true],
  ['a*', 'a', true],
  ['a***', 'a', true],
  ['*a', 'ba', true],
  ['*a', 'ab', false],
  ['a*c*e', 'abcde', true],
  ['a*c*e', 'abcdef', false],
  ['*ab', 'aab', true],
  ['*aab*', 'aaaab', true],
  ['?', 'a', true],
  ['?', '', false],
  ['a?c', 'abc', true],
  ['a?c', 'ac', false],
  ['h[ae]llo', 'hallo', true],
  ['h[ae]llo', 'hillo', false],
  ['h[^e]llo', 'hallo', true],
  ['h[^e]llo', 'hello', false],
  ['[a-c]x', 'bx', true],
  ['[c-a]x', 'bx', true],
  ['[a-c]x', 'dx', false],
  ['[]a', 'a', false],
  ['[^]a', 'xa', true],
  ['[abc', 'b', true],
  ['[abc', 'bc', false],
  ['[', '[', false],
  ['[^', 'x', true],
  ['[a-]', 'a', true],
  ['[a-]', '-', false],
  ['[a-]*', 'a*', false],
  ['[a-', 'a', true],
  ['[a-', '-', true],
  ['[\\]]', ']', true],
  ['[\\a-z]', '-', true],
  ['[\\a-z]', 'b', false],
  ['[!a]', '!', true],
  ['\\*', '*', true],
  ['\\*', 'a', false],
  ['a\\', 'a\\', true],
  ['\\a', 'a', true],
  ['a\\?', 'ab', false],
  ['\xff?', '\xff\x00', true],
] as const)('%j and %j: %s', (pattern, text, expected) => {
  expect(matches(pattern, text)).toBe(expected)
})

test('case folds ASCII letters, in classes too, except escaped ones there', () => {
  expect(matches('aB*', 'AbX', true)).toBe(true)
  expect(matches('aB*', 'AbX')).toBe(false)
  expect(matches('[a-c]', 'B', true)).toBe(true)
  expect(matches('[^B]', 'b', true)).toBe(false)
  expect(matches('\\A', 'a', true)).toBe(true)
  expect(matches('[\\a]', 'A', true)).toBe(false)
  expect(matches('\xc0', '\xe0', true)).toBe(false)
})

test('slices: what lies around pattern and text is not looked at', () => {
  const bytes = Buffer.from('xx[ab]yyabzz', 'latin1')
  expect(globMatch(new Slice(bytes, 2, 5), new Slice(bytes, 8, 9))).toBe(true) // '[ab' and 'a'
  expect(globMatch(new Slice(bytes, 2, 3), new Slice(bytes, 8, 9))).toBe(false) // '[' and 'a'
  expect(globMatch(new Slice(bytes, 0, 2), new Slice(bytes, 0, 3))).toBe(false)
})

// A model for patterns of literals, '?' and '*': the definition, with recursion.
function model(pattern: string, text: string): boolean {
  if (pattern === '') return text === ''
  if (pattern[0] === '*') return model(pattern.slice(1), text) || (text !== '' && model(pattern, text.slice(1)))
  return text !== '' && (pattern[0] === '?' || pattern[0] === text[0]) && model(pattern.slice(1), text.slice(1))
}

test('agrees with the definition of stars and question marks', () => {
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 })
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 10 })
  fc.assert(
    fc.property(pattern, text, (pattern, text) => {
      expect(matches(pattern, text)).toBe(model(pattern, text))
    }),
    { numRuns: 2000 },
  )
})

describe('hostile patterns end (a match without a bound would take hours)', () => {
  const MIB = 1024 * 1024
  test.each([
    ['a mebibyte of stars', '*'.repeat(MIB), 'a'.repeat(MIB), true],
    ['a star and much that nearly fits', `*${'a'.repeat(MIB / 2)}b`, 'a'.repeat(MIB), false],
    ['many stars', `${'*a'.repeat(MIB / 2)}b`, 'a'.repeat(MIB), false],
    ['a class that never closes', `*[${'b'.repeat(MIB)}`, 'a'.repeat(MIB), false],
    ['a plain text', 'a'.repeat(MIB), 'a'.repeat(MIB), true],
  ])('%s', (_, pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected)
  })

  test('any pattern over any text, repeated to the size of a key', () => {
    const part = fc.string({
      unit: fc.constantFrom('a', '*', '?', '[', ']', '^', '-', '\\'),
      minLength: 1,
      maxLength: 6,
    })
    fc.assert(
      fc.property(part, part, fc.constantFrom('a', 'ab', '*'), (head, part, text) => {
        matches(head + part.repeat(20_000), text.repeat(100_000))
      }),
      { numRuns: 200 },
    )
  })
})

describe.skipIf(redisMissing)('against redis-server', () => {
  test('KEYS gives the same for random patterns over a fixed set of keys', async () => {
    const server = await startRedis()
    const client = new Redis({ path: server.socket })
    try {
      const keys = [
        '',
        'a',
        'b',
        'ab',
        'abc',
        'a]',
        '[',
        ']',
        '\\',
        'a\\',
        '-',
        'a-c',
        '^',
        '*',
        'a*c',
        '?',
        'aab',
        'A',
        'z',
        '[a]',
      ]
      await client.mset(keys.flatMap((key) => [key, 'v']))
      const patterns = fc.sample(
        fc.string({
          unit: fc.constantFrom('a', 'b', 'c', '*', '?', '[', ']', '^', '-', '\\'),
          minLength: 1,
          maxLength: 7,
        }),
        { numRuns: 3000, seed: 7 },
      )
      const pipeline = client.pipeline()
      for (const pattern of patterns) pipeline.keys(pattern)
      const answers = (await pipeline.exec())!
      patterns.forEach((pattern, i) => {
        if (pattern === '*') return // KEYS treats a lone star apart
        const expected = (answers[i]![1] as string[]).sort()
        expect(keys.filter((key) => matches(pattern, key)).sort(), pattern).toEqual(expected)
      })
    } finally {
      client.disconnect()
      await server.stop()
    }
  })
})
