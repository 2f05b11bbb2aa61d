// Seeded lines of the commands on keys, for surface-1-keys.ts.

import type { Random } from '../harness/random.ts'

const NAMES = ['a', 'b', 'c', 'd', 'e', '\xff\x00', '']
const MOMENTS = [
  '33177117420',
  '33177117421',
  '33177117422',
  '1',
  '0',
  '-5',
  'x',
  '9223372036854775807',
  '9223372036854775808',
]
const VALUES = [
  '',
  '0',
  '127',
  '-129',
  '40000',
  '99999',
  '2147483648',
  'hello',
  '\x00\xff',
  '0123456789abcdefghij',
  '1.5',
  '007',
]
const PAYLOADS = [
  '\x00\x05hello\x0a\x00cr\xdfve4 \x0a',
  '\x00\xc0\x80\x0a\x00\x99f2m/\x0c[\xd9',
  '\x00\xc2\xff\xff\xff\x7f\x0a\x00,t\xe5\x9e\xe0.\xad\xa1',
  '\x00\x00\x0a\x00]\x9b\\@\x0f\x7f\xa2\xda',
  'junk',
]

/** Moments are absolute and far, so that both servers answer the same at any time. */
export function line(random: Random): string[] {
  const key = (): string => random.pick(NAMES)
  switch (random.below(24)) {
    case 0:
    case 1:
    case 2:
      return ['SET', key(), random.pick(VALUES)]
    case 3:
      return [
        'SET',
        key(),
        random.pick(VALUES),
        'PXAT',
        `${random.pick(['33177117420', '33177117421'])}${random.between(100, 999)}`,
      ]
    case 4:
      return ['RENAME', key(), key()]
    case 5:
      return ['RENAMENX', key(), key()]
    case 6:
      return random.chance(0.5)
        ? ['COPY', key(), key()]
        : ['COPY', key(), key(), 'REPLACE', 'DB', random.pick(['0', '1', '2', '16'])]
    case 7:
      return ['MOVE', key(), random.pick(['0', '1', '2', '-1', 'x'])]
    case 8:
      return ['TOUCH', key(), key(), key()]
    case 9:
    case 10: {
      const conditions = random.chance(0.5) ? [] : [random.pick(['NX', 'XX', 'GT', 'LT', 'gt', 'BOGUS'])]
      if (random.chance(0.2)) conditions.push(random.pick(['NX', 'XX', 'GT', 'LT']))
      return [random.pick(['EXPIREAT', 'PEXPIREAT']), key(), random.pick(MOMENTS.slice(0, 7)), ...conditions]
    }
    case 11:
      return [
        random.pick(['EXPIRE', 'PEXPIRE']),
        key(),
        random.pick(['0', '-1', 'x', '', '9223372036854775807', '-9223372036854775808']),
      ]
    case 12:
      return [random.pick(['EXPIRETIME', 'PEXPIRETIME', 'PERSIST', 'TYPE']), key()]
    case 13:
      return ['OBJECT', random.pick(['ENCODING', 'FREQ']), key()]
    case 14:
    case 15:
      return ['DUMP', key()]
    case 16:
    case 17: {
      const options = random.chance(0.5) ? ['REPLACE'] : []
      if (random.chance(0.3)) options.push(random.pick(['ABSTTL', 'IDLETIME', 'FREQ', '5', 'BOGUS']))
      const isAbsolute = options.includes('ABSTTL')
      const times = isAbsolute ? ['0', '33177117420000', '1', 'x', '-1'] : ['0', '0', 'x', '-1']
      return ['RESTORE', key(), random.pick(times), random.pick(PAYLOADS), ...options]
    }
    case 18:
      return ['DEL', key(), key()]
    case 19:
      return ['EXISTS', key(), key(), key()]
    case 20:
      return random.pick([['DBSIZE'], ['SELECT', '1'], ['SELECT', '0'], ['SELECT', '2'], ['SWAPDB', '0', '1']])
    case 21:
      return [
        'GETEX',
        key(),
        random.pick(['PERSIST', 'PXAT', 'BOGUS']),
        ...(random.chance(0.5) ? ['33177117420500'] : []),
      ]
    case 22:
      return random.pick([
        ['WAIT', '0', '0'],
        ['WAIT', 'x', '0'],
        ['ROLE'],
        ['MODULE', 'LIST'],
        ['SCRIPT', 'EXISTS', 'a'],
        ['CLUSTER', 'INFO'],
      ])
    default:
      return ['GET', key()]
  }
}

/** Up to so many characters of an alphabet. */
export function text(random: Random, alphabet: string, longest: number): string {
  return Array.from({ length: random.below(longest + 1) }, () => random.pick([...alphabet])).join('')
}
