// The suite's own tests: a judge that cannot find a fault is no judge.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { skipWithout } from '../harness/programs.ts'
import { type Server, startServer } from '../harness/server.ts'
import { compare } from './compare.ts'
import type { Difference } from './differences.ts'
import { families } from './families.ts'
import { normalisers } from './normalise.ts'
import { play } from './play.ts'
import { family, splitWords } from './script.ts'

const words = (line: string): string[] => splitWords(line).map((word) => word.toString('latin1'))

describe('the language of the cases', () => {
  it('splits words as redis-cli does', () => {
    expect(words(String.raw`SET "a b" 'c\'d' "\x00\n\"" {x*3} a"b"`)).toEqual([
      'SET',
      'a b',
      "c'd",
      '\x00\n"',
      'xxx',
      'ab',
    ])
    expect(words('SET ""')).toEqual(['SET', ''])
    expect(() => splitWords('SET "a')).toThrow('open quote')
  })

  it('refuses what says nothing', () => {
    expect(() => family('f', 'GET k')).toThrow('before the first case')
    expect(() => family('f', '# a\n# b\nGET k')).toThrow('no steps')
    expect(() => family('f', '# a\nGET k\n# a\nGET k')).toThrow('one title')
  })

  it('knows every normaliser its cases name', () => {
    const own = new Set([
      'silent',
      'closed',
      'raw',
      'until',
      'scan',
      'all',
      'heard',
      'unordered',
      'ids',
      'monitor',
      'blocked',
    ])
    for (const { cases } of families) {
      for (const step of cases.flatMap((one) => one.steps)) {
        const tag = step.tag?.split(' ')[0]
        if (tag !== undefined && !own.has(tag)) expect(normalisers).toHaveProperty(tag)
      }
    }
  })
})

describe('the comparison', () => {
  const one = family('f', '# t\nGET k').cases[0]!
  const row: Difference = { family: 'f', title: 't', line: 'GET k', redis: 'r', casky: 'c', why: 'a test' }

  it('finds a difference without a row, a row without a difference, and a row that is wrong', () => {
    expect(compare(one, 2, ['x'], ['x'], []).problems).toEqual([])
    expect(compare(one, 2, ['x'], ['y'], []).problems).toHaveLength(1)
    expect(compare(one, 2, ['c'], ['r'], [row])).toEqual({ problems: [], used: [row] })
    expect(compare(one, 2, ['r'], ['r'], [row]).problems[0]).toContain('no difference any more')
    expect(compare(one, 2, ['c'], ['z'], [row]).problems[0]).toContain('redis-server, by its row')
    expect(compare(one, 2, ['z'], ['r'], [row]).problems[0]).toContain('Casky, by its row')
    expect(compare(one, 3, ['c'], ['r'], [{ ...row, in: 2 }]).problems).toHaveLength(1)
  })
})

describe.skipIf(skipWithout('redis-server'))('redis-server against redis-server', () => {
  let left: Server
  let right: Server
  beforeAll(async () => {
    ;[left, right] = await Promise.all([startServer('redis'), startServer('redis')])
  })
  afterAll(async () => {
    await Promise.all([left?.stop(), right?.stop()])
  })

  // What differs between two servers of one kind is chance, and a case that compares chance is a flaky one.
  const open = families.filter((one) => one.password === undefined)
  it.each(open.map((one) => [one.name, one] as const))('%s: no case compares chance', async (_, { cases }) => {
    for (const one of cases) {
      const [a, b] = await Promise.all([play(one, left, 3), play(one, right, 3)])
      expect(compare(one, 3, a, b, []).problems, one.title).toEqual([])
    }
  })

  it('a server that answers otherwise is found', async () => {
    const [one] = family('f', '# t\nSET k v\nGET k').cases
    const other = family('f', '# t\nSET k v\nSTRLEN k').cases[0]!
    const [a, b] = await Promise.all([play(one!, left, 2), play(other, right, 2)])
    expect(compare(one!, 2, a, b, []).problems).toHaveLength(1)
  })
})
