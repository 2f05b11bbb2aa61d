// Issue 3, item 1, first part: strings, bitmaps and HyperLogLogs answer as redis-server does, byte for byte.
//
//   npx tsx test/acceptance/surface-1-strings.ts [seed] [lines a kind]
//
// The conformance families are played in both protocols; then seeded lines of each kind go to both servers, with values in memory,
// with values that only the disk has, with another limit for sparse HyperLogLogs, and with keyspace events, which are compared too.
// Last, long values: the same answers, and while Casky works on an LCS others are served.

import { compare } from '../conformance/compare.ts'
import { differences } from '../conformance/differences.ts'
import { bitmaps as bitmapFamily } from '../conformance/families/bitmaps.ts'
import { hyperloglog as hyperloglogFamily } from '../conformance/families/hyperloglog.ts'
import { numbers } from '../conformance/families/numbers.ts'
import { strings } from '../conformance/families/strings.ts'
import { type Protocol, play } from '../conformance/play.ts'
import type { RawConnection } from '../harness/connection.ts'
import { randomFrom } from '../harness/random.ts'
import { encodeRequest } from '../harness/resp.ts'
import { type Server, startServer } from '../harness/server.ts'
import {
  bitfields,
  bitmaps,
  floats,
  type Generator,
  hyperloglogs,
  type Line,
  plain,
  subsequences,
} from './string-commands.ts'
import { ms, Verdict } from './verdict.ts'

const BATCH = 200
const SHOWN = 5

const verdict = new Verdict('surface 1: strings, bitmaps, HyperLogLog')
const seed = Number(process.argv[2] ?? 1)
const lines = Number(process.argv[3] ?? 6000)

const kinds: ReadonlyArray<readonly [string, Generator, number]> = [
  ['SETEX PSETEX GETSET SUBSTR', plain, 1],
  ['INCRBYFLOAT', floats, 2],
  ['LCS', subsequences, 0.5],
  ['SETBIT GETBIT BITCOUNT BITPOS BITOP', bitmaps, 2],
  ['BITFIELD', bitfields, 2],
  ['PFADD PFCOUNT PFMERGE', hyperloglogs, 0.5],
]

/** The same options for both; `casky` is what only Casky knows. */
const worlds = [
  { name: 'in memory', casky: [], both: [] },
  { name: 'on disk only', casky: ['--value-cache-size', '0'], both: [] },
  { name: 'with events', casky: [], both: ['--notify-keyspace-events', 'KEAmn'] },
  { name: 'sparse to 200 bytes', casky: [], both: ['--hll-sparse-max-bytes', '200'] },
  { name: 'sparse to 20000 bytes', casky: [], both: ['--hll-sparse-max-bytes', '20000'] },
] as const

for (const world of worlds) {
  await verdict.part(world.name, async () => {
    const [casky, redis] = await Promise.all([
      startServer('casky', { args: [...world.casky, ...world.both] }),
      startServer('redis', { args: world.both }),
    ])
    try {
      if (world.both.length === 0) await families(world.name, casky, redis)
      for (const [name, generator, share] of kinds) {
        if (world.name.startsWith('sparse') && generator !== hyperloglogs) continue
        for (const protocol of [2, 3] as const)
          await seeded(`${world.name}, ${name}, RESP${protocol}`, casky, redis, generator, protocol, lines * share)
      }
    } finally {
      await Promise.all([casky.stop(), redis.stop()])
    }
  })
}

await verdict.part('long values', async () => {
  const [casky, redis] = await Promise.all([startServer('casky'), startServer('redis')])
  try {
    await longValues(casky, redis)
  } finally {
    await Promise.all([casky.stop(), redis.stop()])
  }
})

verdict.finish()

async function families(world: string, casky: Server, redis: Server): Promise<void> {
  for (const family of [strings, numbers, bitmapFamily, hyperloglogFamily]) {
    let steps = 0
    let explained = 0
    const problems: string[] = []
    for (const protocol of [2, 3] as const) {
      for (const one of family.cases) {
        const [ours, theirs] = await Promise.all([play(one, casky, protocol), play(one, redis, protocol)])
        const judged = compare(one, protocol, ours, theirs, differences)
        steps += one.steps.length
        explained += judged.used.length
        problems.push(...judged.problems)
      }
    }
    const what = `${world}, family ${family.name}: ${steps} exchanges, ${explained} differ with a reason`
    verdict.demand(problems.length === 0, what, problems.slice(0, SHOWN).join('\n'))
  }
}

async function open(server: Server, protocol: Protocol): Promise<RawConnection> {
  const connection = await server.connect({ replyLimitMs: 60_000 })
  await connection.call('FLUSHALL')
  if (protocol === 3) await connection.call('HELLO', 3)
  return connection
}

async function seeded(
  what: string,
  casky: Server,
  redis: Server,
  generator: Generator,
  protocol: Protocol,
  count: number,
): Promise<void> {
  const [ours, theirs] = await Promise.all([open(casky, protocol), open(redis, protocol)])
  const [ourEvents, theirEvents] = await Promise.all([listen(casky), listen(redis)])
  const random = randomFrom(seed)
  const problems: string[] = []
  let compared = 0
  while (compared < count && problems.length < SHOWN) {
    const batch: Line[] = Array.from({ length: BATCH }, () => generator(random))
    const bytes = Buffer.concat(batch.map((line) => encodeRequest(line)))
    ours.send(bytes)
    theirs.send(bytes)
    for (const [i, line] of batch.entries()) {
      const [{ raw: a }, { raw: b }] = await Promise.all([ours.reply(), theirs.reply()])
      if (!a.equals(b))
        problems.push(`line ${compared + i}: ${told(line)}\n  redis ${around(b, a)}\n  casky ${around(a, b)}`)
    }
    compared += BATCH
  }
  const [heard, wanted] = await Promise.all([ourEvents.heard(), theirEvents.heard()])
  const at = wanted.findIndex((event, i) => event !== heard[i])
  if (at >= 0 || heard.length !== wanted.length)
    problems.push(
      `event ${at}: redis ${wanted[at]}, casky ${heard[at]} (after ${wanted.slice(Math.max(0, at - 3), at).join(', ')})`,
    )
  const events = wanted.length === 0 ? '' : `, ${wanted.length} events`
  ours.close()
  theirs.close()
  verdict.demand(
    problems.length === 0,
    `${what}: ${compared} exchanges${events} (seed ${seed})`,
    problems.slice(0, SHOWN).join('\n'),
  )
}

/** Hears keyspace events from now on; `heard` gives all that were told until it was asked. */
async function listen(server: Server): Promise<{ heard(): Promise<string[]> }> {
  const subscriber = await server.connect({ replyLimitMs: 60_000 })
  await subscriber.call('PSUBSCRIBE', '__key*')
  return {
    heard: async () => {
      const speaker = await server.connect()
      await speaker.call('PUBLISH', '__key*end', '')
      speaker.close()
      const events: string[] = []
      for (;;) {
        const [, , channel, message] = ((await subscriber.reply()).value as Buffer[]).map((part) =>
          part.toString('latin1'),
        )
        if (channel === '__key*end') break
        events.push(`${channel} ${message}`)
      }
      subscriber.close()
      return events
    },
  }
}

function told(line: Line): string {
  return line
    .map((word) => JSON.stringify(word.toString('latin1' as 'utf8')))
    .join(' ')
    .slice(0, 300)
}

/** A reply around the first byte that differs from another's. */
function around(reply: Buffer, other: Buffer): string {
  let at = 0
  while (at < reply.length && reply[at] === other[at]) at++
  const from = Math.max(0, at - 20)
  return `${from}: ${JSON.stringify(reply.toString('latin1', from, from + 100))}`
}

/** Commands over the longest values there may be: the same answers, and others wait for none of those that only read. */
async function longValues(casky: Server, redis: Server): Promise<void> {
  const [ours, theirs] = await Promise.all([open(casky, 2), open(redis, 2)])
  const other = await casky.connect({ replyLimitMs: 60_000 })
  const medians: number[] = []
  const both = async (what: string, isStepwise: boolean, ...line: string[]): Promise<void> => {
    ours.send(encodeRequest(line))
    theirs.send(encodeRequest(line))
    const begun = performance.now()
    let isOver = false
    const over = (): void => {
      isOver = true
    }
    const reply = ours.reply()
    reply.then(over, over)
    const waits: number[] = []
    do {
      const asked = performance.now()
      await other.call('PING')
      waits.push(performance.now() - asked)
    } while (!isOver)
    const [a, b] = [(await reply).raw, (await theirs.reply()).raw]
    const took = performance.now() - begun
    waits.sort((one, another) => one - another)
    const median = waits[waits.length >> 1]!
    const figures = `took ${ms(took)}, another's PINGs ${ms(median)}, at most ${ms(waits.at(-1)!)}`
    verdict.demand(a.equals(b), `${what}: ${around(a, b)} (${figures})`, around(b, a))
    if (isStepwise) medians.push(median)
  }
  await both('SETBIT at the last bit of 512 MB', false, 'SETBIT', 'long', '4294967295', '1')
  await both('and beyond', false, 'SETBIT', 'long', '4294967296', '1')
  await both('BITCOUNT of 512 MB', false, 'BITCOUNT', 'long')
  await both('BITPOS over 512 MB', false, 'BITPOS', 'long', '1')
  await both('BITFIELD at its end', false, 'BITFIELD', 'long', 'GET', 'u8', '4294967288')
  await both('SETBIT at bit 2^28', false, 'SETBIT', 'middle', '268435455', '1')
  await both('BITOP NOT of 32 MB', false, 'BITOP', 'NOT', 'inverted', 'middle')
  await both('BITCOUNT of 32 MB', true, 'BITCOUNT', 'inverted')
  await both('BITPOS over 32 MB', false, 'BITPOS', 'inverted', '0')
  const text = (unit: string): string => unit.repeat(11_000 / unit.length)
  await both('SET a', false, 'SET', 'text a', text('abcdefghijk'))
  await both('SET b', false, 'SET', 'text b', text('kbafxchedgi'))
  await both('LCS of 11 KB and 11 KB', true, 'LCS', 'text a', 'text b', 'IDX', 'MINMATCHLEN', '5', 'WITHMATCHLEN')
  await both('LCS LEN', true, 'LCS', 'text a', 'text b', 'LEN')
  await both('SET one byte', false, 'SETRANGE', 'text c', '12300', 'x')
  await both('LCS that would take too much', false, 'LCS', 'text a', 'text c')
  const median = Math.max(...medians)
  verdict.figure("another's PING during LCS and BITCOUNT, median", ms(median))
  // The machine may be busy with other things, so the median; an LCS in one go would make every PING wait for a second.
  verdict.demand(median < 50, 'others are served meanwhile', ms(median))
  for (const each of [ours, theirs, other]) each.close()
}
