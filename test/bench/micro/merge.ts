// The background thread's work by itself: hints and a merge of four segments, a quarter of which lives, in nanoseconds of processor time
// for each record that is read. The last segment's records are answered to live, and nothing is looked up.
//
//   npx tsx test/bench/micro/merge.ts [rounds]

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../src/base/clock.ts'
import { dataName } from '../../../src/engine/filename.ts'
import { makeHint } from '../../../src/engine/hint.ts'
import { DEAD, type MergeInput, mergeTask, type Question } from '../../../src/engine/merge.ts'
import { nodeStorage } from '../../../src/engine/node-storage.ts'
import { Pace } from '../../../src/engine/pace.ts'
import { PORTIONS } from '../../../src/engine/portions.ts'
import { KIND_VALUE, recordBytes, sealRecord } from '../../../src/engine/record.ts'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from '../../../src/engine/segment-header.ts'
import { run, type Task } from '../../../src/engine/task.ts'
import { median } from '../statistics.ts'

const INPUTS = 4
const RECORDS = 250_000
const KEY_BYTES = 16
const VALUE_BYTES = 64
const MIB = 1024 * 1024
const storeId = Buffer.alloc(16, 7)
const saltOf = (number: number): { low: number; high: number } => ({
  low: Math.imul(number, 2654435761) >>> 0,
  high: ~number >>> 0,
})

function writeSegment(dir: string, number: number): MergeInput {
  const length = recordBytes(0, KEY_BYTES, VALUE_BYTES)
  const validBytes = SEGMENT_HEADER_BYTES + RECORDS * length
  const bytes = Buffer.alloc(validBytes, 120)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const salt = saltOf(number)
  encodeSegmentHeader(storeId, number, salt).copy(bytes)
  for (let i = 0, at = SEGMENT_HEADER_BYTES; i < RECORDS; i++, at += length) {
    bytes.write(
      `key:${String((i * 7919) % RECORDS).padStart(12, '0')}`,
      at + length - VALUE_BYTES - KEY_BYTES,
      'latin1',
    )
    const sequence = (number - 1) * RECORDS + i + 1
    sealRecord(bytes, view, at, salt, at, KIND_VALUE, 0, 0, 1, KEY_BYTES, VALUE_BYTES, sequence, 1.7e12 + i, 0)
  }
  writeFileSync(join(dir, dataName(number)), bytes)
  return { number, slot: number, salt, validBytes }
}

/** Nanoseconds of processor time. */
async function timed(task: Task<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await new Promise<void>((resolve, reject) => run(task, (error) => (error === null ? resolve() : reject(error))))
  const { user, system } = process.cpuUsage(before)
  return (user + system) * 1000
}

/** The last segment lives. */
function answer({ count, slots, sequences }: Question): Int32Array {
  const answers = new Int32Array(count).fill(DEAD)
  for (let i = 0; i < count; i++) if (slots[i] === INPUTS) answers[i] = (sequences[i] as number) % RECORDS
  return answers
}

const dir = mkdtempSync(join(tmpdir(), 'casky-bench-merge-'))
try {
  const storage = nodeStorage(dir, true)
  const inputs = Array.from({ length: INPUTS }, (_, i) => writeSegment(dir, i + 1))
  const [hints, merges]: [number[], number[]] = [[], []]
  for (let round = 0; round < Number(process.argv[2] ?? 7); round++) {
    let hintNs = 0
    for (const input of inputs) hintNs += await timed(makeHint(storage, input))
    hints.push(hintNs / (INPUTS * RECORDS))
    const pace = new Pace(systemClock, 0)
    const job = {
      storeId, inputs, outside: [], firstNumber: 100 * (round + 1), salts: [saltOf(1000 + round)], seed: 1,
      segmentSizeBytes: 128 * MIB, rateBytesPerSecond: 0, portions: PORTIONS,
    } // biome-ignore format: words
    const handlers = {
      ask: (question: Question, reply: (of: Int32Array) => void) => reply(answer(question)),
      progress: () => {},
    }
    merges.push((await timed(mergeTask(storage, job, handlers, pace))) / (INPUTS * RECORDS))
  }
  console.log(`hint   ${median(hints).toFixed(0)} ns a record (${Math.min(...hints).toFixed(0)} at best)`)
  console.log(`merge  ${median(merges).toFixed(0)} ns a record (${Math.min(...merges).toFixed(0)} at best)`)
} finally {
  rmSync(dir, { recursive: true, force: true })
}
