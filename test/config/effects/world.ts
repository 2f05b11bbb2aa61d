// What an effect is shown in: servers that are stopped when it has been seen, and a record of which directives were given at the
// start and which at run time, so that no row of the tables can say more than it does.

import { setTimeout } from 'node:timers/promises'
import type { Name } from '../../../src/config/directives.ts'
import { RawConnection } from '../../harness/connection.ts'
import { type Reply, ReplyError } from '../../harness/resp.ts'
import { type Server, type ServerOptions, startServer } from '../../harness/server.ts'

/** Sees that a directive does what it says: at the start, and where it can be set, at run time. */
export type Effect = (world: World) => Promise<void>
/** Seen by a test of the feature that it belongs to: its file, below test/. */
export type Elsewhere = string
export type Effects = { readonly [K in Name]?: Effect | Elsewhere }

export class World {
  readonly givenAtStart = new Set<string>()
  readonly setAtRunTime = new Set<string>()
  private readonly servers: Server[] = []
  private readonly connections: RawConnection[] = []

  async start(args: readonly string[], more: Omit<ServerOptions, 'args'> = {}): Promise<Server> {
    for (const arg of args) if (arg.startsWith('--')) this.givenAtStart.add(arg.slice(2))
    if (more.password !== undefined) this.givenAtStart.add('requirepass')
    this.givenAtStart.add('port').add('dir') // the harness gives them to each
    const server = await startServer('casky', { ...more, args })
    this.servers.push(server)
    return server
  }

  async connect(
    where: Server | { readonly host?: string; readonly port?: number; readonly path?: string },
  ): Promise<Client> {
    const connection = await RawConnection.open({ ...where, replyLimitMs: 150_000 })
    this.connections.push(connection)
    return new Client(connection, this)
  }

  async end(): Promise<void> {
    for (const connection of this.connections) connection.close()
    for (const server of this.servers.reverse()) await server.stop() // a later one may live in an earlier one's directory
  }
}

export class Client {
  readonly connection: RawConnection
  private readonly world: World

  constructor(connection: RawConnection, world: World) {
    this.connection = connection
    this.world = world
  }

  /** The reply; bulk strings and errors as text. */
  async call(...words: (string | Buffer)[]): Promise<unknown> {
    return plain(await this.connection.call(...words))
  }

  /** CONFIG SET; anything but OK is thrown. */
  async set(name: Name, value: string): Promise<void> {
    this.world.setAtRunTime.add(name)
    const reply = await this.call('CONFIG', 'SET', name, value)
    if (reply !== 'OK') throw new Error(`CONFIG SET ${name} ${value}: ${String(reply)}`)
  }

  async info(field: string): Promise<string> {
    const text = String(await this.call('INFO', 'everything'))
    return new RegExp(`^${field}:(.*)$`, 'm').exec(text)?.[1]?.trim() ?? ''
  }

  /** Looks until it is so, every few milliseconds: forty servers wait at a time here. One that waits in vain ends by its test's limit. */
  async until(isSo: () => Promise<boolean>): Promise<void> {
    while (!(await isSo())) await setTimeout(10)
  }

  /** Values of 100 bytes under keys of this name. */
  async fill(name: string, count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.call('SET', `${name}${i}`, 'v'.repeat(100))
  }

  /** MERGE WHY: what it says of each sealed segment. */
  async verdicts(): Promise<string[]> {
    const rows = (await this.call('MERGE', 'WHY')) as unknown[][]
    return rows.map((row) => String(row.at(-1))).filter((verdict) => !verdict.startsWith('open'))
  }
}

function plain(reply: Reply): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString('latin1')
  if (reply instanceof ReplyError) return reply.message
  return Array.isArray(reply) ? reply.map(plain) : reply
}
