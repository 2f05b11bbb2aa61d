// What normalisers drop must not be what a client relies on: each is shown two answers that differ in something it has to see, and two
// that differ in what is each server's own.

import { describe, expect, it } from 'vitest'
import { parseReply } from '../harness/resp.ts'
import { normalisers } from './normalise.ts'

/** What a normaliser makes of a reply, given as text with \r\n for line ends where bulk strings need no lengths: `$text`. */
function made(normaliser: string, lines: string): string {
  const raw = Buffer.from(
    lines
      .trim()
      .split(/\s+/)
      .map((it) => (it.startsWith('$') ? `$${it.length - 1}\r\n${it.slice(1)}\r\n` : `${it}\r\n`))
      .join(''),
    'latin1',
  )
  return normalisers[normaliser]!(parseReply(raw)!.value, raw)
}

const row = (flags: string, keys = '*0', rows = '*0'): string =>
  `*1 *10 $get :2 ${flags} :1 :1 :1 *1 +@read *0 ${keys} ${rows}`
const key = (notes: string): string => `*1 *${notes === '' ? 2 : 4} ${notes} $flags *1 +RO`

describe('described', () => {
  it.each([
    ['a flag', row('*1 +write'), row('*1 +readonly')],
    ['the type of the flags', row('*1 +write'), row('~1 +write')],
    ['a key specification', row('*0', key('')), row('*0', '*0')],
    ['a subcommand', row('*0', '*0', row('*0').replace('*1 *10 $get', '*1 *10 $get|x')), row('*0')],
  ])('sees %s', (_, a, b) => expect(made('described', a)).not.toBe(made('described', b)))

  it('does not see the order of flags, flags of what Casky has not, and remarks on keys', () => {
    expect(made('described', row('*2 +write +fast'))).toBe(made('described', row('*3 +fast +allow_busy +write')))
    expect(made('described', row('*0', key('$notes $words')))).toBe(made('described', row('*0', key(''))))
  })
})

describe('documented', () => {
  const docs = (summary: string, rest: string): string => `*2 $get *${summary === '' ? 4 : 6} ${summary} ${rest}`
  const rest = (name: string, version = '$1.0'): string =>
    `$history *1 *2 ${version} $words $arguments *1 *2 $name ${name}`

  it.each([
    ['an argument', docs('', rest('$key')), docs('', rest('$value'))],
    ['a version', docs('', rest('$key', '$1.0')), docs('', rest('$key', '$2.0'))],
    ['a missing summary', docs('$summary $words', rest('$key')), docs('', rest('$key'))],
  ])('sees %s', (_, a, b) => expect(made('documented', a)).not.toBe(made('documented', b)))

  it('does not see words for people', () => {
    expect(made('documented', docs('$summary $one', rest('$key')))).toBe(
      made('documented', docs('$summary $another', rest('$key').replace('$words', '$phrases'))),
    )
  })
})

describe('slowlog', () => {
  const entry = (args: string, name = '$me', micros = ':5'): string =>
    `*1 *6 :1 :1700000000 ${micros} ${args} $1.2.3.4:5 ${name}`

  it.each([
    ['an argument', entry('*1 $GET'), entry('*1 $SET')],
    ['a name', entry('*1 $GET'), entry('*1 $GET', '$you')],
    ['a time that is no number', entry('*1 $GET'), entry('*1 $GET', '$me', '$5')],
  ])('sees %s', (_, a, b) => expect(made('slowlog', a)).not.toBe(made('slowlog', b)))

  it('does not see how long it took', () => {
    expect(made('slowlog', entry('*1 $GET', '$me', ':7'))).toBe(made('slowlog', entry('*1 $GET')))
  })
})

describe('histogram', () => {
  const calls = (count: number, buckets: string): string => `*2 $get *4 $calls :${count} $histogram_usec ${buckets}`

  it('sees calls, and that the last bucket holds them all', () => {
    expect(made('histogram', calls(2, '*2 :16 :2'))).not.toBe(made('histogram', calls(3, '*2 :16 :3')))
    expect(made('histogram', calls(2, '*2 :16 :2'))).not.toBe(made('histogram', calls(2, '*2 :16 :1')))
    expect(made('histogram', calls(2, '*2 :16 :2'))).toBe(made('histogram', calls(2, '*4 :8 :1 :33 :2')))
  })
})

describe('listed', () => {
  const list = (line: string): string => normalisers['listed']!(Buffer.from(line), Buffer.from(`$1\r\n`))

  it('sees names, order and what they share; not what is their own', () => {
    expect(list('id=1 flags=N cmd=get\n')).not.toBe(list('id=1 flags=x cmd=get\n'))
    expect(list('id=1 flags=N cmd=get\n')).not.toBe(list('flags=N id=1 cmd=get\n'))
    expect(list('id=1 flags=N cmd=get\n')).not.toBe(list('flags=N cmd=get\n'))
    expect(list('id=1 flags=N cmd=get\n')).toBe(list('id=22 flags=N cmd=get lib-name=x\n'))
  })
})
