// The server: INFO, CONFIG, COMMAND, TIME, SAVE and their like.

import { family } from '../script.ts'

export const server = family(
  'server',
  String.raw`
# TIME
[time] TIME
TIME x

# INFO
[sections] INFO server
[sections] INFO SERVER
[sections] INFO clients memory
[sections] INFO nosuchsection
[sections] INFO keyspace keyspace
[type] INFO
[type] INFO all
[type] INFO default everything
[sections] INFO replication
[sections] INFO cpu
[sections] INFO commandstats
[sections] INFO errorstats
[sections] INFO persistence
[sections] INFO stats
[sections] INFO cluster

# CONFIG GET
CONFIG GET maxclients
CONFIG GET MaxClients
CONFIG GET nosuch
[sorted] CONFIG GET save appendonly
CONFIG GET appendfsync
CONFIG GET databases
CONFIG GET timeout
CONFIG GET tcp-keepalive
CONFIG GET proto-max-bulk-len
CONFIG GET client-query-buffer-limit
CONFIG GET tcp-backl?g
CONFIG GET hz
CONFIG GET requirepass
CONFIG GET maxclients maxclients
CONFIG GET max[c]lients
CONFIG GET

# CONFIG SET
CONFIG SET timeout 100
CONFIG GET timeout
CONFIG SET timeout 0
CONFIG SET timeout x
CONFIG SET timeout -1
CONFIG SET nosuch 1
CONFIG SET timeout
CONFIG SET timeout 1 nosuch 2
CONFIG GET timeout
CONFIG SET timeout 1 timeout 2
CONFIG SET databases 20
CONFIG SET hz 20 timeout 5
CONFIG GET hz
CONFIG SET hz 10 timeout 0
CONFIG SET appendfsync bogus
CONFIG SET appendfsync always
CONFIG GET appendfsync
CONFIG SET appendfsync everysec
CONFIG SET proto-max-bulk-len 2mb
CONFIG GET proto-max-bulk-len
CONFIG SET proto-max-bulk-len 512mb
CONFIG SET proto-max-bulk-len 1
CONFIG SET proto-max-bulk-len 2zb
CONFIG SET maxclients 0
CONFIG SET TIMEOUT 0
CONFIG SET

# CONFIG, badly
CONFIG
CONFIG BOGUS
CONFIG BOGUS x
CONFIG REWRITE
CONFIG RESETSTAT
CONFIG RESETSTAT x

# proto-max-bulk-len holds
CONFIG SET proto-max-bulk-len 1mb
b| SET k {x*1048576}
c| [raw closed] "*2\r\n$4\r\nECHO\r\n$1048577\r\n"
b| APPEND k x
b| SETRANGE k 1048576 x
b| SETRANGE k 1048575 y
b| STRLEN k
CONFIG SET proto-max-bulk-len 512mb

# COMMAND
[type] COMMAND
[type] COMMAND COUNT
COMMAND COUNT x
COMMAND BOGUS
[type] COMMAND LIST
COMMAND LIST FILTERBY
COMMAND LIST FILTERBY BOGUS x
COMMAND LIST FILTERBY PATTERN getex
COMMAND LIST FILTERBY PATTERN nosuch
[sorted] COMMAND LIST FILTERBY PATTERN mset*
COMMAND INFO nosuch
[type] COMMAND INFO
[help] COMMAND HELP

# COMMAND INFO
[commands] COMMAND INFO PING ECHO QUIT RESET HELLO AUTH SELECT
[commands] COMMAND INFO CLIENT
[commands] COMMAND INFO GET SET SETNX GETDEL GETEX MGET MSET MSETNX
[commands] COMMAND INFO INCR DECR INCRBY DECRBY APPEND STRLEN SETRANGE GETRANGE
[commands] COMMAND INFO DEL UNLINK EXISTS TYPE RENAME COPY
[commands] COMMAND INFO SCAN KEYS DBSIZE RANDOMKEY FLUSHDB FLUSHALL SWAPDB MOVE
[commands] COMMAND INFO EXPIRE PEXPIRE EXPIREAT PEXPIREAT TTL PTTL EXPIRETIME PEXPIRETIME PERSIST
[commands] COMMAND INFO MULTI EXEC DISCARD WATCH UNWATCH
[commands] COMMAND INFO INFO COMMAND CONFIG TIME SHUTDOWN
[commands] COMMAND INFO SAVE BGSAVE LASTSAVE BGREWRITEAOF
[commands] COMMAND INFO get nosuch set
[commands] COMMAND INFO client|id config|get

# COMMAND GETKEYS
COMMAND GETKEYS GET k
COMMAND GETKEYS MSET a 1 b 2
COMMAND GETKEYS MGET a b c
COMMAND GETKEYS DEL a b
COMMAND GETKEYS RENAME a b
COMMAND GETKEYS COPY a b
COMMAND GETKEYS SET k v EX 10
COMMAND GETKEYS PING
COMMAND GETKEYS NOSUCH x
COMMAND GETKEYS GET
COMMAND GETKEYS
COMMAND GETKEYS CONFIG GET x

# COMMAND DOCS
[docs] COMMAND DOCS get
[docs] COMMAND DOCS SET
[docs] COMMAND DOCS ping echo select
[docs] COMMAND DOCS nosuch
[docs] COMMAND DOCS mset getex expire
[docs] COMMAND DOCS flushall swapdb move copy
[docs] COMMAND DOCS multi exec discard watch unwatch
[docs] COMMAND DOCS info config command time shutdown save bgsave lastsave bgrewriteaof

# SAVE and its like
SAVE
SAVE x
[positive] LASTSAVE
LASTSAVE x
BGSAVE BOGUS
BGSAVE SCHEDULE x
BGREWRITEAOF x
MULTI
SAVE
BGSAVE x
EXEC
MULTI
SAVE
EXEC

# SHUTDOWN, badly
SHUTDOWN BOGUS
SHUTDOWN ABORT
SHUTDOWN SAVE NOSAVE
SHUTDOWN NOSAVE ABORT
SHUTDOWN NOW FORCE ABORT
PING
`,
)
