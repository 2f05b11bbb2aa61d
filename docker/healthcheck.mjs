// Is the server there? Exit 0 only when it has answered PING with PONG; otherwise 1, with the reason on standard error.
//
//   node healthcheck.mjs [host] [port]      default: 127.0.0.1, and the port that the server was started with
//   node healthcheck.mjs /path/to.sock      a unix socket (default: the server's, where its port is 0)
//
// Port, socket and password are those of the container's server, read as the server reads them: from its command line (process 1),
// the configuration file named there, and the environment. Where process 1 is no Casky, the environment alone is asked: CASKY_PORT,
// CASKY_UNIXSOCKET, CASKY_REQUIREPASS, CASKY_REQUIREPASS_FILE, and REDIS_PORT_NUMBER, REDIS_PASSWORD_FILE, REDIS_PASSWORD. What
// the server was told later (CONFIG SET requirepass) or on its standard input cannot be known here.
// LOADING is an answer, but not of a server that can be used: the image's start period covers it.

import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { basename } from 'node:path'
import RedisParser from 'redis-parser'

const LIMIT_MS = 4000
/** What may stand before the server's own arguments. */
const PROGRAMS = new Set(['entrypoint.sh', 'main.js', 'casky', 'casky-server', 'redis-server'])

const env = process.env
const [first, second] = process.argv.slice(2)
const server = await configuration()
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
    if (secret === null)
      return end(1, 'the server wants a password, and none is in its configuration or the environment')
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
  const port =
    [second, server?.get('port').toString(), env.CASKY_PORT, env.REDIS_PORT_NUMBER].find((text) =>
      /^\d+$/.test(text ?? ''),
    ) ?? '6379'
  const path = server?.get('unixsocket') || env.CASKY_UNIXSOCKET
  if (first === undefined && port === '0' && path) return { path }
  return { host: first ?? '127.0.0.1', port: Number(port) }
}

/** As bytes, or null. The line end at the end of a file is not part of the secret (Casky reads it the same way). */
function password() {
  const told = server?.get('requirepass')
  if (told) return Buffer.from(told, 'latin1')
  if (env.CASKY_REQUIREPASS) return Buffer.from(env.CASKY_REQUIREPASS)
  const path = env.CASKY_REQUIREPASS_FILE || env.REDIS_PASSWORD_FILE
  if (path) return Buffer.from(readFileSync(path, 'latin1').replace(/\r?\n$/, ''), 'latin1')
  return env.REDIS_PASSWORD ? Buffer.from(env.REDIS_PASSWORD) : null
}

/** The configuration of process 1, null where that is no Casky or cannot be read. */
async function configuration() {
  try {
    const words = readFileSync(env.CASKY_TEST_CMDLINE ?? '/proc/1/cmdline', 'utf8')
      .split('\0')
      .slice(0, -1)
    const at = words.findIndex((word) => PROGRAMS.has(basename(word)))
    if (at < 0) return null
    let argv = words.slice(at)
    while (argv.length > 0 && PROGRAMS.has(basename(argv[0]))) argv = argv.slice(1)
    const { loadConfig } = await import('../dist/config/load.js')
    const { systemFiles } = await import('../dist/config/files.js')
    const loaded = loadConfig({ argv, env, cwd: process.cwd(), files: { ...systemFiles, readStdin: () => '' } })
    return loaded.config ?? null
  } catch {
    return null
  }
}

function end(code, reason = '') {
  if (reason !== '') process.stderr.write(`${reason}\n`)
  process.exit(code)
}
