// Publish and subscribe: confirmations, messages, RESP2's subscriber mode, what is said where.

import { family } from '../script.ts'

export const pubsub = family(
  'pubsub',
  String.raw`
# a channel
[all] SUBSCRIBE news
b| PUBLISH news hello
b| PUBLISH other hello
b| PUBLISH News hello
[heard] a|
[all] UNSUBSCRIBE news
b| PUBLISH news gone
[heard] a|

# several channels, some twice
[all] SUBSCRIBE x y x z
[all] SUBSCRIBE y
b| PUBLISH x 1
b| PUBLISH y 2
b| PUBLISH z 3
[heard] a|
[all] UNSUBSCRIBE y y nowhere
b| PUBLISH y 4
b| PUBLISH z 5
[heard] a|

# a pattern
[all] PSUBSCRIBE n?ws h[ae]llo*
b| PUBLISH news 1
[all] PSUBSCRIBE *
b| PUBLISH news many
b| PUBLISH hello many
[unordered] a|
[all] PUNSUBSCRIBE *
b| PUBLISH news 2
b| PUBLISH hxllo 3
b| PUBLISH hallo! 4
[heard] a|
[all] PUNSUBSCRIBE n?ws nowhere
b| PUBLISH news 5
b| PUBLISH hello 6
[heard] a|

# a channel and a pattern for it
[all] SUBSCRIBE news
[all] PSUBSCRIBE n*
b| PUBLISH news twice
[heard] a|
[all] PSUBSCRIBE n*
b| PUBLISH news twice
[heard] a|
[all] UNSUBSCRIBE
b| PUBLISH news once
[heard] a|
[all] PUNSUBSCRIBE
b| PUBLISH news never
[heard] a|

# giving up what one has not
[all] UNSUBSCRIBE
[all] PUNSUBSCRIBE
[all] SUNSUBSCRIBE
[all] UNSUBSCRIBE x
[all] PUNSUBSCRIBE x y
[all] SUNSUBSCRIBE x
GET k

# giving up one kind leaves the others
[all] SUBSCRIBE c
[all] PSUBSCRIBE p
[all] SSUBSCRIBE s
[all] UNSUBSCRIBE
[all] SUNSUBSCRIBE
[all] SUNSUBSCRIBE
b| PUBLISH p 1
[heard] a|
[all] PUNSUBSCRIBE
GET k

# shard channels are a world of their own
[all] SSUBSCRIBE news
[all] SSUBSCRIBE news other
b| PUBLISH news 1
b| SPUBLISH news 2
b| SPUBLISH nothing 3
[heard] a|
b| PSUBSCRIBE *
[sorted] b| PUBSUB SHARDCHANNELS
[all] SUNSUBSCRIBE news
c| SPUBLISH news 4
c| SPUBLISH other 5
[heard] a|
[heard] b|

# binary names and messages
[all] SUBSCRIBE "\x00\xff\r\n" ""
b| PUBLISH "\x00\xff\r\n" "\x00\xfe\r\n"
b| PUBLISH "" ""
[heard] a|
[all] PSUBSCRIBE "\xff*" "\\*"
b| PUBLISH "\xff\xfe" x
b| PUBLISH * x
b| PUBLISH anything {x*100000}
[heard] a|
[sorted] c| PUBSUB CHANNELS

# two subscribers, in their order
[all] SUBSCRIBE news
[all] b| SUBSCRIBE news
c| PUBLISH news 1
[heard] a|
[heard] b|
[all] UNSUBSCRIBE news
c| PUBLISH news 2
[heard] a|
[heard] b|

# what a subscriber may do
[all] SUBSCRIBE news
[all] PING
[all] PING hello
[all] PING a b
[all] GET k
[all] SET k v
[all] SUBSCRIBE
[all] PUBLISH news 1
[all] CLIENT ID EXTRA
[all] CLIENT GETNAME
[all] CONFIG GET maxclients
[all] ECHO x
[all] NOSUCH x
[all] CLIENT NOSUCH
[all] GET
MULTI
[all] EXEC
[all] DISCARD
[all] WATCH k
[all] UNWATCH
[all] SELECT 1
[all] PUBSUB NUMPAT
[all] SPUBLISH x y
[all] AUTH x
[all] COMMAND COUNT EXTRA
[all] INFO nothing
[all] SSUBSCRIBE s
[all] PSUBSCRIBE p
[all] UNSUBSCRIBE
[all] PUNSUBSCRIBE
[all] GET k
[all] SUNSUBSCRIBE
[all] GET k

# QUIT leaves
[all] SUBSCRIBE news
[closed] QUIT
b| PUBLISH news 1
b| PUBSUB NUMSUB news

# RESET leaves
[all] SUBSCRIBE news
[all] PSUBSCRIBE n*
[all] SSUBSCRIBE n
[all] RESET
[all] GET k
b| PUBLISH news 1
b| SPUBLISH n 1
[heard] a|
b| PUBSUB NUMSUB news
b| PUBSUB NUMPAT

# who leaves is not counted
b| SUBSCRIBE news
b| PUBLISH news 1
[heard] b|

# PUBSUB
PUBSUB CHANNELS
PUBSUB NUMSUB
PUBSUB NUMSUB a b a
PUBSUB NUMPAT
PUBSUB SHARDCHANNELS
PUBSUB SHARDNUMSUB
PUBSUB SHARDNUMSUB a
[all] b| SUBSCRIBE a ab b
[all] b| PSUBSCRIBE a*
[all] b| SSUBSCRIBE s sa
[all] c| SUBSCRIBE a
[all] c| PSUBSCRIBE a* b*
[sorted] PUBSUB CHANNELS
[sorted] PUBSUB CHANNELS *
[sorted] PUBSUB CHANNELS a*
PUBSUB CHANNELS nothing
PUBSUB NUMSUB a b a*
PUBSUB NUMPAT
[sorted] PUBSUB SHARDCHANNELS
PUBSUB SHARDCHANNELS sa
PUBSUB SHARDNUMSUB s a
PUBSUB CHANNELS a b
PUBSUB SHARDCHANNELS a b
PUBSUB NUMPAT x
PUBSUB NOSUCH
PUBSUB
pubsub numsub a
[help] PUBSUB HELP

# arity
SUBSCRIBE
PSUBSCRIBE
SSUBSCRIBE
PUBLISH x
PUBLISH x y z
SPUBLISH x
SPUBLISH
PUBSUB

# in MULTI
MULTI
SUBSCRIBE a
PSUBSCRIBE x y
PUBLISH other 1
UNSUBSCRIBE
[all] EXEC

# SSUBSCRIBE in MULTI
MULTI
SSUBSCRIBE a
SUNSUBSCRIBE a
[all] EXEC
PUBSUB SHARDNUMSUB a

# one's own message out of a transaction
MULTI
SUBSCRIBE a
PUBLISH a 1
PUBLISH a 2
PING
[all] EXEC

# a message out of a transaction
[all] b| SUBSCRIBE news
MULTI
SET k 1
PUBLISH news 1
INCR k
PUBLISH news 2
EXEC
[heard] b|
MULTI
PUBLISH news 3
DISCARD
[heard] b|
MULTI
PUBLISH news 4
NOSUCH
EXEC
[heard] b|

# messages keep their order
[all] SUBSCRIBE a b
c| PUBLISH a 1
c| PUBLISH b 2
d| PUBLISH a 3
[raw 3] c| "PUBLISH a 4\r\nPUBLISH b 5\r\nPUBLISH a 6\r\n"
[heard] a|

# CLIENT REPLY does not silence messages
[silent] CLIENT REPLY OFF
[silent] SUBSCRIBE news
[heard 1] a|
b| PUBLISH news 1
[heard 1] a|

# CLIENT REPLY SKIP
[silent] CLIENT REPLY SKIP
[all] SUBSCRIBE news
b| PUBLISH news 1
[heard] a|

# CLIENT LIST and KILL by type
CLIENT SETNAME watcher
[all] b| CLIENT SETNAME sub
[all] b| SUBSCRIBE x y
[all] b| PSUBSCRIBE p
[clients] CLIENT LIST TYPE pubsub
CLIENT KILL TYPE pubsub
CLIENT LIST TYPE pubsub
PUBSUB NUMSUB x
[all] b| GET k

# HELLO in subscriber mode
[all] SUBSCRIBE news
[hello] HELLO 2
[hello] HELLO 9
[all] UNSUBSCRIBE
[all] GET k
`,
)

/** Played in RESP3 from the start and in RESP2 by what HELLO 3 changes: any command goes, and messages are pushes. */
export const pushes = family(
  'pushes',
  String.raw`
# any command goes
[hello] HELLO 3
[all] SUBSCRIBE news
SET k v
GET k
CLIENT GETNAME
b| PUBLISH news 1
[all] GET k
[all] PING
[all] PING x

# one's own message
[hello] HELLO 3
[all] SUBSCRIBE news
[all] PUBLISH news 1
[all] PSUBSCRIBE n*
[all] PUBLISH news 2
[all] UNSUBSCRIBE news
[all] PUBLISH news 3

# back to RESP2 with a subscription
[hello] HELLO 3
[all] SUBSCRIBE news
[hello] HELLO 2
[all] GET k
b| PUBLISH news 1
[heard] a|
[all] UNSUBSCRIBE
[all] GET k

# between the replies of a pipeline
[hello] HELLO 3
[all] SUBSCRIBE news
[raw 5] "SET k v\r\nPUBLISH news 1\r\nGET k\r\nPUBLISH other 1\r\n"
[raw 6] "PUBLISH news 2\r\nPUBLISH news 3\r\nMGET k k\r\nPING\r\n"
[raw 1] "NOSUCH\r\n"

# subscribing in MULTI
[hello] HELLO 3
MULTI
SUBSCRIBE a
UNSUBSCRIBE a
EXEC
[heard] a|

# CLIENT REPLY OFF
[hello] HELLO 3
[all] SUBSCRIBE news
[silent] CLIENT REPLY OFF
[silent] PUBLISH news 1
[heard 1] a|
b| PUBLISH news 2
[heard 1] a|
CLIENT REPLY ON
[silent] CLIENT REPLY SKIP
[silent] PUBLISH news 3
[heard 1] a|
GET k
`,
)
