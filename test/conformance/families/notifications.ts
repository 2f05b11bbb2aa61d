// Keyspace notifications: which events, in which order, for every command that changes or misses a key.

import { family } from '../script.ts'

/** A listener on "n", then one line and what it heard, for each line. */
function watched(classes: string, lines: string): string {
  const steps = lines
    .trim()
    .split('\n')
    .flatMap((line) => [line, '[heard] n|'])
  return [
    `CONFIG SET notify-keyspace-events ${classes}`,
    '[all] n| PSUBSCRIBE __key*',
    ...steps,
    'CONFIG SET notify-keyspace-events ""',
  ].join('\n')
}

export const notifications = family(
  'notifications',
  String.raw`
# the directive
CONFIG GET notify-keyspace-events
CONFIG SET notify-keyspace-events KEA
CONFIG GET notify-keyspace-events
CONFIG SET notify-keyspace-events KEAmn
CONFIG GET notify-keyspace-events
CONFIG SET notify-keyspace-events mEgK$
CONFIG GET notify-keyspace-events
CONFIG SET notify-keyspace-events g$lshzxetdKEmn
CONFIG GET notify-keyspace-events
CONFIG SET notify-keyspace-events ng$
CONFIG GET notify-keyspace-events
CONFIG SET notify-keyspace-events KKKEEE
CONFIG GET notify-keyspace-events
CONFIG SET notify-keyspace-events Kq
CONFIG SET notify-keyspace-events "K E"
CONFIG GET notify-keyspace-events
CONFIG SET notify-keyspace-events ""
CONFIG GET notify-keyspace-events

# nothing without K or E
${watched('A', 'SET k v\nDEL k')}

# K alone
${watched('KA', 'SET k v\nGET nothing\nEXPIRE k 100\nDEL k')}

# E alone
${watched('EA', 'SET k v\nGET nothing\nEXPIRE k 100\nDEL k')}

# classes one by one
${watched('KEg', 'SET k v EX 100\nINCR n\nDEL k\nGET k')}
CONFIG SET notify-keyspace-events KE$
SET k v EX 100
DEL k
[heard] n|
CONFIG SET notify-keyspace-events KEn
SET k v EX 100
SET k v
DEL k
[heard] n|
CONFIG SET notify-keyspace-events KEm
SET k v EX 100
GET k
GET nothing
[heard] n|
CONFIG SET notify-keyspace-events KElshztd
SET k v EX 100
DEL k
[heard] n|
CONFIG SET notify-keyspace-events ""

# strings
${watched(
  'KEAmn',
  `
SET k v
SET k v
SET k v EX 100
SET k v KEEPTTL
SET k v PXAT 99999999999999
SET k v NX
SET k v XX
SET nothing v XX
SET k w GET
SET fresh w GET
SET other w NX GET
SETNX k v
SETNX nx v
SETEX k 100 v
PSETEX k 100000 v
SETEX k 0 v
GETSET k v
GETSET gs v
GET k
GET nothing
MGET k nothing k nope
MSET a 1 b 2 a 3
MSETNX a 1 c 2
MSETNX d 1 e 2 d 3
STRLEN k
STRLEN nothing
GETRANGE k 0 1
GETRANGE nothing 0 1
SUBSTR nothing 0 1
GETDEL gs
GETDEL gs
GETEX k
GETEX k EX 100
GETEX k PERSIST
GETEX k PERSIST
GETEX k EXAT 1
GETEX k
APPEND k x
APPEND k y
APPEND k ""
SETRANGE k 1 z
SETRANGE k 1 ""
SETRANGE sr 3 z
SETRANGE empty 3 ""
INCR i
INCR i
DECR i
INCRBY i 5
DECRBY i 5
INCR k
INCRBYFLOAT i 1.5
INCRBYFLOAT f 1.5
INCRBYFLOAT k 1.5
INCR f
LCS a nothing
`,
)}

# bitmaps
${watched(
  'KEAmn',
  `
SETBIT b 7 1
SETBIT b 7 1
GETBIT b 7
GETBIT nothing 7
BITCOUNT b
BITCOUNT nothing
BITPOS b 1
BITPOS nothing 1
BITOP AND dst b nothing
BITOP OR dst b b
BITOP NOT dst nothing
BITOP NOT none nothing
BITFIELD bf SET u8 0 1
BITFIELD bf GET u8 0
BITFIELD bf INCRBY u8 0 1 INCRBY u8 8 1
BITFIELD bf2 GET u8 0
BITFIELD bf OVERFLOW FAIL INCRBY u8 0 255
BITFIELD_RO nothing GET u8 0
`,
)}

# hyperloglog
${watched(
  'KEAmn',
  `
PFADD h a b
PFADD h a b
PFADD empty
PFADD empty
PFCOUNT h
PFCOUNT nothing
PFCOUNT h nothing
PFMERGE m h nothing
PFMERGE m h
PFMERGE h
`,
)}

# keys
${watched(
  'KEAmn',
  `
MSET a 1 b 2 c 3
DEL a nothing b a
UNLINK c nothing
MSET a 1 b 2 c 3
EXISTS a nothing a
TYPE a
TYPE nothing
TOUCH a nothing
TTL nothing
PTTL a
EXPIRETIME nothing
RENAME a new
RENAME new b
RENAME b b
RENAME nothing b
RENAMENX b free
RENAMENX free c
RENAMENX nothing c
COPY c copied
COPY c copied
COPY c copied REPLACE
COPY c far DB 1
COPY nothing copied
MOVE copied 1
MOVE copied 1
MOVE nothing 1
[sorted] KEYS *
[scan] SCAN
[type] RANDOMKEY
OBJECT ENCODING c
OBJECT ENCODING nothing
OBJECT FREQ nothing
DUMP c
DUMP nothing
DBSIZE
SELECT 1
SET one 1
SELECT 0
SWAPDB 0 1
FLUSHDB
FLUSHALL
`,
)}

# RESTORE
${watched(
  'KEAmn',
  String.raw`
RESTORE r 0 "\x00\xc0\x05\n\x00\x9a\xa2\xa5\xfa\xb5\x91\x02\x0f"
SET r 1
`,
)}

# expiry
${watched(
  'KEAmn',
  `
SET k v
EXPIRE k 100
EXPIRE k 200 NX
EXPIRE k 50 GT
EXPIRE k 50 LT
PEXPIRE k 100000
EXPIREAT k 99999999999
PEXPIREAT k 99999999999999
PERSIST k
PERSIST k
EXPIRE nothing 100
EXPIRE k -1
EXPIRE k 100
SET k v
EXPIREAT k 1
SET k v
PEXPIRE k 0
SET k v
PEXPIREAT k 1
`,
)}

# what expires is told without being asked for
CONFIG SET notify-keyspace-events Ex
[all] n| PSUBSCRIBE __key*
SET k v PX 1
[heard 1] n|
SELECT 3
SET k v PX 30
[heard 1] n|
SET stays v
CONFIG SET notify-keyspace-events ""

# an expired key that a command meets
CONFIG SET notify-keyspace-events KEAn
[all] n| SUBSCRIBE __keyevent@0__:expired
MULTI
SET k v PXAT 1
EXISTS k
EXEC
[heard 1] n|
CONFIG SET notify-keyspace-events ""

# in a transaction
CONFIG SET notify-keyspace-events KEA
[all] n| PSUBSCRIBE __key*
MULTI
SET a 1
INCR a
DEL a
EXEC
[heard] n|
MULTI
SET a 1
DISCARD
[heard] n|
CONFIG SET notify-keyspace-events ""

# databases
CONFIG SET notify-keyspace-events KEA
[all] n| PSUBSCRIBE __keyspace@1__:* __keyevent@2__:*
SET k v
SELECT 1
SET k v
SELECT 2
SET k v
MOVE k 1
DEL k
MOVE k 3
[heard] n|
CONFIG SET notify-keyspace-events ""

# binary keys and channels by name
CONFIG SET notify-keyspace-events KE$
[all] n| SUBSCRIBE "__keyspace@0__:\xff\x00\r\n" __keyevent@0__:set __keyspace@0__:
SET "\xff\x00\r\n" v
SET "" v
[heard] n|
PUBLISH __keyevent@0__:set forged
[heard] n|
CONFIG SET notify-keyspace-events ""
`,
)

export const ownNotifications = family(
  'own notifications',
  `
# of one's own command, before its reply
[hello] HELLO 3
CONFIG SET notify-keyspace-events KEAm
[all] PSUBSCRIBE __key*
[all] SET k v EX 100
[all] INCR n
[all] DEL k n
[all] GET k
[all] RENAME k l
CONFIG SET notify-keyspace-events ""
[all] GET k

# of a command that has begun its reply
[hello] HELLO 3
CONFIG SET notify-keyspace-events Km
[all] PSUBSCRIBE __key*
SET k v
[all] MGET k nothing k
[all] SET k w GET
[all] MGET nothing
CONFIG SET notify-keyspace-events Kg
[all] GETDEL k
CONFIG SET notify-keyspace-events ""
`,
)
