// A server in this process, on a port the system chooses, with an engine the test can script.

import { type Clock, systemClock } from '../../src/base/clock.ts'
import { type Logger, silentLogger } from '../../src/base/logger.ts'
import { commandTable } from '../../src/commands/table.ts'
import { systemFiles } from '../../src/config/files.ts'
import { loadConfig } from '../../src/config/load.ts'
import { Listener, type ListenOptions } from '../../src/server/listener.ts'
import { Server, type ServerOptions } from '../../src/server/server.ts'
import { RawConnection } from '../harness/connection.ts'
import { ScriptedEngine } from './scripted-engine.ts'

/** No turn is ever late, however busy the machine: what a test says in one turn runs in one. (tick.test.ts is about the others.) */
export const timeless: Clock = { ...systemClock, monotonic: () => 0 }

export interface TestServer {
  readonly server: Server
  readonly engine: ScriptedEngine
  readonly listener: Listener
  readonly port: number
  readonly log: string[]
  connect(): Promise<RawConnection>
  stop(): void
}

export interface TestServerOptions {
  /** Directives: ['--requirepass', 'x']. */
  readonly args?: readonly string[]
  readonly listen?: Partial<ListenOptions>
  readonly server?: Partial<ServerOptions>
}

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const loaded = loadConfig({ argv: options.args ?? [], env: {}, cwd: '/', files: systemFiles })
  if (!('config' in loaded)) throw new Error(loaded.stderr)
  const { config } = loaded
  const log: string[] = []
  const note = (message: string): void => void log.push(message)
  const logger: Logger = { ...silentLogger, verbose: note, notice: note, warning: note }
  const server = new Server({
    config,
    table: commandTable,
    clock: timeless,
    logger,
    descriptorLimit: 0,
    onShutdown: () => {},
    onAbortShutdown: () => false,
    ...options.server,
  })
  const engine = new ScriptedEngine()
  engine.events = server.events
  server.serve(engine.asEngine())
  const listener = new Listener({
    port: 0,
    anyPort: true,
    bind: ['127.0.0.1'],
    backlog: 511,
    unixSocket: '',
    unixSocketMode: 0,
    removeStaleSocket: () => {},
    logger,
    onConnection: server.accept,
    ...options.listen,
  })
  await listener.open()
  const { port } = listener
  const open: RawConnection[] = []
  return {
    server,
    engine,
    listener,
    port,
    log,
    connect: async () => {
      const connection = await RawConnection.open({ port })
      open.push(connection)
      return connection
    },
    stop: () => {
      for (const connection of open) connection.close()
      listener.close()
      server.closeAll()
    },
  }
}
