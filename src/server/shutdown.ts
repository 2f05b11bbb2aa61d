// The end, in good order.
//
//   stop accepting -> take no more commands -> what was answered leaves when the store releases it -> the engine commits,
//   syncs, writes hint and image -> exit 0
//
// Clients that do not read their last replies are not waited for long. A second signal ends the process at once with 1: whoever
// sends it does not want to wait, and the store recovers, as after a crash. So does a shutdown that takes longer than shutdown-timeout.

import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { type Engine, GATE_LOADING } from '../engine/engine.ts'
import type { Listener } from './listener.ts'
import type { Server } from './server.ts'

/** For the last replies to leave. */
const LAST_REPLIES_MS = 1000
const LOOK_MS = 5

export interface ShutdownParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly listener: Listener
  readonly server: Server
  readonly engine: Engine
  /** shutdown-timeout, now. */
  readonly timeoutSeconds: () => number
  /** Ends the process; everything logged is written before. */
  readonly exit: (code: number) => void
}

export class Shutdown {
  private readonly parts: ShutdownParts
  private hasBegun: boolean
  private isQuick: boolean

  constructor(parts: ShutdownParts) {
    this.parts = parts
    this.hasBegun = false
    this.isQuick = false
  }

  /** SIGTERM or SIGINT, with what shutdown-on-sigterm or shutdown-on-sigint says of it. */
  signal(name: string, flags: readonly string[] = []): void {
    const { logger, exit } = this.parts
    if (this.hasBegun) {
      logger.warning('You insist... exiting now.')
      exit(1)
      return
    }
    logger.warning(`Received ${name} scheduling shutdown...`)
    this.begin({ nosave: flags.includes('nosave'), now: flags.includes('now') })
  }

  /** Also SHUTDOWN: `nosave` leaves out what only makes the next start faster, `now` does not wait for clients that read slowly. */
  begin(options: { readonly nosave: boolean; readonly now: boolean } = { nosave: false, now: false }): void {
    if (this.hasBegun) return
    this.hasBegun = true
    this.isQuick = options.nosave
    stayAwake()
    const { clock, listener, logger, server } = this.parts
    logger.warning('User requested shutdown...')
    listener.close()
    server.closeAllWhenSaid()
    const seconds = this.parts.timeoutSeconds()
    if (seconds > 0) clock.after(seconds * 1000, () => this.giveUp(seconds))
    this.whenSaid(clock.monotonic() + (options.now ? 0 : LAST_REPLIES_MS))
  }

  private whenSaid(deadlineMs: number): void {
    const { clock, server } = this.parts
    // One look at least comes after the tick that sends what this turn has said.
    clock.after(LOOK_MS, () => {
      if (server.hasReplies && clock.monotonic() < deadlineMs) this.whenSaid(deadlineMs)
      else this.closeStore()
    })
  }

  private closeStore(): void {
    const { engine, exit, logger, server } = this.parts
    server.closeAll()
    if ((engine.gate & GATE_LOADING) !== 0) {
      logger.warning('Casky was still loading, nothing has changed, bye bye...')
      return exit(0)
    }
    engine.close((error) => {
      if (error === null) logger.warning('Casky is now ready to exit, bye bye...')
      else logger.warning(`Closing the store has failed, it will be recovered at the next start: ${error.message}`)
      exit(error === null ? 0 : 1)
    }, this.isQuick)
  }

  private giveUp(seconds: number): void {
    this.parts.logger.warning(
      `Shutting down takes longer than ${seconds} s, exiting now. The store recovers at the next start.`,
    )
    this.parts.exit(1)
  }
}

/**
 * The clock's timers do not keep the process alive, and the listeners are closed: without this the event loop could run dry, and
 * the process end, before the store is closed. An open port holds it.
 */
function stayAwake(): void {
  const { port1 } = new MessageChannel()
  port1.on('message', () => {})
}
