// ioredis with its default options against a server: what an application does in its first hour.
//
//   node ioredis.mjs MODULE PORT        MODULE: a path or a name that resolves to ioredis 5 or 6
//
// Any error event, any wrong answer, any answer that does not come ends it with exit code 1.

import assert from 'node:assert/strict'

const [module_, port] = process.argv.slice(2)
const { Redis } = await import(module_)
const client = new Redis(Number(port))
client.on('error', (error) => {
  console.error(error)
  process.exit(1)
})

assert.equal(await client.ping(), 'PONG')
await client.flushdb()
assert.equal(await client.set('k', 'v'), 'OK')
assert.equal(await client.get('k'), 'v')
assert.equal(await client.get('missing'), null)
assert.equal(await client.set('k', 'w', 'EX', 100, 'NX'), null)
assert.equal(await client.set('t', 'w', 'PX', 100_000), 'OK')
assert.ok((await client.ttl('t')) > 90)
assert.equal(await client.incrby('n', 41), 41)
assert.equal(await client.incr('n'), 42)
await client.mset({ a: '1', b: '2' })
assert.deepEqual(await client.mget('a', 'missing', 'b'), ['1', null, '2'])
assert.equal(await client.append('a', 'x'), 2)
assert.equal(await client.strlen('a'), 2)

const binary = Buffer.from([0, 255, 13, 10, 128])
await client.set(binary, binary)
assert.deepEqual(await client.getBuffer(binary), binary)

const big = 'x'.repeat(5 * 1024 * 1024)
await client.set('big', big)
assert.equal(await client.get('big'), big)

assert.deepEqual(await client.multi().set('m', '1').incr('m').get('m').exec(), [
  [null, 'OK'],
  [null, 2],
  [null, '2'],
])
await client.watch('m')
await client.duplicate().set('m', '9')
assert.equal(await client.multi().set('m', '3').exec(), null)

const pipeline = client.pipeline()
for (let i = 0; i < 10_000; i++) pipeline.set(`p:${i}`, i)
const replies = await pipeline.exec()
assert.ok(replies.every(([error, reply]) => error === null && reply === 'OK'))
const seen = new Set()
for await (const keys of client.scanStream({ match: 'p:*', count: 500 })) for (const key of keys) seen.add(key)
assert.equal(seen.size, 10_000)
assert.equal(await client.dbsize(), 10_000 + 8)

await assert.rejects(client.call('NOSUCH'), /unknown command/)
await assert.rejects(client.incr('k'), /not an integer/)
assert.match(await client.info(), /redis_version:/)
assert.ok(Number(await client.command('COUNT')) > 50)
assert.ok((await client.client('ID')) > 0)
await client.client('SETNAME', 'smoke')
assert.equal(await client.client('GETNAME'), 'smoke')

const other = new Redis({ port: Number(port), db: 3, connectionName: 'third' })
await other.flushdb()
await other.set('k', 'in three')
assert.equal(await client.get('k'), 'v')
assert.equal(await other.client('GETNAME'), 'third')
await Promise.all([client.quit(), other.quit()])
console.log('ok')
process.exit(0)
