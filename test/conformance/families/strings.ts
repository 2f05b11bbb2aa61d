// Strings: SET and its cousins, ranges, MGET and MSET.

import { family } from '../script.ts'

export const strings = family(
  'strings',
  String.raw`
# SET and GET
SET k v
GET k
SET k "two words"
GET k
GET missing
SET k ""
GET k
STRLEN k
EXISTS k
set K lower
GET k
Get K

# binary keys and values
SET "\x00\xff\r\n" "\x00\x01\xfe\xff"
GET "\x00\xff\r\n"
GET "\x00\xff\r"
SET "" "the empty key"
GET ""
EXISTS ""
[sorted] KEYS *
SET "__proto__" 1
GET "__proto__"
GET constructor

# a megabyte and a key of a kilobyte
SET k {x*1048576}
GET k
STRLEN k
SET {k*1024} v
GET {k*1024}

# a key of a megabyte, and one byte more
SET {k*1048576} v
GET {k*1048576}
DEL {k*1048576}
SET {k*1048577} v
GET {k*1048577}
EXISTS {k*1048577}
APPEND {k*1048577} v
INCR {k*1048577}
MSET a 1 {k*1048577} v
EXISTS a
SET b 1
COPY b {k*1048577}
RENAME b {k*1048577}
EXISTS b

# SET NX and XX
SET k 1 NX
SET k 2 NX
GET k
SET k 3 XX
GET k
SET other 1 XX
GET other
SET k 4 nx
SET k 4 NX XX
SET k 4 XX NX
SET k 4 NX NX

# SET GET
SET k 1 GET
GET k
SET k 2 GET
GET k
SET k 3 NX GET
GET k
SET other 3 NX GET
GET other
SET k 4 XX GET
SET third 4 XX GET
GET third
SET k 5 GET GET

# SET with an expiry
SET k v EX 100
[about] TTL k
SET k v PX 100000
[about] TTL k
SET k v EXAT 33177117420
[positive] TTL k
EXPIRETIME k
PEXPIRETIME k
SET k v PXAT 33177117420123
PEXPIRETIME k
SET k v
TTL k
SET k v EX 100
SET k w KEEPTTL
[about] TTL k
GET k
SET k v ex 100 nx
SET k2 v ex 100 nx
[about] TTL k2
SET k2 v XX KEEPTTL GET
[about] TTL k2
SET fresh v KEEPTTL
TTL fresh

# SET with a bad expiry
SET k v EX 0
SET k v EX -1
SET k v PX 0
SET k v PX -5
SET k v EXAT 0
SET k v PXAT -1
SET k v EX notanumber
SET k v EX 1.5
SET k v EX
SET k v PX
SET k v EX 9223372036854775807
SET k v EX 9223372036854775
SET k v PX 9223372036854775807
SET k v EX 99999999999999999999
SET k v EX " 1"
SET k v EX 01
SET k v EX +1
GET k

# SET with options that do not go together
SET k v EX 10 PX 10
SET k v EX 10 EXAT 33177117420
SET k v KEEPTTL EX 10
SET k v EX 10 KEEPTTL
SET k v PXAT 33177117420000 EX 1
SET k v EX 10 EX 10
SET k v BOGUS
SET k v NX BOGUS
SET k v PERSIST
SET k v NX EX
GET k

# SET into the past removes
SET k v
SET k w PXAT 1
GET k
EXISTS k
DBSIZE
SET k v EXAT 1 GET
EXISTS k

# SET PX expires
SET k v PX 1
[until :0] EXISTS k
TTL k
GET k
DBSIZE

# SETNX
SETNX k 1
SETNX k 2
GET k
SETNX "" empty

# GETDEL
SET k v
GETDEL k
GETDEL k
EXISTS k

# GETEX
SET k v
GETEX k
TTL k
GETEX k EX 100
[about] TTL k
GETEX k
[about] TTL k
GETEX k PERSIST
TTL k
GETEX k PX 100000
[about] TTL k
GETEX k EXAT 33177117420
EXPIRETIME k
GETEX k PXAT 33177117420123
PEXPIRETIME k
GETEX k PXAT 1
EXISTS k
GETEX missing EX 10
EXISTS missing

# GETEX with bad options
SET k v
GETEX k EX 0
GETEX k EX -1
GETEX k PX nope
GETEX k EX
GETEX k EX 10 PX 10
GETEX k EX 10 PERSIST
GETEX k PERSIST EX 10
GETEX k PERSIST PERSIST
GETEX k KEEPTTL
GETEX k BOGUS
GETEX k NX
GETEX k EX 9223372036854775807
GETEX k GET
TTL k

# MGET and MSET
MSET a 1 b 2 c 3
MGET a b c
MGET a missing c
MGET missing
MGET a a a
MSET a 1 a 2
GET a
MSET a
MSET a 1 b
MSET a 1 b 2 c
[about] TTL a
SET a 1 EX 100
MSET a 2
TTL a

# MSETNX
MSETNX a 1 b 2
MSETNX b 3 c 4
MGET a b c
MSETNX x 1 x 2
GET x
MSETNX a
MSETNX a 1 b

# APPEND and STRLEN
APPEND k abc
APPEND k ""
APPEND k "\x00d"
GET k
STRLEN k
STRLEN missing
SET k v EX 100
APPEND k w
[about] TTL k
APPEND empty ""
EXISTS empty
GET empty

# SETRANGE
SET k "Hello World"
SETRANGE k 6 Redis
GET k
SETRANGE k 0 ""
GET k
SETRANGE fresh 5 x
GET fresh
SETRANGE none 5 ""
EXISTS none
SETRANGE k 20 end
GET k
SETRANGE k -1 x
SETRANGE k notanumber x
SETRANGE k 1.5 x
SETRANGE k 536870912 x
SETRANGE k 536870911 xx
SETRANGE k 4294967296 x
SETRANGE k 9223372036854775807 x
SETRANGE k 99999999999999999999 x
SETRANGE missing 536870912 ""
SET ttl abc EX 100
SETRANGE ttl 1 X
[about] TTL ttl
GET ttl

# GETRANGE
SET k "This is a string"
GETRANGE k 0 3
GETRANGE k -3 -1
GETRANGE k 0 -1
GETRANGE k 10 100
GETRANGE k 5 2
GETRANGE k -1 -5
GETRANGE k -100 3
GETRANGE k -100 -50
GETRANGE k 100 200
GETRANGE k 0 0
GETRANGE k -9223372036854775808 9223372036854775807
GETRANGE k 0 99999999999999999999
GETRANGE k a b
GETRANGE k 0 b
GETRANGE missing 0 -1
SET e ""
GETRANGE e 0 -1
GETRANGE e 0 0
`,
)
