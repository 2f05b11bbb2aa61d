// A client in one line: CLIENT LIST, CLIENT INFO, and the log.
// https://redis.io/docs/latest/commands/client-list/

import type { Connection } from './connection.ts'

/**
 * Of a name, here and wherever it is shown beside others. Redis shows all of it, however long; but lines are strings of V8's, which end at
 * 512 MiB, and the log is no place for megabytes either.
 */
const SHOWN_NAME_BYTES = 1024

/** A copy: a part of a string keeps all of it in memory. */
export function shownName(name: string): string {
  if (name.length <= SHOWN_NAME_BYTES) return name
  return Buffer.from(name.slice(0, SHOWN_NAME_BYTES), 'latin1').toString('latin1')
}

/** `now`: wall clock, ms. */
export function clientLine(client: Connection, now: number): string {
  const { output, peer, reply, subscriptions, tracking, transaction } = client
  return [
    `id=${client.id}`,
    `addr=${peer.address}`,
    `laddr=${peer.localAddress}`,
    `fd=${peer.descriptor}`,
    `name=${shownName(client.name)}`,
    `age=${Math.floor((now - client.connectedAt) / 1000)}`,
    `idle=${Math.floor((now - client.lastInteraction) / 1000)}`,
    `flags=${flagsOf(client)}`,
    `db=${client.database}`,
    `sub=${subscriptions?.channel.size ?? 0}`,
    `psub=${subscriptions?.pattern.size ?? 0}`,
    `ssub=${subscriptions?.shard.size ?? 0}`,
    `multi=${transaction === null ? -1 : transaction.queue.length}`,
    `qbuf=${client.inputBytes}`,
    'qbuf-free=0',
    `argv-mem=${client.parkedBytes}`,
    `multi-mem=${transaction?.bytes ?? 0}`,
    `rbs=${reply.bytes.length}`,
    `rbp=${reply.bytes.length}`,
    `obl=${reply.length}`,
    `oll=${output.openHoles}`,
    `omem=${output.pendingBytes}`,
    `tot-mem=${client.heldBytes}`,
    `events=${client.isRead ? 'r' : ''}${output.stuck ? 'w' : ''}`,
    `cmd=${client.lastCommand === null ? 'NULL' : client.lastCommand.name.toLowerCase()}`,
    'user=default',
    `redir=${tracking?.redirect ?? -1}`,
    `resp=${client.protocol}`,
    `lib-name=${shownName(client.libName)}`,
    `lib-ver=${shownName(client.libVersion)}`,
  ].join(' ')
}

function flagsOf(client: Connection): string {
  const { tracking } = client
  let flags = ''
  if (client.isMonitor) flags += 'O'
  if (client.subscriptions !== null) flags += 'P'
  if (client.transaction !== null) flags += 'x'
  if (client.isWaiting) flags += 'b'
  if (tracking !== null) flags += 't'
  if (tracking?.isBroken) flags += 'R'
  if (tracking?.broadcast) flags += 'B'
  if (client.watchBroken) flags += 'd'
  if (client.isClosing || client.closeAfterReply) flags += 'c'
  if (client.peer.isUnix) flags += 'U'
  if (client.noEvict) flags += 'e'
  if (client.noTouch) flags += 'T'
  return flags === '' ? 'N' : flags
}
