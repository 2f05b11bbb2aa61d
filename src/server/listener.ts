// Where clients come in: TCP addresses and a unix socket.
//
// An address with '-' before it is optional: where the machine does not have it, it is passed over, as is one whose family the
// kernel does not know. Anything else that cannot be listened on ends the start with Redis's words. Accepting may fail (descriptors
// are exhausted, most likely); that is logged and nothing else: those who are connected go on.
//
// The unix socket is made under a umask, so that there is no instant at which somebody else could connect. A file of that name is
// removed only if nobody listens on it (Redis: always): a second server, started by mistake, must not cut off the first.
//
// TCP can move while the server runs (CONFIG SET port, bind). Another port: there first, and the old one is given up when the new
// one listens. Other addresses on the same port: the old ones first, since 127.0.0.1 would keep 0.0.0.0 from being taken;
// when the new ones cannot be had, the old ones are taken again. Clients that are connected stay in any case.

import { connect, createServer, type Server as NetServer, type Socket } from 'node:net'
import type { Logger } from '../base/logger.ts'

export interface ListenOptions {
  readonly port: number // 0: no TCP, unless `anyPort`
  /** For tests: port 0 means one that the system chooses. */
  readonly anyPort?: boolean
  readonly bind: readonly string[]
  readonly backlog: number
  readonly unixSocket: string // '' none
  readonly unixSocketMode: number // permission bits, 0: as the umask has it
  /** Removes a socket file that a dead process has left: nobody listens on it. */
  readonly removeStaleSocket: (path: string) => void
  readonly logger: Logger
  /** Nothing has been read from the socket yet. */
  readonly onConnection: (socket: Socket, isUnix: boolean) => void
}

interface Tcp {
  readonly port: number
  readonly bind: readonly string[]
}

/** What the kernel has room for; what is longer would be cut without a word. */
const LONGEST_SOCKET_PATH = 107
/** Families and addresses that a machine may simply not have. */
const MISSING_FAMILY = new Set(['EAFNOSUPPORT', 'EPROTONOSUPPORT', 'ENOPROTOOPT', 'ESOCKTNOSUPPORT', 'EPFNOSUPPORT'])

/** Why nobody listens; the message is meant for the log, the lines before it have been logged. */
export class ListenError extends Error {}

export class Listener {
  private readonly options: ListenOptions
  private where: Tcp
  private tcp: NetServer[] = []
  private unix: NetServer | null = null

  constructor(options: ListenOptions) {
    this.options = options
    this.where = { port: options.port, bind: options.bind }
  }

  /** Listens on all of them, or on none and throws a ListenError. */
  async open(): Promise<void> {
    const { options } = this
    try {
      if (options.port > 0 || options.anyPort === true) this.tcp = await this.openTcp(this.where)
      if (options.unixSocket !== '') this.unix = await this.openUnix()
    } catch (error) {
      this.close()
      throw error
    }
    if (this.tcp.length === 0 && this.unix === null) {
      throw new ListenError('Configured to not listen anywhere, exiting.')
    }
  }

  /** Listens on these instead, 0 and no addresses: on none. Throws a ListenError, and then it listens where it did before. */
  async moveTcp(port: number, bind: readonly string[]): Promise<void> {
    const before = this.where
    const wanted = { port, bind }
    if (port !== before.port) {
      const opened = await this.openTcp(wanted)
      this.closeTcp()
      this.tcp = opened
    } else {
      this.closeTcp()
      try {
        this.tcp = await this.openTcp(wanted)
      } catch (error) {
        this.tcp = await this.openTcp(before)
        throw error
      }
    }
    this.where = wanted
  }

  /** The TCP port, also when the system chose it; 0 without TCP. */
  get port(): number {
    return portOf(this.tcp)
  }

  /** Takes no more clients. Those who are connected stay. */
  close(): void {
    this.closeTcp()
    this.unix?.close()
    this.unix = null
  }

  private closeTcp(): void {
    for (const server of this.tcp.splice(0)) server.close()
  }

  private async openTcp(where: Tcp): Promise<NetServer[]> {
    const { logger, backlog, anyPort = false } = this.options
    const { bind } = where
    let { port } = where
    const servers: NetServer[] = []
    const fail = (): ListenError => {
      for (const server of servers) server.close()
      return new ListenError(`Failed listening on port ${port} (TCP), aborting.`)
    }
    if (port === 0 && !anyPort) return servers
    for (const word of bind) {
      const isOptional = word.startsWith('-')
      const address = isOptional ? word.slice(1) : word
      const host = address === '*' ? '0.0.0.0' : address === '::*' ? '::' : address
      try {
        if (host === '') throw Object.assign(new Error('no address'), { code: 'ENOTFOUND' }) // to Node it is any address
        const server = this.server(false)
        await this.listen(server, { host, port, backlog, ipv6Only: host.includes(':') })
        servers.push(server)
        if (port === 0) port = portOf(servers)
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        logger.warning(`Warning: Could not create server TCP listening socket ${address}:${port}: ${reason(error)}`)
        if (MISSING_FAMILY.has(code ?? '') || (isOptional && code === 'EADDRNOTAVAIL')) continue
        throw fail()
      }
    }
    if (servers.length === 0 && bind.length > 0) throw fail()
    return servers
  }

  private async openUnix(): Promise<NetServer> {
    const { unixSocket: path, unixSocketMode: mode, backlog, logger, removeStaleSocket } = this.options
    const server = this.server(true)
    try {
      if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH) {
        throw new Error(`bind: File name too long (${LONGEST_SOCKET_PATH} bytes at most)`)
      }
      if (!(await hasListener(path))) removeStaleSocket(path) // else it is somebody's, and binding fails
      const before = mode === 0 ? process.umask() : process.umask(0o777 & ~mode)
      const listening = this.listen(server, { path, backlog }) // the file is there when this returns
      process.umask(before)
      await listening
      return server
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
        resolve()
      })
    })
  }
}

function portOf(servers: readonly NetServer[]): number {
  for (const server of servers) {
    const address = server.address()
    if (address !== null && typeof address === 'object') return address.port
  }
  return 0
}

/** Whether a living process listens on this unix socket; when that can't be known, too. */
function hasListener(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'))
  })
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
