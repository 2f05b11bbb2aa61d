// The bytes themselves: inline commands, arrays, their limits, and what ends a connection.

import { family } from '../script.ts'

export const protocol = family(
  'protocol',
  String.raw`
# inline commands
[raw 1] "PING\r\n"
[raw 1] "PING\n"
[raw 1] "  PING   hello  \r\n"
[raw 1] "PING\thello\r\n"
[raw 1] "SET k \"a b\\x00\\n\"\r\n"
GET k
[raw 1] "SET k 'a\\'b \"c\\n'\r\n"
GET k
[raw 1] "SET k \"\"\r\n"
GET k
[raw 1] "\r\n\r\n  \r\nPING\r\n"
[raw 1] "\n\nPING\r\n"
[raw 1] "SET k a\"b\"\r\n"
GET k
[raw 1] "get k\r\n"
[raw 1] "NOSUCH a b\r\n"
[raw 1] "SET k \"\\xff\\xFe\\xzz\\q\"\r\n"
GET k

# inline commands with open quotes
[raw closed] "SET k \"abc\r\n"

# inline commands with a quote and no space after it
[raw closed] "SET k \"abc\"d\r\n"

# inline commands with an open single quote
[raw closed] "SET k 'abc\r\n"

# an inline command that never ends
[raw closed] {x*70000}

# an inline command at the limit
[raw 1] "ECHO " {x*60000} "\r\n"

# arrays
[raw 1] "*1\r\n$4\r\nPING\r\n"
[raw 1] "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n"
[raw 1] "*0\r\n*1\r\n$4\r\nPING\r\n"
[raw 1] "*-1\r\n*1\r\n$4\r\nPING\r\n"
[raw 1] "*-10\r\n*1\r\n$4\r\nPING\r\n"
[raw 1] "*1\r\n$0\r\n\r\n"
[raw 2] "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nping\r\n"
[raw 3] "PING\r\n*1\r\n$4\r\nPING\r\nPING\r\n"
[raw 2] "*1\n$4\r\nPING\r\nPING\r\n"

# an array whose length is no number
[raw closed] "*x\r\n"

# an array whose length is missing
[raw closed] "*\r\n"

# an array that is too long
[raw open] "*1048577\r\n"

# an array that is far too long
[raw closed] "*99999999999999999999\r\n"

# an array whose length is negative beyond the range
[raw closed] "*-99999999999999999999\r\n"

# an array whose length has a plus
[raw closed] "*+1\r\n$4\r\nPING\r\n"

# an array whose length has a leading zero
[raw closed] "*01\r\n$4\r\nPING\r\n"

# an array whose length has a space
[raw closed] "* 1\r\n$4\r\nPING\r\n"

# a word without its dollar
[raw closed] "*1\r\nPING\r\n"

# a word that is an integer
[raw closed] "*1\r\n:1\r\n"

# a word whose type is a control character
[raw closed] "*1\r\n\x01\r\n"

# a word whose type is beyond ASCII
[raw closed] "*1\r\n\xff\r\n"

# a word whose length is no number
[raw closed] "*1\r\n$x\r\n"

# a word whose length is missing
[raw closed] "*1\r\n$\r\n"

# a word whose length is negative
[raw closed] "*1\r\n$-1\r\n"

# a word whose length is over the limit
[raw closed] "*2\r\n$4\r\nECHO\r\n$536870913\r\n"

# a word whose length is absurd
[raw closed] "*2\r\n$4\r\nECHO\r\n$9223372036854775807\r\n"

# a word whose length is more absurd
[raw closed] "*2\r\n$4\r\nECHO\r\n$99999999999999999999\r\n"

# a word that is longer than it said
[raw closed] "*1\r\n$4\r\nPINGPONG\r\n*x\r\n"

# an array length that never ends
[raw closed] "*" {1*70000}

# a word length that never ends
[raw closed] "*1\r\n$" {1*70000}

# what came before an error is answered
[raw closed] "PING\r\nSET k v\r\n*1\r\n$x\r\n"
b| GET k

# what comes after an error is not
[raw closed] "*1\r\n$x\r\nSET k w\r\n"
b| GET k

# a web browser
[raw closed] "POST / HTTP/1.1\r\nHost: x\r\n\r\n"

# a web browser that gets
[raw closed] "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

# unknown commands
NOSUCH
NOSUCH a
NOSUCH a b c
nosuch "a\r\nb"
"no\r\nsuch"
"no such" x
"no'such\"" "a'b" "c\"d"
NOSUCH {a*100} {b*100}
NOSUCH {a*200}
NOSUCH a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s t u v w x y z
{x*200} a
{x*128} a
"\xff\x00x" a
"" a
GET|x
CLIENT|ID
`,
)
