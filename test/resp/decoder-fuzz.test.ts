// The decoder under hostile bytes, guided by coverage (decoder-fuzz.ts), and what that has found, by name.
//
//   npm run soak -- decoder 10000000 [seed]

import { expect, it } from 'vitest'
import { anySeed } from '../harness/seed.ts'
import { Coverage } from './coverage.ts'
import { latin1 } from './decode.ts'
import { fuzzDecoder } from './decoder-fuzz.ts'

const runs = process.env.CASKY_TEST_FULL === '1' ? 100_000 : 500

it(`${runs} streams, guided by where they lead: nothing breaks`, () => {
  const seed = anySeed()
  const fuzzed = fuzzDecoder({ runs, seed })
  expect(fuzzed.finds, `seed ${seed}`).toEqual([])
  // It has gone somewhere: nearly all blocks of the decoder are reached soon, and kinds of outcomes beyond those.
  expect(fuzzed.places).toBeGreaterThan(120)
  expect(fuzzed.corpus).toBeGreaterThan(20)
}, 300_000)

it('the counters see where a stream leads', async () => {
  const { splitInline } = await import('../../src/resp/inline.ts')
  const { Args } = await import('../../src/resp/args.ts')
  const coverage = new Coverage(/resp\/inline\.[jt]s/)
  const places = (line: string): string[] => {
    coverage.take()
    splitInline(latin1(line), 0, line.length, new Args())
    return coverage.take()
  }
  const plain = new Set(places('GET k'))
  expect(places('GET j').filter((place) => !plain.has(place))).toEqual([])
  expect(places('GET "\\x41"').filter((place) => !plain.has(place)).length).toBeGreaterThan(0)
  coverage.end()
})
