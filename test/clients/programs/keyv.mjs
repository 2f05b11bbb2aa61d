// keyv over @keyv/redis with default options:  node keyv.mjs PORT

import assert from 'node:assert/strict'
import KeyvRedis from '@keyv/redis'
import Keyv from 'keyv'

const url = `redis://127.0.0.1:${process.argv[2]}`
const errors = []
const open = (options) => {
  const keyv = new Keyv({ store: new KeyvRedis(url), ...options })
  keyv.on('error', (error) => errors.push(error))
  return keyv
}
const one = open({ namespace: 'one' })
const two = open({ namespace: 'two' })
assert.equal(await one.set('k', { deep: [1, 2, 'three'] }), true)
assert.deepEqual(await one.get('k'), { deep: [1, 2, 'three'] })
assert.equal(await two.get('k'), undefined)
await one.set('short', 'lived', 100_000)
assert.equal(await one.has('short'), true)
assert.equal(await one.has('missing'), false)
const expired = open({ namespace: 'three' })
await expired.set('gone', 'soon', 1)
for (let tries = 0; (await expired.get('gone')) !== undefined; tries++) assert.ok(tries < 100_000, 'it never expired')
await one.setMany([
  { key: 'a', value: 1 },
  { key: 'b', value: 2, ttl: 100_000 },
])
assert.deepEqual(await one.getMany(['a', 'none', 'b']), [1, undefined, 2])
assert.deepEqual(await one.hasMany(['a', 'none']), [true, false])
const found = new Map()
for await (const [key, value] of one.iterator()) found.set(key, value)
assert.deepEqual([...found.keys()].sort(), ['a', 'b', 'k', 'short'])
assert.equal(await one.delete('a'), true)
assert.equal(await one.delete('a'), false)
assert.equal(await one.deleteMany(['b', 'short']), true)
await two.set('stays', 1)
await one.clear()
assert.equal(await one.get('k'), undefined)
assert.equal(await two.get('stays'), 1)
await Promise.all([one.disconnect(), two.disconnect(), expired.disconnect()])
assert.deepEqual(errors, [])
console.log('ok')
process.exit(0)
