// Issue 3, item 2: publish and subscribe, and keyspace notifications, as in redis-server.
//
//   npx tsx test/acceptance/surface-2-pubsub.ts [seed] [steps]
//
// The conformance families are played in both protocols. Then seeded steps of five clients, one at a time: subscriptions come and go,
// messages are published, and keys change under every choice of event classes; what each client hears is compared. Keys expire by
// themselves and are told in time. Last, many subscribers and many messages: none is lost, none out of order.

import { notifications, ownNotifications } from '../conformance/families/notifications.ts'
import { pubsub, pushes } from '../conformance/families/pubsub.ts'
import { type Random, randomFrom } from '../harness/random.ts'
import { encodeRequest } from '../harness/resp.ts'
import { startServer } from '../harness/server.ts'
import { playFamilies } from './played.ts'
import { countsApart, inAnyOrder, Stage } from './stage.ts'
import { ms, Verdict } from './verdict.ts'

const seed = Number(process.argv[2] ?? 1)
const steps = Number(process.argv[3] ?? 3000)
const verdict = new Verdict(`surface 2: publish and subscribe (seed ${seed})`)
const [casky, redis] = await Promise.all([startServer('casky'), startServer('redis')])

type Line = readonly string[]

const names = ['a', 'b', 'ab', 'news', 'n\xff\x00', '', '*']
const patterns = ['*', 'a*', '?', '[ab]', 'n*', '__key*', '__keyevent@?__:*', 'a\\*', '']
const keys = ['a', 'b', 'k', '\xff\x00', 'news']

/** What subscribers do. */
function subscribing(random: Random): Line {
  const some = (of: readonly string[]): string[] => Array.from({ length: random.between(1, 3) }, () => random.pick(of))
  switch (random.below(8)) {
    case 0:
      return ['SUBSCRIBE', ...some(names)]
    case 1:
      return ['PSUBSCRIBE', ...some(patterns)]
    case 2:
      return ['SSUBSCRIBE', ...some(names)]
    case 3:
      return random.chance(0.3) ? ['UNSUBSCRIBE'] : ['UNSUBSCRIBE', ...some(names)]
    case 4:
      return random.chance(0.3) ? ['PUNSUBSCRIBE'] : ['PUNSUBSCRIBE', ...some(patterns)]
    case 5:
      return random.chance(0.3) ? ['SUNSUBSCRIBE'] : ['SUNSUBSCRIBE', ...some(names)]
    case 6:
      return ['PING']
    default:
      return random.chance(0.3) ? ['RESET'] : ['GET', random.pick(keys)]
  }
}

function publishing(random: Random): Line {
  switch (random.below(8)) {
    case 0:
      return ['SPUBLISH', random.pick(names), `s${random.below(100)}`]
    case 1:
      return ['PUBSUB', 'NUMSUB', ...names]
    case 2:
      return ['PUBSUB', 'SHARDNUMSUB', ...names]
    case 3:
      return ['PUBSUB', 'NUMPAT']
    default:
      return ['PUBLISH', random.pick(names), `m${random.below(100)}\xff`]
  }
}

/** Commands of every kind; nothing that depends on the time of day. */
function changing(random: Random): Line {
  const key = (): string => random.pick(keys)
  const n = String(random.between(-2, 20))
  const lines: (() => Line)[] = [
    () => ['SET', key(), n],
    () => ['SET', key(), n, random.pick(['NX', 'XX', 'GET', 'KEEPTTL'])],
    () => ['SET', key(), n, 'EX', '1000'],
    () => ['SETEX', key(), '1000', n],
    () => ['SETNX', key(), n],
    () => ['GETSET', key(), n],
    () => ['MSET', key(), n, key(), n],
    () => ['MSETNX', key(), n, key(), n],
    () => ['APPEND', key(), n],
    () => ['SETRANGE', key(), '1', random.pick(['', 'x'])],
    () => ['INCR', key()],
    () => ['DECRBY', key(), n],
    () => ['INCRBYFLOAT', key(), '0.5'],
    () => ['GETDEL', key()],
    () => ['GETEX', key(), ...random.pick([[], ['PERSIST'], ['EX', '100'], ['EXAT', '1']])],
    () => ['GET', key()],
    () => ['MGET', key(), key()],
    () => ['EXISTS', key(), key()],
    () => ['TYPE', key()],
    () => ['TOUCH', key(), key()],
    () => ['STRLEN', key()],
    () => ['DEL', key(), key()],
    () => ['UNLINK', key()],
    () => ['EXPIRE', key(), random.pick(['1000', '-1', '0']), ...random.pick([[], ['NX'], ['XX'], ['GT'], ['LT']])],
    () => ['PERSIST', key()],
    () => ['RENAME', key(), key()],
    () => ['RENAMENX', key(), key()],
    () => ['COPY', key(), key(), ...random.pick([[], ['REPLACE'], ['DB', '1'], ['DB', '1', 'REPLACE']])],
    () => ['MOVE', key(), '1'],
    () => ['SETBIT', key(), '3', random.pick(['0', '1'])],
    () => ['GETBIT', key(), '3'],
    () => ['BITCOUNT', key()],
    () => ['BITOP', random.pick(['AND', 'OR', 'XOR']), key(), key(), key()],
    () => ['BITFIELD', key(), 'INCRBY', 'u4', '0', '1', 'GET', 'u4', '0'],
    () => ['PFADD', `h${key()}`, n],
    () => ['PFCOUNT', `h${key()}`],
    () => ['PFMERGE', `h${key()}`, `h${key()}`],
    () => ['LCS', key(), key()],
    () => ['SELECT', random.pick(['0', '0', '1'])],
    () => ['SWAPDB', '0', '1'],
    () => ['FLUSHDB'],
    () => ['DUMP', `nothing`],
  ]
  return random.pick(lines)()
}

const CLASSES = ['KEA', 'KEAmn', 'KEmn', 'E$', 'Kg', 'Ex', 'A', '', 'KE$n', 'Egm']

await verdict.part('conformance', () =>
  playFamilies(verdict, [pubsub, pushes, notifications, ownNotifications], casky, redis),
)

// Where every reply waits for the disk, and where every value comes from it.
for (const args of [
  ['--appendfsync', 'always'],
  ['--value-cache-size', '0'],
]) {
  await verdict.part(args.join(' '), async () => {
    verdict.figure('once more with', args.join(' '))
    const other = await startServer('casky', { args })
    await playFamilies(verdict, [pubsub, pushes, notifications, ownNotifications], other, redis)
    await other.stop()
  })
}

await verdict.part('seeded steps', async () => {
  const random = randomFrom(seed)
  // s, t and u listen; w writes and publishes; x is a subscriber of RESP3 that writes, too.
  const stage = await Stage.open(casky, redis, { s: 2, t: 2, u: 3, w: 2, x: 3 })
  await stage.step('w', [['FLUSHALL']])
  for (let n = 0; n < steps; n++) {
    const choice = random.next()
    if (choice < 0.2) {
      const line = subscribing(random)
      const isAll = line.length === 1 && line[0]!.includes('UNSUBSCRIBE')
      await stage.step(random.pick(['s', 't', 'u', 'x']), [line], isAll ? countsApart : inAnyOrder)
    } else if (choice < 0.4) await stage.step(random.pick(['w', 'u', 'x']), [publishing(random)], inAnyOrder)
    else if (choice < 0.43) await stage.step('w', [['CONFIG', 'SET', 'notify-keyspace-events', random.pick(CLASSES)]])
    else if (choice < 0.5) {
      const queue = Array.from({ length: random.between(1, 4) }, () =>
        random.chance(0.3) ? publishing(random) : changing(random),
      )
      await stage.step('w', [['MULTI'], ...queue, ['EXEC']], inAnyOrder)
    } else await stage.step(random.chance(0.9) ? 'w' : 'x', [changing(random)], inAnyOrder)
  }
  stage.close()
  verdict.figure('seeded steps, replies and messages heard', `${stage.steps}, ${stage.heard}`)
  // What x hears of its own commands stands behind the reply here and in the middle of it there: sorted, that is no difference, but for
  // MGET, whose bytes redis-server cuts in two.
  const real = stage.differences.filter(({ client, step }) => !(client === 'x' && /^x> "MGET"/.test(step)))
  verdict.figure('of these in the middle of a reply there', stage.differences.length - real.length)
  stage.differences.splice(0, Infinity, ...real)
  verdict.demand(real.length === 0, 'every client hears what it hears from redis-server', stage.report())
})

await verdict.part('expiry', async () => {
  const client = await casky.connect()
  const listener = await casky.connect({ replyLimitMs: 10_000 })
  await client.call('CONFIG', 'SET', 'notify-keyspace-events', 'Ex')
  await listener.call('SUBSCRIBE', '__keyevent@0__:expired')
  const count = 2000
  const began = Date.now()
  const due = new Map<string, number>()
  for (let n = 0; n < count; n++) {
    const lifetimeMs = 300 + (n % 500)
    due.set(`e:${n}`, Date.now() + lifetimeMs)
    client.send(encodeRequest(['SET', `e:${n}`, 'v', 'PX', String(lifetimeMs)]))
  }
  let worstMs = 0
  const told = new Set<string>()
  while (told.size < count) {
    const [, , key] = (await listener.reply()).value as [Buffer, Buffer, Buffer]
    told.add(key.toString())
    worstMs = Math.max(worstMs, Date.now() - due.get(key.toString())!)
  }
  verdict.figure(
    `${count} keys that nobody asks for: all told after; latest`,
    `${Date.now() - began} ms, ${ms(worstMs)}`,
  )
  verdict.demand(worstMs < 2000, 'expired is told in time')
  await client.call('CONFIG', 'SET', 'notify-keyspace-events', '')
  client.close()
  listener.close()
})

await verdict.part('many', async () => {
  const subscribers = await Promise.all(Array.from({ length: 200 }, () => casky.connect({ replyLimitMs: 30_000 })))
  for (const [i, subscriber] of subscribers.entries()) {
    if (i % 2 === 0) await subscriber.call('SUBSCRIBE', 'many')
    else await subscriber.call('PSUBSCRIBE', 'man?')
  }
  const publisher = await casky.connect({ replyLimitMs: 30_000 })
  const messages = 2000
  const began = performance.now()
  publisher.send(
    Buffer.concat(Array.from({ length: messages }, (_, n) => encodeRequest(['PUBLISH', 'many', String(n)]))),
  )
  let wrongCounts = 0
  for (let n = 0; n < messages; n++) if ((await publisher.reply()).value !== subscribers.length) wrongCounts++
  let outOfOrder = 0
  await Promise.all(
    subscribers.map(async (subscriber) => {
      for (let n = 0; n < messages; n++) {
        const parts = (await subscriber.reply()).value as Buffer[]
        if (Number(parts.at(-1)!.toString()) !== n) outOfOrder++
      }
    }),
  )
  const rate = (messages * subscribers.length) / ((performance.now() - began) / 1000)
  verdict.figure(`${messages} messages to ${subscribers.length} subscribers`, `${Math.round(rate)} deliveries a second`)
  verdict.demand(wrongCounts === 0 && outOfOrder === 0, 'each message reaches each subscriber, in order')
  for (const client of [publisher, ...subscribers]) client.close()
})

await Promise.all([casky.stop(), redis.stop()])
verdict.finish()
