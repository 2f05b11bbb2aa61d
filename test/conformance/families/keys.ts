// Keys: existence, names, copies, and walking over all of them.

import { family } from '../script.ts'

export const keys = family(
  'keys',
  String.raw`
# DEL, UNLINK, EXISTS
MSET a 1 b 2 c 3 d 4
DEL a
DEL a
DEL b missing c b
EXISTS a b c d
UNLINK d d
UNLINK missing
DBSIZE
MSET x 1
EXISTS x x x
EXISTS missing

# TYPE
SET k v
TYPE k
TYPE missing
SET t v PXAT 1
TYPE t

# RENAME
SET a 1
RENAME a b
EXISTS a
GET b
RENAME missing x
SET c 2 EX 100
RENAME b c
GET c
TTL c
SET d 3 EX 100
RENAME d e
[about] TTL e
GET e
RENAME e e
GET e
RENAME missing missing
DBSIZE

# RENAMENX
SET a 1
RENAMENX a b
EXISTS a
GET b
SET a 2 EX 100
RENAMENX a b
GET a
RENAMENX a a
[about] TTL a
RENAMENX a c
[about] TTL c
GET c
RENAMENX missing x
RENAMENX missing c
RENAMENX missing missing
SET gone v PXAT 1
RENAMENX c gone
GET gone
RENAMENX a
RENAMENX a b c
RENAMENX "\x00\xff" d
SET "\x00\xff" bin
RENAMENX "\x00\xff" "\r\n"
GET "\r\n"
MULTI
RENAMENX b e
RENAMENX e b
RENAMENX b gone
GET b
EXEC
WATCH f
b| SET g 1
b| RENAMENX g f
MULTI
EXEC

# COPY
SET a 1
COPY a b
GET b
COPY a b
SET a 2
COPY a b REPLACE
GET b
COPY missing x
SET t v EX 100
COPY t u
[about] TTL u
COPY a a
COPY a a REPLACE
COPY a c DB 1
GET c
SELECT 1
GET c
SELECT 0
COPY a a DB 1
COPY a a DB 0
COPY a c DB 1
COPY a c DB 1 REPLACE
COPY a c DB 99
COPY a c DB -1
COPY a c DB x
COPY a c DB
COPY a c BOGUS
COPY a c REPLACE DB 2 REPLACE
COPY missing missing
SELECT 1
FLUSHDB

# KEYS
MSET hello 1 hallo 2 hxllo 3 heello 4 hllo 5 "h\\llo" 6 "h*llo" 7 "\xff\xfe" 8
[sorted] KEYS *
[sorted] KEYS h?llo
[sorted] KEYS h*llo
[sorted] KEYS h[ae]llo
[sorted] KEYS h[^e]llo
[sorted] KEYS h[a-e]llo
[sorted] KEYS h[e-a]llo
[sorted] KEYS "h\\*llo"
[sorted] KEYS "h\\\\llo"
[sorted] KEYS "\xff*"
[sorted] KEYS hello
[sorted] KEYS HELLO
[sorted] KEYS ""
[sorted] KEYS h[
[sorted] KEYS h[a
[sorted] KEYS "h[\\a]llo"
[sorted] KEYS **llo
[sorted] KEYS "h\\"
[sorted] KEYS nothing*
KEYS nothing

# KEYS by ranges of bytes that have their highest bit set
MSET "\x00" 1 "\x7f" 2 "\x80" 3 "\xff" 4 a 5 ] 6
[sorted] KEYS "[\xff-]"
[sorted] KEYS "[\xff-a]"
[sorted] KEYS "[a-\xff]"
[sorted] KEYS "[\x80-\xff]"
[sorted] KEYS "[\x7f-\x80]"
[sorted] KEYS "[\x00-\x7f]"
[sorted] KEYS "[^\x80-\x00]"

# SCAN walks over everything
MSET a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8 i 9 j 10 k 11 l 12 m 13 n 14 o 15 p 16 q 17 r 18 s 19 t 20 u 21 v 22 w 23
[scan] SCAN
[scan] SCAN COUNT 1
[scan] SCAN COUNT 1000
[scan] SCAN MATCH [a-c]
[scan] SCAN MATCH a*
[scan] SCAN MATCH nothing
[scan] SCAN TYPE string
[scan] SCAN TYPE STRING
[scan] SCAN TYPE list
[scan] SCAN MATCH [a-e] COUNT 2 TYPE string
[scan] SCAN COUNT 2 COUNT 3

# SCAN errors
SCAN x
SCAN -1
SCAN 1.5
SCAN ""
SCAN 99999999999999999999
SCAN 0 COUNT
SCAN 0 COUNT 0
SCAN 0 COUNT -1
SCAN 0 COUNT x
SCAN 0 MATCH
SCAN 0 TYPE
SCAN 0 BOGUS
SCAN 0 BOGUS x
SCAN 0
SCAN 0 COUNT 9223372036854775807

# SCAN of nothing
SCAN 0
SCAN 0 MATCH * COUNT 10
SCAN 0 TYPE string
SCAN 0 TYPE bogus

# RANDOMKEY and DBSIZE
RANDOMKEY
DBSIZE
SET only 1
RANDOMKEY
DBSIZE
SET other 1
[type] RANDOMKEY
DBSIZE
`,
)
