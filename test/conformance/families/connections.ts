// The connection itself: PING, ECHO, HELLO, RESET, QUIT, CLIENT.

import { family } from '../script.ts'

export const connections = family(
  'connections',
  String.raw`
# PING and ECHO
PING
PING hello
PING "\x00\xff\r\n"
PING a b
ECHO hello
ECHO ""
ECHO "\x00\xff"
ECHO
ECHO a b
ping
PiNg

# HELLO
[hello] HELLO
[hello] HELLO 3
[hello] HELLO 2
PING
[hello] HELLO 3
GET missing
HELLO 4
HELLO 1
HELLO x
HELLO 3 BOGUS
HELLO 3 AUTH
HELLO 3 AUTH default
HELLO 3 SETNAME
HELLO 3 SETNAME "with space"
[hello] HELLO 3 SETNAME me
CLIENT GETNAME
[hello] HELLO 3 AUTH default anything
HELLO 3 AUTH nobody anything
[hello] hello 2 setname you
CLIENT GETNAME
HELLO 3 SETNAME a SETNAME "b c"
CLIENT GETNAME

# QUIT
[closed] QUIT
b| PING
c| SET k v
[raw closed] "PING\r\n"

# QUIT answers what came before it
[raw closed] "SET k v\r\nGET k\r\nQUIT\r\nSET k w\r\n"
b| GET k

# QUIT with words
[closed] QUIT now please

# RESET
SELECT 3
CLIENT SETNAME me
MULTI
SET k v
RESET
CLIENT GETNAME
GET k
EXEC
SET k v
SELECT 0
GET k
WATCH k
RESET
b| SET k 2
MULTI
PING
EXEC
GET missing

# RESET takes no words
RESET now

# CLIENT ID
[positive] CLIENT ID
CLIENT ID x

# CLIENT SETNAME and GETNAME
CLIENT GETNAME
CLIENT SETNAME me
CLIENT GETNAME
CLIENT SETNAME ""
CLIENT GETNAME
CLIENT SETNAME "a b"
CLIENT SETNAME "a\nb"
CLIENT SETNAME "a\x00b"
CLIENT SETNAME "\xff"
CLIENT SETNAME "~!"
CLIENT GETNAME
CLIENT SETNAME
CLIENT SETNAME a b

# CLIENT SETINFO
CLIENT SETINFO LIB-NAME mylib
CLIENT SETINFO lib-ver 1.2.3
CLIENT SETINFO LIB-NAME ""
CLIENT SETINFO LIB-NAME "my lib"
CLIENT SETINFO LIB-VER "1\n2"
CLIENT SETINFO BOGUS x
CLIENT SETINFO LIB-NAME
CLIENT SETINFO

# CLIENT NO-EVICT and NO-TOUCH
CLIENT NO-EVICT ON
CLIENT NO-EVICT off
CLIENT NO-EVICT maybe
CLIENT NO-EVICT
CLIENT NO-TOUCH ON
CLIENT NO-TOUCH off
CLIENT NO-TOUCH maybe
CLIENT NO-TOUCH

# CLIENT INFO and LIST
CLIENT SETNAME me
SELECT 2
[clients] CLIENT INFO
[clients] CLIENT LIST
b| CLIENT SETNAME other
[clients] CLIENT LIST TYPE normal
[clients] CLIENT LIST TYPE pubsub
[clients] CLIENT LIST type NORMAL
CLIENT LIST TYPE master
CLIENT LIST TYPE bogus
CLIENT LIST TYPE
CLIENT LIST ID
CLIENT LIST ID x
CLIENT LIST ID 0
CLIENT LIST ID -1
CLIENT LIST ID 999999999
CLIENT LIST BOGUS
CLIENT LIST BOGUS x
CLIENT INFO x
MULTI
[clients] CLIENT INFO
DISCARD

# CLIENT KILL, the old way
CLIENT KILL 127.0.0.1:1
CLIENT KILL nonsense
CLIENT KILL 127.0.0.1:1 x

# CLIENT KILL, the new way
CLIENT KILL ID 999999999
CLIENT KILL ID x
CLIENT KILL ID 0
CLIENT KILL ID -1
CLIENT KILL ADDR 127.0.0.1:1
CLIENT KILL LADDR 127.0.0.1:1
CLIENT KILL USER nobody
CLIENT KILL TYPE bogus
CLIENT KILL TYPE pubsub
CLIENT KILL SKIPME maybe
CLIENT KILL SKIPME yes ID 999999999
CLIENT KILL BOGUS x
CLIENT KILL ID
CLIENT KILL ID 999999999 ADDR
CLIENT KILL

# CLIENT KILL hits
b| PING
b| CLIENT SETNAME victim
[positive] CLIENT KILL TYPE normal SKIPME yes
b| PING
PING
[closed] CLIENT KILL TYPE normal SKIPME no

# CLIENT REPLY
CLIENT REPLY ON
[silent] CLIENT REPLY OFF
[silent] PING
[silent] SET k v
[silent] NOSUCH
CLIENT REPLY ON
GET k
[silent] CLIENT REPLY SKIP
[silent] PING
PING 2
CLIENT REPLY BOGUS
CLIENT REPLY
CLIENT REPLY ON x

# CLIENT REPLY SKIP, and RESET is skipped
[silent] CLIENT REPLY SKIP
[silent] RESET
PING
[silent] CLIENT REPLY OFF
RESET
PING

# CLIENT REPLY SKIP skips one, also in a pipeline
[raw 2] "CLIENT REPLY SKIP\r\nPING one\r\nPING two\r\nCLIENT REPLY OFF\r\nPING three\r\nCLIENT REPLY ON\r\n"
PING

# CLIENT, badly
CLIENT
CLIENT BOGUS
CLIENT BOGUS x y
CLIENT "bo\r\ngus"
[help] CLIENT HELP
CLIENT HELP x
client id x
`,
)

export const authentication = family(
  'authentication',
  String.raw`
# AUTH
[raw 1] "RESET\r\n"
PING
GET k
SET k v
CLIENT ID
NOSUCH
COMMAND
INFO
HELLO
HELLO 3
HELLO 3 AUTH default wrong
HELLO 3 AUTH nobody secret
AUTH wrong
AUTH default wrong
AUTH nobody secret
AUTH
AUTH a b c
PING
AUTH secret
PING
AUTH wrong
PING
AUTH default secret
PING

# HELLO with AUTH
[raw 1] "RESET\r\n"
[hello] HELLO 3 AUTH default secret SETNAME me
CLIENT GETNAME
PING
[hello] HELLO 2 AUTH default secret
HELLO 2 AUTH default wrong
CLIENT GETNAME
PING

# HELLO that fails leaves the protocol as it was
[raw 1] "RESET\r\n"
HELLO 3 AUTH default wrong
GET k
AUTH secret
GET k

# RESET forgets
[raw 1] "RESET\r\n"
AUTH secret
PING
RESET
PING
QUIT

# CLIENT KILL USER counts who has not given the password too
[raw 1] "RESET\r\n"
AUTH secret
b| GET k
c| AUTH default secret
CLIENT KILL USER default LADDR 127.0.0.1:1
CLIENT KILL USER default

# MULTI before AUTH
[raw 1] "RESET\r\n"
MULTI
EXEC
DISCARD
WATCH k
AUTH secret
MULTI
SET a 1
EXEC
`,
  { password: 'secret' },
)

export const authenticationLimits = family(
  'limits before authentication',
  String.raw`
# too many words
[raw 1] "RESET\r\n"
[raw closed] "*11\r\n"

# a word that is too long
[raw 1] "RESET\r\n"
[raw closed] "*2\r\n$4\r\nPING\r\n$16385\r\n"

# just within
[raw 1] "RESET\r\n"
[raw 1] "*2\r\n$4\r\nECHO\r\n$16384\r\n" {x*16384} "\r\n"
[raw 1] "*10\r\n$4\r\nPING\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n"

# QUIT without a password
[raw 1] "RESET\r\n"
[closed] QUIT
`,
  { password: 'secret' },
)
