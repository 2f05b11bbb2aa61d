// Done 6: bad configuration, port in use, directory without rights, second process, garbage bytes, a 600 MB bulk, a client
// that never reads: a clear error each, and the server lives.
//
//   npx tsx test/acceptance/done-6-bad-input.ts
//
// The directory without rights needs root to become somebody else (setpriv); run otherwise, that part runs as oneself.

import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Run, run } from '../harness/child.ts'
import { peakResidentBytes, residentBytes } from '../harness/process-stats.ts'
import { findProgram } from '../harness/programs.ts'
import { randomFrom } from '../harness/random.ts'
import { encodeRequest, show } from '../harness/resp.ts'
import { caskyMain, freePort, startServer } from '../harness/server.ts'
import { mib, Verdict } from './verdict.ts'

const verdict = new Verdict('done 6: bad input')
const scratch = mkdtempSync(join(tmpdir(), 'casky-bad-'))
const server = await startServer('casky', { dir: join(scratch, 'good') })

/** Starts another Casky that is not expected to last. */
async function attempt(
  args: readonly string[],
  program = process.execPath,
  before: readonly string[] = [],
): Promise<Run> {
  return run(program, [...before, caskyMain, ...args], { cwd: scratch, limitMs: 15_000, input: '' })
}

const told = (result: Run): string =>
  `exit ${result.code ?? result.signal}\n${result.stdout}${result.stderr}`.slice(0, 1200)

/** It ends with exit code 1 and every one of the words is in what it said, without a stack trace. */
function refused(result: Run, what: string, ...words: RegExp[]): void {
  const said = result.stdout + result.stderr
  const clear = words.every((word) => word.test(said)) && !/^\s+at .*\(.*:\d+:\d+\)/m.test(said)
  verdict.demand(result.code === 1 && clear, what, told(result))
}

/** The server answers, within a second, somebody who behaves. */
async function lives(after: string): Promise<void> {
  const client = await server.connect({ replyLimitMs: 1000 })
  const reply = await client.call('PING')
  client.close()
  verdict.demand(reply === 'PONG' && server.child.exit === undefined, `the server lives after ${after}`, show(reply))
}

await verdict.part('bad configuration', async () => {
  const fatal = /FATAL CONFIG FILE ERROR/
  refused(await attempt(['--no-such-directive', '1']), 'an unknown directive', fatal, /no-such-directive/)
  refused(await attempt(['--maxclients', 'many']), 'a number that is none', fatal, /maxclients/)
  refused(await attempt(['--appendfsync', 'sometimes']), 'a choice that is none', fatal, /appendfsync/)
  refused(await attempt(['--port', '70000']), 'a port out of range', fatal, /port/)
  refused(await attempt(['--segment-size', '1']), 'a size out of range', fatal, /segment-size/)
  refused(await attempt(['--port']), 'a directive without its value', fatal, /port/)
  const file = join(scratch, 'bad.conf')
  writeFileSync(file, '# a remark\nport 0\nbogus yes\n')
  refused(await attempt([file]), 'a bad line in a file, with its number', fatal, /line 3/, /bogus yes/)
  refused(await attempt([join(scratch, 'none.conf')]), 'a missing file', /none\.conf/, /No such file/)
  writeFileSync(file, 'logfile "open quote\n')
  refused(await attempt([file]), 'an open quote', fatal, /line 1/)
  const env = await run(process.execPath, [caskyMain, '--port', '0'], {
    cwd: scratch,
    limitMs: 15_000,
    env: { CASKY_NO_SUCH_THING: '1' },
  })
  refused(env, 'an unknown variable CASKY_...', /CASKY_NO_SUCH_THING/)
})

await verdict.part('port in use', async () => {
  const dir = join(scratch, 'other')
  const result = await attempt(['--port', String(server.port), '--dir', dir])
  refused(result, 'port in use', /[Aa]ddress already in use/, new RegExp(String(server.port)))
  await lives('another wanted its port')
})

await verdict.part('directory without rights', async () => {
  const dir = mkdtempSync(join(scratch, 'closed-'))
  chmodSync(dir, 0o500)
  chmodSync(scratch, 0o755)
  const port = String(await freePort())
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath]
  const root = process.getuid?.() === 0 && findProgram('setpriv') !== undefined
  const result = root
    ? await attempt(['--port', port, '--dir', dir], 'setpriv', nobody)
    : await attempt(['--port', port, '--dir', dir])
  refused(result, 'a directory without rights', /[Pp]ermission denied|EACCES/, /closed-/)
  const inner = root
    ? await attempt(['--port', port, '--dir', join(dir, 'new')], 'setpriv', nobody)
    : await attempt(['--port', port, '--dir', join(dir, 'new')])
  refused(inner, 'a directory that cannot be made', /[Pp]ermission denied|EACCES/, /closed-/)
  const file = join(scratch, 'a-file')
  writeFileSync(file, '')
  refused(await attempt(['--port', port, '--dir', file]), 'a file where the directory should be', /a-file/)
})

await verdict.part('second process', async () => {
  const before = listing(server.dir)
  const result = await attempt(['--port', String(await freePort()), '--dir', server.dir])
  refused(result, 'a second process on the directory', /lock|in use|another/i)
  verdict.demand(listing(server.dir) === before, 'the second process wrote nothing', listing(server.dir))
  await lives('a second process')
  const client = await server.connect()
  verdict.demand((await client.call('SET', 'after', 'second')) === 'OK', 'and it still writes')
  client.close()
})

await verdict.part('garbage bytes', async () => {
  const random = randomFrom(20)
  const valid = Buffer.concat([encodeRequest(['SET', 'g', 'v']), encodeRequest(['GET', 'g']), Buffer.from('PING\r\n')])
  for (let round = 0; round < 300; round++) {
    const bytes = round % 2 === 0 ? noise(random.between(1, 4000)) : mutated()
    await shout(bytes)
  }
  await lives('300 connections of garbage')

  function noise(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => random.below(256)))
  }
  function mutated(): Buffer {
    const bytes = Buffer.from(valid)
    for (let flips = random.between(1, 8); flips > 0; flips--) bytes[random.below(bytes.length)] = random.below(256)
    return bytes
  }
})

await verdict.part('a 600 MB bulk', async () => {
  const before = residentBytes(server.child.pid)
  const head = `*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$${600 * 1024 * 1024}\r\n`
  const client = await server.connect({ replyLimitMs: 10_000 })
  client.send(head)
  const { bytes, closed } = await client.untilClosed()
  const text = bytes.toString('latin1')
  verdict.demand(closed && text === '-ERR Protocol error: invalid bulk length\r\n', 'a 600 MB bulk is refused', text)
  // Whoever goes on sending is cut off, and may lose the reply to the reset of the connection.
  const stubborn = await server.connect({ replyLimitMs: 10_000 })
  stubborn.send(head)
  stubborn.send(Buffer.alloc(64 * 1024 * 1024))
  verdict.demand((await stubborn.untilClosed()).closed, 'whoever goes on sending is cut off')
  const grown = residentBytes(server.child.pid) - before
  verdict.demand(grown < 64 * 1024 * 1024, 'and costs no memory', mib(grown))
  await lives('a 600 MB bulk')
})

await verdict.part('a client that never reads', async () => {
  const client = await server.connect({ replyLimitMs: 30_000 })
  await client.call('SET', 'megabyte', Buffer.alloc(1024 * 1024, 'm'))
  const before = residentBytes(server.child.pid)
  const deaf: Socket[] = []
  for (let i = 0; i < 20; i++) {
    const socket = connect({ port: server.port, host: '127.0.0.1' })
    socket.on('error', () => {}) // the server may well hang up on it
    await once(socket, 'connect')
    socket.pause()
    socket.write(Buffer.concat(Array.from({ length: 200 }, () => encodeRequest(['GET', 'megabyte']))))
    deaf.push(socket)
  }
  // 4 GB of replies are asked for. The others are served meanwhile.
  let slowest = 0
  for (let i = 0; i < 500; i++) {
    const begun = performance.now()
    if ((await client.call('GET', 'after')) === null) throw new Error('a key is gone')
    slowest = Math.max(slowest, performance.now() - begun)
  }
  const peak = peakResidentBytes(server.child.pid) - before
  verdict.figure('20 deaf clients: memory, slowest GET of another', `${mib(peak)}, ${slowest.toFixed(1)} ms`)
  verdict.demand(peak < 1024 * 1024 * 1024, '4 GB asked for and not read cost less than 1 GiB', mib(peak))
  verdict.demand(slowest < 1000, 'others are served meanwhile')
  for (const socket of deaf) socket.destroy()
  client.close()
  await lives('clients that never read')
})

const exit = await server.halt()
verdict.demand(exit.code === 0, 'SIGTERM ends it with exit code 0', server.child.output().slice(-1000))
rmSync(scratch, { recursive: true, force: true })
verdict.finish()

/** Sends bytes, half-closes, and waits until the server is done with them. */
async function shout(bytes: Buffer): Promise<void> {
  const socket = connect({ port: server.port, host: '127.0.0.1' })
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  await once(socket, 'connect')
  socket.resume()
  socket.end(bytes)
  const limit = setTimeout(() => socket.destroy(), 5000)
  await closed
  clearTimeout(limit)
}

function listing(dir: string): string {
  if (!existsSync(dir)) return ''
  return (readdirSync(dir, { recursive: true }) as string[])
    .sort()
    .map((name) => `${name} ${statSync(join(dir, name)).size} ${statSync(join(dir, name)).mtimeMs}`)
    .join('\n')
}
