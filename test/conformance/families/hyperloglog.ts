// HyperLogLogs: what they count, and that they are the same bytes as Redis's after the same commands, since GET shows them.

import { family } from '../script.ts'

/** PFADD of elements n to n + count - 1. */
const add = (key: string, n: number, count: number): string =>
  `PFADD ${key} ${Array.from({ length: count }, (_, i) => `element:${n + i}`).join(' ')}`

const EMPTY = String.raw`"HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00`

export const hyperloglog = family(
  'hyperloglog',
  String.raw`
# PFADD and PFCOUNT
PFADD k
GET k
PFADD k
PFCOUNT k
GET k
PFADD k a
GET k
PFADD k a
PFADD k a b c d e f g
GET k
PFCOUNT k
GET k
PFADD k a
GET k
PFADD k ""
PFADD k "\x00\xff"
PFCOUNT k
PFCOUNT missing
EXISTS missing
PFADD fresh a b c a b
PFCOUNT fresh

# a time to live stays
PFADD k a
EXPIRE k 100
PFADD k b
[about] TTL k
PFCOUNT k
[about] TTL k
PFMERGE k missing
[about] TTL k

# from sparse to dense
${Array.from({ length: 12 }, (_, i) => `${add('k', i * 200, 200)}\nGET k\nPFCOUNT k`).join('\n')}
GET k

# elements one by one
${Array.from({ length: 150 }, (_, i) => add('k', i, 1)).join('\n')}
GET k
PFCOUNT k
GET k

# elements of many lengths
PFADD k ${Array.from({ length: 64 }, (_, i) => 'x'.repeat(i + 1)).join(' ')}
GET k
PFADD k {x*100000}
GET k
PFCOUNT k

# PFCOUNT of several
${add('a', 0, 100)}
${add('b', 50, 100)}
${add('c', 1000, 2000)}
PFCOUNT a b
PFCOUNT a c
PFCOUNT a b c missing
PFCOUNT missing missing
PFCOUNT a a
GET a
GET b

# PFMERGE
${add('a', 0, 100)}
${add('b', 50, 100)}
${add('c', 1000, 2000)}
PFMERGE d a b
GET d
PFCOUNT d
GET d
PFMERGE d
GET d
PFMERGE d c
GET d
PFCOUNT d
PFMERGE a c
GET a
PFMERGE c a b
GET c
PFMERGE empty
GET empty
PFMERGE other missing
GET other
PFCOUNT other
GET other

# the kept cardinality
${add('k', 0, 10)}
PFCOUNT k
SETRANGE k 8 "\x39\x05"
PFCOUNT k
SETRANGE k 8 "\xff\xff\xff\xff\xff\xff\xff\x7f"
PFCOUNT k
SETRANGE k 15 "\x80"
PFCOUNT k
GET k

# what is no HyperLogLog
SET k "a string that is none, and long enough"
PFADD k a
PFADD k
PFCOUNT k
PFCOUNT missing k
PFMERGE k
PFMERGE d k
EXISTS d
SET k ""
PFADD k a
SET k 1234567890123456789
PFCOUNT k
SET k HYLL
PFCOUNT k
SET k ${EMPTY}"
PFCOUNT k
PFADD k a
PFMERGE d k
SET k ${EMPTY.replace('\\x01', '\\x00')}"
PFCOUNT k
SET k ${EMPTY.replace('\\x01', '\\x02')}\x7f\xff"
PFCOUNT k
PFADD k a
GET k

# sparse registers that are too few or too many
SET k ${EMPTY}\x7f\xfe"
PFCOUNT k
SETRANGE k 15 "\x80"
PFCOUNT k
PFCOUNT k missing
PFMERGE d k
SET k ${EMPTY}\x7f\xff\x84"
SETRANGE k 15 "\x80"
PFCOUNT k
PFCOUNT k missing
PFMERGE d k
SET k ${EMPTY}\x00"
PFADD k a
EXISTS d
GET k

# registers that end too early
SET k ${EMPTY}\x5f\xff"
PFADD k d f a
GET k
PFCOUNT k

# runs that are joined and split
SET k ${EMPTY}\x7f\xef\x8f"
PFADD k a b c d e f g h i j
GET k
SET k ${EMPTY}\x3f\x3f\x7f\x7f"
PFADD k a
GET k

# inside a transaction
MULTI
PFADD k a b
PFCOUNT k
PFMERGE d k
PFCOUNT d k
GET d
EXEC
GET k

# WATCH sees a count that is kept
PFADD k a
a| WATCH k
b| PFCOUNT k
a| MULTI
a| PING
a| EXEC
a| WATCH k
b| PFCOUNT k
b| PFADD k a
a| MULTI
a| PING
a| EXEC
`,
)
