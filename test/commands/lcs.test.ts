// LCS, held against the whole table and the way back through it as the file's essay tells it.

import { describe, expect, it } from 'vitest'
import { randomFrom } from '../harness/random.ts'
import { FakeClient } from './fakes.ts'

/** The subsequence, and its runs as [a0, a1, b0, b1], from the end. */
function slowly(a: string, b: string): { text: string; runs: number[][] } {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0))
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      table[i]![j] = a[i - 1] === b[j - 1] ? table[i - 1]![j - 1]! + 1 : Math.max(table[i - 1]![j]!, table[i]![j - 1]!)
    }
  }
  let [i, j, text] = [a.length, b.length, '']
  const runs: number[][] = []
  let wasSame = false
  while (i > 0 && j > 0) {
    const isSame = a[i - 1] === b[j - 1]
    if (isSame) {
      i--
      j--
      text = a[i] + text
      if (wasSame) runs[runs.length - 1] = [i, runs.at(-1)![1]!, j, runs.at(-1)![3]!]
      else runs.push([i, i, j, j])
    } else if (table[i - 1]![j]! > table[i]![j - 1]!) i--
    else j--
    wasSame = isSame
  }
  return { text, runs }
}

describe('LCS', () => {
  it('finds what the whole table finds', () => {
    const random = randomFrom(2)
    const word = (): string => Array.from({ length: random.below(25) }, () => random.pick(['a', 'b', 'c'])).join('')
    for (let n = 0; n < 500; n++) {
      const [a, b] = [word(), word()]
      const client = new FakeClient()
      client.run('MSET', 'a', a, 'b', b)
      const { text, runs } = slowly(a, b)
      expect(client.run('LCS', 'a', 'b')).toBe(`$${text.length}\r\n${text}\r\n`)
      expect(client.run('LCS', 'a', 'b', 'LEN')).toBe(`:${text.length}\r\n`)
      const long = runs.filter(([a0, a1]) => a1! - a0! + 1 >= 2)
      const matches = long.map(
        ([a0, a1, b0, b1]) => `*3\r\n*2\r\n:${a0}\r\n:${a1}\r\n*2\r\n:${b0}\r\n:${b1}\r\n:${a1! - a0! + 1}\r\n`,
      )
      expect(client.run('LCS', 'a', 'b', 'IDX', 'MINMATCHLEN', '2', 'WITHMATCHLEN')).toBe(
        `*4\r\n$7\r\nmatches\r\n*${matches.length}\r\n${matches.join('')}$3\r\nlen\r\n:${text.length}\r\n`,
      )
    }
  })

  it('long strings take several steps', () => {
    const client = new FakeClient()
    const [a, b] = ['abc'.repeat(700), 'cab'.repeat(900)]
    client.run('MSET', 'a', a, 'b', b)
    expect(client.run('LCS', 'a', 'b', 'LEN')).toBe(':2100\r\n')
    expect(client.steps).toBeGreaterThan(15)
    expect(client.run('LCS', 'b', 'a')).toBe(`$2100\r\n${slowly(b, a).text}\r\n`)
  })

  it('refuses what would take Redis more memory than proto-max-bulk-len', () => {
    const client = new FakeClient(undefined, { maxBulkBytes: 4 * 11 * 21 })
    client.run('MSET', 'a', 'x'.repeat(10), 'b', 'x'.repeat(20), 'c', 'x'.repeat(21))
    expect(client.run('LCS', 'a', 'b', 'LEN')).toBe(':10\r\n')
    expect(client.run('LCS', 'a', 'c', 'LEN')).toMatch(/^-ERR Insufficient memory/)
  })
})
