// DUMP and RESTORE. Payloads that redis-server compresses are not compared here, since compressors differ: dump-both-ways.test.ts
// has each server read what the other one wrote.

import { family } from '../script.ts'

export const dump = family(
  'dump',
  String.raw`
# DUMP of integers and short strings
SET k 0
DUMP k
SET k 127
DUMP k
SET k 128
DUMP k
SET k -128
DUMP k
SET k -129
DUMP k
SET k 32767
DUMP k
SET k 32768
DUMP k
SET k -32768
DUMP k
SET k -32769
DUMP k
SET k 2147483647
DUMP k
SET k 2147483648
DUMP k
SET k -2147483648
DUMP k
SET k -2147483649
DUMP k
SET k 9223372036854775807
DUMP k
SET k -9223372036854775808
DUMP k
SET k 01
DUMP k
SET k -0
DUMP k
SET k +5
DUMP k
SET k 1.5
DUMP k
SET k ""
DUMP k
SET k hello
DUMP k
SET k "\x00\xff\r\n"
DUMP k
SET k 0123456789abcdefghij
DUMP k
SET k "0123456789abcdefghijk"
DUMP k
SET k "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:"
DUMP k
SET k "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:;"
DUMP k
APPEND n 12
DUMP n
EXPIRE n 100
DUMP n
DUMP missing
DUMP
DUMP k x
SET t v PXAT 1
DUMP t

# RESTORE of each encoding
RESTORE a 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
GET a
RESTORE b 0 "\x00\xc0\x80\x0a\x00\x99f2m/\x0c[\xd9"
GET b
OBJECT ENCODING b
RESTORE c 0 "\x00\xc1\x00\x80\x0a\x00\xb5@\x06GS\xbb\x1a\xce"
GET c
RESTORE d 0 "\x00\xc2\xff\xff\xff\x7f\x0a\x00,t\xe5\x9e\xe0.\xad\xa1"
INCR d
RESTORE e 0 "\x00\x0a2147483648\x0a\x00\xe7\xb1)\xa3L\x1dv\xee"
GET e
RESTORE f 0 "\x00\xc3\x05@d\x00a\xe0Z\x00\x0a\x00qb\xa4\xb3\xd5\x1aXA"
GET f
RESTORE g 0 "\x00@F\x00%Jo\x94\xb9\xde\x03(Mr\x97\xbc\xe1\x06+Pu\x9a\xbf\xe4\x09.Sx\x9d\xc2\xe7\x0c1V\x7b\xa0\xc5\xea\x0f4Y~\xa3\xc8\xed\x127\\\x81\xa6\xcb\xf0\x15:_\x84\xa9\xce\xf3\x18=b\x87\xac\xd1\xf6\x1b@e\x8a\xaf\xd4\xf9\x0a\x00>C\xb6\x99S\x07\xf0\xf7"
GET g
RESTORE h 0 "\x00\x80\x00\x00\x00\x02ab\x0a\x00_\x18tri\xac\xe9\x09"
GET h
RESTORE i 0 "\x00\x81\x00\x00\x00\x00\x00\x00\x00\x02ab\x0a\x00\x9b\xf5\x10\x09\xb9!\xeb\x1e"
GET i
RESTORE j 0 "\x00\x00\x0a\x00]\x9b\\@\x0f\x7f\xa2\xda"
RESTORE k 0 "\x00\x01a\x01\x00\x8b\xba\x0e\xa8}\xd66\xe7"
GET k
RESTORE l 0 "\x00\xc3\x06\x05\x04abcde\x0a\x00w\xaf\x8bS\x13\x09\x8dT"
GET l
RESTORE m 0 "\x00\xc3\x00\x00\x0a\x00\x88\xdc\xdee\x93,Ku"
GET m
RESTORE n 0 "\x00\x02abcd\x0a\x00\xbd\x0e\x1b\x90&\x0a)V"
GET n
RESTORE-ASKING o 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
GET o
RESTORE "\x00bin\xff" 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
GET "\x00bin\xff"
DBSIZE

# RESTORE refuses what is broken
RESTORE a 0 ""
RESTORE a 0 junk
RESTORE a 0 "123456789"
RESTORE a 0 "1234567890"
RESTORE a 0 "\x00\x05hallo\x0a\x00cr\xdfve4 \x0a"
RESTORE a 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0b"
RESTORE a 0 "\x00\x01a\x0c\x00t\x88\xdb[u\x1c\xe3\xfd"
RESTORE a 0 "\x0a\x00]\x9b\\@\x0f\x7f\xa2\xda"
RESTORE a 0 "\x00\x14a\x0a\x00$\x0f\xe1\xcc5!-\xe2"
RESTORE a 0 "\x00\x82\x00\x00\x00\x02a\x0a\x00\xaf7\xac\xb4\xa0\x06iK"
RESTORE a 0 "\x00\xc4a\x0a\x00\xb2\xec\xa7\xaf3\x9c\x0a\x8f"
RESTORE a 0 "\x08\x01a\x0a\x00$\x85N\x1e\x80<\x037"
RESTORE a 0 "c\x01a\x0a\x00S\xc0\xfb\xdf\xba\xb5\xae\x06"
RESTORE a 0 "\x00\xc3\x01\x05\x00\x0a\x00a\xb9\x83\xbd\x88\xd5\xe1\x8b"
RESTORE a 0 "\x00\xc3\x06\x06\x04abcde\x0a\x00\x9b\xb2\xa0K@n\x03u"
RESTORE a 0 "\x00\xc3\x06\x04\x04abcde\x0a\x00\xd3[m\xa4\xdd+\xf7K"
RESTORE a 0 "\x00\xc3\x04\x0a\x00a\xe0\x00\x0a\x00\x83M\xc3xo\x82\x8d\xfa"
EXISTS a

# RESTORE of what only other servers have
RESTORE list 0 "\x12\x01\x02\x0d\x0d\x00\x00\x00\x02\x00\x81a\x02\x81b\x02\xff\x0a\x00h\xeb\x0a\x89\x13A\xbb\xb1"
RESTORE set 0 "\x0b\x0c\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x02\x00\x0a\x00oy8\xb14\xeb ."
RESTORE hash 0 "\x10\x0d\x0d\x00\x00\x00\x02\x00\x81a\x02\x81b\x02\xff\x0a\x00\xd9<\x7f\x07(\xf0\xed\xcc"
RESTORE zset 0 "\x11\x0c\x0c\x00\x00\x00\x02\x00\x81b\x02\x01\x01\xff\x0a\x00\xbe5\xc9\x9d\xfcO\xc8\xa5"
RESTORE newer 0 "\x00\x01a\x0b\x00\xd6!R\xe8r\xa9\x94="
EXISTS list set hash zset newer

# RESTORE's options and their errors
SET taken v EX 100
RESTORE taken 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
RESTORE taken x "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
RESTORE taken 0 junk
GET taken
RESTORE taken 0 junk REPLACE
GET taken
RESTORE taken 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" REPLACE
GET taken
TTL taken
RESTORE taken 100000 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" replace
[about] TTL taken
RESTORE taken 33177117420000 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" REPLACE ABSTTL
PEXPIRETIME taken
RESTORE taken 1 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" REPLACE ABSTTL
EXISTS taken
RESTORE taken 1 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" ABSTTL
EXISTS taken
RESTORE taken 9223372036854775807 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
EXISTS taken
RESTORE taken 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" ABSTTL
TTL taken
DEL taken
RESTORE k x "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
RESTORE k 1.5 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
RESTORE k -1 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
RESTORE k -1 junk
RESTORE k 9223372036854775808 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" BOGUS
RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" IDLETIME
RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" IDLETIME -1
RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" IDLETIME x
RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" FREQ
RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" FREQ -1
RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" FREQ 256
RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" FREQ x
RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" FREQ 1 IDLETIME 1
RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" IDLETIME 1 FREQ 1
RESTORE k x junk BOGUS
RESTORE k 0
RESTORE k
EXISTS k
RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" FREQ 255
RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" REPLACE REPLACE IDLETIME 1 IDLETIME 2
GET k

# in a transaction
SET k hello
MULTI
DUMP k
RESTORE l 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
RESTORE l 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a"
RESTORE m 0 junk
GET l
EXEC
WATCH k
b| RESTORE k 0 "\x00\x05hello\x0a\x00cr\xdfve4 \x0a" REPLACE
MULTI
EXEC
`,
)
