// MONITOR: every command that runs, as a line for those who watch.
//
//   +1339518083.107000 [0 127.0.0.1:60866] "keys" "*"
//
// A line is drawn after its command has run, once for all who watch. Commands for administrators are not shown, nor are passwords. While
// nobody watches this costs nothing: who watches makes dispatch time every command, and only timed ones come by here.
//
// Who watches and does not read would have everybody's commands pile up in memory; so without client-output-buffer-limit the
// bound is MAX_PENDING_BYTES (Redis has none).

import { ADMIN, type Command, SKIP_MONITOR } from '../commands/command.ts'
import type { Args } from '../resp/args.ts'
import type { Connection } from './connection.ts'
import { REDACTED, secretArguments } from './redaction.ts'

const MAX_PENDING_BYTES = 64 * 1024 * 1024

export class Monitor {
  private readonly watchers = new Set<Connection>()

  get isActive(): boolean {
    return this.watchers.size > 0
  }

  add(connection: Connection): void {
    this.watchers.add(connection)
  }

  remove(connection: Connection): void {
    this.watchers.delete(connection)
  }

  /** A command has run. `nowMs`: wall clock. */
  feed(connection: Connection, command: Command, args: Args, nowMs: number): void {
    if ((command.flags & (ADMIN | SKIP_MONITOR)) !== 0) return
    const line = Buffer.from(drawn(connection, command, args, nowMs), 'latin1')
    for (const watcher of this.watchers) {
      watcher.pushBehind(line, 0)
      if (watcher.output.pendingBytes > MAX_PENDING_BYTES) watcher.closeForOutputLimit(watcher.output.pendingBytes)
    }
  }
}

function drawn(connection: Connection, command: Command, args: Args, nowMs: number): string {
  const { database, peer } = connection
  const secret = secretArguments(command.name, args)
  const micros = String((nowMs % 1000) * 1000).padStart(6, '0')
  const address = peer.isUnix ? `unix:${peer.address.slice(0, -2)}` : peer.address
  let line = `+${Math.floor(nowMs / 1000)}.${micros} [${database} ${address}]`
  for (let i = 0; i < args.count; i++) line += ` "${secret?.has(i) ? REDACTED : escaped(args.at(i).key())}"`
  return `${line}\r\n`
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\x07': '\\a',
  '\b': '\\b',
}

/** Latin1 text as Redis quotes it. */
function escaped(text: string): string {
  return text.replace(/[^ !#-[\]-~]/g, (it) => ESCAPES[it] ?? `\\x${it.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
