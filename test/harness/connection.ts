// One raw connection: bytes go out as given, replies come back one by one with the exact bytes they had.
//
// Nothing here knows commands. A reply that does not come is reported after a deadline, so that a server that forgets
// one fails the test that asked instead of hanging the run.

import { connect, type Socket } from 'node:net'
import { type Argument, encodeRequest, parseReply, type Reply } from './resp.ts'

export interface RawReply {
  readonly raw: Buffer
  readonly value: Reply
}

export class ConnectionClosed extends Error {
  constructor(detail: string) {
    super(`the connection is closed: ${detail}`)
    this.name = 'ConnectionClosed'
  }
}

interface Waiter {
  resolve(reply: RawReply): void
  reject(error: Error): void
}

export interface ConnectionOptions {
  readonly host?: string
  readonly port?: number
  readonly path?: string
  /** How long one reply may take before the wait for it fails. */
  readonly replyLimitMs?: number
}

export class RawConnection {
  readonly closed: Promise<void>
  readonly socket: Socket
  private readonly limitMs: number
  private readonly waiters: Waiter[] = []
  private pending: Buffer[] = []
  private pendingBytes = 0
  private ended: string | undefined

  private constructor(socket: Socket, limitMs: number) {
    this.socket = socket
    this.limitMs = limitMs
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.pending.push(chunk)
      this.pendingBytes += chunk.length
      this.serve()
    })
    socket.on('error', (error) => this.end(error.message))
    socket.on('close', () => this.end('by the server'))
  }

  /** Connects, or rejects with the socket's error. */
  static open(options: ConnectionOptions): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket =
        options.path === undefined
          ? connect({ host: options.host ?? '127.0.0.1', port: options.port! })
          : connect({ path: options.path })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.removeListener('error', reject)
        resolve(new RawConnection(socket, options.replyLimitMs ?? 120_000))
      })
    })
  }

  /** Sends bytes as they are. */
  send(bytes: Buffer | string): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** The next reply, with its bytes. Rejects with ConnectionClosed, or after the deadline. */
  reply(): Promise<RawReply> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const at = this.waiters.indexOf(waiter)
        if (at >= 0) this.waiters.splice(at, 1)
        reject(new Error(`no reply within ${this.limitMs} ms`))
      }, this.limitMs)
      const waiter: Waiter = {
        resolve: (reply) => {
          clearTimeout(timer)
          resolve(reply)
        },
        reject: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      }
      this.waiters.push(waiter)
      this.serve()
    })
  }

  /** One command, its reply. */
  async call(...args: Argument[]): Promise<Reply> {
    this.send(encodeRequest(args))
    return (await this.reply()).value
  }

  /** Waits for the server to close, or for the deadline. Returns all bytes not yet taken and whether it did close. */
  async untilClosed(limitMs = this.limitMs): Promise<{ readonly bytes: Buffer; readonly closed: boolean }> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), limitMs)
    })
    const outcome = await Promise.race([this.closed, late])
    clearTimeout(timer)
    return { bytes: this.take(), closed: outcome !== 'late' }
  }

  /** Bytes that came and belong to no reply asked for. */
  take(): Buffer {
    const bytes = this.joined()
    this.pending = []
    this.pendingBytes = 0
    return bytes
  }

  close(): void {
    this.socket.destroy()
  }

  private joined(): Buffer {
    if (this.pending.length > 1) this.pending = [Buffer.concat(this.pending, this.pendingBytes)]
    return this.pending[0] ?? Buffer.alloc(0)
  }

  private serve(): void {
    let bytes = this.waiters.length > 0 ? this.joined() : undefined
    while (bytes !== undefined && bytes.length > 0 && this.waiters.length > 0) {
      let parsed: ReturnType<typeof parseReply>
      try {
        parsed = parseReply(bytes)
      } catch (error) {
        this.waiters.shift()!.reject(error as Error)
        return
      }
      if (parsed === undefined) break
      this.waiters.shift()!.resolve({ raw: bytes.subarray(0, parsed.end), value: parsed.value })
      bytes = bytes.subarray(parsed.end)
      this.pending = bytes.length > 0 ? [bytes] : []
      this.pendingBytes = bytes.length
    }
    if (this.ended !== undefined) {
      for (const waiter of this.waiters.splice(0)) waiter.reject(new ConnectionClosed(this.ended))
    }
  }

  private end(reason: string): void {
    this.ended ??= reason
    this.serve()
  }
}
