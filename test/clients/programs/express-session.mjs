// express-session over connect-redis and node-redis: a site with a login, asked over HTTP.  node express-session.mjs PORT

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { RedisStore } from 'connect-redis'
import express from 'express'
import session from 'express-session'
import { createClient } from 'redis6'

const client = createClient({ url: `redis://127.0.0.1:${process.argv[2]}` })
client.on('error', (error) => {
  console.error(error)
  process.exit(1)
})
await client.connect()
await client.flushDb()
const store = new RedisStore({ client })
const app = express()
app.use(session({ store, secret: 'not for use', resave: false, saveUninitialized: false, cookie: { maxAge: 60_000 } }))
app.get('/login/:name', (request, response) => {
  request.session.name = request.params.name
  request.session.visits = 0
  response.send('welcome')
})
app.get('/', (request, response) => {
  if (request.session.name === undefined) return response.status(401).send('who are you?')
  request.session.visits++
  response.send(`${request.session.name} ${request.session.visits}`)
})
app.get('/logout', (request, response, next) => {
  request.session.destroy((error) => (error ? next(error) : response.send('bye')))
})
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const site = `http://127.0.0.1:${server.address().port}`

const visitor = async () => {
  let cookie = ''
  return async (path) => {
    const response = await fetch(site + path, { headers: { cookie } })
    cookie = response.headers.get('set-cookie')?.split(';')[0] ?? cookie
    return response.text()
  }
}
const ann = await visitor()
const bob = await visitor()
assert.equal(await ann('/'), 'who are you?')
assert.equal(await ann('/login/ann'), 'welcome')
assert.equal(await bob('/login/bob'), 'welcome')
assert.equal(await ann('/'), 'ann 1')
assert.equal(await ann('/'), 'ann 2')
assert.equal(await bob('/'), 'bob 1')

const ask = (method, ...args) =>
  new Promise((resolve, reject) => store[method](...args, (error, answer) => (error ? reject(error) : resolve(answer))))
assert.equal(await ask('length'), 2)
assert.equal((await ask('ids')).length, 2)
assert.deepEqual((await ask('all')).map((one) => one.name).sort(), ['ann', 'bob'])
const [key] = await client.keys('sess:*')
const ttl = await client.ttl(key)
assert.ok(ttl > 50 && ttl <= 60, `a session lives for ${ttl} s`)
assert.equal(await ann('/logout'), 'bye')
assert.equal(await ann('/'), 'who are you?')
assert.equal(await bob('/'), 'bob 2')
await ask('clear')
assert.equal(await bob('/'), 'who are you?')
server.close()
await client.close()
console.log('ok')
process.exit(0)
