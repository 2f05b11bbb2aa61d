// Issue 3, item 4: client-side caching as in redis-server.
//
//   npx tsx test/acceptance/surface-4-tracking.ts [seed] [steps]
//
// The conformance family is played in both protocols. Then seeded steps of five clients, one at a time, in every mode of tracking: what
// each client hears is compared. Last, what the messages are for: caches that believe them are never wrong.

import { tracking } from '../conformance/families/tracking.ts'
import type { RawConnection } from '../harness/connection.ts'
import { type Random, randomFrom } from '../harness/random.ts'
import { encodeRequest, ReplyPush } from '../harness/resp.ts'
import { startServer } from '../harness/server.ts'
import { playFamilies } from './played.ts'
import { inAnyOrder, Stage } from './stage.ts'
import { Verdict } from './verdict.ts'

const seed = Number(process.argv[2] ?? 1)
const steps = Number(process.argv[3] ?? 4000)
const verdict = new Verdict(`surface 4: client-side caching (seed ${seed})`)
const [casky, redis] = await Promise.all([startServer('casky'), startServer('redis')])

type Line = readonly string[]

const keys = ['a', 'ab', 'b', 'abc', 'k', '\xff\x00']
const prefixes = ['a', 'ab', 'b', '\xff', '', 'k']

/** Not to another tracking client: redis-server 7.0 would say it in the middle of that one's EXEC. */
function switching(random: Random, self: string): Line {
  if (random.chance(0.25)) return ['CLIENT', 'TRACKING', 'OFF']
  const options: string[] = []
  if (random.chance(0.3)) options.push('REDIRECT', random.pick(['{r}', '{q}', `{${self}}`, '123456789']))
  if (random.chance(0.3)) options.push('BCAST')
  for (let n = random.between(-2, 2); n > 0; n--) options.push('PREFIX', random.pick(prefixes))
  if (random.chance(0.2)) options.push('OPTIN')
  if (random.chance(0.2)) options.push('OPTOUT')
  if (random.chance(0.2)) options.push('NOLOOP')
  return ['CLIENT', 'TRACKING', 'ON', ...options]
}

function asking(random: Random): Line {
  return random.pick([
    ['CLIENT', 'TRACKINGINFO'],
    ['CLIENT', 'GETREDIR'],
    ['CLIENT', 'CACHING', 'YES'],
    ['CLIENT', 'CACHING', 'NO'],
    ['CLIENT', 'GETNAME'],
    ['NOSUCH'],
    ['GET'],
  ])
}

function reading(random: Random): Line {
  const key = (): string => random.pick(keys)
  return random.pick([
    () => ['GET', key()],
    () => ['GET', key()],
    () => ['MGET', key(), key()],
    () => ['EXISTS', key(), key()],
    () => ['STRLEN', key()],
    () => ['TTL', key()],
    () => ['GETRANGE', key(), '0', '1'],
    () => ['GETBIT', key(), '0'],
    () => ['BITCOUNT', key()],
    () => ['TOUCH', key()],
    () => ['TYPE', key()],
  ])()
}

function changing(random: Random): Line {
  const key = (): string => random.pick(keys)
  return random.pick([
    () => ['SET', key(), '1'],
    () => ['SET', key(), '1', 'EX', '1000'],
    () => ['MSET', key(), '1', key(), '2'],
    () => ['INCR', key()],
    () => ['APPEND', key(), '1'],
    () => ['DEL', key(), key()],
    () => ['EXPIRE', key(), random.pick(['1000', '-1'])],
    () => ['PERSIST', key()],
    () => ['GETDEL', key()],
    () => ['GETEX', key(), 'EX', '100'],
    () => ['SETBIT', key(), '1', '1'],
    () => ['COPY', key(), key(), 'REPLACE'],
    () => ['MOVE', key(), '1'],
    () => (random.chance(0.3) ? ['FLUSHDB'] : ['SET', key(), '3']),
    () => ['SELECT', random.pick(['0', '0', '1'])],
  ])()
}

await verdict.part('conformance', () => playFamilies(verdict, [tracking], casky, redis))

// Where every reply waits for the disk, and where every value comes from it.
for (const args of [
  ['--appendfsync', 'always'],
  ['--value-cache-size', '0'],
]) {
  await verdict.part(args.join(' '), async () => {
    verdict.figure('once more with', args.join(' '))
    const other = await startServer('casky', { args })
    await playFamilies(verdict, [tracking], other, redis)
    await other.stop()
  })
}

await verdict.part('seeded steps', async () => {
  const random = randomFrom(seed)
  // a, b and c track (c in RESP2), r and q are told in others' place (q in RESP2), w writes.
  const stage = await Stage.open(casky, redis, { a: 3, b: 3, c: 2, r: 3, q: 2, w: 2 })
  const trackers = ['a', 'b', 'c']
  await stage.step('w', [['FLUSHALL']])
  await stage.step('q', [['SUBSCRIBE', '__redis__:invalidate']])
  for (let n = 0; n < steps; n++) {
    const choice = random.next()
    // In any order: which of two keys, or of two prefixes, is told first is nobody's promise.
    if (choice < 0.08) {
      const self = random.pick(trackers)
      await stage.step(self, [switching(random, self)], inAnyOrder)
    } else if (choice < 0.18) await stage.step(random.pick(trackers), [asking(random)], inAnyOrder)
    else if (choice < 0.55) await stage.step(random.pick([...trackers, 'r']), [reading(random)], inAnyOrder)
    else if (choice < 0.65) {
      const queue = Array.from({ length: random.between(1, 4) }, () => random.pick([reading, changing])(random))
      await stage.step(random.pick([...trackers, 'w']), [['MULTI'], ...queue, ['EXEC']], inAnyOrder)
    } else await stage.step(random.pick(['w', 'w', ...trackers]), [changing(random)], inAnyOrder)
  }
  stage.close()
  verdict.figure('seeded steps, replies and messages heard', `${stage.steps}, ${stage.heard}`)
  verdict.demand(stage.differences.length === 0, 'every client hears what it hears from redis-server', stage.report())
})

/** A client with a cache: a value it has once read is not asked for again, until it is told. */
class Cache {
  hits = 0
  private readonly client: RawConnection
  private readonly values = new Map<string, string | null>()

  constructor(client: RawConnection) {
    this.client = client
  }

  async get(key: string): Promise<string | null> {
    await this.hear(['PING'])
    const known = this.values.get(key)
    if (known !== undefined) {
      this.hits++
      return known
    }
    const value = (await this.hear(['GET', key])) as Buffer | null
    const text = value === null ? null : value.toString()
    this.values.set(key, text)
    return text
  }

  /** Sends a command and takes in all that is said up to its reply. */
  private async hear(words: string[]): Promise<unknown> {
    this.client.send(encodeRequest(words))
    for (;;) {
      const { value } = await this.client.reply()
      if (!(value instanceof ReplyPush)) return value
      const told = value.items[1]
      if (told === null) this.values.clear()
      else for (const key of told as Buffer[]) this.values.delete(key.toString())
    }
  }
}

await verdict.part('caches', async () => {
  const random = randomFrom(seed + 1)
  await (await casky.connect()).call('FLUSHALL')
  const modes: readonly Line[] = [[], ['BCAST'], ['BCAST', 'PREFIX', 'c:'], ['OPTOUT'], ['NOLOOP']]
  const caches: Cache[] = []
  for (const mode of modes) {
    const client = await casky.connect()
    await client.call('HELLO', '3')
    await client.call('CLIENT', 'TRACKING', 'ON', ...mode)
    caches.push(new Cache(client))
  }
  const writer = await casky.connect()
  const truth = new Map<string, string>()
  let wrong = 0
  let reads = 0
  for (let n = 0; n < 4000; n++) {
    const key = `c:${random.below(40)}`
    const choice = random.next()
    if (choice < 0.1) {
      await writer.call('SET', key, String(n))
      truth.set(key, String(n))
    } else if (choice < 0.13) {
      await writer.call('DEL', key)
      truth.delete(key)
    } else if (choice < 0.15) {
      const other = `c:${random.below(40)}`
      if ((await writer.call('COPY', key, other, 'REPLACE')) === 1) truth.set(other, truth.get(key)!)
    } else if (choice < 0.152) {
      await writer.call('FLUSHALL')
      truth.clear()
    } else {
      reads++
      if ((await random.pick(caches).get(key)) !== (truth.get(key) ?? null)) wrong++
    }
  }
  const hits = caches.reduce((sum, cache) => sum + cache.hits, 0)
  verdict.figure('reads by clients with a cache, out of it', `${reads}, ${hits}`)
  verdict.demand(wrong === 0 && hits > reads / 3, 'no cache is ever wrong', `${wrong} wrong, ${hits} hits`)
})

await Promise.all([casky.stop(), redis.stop()])
verdict.finish()
