// Who may connect: as many as the process has descriptors for, and in protected mode only programs on this machine. The others are told why.

import type { Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Config } from '../config/config.ts'
import { DENIED, isLocal } from './protected-mode.ts'

/** Descriptors that clients may not have: segments, hints, merges, and a few to spare. */
const STORE_DESCRIPTORS = 32
/** What the process itself has open: standard streams, the log, epoll, pipes of the thread pool. */
const PROCESS_DESCRIPTORS = 32
/** A refused client is told why, if it listens; it is not waited for. */
const REFUSAL_MS = 1000

export interface AdmissionOptions {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  /** Descriptors this process may have open; 0 unknown. */
  readonly descriptorLimit: number
  /** For tests: who counts as a local client. */
  readonly isLocal?: (socket: Socket) => boolean
}

export class Admission {
  maxClients: number
  private isProtected: boolean
  private readonly options: AdmissionOptions

  constructor(options: AdmissionOptions) {
    const { config } = options
    this.options = options
    this.maxClients = this.affordableClients(config.get('maxclients'))
    this.isProtected = config.get('protected-mode')
    config.onChange(['protected-mode'], () => {
      this.isProtected = config.get('protected-mode')
      return null
    })
    config.onChange(['maxclients'], () => {
      const wanted = config.get('maxclients')
      const most = this.mostClients
      if (wanted > most) {
        return `The operating system is not able to handle the specified number of clients, try with ${most}`
      }
      this.maxClients = wanted
      return null
    })
  }

  /** Why this client may not connect, beside so many that are connected; null: it may. */
  refusal(socket: Socket, isUnix: boolean, clients: number, passwordRequired: boolean): string | null {
    if (clients >= this.maxClients) return 'ERR max number of clients reached'
    const isTrusted = isUnix || (this.options.isLocal ?? isLocal)(socket)
    return this.isProtected && !passwordRequired && !isTrusted ? DENIED : null
  }

  /** Says why, and closes. */
  refuse(socket: Socket, text: string): void {
    socket.on('error', () => {})
    const late = this.options.clock.after(REFUSAL_MS, () => socket.destroy())
    socket.on('close', () => late.cancel())
    socket.end(`-${text}\r\n`, () => socket.destroy())
  }

  /** How many clients the process has descriptors for. */
  private get mostClients(): number {
    const limit = this.options.descriptorLimit
    return limit === 0 ? Number.POSITIVE_INFINITY : Math.max(1, limit - STORE_DESCRIPTORS - PROCESS_DESCRIPTORS)
  }

  private affordableClients(wanted: number): number {
    const most = this.mostClients
    if (wanted <= most) return wanted
    const limit = this.options.descriptorLimit
    this.options.logger.warning(
      `You requested maxclients of ${wanted} requiring at least ${wanted + limit - most} max file descriptors. ` +
        `Current maximum open files is ${limit}. maxclients has been reduced to ${most}.`,
    )
    return most
  }
}
