// What the server tells of itself and its clients: COMMAND, CLIENT, SLOWLOG, LATENCY, MONITOR.

import { family } from '../script.ts'

export const introspection = family(
  'introspection',
  String.raw`
# COMMAND INFO, whole
[described] COMMAND INFO get set mget mset getex getdel incr append setrange getrange strlen
[described] COMMAND INFO del unlink exists type copy scan keys dbsize randomkey touch
[described] COMMAND INFO flushdb flushall swapdb expire pexpire expireat pexpireat ttl pttl expiretime pexpiretime persist
[described] COMMAND INFO multi exec discard watch unwatch
[described] COMMAND INFO ping echo quit reset hello auth select
[described] COMMAND INFO setbit getbit bitcount bitpos bitop bitfield bitfield_ro pfadd pfcount pfmerge lcs
[described] COMMAND INFO subscribe unsubscribe psubscribe punsubscribe publish ssubscribe sunsubscribe spublish pubsub
[described] COMMAND INFO command config slowlog latency monitor info time lastsave save bgsave bgrewriteaof
[described] COMMAND INFO client|kill client|list client|pause client|unpause client|unblock client|info client|id client|reply
[described] COMMAND INFO config|get CONFIG|SET nosuch|get config|nosuch config| |get "" get|x
[described] COMMAND INFO slowlog|get slowlog|help latency|histogram command|getkeysandflags

# COMMAND DOCS, whole
[documented] COMMAND DOCS get set mget mset msetnx getex getdel getset setex psetex setnx incr incrby incrbyfloat decrby substr
[documented] COMMAND DOCS append setrange getrange strlen lcs setbit getbit bitcount bitpos bitop bitfield bitfield_ro
[documented] COMMAND DOCS del unlink exists type rename renamenx copy scan keys dbsize randomkey touch object
[documented] COMMAND DOCS flushdb flushall swapdb move expire pexpire expireat pexpireat ttl pttl expiretime pexpiretime persist
[documented] COMMAND DOCS multi exec discard watch unwatch ping echo quit reset hello auth select
[documented] COMMAND DOCS subscribe unsubscribe psubscribe punsubscribe publish ssubscribe sunsubscribe spublish pubsub
[documented] COMMAND DOCS command config slowlog latency monitor info time lastsave save bgsave bgrewriteaof
[documented] COMMAND DOCS client|kill client|list client|pause client|unpause client|unblock client|info client|id client|reply
[documented] COMMAND DOCS pfadd pfcount pfmerge nosuch get GET client|nosuch shutdown

# COMMAND GETKEYSANDFLAGS
COMMAND GETKEYSANDFLAGS GET k
COMMAND GETKEYSANDFLAGS SET k v
COMMAND GETKEYSANDFLAGS SET k v GET
COMMAND GETKEYSANDFLAGS MSET a 1 b 2
COMMAND GETKEYSANDFLAGS COPY a b
COMMAND GETKEYSANDFLAGS RENAME a b
COMMAND GETKEYSANDFLAGS DEL a b c
COMMAND GETKEYSANDFLAGS GETDEL a
COMMAND GETKEYSANDFLAGS GETEX a
COMMAND GETKEYSANDFLAGS INCR a
COMMAND GETKEYSANDFLAGS APPEND a b
COMMAND GETKEYSANDFLAGS EXISTS a b
COMMAND GETKEYSANDFLAGS WATCH a b
COMMAND GETKEYSANDFLAGS BITOP and d a b
COMMAND GETKEYSANDFLAGS BITFIELD k get u8 0
COMMAND GETKEYSANDFLAGS BITFIELD k set u8 0 1
COMMAND GETKEYSANDFLAGS PFMERGE a b c
COMMAND GETKEYSANDFLAGS PFCOUNT a b
COMMAND GETKEYSANDFLAGS LCS a b
COMMAND GETKEYSANDFLAGS PING
COMMAND GETKEYSANDFLAGS NOSUCH
COMMAND GETKEYSANDFLAGS GET
COMMAND GETKEYSANDFLAGS OBJECT ENCODING k
COMMAND GETKEYS OBJECT ENCODING k
COMMAND GETKEYS BITOP not d a
COMMAND GETKEYS "GET" "\x00\xff"
COMMAND GETKEYS get
COMMAND GETKEYSANDFLAGS

# COMMAND LIST and COUNT, badly
COMMAND LIST x
COMMAND LIST FILTERBY
COMMAND LIST FILTERBY ACLCAT
COMMAND LIST FILTERBY ACLCAT nosuch
COMMAND LIST FILTERBY MODULE x
COMMAND LIST FILTERBY PATTERN a b
COMMAND LIST NOSUCH MODULE x
[sorted] COMMAND LIST filterby pattern xpi*
[sorted] COMMAND LIST FILTERBY PATTERN client|*name
COMMAND COUNT 1
COMMAND NOSUCH
COMMAND HELP x
[help] COMMAND HELP

# CLIENT LIST
CLIENT SETNAME me
[listed] CLIENT LIST TYPE normal
[listed] CLIENT LIST
[listed] CLIENT INFO
b| MULTI
b| SET k v
c| SUBSCRIBE x
[listed] CLIENT LIST TYPE NORMAL
[listed] CLIENT LIST TYPE pubsub
[listed] CLIENT LIST TYPE master
[listed] CLIENT LIST TYPE slave
[listed] CLIENT LIST TYPE replica
[listed] CLIENT LIST ID {id:b} {id:a} 99999999
[listed] CLIENT LIST ID {id:c}
[listed] CLIENT LIST ID 0
[listed] CLIENT LIST ID -1
CLIENT LIST ID
CLIENT LIST ID x
CLIENT LIST ID 1 x
CLIENT LIST ID 99999999999999999999
CLIENT LIST TYPE
CLIENT LIST TYPE nosuch
CLIENT LIST TYPE normal x
CLIENT LIST NOSUCH
CLIENT LIST TYPE normal ID 1
b| EXEC
SELECT 3
b| WATCH k
b| MULTI
SELECT 0
SET k w
[listed] CLIENT LIST
CLIENT NO-EVICT ON
[listed] CLIENT INFO
CLIENT NO-EVICT OFF
CLIENT INFO x
CLIENT ID x

# CLIENT KILL
CLIENT KILL
CLIENT KILL ID
CLIENT KILL ID 0
CLIENT KILL ID x
CLIENT KILL ID -1
CLIENT KILL ID 99999999
CLIENT KILL ID 1 TYPE
CLIENT KILL TYPE nosuch
CLIENT KILL TYPE pubsub
CLIENT KILL TYPE slave
CLIENT KILL TYPE master
CLIENT KILL USER nosuch
CLIENT KILL ADDR 1.2.3.4:5
CLIENT KILL LADDR 1.2.3.4:5
CLIENT KILL 1.2.3.4:5
CLIENT KILL SKIPME maybe ID 1
CLIENT KILL SKIPME yes ADDR 1.2.3.4:5
CLIENT KILL skipme no addr 1.2.3.4:5
CLIENT KILL MAXAGE 1
CLIENT KILL NOSUCH x
b| PING
c| SUBSCRIBE x
CLIENT KILL ID {id:b} TYPE pubsub
CLIENT KILL ID {id:b} SKIPME no
CLIENT KILL TYPE pubsub
CLIENT KILL ID {id:c}
CLIENT KILL ID {id:a}
PING
[closed] CLIENT KILL ID {id:a} SKIPME no

# CLIENT KILL of everybody else
b| PING
c| PING
CLIENT KILL TYPE normal
CLIENT KILL USER default
PING
[closed] CLIENT KILL TYPE normal SKIPME no

# CLIENT PAUSE, badly
CLIENT PAUSE
CLIENT PAUSE x
CLIENT PAUSE -1
CLIENT PAUSE 1.5
CLIENT PAUSE 1 NOSUCH
CLIENT PAUSE x NOSUCH
CLIENT PAUSE 1 WRITE x
CLIENT PAUSE 99999999999999999999
CLIENT PAUSE 0
PING
CLIENT UNPAUSE x
CLIENT UNPAUSE

# CLIENT PAUSE WRITE
SET k v
CLIENT PAUSE 100000 WRITE
[blocked 0] INFO clients
b| GET k
b| PING
b| SET k
b| NOSUCH
b| MULTI
b| GET k
b| DISCARD
[silent] b| SET k w
[blocked 1] INFO clients
GET k
[silent] c| PUBLISH x y
[silent] d| FLUSHALL
[blocked 3] INFO clients
[silent] e| EXPIRE k 100
[blocked 4] INFO clients
[silent] f| PFCOUNT nosuch
[blocked 5] INFO clients
CLIENT PAUSE 1 WRITE
[blocked 5] INFO clients
CLIENT UNPAUSE
[heard 1] c|
[blocked 0] INFO clients
[heard 1] b|
[heard 1] d|
[heard 1] e|
[heard 1] f|
CLIENT UNPAUSE

# CLIENT PAUSE WRITE and transactions
b| MULTI
b| SET k v
c| MULTI
c| GET k
CLIENT PAUSE 100000 write
c| EXEC
[silent] b| EXEC
[blocked 1] INFO clients
d| MULTI
d| GET k
[silent] d| SET k w
[blocked 2] INFO clients
CLIENT UNPAUSE
[heard 1] b|
[heard 1] d|
d| EXEC
MULTI
CLIENT PAUSE 100000 WRITE
SET k x
CLIENT UNPAUSE
EXEC
GET k

# CLIENT PAUSE ALL ends by itself
CLIENT PAUSE 300
PING
b| PING
CLIENT PAUSE 300 ALL
b| GET k
SET k v

# CLIENT PAUSE ALL and what is refused at once
CLIENT PAUSE 400
b| NOSUCH
b| GET
b| CLIENT UNPAUSE
PING

# CLIENT UNBLOCK
CLIENT UNBLOCK
CLIENT UNBLOCK x
CLIENT UNBLOCK 1 NOSUCH
CLIENT UNBLOCK x NOSUCH
CLIENT UNBLOCK 1 TIMEOUT x
CLIENT UNBLOCK 99999999
CLIENT UNBLOCK 99999999 timeout
CLIENT UNBLOCK 99999999 ERROR
b| PING
CLIENT UNBLOCK {id:b}
CLIENT UNBLOCK {id:a} ERROR

# CLIENT UNBLOCK of WAIT
b| SET k v
[silent] b| WAIT 1 0
[blocked 1] INFO clients
CLIENT UNBLOCK {id:b}
[heard 1] b|
[silent] b| WAIT 1 0
[blocked 1] INFO clients
[listed] CLIENT LIST ID {id:b}
CLIENT UNBLOCK {id:b} ERROR
[heard 1] b|
[silent] b| WAIT 1 0
[blocked 1] INFO clients
CLIENT UNBLOCK {id:b} TIMEOUT
[heard 1] b|
b| PING

# CLIENT, its other subcommands badly
CLIENT
CLIENT NOSUCH
CLIENT SETNAME
CLIENT SETNAME a b
CLIENT SETNAME "a b"
CLIENT SETNAME "\xff"
CLIENT GETNAME x
CLIENT NO-EVICT
CLIENT NO-EVICT maybe
CLIENT REPLY
CLIENT REPLY maybe
CLIENT ID x
CLIENT INFO x
CLIENT HELP x
[help] CLIENT HELP

# SLOWLOG
CONFIG SET slowlog-log-slower-than -1
SLOWLOG RESET
SLOWLOG LEN
CONFIG SET slowlog-log-slower-than 0
SLOWLOG RESET
SET k {v*200}
GET k
MGET a1 a2 a3 a4 a5 a6 a7 a8 a9 b1 b2 b3 b4 b5 b6 b7 b8 b9 c1 c2 c3 c4 c5 c6 c7 c8 c9 d1 d2 d3 d4 d5 d6 d7 d8 d9
MGET a1 a2 a3 a4 a5 a6 a7 a8 a9 b1 b2 b3 b4 b5 b6 b7 b8 b9 c1 c2 c3 c4 c5 c6 c7 c8 c9 d1 d2 d3 d4
MGET a1 a2 a3 a4 a5 a6 a7 a8 a9 b1 b2 b3 b4 b5 b6 b7 b8 b9 c1 c2 c3 c4 c5 c6 c7 c8 c9 d1 d2 d3 d4 d5
SET {k*128} {v*129}
SET "a\xff\n" "\x00\xfe"
incr k
AUTH pw
AUTH user pw
CONFIG SET requirepass ""
CONFIG SET timeout 0 requirepass ""
NOSUCH x
GET
CLIENT SETNAME me
MULTI
GET k
EXEC
b| PING
CONFIG SET slowlog-log-slower-than -1
SLOWLOG LEN
[slowlog] SLOWLOG GET -1
[slowlog] SLOWLOG GET
[slowlog] SLOWLOG GET 0
[slowlog] SLOWLOG GET 1
[slowlog] SLOWLOG GET 1000
CONFIG SET slowlog-max-len 3
SLOWLOG LEN
[slowlog] SLOWLOG GET
CONFIG SET slowlog-max-len 128
SLOWLOG LEN
SLOWLOG RESET
SLOWLOG LEN
SLOWLOG GET
CONFIG SET slowlog-log-slower-than 10000

# SLOWLOG, badly
SLOWLOG
SLOWLOG NOSUCH
SLOWLOG GET x
SLOWLOG GET -2
SLOWLOG GET 1 2
SLOWLOG GET 99999999999999999999
SLOWLOG LEN x
SLOWLOG RESET x
SLOWLOG HELP x
[help] SLOWLOG HELP
CONFIG SET slowlog-log-slower-than x
CONFIG SET slowlog-max-len -1
[sorted] CONFIG GET slowlog*

# LATENCY
LATENCY
LATENCY NOSUCH
LATENCY LATEST x
LATENCY HISTORY
LATENCY HISTORY a b
LATENCY HISTORY nosuch
LATENCY GRAPH
LATENCY GRAPH nosuch
LATENCY GRAPH "\xff"
LATENCY DOCTOR x
LATENCY HELP x
[help] LATENCY HELP
LATENCY RESET
LATENCY RESET nosuch
LATENCY LATEST

# LATENCY HISTOGRAM
CONFIG RESETSTAT
[histogram] LATENCY HISTOGRAM nosuch
SET k v
SET k v
GET k
[histogram] LATENCY HISTOGRAM set
[histogram] LATENCY HISTOGRAM get SET nosuch
[histogram] LATENCY HISTOGRAM
[histogram] LATENCY HISTOGRAM config
[histogram] LATENCY HISTOGRAM config|resetstat latency
CLIENT ID x
GET
[histogram] LATENCY HISTOGRAM client get
CONFIG SET latency-tracking no
GET k
[histogram] LATENCY HISTOGRAM get
CONFIG SET latency-tracking yes
GET k
[histogram] LATENCY HISTOGRAM get
CONFIG RESETSTAT
[histogram] LATENCY HISTOGRAM

# INFO commandstats and errorstats
CONFIG RESETSTAT
[counted] INFO commandstats
SET k v
SET k
GET k
INCR k
INCR k
NOSUCH
NOSUCH x
CLIENT NOSUCH
[positive] CLIENT ID
CLIENT ID x
SELECT 99
LCS
MULTI
GET k
INCR k
GET
EXEC
EXEC
MULTI
SET n 1
INCR k
EXEC
DISCARD
SET
AUTH pw
AUTH user pw
[counted] INFO commandstats
[counted] INFO errorstats
[counted] INFO latencystats
[stats] INFO stats
CONFIG SET latency-tracking-info-percentiles "0 12.5 100"
[counted] INFO latencystats
CONFIG SET latency-tracking-info-percentiles ""
[counted] INFO latencystats
CONFIG SET latency-tracking-info-percentiles "50 99 99.9" latency-tracking no
[counted] INFO latencystats
CONFIG SET latency-tracking yes
CONFIG RESETSTAT
[counted] INFO errorstats
[counted] INFO commandstats
[stats] INFO stats

# INFO keyspace_hits and keyspace_misses
CONFIG RESETSTAT
SET k v
SET n 1
[stats] INFO stats
GET k
GET no
[stats] INFO stats
MGET k n no
STRLEN k
STRLEN no
GETRANGE k 0 1
EXISTS k no no
[stats] INFO stats
TTL k
PTTL no
EXPIRETIME k
TYPE k
TYPE no
TOUCH k no
[stats] INFO stats
GETEX k
GETEX no
GETDEL no
GETSET n 2
SET k v GET
SET no v XX GET
SET k w NX
SETNX k w
[stats] INFO stats
INCR n
APPEND k x
SETRANGE k 0 x
DEL no
UNLINK no
EXPIRE k 100
EXPIRE no 100
PERSIST k
PERSIST no
[stats] INFO stats
RENAME k k2
RENAME no k2
RENAMENX k2 k
COPY k k3
COPY no k4
MOVE k3 1
MOVE no 1
[stats] INFO stats
OBJECT ENCODING n
OBJECT ENCODING no
OBJECT REFCOUNT no
DUMP no
SETBIT bits 1 1
GETBIT bits 1
GETBIT no 1
BITCOUNT bits
BITCOUNT no
BITPOS bits 1
BITPOS no 1
BITOP AND dest bits no
BITFIELD bits GET u8 0
BITFIELD no GET u8 0
BITFIELD_RO no GET u8 0
[stats] INFO stats
PFADD h a
PFCOUNT h
PFCOUNT no
PFCOUNT h no
PFMERGE h2 h no
LCS k no
SUBSTR k 0 0
INCRBYFLOAT n 1.5
WATCH k no
UNWATCH
[sorted] KEYS *
[type] SCAN 0 COUNT 1000
[type] RANDOMKEY
DBSIZE
[stats] INFO stats
MULTI
GET k
GET no
EXEC
[stats] INFO stats

# MONITOR
b| MONITOR
SET k v
get "k"
SET "a\r\n\t\a\b\"\\\x00\xff" 1
SELECT 3
GET x
SELECT 0
NOSUCH
GET
MULTI
SET k w
INCR k
PING
EXEC
[monitor 10] b|
AUTH pw
AUTH user pw
[hello] HELLO 2 AUTH default x
[hello] HELLO 2 AUTH default x SETNAME me
[hello] HELLO 2
CONFIG GET hz
CLIENT LIST TYPE master
[positive] CLIENT ID
COMMAND COUNT x
SLOWLOG LEN x
LATENCY HISTORY nosuch
TIME x
WATCH k
UNWATCH
MULTI
DISCARD
MULTI
GET
EXEC
PING
[monitor 13] b|

# a client that monitors
MONITOR
GET k
SET k v
EXISTS k
PUBLISH x y
PFCOUNT x
[monitor 2] PING
TIME x
[monitor 2] MULTI
GET k
[monitor 2] EXEC
[monitor 2] MULTI
PING
[monitor 3] EXEC
[listed] CLIENT LIST
MONITOR x
RESET
GET k
[listed] CLIENT INFO
MULTI
MONITOR
EXEC
MONITOR x

# an EXEC that is refused is shown to who monitors
b| MONITOR
MULTI
SET k v
EXEC x
EXEC
EXEC y
MULTI
NOSUCH
EXEC
PING
[monitor 7] b|

# who monitors and wants no replies
b| MONITOR
[silent] b| CLIENT REPLY SKIP
[monitor 1] b|
PING
[silent] b| CLIENT ID
[silent] b| CLIENT REPLY OFF
PING
GET k
[monitor 1] b| CLIENT REPLY ON
`,
)
