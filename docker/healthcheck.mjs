// Is the server there? Exit 0 only when it has answered PING with PONG; otherwise 1, with the reason on standard error.
//
//   node healthcheck.mjs [host] [port]      default: 127.0.0.1, and the port from CASKY_PORT, REDIS_PORT_NUMBER or 6379
//   node healthcheck.mjs /path/to.sock      a unix socket (default: CASKY_UNIXSOCKET where CASKY_PORT is 0)
//
// A server that wants a password gets the one of CASKY_REQUIREPASS, CASKY_REQUIREPASS_FILE, REDIS_PASSWORD_FILE or REDIS_PASSWORD.
// LOADING is an answer, but not of a server that can be used: the image's start period covers it.

import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import RedisParser from 'redis-parser'

const LIMIT_MS = 4000

const env = process.env
const [first, second] = process.argv.slice(2)
const socket = connect(target())
let asked = 'PING'

const late = setTimeout(() => end(1, `no answer within ${LIMIT_MS} ms`), LIMIT_MS)
late.unref()

const parser = new RedisParser({
  returnReply: answered,
  returnError: (error) => answered(error),
  returnFatalError: (error) => end(1, `no Redis protocol: ${error.message}`),
})
socket.on('data', (bytes) => parser.execute(bytes))
socket.on('error', (error) => end(1, error.message))
socket.on('close', () => end(1, 'the server closed the connection'))
send('PING')

function answered(reply) {
  if (asked === 'PING' && reply === 'PONG') return end(0)
  if (asked === 'AUTH' && reply === 'OK') return send('PING')
  if (asked === 'PING' && reply instanceof Error && reply.message.startsWith('NOAUTH')) {
    let secret
    try {
      secret = password()
    } catch (error) {
      return end(1, error.message)
    }
    if (secret === null) return end(1, 'the server wants a password, and none is in the environment')
    return send('AUTH', secret)
  }
  end(1, `${asked}: ${reply instanceof Error ? reply.message : `an unexpected reply`}`)
}

function send(name, ...args) {
  asked = name
  const parts = [name, ...args].flatMap((arg) => {
    const bytes = Buffer.from(arg)
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]
  })
  socket.write(Buffer.concat([Buffer.from(`*${1 + args.length}\r\n`), ...parts]))
}

function target() {
  if (first?.startsWith('/')) return { path: first }
  // Kubernetes sets CASKY_PORT=tcp://... for a service called casky: that is no port.
  const port = [second, env.CASKY_PORT, env.REDIS_PORT_NUMBER].find((text) => /^\d+$/.test(text ?? '')) ?? '6379'
  if (first === undefined && port === '0' && env.CASKY_UNIXSOCKET) return { path: env.CASKY_UNIXSOCKET }
  return { host: first ?? '127.0.0.1', port: Number(port) }
}

/** As bytes, or null. The line end at the end of a file is not part of the secret (Casky reads it the same way). */
function password() {
  if (env.CASKY_REQUIREPASS) return Buffer.from(env.CASKY_REQUIREPASS)
  const path = env.CASKY_REQUIREPASS_FILE || env.REDIS_PASSWORD_FILE
  if (path) return Buffer.from(readFileSync(path, 'latin1').replace(/\r?\n$/, ''), 'latin1')
  return env.REDIS_PASSWORD ? Buffer.from(env.REDIS_PASSWORD) : null
}

function end(code, reason = '') {
  if (reason !== '') process.stderr.write(`${reason}\n`)
  process.exit(code)
}
