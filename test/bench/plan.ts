// What redis-benchmark has no words for: mixes of commands, keys that are not all asked for equally often, percentiles beyond 99.
//
// A plan is request bytes built beforehand. Keys all exist and values all have one length, so the length of each reply is known, and a
// load generator has nothing to do but to send a pipeline, to count bytes until its replies are complete, and to look at the clock
// (replay-main.ts). The same plan is built from the same words wherever they are said: in the generator, and in the server that does
// nothing (null-main.ts), which shows what the generator itself could do at most.

import { keyOf, loadedValue } from '../harness/loader.ts'
import { type Random, randomFrom } from '../harness/random.ts'

export interface PlanWords {
  /** Keys of harness/loader.ts, all loaded with values of `valueBytes`. */
  readonly keys: number
  readonly valueBytes: number
  /** The part of requests that read, 0 to 1; the others are SETs. */
  readonly reads: number
  /** How keys are chosen: all alike, by Zipf's law with the exponent of YCSB (0.99), or each once, scattered. */
  readonly choice: 'uniform' | 'zipf' | 'each'
  readonly clients: number
  readonly pipeline: number
  /** Pipelines built; each client goes round them from a place of its own. */
  readonly pipelines: number
  readonly seed: number
}

export interface Pipeline {
  readonly request: Buffer
  readonly replyBytes: number
}

export interface Plan {
  readonly words: PlanWords
  readonly pipelines: readonly Pipeline[]
  /** Where client i begins. */
  start(client: number): number
}

export function buildPlan(words: PlanWords): Plan {
  const random = randomFrom(words.seed)
  let turn = 0
  const choose = {
    zipf: zipf(words.keys, random),
    uniform: () => random.below(words.keys),
    each: () => scattered(turn++, words.keys),
  }[words.choice]
  const getReply = `$${words.valueBytes}\r\n`.length + words.valueBytes + 2
  const setReply = '+OK\r\n'.length
  const pipelines: Pipeline[] = []
  for (let i = 0; i < words.pipelines; i++) {
    let text = ''
    let replyBytes = 0
    for (let j = 0; j < words.pipeline; j++) {
      const index = choose()
      const key = keyOf(index)
      if (random.chance(words.reads)) {
        text += `*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`
        replyBytes += getReply
      } else {
        text += `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${words.valueBytes}\r\n${loadedValue(index, words.valueBytes)}\r\n`
        replyBytes += setReply
      }
    }
    pipelines.push({ request: Buffer.from(text, 'latin1'), replyBytes })
  }
  return { words, pipelines, start: (client) => Math.floor((client / words.clients) * words.pipelines) }
}

const ZIPF_EXPONENT = 0.99
/** A prime: popular keys are scattered over the key space, as in YCSB. */
const SCATTER = 15_485_863

/** Another key for each `index` below `keys`. */
const scattered = (index: number, keys: number): number => (index * SCATTER) % keys

/** Ranks by Gray and others, "Quickly generating billion-record synthetic databases" (1994), which is YCSB's way. */
function zipf(keys: number, random: Random): () => number {
  const zeta = harmonic(keys)
  const zeta2 = harmonic(2)
  const alpha = 1 / (1 - ZIPF_EXPONENT)
  const eta = (1 - (2 / keys) ** (1 - ZIPF_EXPONENT)) / (1 - zeta2 / zeta)
  const rank = (): number => {
    const uniform = random.next()
    const scaled = uniform * zeta
    if (scaled < 1) return 0
    if (scaled < zeta2) return 1
    return Math.min(keys - 1, Math.floor(keys * (eta * uniform - eta + 1) ** alpha))
  }
  return () => scattered(rank(), keys)
}

/** Terms that are added up one by one. */
const COUNTED = 1000

/** The sum of 1 / i^0.99 for i up to n: beyond a thousand by Euler and Maclaurin, which agrees to eight digits. */
export function harmonic(n: number): number {
  const counted = Math.min(n, COUNTED)
  let sum = 0
  for (let i = 1; i <= counted; i++) sum += i ** -ZIPF_EXPONENT
  if (n === counted) return sum
  const power = 1 - ZIPF_EXPONENT
  return sum + (n ** power - counted ** power) / power + (n ** -ZIPF_EXPONENT - counted ** -ZIPF_EXPONENT) / 2
}
