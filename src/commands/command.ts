// A command is a row of a table.
//
//   name        upper case; subcommands ('CLIENT|GETNAME') are rows of their own under their container
//   arity       as Redis counts it, the name included; negative: at least
//   flags       what gates, MULTI and COMMAND ask about it: the bits below
//   keys        which arguments are keys: { first, last, step } as in COMMAND INFO, last -1 the last argument; null none; or a function
//   values      which keys' *values* the handler needs in memory before it may run (dispatch parks the connection until they
//               are). Commands that only return bytes need none: they capture the location and leave a reply slot
//   access      how the keys are used, in COMMAND's words ('RO access'): a list for each key, the last one for all others too
//   run         the handler: reads its arguments, asks the engine, appends its reply
//   summary, since, group, complexity   for COMMAND DOCS and the README
//
// Everything that wants to know something about commands asks this table: COMMAND, gates, key extraction, README, tests.
//
// A handler runs in one go, in memory; nothing in it is awaited. When it runs, dispatch has checked arity, authentication, gates
// and subcommand. A bad argument is a reply, an exception is our bug.

import type { Args } from '../resp/args.ts'
import type { Session } from './session.ts'

/** May change data: refused when the store has failed, parked when it stalls, refused to replicas, propagated. */
export const WRITE = 1
export const READ = 2
/** May make the data larger: refused when the disk is full ('denyoom' in COMMAND). */
export const GROWS = 4
export const ADMIN = 8
export const FAST = 16
/** Runs while the store is still loading. */
export const LOADING = 32
/** Runs before authentication. */
export const NO_AUTH = 64
/** Refused inside MULTI. */
export const NO_MULTI = 128
/** Runs at once even inside MULTI (EXEC, DISCARD, ...): not queued. */
export const IMMEDIATE = 256
export const NOSCRIPT = 512
export const STALE = 1024
export const PUBSUB = 2048
export const BLOCKING = 4096
export const SKIP_MONITOR = 8192
export const SKIP_SLOWLOG = 16384
export const MOVABLE_KEYS = 32768
/** Refused unless a directive allows it (enable-debug-command, enable-module-command). Redis does not show this flag. */
export const PROTECTED = 65536
/** Does not write, but what it does would be passed on to replicas: waits as writes do (CLIENT PAUSE). Redis does not show this flag. */
export const MAY_REPLICATE = 131072

export interface KeyRange {
  readonly first: number
  readonly last: number
  readonly step: number
}

export const FIRST_KEY: KeyRange = { first: 1, last: 1, step: 1 }
export const ALL_KEYS: KeyRange = { first: 1, last: -1, step: 1 }
export const TWO_KEYS: KeyRange = { first: 1, last: 2, step: 1 }
export const PAIRED_KEYS: KeyRange = { first: 1, last: -1, step: 2 }

export interface Command {
  readonly name: string
  readonly arity: number
  readonly flags: number
  readonly keys: KeyRange | null
  /** Argument range whose keys' values must be in memory, null for none. */
  readonly values?: KeyRange | null
  /** Narrows `values` by the arguments (SET needs the old value in memory only if ...). False: this call needs none. */
  readonly needsValues?: (args: Args) => boolean
  /** COMMAND's key specifications: what happens to the keys. Without it READ rows say 'RO access', others 'RW update'. */
  readonly access?: readonly (readonly string[])[]
  /** Narrows `access` by the arguments, for COMMAND GETKEYSANDFLAGS; the command's name stands at argument `name`. */
  readonly accessNow?: (args: Args, name: number) => readonly string[]
  readonly run: (session: Session, args: Args) => void
  readonly summary: string
  readonly since: string
  readonly group:
    | 'string'
    | 'generic'
    | 'connection'
    | 'transactions'
    | 'server'
    | 'pubsub'
    | 'bitmap'
    | 'hyperloglog'
    | 'scripting'
    | 'cluster'
  readonly complexity: string
  /** COMMAND's tips for cluster proxies ('request_policy:multi_shard', 'nondeterministic_output', ...). */
  readonly tips?: readonly string[]
  /** ACL categories beyond those that follow from the flags. */
  readonly categories?: readonly string[]
  /** The ACL category in place of the one that follows from the group. */
  readonly category?: string
  /**
   * A container: dispatch picks by the first argument, in upper case. Its own `run` is called only for the bare name, where
   * its arity allows that (COMMAND, MERGE); its own flags and keys never count for a subcommand.
   */
  readonly subcommands?: ReadonlyMap<string, Command>
  /** How it differs from Redis, for the README table. */
  readonly difference?: string
}
