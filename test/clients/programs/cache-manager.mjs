// cache-manager over keyv and @keyv/redis with default options:  node cache-manager.mjs PORT

import assert from 'node:assert/strict'
import KeyvRedis from '@keyv/redis'
import { createCache } from 'cache-manager'
import Keyv from 'keyv'

const store = new Keyv({ store: new KeyvRedis(`redis://127.0.0.1:${process.argv[2]}`) })
store.on('error', (error) => {
  console.error(error)
  process.exit(1)
})
const cache = createCache({ stores: [store], ttl: 60_000 })
await cache.set('k', { name: 'v' })
assert.deepEqual(await cache.get('k'), { name: 'v' })
assert.ok((await cache.ttl('k')) > Date.now())
assert.equal(await cache.get('missing'), undefined)
await cache.mset([
  { key: 'a', value: 1 },
  { key: 'b', value: 2, ttl: 5000 },
])
assert.deepEqual(await cache.mget(['a', 'missing', 'b']), [1, undefined, 2])

let computed = 0
const compute = async () => ++computed
const answers = await Promise.all(Array.from({ length: 20 }, () => cache.wrap('costly', compute, 60_000)))
assert.deepEqual(new Set(answers), new Set([1]))
assert.equal(await cache.wrap('costly', compute), 1)
await cache.del('costly')
assert.equal(await cache.wrap('costly', compute), 2)

await cache.mdel(['a', 'b'])
assert.deepEqual(await cache.mget(['a', 'b', 'k']), [undefined, undefined, { name: 'v' }])
await cache.clear()
assert.equal(await cache.get('k'), undefined)
await cache.disconnect()
console.log('ok')
process.exit(0)
