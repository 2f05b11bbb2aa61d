// Arity, for every command: too few words, too many, and the same inside MULTI, where it aborts the transaction.
// Generated from a table, because the rule is the same for each.

import { family } from '../script.ts'

/** Name, fewest and most words after the name (no most: as many as one likes). */
const arities: ReadonlyArray<readonly [name: string, fewest: number, most?: number]> = [
  ['PING', 0, 1],
  ['ECHO', 1, 1],
  ['RESET', 0, 0],
  ['AUTH', 1],
  ['SELECT', 1, 1],
  ['CLIENT', 1],
  ['CLIENT ID', 0, 0],
  ['CLIENT GETNAME', 0, 0],
  ['CLIENT SETNAME', 1, 1],
  ['CLIENT INFO', 0, 0],
  ['CLIENT KILL', 1],
  ['CLIENT REPLY', 1, 1],
  ['CLIENT NO-EVICT', 1, 1],
  ['GET', 1, 1],
  ['SET', 2],
  ['SETNX', 2, 2],
  ['GETDEL', 1, 1],
  ['GETEX', 1],
  ['MGET', 1],
  ['MSET', 2],
  ['MSETNX', 2],
  ['INCR', 1, 1],
  ['DECR', 1, 1],
  ['INCRBY', 2, 2],
  ['DECRBY', 2, 2],
  ['APPEND', 2, 2],
  ['STRLEN', 1, 1],
  ['SETRANGE', 3, 3],
  ['GETRANGE', 3, 3],
  ['DEL', 1],
  ['UNLINK', 1],
  ['EXISTS', 1],
  ['TYPE', 1, 1],
  ['RENAME', 2, 2],
  ['COPY', 2],
  ['SCAN', 1],
  ['KEYS', 1, 1],
  ['DBSIZE', 0, 0],
  ['RANDOMKEY', 0, 0],
  ['SWAPDB', 2, 2],
  ['MOVE', 2, 2],
  ['EXPIRE', 2],
  ['PEXPIRE', 2],
  ['EXPIREAT', 2],
  ['PEXPIREAT', 2],
  ['TTL', 1, 1],
  ['PTTL', 1, 1],
  ['EXPIRETIME', 1, 1],
  ['PEXPIRETIME', 1, 1],
  ['PERSIST', 1, 1],
  ['MULTI', 0, 0],
  ['EXEC', 0, 0],
  ['DISCARD', 0, 0],
  ['WATCH', 1],
  ['UNWATCH', 0, 0],
  ['CONFIG', 1],
  ['CONFIG GET', 1],
  ['CONFIG SET', 2],
  ['CONFIG REWRITE', 0, 0],
  ['TIME', 0, 0],
  ['SAVE', 0, 0],
  ['LASTSAVE', 0, 0],
  ['BGREWRITEAOF', 0, 0],
]

const words = (count: number): string => ' x'.repeat(count)

function cases([name, fewest, most]: (typeof arities)[number]): string {
  const wrong = [
    ...Array.from({ length: fewest }, (_, count) => name + words(count)),
    ...(most === undefined ? [] : [name + words(most + 1), name.toLowerCase() + words(most + 3)]),
  ]
  const inMulti = wrong.length > 0 ? ['MULTI', wrong[0]!, 'EXEC', 'DISCARD'] : []
  return [`# ${name}`, ...wrong, ...inMulti].join('\n')
}

export const arity = family('arity', arities.map(cases).join('\n\n'))
