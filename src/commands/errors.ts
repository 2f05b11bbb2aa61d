// The errors that more than one command answers, word for word Redis's: clients branch on these texts.
// The first word is the code; what only one command says stands beside it.

export const NOT_AN_INTEGER = 'ERR value is not an integer or out of range'
export const OUT_OF_INT32 = 'ERR value is out of range, value must between -2147483648 and 2147483647'
export const SYNTAX_ERROR = 'ERR syntax error'
export const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value'
export const NO_SUCH_KEY = 'ERR no such key'
export const SAME_OBJECT = 'ERR source and destination objects are the same'
export const DATABASE_RANGE = 'ERR DB index is out of range'
export const STILL_LOADING = 'LOADING Redis is loading the dataset in memory'
export const STRING_TOO_LONG = 'ERR string exceeds maximum allowed size (proto-max-bulk-len)'

/** The name as Redis shows it: lower case, subcommands with a bar ('config|set'). */
export function wrongArity(name: string): string {
  return `ERR wrong number of arguments for '${name.toLowerCase()}' command`
}

export function invalidExpireTime(name: string): string {
  return `ERR invalid expire time in '${name.toLowerCase()}' command`
}
