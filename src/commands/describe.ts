// A row in Redis's words: what COMMAND INFO and COMMAND DOCS say about it follows from the row.
//
// Flags and categories come out in the order Redis gives them. A row's own `categories` are only those that no flag implies.

import {
  ADMIN,
  BLOCKING,
  type Command,
  FAST,
  GROWS,
  type KeyRange,
  LOADING,
  MOVABLE_KEYS,
  NO_AUTH,
  NO_MULTI,
  NOSCRIPT,
  PUBSUB,
  READ,
  SKIP_MONITOR,
  SKIP_SLOWLOG,
  STALE,
  WRITE,
} from './command.ts'

const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [WRITE, 'write'],
  [READ, 'readonly'],
  [GROWS, 'denyoom'],
  [ADMIN, 'admin'],
  [PUBSUB, 'pubsub'],
  [NOSCRIPT, 'noscript'],
  [BLOCKING, 'blocking'],
  [LOADING, 'loading'],
  [STALE, 'stale'],
  [SKIP_MONITOR, 'skip_monitor'],
  [SKIP_SLOWLOG, 'skip_slowlog'],
  [FAST, 'fast'],
  [NO_AUTH, 'no_auth'],
  [NO_MULTI, 'no_multi'],
  [MOVABLE_KEYS, 'movablekeys'],
]

export function flagNames(command: Command): string[] {
  return FLAG_NAMES.filter(([bit]) => (command.flags & bit) !== 0).map(([, name]) => name)
}

/** All categories there are, in Redis's order; those of types that do not exist here have no commands. */
export const CATEGORIES: readonly string[] = [
  'keyspace',
  'read',
  'write',
  'set',
  'sortedset',
  'list',
  'hash',
  'string',
  'bitmap',
  'hyperloglog',
  'geo',
  'stream',
  'pubsub',
  'admin',
  'fast',
  'slow',
  'blocking',
  'dangerous',
  'connection',
  'transaction',
  'scripting',
]

const CATEGORY_OF_GROUP: Readonly<Record<Command['group'], string | null>> = {
  string: 'string',
  generic: 'keyspace',
  connection: 'connection',
  transactions: 'transaction',
  server: null,
  pubsub: null, // the flag says it
  bitmap: 'bitmap',
  hyperloglog: 'hyperloglog',
  scripting: 'scripting',
  cluster: null,
}

const CATEGORIES_OF_FLAGS: readonly (readonly [number, readonly string[]])[] = [
  [READ, ['read']],
  [WRITE, ['write']],
  [PUBSUB, ['pubsub']],
  [ADMIN, ['admin', 'dangerous']],
  [FAST, ['fast']],
  [BLOCKING, ['blocking']],
]

/** ACL categories, without '@'. */
export function categoriesOf(command: Command): string[] {
  const own = new Set(command.categories)
  const ofGroup = command.category ?? CATEGORY_OF_GROUP[command.group]
  // A container that does nothing by itself (CLIENT, CONFIG) belongs nowhere; its subcommands do.
  const doesNothing = command.subcommands !== undefined && command.arity < -1
  if (ofGroup !== null && !doesNothing) own.add(ofGroup)
  for (const [bit, names] of CATEGORIES_OF_FLAGS) {
    if ((command.flags & bit) !== 0) for (const name of names) own.add(name)
  }
  if ((command.flags & FAST) === 0) own.add('slow')
  return CATEGORIES.filter((name) => own.has(name))
}

/** One of COMMAND's key specifications. */
export interface KeySpecification {
  readonly access: readonly string[]
  readonly index: number
  /** Relative to `index`; negative: counted from the last argument, -1. */
  readonly lastKey: number
  readonly step: number
}

export function keySpecifications(command: Command): KeySpecification[] {
  const { keys } = command
  if (keys === null) return []
  const access = accessOf(command)
  // The last one speaks for all keys that remain.
  return access.map((each, i) => {
    const index = keys.first + i * keys.step
    const isLast = i === access.length - 1
    return { access: each, index, lastKey: isLast ? relativeLast(keys, index) : 0, step: keys.step }
  })
}

/** What is done to the key with that number among the keys of a call. */
export function accessOfKey(command: Command, nth: number): readonly string[] {
  const access = accessOf(command)
  return access[Math.min(nth, access.length - 1)]!
}

function accessOf(command: Command): readonly (readonly string[])[] {
  if (command.access !== undefined) return command.access
  return [(command.flags & WRITE) !== 0 ? ['RW', 'update'] : ['RO']]
}

function relativeLast(keys: KeyRange, index: number): number {
  return keys.last < 0 ? keys.last : keys.last - index
}
