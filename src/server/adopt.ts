// One receive buffer for all connections.
//
// Node gives a stream that has a 'data' listener a fresh 64 KiB buffer for every read, which costs a page of garbage and about
// 0.9 us a request at P=1 (measured: 400k PINGs, 0.95 s of user time against 0.57 s). The `onread` option of net.Socket reads
// into a buffer of ours instead, and since a read is handled to the end before the next one starts, one buffer serves everybody.
//
// `onread` is public, but only for sockets that we open. An accepted socket comes ready-made, so its handle is moved into a
// second net.Socket. Moving it touches one private field, `_handle`: that is why this is the only file that does, why it looks
// before it leaps, and why 'data' events take over where it does not like what it sees.
//
// Going further down, to the handle's own writeBuffer and onread, was measured too: another 0.15 us a request, not worth the
// loss of everything that net.Socket does right.

import { Socket } from 'node:net'

/** Handles bytes[0..length), which are valid during the call only. False: stop reading until `resume` is called on the socket. */
export type Receive = (bytes: Buffer, length: number) => boolean

export interface Adopted {
  readonly socket: Socket
  /** Bytes are received into the shared buffer. False: 'data' events, the slower way. */
  readonly shared: boolean
  /** Starts reading. Not before the receiver is ready for bytes. */
  start(): void
}

interface Handle {
  useUserBuffer(buffer: Buffer): void
  readStart(): number
}

/** `accepted` must come from a server with pauseOnConnect: nothing has been read from it yet. */
export function adopt(accepted: Socket, buffer: Buffer, receive: Receive): Adopted {
  const handle = movableHandle(accepted)
  if (handle === null) return listen(accepted, receive)
  const socket = new Socket({
    handle,
    allowHalfOpen: true,
    manualStart: true,
    onread: { buffer, callback: (length: number) => receive(buffer, length) },
  } as unknown as ConstructorParameters<typeof Socket>[0])
  ;(accepted as unknown as { _handle: null })._handle = null
  accepted.destroy() // an empty shell now: gives its place in the server's count back
  return { socket, shared: true, start: () => void socket.resume() }
}

function listen(socket: Socket, receive: Receive): Adopted {
  socket.on('data', (chunk: Buffer) => {
    if (!receive(chunk, chunk.length)) socket.pause()
  })
  return { socket, shared: false, start: () => void socket.resume() }
}

/** The descriptor of an accepted socket, for CLIENT LIST; -1 when it cannot be known. */
export function descriptorOf(accepted: Socket): number {
  return (accepted as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1
}

/** What the kernel has not taken yet of the writes under way. */
export function unsentBytes(socket: Socket): number {
  return (socket as unknown as { _handle?: { writeQueueSize?: number } | null })._handle?.writeQueueSize ?? 0
}

function movableHandle(socket: Socket): Handle | null {
  const handle = (socket as unknown as { _handle?: Partial<Handle> | null })._handle
  if (typeof handle !== 'object' || handle === null) return null
  const movable = typeof handle.useUserBuffer === 'function' && typeof handle.readStart === 'function'
  return movable && socket.bytesRead === 0 ? (handle as Handle) : null
}
