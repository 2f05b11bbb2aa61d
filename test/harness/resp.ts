// RESP as a client sees it: requests out, replies in, RESP2 and RESP3. Written for tests: it keeps the raw bytes beside
// the meaning, because the conformance suite compares bytes and the crash driver compares meanings.
//
// It is strict. A reply that no client library should have to accept (a missing CRLF, an unknown type byte) throws.

export class ReplyError {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

/** RESP3's map, in the order it was sent. */
export class ReplyMap {
  readonly pairs: ReadonlyArray<readonly [Reply, Reply]>
  constructor(pairs: ReadonlyArray<readonly [Reply, Reply]>) {
    this.pairs = pairs
  }
}

/** RESP3's push: out of band, nobody's answer. */
export class ReplyPush {
  readonly items: readonly Reply[]
  constructor(items: readonly Reply[]) {
    this.items = items
  }
}

/** A simple string is a string, a bulk or verbatim string a Buffer; integers beyond 2^53 are bigints. */
export type Reply = string | Buffer | number | bigint | boolean | null | ReplyError | ReplyMap | ReplyPush | Reply[]

export interface Parsed {
  readonly value: Reply
  /** Offset of the first byte after the reply. */
  readonly end: number
}

const CR = 13

/** Reads one reply at `start`. Undefined when bytes are missing; throws when they can never become a reply. */
export function parseReply(bytes: Buffer, start = 0): Parsed | undefined {
  const lineEnd = bytes.indexOf('\r\n', start, 'latin1')
  if (lineEnd < 0) return undefined
  const type = String.fromCharCode(bytes[start]!)
  const line = bytes.toString('latin1', start + 1, lineEnd)
  const next = lineEnd + 2
  switch (type) {
    case '+':
      return { value: line, end: next }
    case '-':
      return { value: new ReplyError(line), end: next }
    case ':':
      return { value: integer(line), end: next }
    case '(':
      return { value: BigInt(line), end: next }
    case ',':
      return { value: line === 'inf' ? Infinity : line === '-inf' ? -Infinity : Number(line), end: next }
    case '#':
      return { value: line === 't', end: next }
    case '_':
      return { value: null, end: next }
    case '$':
    case '=':
    case '!':
      return blob(bytes, type, Number(line), next)
    case '*':
    case '~':
    case '>':
      return list(bytes, type, Number(line), next)
    case '%':
      return map(bytes, Number(line), next)
    default:
      throw new Error(`not a reply: type byte ${JSON.stringify(type)}`)
  }
}

function integer(text: string): number | bigint {
  if (!/^-?\d+$/.test(text)) throw new Error(`not an integer: ${JSON.stringify(text)}`)
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : BigInt(text)
}

function blob(bytes: Buffer, type: string, length: number, start: number): Parsed | undefined {
  if (type === '$' && length === -1) return { value: null, end: start }
  if (!Number.isInteger(length) || length < 0) throw new Error(`not a length: ${length}`)
  const end = start + length
  if (bytes.length < end + 2) return undefined
  if (bytes[end] !== CR) throw new Error('a bulk string without its CRLF')
  const body = bytes.subarray(start, end)
  if (type === '!') return { value: new ReplyError(body.toString('latin1')), end: end + 2 }
  return { value: type === '=' ? body.subarray(4) : body, end: end + 2 }
}

function list(bytes: Buffer, type: string, count: number, start: number): Parsed | undefined {
  if (type === '*' && count === -1) return { value: null, end: start }
  const items: Reply[] = []
  let at = start
  for (let i = 0; i < count; i++) {
    const item = parseReply(bytes, at)
    if (item === undefined) return undefined
    items.push(item.value)
    at = item.end
  }
  return { value: type === '>' ? new ReplyPush(items) : items, end: at }
}

function map(bytes: Buffer, count: number, start: number): Parsed | undefined {
  const flat = list(bytes, '%', count * 2, start)
  if (flat === undefined) return undefined
  const items = flat.value as Reply[]
  const pairs: Array<readonly [Reply, Reply]> = []
  for (let i = 0; i < items.length; i += 2) pairs.push([items[i]!, items[i + 1]!])
  return { value: new ReplyMap(pairs), end: flat.end }
}

export type Argument = string | Buffer | number

/** A request as every client library sends it: an array of bulk strings. Strings are taken as latin1 bytes. */
export function encodeRequest(args: readonly Argument[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}\r\n`)]
  for (const arg of args) {
    const body = Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg), 'latin1')
    parts.push(Buffer.from(`$${body.length}\r\n`), body, CRLF)
  }
  return Buffer.concat(parts)
}

const CRLF = Buffer.from('\r\n')

/** A reply for human eyes, in one line. */
export function show(value: Reply): string {
  if (value === null) return '(nil)'
  if (Buffer.isBuffer(value)) return JSON.stringify(value.toString('latin1'))
  if (value instanceof ReplyError) return `(error) ${value.message}`
  if (value instanceof ReplyMap) return `{${value.pairs.map(([k, v]) => `${show(k)}: ${show(v)}`).join(', ')}}`
  if (value instanceof ReplyPush) return `push[${value.items.map(show).join(', ')}]`
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`
  return String(value)
}
