// One connection of the fuzzer: bytes out, frames in. A frame is one reply or one push, with its exact bytes.

import { connect, type Socket } from 'node:net'
import { type Parsed, parseReply, type Reply } from '../harness/resp.ts'

export interface Frame {
  readonly raw: Buffer
  readonly value: Reply
}

/** Longer than the slowest server takes for anything that is sent: whoever does not answer within it has not answered. */
const LIMIT_MS = 60_000

export class Wire {
  closed = false
  private readonly socket: Socket
  private bytes: Buffer = Buffer.alloc(0)
  private frames: Frame[] = []
  private wake: (() => void) | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.bytes = this.bytes.length === 0 ? chunk : Buffer.concat([this.bytes, chunk])
      this.wake?.()
    })
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => {
      this.closed = true
      this.wake?.()
    })
  }

  static open(port: number): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.removeListener('error', reject)
        resolve(new Wire(socket))
      })
    })
  }

  send(bytes: Buffer): void {
    if (!this.closed) this.socket.write(bytes)
  }

  /** All frames up to and including the first for which `last` says so. Fewer when the server closes or does not answer. */
  async until(last: (frame: Frame) => boolean): Promise<Frame[]> {
    const taken: Frame[] = []
    for (;;) {
      const frame = this.next()
      if (frame !== undefined) {
        taken.push(frame)
        if (last(frame)) return taken
      } else if (this.closed || !(await this.more())) {
        return taken
      }
    }
  }

  /** Everything until the server closes, as bytes; undefined when it does not. */
  async untilClosed(): Promise<Buffer | undefined> {
    while (!this.closed) if (!(await this.more())) return undefined
    return Buffer.concat([...this.frames.map((frame) => frame.raw), this.bytes])
  }

  close(): void {
    this.socket.destroy()
  }

  private next(): Frame | undefined {
    if (this.frames.length === 0 && this.bytes.length > 0) this.split()
    return this.frames.shift()
  }

  private split(): void {
    let at = 0
    for (;;) {
      const parsed = at < this.bytes.length ? this.parse(at) : undefined
      if (parsed === undefined) break
      this.frames.push({ raw: this.bytes.subarray(at, parsed.end), value: parsed.value })
      at = parsed.end
    }
    this.bytes = this.bytes.subarray(at)
  }

  /** What is no reply at all is a frame of everything that came, so that it differs from any reply. */
  private parse(at: number): Parsed | undefined {
    try {
      return parseReply(this.bytes, at)
    } catch (error) {
      return { value: `<${(error as Error).message}>`, end: this.bytes.length }
    }
  }

  /** False when nothing comes within the limit. */
  private more(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(false), LIMIT_MS)
      const settle = (came: boolean): void => {
        clearTimeout(timer)
        this.wake = undefined
        resolve(came)
      }
      this.wake = () => settle(true)
    })
  }
}

export const isPush = (frame: Frame): boolean => frame.raw[0] === 62
