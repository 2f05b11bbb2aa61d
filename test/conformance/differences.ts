// Where Casky answers otherwise than redis-server 7.0.15, each with its reason. This table is the contract: a difference
// that has no row fails the suite, a row that no longer differs fails it too, and so does a row that no step uses.
//
// A row names the case and the step's line, and what each server answers, exactly. `in` limits it to one protocol.

import type { Protocol } from './play.ts'

export interface Difference {
  readonly family: string
  readonly title: string
  readonly line: string
  readonly in?: Protocol
  readonly redis: string
  readonly casky: string
  /** Why Casky answers otherwise, and what says that it may. */
  readonly why: string
}

type Place = Pick<Difference, 'family' | 'title'>

/** Rows of one case that differ for one reason. */
function rows(
  place: Place,
  why: string,
  ...steps: ReadonlyArray<readonly [line: string, redis: string, casky: string, only?: Protocol]>
): Difference[] {
  return steps.map(([line, redis, casky, only]) => ({
    ...place,
    line,
    redis,
    casky,
    why,
    ...(only === undefined ? {} : { in: only }),
  }))
}

const BIG = '{k*1048577}'
const TOO_LONG = '-ERR key is too long (at most 1048576 bytes)\r\n'
const unknown = (name: string): string => `-ERR unknown subcommand '${name}'. Try CLIENT HELP.\r\n`
const expectedDollar = (got: string): string => `-ERR Protocol error: expected '$', got '${got}'\r\n<closed>`

const foreign = (type: string): string => `-ERR Casky holds strings only, and this payload is a ${type}\r\n`
const noWaitaof = (a: number | string, b: number | string, c: number | string, normaliser?: string): string => {
  const text = `ERR unknown command 'WAITAOF', with args beginning with: '${a}' '${b}' '${c}' `
  return normaliser === undefined ? `-${text}\r\n` : `${normaliser}: (error) ${text}`
}

const REDIS_KEYS = `commands: ${[
  'del -2 write 1 -1 1',
  'unlink -2 fast,write 1 -1 1',
  'exists -2 fast,readonly 1 -1 1',
  'type 2 fast,readonly 1 1 1',
  'rename 3 write 1 2 1',
  'copy -3 denyoom,write 1 2 1',
].join(' | ')}`
const REDIS_KEYSPACE = `commands: ${[
  'scan -2 readonly 0 0 0',
  'keys 2 readonly 0 0 0',
  'dbsize 1 fast,readonly 0 0 0',
  'randomkey 1 readonly 0 0 0',
  'flushdb -1 write 0 0 0',
  'flushall -1 write 0 0 0',
  'swapdb 3 fast,write 0 0 0',
  'move 3 fast,write 1 1 1',
].join(' | ')}`

const confirmed = (type: string): string => `${type}3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n`
const own = (type: string, n: number): string => `${type}3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n${n}\r\n`

const MISSED = '>4\r\n$8\r\npmessage\r\n$6\r\n__key*\r\n$22\r\n__keyspace@0__:nothing\r\n$7\r\nkeymiss\r\n'

export const differences: readonly Difference[] = [
  ...rows(
    { family: 'strings', title: 'a key of a megabyte, and one byte more' },
    'Keys live in memory for ever, so one is at most 1 MiB (Redis: 512 MB). Stated in the README.',
    [`SET ${BIG} v`, '+OK\r\n', TOO_LONG],
    [`GET ${BIG}`, '$1\r\nv\r\n', '$-1\r\n', 2],
    [`GET ${BIG}`, '$1\r\nv\r\n', '_\r\n', 3],
    [`EXISTS ${BIG}`, ':1\r\n', ':0\r\n'],
    [`APPEND ${BIG} v`, ':2\r\n', TOO_LONG],
    [`INCR ${BIG}`, '-ERR value is not an integer or out of range\r\n', TOO_LONG],
    [`MSET a 1 ${BIG} v`, '+OK\r\n', TOO_LONG],
    ['EXISTS a', ':1\r\n', ':0\r\n'],
    [`COPY b ${BIG}`, ':0\r\n', TOO_LONG],
    [`RENAME b ${BIG}`, '+OK\r\n', TOO_LONG],
    ['EXISTS b', ':0\r\n', ':1\r\n'],
  ),
  ...rows(
    { family: 'expiry', title: 'bad times' },
    'Moments are exact to 2^53 - 1 ms, which is the year 287396; a later one is taken as that.',
    ['PEXPIRETIME k', ':9223372036854775807\r\n', ':9007199254740991\r\n'],
    ['EXPIRETIME k', ':9223372036854776\r\n', ':9007199254741\r\n'],
  ),
  ...rows(
    { family: 'expiry', title: 'a moment at the end of time' },
    'As above.',
    ['EXPIRETIME k', ':9223372036854775\r\n', ':9007199254741\r\n'],
    ['PEXPIRETIME k', ':9223372036854775000\r\n', ':9007199254740991\r\n'],
  ),
  ...rows(
    { family: 'connections', title: 'CLIENT SETINFO' },
    'Since 7.2, and clients of today send it at connect; the judge is 7.0. Answers by the 7.2 documentation.',
    ['CLIENT SETINFO LIB-NAME mylib', unknown('SETINFO'), '+OK\r\n'],
    ['CLIENT SETINFO lib-ver 1.2.3', unknown('SETINFO'), '+OK\r\n'],
    ['CLIENT SETINFO LIB-NAME ""', unknown('SETINFO'), '+OK\r\n'],
    [
      'CLIENT SETINFO LIB-NAME "my lib"',
      unknown('SETINFO'),
      '-ERR LIB-NAME cannot contain spaces, newlines or special characters.\r\n',
    ],
    [
      String.raw`CLIENT SETINFO LIB-VER "1\n2"`,
      unknown('SETINFO'),
      '-ERR LIB-VER cannot contain spaces, newlines or special characters.\r\n',
    ],
    ['CLIENT SETINFO BOGUS x', unknown('SETINFO'), "-ERR Unrecognized option 'BOGUS'\r\n"],
    ['CLIENT SETINFO LIB-NAME', unknown('SETINFO'), "-ERR wrong number of arguments for 'client|setinfo' command\r\n"],
    ['CLIENT SETINFO', unknown('SETINFO'), "-ERR wrong number of arguments for 'client|setinfo' command\r\n"],
  ),
  ...rows(
    { family: 'connections', title: 'CLIENT NO-EVICT and NO-TOUCH' },
    'NO-TOUCH is since 7.2; the judge is 7.0. Answers by the 7.2 documentation.',
    ['CLIENT NO-TOUCH ON', unknown('NO-TOUCH'), '+OK\r\n'],
    ['CLIENT NO-TOUCH off', unknown('NO-TOUCH'), '+OK\r\n'],
    ['CLIENT NO-TOUCH maybe', unknown('NO-TOUCH'), '-ERR syntax error\r\n'],
    ['CLIENT NO-TOUCH', unknown('NO-TOUCH'), "-ERR wrong number of arguments for 'client|no-touch' command\r\n"],
  ),
  ...rows(
    { family: 'protocol', title: 'an array that is too long' },
    "1,048,576 words at most, as Redis's documentation of the protocol and Redis before 7 say; 7.0 waits for 2^31.",
    [
      String.raw`[raw open] "*1048577\r\n"`,
      '<still open>',
      '-ERR Protocol error: invalid multibulk length\r\n<closed>',
    ],
  ),
  ...rows(
    { family: 'protocol', title: 'a word whose type is a control character' },
    "Error texts never carry a client's raw bytes: they end up in logs and terminals.",
    [String.raw`[raw closed] "*1\r\n\x01\r\n"`, expectedDollar('\x01'), expectedDollar(' ')],
  ),
  ...rows(
    { family: 'protocol', title: 'a word whose type is beyond ASCII' },
    "Error texts never carry a client's raw bytes, and a lone byte beyond ASCII is no character in UTF-8.",
    [String.raw`[raw closed] "*1\r\n\xff\r\n"`, expectedDollar('\xff'), expectedDollar(' ')],
  ),
  ...rows(
    { family: 'protocol', title: 'unknown commands' },
    'Redis prints the name as a C string, up to its first zero byte; Casky prints all of it, the zero as a space.',
    [
      String.raw`"\xff\x00x" a`,
      "-ERR unknown command '\xff', with args beginning with: 'a' \r\n",
      "-ERR unknown command '\xff x', with args beginning with: 'a' \r\n",
    ],
  ),
  ...rows(
    { family: 'server', title: 'CONFIG GET' },
    'Casky always keeps a log of its writes, so appendonly is yes by default, and INFO says aof_enabled:1 whatever is set.',
    [
      '[sorted] CONFIG GET save appendonly',
      'sorted: * "" "appendonly" "no" "save"',
      'sorted: * "" "appendonly" "save" "yes"',
      2,
    ],
    [
      '[sorted] CONFIG GET save appendonly',
      'sorted: % "" "appendonly" "no" "save"',
      'sorted: % "" "appendonly" "save" "yes"',
      3,
    ],
  ),
  ...rows(
    { family: 'server', title: 'CONFIG SET' },
    'A value is at most 1 GiB, because a record is read in one piece.',
    [
      'CONFIG SET proto-max-bulk-len 1',
      "-ERR CONFIG SET failed (possibly related to argument 'proto-max-bulk-len') - argument must be between 1048576 and 9223372036854775807 inclusive\r\n",
      "-ERR CONFIG SET failed (possibly related to argument 'proto-max-bulk-len') - argument must be between 1048576 and 1073741824 inclusive\r\n",
    ],
  ),
  ...rows(
    { family: 'server', title: 'COMMAND INFO' },
    'RENAME and MOVE write the value again, so they need room: denyoom, which they have not in Redis.',
    [
      '[commands] COMMAND INFO DEL UNLINK EXISTS TYPE RENAME COPY',
      REDIS_KEYS,
      REDIS_KEYS.replace('rename 3 write', 'rename 3 denyoom,write'),
    ],
    [
      '[commands] COMMAND INFO SCAN KEYS DBSIZE RANDOMKEY FLUSHDB FLUSHALL SWAPDB MOVE',
      REDIS_KEYSPACE,
      REDIS_KEYSPACE.replace('move 3 fast', 'move 3 denyoom,fast'),
    ],
  ),
  ...rows(
    { family: 'pubsub', title: "one's own message out of a transaction" },
    "Redis 7.0 says it in the middle of EXEC's array. RESP3's specification has pushes between replies only, and 7.2 does so too.",
    [
      '[all] EXEC',
      `*4\r\n${confirmed('*')}${own('*', 1)}:1\r\n${own('*', 2)}:1\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n`,
      `*4\r\n${confirmed('*')}:1\r\n:1\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n${own('*', 1)}${own('*', 2)}`,
      2,
    ],
    [
      '[all] EXEC',
      `*4\r\n${confirmed('>')}${own('>', 1)}:1\r\n${own('>', 2)}:1\r\n+PONG\r\n`,
      `*4\r\n${confirmed('>')}:1\r\n:1\r\n+PONG\r\n${own('>', 1)}${own('>', 2)}`,
      3,
    ],
  ),
  ...rows(
    { family: 'own notifications', title: 'of a command that has begun its reply' },
    'Redis 7.0 says it in the middle of the array; see above.',
    [
      '[all] MGET k nothing k',
      `*3\r\n$1\r\nv\r\n${MISSED}_\r\n$1\r\nv\r\n`,
      `*3\r\n$1\r\nv\r\n_\r\n$1\r\nv\r\n${MISSED}`,
    ],
    ['[all] MGET nothing', `*1\r\n${MISSED}_\r\n`, `*1\r\n_\r\n${MISSED}`],
  ),
  ...rows(
    { family: 'objects', title: 'OBJECT ENCODING of strings that APPEND and SETRANGE made' },
    'An encoding follows from the bytes: what Redis says of the same string after SET, or after it was loaded again.',
    ['OBJECT ENCODING a', '$3\r\nraw\r\n', '$6\r\nembstr\r\n'],
    ['OBJECT ENCODING b', '$3\r\nraw\r\n', '$3\r\nint\r\n'],
    ['OBJECT ENCODING c', '$3\r\nraw\r\n', '$3\r\nint\r\n'],
  ),
  ...rows(
    { family: 'objects', title: 'OBJECT REFCOUNT of a copy' },
    'What Redis says of the same bytes after SET: nothing here depends on how a value came about.',
    ['OBJECT REFCOUNT b', ':1\r\n', ':2147483647\r\n'],
  ),
  ...rows(
    { family: 'dump', title: 'RESTORE of what only other servers have' },
    'Casky holds strings only.',
    [
      String.raw`RESTORE list 0 "\x12\x01\x02\x0d\x0d\x00\x00\x00\x02\x00\x81a\x02\x81b\x02\xff\x0a\x00h\xeb\x0a\x89\x13A\xbb\xb1"`,
      '+OK\r\n',
      foreign('list'),
    ],
    [
      String.raw`RESTORE set 0 "\x0b\x0c\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x02\x00\x0a\x00oy8\xb14\xeb ."`,
      '+OK\r\n',
      foreign('set'),
    ],
    [
      String.raw`RESTORE hash 0 "\x10\x0d\x0d\x00\x00\x00\x02\x00\x81a\x02\x81b\x02\xff\x0a\x00\xd9<\x7f\x07(\xf0\xed\xcc"`,
      '+OK\r\n',
      foreign('hash'),
    ],
    [
      String.raw`RESTORE zset 0 "\x11\x0c\x0c\x00\x00\x00\x02\x00\x81b\x02\x01\x01\xff\x0a\x00\xbe5\xc9\x9d\xfcO\xc8\xa5"`,
      '+OK\r\n',
      foreign('sorted set'),
    ],
    ['EXISTS list set hash zset newer', ':4\r\n', ':1\r\n'],
  ),
  ...rows(
    { family: 'dump', title: 'RESTORE of what only other servers have' },
    'Redis 7.2 writes version 11, and strings have not changed: its payloads are taken, so that one can move from it.',
    [
      String.raw`RESTORE newer 0 "\x00\x01a\x0b\x00\xd6!R\xe8r\xa9\x94="`,
      '-ERR DUMP payload version or checksum are wrong\r\n',
      '+OK\r\n',
    ],
  ),
  ...rows(
    { family: 'standalone', title: 'WAITAOF' },
    'Since 7.2; the judge is 7.0. Answers by the 7.2 documentation.',
    ['[type] WAITAOF 0 0 0', noWaitaof(0, 0, 0, 'type'), 'type: *'],
    ['WAITAOF 1 0 0', noWaitaof(1, 0, 0), '*2\r\n:1\r\n:0\r\n'],
    ['WAITAOF 2 0 0', noWaitaof(2, 0, 0), '-ERR value is out of range, value must between 0 and 1\r\n'],
    ['WAITAOF -1 0 0', noWaitaof(-1, 0, 0), '-ERR value is out of range, value must between 0 and 1\r\n'],
    ['WAITAOF x 0 0', noWaitaof('x', 0, 0), '-ERR value is not an integer or out of range\r\n'],
    ['WAITAOF 0 -1 0', noWaitaof(0, -1, 0), '-ERR value is out of range, must be positive\r\n'],
    ['WAITAOF 0 x 0', noWaitaof(0, 'x', 0), '-ERR value is out of range, must be positive\r\n'],
    ['WAITAOF 0 0 -1', noWaitaof(0, 0, -1), '-ERR timeout is negative\r\n'],
    ['WAITAOF 0 0 x', noWaitaof(0, 0, 'x'), '-ERR timeout is not an integer or out of range\r\n'],
    ['WAITAOF 0 1 10', noWaitaof(0, 1, 10), '*2\r\n:1\r\n:0\r\n'],
    ['WAITAOF 1 1 10', noWaitaof(1, 1, 10), '*2\r\n:1\r\n:0\r\n'],
    [
      'WAITAOF 0 0',
      "-ERR unknown command 'WAITAOF', with args beginning with: '0' '0' \r\n",
      "-ERR wrong number of arguments for 'waitaof' command\r\n",
    ],
  ),
  ...rows(
    { family: 'hyperloglog', title: 'registers that end too early' },
    'A command that answers an error has changed nothing. Redis leaves in the value what it had added before it met the damage.',
    [
      'GET k',
      '$24\r\nHYLL\x01\0\0\0\0\0\0\0\0\0\0\x80Fm\x80V\x0c\x80C\x82\r\n',
      '$18\r\nHYLL\x01\0\0\0\0\0\0\0\0\0\0\0_\xff\r\n',
    ],
    ['PFCOUNT k', '-INVALIDOBJ Corrupted HLL object detected\r\n', ':0\r\n'],
  ),
]
