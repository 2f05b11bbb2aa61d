// Issue 3, item 1, second part: keys, expiry, DUMP and RESTORE, and what a server says that stands alone, as redis-server.
//
//   npx tsx test/acceptance/surface-1-keys.ts [seed] [lines]
//
// The conformance families are played in both protocols, DEBUG's on servers that allow it. Then seeded lines go to both servers, with
// values in memory and with values that only the disk has; at the end both must hold the same. Globs are compared by thousands. Values
// are carried from each server to the other. Last what cannot be compared: walks while keys come and go, who waits while others work
// on much, what WAITAOF promises, CLIENT NO-TOUCH, and how SHUTDOWN's flags end.

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { carry, valuesOf } from '../conformance/dump-both-ways.ts'
import { databases } from '../conformance/families/databases.ts'
import { debug } from '../conformance/families/debug.ts'
import { dump } from '../conformance/families/dump.ts'
import { expiry } from '../conformance/families/expiry.ts'
import { keys } from '../conformance/families/keys.ts'
import { objects } from '../conformance/families/objects.ts'
import { standalone } from '../conformance/families/standalone.ts'
import type { RawConnection } from '../harness/connection.ts'
import { randomFrom } from '../harness/random.ts'
import { encodeRequest, type Reply, show } from '../harness/resp.ts'
import { startServer } from '../harness/server.ts'
import { line, text } from './key-commands.ts'
import { playFamilies } from './played.ts'
import { ms, Verdict } from './verdict.ts'

const seed = Number(process.argv[2] ?? 1)
const lines = Number(process.argv[3] ?? 20_000)
const BATCH = 200
const CARRIED = 5000
const GLOBS = 4000
/** Others are served within this while one client asks for much; and a few times as long as they wait when nobody does, on a busy machine. */
const SERVED_WITHIN_MS = 250
const BUSY_MACHINE = 5

const verdict = new Verdict(`surface 1: keys (seed ${seed})`)

await verdict.part('families', async () => {
  const [casky, redis] = await Promise.all([startServer('casky'), startServer('redis')])
  await playFamilies(verdict, [keys, expiry, databases, objects, dump, standalone], casky, redis)
  await Promise.all([casky.stop(), redis.stop()])
  const options = { args: ['--enable-debug-command', 'yes'] }
  const debugged = await Promise.all([startServer('casky', options), startServer('redis', options)])
  await playFamilies(verdict, [debug], debugged[0], debugged[1])
  await Promise.all(debugged.map((server) => server.stop()))
})

for (const [name, args] of [
  ['values in memory', []],
  ['values on disk only', ['--value-cache-size', '0']],
] as const) {
  await verdict.part(name, async () => {
    const [casky, redis] = await Promise.all([startServer('casky', { args }), startServer('redis')])
    const [ours, theirs] = await Promise.all([casky.connect(), redis.connect()])
    const random = randomFrom(seed)
    const problems: string[] = []
    for (let done = 0; done < lines && problems.length < 5; done += BATCH) {
      const batch = Array.from({ length: BATCH }, () => line(random))
      const bytes = Buffer.concat(batch.map((words) => encodeRequest(words)))
      const [a, b] = await Promise.all([take(ours, bytes, BATCH), take(theirs, bytes, BATCH)])
      for (let i = 0; i < BATCH; i++) {
        if (a[i]!.equals(b[i]!)) continue
        const said = batch[i]!.map((word) => JSON.stringify(word)).join(' ')
        problems.push(
          `${said}\nredis-server ${JSON.stringify(b[i]!.toString())}\nCasky        ${JSON.stringify(a[i]!.toString())}`,
        )
      }
    }
    const [left, right] = await Promise.all([contents(ours), contents(theirs)])
    verdict.figure(`${name}: lines compared, keys left`, `${lines}, ${left.length}`)
    verdict.demand(
      problems.length === 0,
      `${name}: every line answered as by redis-server`,
      problems.slice(0, 3).join('\n'),
    )
    verdict.demand(left.join('\n') === right.join('\n') && left.length > 0, `${name}: both hold the same at the end`)
    await Promise.all([casky.stop(), redis.stop()])
  })
}

await verdict.part('globs', async () => {
  const [casky, redis] = await Promise.all([startServer('casky'), startServer('redis')])
  const [ours, theirs] = await Promise.all([casky.connect(), redis.connect()])
  const random = randomFrom(seed)
  const names = new Set(Array.from({ length: 300 }, () => text(random, 'ab^-[]\\*?\xff\x00', 6)))
  for (const on of [ours, theirs])
    await take(on, Buffer.concat([...names].map((key) => encodeRequest(['SET', key, '1']))), names.size)
  let differing = ''
  let found = 0
  for (let i = 0; i < GLOBS && differing === ''; i++) {
    const pattern = text(random, 'ab^-[]\\*?**[]\xff\x00', 8)
    const [a, b] = await Promise.all(
      [ours, theirs].map(async (on) => [await sorted(on, 'KEYS', pattern), await walk(on, pattern)]),
    )
    found += a![0]!.length
    if (JSON.stringify(a) !== JSON.stringify(b) || JSON.stringify(a![0]) !== JSON.stringify(a![1]))
      differing = JSON.stringify(pattern)
  }
  verdict.figure('patterns, keys found by them', `${GLOBS}, ${found}`)
  verdict.demand(
    differing === '' && found > GLOBS,
    'KEYS and SCAN MATCH find what they find in redis-server',
    differing,
  )
  await Promise.all([casky.stop(), redis.stop()])
})

await verdict.part('DUMP and RESTORE both ways', async () => {
  const servers = await Promise.all([
    startServer('casky'),
    startServer('casky', { args: ['--value-cache-size', '0'] }),
    startServer('redis'),
  ])
  const [casky, cold, redis] = (await Promise.all(
    servers.map((server) => server.connect({ replyLimitMs: 60_000 })),
  )) as [RawConnection, RawConnection, RawConnection]
  const values = [
    ...valuesOf(CARRIED, seed),
    ...[1, 4, 16].map((megabytes) => Buffer.alloc(megabytes * 1_000_000, 'many words ')),
  ]
  for (const [what, from, to] of [
    ['Casky to redis-server', casky, redis],
    ['redis-server to Casky', redis, casky],
    ['Casky from disk to redis-server', cold, redis],
    ['redis-server to Casky on disk', redis, cold],
  ] as const) {
    const problems = await carry(values, from, to)
    verdict.demand(problems.length === 0, `${values.length} values from ${what}`, problems.slice(0, 5).join('\n'))
  }
  await Promise.all(servers.map((server) => server.stop()))
})

await verdict.part('walks while keys come and go, and others who wait', async () => {
  const server = await startServer('casky')
  const [client, churner, other] = await Promise.all([
    server.connect({ replyLimitMs: 60_000 }),
    server.connect(),
    server.connect(),
  ])
  const COUNT = 200_000
  for (let first = 0; first < COUNT; first += 10_000) {
    const words = ['MSET']
    for (let i = first; i < first + 10_000; i++) words.push(`stays:${i}:${'a'.repeat(40)}`, 'v')
    await client.call(...words)
  }
  let isWalking = true
  const churn = (async () => {
    for (let i = 0; isWalking; i = (i + 1) % 5000) {
      await churner.call('SET', `comes:${i}`, 'v')
      await churner.call('DEL', `comes:${(i + 2500) % 5000}`)
    }
  })()
  const seen = new Set(await walk(client, 'stays:*', 5000))
  isWalking = false
  await churn
  verdict.demand(seen.size === COUNT, 'a walk over 200,000 keys sees all that stay', String(seen.size))

  const evil = `${'*a'.repeat(30)}b`
  const idle = await worstPingDuring(other, [() => client.call('WAIT', 1, 1000)])
  const limit = SERVED_WITHIN_MS + BUSY_MACHINE * idle
  verdict.figure('others when nobody asks for much', ms(idle))
  const worst = await worstPingDuring(other, [
    () => client.call('KEYS', 'stays:777*'),
    () => client.call('KEYS', evil),
    () => client.call('SCAN', 0, 'COUNT', 1_000_000_000, 'MATCH', evil),
  ])
  verdict.figure('others during KEYS over 200,000 keys, hostile patterns', ms(worst))
  verdict.demand(worst < limit, `others are served within ${ms(limit)}`)

  await client.call('SET', 'large', Buffer.alloc(60_000_000, 'many words, again and again: '))
  let payload: Buffer = Buffer.alloc(0)
  const worstDump = await worstPingDuring(other, [
    async () => {
      payload = (await client.call('DUMP', 'large')) as Buffer
    },
    () => client.call('RESTORE', 'larger', 0, payload),
  ])
  verdict.figure('others during DUMP and RESTORE of 60 MB', ms(worstDump))
  verdict.demand(worstDump < limit, `others are served within ${ms(limit)}`)
  verdict.demand((await client.call('STRLEN', 'larger')) === 60_000_000, 'and the value has arrived')
  await server.stop()
})

await verdict.part('WAITAOF, NO-TOUCH', async () => {
  const server = await startServer('casky', { args: ['--appendfsync', 'no'] })
  const client = await server.connect()
  const field = async (name: string): Promise<number> =>
    Number(new RegExp(`${name}:(\\d+)`).exec(String(await client.call('INFO', 'everything')))?.[1])
  await client.call('SET', 'k', 'v')
  const [syncs, unsynced] = [await field('casky_syncs'), await field('casky_unsynced_bytes')]
  const answer = await client.call('WAITAOF', 1, 0, 0)
  verdict.demand(show(answer) === show([1, 0]), 'WAITAOF 1 0 0 says that it is synced', show(answer))
  verdict.demand(
    unsynced > 0 && (await field('casky_syncs')) > syncs && (await field('casky_unsynced_bytes')) === 0,
    'which it was not before, and is now, under appendfsync no',
  )
  await client.call('RESTORE', 'idle', 0, (await client.call('DUMP', 'k')) as Buffer, 'IDLETIME', 5000)
  const other = await server.connect()
  await other.call('CLIENT', 'NO-TOUCH', 'ON')
  await other.call('GET', 'idle')
  await other.call('STRLEN', 'idle')
  await other.call('MGET', 'idle')
  const untouched = Number(await client.call('OBJECT', 'IDLETIME', 'idle'))
  await other.call('TOUCH', 'idle')
  const touched = Number(await client.call('OBJECT', 'IDLETIME', 'idle'))
  verdict.demand(
    untouched >= 5000,
    'reads of a client that said NO-TOUCH leave OBJECT IDLETIME alone',
    String(untouched),
  )
  verdict.demand(touched < 100, 'but its TOUCH does not, as documented', String(touched))
  await server.stop()
})

await verdict.part('SHUTDOWN', async () => {
  for (const [words, hasImage] of [
    [['SHUTDOWN'], true],
    [['SHUTDOWN', 'SAVE', 'NOW'], true],
    [['SHUTDOWN', 'NOSAVE', 'FORCE'], false],
  ] as const) {
    const dir = mkdtempSync(join(tmpdir(), 'casky-surface-'))
    const server = await startServer('casky', { dir })
    const client = await server.connect()
    await client.call('SET', 'k', 'v')
    client.send(encodeRequest(words))
    const { bytes, closed } = await client.untilClosed()
    const exit = await server.child.exited
    const image = readdirSync(dir).some((name) => /keydir|image/i.test(name))
    verdict.demand(
      closed && bytes.length === 0 && exit.code === 0 && image === hasImage,
      `${words.join(' ')}: no reply, exit 0, ${hasImage ? 'with' : 'without'} what makes the next start faster`,
      `${bytes.toString()} exit ${exit.code}, ${existsSync(dir) ? readdirSync(dir).join(' ') : ''}`,
    )
    const again = await startServer('casky', { dir })
    const reader = await again.connect()
    verdict.demand(show(await reader.call('GET', 'k')) === show(Buffer.from('v')), 'and the data is there')
    await again.halt()
    rmSync(dir, { recursive: true, force: true })
  }
})

verdict.finish()

// --- asking

async function take(on: RawConnection, bytes: Buffer, count: number): Promise<Buffer[]> {
  on.send(bytes)
  const replies: Buffer[] = []
  for (let i = 0; i < count; i++) replies.push((await on.reply()).raw)
  return replies
}

function latin1(reply: Reply): string {
  return (reply as Buffer).toString('latin1')
}

async function sorted(on: RawConnection, ...words: string[]): Promise<string[]> {
  const reply = (await on.call(...words.map((word) => Buffer.from(word, 'latin1')))) as Reply[]
  return reply.map(latin1).sort()
}

/** A whole SCAN: every key once. */
async function walk(on: RawConnection, pattern: string, count = 100): Promise<string[]> {
  const found = new Set<string>()
  let cursor = '0'
  do {
    const reply = (await on.call('SCAN', cursor, 'COUNT', count, 'MATCH', Buffer.from(pattern, 'latin1'))) as [
      Buffer,
      Reply[],
    ]
    cursor = reply[0].toString()
    for (const key of reply[1]) found.add(latin1(key))
  } while (cursor !== '0')
  return [...found].sort()
}

/** Every key of the databases that lines use, with what it holds and when it ends. */
async function contents(on: RawConnection): Promise<string[]> {
  const all: string[] = []
  for (const database of [0, 1, 2]) {
    await on.call('SELECT', database)
    for (const name of await sorted(on, 'KEYS', '*')) {
      const key = Buffer.from(name, 'latin1')
      all.push(`${database} ${name} ${show(await on.call('GET', key))} ${show(await on.call('PEXPIRETIME', key))}`)
    }
  }
  return all
}

/** The slowest PING of `other` while each of these runs, in ms. */
async function worstPingDuring(other: RawConnection, works: readonly (() => Promise<unknown>)[]): Promise<number> {
  let worst = 0
  for (const work of works) {
    let isOver = false
    const running = work().then(() => (isOver = true))
    while (!isOver) {
      const begun = performance.now()
      await other.call('PING')
      worst = Math.max(worst, performance.now() - begun)
    }
    await running
  }
  return worst
}
