// A slice: bytes borrowed from somebody else's buffer, LevelDB's `Slice`.
//
// The decoder reuses the same Slice objects for every command of a connection, and they point into the socket's receive
// buffer. So a slice is valid during the call it was passed to and not a moment longer: whoever keeps bytes copies them.
// The fields are plain and mutable because a slice is set millions of times a second; nobody but its owner sets it.

const EMPTY = Buffer.alloc(0)
/** What the log quotes of a key. */
const SHOWN_BYTES = 128

export class Slice {
  bytes: Buffer
  start: number
  end: number

  constructor(bytes: Buffer = EMPTY, start = 0, end: number = bytes.length) {
    this.bytes = bytes
    this.start = start
    this.end = end
  }

  get length(): number {
    return this.end - this.start
  }

  /** Points this slice at other bytes. Returns itself. */
  set(bytes: Buffer, start: number, end: number): this {
    this.bytes = bytes
    this.start = start
    this.end = end
    return this
  }

  /** A private copy of the bytes, for whoever keeps them. */
  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(this.start, this.end))
  }

  /** One character per byte (latin1): the way to use bytes as a Map key, since it loses nothing. */
  key(): string {
    return this.bytes.toString('latin1', this.start, this.end)
  }

  equals(other: Slice): boolean {
    const length = this.end - this.start
    if (other.end - other.start !== length) return false
    for (let i = 0; i < length; i++) {
      if (this.bytes[this.start + i] !== other.bytes[other.start + i]) return false
    }
    return true
  }
}

/** The beginning of the bytes, for the log: one character per byte. The log makes control characters harmless. */
export function shown({ bytes, start, end }: Slice): string {
  return bytes.toString('latin1', start, Math.min(end, start + SHOWN_BYTES))
}

/** A slice over the latin1 bytes of a text: for tests and for constants. */
export function sliceOf(text: string | Buffer): Slice {
  return new Slice(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
}
