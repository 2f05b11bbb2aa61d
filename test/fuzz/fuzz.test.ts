// The differential fuzz, short or long, and the proof that it can condemn: redis-server behind a relay that changes a few bytes must
// be found out and the story must be short; redis-server itself must be acquitted.

import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { skipWithout } from '../harness/programs.ts'
import { fuzz } from './fuzz.ts'
import { generate, isExcluded } from './generate.ts'
import { excluded, shapes } from './grammar.ts'
import { commandsOf, written } from './step.ts'

const FULL = process.env['CASKY_TEST_FULL'] === '1'
/** Always the same: a test that fails fails again. New seeds are for `npm run soak -- fuzz`. */
const SEED = 20_261_121
const LIMIT_MS = 300_000

const relays: Server[] = []
afterAll(() => {
  for (const relay of relays) relay.close()
})

/** A relay that replaces bytes, of the same length, on their way to the server or back. */
function lying(where: 'requests' | 'replies', truth: string, lie: string): (port: number) => Promise<number> {
  const change = (bytes: Buffer): Buffer => Buffer.from(bytes.toString('latin1').replaceAll(truth, lie), 'latin1')
  return async (port) => {
    const relay = createServer((client) => {
      const server = connect(port, '127.0.0.1')
      client.on('data', (bytes) => server.write(where === 'requests' ? change(bytes) : bytes))
      server.on('data', (bytes) => client.write(where === 'replies' ? change(bytes) : bytes))
      for (const [one, other] of [
        [client, server],
        [server, client],
      ] as const) {
        one.on('close', () => other.destroy())
        one.on('error', () => other.destroy())
      }
    })
    relays.push(relay)
    relay.listen(0, '127.0.0.1')
    await once(relay, 'listening')
    return (relay.address() as { port: number }).port
  }
}

describe.skipIf(skipWithout('redis-server'))('commands at random', () => {
  it.each([
    ['with its cache', [], FULL ? 16_000 : 2000],
    ['without values in memory', ['--value-cache-size', '0'], FULL ? 4000 : 1000],
  ])(
    'Casky answers as redis-server does, %s',
    async (_, args, commands) => {
      const result = await fuzz({ commands, seed: SEED + args.length, args })
      expect(result.findings.join('\n\n')).toBe('')
      expect(result.commands).toBeGreaterThanOrEqual(commands)
      expect(result.names.length).toBeGreaterThan(100)
    },
    LIMIT_MS,
  )

  it(
    'redis-server does not differ from itself',
    async () => {
      const result = await fuzz({ commands: 3000, seed: 1, kind: 'redis' })
      expect(result.findings.join('\n\n')).toBe('')
    },
    LIMIT_MS,
  )

  it.each([
    ['a reply that is wrong', 'replies', '-ERR value is not an integer', '-ERR value is not a integer '],
    ['an error of another kind', 'replies', '-ERR syntax error', '-SYN syntax error'],
    ['a write that is done wrongly', 'requests', '\r\nINCRBY\r\n', '\r\nDECRBY\r\n'],
    ['a transaction that is left open', 'requests', '\r\nDISCARD\r\n', '\r\nUNWATCH\r\n'],
    ['a key that is not deleted', 'requests', '\r\nDEL\r\n', '\r\nGET\r\n'],
  ] as const)(
    'finds %s',
    async (_, where, truth, lie) => {
      const result = await fuzz({ commands: 60_000, seed: 1, kind: 'redis', relay: lying(where, truth, lie) })
      expect(result.findings).toHaveLength(1)
      const steps = result.findings[0]!.split('\n').slice(1, -2)
      expect(steps.length).toBeLessThan(8)
    },
    LIMIT_MS,
  )
})

describe('the generator', () => {
  const commands = Object.keys(shapes)

  it('gives the same batch for the same seed, and another for another', () => {
    const text = (seed: number): string => generate({ seed, commands, steps: 100 }).steps.map(written).join('\n')
    expect(text(5)).toBe(text(5))
    expect(text(5)).not.toBe(text(6))
  })

  it('sends every command that has a shape', () => {
    const sent = new Set<string>()
    for (let seed = 0; seed < 600; seed++) {
      for (const step of generate({ seed, commands, steps: 100 }).steps) {
        const [first = '', second = ''] = step.words.map((word) => word.toUpperCase())
        sent.add(first).add(`${first} ${second}`)
      }
    }
    expect(commands.filter((name) => name !== 'QUIT' && !sent.has(name))).toEqual([])
  })

  it('knows no command both as sent and as not sent', () => {
    expect(commands.filter(isExcluded)).toEqual([])
    expect(Object.values(excluded).every((reason) => reason !== '')).toBe(true)
  })

  it('counts what it sends', () => {
    const { steps } = generate({ seed: 1, commands, steps: 100 })
    expect(commandsOf(steps)).toBeGreaterThanOrEqual(100)
  })
})
