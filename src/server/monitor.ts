// MONITOR: every command that runs, as a line for those who watch.
//
//   +1339518083.107000 [0 127.0.0.1:60866] "keys" "*"
//
// A line is drawn after its command has run, once for all who watch. Commands for administrators are not shown, nor are passwords. While
// nobody watches this costs nothing: who watches makes dispatch time every command, and only timed ones come by here.
//
// Who watches and does not read would have everybody's commands pile up in memory; so without client-output-buffer-limit the
// bound is MAX_PENDING_BYTES (Redis has none). A line that is longer than that closes them unseen, and is not drawn.

import type { Slice } from '../base/slice.ts'
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
    const line = drawn(connection, command, args, nowMs)
    for (const watcher of this.watchers) {
      if (watcher.replyMode === 'off' || watcher.replyMode === 'skip') continue // to Redis these are replies
      if (line === null) {
        watcher.closeForOutputLimit(MAX_PENDING_BYTES)
        continue
      }
      watcher.pushBehind(line, 0)
      if (watcher.output.pendingBytes > MAX_PENDING_BYTES) watcher.closeForOutputLimit(watcher.output.pendingBytes)
    }
  }
}

/** The line of a command, null when it has more than MAX_PENDING_BYTES. Values are large and regular expressions slow: bytes and a table. */
function drawn(connection: Connection, command: Command, args: Args, nowMs: number): Buffer | null {
  const { database, peer } = connection
  const secret = secretArguments(command.name, args)
  const micros = String((nowMs % 1000) * 1000).padStart(6, '0')
  const address = peer.isUnix ? `unix:${peer.address.slice(0, -2)}` : peer.address
  const head = `+${Math.floor(nowMs / 1000)}.${micros} [${database} ${address}]`
  let length = head.length + CRLF.length
  for (let i = 0; i < args.count; i++) {
    length += QUOTES_BYTES + (secret?.has(i) ? REDACTED.length : escapedLength(args.at(i)))
    if (length > MAX_PENDING_BYTES) return null
  }
  const line = Buffer.allocUnsafe(length)
  let at = line.write(head, 'latin1')
  for (let i = 0; i < args.count; i++) {
    line[at++] = SPACE
    line[at++] = QUOTE
    at = secret?.has(i) ? at + line.write(REDACTED, at, 'latin1') : writeEscaped(args.at(i), line, at)
    line[at++] = QUOTE
  }
  line.write(CRLF, at, 'latin1')
  return line
}

const CRLF = '\r\n'
const SPACE = 0x20
const QUOTE = 0x22
const QUOTES_BYTES = 3 // and the space before them

/** How Redis spells each byte; `SPELLINGS` has MOST_BYTES for each, of which `LENGTHS` count. */
const SHORT: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\x07': '\\a',
  '\b': '\\b',
}
const MOST_BYTES = 4
const LENGTHS = new Uint8Array(256)
const SPELLINGS = Buffer.alloc(MOST_BYTES * 256)
for (let byte = 0; byte < 256; byte++) {
  const character = String.fromCharCode(byte)
  const plain = /[ -~]/.test(character) ? character : `\\x${byte.toString(16).padStart(2, '0')}`
  LENGTHS[byte] = SPELLINGS.write(SHORT[character] ?? plain, MOST_BYTES * byte, 'latin1')
}

/** Beyond MAX_PENDING_BYTES it does not matter by how much. */
function escapedLength({ bytes, start, end }: Slice): number {
  let length = 0
  for (let i = start; i < end && length <= MAX_PENDING_BYTES; i++) length += LENGTHS[bytes[i]!]!
  return length
}

function writeEscaped({ bytes, start, end }: Slice, into: Buffer, at: number): number {
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    const length = LENGTHS[byte]!
    if (length === 1) into[at++] = byte
    else for (let j = 0; j < length; j++) into[at++] = SPELLINGS[MOST_BYTES * byte + j]!
  }
  return at
}
