// The table: what is measured, on which data, and what it should come to. Rows of one stage share its servers.
//
// GET is hot unless the row says otherwise: before it every key is read once. The data of the 1 KiB and 16 KiB rows fits into Casky's value cache
// (128 MiB, its default), as it fits into Redis; what does not fit is the matter of cold-p16 and small-memory.

import type { Figure } from './figure.ts'
import { amplification } from './rows/amplification.ts'
import { coldReads } from './rows/cold-reads.ts'
import { growth } from './rows/growth.ts'
import { keydirMemory, residentMemory, residentMemoryWithoutCache } from './rows/memory.ts'
import { latencyDuringMerge, zipf } from './rows/mixed.ts'
import { restartAfterKill, restartAfterStop } from './rows/restart.ts'
import { smallMemory } from './rows/small-memory.ts'
import { load } from './rows/throughput.ts'
import type { Side, Stage, StageWords } from './stage.ts'

/** What a row is given beside its stage. */
export interface Effort {
  readonly rounds: number
  readonly seconds: number
  /** Multiplies the large counts of keys: 1, or less for a first look. */
  readonly scale: number
}

export type Measure = (stage: Stage, effort: Effort, row: string) => Promise<Figure[]>

export interface Row {
  readonly stage: StageWords
  readonly sides?: readonly Side[]
  readonly measure: Measure
}

const million: StageWords = { name: 'a million keys', keys: 1_000_000, valueBytes: 64 }
const kibibytes: StageWords = { name: '1 KiB values', keys: 100_000, valueBytes: 1024 }
const large: StageWords = { name: '16 KiB values', keys: 6000, valueBytes: 16 * 1024 }
const always: StageWords = {
  name: 'appendfsync always',
  keys: 1_000_000,
  valueBytes: 64,
  args: { both: ['--appendfsync', 'always'] },
}
const tenMillion: StageWords = { name: 'ten million keys', keys: 10_000_000, valueBytes: 64 }
const tenMillionNoCache: StageWords = {
  ...tenMillion,
  name: 'ten million keys, no value cache',
  args: { casky: ['--value-cache-size', '0'] },
}
const empty: StageWords = { name: 'empty', keys: 0, valueBytes: 64 }

export const rows: Readonly<Record<string, Row>> = {
  'set-p1': { stage: million, measure: load('set', 1, 1) },
  'set-p16': { stage: million, measure: load('set', 16, 1.9) },
  'set-p100': { stage: million, measure: load('set', 100, 1.9) },
  'get-p1': { stage: million, measure: load('get', 1, 1.05) },
  'get-p16': { stage: million, measure: load('get', 16, 1.15) },
  'get-p100': { stage: million, measure: load('get', 100, 1.15) },
  'mset-p1': { stage: million, measure: load('mset', 1, 1.2) },
  'mset-p16': { stage: million, measure: load('mset', 16, 1.2) },
  'merge-latency': { stage: million, measure: latencyDuringMerge },
  'cold-p16': { stage: million, measure: coldReads },
  // Last of these: they make a million keys of their own, for which the cache has no room.
  'incr-p1': { stage: million, measure: load('incr', 1, 1) },
  'incr-p16': { stage: million, measure: load('incr', 16, 1.5) },
  'set-1k-p16': { stage: kibibytes, measure: load('set', 16, 1.3) },
  'get-1k-p16': { stage: kibibytes, measure: load('get', 16, 1.3) },
  'set-16k-p16': { stage: large, measure: load('set', 16, 1) },
  'get-16k-p16': { stage: large, measure: load('get', 16, 1) },
  'always-p1': { stage: always, measure: load('set', 1, 1.2) },
  zipf: { stage: tenMillion, measure: zipf },
  memory: { stage: tenMillion, measure: residentMemory },
  'start-clean': { stage: tenMillion, measure: restartAfterStop },
  'start-kill': { stage: tenMillion, measure: restartAfterKill },
  'memory-no-cache': { stage: tenMillionNoCache, measure: residentMemoryWithoutCache },
  keydir: { stage: empty, sides: ['casky'], measure: keydirMemory },
  growth: { stage: empty, sides: ['casky'], measure: growth },
  'small-memory': { stage: empty, sides: [], measure: smallMemory },
  amplification: { stage: empty, sides: ['casky'], measure: amplification },
}
