// What the endurance soak does to a server beside its load: the things that make servers grow. Each trouble begins, and has
// ended with all its connections when its promise settles.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import type { RawConnection } from '../harness/connection.ts'
import type { Random } from '../harness/random.ts'
import { type Argument, encodeRequest, type Reply } from '../harness/resp.ts'

export interface Stage {
  open(): Promise<RawConnection>
  readonly random: Random
  /** The data directory. */
  readonly dir: string
  /** Bytes that can be taken from its file system to fill it; 0: it is not ours to fill. */
  freeBytes(): number
}

export type Trouble = (stage: Stage) => Promise<void>

/** One connection for some commands in a row. */
async function say(stage: Stage, ...commands: ReadonlyArray<readonly Argument[]>): Promise<Reply[]> {
  const connection = await stage.open()
  try {
    const replies: Reply[] = []
    for (const command of commands) replies.push(await connection.call(...command))
    return replies
  } finally {
    connection.close()
  }
}

const config = (stage: Stage, name: string, value: string): Promise<Reply[]> =>
  say(stage, ['CONFIG', 'SET', name, value])

async function many(
  stage: Stage,
  count: number,
  one: (connection: RawConnection, i: number) => unknown,
): Promise<void> {
  const connections = await Promise.all(Array.from({ length: count }, () => stage.open()))
  for (const [i, connection] of connections.entries()) one(connection, i)
  await after(stage.random.between(50, 800))
  for (const connection of connections) {
    if (stage.random.chance(0.5)) connection.socket.resetAndDestroy()
    else connection.close()
  }
}

const half = (random: Random): Buffer => {
  const bytes = encodeRequest(['SET', 'half', 'x'.repeat(random.between(1, 50_000))])
  return bytes.subarray(0, random.between(1, bytes.length - 1))
}

export const troubles: Readonly<Record<string, Trouble>> = {
  'clients that hang up in the middle of a request': (stage) =>
    many(stage, 60, (connection) => connection.send(half(stage.random))),

  'clients that do not read': (stage) =>
    many(stage, 15, (connection) => {
      connection.socket.pause()
      connection.send(Buffer.concat(Array.from({ length: 2000 }, () => encodeRequest(['GET', 'large']))))
    }),

  'transactions that nobody ends': (stage) =>
    many(stage, 30, (connection) =>
      connection.send(
        Buffer.concat([
          encodeRequest(['WATCH', 'k1', 'k2']),
          encodeRequest(['MULTI']),
          ...Array.from({ length: 100 }, () => encodeRequest(['SET', 'queued', 'x'.repeat(1000)])),
        ]),
      ),
    ),

  'subscribers, monitors and trackers that leave': (stage) =>
    many(stage, 40, (connection, i) => {
      const words = [
        [['SUBSCRIBE', `channel${stage.random.below(1000)}`, '__keyevent@0__:set']],
        [['PSUBSCRIBE', `pattern${stage.random.below(1000)}*`]],
        [['MONITOR']],
        [
          ['HELLO', 3],
          ['CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', `k${i}`],
        ],
        [['HELLO', 3], ['CLIENT', 'TRACKING', 'ON'], ...Array.from({ length: 100 }, (_, k) => ['GET', `k${k * i}`])],
      ][i % 5]!
      connection.send(Buffer.concat(words.map((command) => encodeRequest(command))))
    }),

  'merges paused for a while': async (stage) => {
    await say(stage, ['MERGE', 'PAUSE'])
    await after(stage.random.between(200, 2000))
    await say(stage, ['MERGE', 'RESUME'], ['MERGE'])
  },

  'a merge by hand': async (stage) => void (await say(stage, ['MERGE', 'WAIT'])),

  'directives turned back and forth': async (stage) => {
    await config(stage, 'value-cache-size', stage.random.pick(['0', '2mb', '16mb']))
    await config(stage, 'appendfsync', stage.random.pick(['always', 'everysec', 'no']))
    await config(stage, 'segment-size', stage.random.pick(['64kb', '256kb', '4mb']))
    await config(stage, 'merge-rate', stage.random.pick(['0', '4mb']))
    await config(stage, 'slowlog-log-slower-than', stage.random.pick(['0', '10000']))
    await config(stage, 'notify-keyspace-events', stage.random.pick(['', 'AKE']))
    await after(stage.random.between(200, 1500))
    await config(stage, 'value-cache-size', '16mb')
    await config(stage, 'merge-rate', '0')
  },

  'a database filled and flushed': async (stage) => {
    const connection = await stage.open()
    await connection.call('SELECT', 1)
    for (let i = 0; i < 40; i++) {
      const pairs = Array.from({ length: 100 }, (_, k) => [
        `flushed:${i}:${k}`,
        'x'.repeat(stage.random.between(10, 300)),
      ])
      await connection.call('MSET', ...pairs.flat())
    }
    await connection.call('SWAPDB', 1, 3)
    await connection.call('SELECT', 3)
    await connection.call('FLUSHDB')
    connection.close()
  },

  'thousands of keys that expire at once': async (stage) => {
    const connection = await stage.open()
    await connection.call('SELECT', 2)
    for (let i = 0; i < 40; i++) {
      const commands = Array.from({ length: 100 }, (_, k) => encodeRequest(['SET', `brief:${i}:${k}`, 'x', 'PX', 600]))
      connection.send(Buffer.concat(commands))
      for (const _ of commands) await connection.reply()
    }
    connection.close()
    await after(1200)
  },

  'large values': async (stage) => {
    const large = Buffer.alloc(stage.random.between(1, 8) * 1024 * 1024, 'v')
    await say(
      stage,
      ['SET', 'large', large],
      ['GET', 'large'],
      ['APPEND', 'large', 'more'],
      ['SET', 'large', 'x'.repeat(20_000)],
    )
  },

  'everything enumerated': async (stage) =>
    void (await say(stage, ['KEYS', '*'], ['SCAN', 0, 'COUNT', 100_000], ['INFO', 'all'])),

  'a save': async (stage) => void (await say(stage, ['SAVE'])),

  'a full disk': async (stage) => {
    const free = stage.freeBytes()
    if (free === 0) return
    const filler = join(stage.dir, '..', 'filler')
    try {
      writeFileSync(filler, Buffer.alloc(Math.max(0, free)))
    } catch {
      // the server was quicker: it is full either way
    }
    await after(stage.random.between(500, 2500))
    rmSync(filler, { force: true })
  },
}
