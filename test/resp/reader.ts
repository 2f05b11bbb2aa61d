// A second opinion on RESP3: a small reader that knows nothing of the writer, says type and value of everything, and takes
// nothing but the exact form. `['map', [[k, v], ...]]`, `['bulk', Buffer]`, `['int', 5n]`, ...

export type Value = readonly [type: string, value?: unknown]

export function readAll(bytes: Buffer): Value[] {
  const reader = new Reader(bytes)
  const values: Value[] = []
  while (reader.at < bytes.length) values.push(reader.value())
  return values
}

class Reader {
  at = 0
  private readonly bytes: Buffer
  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  value(): Value {
    const type = String.fromCharCode(this.bytes[this.at++]!)
    const line = this.line()
    switch (type) {
      case '+':
        return ['simple', line]
      case '-':
        return ['error', line]
      case ':':
        return ['int', BigInt(line)]
      case '(':
        return ['big', BigInt(line)]
      case ',':
        return ['double', line]
      case '#':
        if (line !== 't' && line !== 'f') throw new Error(`not a boolean: ${line}`)
        return ['boolean', line === 't']
      case '_':
        if (line !== '') throw new Error(`not a null: ${line}`)
        return ['null']
      case '$':
        return line === '-1' ? ['null bulk'] : ['bulk', this.body(line)]
      case '=':
        return ['verbatim', this.body(line).toString()]
      case '*':
        return line === '-1' ? ['null array'] : ['array', this.values(line)]
      case '~':
        return ['set', this.values(line)]
      case '>':
        return ['push', this.values(line)]
      case '%':
        return ['map', Array.from({ length: count(line) }, () => [this.value(), this.value()])]
      default:
        throw new Error(`no such type: ${JSON.stringify(type)}`)
    }
  }

  private values(line: string): Value[] {
    return Array.from({ length: count(line) }, () => this.value())
  }

  private line(): string {
    const end = this.bytes.indexOf('\r\n', this.at)
    if (end < 0) throw new Error('a line without its end')
    const line = this.bytes.toString('latin1', this.at, end)
    this.at = end + 2
    return line
  }

  private body(line: string): Buffer {
    const body = this.bytes.subarray(this.at, this.at + count(line))
    this.at += body.length
    if (body.length !== count(line) || this.line() !== '') throw new Error('a body and its length disagree')
    return Buffer.from(body)
  }
}

function count(line: string): number {
  if (!/^(0|[1-9]\d*)$/.test(line)) throw new Error(`not a count: ${line}`)
  return Number(line)
}
