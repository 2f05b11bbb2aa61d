// The bytes of a file: growable, and copied only when written after having been shared. Crashes fork whole disks thousands of
// times, and most files of a fork are never written again.

export class Content {
  size: number
  #bytes: Uint8Array
  #shared = false

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#bytes = bytes
    this.size = bytes.length
  }

  /** The same bytes, to be changed independently. */
  fork(): Content {
    const copy = new Content(this.#bytes)
    copy.size = this.size
    copy.#shared = true
    this.#shared = true
    return copy
  }

  /** The bytes themselves: to look at, not to keep. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.size)
  }

  write(position: number, bytes: Uint8Array): void {
    this.#own(position + bytes.length)
    this.#bytes.set(bytes, position)
    this.size = Math.max(this.size, position + bytes.length)
  }

  /** Cuts, or grows with zeros. */
  resize(size: number): void {
    this.#own(size)
    if (size < this.size) this.#bytes.fill(0, size, this.size)
    this.size = size
  }

  /** Copies up to `length` bytes from `position`; returns how many there were. */
  read(into: Uint8Array, start: number, length: number, position: number): number {
    const count = Math.max(Math.min(length, this.size - position), 0)
    into.set(this.#bytes.subarray(position, position + count), start)
    return count
  }

  /** Bytes beyond `size` are zero in the array that this leaves behind. */
  #own(capacity: number): void {
    if (!this.#shared && capacity <= this.#bytes.length) return
    const bytes = new Uint8Array(Math.max(capacity, this.size * 2, 64))
    bytes.set(this.#bytes.subarray(0, this.size))
    this.#bytes = bytes
    this.#shared = false
  }
}
