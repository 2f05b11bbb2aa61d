// Who is at the other end of a socket, as CLIENT LIST and the log say it.

import type { Socket } from 'node:net'
import { descriptorOf } from './adopt.ts'
import { isLocal } from './protected-mode.ts'

export interface Peer {
  /** 127.0.0.1:6379, [::1]:6379, or the path of a unix socket with :0. */
  readonly address: string
  readonly localAddress: string
  readonly isUnix: boolean
  /** On this machine. */
  readonly isLocal: boolean
  readonly descriptor: number
}

/** `path`: of the unix socket. null: it has gone already. */
export function peerOf(socket: Socket, isUnix: boolean, path: string): Peer | null {
  const descriptor = descriptorOf(socket)
  if (isUnix) return { address: `${path}:0`, localAddress: `${path}:0`, isUnix, isLocal: true, descriptor }
  const { remoteAddress, remotePort, localAddress, localPort } = socket
  if (remoteAddress === undefined || localAddress === undefined) return null
  return {
    address: endpoint(remoteAddress, remotePort),
    localAddress: endpoint(localAddress, localPort),
    isUnix,
    isLocal: isLocal(socket),
    descriptor,
  }
}

function endpoint(address: string, port: number | undefined): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
