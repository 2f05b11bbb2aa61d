// node-redis with its default options against a server.
//
//   node node-redis.mjs MODULE PORT     MODULE: a path or a name that resolves to redis 4 or 6
//
// Any error event, any wrong answer, any answer that does not come ends it with exit code 1.

import assert from 'node:assert/strict'

const [module_, port] = process.argv.slice(2)
const { createClient } = await import(module_)
const open = async (options = {}) => {
  const client = createClient({ url: `redis://127.0.0.1:${port}`, ...options })
  client.on('error', (error) => {
    console.error(error)
    process.exit(1)
  })
  await client.connect()
  return client
}

const client = await open()
assert.equal(await client.ping(), 'PONG')
await client.flushDb()
assert.equal(await client.set('k', 'v'), 'OK')
assert.equal(await client.get('k'), 'v')
assert.equal(await client.get('missing'), null)
assert.equal(await client.set('k', 'w', { NX: true }), null)
assert.equal(await client.set('t', 'w', { PX: 100_000 }), 'OK')
assert.ok((await client.ttl('t')) > 90)
assert.equal(await client.incrBy('n', 41), 41)
assert.equal(await client.incr('n'), 42)
await client.mSet({ a: '1', b: '2' })
assert.deepEqual(await client.mGet(['a', 'missing', 'b']), ['1', null, '2'])
assert.equal(await client.getDel('a'), '1')
assert.equal(await client.getEx('b', { type: 'EX', value: 100, EX: 100 }), '2')
assert.equal(Number(await client.expire('k', 100)), 1)
assert.equal(Number(await client.persist('k')), 1)
assert.equal(Number(await client.copy('k', 'k2')), 1)
assert.equal(await client.rename('k2', 'k3'), 'OK')
assert.equal(await client.exists(['k', 'k3', 'missing']), 2)

const big = 'x'.repeat(5 * 1024 * 1024)
await client.set('big', big)
assert.equal(await client.get('big'), big)

assert.deepEqual(await client.multi().set('m', '1').incr('m').get('m').exec(), ['OK', 2, '2'])

const many = await Promise.all(Array.from({ length: 10_000 }, (_, i) => client.set(`p:${i}`, String(i))))
assert.ok(many.every((reply) => reply === 'OK'))
const seen = new Set()
for await (const found of client.scanIterator({ MATCH: 'p:*', COUNT: 500 })) {
  for (const key of Array.isArray(found) ? found : [found]) seen.add(key) // version 4 gives keys, version 6 pages
}
assert.equal(seen.size, 10_000)
assert.equal(await client.dbSize(), 10_000 + 7)

await assert.rejects(client.sendCommand(['NOSUCH']), /unknown command/)
await assert.rejects(client.incr('k'), /not an integer/)
assert.match(await client.info(), /redis_version:/)
assert.equal(typeof (await client.configGet('maxclients')).maxclients, 'string')
assert.ok(Number(await client.clientId()) > 0)

const other = await open({ database: 3, name: 'third' })
await other.flushDb()
await other.set('k', 'in three')
assert.equal(await client.get('k'), 'v')
assert.equal(await other.clientGetName(), 'third')
await client.quit()
await other.quit()
console.log('ok')
process.exit(0)
