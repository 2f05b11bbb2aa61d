// Plays one case against one server and returns what each step brought, as texts that can be compared.

import { ConnectionClosed, type RawConnection, type RawReply } from '../harness/connection.ts'
import { encodeRequest } from '../harness/resp.ts'
import type { Server } from '../harness/server.ts'
import { normalisers } from './normalise.ts'
import type { Case, Step } from './script.ts'

export type Protocol = 2 | 3

/** A server that does not answer within this has not answered. */
const REPLY_LIMIT_MS = 120_000
/** A server that has not closed within this leaves the connection open. */
const OPEN_MS = 1_000

/** One result per step: the raw reply as latin1, or what its normaliser made of it, or <closed>, <no reply>. */
export async function play(one: Case, server: Server, protocol: Protocol, password?: string): Promise<string[]> {
  const connections = new Map<string, RawConnection>()
  const ids: Ids = new Map()
  const namesClients = one.steps.some((step) => step.text.includes('{id:') || step.tag === 'ids')
  const connection = async (name: string): Promise<RawConnection> => {
    const known = connections.get(name)
    if (known !== undefined) return known
    const fresh = await server.connect({ replyLimitMs: REPLY_LIMIT_MS })
    connections.set(name, fresh)
    if (namesClients) ids.set(name, String(await fresh.call('CLIENT', 'ID')))
    if (protocol === 3) await fresh.call('HELLO', 3, ...(password === undefined ? [] : ['AUTH', 'default', password]))
    return fresh
  }
  await clear(server, password)
  try {
    const results: string[] = []
    for (const step of one.steps) {
      for (const [, name] of step.text.matchAll(ID)) await connection(name!)
      results.push(withoutIds(await take(withIds(step, ids), await connection(step.connection)), ids))
    }
    return results
  } finally {
    for (const open of connections.values()) open.close()
    await Promise.all([...connections.values()].map((open) => open.closed))
  }
}

async function clear(server: Server, password: string | undefined): Promise<void> {
  const admin = await server.connect()
  if (password !== undefined) await admin.call('AUTH', password)
  await admin.call('FLUSHALL')
  admin.close()
  await admin.closed
}

/** The client's number on each connection, for cases that speak of it. */
type Ids = Map<string, string>

const ID = /\{id:([a-z])\}/g

function withIds(step: Step, ids: Ids): Step {
  if (!step.text.includes('{id:')) return step
  const words = step.words.map((word) =>
    Buffer.from(
      word.toString('latin1').replace(ID, (_, name: string) => ids.get(name)!),
      'latin1',
    ),
  )
  return { ...step, words }
}

function withoutIds(result: string, ids: Ids): string {
  let text = result
  for (const [name, id] of ids) text = text.replaceAll(`:${id}\r\n`, `:{id:${name}}\r\n`)
  return text
}

async function take(step: Step, on: RawConnection): Promise<string> {
  try {
    return await result(step, on)
  } catch (error) {
    if (error instanceof ConnectionClosed) return '<closed>'
    return `<${(error as Error).message}>`
  }
}

async function result(step: Step, on: RawConnection): Promise<string> {
  const [tag, detail] = split(step.tag)
  const bytes = tag === 'raw' ? Buffer.concat(step.words) : encodeRequest(step.words)
  switch (tag) {
    case undefined:
    case 'ids':
      return plain(await ask(on, bytes))
    case 'silent':
      on.send(bytes)
      return '<silent>'
    case 'closed':
      on.send(bytes)
      return untilClosed(on)
    case 'raw':
      on.send(bytes)
      if (detail === 'closed') return untilClosed(on)
      // redis-server does not close here, so somebody has to give up waiting.
      if (detail === 'open') return untilClosed(on, OPEN_MS)
      return several(on, Number(detail))
    case 'all':
      on.send(bytes)
      return (await upToPing(on)).join('')
    case 'heard':
      return detail === undefined ? (await upToPing(on)).join('') : several(on, Number(detail))
    case 'unordered':
      return (await upToPing(on)).sort().join('')
    case 'monitor':
      if (step.words.length > 0) on.send(bytes)
      return (await several(on, Number(detail))).replace(MONITOR_HEAD, '+TIME [$1 ADDRESS]')
    case 'blocked':
      return blocked(on, bytes, Number(detail))
    case 'until':
      return until(on, bytes, detail!)
    case 'scan':
      return scan(on, step.words)
    default: {
      const normaliser = normalisers[tag]
      if (normaliser === undefined) throw new Error(`no normaliser is called ${tag}`)
      const reply = await ask(on, bytes)
      return `${tag}: ${normaliser(reply.value, reply.raw)}`
    }
  }
}

function split(tag: string | undefined): [string | undefined, string | undefined] {
  if (tag === undefined) return [undefined, undefined]
  const space = tag.indexOf(' ')
  return space < 0 ? [tag, undefined] : [tag.slice(0, space), tag.slice(space + 1)]
}

const SENTINEL = 'the end of what was said'

/** All replies that come before that of a PING. */
async function upToPing(on: RawConnection): Promise<string[]> {
  on.send(encodeRequest(['PING', SENTINEL]))
  const all: string[] = []
  for (;;) {
    const text = plain(await on.reply())
    if (text.includes(SENTINEL)) return all
    all.push(text)
  }
}

const plain = (reply: RawReply): string => reply.raw.toString('latin1')

function ask(on: RawConnection, bytes: Buffer): Promise<RawReply> {
  on.send(bytes)
  return on.reply()
}

async function several(on: RawConnection, count: number): Promise<string> {
  if (!Number.isInteger(count)) throw new Error('[raw N] needs a number of replies')
  let all = ''
  try {
    for (let i = 0; i < count; i++) all += plain(await on.reply())
  } catch (error) {
    if (!(error instanceof ConnectionClosed)) throw error
    all += '<closed>'
  }
  return all
}

async function untilClosed(on: RawConnection, limitMs?: number): Promise<string> {
  const { bytes, closed } = await on.untilClosed(limitMs)
  return `${bytes.toString('latin1')}${closed ? '<closed>' : '<still open>'}`
}

/** Asks until the reply's first line is what is waited for. The reply limit bounds the wait. */
async function until(on: RawConnection, bytes: Buffer, wanted: string): Promise<string> {
  const deadline = performance.now() + REPLY_LIMIT_MS
  for (;;) {
    const reply = plain(await ask(on, bytes))
    if (reply === `${wanted}\r\n` || performance.now() > deadline) return reply
  }
}

/** 1339518083.107412 [0 127.0.0.1:60866] */
const MONITOR_HEAD = /^\+\d+\.\d{6} \[(\d+) \S+\]/gm

/** Asks INFO until so many clients are blocked. */
async function blocked(on: RawConnection, bytes: Buffer, wanted: number): Promise<string> {
  const deadline = performance.now() + REPLY_LIMIT_MS
  for (;;) {
    const count = /blocked_clients:(\d+)/.exec(plain(await ask(on, bytes)))?.[1]
    if (Number(count) === wanted || performance.now() > deadline) return `${count} blocked`
  }
}

/** A whole SCAN. Every element must be a key once or more; compared is the set, and that the cursor ends at 0. */
async function scan(on: RawConnection, words: readonly Buffer[]): Promise<string> {
  const keys = new Set<string>()
  let cursor: Buffer = Buffer.from('0')
  for (let calls = 0; calls < 10_000; calls++) {
    const reply = await ask(on, encodeRequest([words[0]!, cursor, ...words.slice(1)]))
    if (!Array.isArray(reply.value)) return plain(reply)
    const [next, found] = reply.value
    if (!Buffer.isBuffer(next) || !Array.isArray(found)) return `not a SCAN reply: ${plain(reply)}`
    for (const key of found) keys.add((key as Buffer).toString('latin1'))
    cursor = next
    if (cursor.toString() === '0') return `scan: ${[...keys].sort().join(' ')}`
  }
  return 'scan: the cursor never came back to 0'
}
