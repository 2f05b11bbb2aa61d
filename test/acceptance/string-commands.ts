// Seeded command lines for strings, bitmaps and HyperLogLogs: what clients send, what they send by mistake, and what lies at the edges.
// Each generator works on few keys, so that commands meet each other's results.

import type { Random } from '../harness/random.ts'

export type Line = readonly (string | Buffer)[]
export type Generator = (random: Random) => Line

const key = (random: Random): string => random.pick(['a', 'b', 'c', 'd', 'missing'])

function bytes(random: Random, most: number): Buffer {
  const length = random.below(most + 1)
  const kind = random.below(4)
  if (kind === 0) return Buffer.alloc(length, random.pick([0, 255, 1, 128]))
  return Buffer.from(Array.from({ length }, () => (kind === 1 ? random.pick([0, 255, 0, 0, 4]) : random.below(256))))
}

const digits = (random: Random, n: number): string => Array.from({ length: n }, () => random.below(10)).join('')
const hex = (random: Random, n: number): string =>
  Array.from({ length: n }, () => random.below(16).toString(16)).join('')
const sign = (random: Random): string => random.pick(['', '', '', '-', '+'])
const anyCase = (random: Random, word: string): string => (random.chance(0.3) ? word.toLowerCase() : word)

// --- INCRBYFLOAT

const ODD_FLOATS: readonly string[] = [
  'inf', '-inf', 'INFINITY', '+Infinity', 'nan', '-nan', 'nan(1)', 'infin', '0x', '0x.', '.', '', '-', '+', '--1', 'e5', '1e', '1e+',
  ' 1', '1 ', '1\t', '1\0', '1_0', '1,5', '0x1p', '0x1.8p1', '0X1P4', '0x.8', '0x8.', '1.e3', '.5', '5.', '-0', '-0.0', '0e99999',
  '0e-999999999999', '1e99999999999999999999', '1e-99999999999999999', '1e5000', '1e-5000', '1.19e4932',
  '1.18973149535723176502e+4932', '1.18973149535723176508575932662800702e+4932', '3.6e-4951', '1.8e-4951', '1.9e-4951',
  '0x1p-16445', '0x1p-16446', '0x1.8p-16446', '0x1p16383', '0x1p16384', '0x1.fffffffffffffffep16383', '0x1.ffffffffffffffffp16383',
  '1'.repeat(5119), '1'.repeat(5120), `0.${'0'.repeat(5000)}1`,
] // biome-ignore format: a list

export function float(random: Random): string {
  switch (random.below(11)) {
    case 0:
      return sign(random) + random.below(1000)
    case 1:
      return sign(random) + random.below(100_000) / 100
    case 2:
      return sign(random) + random.next()
    case 3:
      return `${sign(random)}${digits(random, random.between(1, 25))}.${digits(random, random.below(26))}`
    case 4:
      return `${sign(random)}${digits(random, random.between(1, 5))}e${sign(random)}${random.below(30)}`
    case 5:
      return `${sign(random)}${digits(random, random.between(1, 20))}.${digits(random, random.below(20))}E${sign(random)}${random.below(5200)}`
    case 6: {
      const fraction = random.chance(0.5) ? `.${hex(random, random.below(20))}` : ''
      const power = random.chance(0.6) ? `p${sign(random)}${random.below(random.pick([10, 100, 17_000]))}` : ''
      return `${sign(random)}0x${hex(random, random.below(20))}${fraction}${power}`
    }
    case 7:
      return random.pick(ODD_FLOATS)
    case 8:
      return `${sign(random)}0.${'0'.repeat(random.below(40))}${digits(random, random.between(1, 30))}`
    case 9:
      return `0x${random.chance(0.5) ? '1' : hex(random, 16)}p${random.between(-70, 70)}`
    default:
      return `${sign(random)}${random.below(1_000_000)}.${random.pick(['5', '25', '000000000000000005', '000000000000000015', '00000000000000001'])}`
  }
}

export function floats(random: Random): Line {
  const name = key(random)
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2:
      return ['SET', name, float(random)]
    case 3:
      return ['GET', name]
    default:
      return ['INCRBYFLOAT', name, float(random)]
  }
}

// --- bits

const integer = (random: Random): string =>
  random.chance(0.85)
    ? String(random.between(-20, 140))
    : random.pick([
        '9223372036854775807', '-9223372036854775808', '9223372036854775808', '4294967295', '4294967296', '1.5', '', 'x', '01', '-0', '+1',
      ]) // biome-ignore format: a list

const offset = (random: Random): string =>
  random.chance(0.9)
    ? String(random.below(300))
    : random.pick(['-1', '4294967296', '99999999999', '9223372036854775807', '', 'x', '1.0', '#1', '100000'])

const range = (random: Random): string[] =>
  [
    [],
    [integer(random)],
    [integer(random), integer(random)],
    [integer(random), integer(random), anyCase(random, random.pick(['BIT', 'BYTE', 'BITS']))],
    [integer(random), integer(random), 'BIT'],
    [integer(random), integer(random), 'BIT', 'x'],
  ][Math.min(5, random.below(30) === 0 ? 5 : random.below(5))]!

export function bitmaps(random: Random): Line {
  const name = key(random)
  switch (random.below(14)) {
    case 0:
      return ['SET', name, bytes(random, 40)]
    case 1:
    case 2:
    case 3:
      return [
        'SETBIT',
        name,
        offset(random),
        random.chance(0.95) ? String(random.below(2)) : random.pick(['2', '-1', 'x', '']),
      ]
    case 4:
    case 5:
      return ['GETBIT', name, offset(random)]
    case 6:
    case 7:
      return ['BITCOUNT', name, ...range(random)]
    case 8:
    case 9:
      return [
        'BITPOS',
        name,
        random.chance(0.95) ? String(random.below(2)) : random.pick(['2', '-1', 'x']),
        ...range(random),
      ]
    case 10:
    case 11: {
      const sources = Array.from({ length: random.between(1, 4) }, () => key(random))
      return ['BITOP', anyCase(random, random.pick(['AND', 'OR', 'XOR', 'NOT', 'NAND'])), name, ...sources]
    }
    case 12:
      return ['GET', name]
    default:
      return ['DEL', name]
  }
}

const fieldType = (random: Random): string =>
  random.chance(0.95)
    ? `${random.pick(['i', 'u'])}${random.chance(0.7) ? random.between(1, 64) : random.pick([1, 8, 16, 32, 63, 64])}`
    : random.pick(['u64', 'i65', 'u0', 'i', 'u', 'I8', '8', '', 'u08', 'i-1', 'x8'])

const fieldOffset = (random: Random): string =>
  random.chance(0.9)
    ? (random.chance(0.3) ? '#' : '') + random.below(random.pick([8, 100, 300]))
    : random.pick([
        '#',
        '-1',
        '#-1',
        '',
        '99999999999',
        '#9223372036854775807',
        '#2305843009213693952',
        '#1152921504606846976',
        '#x',
      ])

const fieldNumber = (random: Random): string =>
  random.chance(0.5)
    ? String(random.between(-300, 300))
    : random.chance(0.8)
      ? String(
          BigInt.asIntN(64, (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32))) >>
            BigInt(random.below(64)),
        )
      : random.pick(['9223372036854775807', '-9223372036854775808', '9223372036854775808', 'x', ''])

export function bitfields(random: Random): Line {
  const name = key(random)
  if (random.chance(0.1)) return ['SET', name, bytes(random, 20)]
  if (random.chance(0.1)) return ['GET', name]
  if (random.chance(0.05)) return ['DEL', name]
  const words: string[] = [anyCase(random, random.chance(0.8) ? 'BITFIELD' : 'BITFIELD_RO'), name]
  for (let n = random.below(6); n > 0; n--) {
    const verb =
      words[0]!.length > 8 && random.chance(0.9) ? 'GET' : random.pick(['GET', 'SET', 'INCRBY', 'INCRBY', 'OVERFLOW'])
    if (random.chance(0.02)) words.push(random.pick(['GET', 'SET', 'BOGUS', 'OVERFLOW', 'u8']))
    words.push(anyCase(random, verb))
    if (verb === 'OVERFLOW')
      words.push(random.chance(0.95) ? anyCase(random, random.pick(['WRAP', 'SAT', 'FAIL'])) : 'x')
    else words.push(fieldType(random), fieldOffset(random))
    if (verb === 'SET' || verb === 'INCRBY') words.push(fieldNumber(random))
  }
  return words
}

// --- LCS, and the plain commands beside it

const letters = (random: Random, most: number): string =>
  Array.from({ length: random.below(most + 1) }, () => random.pick(['a', 'b', 'c', 'a'])).join('')

export function subsequences(random: Random): Line {
  if (random.chance(0.3)) return ['SET', key(random), letters(random, random.pick([5, 30, 200]))]
  const words: string[] = ['LCS', key(random), key(random)]
  for (let n = random.below(4); n > 0; n--) {
    words.push(
      anyCase(
        random,
        random.pick(['IDX', 'IDX', 'LEN', 'WITHMATCHLEN', 'MINMATCHLEN', 'BOGUS'].slice(0, random.chance(0.1) ? 6 : 5)),
      ),
    )
    if (words.at(-1)!.toUpperCase() === 'MINMATCHLEN' && random.chance(0.95))
      words.push(random.pick(['0', '1', '2', '4', '-3', '99', 'x', '9223372036854775807']))
  }
  return words
}

export function plain(random: Random): Line {
  const name = key(random)
  const time = (): string =>
    random.pick([
      '1000000', // also as milliseconds longer than a run

      '33177117420',
      '0',
      '-1',
      'x',
      '',
      '9223372036854775807',
      '9223372036854775',
      '9223372036854774',
    ])
  switch (random.below(8)) {
    case 0:
      return ['SETEX', name, random.chance(0.5) ? '100' : time(), letters(random, 9)]
    case 1:
      return ['PSETEX', name, random.chance(0.5) ? '100000' : time(), letters(random, 9)]
    case 2:
      return ['GETSET', name, bytes(random, 9)]
    case 3:
    case 4:
      return ['SUBSTR', name, integer(random), integer(random)]
    case 5:
      return ['EXISTS', name]
    case 6:
      return ['DEL', name]
    default:
      return ['GET', name]
  }
}

// --- HyperLogLogs

const element = (random: Random): string | Buffer =>
  random.chance(0.1) ? bytes(random, 40) : `element ${random.below(random.pick([20, 2000, 1_000_000]))}`

export function hyperloglogs(random: Random): Line {
  const name = key(random)
  switch (random.below(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return ['PFADD', name, ...Array.from({ length: random.below(random.pick([2, 5, 40])) }, () => element(random))]
    case 5:
      return ['PFADD', name, ...Array.from({ length: random.pick([100, 500, 3000]) }, () => element(random))]
    case 6:
    case 7:
      return ['PFCOUNT', name]
    case 8:
      return ['PFCOUNT', ...Array.from({ length: random.between(1, 4) }, () => key(random))]
    case 9:
      return ['PFMERGE', name, ...Array.from({ length: random.below(4) }, () => key(random))]
    case 10:
      return ['DEL', name]
    case 11: // the kept cardinality, or its mark
      return ['SETRANGE', name, String(random.between(8, 15)), bytes(random, 1)]
    case 12:
      return random.chance(0.3)
        ? ['SET', name, random.pick(['', 'HYLL', 'HYLL\x01'.padEnd(18, '\x00'), 'no HyperLogLog at all'])]
        : ['GET', name]
    default:
      return ['GET', name]
  }
}
