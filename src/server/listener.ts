// Where clients come in: TCP addresses and a unix socket.
//
// An address with '-' before it is optional: where the machine does not have it, it is passed over, as is one whose family the
// kernel does not know. Anything else that cannot be listened on ends the start with Redis's words. Accepting may fail (descriptors
// are exhausted, most likely); that is logged and nothing else: those who are connected go on.
//
// The unix socket is made under a umask, so that there is no instant at which somebody else could connect.

import { createServer, type Server as NetServer, type Socket } from 'node:net'
import type { Logger } from '../base/logger.ts'

export interface ListenOptions {
  readonly port: number // 0: no TCP, unless `anyPort`
  /** For tests: port 0 means one that the system chooses. */
  readonly anyPort?: boolean
  readonly bind: readonly string[]
  readonly backlog: number
  readonly unixSocket: string // '' none
  readonly unixSocketMode: number // permission bits, 0: as the umask has it
  /** Removes a socket file that a dead process has left. */
  readonly removeStaleSocket: (path: string) => void
  readonly logger: Logger
  /** Nothing has been read from the socket yet. */
  readonly onConnection: (socket: Socket, isUnix: boolean) => void
}

/** Families and addresses that a machine may simply not have. */
const MISSING_FAMILY = new Set(['EAFNOSUPPORT', 'EPROTONOSUPPORT', 'ENOPROTOOPT', 'ESOCKTNOSUPPORT', 'EPFNOSUPPORT'])

/** Why nobody listens; the message is meant for the log, the lines before it have been logged. */
export class ListenError extends Error {}

export class Listener {
  private readonly options: ListenOptions
  private readonly servers: NetServer[] = []

  constructor(options: ListenOptions) {
    this.options = options
  }

  /** Listens on all of them, or on none and throws a ListenError. */
  async open(): Promise<void> {
    const { options } = this
    try {
      if (options.port > 0 || options.anyPort === true) await this.openTcp()
      if (options.unixSocket !== '') await this.openUnix()
    } catch (error) {
      this.close()
      throw error
    }
    if (this.servers.length === 0) throw new ListenError('Configured to not listen anywhere, exiting.')
  }

  /** The TCP port, also when the system chose it; 0 without TCP. */
  get port(): number {
    for (const server of this.servers) {
      const address = server.address()
      if (address !== null && typeof address === 'object') return address.port
    }
    return 0
  }

  /** Takes no more clients. Those who are connected stay. */
  close(): void {
    for (const server of this.servers.splice(0)) server.close()
  }

  private async openTcp(): Promise<void> {
    const { bind, logger, backlog } = this.options
    let { port } = this.options
    for (const word of bind) {
      const isOptional = word.startsWith('-')
      const address = isOptional ? word.slice(1) : word
      const host = address === '*' ? '0.0.0.0' : address === '::*' ? '::' : address
      try {
        await this.listen(this.server(false), { host, port, backlog, ipv6Only: host.includes(':') })
        if (port === 0) port = this.port
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        logger.warning(`Warning: Could not create server TCP listening socket ${address}:${port}: ${reason(error)}`)
        if (MISSING_FAMILY.has(code ?? '') || (isOptional && code === 'EADDRNOTAVAIL')) continue
        throw new ListenError(`Failed listening on port ${port} (TCP), aborting.`)
      }
    }
    if (this.servers.length === 0 && bind.length > 0) {
      throw new ListenError(`Failed listening on port ${port} (TCP), aborting.`)
    }
  }

  private async openUnix(): Promise<void> {
    const { unixSocket: path, unixSocketMode: mode, backlog, logger, removeStaleSocket } = this.options
    const server = this.server(true)
    try {
      removeStaleSocket(path)
      const before = mode === 0 ? process.umask() : process.umask(0o777 & ~mode)
      const listening = this.listen(server, { path, backlog }) // the file is there when this returns
      process.umask(before)
      await listening
    } catch (error) {
      logger.warning(`Failed opening Unix socket: ${reason(error)}`)
      throw new ListenError(`Failed opening Unix socket ${path}, aborting.`)
    }
  }

  private server(isUnix: boolean): NetServer {
    return createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) => {
      this.options.onConnection(socket, isUnix)
    })
  }

  private listen(server: NetServer, where: object): Promise<void> {
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(where, () => {
        server.removeListener('error', reject)
        server.on('error', (error) => this.options.logger.warning(`Accepting client connection: ${error.message}`))
        this.servers.push(server)
        resolve()
      })
    })
  }
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'EADDRINUSE':
      return 'bind: Address already in use'
    case 'EADDRNOTAVAIL':
      return 'bind: Cannot assign requested address'
    case 'EACCES':
      return 'bind: Permission denied'
    case 'ENOTFOUND':
      return 'Name or service not known'
    default:
      return message
  }
}
