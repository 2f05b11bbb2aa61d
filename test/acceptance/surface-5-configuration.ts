// Surface 5: the configuration. A Casky and a redis-server side by side: every directive that Redis 7.0 has, its value at the start,
// what CONFIG SET makes of many words for it and in what words it refuses them; the same lines refused at the start; files that each
// writes with CONFIG REWRITE and the other reads; and every directive that has an effect, seen having it.
//
//   npx tsx test/acceptance/surface-5-configuration.ts

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { systemFiles } from '../../src/config/files.ts'
import { loadConfig } from '../../src/config/load.ts'
import { DIFFERENCES, ELSEWHERE, overConnection, walk } from '../config/walk.ts'
import { run } from '../harness/child.ts'
import { caskyMain, type Kind, program, projectRoot, startServer } from '../harness/server.ts'
import { Verdict } from './verdict.ts'

const verdict = new Verdict('surface 5: configuration')
const scratch = mkdtempSync(join(tmpdir(), 'casky-surface-5-'))

/** Words behind each directive in a file. */
const WORDS = ['""', '-1', '99999999999999999999', 'bogus', 'a b c d e', '']
/** What is judged otherwise at the start, with the reason. */
const AT_START: ReadonlyMap<string, string> = new Map([
  ['aclfile', 'there are no ACL files, and a file that is named would be ignored'],
  ['dir', 'Redis goes there as it reads the line, Casky makes it when it opens the store'],
  ['databases', 'at most 65536'],
  ['requirepass', 'Casky does not show what may be a password'],
  ['masterauth', 'Casky does not show what may be a password'],
  ['tls-key-file-pass', 'Casky does not show what may be a password'],
  ['tls-client-key-file-pass', 'Casky does not show what may be a password'],
])
/** Starting a Casky takes a while: one directive of so many is given to the process, the others to what it reads them with. */
const PROCESS_EVERY = 12

/** What is said when it is started with this line; null when the line is fine. The line after it never is, so nobody comes up. */
async function refusal(kind: Kind | 'loader', line: string): Promise<string | null> {
  const path = join(scratch, `${kind}.conf`)
  writeFileSync(path, `${line}\nno-such-directive 1\n`, 'latin1')
  const stderr = kind === 'loader' ? loaderSays(path) : await processSays(kind, path)
  const told = stderr.slice(stderr.indexOf('***')).replace(/\(Redis [^)]*\)/, '')
  return told.includes('no-such-directive') ? null : told
}

function loaderSays(path: string): string {
  const loaded = loadConfig({ argv: [path], env: {}, cwd: scratch, files: systemFiles })
  return 'exit' in loaded ? loaded.stderr : ''
}

async function processSays(kind: Kind, path: string): Promise<string> {
  const args = kind === 'casky' ? [caskyMain, path] : [path]
  return (await run(program(kind), args, { cwd: scratch, limitMs: 20_000, input: '' })).stderr
}

let names: string[] = []

await verdict.part('CONFIG GET and SET', async () => {
  const redis = await startServer('redis')
  const casky = await startServer('casky')
  const connections = [await redis.connect(), await casky.connect()] as const
  await connections[0].call('CLIENT', 'NO-EVICT', 'ON')
  const asked = [overConnection(connections[0]), overConnection(connections[1])] as const
  names = [...(await asked[0].get('*')).keys()].filter((name) => !ELSEWHERE.has(name)).sort()
  const result = await walk(...asked)
  verdict.figure('directives of redis-server', result.directives)
  verdict.figure('exchanges compared', result.exchanges)
  for (const [why, count] of result.explained) verdict.figure(`  differ: ${why}`, count)
  verdict.demand(result.directives >= 190 && result.exchanges > 20_000, 'every directive was walked')
  verdict.demand(
    result.unexplained.length === 0,
    'no difference without a reason',
    result.unexplained.slice(0, 20).join('\n'),
  )
  verdict.demand(DIFFERENCES.length < 20, 'the reasons can be counted')
  for (const connection of connections) connection.close()
  await redis.stop()
  await casky.stop()
})

await verdict.part('refused at the start', async () => {
  let compared = 0
  let processes = 0
  const unequal: string[] = []
  const explained = new Set<string>()
  for (const [at, name] of names.entries()) {
    for (const word of WORDS) {
      const line = `${name} ${word}`
      const theirs = await refusal('redis', line)
      const ours = [await refusal('loader', line)]
      if (at % PROCESS_EVERY === 0) ours.push(await refusal('casky', line))
      processes += ours.length - 1
      compared++
      const isKnown = DIFFERENCES.some((row) => row.name === name && row.words?.(word, theirs ?? 'OK') === true)
      if (ours.every((it) => it === theirs) || isKnown) continue
      if (AT_START.has(name)) explained.add(name)
      else unequal.push(`${line}: redis ${JSON.stringify(theirs)}, casky ${JSON.stringify(ours)}`)
    }
  }
  verdict.figure('lines given to both at the start', `${compared}, ${processes} of them to a process of Casky`)
  for (const [name, why] of AT_START) verdict.figure(`  differ: ${name}`, why)
  verdict.demand(explained.size === AT_START.size, 'each of these does differ', [...explained].join(' '))
  verdict.demand(unequal.length === 0, 'refused in the same words, or by neither', unequal.join('\n'))
})

await verdict.part('CONFIG REWRITE', async () => {
  const written = '# mine\nsave 900 1\nsave 300 10\ntimeout 5\n# end\nmaxmemory 1gb\n'
  const sets = [
    'timeout',
    '7',
    'maxmemory',
    '2gb',
    'tcp-keepalive',
    '33',
    'notify-keyspace-events',
    'KEA',
    'save',
    '1 2 3 4',
  ]
  const texts: Record<Kind, string> = { redis: '', casky: '' }
  for (const kind of ['redis', 'casky'] as const) {
    const path = join(scratch, `${kind}-rewrite.conf`)
    writeFileSync(path, written)
    const dir = mkdtempSync(join(scratch, kind))
    const server = await startServer(kind, { dir, conf: path })
    const connection = await server.connect()
    const set = await connection.call('CONFIG', 'SET', ...sets)
    const rewritten = await connection.call('CONFIG', 'REWRITE')
    verdict.demand(set === 'OK' && rewritten === 'OK', `${kind} rewrites its file`)
    connection.close()
    await server.stop()
    texts[kind] = readFileSync(path, 'latin1')
  }
  const above = (text: string): string => text.slice(0, text.indexOf('# Generated')).trim()
  verdict.demand(
    above(texts.redis).replace('"AKE"', 'AKE') === above(texts.casky),
    'the lines that were there are the same afterwards',
    `${texts.redis}\n---\n${texts.casky}`,
  )
  const path = join(scratch, 'from-redis.conf')
  writeFileSync(path, texts.redis, 'latin1')
  const casky = await startServer('casky', { conf: path })
  const connection = await casky.connect()
  const got = await overConnection(connection).get(
    'timeout',
    'maxmemory',
    'tcp-keepalive',
    'notify-keyspace-events',
    'save',
  )
  const said = [...got].map(([name, text]) => `${name}=${text}`).sort()
  verdict.demand(
    said.join(' ') === 'maxmemory=2147483648 notify-keyspace-events=AKE save=1 2 3 4 tcp-keepalive=33 timeout=7',
    'Casky starts with the file that Redis wrote, and means the same',
    said.join(' '),
  )
  connection.close()
  await casky.stop()
})

await verdict.part('effects', async () => {
  const vitest = join(projectRoot, 'node_modules', 'vitest', 'vitest.mjs')
  const result = await run(process.execPath, [vitest, 'run', 'test/config/effects.test.ts'], {
    cwd: projectRoot,
    limitMs: 600_000,
  })
  const plain = stripVTControlCharacters(`${result.stdout}${result.stderr}`)
  verdict.figure('directives with effect', /Tests\s+(.*)$/m.exec(plain)?.[1] ?? 'none')
  verdict.demand(result.code === 0, 'every directive with effect is seen having it', plain.slice(-3000))
})

rmSync(scratch, { recursive: true, force: true })
verdict.finish()
