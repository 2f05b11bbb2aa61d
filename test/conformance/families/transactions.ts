// MULTI, EXEC, DISCARD, WATCH: queueing, aborting, and what counts as touching a watched key.

import { family } from '../script.ts'

export const transactions = family(
  'transactions',
  String.raw`
# MULTI and EXEC
MULTI
SET a 1
INCR a
GET a
MGET a missing
DEL nothing
EXEC
GET a
MULTI
EXEC
EXEC

# DISCARD
MULTI
SET a 1
DISCARD
GET a
DISCARD

# nested and misplaced
MULTI
MULTI
WATCH k
UNWATCH
SET a 1
EXEC
EXEC
DISCARD

# an error while queueing aborts
MULTI
SET a 1
NOSUCHCOMMAND x
SET b 2
EXEC
MGET a b
MULTI
SET a
EXEC
GET a
MULTI
CLIENT NOSUCH
EXEC
MULTI
SET a
DISCARD
EXEC

# an error while running does not
MULTI
SET a x
INCR a
SET b 2
EXEC
MGET a b

# WATCH and a change by another
SET k 1
WATCH k
b| SET k 2
MULTI
SET k 3
EXEC
GET k
MULTI
SET k 4
EXEC
GET k

# WATCH and no change
SET k 1
WATCH k other
b| SET third 2
b| GET k
MULTI
SET k 3
EXEC
GET k

# WATCH and the same value written again
SET k 1
WATCH k
b| SET k 1
MULTI
PING
EXEC

# WATCH and one's own change
WATCH k
SET k 1
MULTI
PING
EXEC

# UNWATCH
WATCH k
b| SET k 1
UNWATCH
MULTI
PING
EXEC

# DISCARD unwatches
WATCH k
MULTI
DISCARD
b| SET k 1
MULTI
PING
EXEC

# a failed EXEC unwatches
WATCH k
b| SET k 1
MULTI
EXEC
MULTI
PING
EXEC
WATCH k
MULTI
NOSUCH
EXEC
b| SET k 2
MULTI
PING
EXEC

# WATCH a key that is deleted, comes, or never was
WATCH k
b| DEL k
MULTI
PING
EXEC
SET k 1
WATCH k
b| DEL k
MULTI
PING
EXEC
WATCH fresh
b| SET fresh 1
MULTI
PING
EXEC
WATCH k
b| SET k 1
b| DEL k
MULTI
PING
EXEC

# WATCH and changes of the expiry
SET k 1
WATCH k
b| EXPIRE k 100
MULTI
PING
EXEC
WATCH k
b| PERSIST k
MULTI
PING
EXEC
WATCH k
b| PERSIST k
MULTI
PING
EXEC
WATCH k
b| EXPIRE k 100 XX
MULTI
PING
EXEC

# WATCH and GETEX, GETDEL, RENAME, COPY
SET k 1
WATCH k
b| GETEX k
MULTI
PING
EXEC
WATCH k
b| GETEX k EX 100
MULTI
PING
EXEC
WATCH k
b| RENAME k other
MULTI
PING
EXEC
WATCH k
b| COPY other k
MULTI
PING
EXEC
WATCH other
b| COPY other k
MULTI
PING
EXEC
WATCH k
b| GETDEL k
MULTI
PING
EXEC

# WATCH and FLUSHDB, FLUSHALL, SWAPDB
SET k 1
WATCH k
b| FLUSHDB
MULTI
PING
EXEC
WATCH k
b| FLUSHALL
MULTI
PING
EXEC
SET k 1
WATCH k
b| SWAPDB 0 1
MULTI
PING
EXEC
SELECT 0
b| SWAPDB 0 1
WATCH none
b| SWAPDB 0 1
MULTI
PING
EXEC
FLUSHALL

# WATCH sees its database only
SET k 1
WATCH k
b| SELECT 1
b| SET k 2
MULTI
PING
EXEC
WATCH k
SELECT 1
SET k 2
MULTI
PING
EXEC
SELECT 0
WATCH k
SELECT 1
b| SELECT 0
b| SET k 9
MULTI
PING
EXEC

# WATCH and a key that has expired
SET k 1
PEXPIRE k 1
[until :0] EXISTS k
WATCH k
MULTI
PING
EXEC
SET k 1 PX 1500
WATCH k
[until :0] EXISTS k
MULTI
PING
EXEC

# what may stand inside MULTI
MULTI
PING
ECHO x
SELECT 1
SET inner 1
SELECT 0
DBSIZE
FLUSHDB
MSET a 1 b 2
RENAME a c
EXPIRE c 100
TTL missing
TYPE c
CLIENT GETNAME
CLIENT SETNAME me
EXEC
[sorted] KEYS *
CLIENT GETNAME
FLUSHALL

# EXEC keeps the order and sees its own writes
MULTI
APPEND k a
APPEND k b
STRLEN k
GET k
DEL k
GET k
SET k c GET
GETDEL k
EXISTS k
EXEC

# RESET and QUIT leave a transaction
MULTI
SET a 1
RESET
GET a
EXEC
MULTI
SET a 1
[closed] QUIT
b| GET a

# HELLO and AUTH in MULTI
MULTI
HELLO 9
EXEC
MULTI
AUTH x
EXEC

# a pipelined transaction
[raw 5] "MULTI\r\nSET p 1\r\nINCR p\r\nEXEC\r\nGET p\r\n"
[raw 4] "MULTI\r\nSET p\r\nEXEC\r\nGET p\r\n"

# a watched key that is in another database when all is flushed
SELECT 3
SET k there
SELECT 0
b| WATCH k
FLUSHALL
b| MULTI
b| SET m 1
b| EXEC

# a watched key that is in neither of the databases swapped
SELECT 3
SET k there
SELECT 0
b| WATCH k
SWAPDB 0 1
b| MULTI
b| EXEC
b| WATCH k
SWAPDB 0 3
b| MULTI
b| EXEC
b| WATCH k
SWAPDB 3 0
b| MULTI
b| EXEC
`,
)
