// How bytes come from sockets and go to them: one receive buffer for all connections, and replies by the shortest way.
//
// Node gives a stream that has a 'data' listener a fresh 64 KiB buffer for every read, which costs a page of garbage and about
// 0.9 us a request at P=1 (measured: 400k PINGs, 0.95 s of user time against 0.57 s). The `onread` option of net.Socket reads
// into a buffer of ours instead, and since a read is handled to the end before the next one starts, one buffer serves everybody.
//
// `onread` is public, but only for sockets that we open. An accepted socket comes ready-made, so its handle is moved into a
// second net.Socket. Moving it touches one private field, `_handle`: that is why this is the only file that does, why it looks
// before it leaps, and why 'data' events take over where it does not like what it sees.
//
// Going further down for reading, to the handle's own onread, was measured too: another 0.15 us a request, not worth the loss of
// everything that net.Socket does right.
//
// For writing it is worth it. A reply is first offered to the kernel by write(2) on the socket's descriptor, which does not block; net.Socket
// makes a request object, a view of the buffer and a callback for the same call (1.4 us of user time against 0.9; GET at P=1 9% faster, SET 7%).
// What the kernel does not take, and every error, is net.Socket's business as ever. The descriptor is asked of the handle each time: it is none
// from the moment the handle closes, and its number may be a data file's next.

import { writeSync } from 'node:fs'
import { Socket } from 'node:net'

/** Handles bytes[0..length), which are valid during the call only. False: stop reading until `resume` is called on the socket. */
export type Receive = (bytes: Buffer, length: number) => boolean

export interface Adopted {
  readonly socket: Socket
  /** Bytes are received into the shared buffer, and replies offered to the kernel. Null: 'data' events and `write`, the slower ways. */
  readonly handle: Handle | null
  /** Starts reading. Not before the receiver is ready for bytes. */
  start(): void
}

interface Handle {
  /** Negative when it is closed. */
  readonly fd?: number
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
  return { socket, handle, start: () => void socket.resume() }
}

function listen(socket: Socket, receive: Receive): Adopted {
  socket.on('data', (chunk: Buffer) => {
    if (!receive(chunk, chunk.length)) socket.pause()
  })
  return { socket, handle: null, start: () => void socket.resume() }
}

/**
 * Offers bytes[0..length) to the kernel at once. Returns how many it has taken; the rest is for `socket.write`, which also meets the error if that
 * is why. Only while no write is under way.
 */
export function offer({ handle }: Adopted, bytes: Buffer, length: number): number {
  const fd = handle?.fd ?? -1
  if (fd < 0) return 0
  try {
    return writeSync(fd, bytes, 0, length)
  } catch {
    return 0 // the kernel is full, or the client has gone
  }
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
