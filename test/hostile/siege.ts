// A siege: a real server with small limits, one way of being hostile after the other, and what it costs.
//
// For each way the sum of the limits that a crowd can use up is written down beside it, as the manual documents them (casky.conf.example), and the
// server's resident memory must not grow beyond that sum. What a process needs besides, garbage that was not collected yet above all, is
// SLACK. When the crowd has gone, descriptors and clients are back where they were.

import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { RawConnection } from '../harness/connection.ts'
import { cpuMs, residentBytes } from '../harness/process-stats.ts'
import { encodeRequest, type Reply, ReplyError, show } from '../harness/resp.ts'
import { type Server, startServer } from '../harness/server.ts'
import { Crowd } from './crowd.ts'

const KIB = 1024
const MIB = 1024 * KIB
/** Heap that waits for the collector, buffers of the runtime, a value or two on their way. */
export const SLACK_BYTES = 160 * MIB
const VALUE_BYTES = 256 * KIB
const PATIENCE_MS = 150_000

/** Small, so that a crowd reaches them; each is a directive with a documented meaning. */
const LIMITS = {
  output: 1 * MIB,
  pubsub: 512 * KIB,
  query: 2 * MIB,
  trackedKeys: 2000,
}

const PASSWORD = 'siege'

const args = [
  ...['--maxclients', '2500', '--value-cache-size', '32mb', '--proto-max-bulk-len', '128mb'],
  ...['--client-output-buffer-limit', `normal ${LIMITS.output} 0 0 pubsub ${LIMITS.pubsub} 0 0`],
  ...['--client-query-buffer-limit', `${LIMITS.query}`, '--tracking-table-max-keys', `${LIMITS.trackedKeys}`],
]

export interface Cost {
  readonly name: string
  readonly clients: number
  /** Resident memory at its highest, above what it was before. */
  readonly grownBytes: number
  /** What the limits allow the crowd together. */
  readonly allowedBytes: number
}

/** How many come. */
export type Size = number

interface Way {
  /** Bytes that the limits allow one of the crowd. */
  readonly each: number
  /** More, whatever their number. */
  readonly once?: number
  readonly run: (siege: Siege, crowd: Crowd, size: Size) => Promise<void>
}

const big = encodeRequest(['GET', 'big'])

export const ways: Readonly<Record<string, Way>> = {
  'never read': {
    // The limit, and the reply that went over it.
    each: LIMITS.output + VALUE_BYTES,
    run: async (siege, crowd, size) => {
      await crowd.join(size)
      crowd.say(Buffer.concat(Array.from({ length: 32 }, () => big)))
      await siege.settle()
    },
  },
  'never authenticate': {
    // Ten arguments of 16 KiB, doubled as a buffer grows, and what they are told.
    each: 2 * 10 * 16 * KIB + 80 * KIB,
    run: async (siege, crowd, size) => {
      await siege.ask('CONFIG', 'SET', 'requirepass', PASSWORD)
      const deaf = await crowd.join(size / 2)
      crowd.say(Buffer.concat(Array.from({ length: 2000 }, () => encodeRequest(['GET', 'k']))), deaf)
      const large = await crowd.join(size / 2, { reads: true })
      const argument = `$16384\r\n${'x'.repeat(16384)}\r\n`
      crowd.say(Buffer.from(`*10\r\n${argument.repeat(9)}$16384\r\nyyy`, 'latin1'), large)
      await siege.settle()
      crowd.say(Buffer.from('*100000\r\n'), await crowd.join(50, { reads: true }))
      await siege.ask('CONFIG', 'SET', 'requirepass', '')
    },
  },
  'pipelines without end': {
    each: LIMITS.output + 128 * KIB,
    run: async (siege, crowd, size) => {
      const pumps = await crowd.join(Math.max(4, size / 50), { reads: true })
      const pings = Buffer.concat(Array.from({ length: 2000 }, () => Buffer.from('PING\r\n')))
      for (let round = 0; round < 40; round++) {
        crowd.say(pings, pumps)
        await siege.settle(1)
      }
    },
  },
  'requests that never end': {
    // What has come of it, or its double.
    each: 2 * LIMITS.query,
    run: async (siege, crowd, size) => {
      await crowd.join(size / 4, { reads: true })
      crowd.say(Buffer.from(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${100 * MIB}\r\n`))
      const piece = Buffer.alloc(64 * KIB, 'x')
      for (let i = 0; i < 40; i++) {
        crowd.say(piece)
        await siege.settle(1)
      }
    },
  },
  'arguments without number': {
    each: 2 * LIMITS.query,
    run: async (siege, crowd, size) => {
      await crowd.join(size / 10, { reads: true })
      crowd.say(Buffer.from(`*1048576\r\n${'$0\r\n\r\n'.repeat(50_000)}`))
      await siege.settle()
    },
  },
  'transactions without end': {
    each: 2 * LIMITS.query + LIMITS.output,
    run: async (siege, crowd, size) => {
      await crowd.join(size / 10)
      const queue = Buffer.concat(Array.from({ length: 20 }, () => encodeRequest(['SET', 'k', 'x'.repeat(20_000)])))
      crowd.say(Buffer.concat([encodeRequest(['MULTI']), queue]))
      for (let i = 0; i < 8; i++) {
        crowd.say(queue)
        await siege.settle(1)
      }
    },
  },
  'subscribe and never read': {
    each: LIMITS.pubsub + 64 * KIB,
    run: async (siege, crowd, size) => {
      await crowd.join(size / 2)
      crowd.say(encodeRequest(['SUBSCRIBE', 'news']))
      await siege.until(
        async () => (((await siege.ask('PUBSUB', 'NUMSUB', 'news')) as Reply[])[1] as number) >= size / 2,
      )
      for (let i = 0; i < 40; i++) await siege.ask('PUBLISH', 'news', 'x'.repeat(32 * KIB))
    },
  },
  'watch everything and never read': {
    each: LIMITS.output + 64 * KIB,
    run: async (siege, crowd, size) => {
      await crowd.join(size / 20)
      crowd.say(encodeRequest(['MONITOR']))
      await siege.settle(2)
      for (let i = 0; i < 40; i++) await siege.ask('ECHO', 'x'.repeat(32 * KIB))
    },
  },
  'have every key tracked': {
    each: LIMITS.output + 64 * KIB,
    once: LIMITS.trackedKeys * 2 * KIB,
    run: async (siege, crowd, size) => {
      await crowd.join(size / 10)
      crowd.say(Buffer.concat([encodeRequest(['HELLO', '3']), encodeRequest(['CLIENT', 'TRACKING', 'ON'])]))
      for (const [i, socket] of crowd.sockets.entries()) {
        const gets = Array.from({ length: 200 }, (_, k) =>
          encodeRequest(['GET', `tracked ${i} ${k} ${'k'.repeat(500)}`]),
        )
        crowd.say(Buffer.concat(gets), [socket])
      }
      await siege.settle()
      const keys = Number(/tracking_total_keys:(\d+)/.exec(String(await siege.ask('INFO', 'stats')))?.[1])
      if (!(keys > 0 && keys <= LIMITS.trackedKeys)) siege.problems.push(`${keys} keys are tracked`)
    },
  },
  reset: {
    each: LIMITS.output + VALUE_BYTES,
    run: async (_, crowd, size) => {
      for (let round = 0; round < 3; round++) {
        await crowd.join(size / 2)
        crowd.say(Buffer.concat([big, Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\nhalf')]))
        await crowd.reset()
      }
    },
  },
  'say goodbye and stay': {
    each: 64 * KIB,
    run: async (siege, crowd, size) => {
      const half = await crowd.join(size / 2, { allowHalfOpen: true, reads: true })
      for (const socket of half) socket.end(encodeRequest(['PING']))
      // They are owed a PONG, and no more: the server ends it though they do not.
      await siege.until(async () => (await siege.clients()) <= siege.others)
    },
  },
  'come in greater numbers than may': {
    each: 128 * KIB,
    run: async (siege, crowd, size) => {
      await siege.ask('CONFIG', 'SET', 'maxclients', size / 10)
      await crowd.join(size, { reads: true })
      if ((await siege.clients()) > Math.max(size / 10, siege.others))
        siege.problems.push('more clients than maxclients')
      await crowd.reset()
      await siege.until(async () => (await siege.clients()) <= siege.others)
      await siege.ask('CONFIG', 'SET', 'maxclients', 2500)
    },
  },
  'patterns of a mebibyte': {
    each: 4 * LIMITS.query,
    once: 16 * MIB,
    run: async (siege, crowd, size) => {
      const star = '*a'.repeat(MIB / 2)
      const some = await crowd.join(Math.max(4, size / 100), { reads: true })
      for (const command of [
        ['KEYS', star],
        ['SCAN', '0', 'MATCH', star, 'COUNT', '1000'],
        ['PSUBSCRIBE', star],
      ]) {
        crowd.say(encodeRequest(command), some)
        await siege.settle(2)
      }
      await siege.ask('PUBLISH', 'a'.repeat(10_000), 'x')
    },
  },
}

export class Siege {
  readonly problems: string[] = []
  readonly server: Server
  private readonly connection: RawConnection
  /** Clients that are no part of the crowd. */
  others = 1
  private descriptorsBefore = 0

  /** What well-behaved clients beside the crowd may send between two looks. */
  othersBytes = 0

  private constructor(server: Server, connection: RawConnection) {
    this.server = server
    this.connection = connection
  }

  static async lay(more: readonly string[] = []): Promise<Siege> {
    const server = await startServer('casky', { args: [...args, ...more] })
    const connection = await server.connect({ replyLimitMs: PATIENCE_MS })
    const siege = new Siege(server, connection)
    await siege.ask('SET', 'big', Buffer.alloc(VALUE_BYTES, 'b'))
    for (let i = 0; i < 2000; i++) await siege.ask('SET', `key:${String(i).padStart(12, '0')}`, 'v'.repeat(100))
    await siege.ask('SET', 'a'.repeat(100_000), 'long')
    await siege.ask('GET', 'big')
    return siege
  }

  /** One way of being hostile. What does not hold is in `problems`. */
  async stand(name: string, size: Size): Promise<Cost> {
    const way = ways[name]!
    const crowd = new Crowd(this.server.port)
    this.others = await this.clients()
    this.descriptorsBefore = this.descriptors
    const before = residentBytes(this.server.child.pid)
    let peak = before
    const sampler = setInterval(() => {
      if (this.server.child.exit === undefined) peak = Math.max(peak, residentBytes(this.server.child.pid))
    }, 20)
    try {
      await way.run(this, crowd, size)
      if ((await this.ask('PING')) !== 'PONG') this.problems.push(`${name}: PING is not answered`)
      peak = Math.max(peak, residentBytes(this.server.child.pid))
      await crowd.reset()
      await this.until(async () => (await this.clients()) <= this.others)
      await this.until(async () => this.descriptors <= this.descriptorsBefore)
    } catch (error) {
      this.problems.push(
        `${name}: ${(error as Error).message}; ${this.descriptors} descriptors, at first ${this.descriptorsBefore}`,
      )
      await crowd.reset()
    } finally {
      clearInterval(sampler)
    }
    const allowedBytes = crowd.most * way.each + (way.once ?? 0)
    const grownBytes = peak - before
    if (grownBytes > allowedBytes + SLACK_BYTES) {
      this.problems.push(`${name}: memory grew by ${grownBytes}, the limits allow ${allowedBytes}`)
    }
    return { name, clients: crowd.most, grownBytes, allowedBytes }
  }

  async ask(...words: (string | number | Buffer)[]): Promise<Reply> {
    const reply = await this.connection.call(...words)
    if (reply instanceof ReplyError) this.problems.push(`${words[0]} was answered ${show(reply)}`)
    return reply
  }

  /** The crowd's bytes have had their time: the server has gone round so often while nothing of it was new. */
  async settle(rounds = 10): Promise<void> {
    for (let still = 0, last = -1; still < rounds; ) {
      await this.ask('PING')
      await pause(5) // the interval of the look, not a wait for luck: it ends when the server has read nothing more
      const read = Number(/total_net_input_bytes:(\d+)/.exec(String(await this.ask('INFO', 'stats')))?.[1])
      // Its own two questions are read as well.
      still = read - last < 200 + this.othersBytes ? still + 1 : 0
      last = read
      if (rounds === 1) return
    }
  }

  async until(holds: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    while (!(await holds())) {
      if (performance.now() > deadline) throw new Error(`waited in vain for ${holds}`)
      await pause(10)
    }
  }

  async clients(): Promise<number> {
    return Number(/connected_clients:(\d+)/.exec(String(await this.ask('INFO', 'clients')))?.[1])
  }

  /** Sockets. Segments, and the threads for merges, come and go with what is written. */
  get descriptors(): number {
    const all = `/proc/${this.server.child.pid}/fd`
    return readdirSync(all).filter((descriptor) => {
      try {
        return readlinkSync(`${all}/${descriptor}`).startsWith('socket:')
      } catch {
        return false // closed since
      }
    }).length
  }

  get cpuMs(): number {
    return cpuMs(this.server.child.pid)
  }

  async lift(): Promise<void> {
    this.connection.close()
    const exit = await this.server.stop()
    if (exit.code !== 0)
      this.problems.push(`the server ended with ${JSON.stringify(exit)}: ${this.server.child.output().slice(-2000)}`)
    if (/Bug:|Bug,/.test(this.server.child.output())) this.problems.push(this.server.child.output().slice(-3000))
  }
}
