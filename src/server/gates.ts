// Gates: why a command must not run now.
//
// A gate is a bit. The engine closes some (engine.ts), the connection others; each row of the command table knows by its mask
// which ones concern it. Dispatch takes one AND. Only on a hit does anybody ask what is the matter, and that is answered here.

import {
  type Command,
  GROWS,
  IMMEDIATE,
  LOADING,
  MAY_REPLICATE,
  NO_AUTH,
  PROTECTED,
  READ,
  WRITE,
} from '../commands/command.ts'
import { STILL_LOADING } from '../commands/errors.ts'
import { GATE_FAILED, GATE_FULL, GATE_LOADING, GATE_STALLED } from '../engine/engine.ts'

/** The connection has not given the password. */
export const GATE_UNAUTHENTICATED = 1 << 16
/** Between MULTI and EXEC: commands are queued. */
export const GATE_MULTI = 1 << 17
/** In RESP2 with subscriptions: only what has to do with them is allowed. */
export const GATE_SUBSCRIBED = 1 << 19
/** CLIENT PAUSE: everything waits, or whatever may change data or reach other clients. */
export const GATE_PAUSED = 1 << 20
export const GATE_PAUSED_WRITES = 1 << 21
/** The connection is shown all commands (MONITOR): to Redis it is a kind of replica, and those do not touch keys. */
export const GATE_MONITOR = 1 << 22
/** CLIENT TRACKING is on: refuses nothing, but dispatch has to do something around every command. */
export const GATE_TRACKING = 1 << 24
/** Always closed: commands that only a directive allows (DEBUG, MODULE LOAD). */
export const GATE_PROTECTED = 1 << 23
/** Always closed: makes dispatch stop at commands that want something done before they run (values in memory). */
export const GATE_PREPARE = 1 << 18

export const NOAUTH = 'NOAUTH Authentication required.'

/** The gates that concern a command with these flags. */
export function gatesOf(flags: number): number {
  let gates = GATE_PAUSED
  if ((flags & LOADING) === 0) gates |= GATE_LOADING
  if ((flags & WRITE) !== 0) gates |= GATE_FAILED | GATE_STALLED | GATE_PAUSED_WRITES
  if ((flags & MAY_REPLICATE) !== 0) gates |= GATE_PAUSED_WRITES
  if ((flags & (WRITE | READ | MAY_REPLICATE)) !== 0) gates |= GATE_MONITOR
  if ((flags & GROWS) !== 0) gates |= GATE_FULL
  if ((flags & NO_AUTH) === 0) gates |= GATE_UNAUTHENTICATED
  if ((flags & IMMEDIATE) === 0) gates |= GATE_MULTI
  if ((flags & PROTECTED) !== 0) gates |= GATE_PROTECTED
  return gates
}

/** EXEC has to be looked at each time: what it runs has flags and values of its own. */
export function maskOf(command: Command): number {
  const prepares = (command.values ?? null) !== null || command.name === 'EXEC'
  const gates = gatesOf(command.flags) | (prepares ? GATE_PREPARE : 0)
  return GATE_TRACKING | (SUBSCRIBERS_COMMANDS.has(command.name) ? gates : gates | GATE_SUBSCRIBED)
}

const SUBSCRIBERS_COMMANDS: ReadonlySet<string> = new Set([
  'SUBSCRIBE',
  'UNSUBSCRIBE',
  'PSUBSCRIBE',
  'PUNSUBSCRIBE',
  'SSUBSCRIBE',
  'SUNSUBSCRIBE',
  'PING',
  'QUIT',
  'RESET',
])

/** The error for these closed gates, null when none of them refuses (a command may have to wait all the same). */
export function refusal(closed: number, storeMessage: string, command: Command): string | null {
  if ((closed & GATE_UNAUTHENTICATED) !== 0) return NOAUTH
  if ((closed & GATE_SUBSCRIBED) !== 0) {
    return (
      `ERR Can't execute '${command.name.toLowerCase()}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / ` +
      'PING / QUIT / RESET are allowed in this context'
    )
  }
  if ((closed & GATE_LOADING) !== 0) return STILL_LOADING
  if ((closed & GATE_MONITOR) !== 0) return "ERR Replica can't interact with the keyspace"
  if ((closed & (GATE_FAILED | GATE_FULL)) !== 0) return storeMessage
  return null
}

/** The error of a command that the configuration does not allow this client; `directive` says who may. */
export function notAllowed(command: Command, directive: string): string {
  const name = command.name.replace(/\|.*/, '')
  return (
    `ERR ${name} command not allowed. If the ${directive} option is set to "local", you can run it from a local connection, ` +
    'otherwise you need to set this option in the configuration file, and then restart the server.'
  )
}
