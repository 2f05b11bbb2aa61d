// Valkey GLIDE with its default options:  node glide.mjs PORT.  Any wrong answer ends it with exit code 1.

import assert from 'node:assert/strict'
import { Batch, Decoder, GlideClient, TimeUnit } from '@valkey/valkey-glide'

const port = Number(process.argv[2])
const addresses = [{ host: '127.0.0.1', port }]
const requestTimeout = 20_000 // its 250 ms are for a network's sake, not for a test machine that is busy
const client = await GlideClient.createClient({ addresses, requestTimeout })
assert.equal(await client.ping(), 'PONG')
await client.flushall()
assert.equal(await client.set('k', 'v'), 'OK')
assert.equal(await client.get('k'), 'v')
assert.equal(await client.get('missing'), null)
assert.equal(await client.set('k', 'w', { conditionalSet: 'onlyIfDoesNotExist' }), null)
assert.equal(await client.set('t', 'w', { expiry: { type: TimeUnit.Milliseconds, count: 100_000 } }), 'OK')
assert.ok((await client.pttl('t')) > 90_000)
assert.equal(await client.incrBy('n', 41), 41)
assert.equal(await client.incrByFloat('n', 0.5), 41.5)
await client.mset({ a: '1', b: '2' })
assert.deepEqual(await client.mget(['a', 'missing', 'b']), ['1', null, '2'])
assert.equal(await client.append('a', 'x'), 2)
assert.equal(await client.getrange('a', 0, 0), '1')
assert.equal(await client.setbit('bits', 7, 1), 0)
assert.equal(await client.bitcount('bits'), 1)
assert.equal(await client.pfadd('visitors', ['a', 'b', 'c']), true)
assert.equal(await client.pfcount(['visitors']), 3)

const binary = Buffer.from([0, 255, 13, 10, 128])
await client.set('binary', binary)
assert.deepEqual(await client.get('binary', { decoder: Decoder.Bytes }), binary)
const big = 'x'.repeat(5 * 1024 * 1024)
await client.set('big', big)
assert.equal(await client.get('big'), big)

const results = await client.exec(new Batch(true).set('m', '1').incr('m').get('m'), true)
assert.deepEqual(results, ['OK', 2, '2'])
const pipeline = new Batch(false)
for (let i = 0; i < 10_000; i++) pipeline.set(`p:${i}`, String(i))
assert.equal((await client.exec(pipeline, true)).length, 10_000)
const seen = new Set()
let cursor = '0'
do {
  const [next, keys] = await client.scan(cursor, { match: 'p:*', count: 500 })
  for (const key of keys) seen.add(key)
  cursor = String(next)
} while (cursor !== '0')
assert.equal(seen.size, 10_000)

const dumped = await client.dump('k')
assert.equal(await client.restore('restored', 0, dumped), 'OK')
assert.equal(await client.get('restored'), 'v')
await assert.rejects(client.incr('k'), /not an integer/)
await assert.rejects(client.customCommand(['NOSUCH']), /unknown command/)
assert.match(await client.info(), /redis_version:/)
assert.ok((await client.clientId()) > 0)
assert.equal(typeof (await client.configGet(['maxclients'])).maxclients, 'string')

const subscriber = await GlideClient.createClient({
  addresses,
  requestTimeout,
  pubsubSubscriptions: { channelsAndPatterns: { 0: new Set(['news']), 1: new Set(['n?ws']) } },
})
assert.equal(await client.publish('hello', 'news'), 2)
const messages = [await subscriber.getPubSubMessage(), await subscriber.getPubSubMessage()]
assert.deepEqual(
  messages.map((message) => [message.message, message.channel]),
  [
    ['hello', 'news'],
    ['hello', 'news'],
  ],
)
subscriber.close()
client.close()
console.log('ok')
process.exit(0)
