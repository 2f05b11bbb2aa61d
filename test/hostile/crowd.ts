// A crowd of clients that mean no good: sockets that say something and then misbehave, as many as asked, in this process.
//
// They are plain sockets and not the harness's connections, because what matters is what they do not do: read, finish, say goodbye.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export class Crowd {
  readonly sockets: Socket[] = []
  /** The most that were there at a time. */
  most = 0
  private readonly port: number

  constructor(port: number) {
    this.port = port
  }

  /** Connects so many more, a hundred at a time. Who is refused is there all the same, closed. */
  async join(
    count: number,
    options: { readonly reads?: boolean; readonly allowHalfOpen?: boolean } = {},
  ): Promise<Socket[]> {
    const all: Socket[] = []
    for (let left = count; left > 0; left -= 100) {
      const some = Array.from({ length: Math.min(left, 100) }, () => this.open(options))
      await Promise.all(some.map((socket) => once(socket, 'connect').catch(() => {})))
      all.push(...some)
    }
    return all
  }

  private open({
    reads = false,
    allowHalfOpen = false,
  }: {
    readonly reads?: boolean
    readonly allowHalfOpen?: boolean
  }): Socket {
    const socket = connect({ port: this.port, host: '127.0.0.1', allowHalfOpen })
    socket.on('error', () => {}) // the server may well hang up on it
    if (reads) socket.resume()
    else socket.pause()
    this.sockets.push(socket)
    this.most = Math.max(this.most, this.sockets.length)
    return socket
  }

  /** All of them say this. What the kernel does not take is not waited for: they never read either. */
  say(bytes: Buffer, sockets: readonly Socket[] = this.sockets): void {
    for (const socket of sockets) if (socket.writable) socket.write(bytes)
  }

  /** Ends all with a reset: nothing is said any more, and what was on the way is thrown away. */
  async reset(): Promise<void> {
    const closed = this.sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          if (socket.closed) resolve()
          else socket.once('close', () => resolve())
          // One that is just saying goodbye can't be reset any more, and Node tells of that by an error alone.
          socket.once('error', () => resolve())
        }),
    )
    for (const socket of this.sockets) socket.resetAndDestroy()
    await Promise.all(closed)
    this.sockets.length = 0
  }
}
