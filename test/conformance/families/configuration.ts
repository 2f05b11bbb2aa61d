// CONFIG as clients see it: shapes of replies, arity, several at once, bytes, transactions. What each directive takes is judged
// in test/config, word by word.

import { family } from '../script.ts'

export const configuration = family(
  'configuration',
  String.raw`
# CONFIG and its subcommands
CONFIG
CONFIG NOSUCH
CONFIG GET
CONFIG SET
CONFIG SET timeout
CONFIG SET timeout 1 hz
CONFIG REWRITE now
CONFIG RESETSTAT x
CONFIG REWRITE
config get TIMEOUT
cOnFiG gEt tImEoUt

# CONFIG GET of several patterns
[sorted] CONFIG GET timeout hz maxmemory
[sorted] CONFIG GET timeout TIMEOUT
[sorted] CONFIG GET "zset-max-*" "hash-max-*"
[sorted] CONFIG GET slave-prio* replica-prio*
[sorted] CONFIG GET "latency-*" nosuch
CONFIG GET nosuch nosuch2
CONFIG GET ""
CONFIG GET "["
CONFIG GET "tim\x00eout"
CONFIG GET "tim\xffeout"
CONFIG GET list-max-ziplist-entries
CONFIG GET include

# CONFIG SET of several, all or none
CONFIG SET timeout 11 maxmemory 1mb hz 20
[sorted] CONFIG GET timeout maxmemory hz
CONFIG SET timeout 12 maxmemory nonsense hz 30
[sorted] CONFIG GET timeout maxmemory hz
CONFIG SET timeout 12 TIMEOUT 13
CONFIG SET timeout 12 nosuch 1 databases 2
CONFIG SET databases 2 nosuch 1
CONFIG SET timeout x databases 2
CONFIG SET slave-priority 7
[sorted] CONFIG GET slave-priority replica-priority
CONFIG SET slave-priority 8 replica-priority 9
CONFIG GET slave-priority
CONFIG SET replica-priority 100
CONFIG SET timeout 0 maxmemory 0 hz 10

# values as Redis writes them
CONFIG SET maxmemory 1gb
CONFIG GET maxmemory
CONFIG SET maxmemory 1K
CONFIG GET maxmemory
CONFIG SET maxmemory 18446744073709551615
CONFIG GET maxmemory
CONFIG SET maxmemory 0
CONFIG SET maxmemory-clients 50%
CONFIG GET maxmemory-clients
CONFIG SET maxmemory-clients 0
CONFIG SET maxmemory-policy ALLKEYS-LRU
CONFIG GET maxmemory-policy
CONFIG SET maxmemory-policy noeviction
CONFIG SET shutdown-on-sigterm "now save"
CONFIG GET shutdown-on-sigterm
CONFIG SET shutdown-on-sigterm "save nosave"
CONFIG SET shutdown-on-sigterm default
CONFIG SET client-output-buffer-limit "slave 1mb 2mb 30"
CONFIG GET client-output-buffer-limit
CONFIG SET client-output-buffer-limit "replica 256mb 64mb 60"
CONFIG SET slowlog-max-len 9223372036854775807
CONFIG GET slowlog-max-len
CONFIG SET slowlog-max-len 9223372036854775808
CONFIG SET slowlog-max-len 128
CONFIG SET notify-keyspace-events KEA
CONFIG GET notify-keyspace-events
CONFIG SET notify-keyspace-events ""
CONFIG SET save "3600 1 60 10000"
CONFIG GET save
CONFIG SET save ""
CONFIG GET save

# values are bytes
CONFIG SET masterauth "a\x00b\xff\r\n\"c"
CONFIG GET masterauth
CONFIG SET masterauth ""
CONFIG SET "no\r\nsuch" 1
CONFIG SET "no\xffsuch" 1
CONFIG SET "" 1
CONFIG SET timeout "1\x00"
CONFIG SET timeout ""

# what cannot be set
CONFIG SET databases 16
CONFIG SET dbfilename x
CONFIG SET dir /tmp
CONFIG SET unixsocket /tmp/x
CONFIG SET tcp-backlog 5
CONFIG SET logfile x
CONFIG SET daemonize yes
CONFIG SET replicaof "no one"
CONFIG SET maxclients 0
CONFIG SET port 65536
CONFIG SET port -1
CONFIG SET bind "a/b"
CONFIG SET bind "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"

# in a transaction
MULTI
CONFIG SET timeout 5 hz 20
CONFIG GET timeout
CONFIG SET timeout x
CONFIG RESETSTAT
EXEC
CONFIG SET timeout 0 hz 10

# rdbcompression decides what DUMP gives
SET k {x*300}
CONFIG SET rdbcompression no
DUMP k
CONFIG SET rdbcompression yes

# a password that is set holds for those who come
CONFIG SET requirepass secret
d| PING
CONFIG SET requirepass ""
d| PING
CONFIG SET requirepass secret
d| PING
b| PING
b| AUTH wrong
b| AUTH secret
b| CONFIG GET requirepass
b| CONFIG SET requirepass ""
c| PING
`,
)
