// A walk through every directive that a redis-server has, asked of two servers: what it is at first, what it becomes for each of many
// words, good and bad, and in what words it refuses them. What may differ stands here, with its reason; what is listed and does
// not differ is reported too.

import type { RawConnection } from '../harness/connection.ts'
import { type Reply, ReplyError } from '../harness/resp.ts'

/** A server's configuration, asked from outside. Text is latin1, a character a byte. */
export interface Asked {
  get(...patterns: string[]): Promise<ReadonlyMap<string, string>>
  /** 'OK', or the error. */
  set(...words: string[]): Promise<string>
}

/** CONFIG over a connection. */
export function overConnection(connection: RawConnection): Asked {
  const bytes = (words: readonly string[]): Buffer[] => words.map((word) => Buffer.from(word, 'latin1'))
  return {
    async get(...patterns) {
      const reply = (await connection.call('CONFIG', 'GET', ...bytes(patterns))) as Reply[]
      const map = new Map<string, string>()
      for (let i = 0; i < reply.length; i += 2) map.set(textOf(reply[i]!), textOf(reply[i + 1]!))
      return map
    },
    async set(...words) {
      return textOf(await connection.call('CONFIG', 'SET', ...bytes(words)))
    },
  }
}

function textOf(reply: Reply): string {
  return reply instanceof ReplyError ? reply.message : Buffer.isBuffer(reply) ? reply.toString('latin1') : String(reply)
}

/** Tried by servers' own tests, since it changes where they can be reached. */
export const ELSEWHERE: ReadonlySet<string> = new Set(['port', 'bind'])

const WORDS = [
  ...['', ' ', '0', '1', '-1', '2', '5', '8', '10', '99', '100', '101', '500', '501', '777', '0700', '1000', '1001'],
  ...['65535', '65536', '2147483647', '2147483648', '-2147483648', '-2147483649', '4294967295', '4294967296'],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809'],
  ...['18446744073709551615', '18446744073709551616', '99999999999999999999999', '+1', '01', '-0', ' 1', '1 ', '1.5'],
  ...['1e3', '0x10', '1k', '1kb', '1K', '1MB', '1gb', '2G', '1tb', '1b', 'mb', '17179869185gb', '-1k', '1 kb'],
  ...['10%', '100%', '101%', '-1%', '0%', '%', '01%'],
  ...['yes', 'no', 'YES', 'No', 'on', 'true', 'x', 'a b', 'a  b', 'a/b', '/tmp/x', '\x01\xff\x80 bin', '"', "'"],
]

const SPECIAL: Readonly<Record<string, readonly string[]>> = {
  save: [
    '900 1',
    '900 1 300 10',
    '900 1 300',
    '0 1',
    '-1 1',
    '1 -1',
    '1 0',
    '01 1',
    ' 900 1',
    '900  1',
    '1.5 1',
    '+1 1',
  ],
  'client-output-buffer-limit': [
    ...[
      'replica 1mb 2mb 3',
      'slave 1k 1kb 4',
      'PUBSUB 0 0 0',
      'pubsub 32mb 8mb 60 replica 256mb 64mb 60',
      'pubsub 1 2',
    ],
    ...[
      'pubsub 1 2 -1',
      'pubsub 1 2 99999999999999',
      'pubsub  1 2 3',
      'pubsub 1 2 3x',
      'pubsub -1 2 3',
      'pubsub 1 2 +3',
    ],
    ...[
      'pubsub 1 2 03',
      'pubsub 1 2 1.5',
      'master 0 0 0',
      'pubsub 1 2 3 bad',
      'pubsub mb k 3',
      'pubsub 1 2 ',
      'x y z w',
    ],
    ...['pubsub 18446744073709551615 2 3', 'pubsub 9007199254740992 2 3'],
  ],
  'notify-keyspace-events': [
    'A',
    'KEA',
    'KEg$lshzxetdmn',
    'Kn',
    'An',
    'Am',
    'nmtdEKx',
    'xx',
    'Q',
    'K E',
    'KEg$lshzxetd',
    'AKEn',
  ],
  'latency-tracking-info-percentiles': [
    '50 99 99.9',
    '50.5 99.999',
    '100.1',
    '50 x',
    '.5',
    '5.',
    'nan',
    'inf',
    '1 2 3 4 5 6 7',
  ],
  'oom-score-adj-values': [
    '0 200 800',
    '1 2',
    '2000 2000 2000',
    '2001 0 0',
    '-5 0 0',
    '0  1 2',
    'a b c',
    '0 1.5 2',
    '1 2 3 4',
  ],
  'cluster-announce-hostname': ['host.example.com', 'a_b', 'a'.repeat(255), 'a'.repeat(256)],
  'proc-title-template': [
    '{title}',
    '{zork}',
    '{title',
    'plain',
    '{title} {listen-addr} {server-mode} {port} {tls-port}',
    '%s',
  ],
  'ignore-warnings': ['ARM64-COW-BUG'],
  requirepass: ['secret', 'a b  c'],
}

/** Words that a redis-server cannot be asked without harm, or that answer by the machine it runs on. */
const UNASKABLE: Readonly<Record<string, (word: string) => boolean>> = {
  maxclients: (word) => Number(word) > 1001, // what the process may open decides
  'oom-score-adj': (word) => word === 'absolute', // asks for rights
}

export interface Difference {
  readonly name: string
  /** The words it is about; undefined: the value at the start. */
  readonly words?: (word: string, redis: string) => boolean
  readonly why: string
}

const isSet = (_: string, redis: string): boolean => redis === 'OK'

/** Where Casky answers otherwise. */
export const DIFFERENCES: readonly Difference[] = [
  { name: 'bind', why: 'without a file Redis listens everywhere, and its file says 127.0.0.1 -::1; so does Casky' },
  { name: 'dir', why: 'Casky makes a directory of its own, ./data, beside where it is started' },
  { name: 'unixsocket', why: 'the judge listens on one' },
  { name: 'save', why: 'there are no snapshots: the log is always on' },
  { name: 'appendonly', why: 'there always is a log, and tools ask by this name whether there is' },
  {
    name: 'loglevel',
    words: (word, redis) => word === 'nothing' || redis.includes('one of the following'),
    why: 'nothing came with Redis 7.2',
  },
  {
    name: 'proto-max-bulk-len',
    words: (word, redis) => (redis === 'OK' ? Number.parseInt(word, 10) > 1 : redis.includes('inclusive')),
    why: 'a value is at most 1 GiB',
  },
  {
    name: 'client-output-buffer-limit',
    words: (word) => word.includes('18446744073709551615'),
    why: 'limits beyond 2^53 bytes are rounded',
  },
  {
    name: 'activedefrag',
    words: (word) => /^yes$/i.test(word),
    why: 'Redis tells of its allocator, Casky of itself',
  },
  {
    name: 'tls-port',
    words: (word, redis) => redis.includes('Unable to update TLS') || (word !== '0' && redis === 'OK'),
    why: 'there is no TLS, and the error says so',
  },
  { name: 'tls-cluster', words: (word) => /^yes$/i.test(word), why: 'there is no TLS, and the error says so' },
  { name: 'tls-replication', words: (word) => /^yes$/i.test(word), why: 'there is no TLS, and the error says so' },
  {
    name: 'min-replicas-to-write',
    words: (word, redis) => word !== '0' && isSet(word, redis),
    why: 'there are no replicas, so that every write would be refused',
  },
]

export interface WalkResult {
  readonly directives: number
  readonly exchanges: number
  readonly unexplained: readonly string[]
  /** Rows of DIFFERENCES that did differ, with how many exchanges. */
  readonly explained: ReadonlyMap<string, number>
}

/** Asks both for everything that `redis` has. */
export async function walk(redis: Asked, casky: Asked): Promise<WalkResult> {
  const unexplained: string[] = []
  const explained = new Map<string, number>()
  let exchanges = 0
  const first = await redis.get('*')
  const ours = await casky.get('*')

  const compare = (name: string, said: string, theirs: string, mine: string, word?: string, set?: string): void => {
    exchanges++
    if (theirs === mine) return
    const alias = [...ALIASES].find(([known]) => known === name)?.[1] ?? name
    const row = DIFFERENCES.find(
      (it) => it.name === alias && (word === undefined ? it.words === undefined : it.words?.(word, set ?? '') === true),
    )
    if (row === undefined) unexplained.push(`${said}: redis ${JSON.stringify(theirs)}, casky ${JSON.stringify(mine)}`)
    else explained.set(`${row.name}: ${row.why}`, (explained.get(`${row.name}: ${row.why}`) ?? 0) + 1)
  }

  for (const [name, text] of [...first].sort()) {
    if (!ELSEWHERE.has(name)) compare(name, `GET ${name} at the start`, text, ours.get(name) ?? '(unknown)')
  }
  for (const [name, text] of [...first].sort()) {
    if (ELSEWHERE.has(name)) continue
    const start = ours.get(name) ?? '(unknown)'
    const refusal = await redis.set(name, '\x01')
    const names = /one of the following: (.*)$/.exec(refusal)?.[1]?.split(', ') ?? []
    compare(name, `SET ${name} "\\x01"`, refusal, await casky.set(name, '\x01'), '\x01', refusal)
    const enumWords = [
      ...names,
      ...names.map((it) => it.toUpperCase()),
      names.slice(0, 2).join(' '),
      names.slice(1, 4).join(' '),
    ]
    const all = new Set([...WORDS, ...enumWords, ...(SPECIAL[name] ?? [])])
    for (const word of all) {
      if (UNASKABLE[name]?.(word) === true) continue
      const asked = [await redis.set(name, word), await casky.set(name, word)] as const
      compare(name, `SET ${name} ${JSON.stringify(word)}`, ...asked, word, asked[0])
      const got = [(await redis.get(name)).get(name) ?? '', (await casky.get(name)).get(name) ?? '(unknown)'] as const
      const isUnchanged = got[0] === text && got[1] === start // values that differ at the start are told once
      if (!isUnchanged) compare(name, `GET ${name} after ${JSON.stringify(word)}`, ...got, word, asked[0])
      else exchanges++
      // From the same value on, so that one difference is not seen again in the next answer.
      if (got[0] !== got[1] && !isUnchanged) {
        await redis.set(name, text)
        await casky.set(name, start)
      }
    }
    await redis.set(name, text)
    await casky.set(name, start)
  }
  return { directives: first.size, exchanges, unexplained, explained }
}

const ALIASES: ReadonlyMap<string, string> = new Map([['min-slaves-to-write', 'min-replicas-to-write']])
