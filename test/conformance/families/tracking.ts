// Client-side caching. "a" tracks, "b" changes what it has read, "r" is the client that is told in its place.

import { family } from '../script.ts'

export const tracking = family(
  'tracking',
  String.raw`
# options and errors
CLIENT TRACKING
CLIENT TRACKING maybe
CLIENT TRACKING ON NOSUCH
CLIENT TRACKING ON REDIRECT
CLIENT TRACKING ON REDIRECT x
CLIENT TRACKING ON REDIRECT 99999999
CLIENT TRACKING ON REDIRECT -1
CLIENT TRACKING ON REDIRECT 0
CLIENT TRACKING ON REDIRECT {id:b} REDIRECT {id:b}
CLIENT TRACKING ON REDIRECT {id:b} REDIRECT x
CLIENT TRACKING ON PREFIX
CLIENT TRACKING ON PREFIX a
CLIENT TRACKING ON BCAST OPTIN
CLIENT TRACKING ON OPTOUT BCAST
CLIENT TRACKING ON OPTIN OPTOUT
CLIENT TRACKING OFF
CLIENT TRACKING off PREFIX a
CLIENT TRACKING off NOSUCH
CLIENT TRACKING maybe BCAST
CLIENT TRACKINGINFO
CLIENT TRACKINGINFO x
CLIENT GETREDIR
CLIENT GETREDIR x
CLIENT CACHING
CLIENT CACHING yes
CLIENT CACHING maybe
CLIENT TRACKING on
CLIENT TRACKING ON BCAST
CLIENT CACHING yes
CLIENT CACHING no
CLIENT CACHING maybe
CLIENT TRACKING ON OPTIN
CLIENT TRACKING ON OPTOUT
CLIENT CACHING no
CLIENT CACHING maybe
CLIENT CACHING YES
CLIENT TRACKING OFF
CLIENT TRACKING ON optout
CLIENT TRACKING ON optin
CLIENT CACHING yes
CLIENT CACHING NO
CLIENT TRACKING off
CLIENT TRACKING ON bcast
CLIENT TRACKING ON
CLIENT TRACKING ON OPTIN
CLIENT TRACKING OFF

# which of several overlapping prefixes is told
// Not: two of the given where the first of them is not the first given. There Redis says the error and +OK, and sets them.
CLIENT TRACKING ON BCAST PREFIX ab PREFIX c PREFIX a PREFIX abc
CLIENT TRACKING ON BCAST PREFIX x PREFIX z PREFIX zz PREFIX xx
CLIENT TRACKING ON BCAST PREFIX zz PREFIX zza PREFIX z
CLIENT TRACKING ON BCAST PREFIX a PREFIX b PREFIX a
CLIENT TRACKING ON BCAST PREFIX b PREFIX a PREFIX "" PREFIX c
CLIENT TRACKING ON BCAST PREFIX b PREFIX aa PREFIX ab
CLIENT TRACKING ON BCAST PREFIX c PREFIX ax PREFIX bx
CLIENT TRACKING ON BCAST PREFIX e PREFIX d PREFIX ee PREFIX a
CLIENT TRACKING ON BCAST PREFIX d PREFIX a PREFIX e PREFIX b
CLIENT TRACKING ON BCAST PREFIX d PREFIX dd PREFIX b
CLIENT TRACKING ON BCAST PREFIX ""
CLIENT TRACKING ON BCAST PREFIX aa
CLIENT TRACKINGINFO

# prefixes
CLIENT TRACKING ON BCAST PREFIX a PREFIX a
CLIENT TRACKING ON BCAST PREFIX a PREFIX ab
CLIENT TRACKING ON BCAST PREFIX ab PREFIX a
CLIENT TRACKING ON BCAST PREFIX a PREFIX b
CLIENT TRACKINGINFO
CLIENT TRACKING ON BCAST PREFIX a
CLIENT TRACKING ON BCAST PREFIX bc PREFIX c
CLIENT TRACKING ON BCAST PREFIX c PREFIX ""
CLIENT TRACKING ON BCAST PREFIX c NOLOOP
CLIENT TRACKINGINFO
CLIENT TRACKING ON BCAST
CLIENT TRACKINGINFO
CLIENT TRACKING OFF
CLIENT TRACKINGINFO
CLIENT TRACKING ON BCAST
CLIENT TRACKING ON BCAST
CLIENT TRACKINGINFO
CLIENT TRACKING ON BCAST PREFIX x
CLIENT TRACKING OFF
CLIENT TRACKING ON BCAST PREFIX "\xff\x00"
CLIENT TRACKINGINFO
CLIENT TRACKING OFF

# what it says of itself
CLIENT TRACKING ON
CLIENT TRACKINGINFO
CLIENT GETREDIR
CLIENT TRACKING ON NOLOOP
CLIENT TRACKINGINFO
CLIENT TRACKING ON
CLIENT TRACKINGINFO
[ids] CLIENT TRACKING ON REDIRECT {id:r} OPTIN NOLOOP
[ids] CLIENT TRACKINGINFO
[ids] CLIENT GETREDIR
CLIENT CACHING YES
[ids] CLIENT TRACKINGINFO
CLIENT GETNAME
[ids] CLIENT TRACKINGINFO
PING
[ids] CLIENT TRACKINGINFO
CLIENT TRACKING OFF
CLIENT TRACKING ON OPTOUT
CLIENT CACHING NO
CLIENT TRACKINGINFO
GET k
CLIENT TRACKINGINFO
RESET
CLIENT TRACKINGINFO
CLIENT GETREDIR

# told by a push
[hello] HELLO 3
CLIENT TRACKING ON
GET k
b| SET k 1
[heard] a|
b| SET k 2
[heard] a|
GET k
GET k
b| SET k 3
[heard] a|
b| GET k
MGET k l m
b| MSET k 1 l 2 other 3
b| DEL m
[heard] a|
EXISTS k nothing
b| DEL k
b| SET nothing x
[heard] a|

# told in RESP2 there is nobody
CLIENT TRACKING ON
GET k
b| SET k 1
[heard] a|

# every way of changing
[hello] HELLO 3
CLIENT TRACKING ON
b| SET k 1
STRLEN k
b| INCR k
[heard] a|
TTL k
b| EXPIRE k 100
[heard] a|
TYPE k
b| PERSIST k
[heard] a|
GET k
b| PERSIST k
[heard] a|
GETRANGE k 0 1
b| APPEND k x
[heard] a|
GET k
b| SETRANGE k 0 y
[heard] a|
GET k
b| GETEX k EX 100
[heard] a|
GET k
b| GETDEL k
[heard] a|
GET k
b| DEL k
[heard] a|
b| SETNX k 1
[heard] a|
GET k
b| SETNX k 2
b| MSETNX k 1 l 2
[heard] a|
b| COPY k l
GET l
b| COPY k l
[heard] a|
b| COPY k l REPLACE
[heard] a|
GET k
GET m
b| RENAME k m
[unordered] a|
GET m
b| MOVE m 1
[heard] a|
GET m
b| SETBIT m 1 1
[heard] a|
GETBIT m 1
b| BITOP NOT m m
[heard] a|
BITCOUNT m
b| UNLINK m
[heard] a|
GET m
b| EXPIRE m 100
[heard] a|
b| SET m 1
[heard] a|
GET m
b| EXPIRE m -1
[heard] a|

# commands that write remember nothing
[hello] HELLO 3
CLIENT TRACKING ON
SET k 1
INCR k
GETSET k 2
APPEND k x
[all] GETEX k
b| SET k 2
[heard] a|

# commands about keys in general remember nothing
[hello] HELLO 3
CLIENT TRACKING ON
SET k 1
[sorted] KEYS *
[scan] SCAN
[type] RANDOMKEY
DBSIZE
b| SET k 2
[heard] a|
OBJECT ENCODING k
b| SET k 3
[heard] a|
DUMP nothing
b| SET nothing 3
[heard] a|
TOUCH k l
b| MSET k 1 l 2
[unordered] a|
WATCH k
b| SET k 3
[heard] a|
UNWATCH

# a wrong command remembers nothing, one that fails does
[hello] HELLO 3
CLIENT TRACKING ON
GET k x
GETRANGE k x y
b| SET k 2
[heard] a|

# one's own changes, behind the reply
[hello] HELLO 3
CLIENT TRACKING ON
GET k
[all] SET k 1
GET k
[all] DEL k
[all] MGET a b
[all] MSET a 1 b 2
[raw 6] "GET a\r\nSET a 1\r\nGET b\r\nSET b 2\r\n"

# NOLOOP
[hello] HELLO 3
CLIENT TRACKING ON NOLOOP
GET k
[all] SET k 1
b| SET k 2
[heard] a|
GET k
b| SET k 3
[heard] a|
GET k
[all] FLUSHALL

# in a transaction
[hello] HELLO 3
CLIENT TRACKING ON
MULTI
GET a
MGET b c
EXEC
b| SET a 1
b| SET c 1
[heard] a|
GET a
GET b
MULTI
SET a 2
SET b 3
GET a
[all] EXEC
b| SET a 4
[heard] a|
GET x
b| MULTI
b| SET x 1
b| SET x 2
b| DEL x
b| EXEC
[heard] a|

# databases are all one
[hello] HELLO 3
CLIENT TRACKING ON
GET k
b| SELECT 1
b| SET k 1
[heard] a|
SELECT 2
GET k
SELECT 0
b| SET k 2
[heard] a|

# OPTIN
[hello] HELLO 3
CLIENT TRACKING ON OPTIN
GET k
b| SET k 1
[heard] a|
CLIENT CACHING YES
GET k
GET l
b| MSET k 1 l 1
[heard] a|
CLIENT CACHING YES
CLIENT GETNAME
GET k
b| SET k 1
[heard] a|
CLIENT CACHING YES
MULTI
GET k
GET l
EXEC
GET m
b| MSET k 1 l 1 m 1
[unordered] a|
CLIENT CACHING YES
PING
GET k
b| SET k 2
[heard] a|
CLIENT CACHING YES
NOSUCH
GET k
b| SET k 2
[heard] a|
CLIENT CACHING YES
GET
GET k
b| SET k 2
[heard] a|

# OPTOUT
[hello] HELLO 3
CLIENT TRACKING ON OPTOUT
GET k
b| SET k 1
[heard] a|
CLIENT CACHING NO
GET k
GET l
b| MSET k 1 l 1
[heard] a|

# BCAST
[hello] HELLO 3
CLIENT TRACKING ON BCAST
b| SET k 1
[heard] a|
b| MSET z 1 a 2 k 3 a 4
[heard] a|
b| MULTI
b| SET y 1
b| SET x 2
b| DEL k
b| EXEC
[heard] a|
b| GET k
b| DEL nothing
[heard] a|
[raw 2] "SET own 1\r\n"
[raw 2] b| "SET p 1\r\nSET o 1\r\n"
[heard 1] a|
CLIENT TRACKING OFF
b| SET k 1
[heard] a|

# BCAST with prefixes
[hello] HELLO 3
CLIENT TRACKING ON BCAST PREFIX user: PREFIX "\xff"
b| SET user:1 1
[heard] a|
b| SET user 1
b| SET User:1 1
b| SET "\xfe" 1
[heard] a|
b| SET "\xff\xfe" 1
[heard] a|
b| SET user: 1
[heard] a|
b| DEL user:1
[heard] a|

# BCAST and NOLOOP
[hello] HELLO 3
CLIENT TRACKING ON BCAST NOLOOP
[all] SET k 1
[heard] a|
b| SET l 1
[heard] a|
[all] MSET a 1 b 2
[heard] a|

# two clients
[hello] HELLO 3
[hello] b| HELLO 3
CLIENT TRACKING ON
b| CLIENT TRACKING ON
GET k
b| GET k
c| SET k 1
[heard] a|
[heard] b|
GET k
b| GET k
[all] b| SET k 2
[heard] a|
[all] b| CLIENT TRACKING OFF
GET k
b| GET k
c| SET k 1
[heard] a|
[heard] b|

# who leaves is forgotten
[hello] c| HELLO 3
c| CLIENT TRACKING ON
c| GET k
[closed] c| QUIT
SET k 1
GET k

# who has switched it off and on again hears of what it had read, also when somebody else has left meanwhile
[hello] HELLO 3
CLIENT TRACKING ON
GET k
CLIENT TRACKING OFF
c| GET k
[closed] c| QUIT
CLIENT TRACKING ON
b| SET k 1
[heard] a|

# FLUSHDB and FLUSHALL
[hello] HELLO 3
CLIENT TRACKING ON
GET k
b| FLUSHDB
[heard] a|
b| SET k 1
[heard] a|
GET k
b| FLUSHALL
[heard] a|
b| FLUSHALL
[heard] a|
b| FLUSHDB ASYNC
[heard] a|
[all] FLUSHALL
MULTI
PING
FLUSHDB
PING
[all] EXEC
b| SELECT 5
b| FLUSHDB
[heard] a|
CLIENT TRACKING OFF
b| FLUSHALL
[heard] a|
CLIENT TRACKING ON BCAST PREFIX zzz
b| FLUSHALL
[heard] a|

# SWAPDB
[hello] HELLO 3
SET k 1
CLIENT TRACKING ON
GET k
b| SWAPDB 0 1
[heard] a|
b| SET k 2
[heard] a|
FLUSHALL

# expiry
[hello] HELLO 3
CLIENT TRACKING ON NOLOOP
// Read and set to expire in one go, so that no clock can come in between.
MULTI
SET k 1 PX 20
GET k
EXEC
[heard 1] a|
CLIENT TRACKING OFF
CLIENT TRACKING ON BCAST NOLOOP
SET k 1 PX 20
[heard 1] a|
b| SET l 1 PX 20
[heard 2] a|

# redirected to RESP3
[hello] r| HELLO 3
CLIENT TRACKING ON REDIRECT {id:r}
GET k
b| SET k 1
[heard] r|
[heard] a|
GET k
[all] SET k 2
[heard] r|
b| FLUSHALL
[heard] r|
[ids] CLIENT TRACKINGINFO

# redirected to RESP2
[hello] r| HELLO 2
CLIENT TRACKING ON REDIRECT {id:r}
GET k
b| SET k 1
[heard] r|
[all] r| SUBSCRIBE __redis__:invalidate
GET k
b| SET k 1
[heard] r|
GET k
[all] SET k 2
[heard] r|
b| FLUSHALL
[heard] r|
[all] r| UNSUBSCRIBE
[all] r| SUBSCRIBE anything
GET k
b| SET k 1
[heard] r|
b| PUBLISH __redis__:invalidate forged
[heard] r|

# BCAST, redirected
[hello] r| HELLO 2
[all] r| SUBSCRIBE __redis__:invalidate
CLIENT TRACKING ON REDIRECT {id:r} BCAST PREFIX k
b| MSET k1 1 k2 2 other 3
[heard] r|
[all] SET k3 1
[heard] r|

# redirected to a client that is gone
[hello] HELLO 3
[hello] r| HELLO 3
CLIENT TRACKING ON REDIRECT {id:r}
GET k
[closed] r| QUIT
[heard] a|
[ids] CLIENT TRACKINGINFO
b| SET k 1
[heard] a|
[ids] CLIENT TRACKINGINFO
GET k
b| SET k 1
[heard] a|
b| FLUSHALL
[heard] a|
GET k
[all] SET k 1
CLIENT TRACKING ON
CLIENT TRACKINGINFO
GET k
b| SET k 2
[heard] a|

# redirected to oneself
[hello] HELLO 3
CLIENT TRACKING ON REDIRECT {id:a}
GET k
b| SET k 1
[heard] a|
[ids] CLIENT TRACKINGINFO

# RESET ends it
[hello] HELLO 3
CLIENT TRACKING ON
GET k
RESET
[hello] HELLO 3
b| SET k 1
[heard] a|

# from RESP3 back to RESP2
[hello] HELLO 3
CLIENT TRACKING ON
GET k
[hello] HELLO 2
b| SET k 1
[heard] a|
GET k
[hello] HELLO 3
b| SET k 1
[heard] a|

# CLIENT REPLY OFF
[hello] HELLO 3
CLIENT TRACKING ON
GET k
[silent] CLIENT REPLY OFF
b| SET k 1
[heard 1] a|

# with notifications: who hears what first
[hello] HELLO 3
CONFIG SET notify-keyspace-events KA
CLIENT TRACKING ON
[all] PSUBSCRIBE *
GET k
b| SET k 1 EX 100
[heard] a|
GET k
[all] SET k 2
GET k
b| DEL k
[heard] a|
CONFIG SET notify-keyspace-events ""
`,
)
