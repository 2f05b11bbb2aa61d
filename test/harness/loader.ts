// Fills a server with keys, as fast as one process can: request bytes are stamped into a prepared block, replies are
// only counted. Keys are named as redis-benchmark names them (key:000000000042), so that its GETs hit; a value begins with
// the digits of its key, so that a foreign one shows.

import { once } from 'node:events'
import { connect } from 'node:net'

export interface LoadOptions {
  readonly port: number
  /** Keys first .. first + count - 1. */
  readonly count: number
  readonly first?: number
  /** At least 12: the digits. */
  readonly valueBytes: number
  readonly host?: string
  /** The i-th request is for key first + (i * stride) % count. Default 1: in order. No common divisor with count. */
  readonly stride?: number
  /** Requests a second at most. Default: as fast as they are answered. */
  readonly rate?: number
  /** Stop after so many requests. */
  readonly only?: number
  /** Called now and then with the number of keys acknowledged. */
  progress?(done: number): void
}

/** Requests in one write. */
const BLOCK = 1000
/** With a rate: requests in one write, and how often there is a look whether more are due. */
const PACED_BLOCK = 100
const PACE_MS = 1
/** Blocks sent and not yet answered: enough to keep the server busy, little enough to keep its buffers small. */
const IN_FLIGHT = 8
const DIGITS = 12
const REPLY = '+OK\r\n'

/** The key that carries this number. */
export function keyOf(index: number): string {
  return `key:${String(index).padStart(DIGITS, '0')}`
}

/** The value the loader gives to that key. */
export function loadedValue(index: number, valueBytes: number): string {
  return String(index).padStart(DIGITS, '0').padEnd(valueBytes, 'v')
}

/** SETs all keys over one connection. Returns milliseconds. Throws at the first reply that is not +OK. */
export function loadKeys(options: LoadOptions): Promise<number> {
  return stream(options, template(options.valueBytes), REPLY.length)
}

/** GETs all keys, which must have values of `valueBytes`, over one connection. Returns milliseconds. Throws at an error, or when one is missing. */
export function readKeys(options: LoadOptions): Promise<number> {
  const request = Buffer.from(`*2\r\n$3\r\nGET\r\n$${DIGITS + 4}\r\n${keyOf(0)}\r\n`)
  return stream(options, request, `$${options.valueBytes}\r\n`.length + options.valueBytes + 2)
}

/** Sends the request for each key and counts the bytes of replies, which are all of one length. */
async function stream(options: LoadOptions, request: Buffer, replyBytes: number): Promise<number> {
  const { port, count, first = 0, valueBytes, stride = 1, rate } = options
  const socket = connect({ port, host: options.host ?? '127.0.0.1' })
  await once(socket, 'connect')
  socket.setNoDelay(true)
  const started = performance.now()
  const keyAt = request.indexOf('key:') + 4
  const valueAt = request.length - 2 - valueBytes
  const isSet = request.includes('SET')
  const total = options.only ?? count
  let sent = 0
  let answeredBytes = 0
  let pacer: NodeJS.Timeout | undefined
  await new Promise<void>((resolve, reject) => {
    const fill = (): void => {
      const due = rate === undefined ? total : Math.min(total, ((performance.now() - started) / 1000) * rate)
      while (sent < due && sent - answeredBytes / replyBytes < BLOCK * IN_FLIGHT) {
        const size = Math.min(rate === undefined ? BLOCK : PACED_BLOCK, total - sent)
        const block = Buffer.allocUnsafe(size * request.length)
        for (let i = 0; i < size; i++) {
          request.copy(block, i * request.length)
          const index = first + (((sent + i) * stride) % count)
          stamp(block, i * request.length + keyAt, index)
          if (isSet) stamp(block, i * request.length + valueAt, index)
        }
        sent += size
        socket.write(block)
      }
    }
    socket.on('data', (chunk) => {
      if (chunk.includes('-'))
        reject(new Error(`a request was refused, or its key is missing: ${chunk.toString('latin1').slice(0, 200)}`))
      answeredBytes += chunk.length
      options.progress?.(Math.floor(answeredBytes / replyBytes))
      if (answeredBytes === total * replyBytes) resolve()
      else fill()
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the server closed while keys were loaded')))
    fill()
    if (rate !== undefined) pacer = setInterval(fill, PACE_MS)
  }).finally(() => clearInterval(pacer))
  socket.removeAllListeners('close')
  socket.destroy()
  return performance.now() - started
}

function template(valueBytes: number): Buffer {
  const head = `*3\r\n$3\r\nSET\r\n$${DIGITS + 4}\r\n${keyOf(0)}\r\n`
  return Buffer.from(`${head}$${valueBytes}\r\n${loadedValue(0, valueBytes)}\r\n`)
}

/** The length of one request. */
export function requestBytes(valueBytes: number): number {
  return template(valueBytes).length
}

function stamp(block: Buffer, at: number, index: number): void {
  let rest = index
  for (let i = DIGITS - 1; i >= 0; i--) {
    block[at + i] = 48 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}
