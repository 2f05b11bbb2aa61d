// Where a reply ends: for every reply the writer can write, at every cut, and for what nobody should send.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { INCOMPLETE, MALFORMED, replyEnd } from '../../src/resp/scan.ts'
import { parseReply } from '../harness/resp.ts'
import { latin1 } from './decode.ts'

const replies = [
  '+OK\r\n',
  '+\r\n',
  '-ERR x\r\n',
  ':-12\r\n',
  ':+12\r\n',
  '$-1\r\n',
  '$0\r\n\r\n',
  '$5\r\nab\r\nc\r\n',
  '*-1\r\n',
  '*0\r\n',
  '*2\r\n:1\r\n$1\r\na\r\n',
  '*2\r\n*2\r\n+a\r\n*0\r\n*1\r\n*1\r\n*0\r\n',
  '_\r\n',
  '#t\r\n',
  '#f\r\n',
  ',1.5e+10\r\n',
  ',-inf\r\n',
  '(-123456789012345678901234567890\r\n',
  '=7\r\ntxt:abc\r\n',
  '!3\r\nERR\r\n',
  '~2\r\n:1\r\n:2\r\n',
  '>3\r\n+message\r\n+a\r\n+b\r\n',
  '%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n',
  '|1\r\n+ttl\r\n:5\r\n$1\r\nx\r\n',
  '*1\r\n|1\r\n+a\r\n%1\r\n+b\r\n:1\r\n*1\r\n:1\r\n',
]

describe('whole replies', () => {
  for (const text of replies) {
    it(JSON.stringify(text), () => {
      const bytes = latin1(`##${text}:9\r\n`)
      const end = 2 + text.length
      expect(replyEnd(bytes, 2, bytes.length)).toBe(end)
      expect(replyEnd(bytes, 2, end)).toBe(end)
      for (let cut = 2; cut < end; cut++) expect(replyEnd(bytes, 2, cut), `cut at ${cut}`).toBe(INCOMPLETE)
    })
  }

  it('a million open arrays cost no stack', () => {
    const bytes = latin1('*1\r\n'.repeat(1_000_000))
    expect(replyEnd(bytes, 0, bytes.length)).toBe(INCOMPLETE)
    const closed = Buffer.concat([bytes, latin1(':1\r\n')])
    expect(replyEnd(closed, 0, closed.length)).toBe(closed.length)
  })
})

describe('what can never become a reply', () => {
  const malformed = [
    'PING\r\n',
    '\r\n',
    '+a\n',
    '+a\rb',
    ':\r\n',
    ':1x\r\n',
    ':-\r\n',
    '(1.5\r\n',
    '$x\r\n',
    '$-2\r\n',
    '$\r\n',
    '$1234567890123\r\n',
    '$1\r\nab\r\n',
    '$1\r\na\rx',
    '=-1\r\n',
    '*-2\r\n',
    '*1.5\r\n',
    '~-1\r\n',
    '%x\r\n',
    '*2\r\n:1\r\nx',
    '*999999999999\r\n',
    '*4000000000\r\n*4000000000\r\n',
    '_x\r\n',
    '#\r\n',
    '#x\r\n',
    '#tt\r\n',
  ]
  for (const text of malformed) {
    it(JSON.stringify(text), () => expect(replyEnd(latin1(text), 0, text.length)).toBe(MALFORMED))
  }
})

it('mutated replies: never a throw, never an end beyond the bytes, and the end the other reader finds', () => {
  fc.assert(
    fc.property(fc.constantFrom(...replies), fc.nat(), fc.nat({ max: 255 }), (text, where, byte) => {
      const bytes = latin1(text)
      bytes[where % bytes.length] = byte
      const end = replyEnd(bytes, 0, bytes.length)
      expect(end).toBeLessThanOrEqual(bytes.length)
      if (end < 0 || /[|!]|:\+/.test(bytes.toString('latin1'))) return // the other reader knows no attributes and no +1
      const other = parseReply(bytes)
      expect(other?.end).toBe(end)
    }),
    { numRuns: 5000 },
  )
})
