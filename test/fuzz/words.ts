// What stands in an argument: for each kind of word a generator that mostly gives what is right and now and then what is
// on the edge of it, beyond it, or nonsense.
//
// Times are chosen so that two servers that read the clock at slightly different moments must agree: nothing expires within
// the run. A relative time is beyond a day or not positive, an absolute one lies decades away. Sizes are chosen so that no
// command makes half a gigabyte: what is refused for its size is asked for, what is just allowed is not.

import type { Random } from '../harness/random.ts'

export type Word = (random: Random) => string

/** Some keys are used again and again, so that commands meet what others left. Strings here are latin1 bytes. */
const KEYS = [
  'k1',
  'k2',
  'k3',
  'k4',
  'k5',
  'k:{tag}:1',
  '',
  '\x00\xff\r\n',
  'k*?[]\\',
  'K1',
  'a key',
  `k${'x'.repeat(300)}`,
]

const BAD_INTEGERS = [
  '9223372036854775808',
  '-9223372036854775809',
  '99999999999999999999',
  '18446744073709551616',
  '+1',
  '01',
  '-0',
  '',
  ' 1',
  '1 ',
  '1.0',
  '1e3',
  '0x1',
  'abc',
  '\x001',
  '1\x00',
  '-',
]

const LARGE_INTEGERS = [
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775806',
  '4294967296',
  '2147483647',
  '2147483648',
  '-2147483649',
  '9007199254740993',
  '1099511627776',
]

const SMALL_INTEGERS = ['0', '1', '2', '3', '5', '7', '8', '10', '16', '100', '-1', '-2', '-3', '-10', '-100']

const FLOATS = [
  '0', '1', '-1', '1.5', '-0.1', '0.1', '3.0', '3.0e3', '1e5', '1e-17', '123456789012345678', '.5', '5.', '10.000', '-0',
] // biome-ignore format: a list

const ODD_FLOATS = [
  '1e400', 'inf', '-inf', 'nan', '1.7976931348623157e308', '1e4932', '4.9e-324', '0x1p3', ' 1', '1 ', '', 'abc', '1,5', '1e',
  '99999999999999999999.5', '--1', '1\x00', 'infinity', '+2',
] // biome-ignore format: a list

const PATTERNS = [
  '*',
  'k*',
  'k?',
  'k[12]',
  'k[^1]',
  'k[1-3]',
  'K*',
  '',
  '[',
  'k[',
  '\\*',
  'k\\*\\?\\[\\]\\\\',
  '*\xff*',
  'nothing',
  '**k**',
  'k[3-1]',
]

const CHANNELS = ['c1', 'c2', 'news:1', 'news:2', '', '\x00\xff', 'C1']
const CHANNEL_PATTERNS = ['*', 'c?', 'news:*', '[cn]*', '', 'none']

/** Never twice the same: whether a second one is later (GT, LT) must not hang on a millisecond. */
const secondsAhead = (random: Random): string => String(random.between(100_000, 3_000_000_000))

/** Years away, in seconds and milliseconds. */
const MOMENTS_S = ['4102444800', '4102444801', '5000000000', '33177117420', '1', '0', '-1', '946684800']
const MOMENTS_MS = ['4102444800000', '4102444800001', '5000000000000', '33177117420000', '1', '0', '-1', '946684800000']
const NOT_AHEAD = ['0', '-1', '-100000', '-9223372036854775808']
/** Overflows in the calculation of the moment, not in the number. */
const OVERFLOWING_S = ['9223372036854775807', '9223372036854775', '9223372036854776', '-9223372036854775807']
const OVERFLOWING_MS = ['9223372036854775807', '9223372036854775800']

const mostly = (often: readonly string[], seldom: readonly string[], probability = 0.12): Word => {
  return (random) => random.pick(random.chance(probability) ? seldom : often)
}

const EDGES = [...LARGE_INTEGERS, ...BAD_INTEGERS]

function value(random: Random): string {
  switch (random.below(12)) {
    case 0:
      return random.pick(LARGE_INTEGERS)
    case 1:
      return random.pick(BAD_INTEGERS)
    case 2:
      return random.pick(FLOATS)
    case 3:
      return random.pick(ODD_FLOATS)
    case 4:
      return bytes(random, random.below(30))
    case 5: // around the longest embstr, which is 44
      return 'e'.repeat(random.between(42, 47))
    case 6: // compressible, and around the shortest that is worth it
      return random.pick(['ab', 'x', 'abc\x00']).repeat(random.between(1, 300))
    case 7: // now and then more than a connection receives in one piece
      return random.chance(0.05)
        ? bytes(random, 97).repeat(random.between(600, 2000))
        : bytes(random, random.between(200, 2000))
    case 8:
      return random.pick(['', 'hello', 'Hello World', 'ohmytext', 'mynewtext', 'ünï', 'HYLL', 'HYLL\x00\x00\x00\x00'])
    default:
      return String(random.between(-20, 200))
  }
}

function bytes(random: Random, length: number): string {
  let text = ''
  for (let i = 0; i < length; i++) text += String.fromCharCode(random.below(256))
  return text
}

function bitfieldType(random: Random): string {
  if (random.chance(0.1))
    return random.pick(['u64', 'i65', 'u0', 'i0', 'x8', '8', '', 'i', 'u-1', 'I8', 'u08', 'i8x', 'u 8'])
  return `${random.pick(['u', 'i'])}${random.pick([1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 31, 32, 33, 63])}`
}

function bitOffset(random: Random): string {
  if (random.chance(0.1))
    return random.pick([
      '4294967296',
      '-1',
      '#-1',
      '#',
      '',
      'a',
      '#a',
      '9223372036854775807',
      '#9223372036854775807',
      '+1',
      '01',
    ])
  return `${random.chance(0.3) ? '#' : ''}${random.below(70)}`
}

/** What redis-server's DUMP gives for strings of each encoding, and the same hurt. Other types are not Casky's. */
const PAYLOADS = [
  '000568656c6c6f0a006372df766534200a', // hello
  '00c0050a00632f5f66832fb351', // 5, in 8 bits
  '00c1d4fe0a00c6c48623febede2e', // -300, in 16
  '00c240420f000a004ff5eb5407088b03', // 1000000, in 32
  '00c30a40c802616261e0ba010161620a0024a6e84170c0c68c', // ab a hundred times, compressed
  '00000a005d9b5c400f7fa2da', // an empty string
  '001548594c4c01000000000000000000008071a6844e570a006631ff02368d3234', // a HyperLogLog
].map((hex) => Buffer.from(hex, 'hex').toString('latin1'))

function payload(random: Random): string {
  const whole = random.pick(PAYLOADS)
  if (random.chance(0.8)) return whole
  const at = random.below(whole.length)
  return random.chance(0.5) ? whole.slice(0, at) : `${whole.slice(0, at)}${bytes(random, 1)}${whole.slice(at + 1)}`
}

/** Kinds by the name that a shape (shape.ts) calls them. */
export const kinds: Readonly<Record<string, Word>> = {
  key: (random) =>
    random.chance(0.03) ? `n${random.below(1000)}` : random.pick(random.chance(0.8) ? KEYS.slice(0, 5) : KEYS),
  value,
  int: mostly(SMALL_INTEGERS, EDGES),
  float: mostly(FLOATS, ODD_FLOATS, 0.25),
  index: mostly([...SMALL_INTEGERS, '4', '20', '44', '-5', '-20'], EDGES),
  bit: mostly(['0', '1'], ['2', '-1', '', '01', 'a', '1 ', '18446744073709551617'], 0.1),
  bitnumber: (random) => (random.chance(0.1) ? random.pick(EDGES) : String(random.below(200))),
  bitfieldtype: bitfieldType,
  bitoffset: bitOffset,
  sec: (random) =>
    random.chance(0.25) ? random.pick([...NOT_AHEAD, ...OVERFLOWING_S, ...BAD_INTEGERS]) : secondsAhead(random),
  ms: (random) =>
    random.chance(0.25)
      ? random.pick([...NOT_AHEAD, ...OVERFLOWING_MS, ...BAD_INTEGERS])
      : `${secondsAhead(random)}000`,
  at: mostly(MOMENTS_S, ['9223372036854776', '9223372036854775807', '-9223372036854775808', ...BAD_INTEGERS], 0.2),
  atms: mostly(MOMENTS_MS, ['-9223372036854775808', ...BAD_INTEGERS], 0.2),
  db: mostly(
    ['0', '0', '1', '2', '3'],
    ['15', '16', '-1', '', 'a', '00', '4294967296', '9223372036854775808', '0 ', '+1'],
    0.2,
  ),
  pattern: (random) => random.pick(PATTERNS),
  all: mostly(['1000', '5000', '1000000'], ['0', '-1', 'a', '', '9223372036854775808'], 0.1),
  cursor: mostly(['0'], ['a', '', ' 0', '0 ', '18446744073709551616', '00', '+0', '0x0'], 0.15),
  channel: (random) => random.pick(CHANNELS),
  channels: (random) => random.pick(CHANNEL_PATTERNS),
  label: mostly(['me', 'someone', 'x', ''], ['a b', 'a\nb', '\x7f', 'ü'], 0.2),
  digest: mostly(
    ['e0e1f9fabfc9d4800c877a703b823ac0578ff8db', 'E0E1F9FABFC9D4800C877A703B823AC0578FF8DB'],
    ['x', ''],
    0.3,
  ),
  message: (random) => (random.chance(0.1) ? bytes(random, 20) : random.pick(['hello', '', 'm'.repeat(200)])),
  payload,
  command: (random) => random.pick(['get', 'SET', 'mget', 'nosuch', 'client|id', 'config|get', 'client', '', 'bitop']),
  any: (random) => random.pick([kinds['key']!, value, kinds['int']!, kinds['float']!, kinds['option']!])(random),
  option: (random) => random.pick(OPTIONS),
}

/** Words that are an option somewhere, for places where they are none. */
const OPTIONS = [
  'NX', 'XX', 'GT', 'LT', 'GET', 'EX', 'PX', 'EXAT', 'PXAT', 'KEEPTTL', 'PERSIST', 'REPLACE', 'DB', 'MATCH', 'COUNT', 'TYPE',
  'string', 'LEN', 'IDX', 'MINMATCHLEN', 'WITHMATCHLEN', 'BYTE', 'BIT', 'AND', 'NOT', 'OVERFLOW', 'WRAP', 'SAT', 'FAIL', 'INCRBY',
  'ABSTTL', 'ASYNC', 'ON', 'OFF', 'HELP', 'AUTH', 'SETNAME',
] // biome-ignore format: a list
