// node-redis's client-side cache (RESP3 tracking):  node node-redis-cache.mjs MODULE PORT.  A cached answer must not outlive a write
// of somebody else's.

import assert from 'node:assert/strict'

const [module_, port] = process.argv.slice(2)
const { createClient } = await import(module_)
const open = async (options) => {
  const client = createClient({ url: `redis://127.0.0.1:${port}`, ...options })
  client.on('error', (error) => {
    console.error(error)
    process.exit(1)
  })
  await client.connect()
  return client
}
const reader = await open({ RESP: 3, clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' } })
const writer = await open({})
const reads = async () => Number(/cmdstat_get:calls=(\d+)/.exec(await writer.info('commandstats'))?.[1] ?? 0)
/** An invalidation travels on its own, so the old answer may come for a moment. Cached answers need a turn of the loop between. */
const becomes = async (key, wanted) => {
  for (let tries = 0; tries < 10_000; tries++) {
    if ((await reader.get(key)) === wanted) return
    await new Promise(setImmediate)
  }
  assert.fail(`${key} is still not ${wanted}`)
}

await writer.flushDb()
await writer.set('k', '1')
assert.equal(await reader.get('k'), '1')
const before = await reads()
for (let i = 0; i < 100; i++) assert.equal(await reader.get('k'), '1')
assert.equal(await reads(), before, 'a hundred reads came from the cache')
await writer.set('k', '2')
await becomes('k', '2')
await writer.del('k')
await becomes('k', null)
await writer.mSet({ k: '3', other: '1' })
await becomes('k', '3')
await writer.flushAll()
await becomes('k', null)
await reader.close()
await writer.close()
console.log('ok')
process.exit(0)
