// The parts of the hot path by themselves, in nanoseconds an operation:
//
//   npm ci --prefix test/bench/micro && npx tsx test/bench/micro/parts.ts [name ...]
//
// A figure here is a part's best case: caches of the processor are warm, and nothing else runs. Use it to see whether a change of one part
// made it slower, never to say how fast a server is.

import { Bench } from 'tinybench'
import { crc32 } from '../../../src/base/crc32.ts'
import { Slice, sliceOf } from '../../../src/base/slice.ts'
import { ValueCache } from '../../../src/engine/cache/value-cache.ts'
import { Keydir } from '../../../src/engine/keydir/keydir.ts'
import { Head, headBytes, KIND_VALUE, readHead, sealRecord, TYPE_STRING } from '../../../src/engine/record.ts'
import { ReplyWriter } from '../../../src/resp/reply.ts'
import { READY, RequestDecoder } from '../../../src/resp/request.ts'
import { keyOf, loadedValue } from '../../harness/loader.ts'

const VALUE_BYTES = 64
const KEYS = 1_000_000
/** A prime: walks over all keys in scattered order. */
const SCATTER = 15485863
/** Operations in one task: a task's own cost vanishes in it. */
const MANY = 1000

const salt = { low: 0x1234567, high: 0x89abcde }
const tasks: Readonly<Record<string, () => () => void>> = {
  'decode SET': () => decode(Buffer.from(`*3\r\n$3\r\nSET\r\n$16\r\n${keyOf(1)}\r\n$64\r\n${loadedValue(1, 64)}\r\n`)),
  'decode GET': () => decode(Buffer.from(`*2\r\n$3\r\nGET\r\n$16\r\n${keyOf(1)}\r\n`)),
  'keydir find, 1M keys': () => {
    const keydir = filledKeydir()
    const keys = someKeys()
    return () => {
      for (const key of keys) keydir.find(1, key)
    }
  },
  'record seal, 64 B': () => {
    const bytes = Buffer.alloc(256)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    return () => {
      for (let i = 0; i < MANY; i++) {
        sealRecord(
          bytes,
          view,
          0,
          salt as never,
          i,
          KIND_VALUE,
          TYPE_STRING,
          0,
          1,
          16,
          VALUE_BYTES,
          i,
          1_700_000_000_000,
          0,
        )
      }
    }
  },
  'record read head, 64 B': () => {
    const bytes = Buffer.alloc(256)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    sealRecord(
      bytes,
      view,
      0,
      salt as never,
      0,
      KIND_VALUE,
      TYPE_STRING,
      0,
      1,
      16,
      VALUE_BYTES,
      1,
      1_700_000_000_000,
      0,
    )
    const head = new Head()
    const limit = headBytes(0) + 16 + VALUE_BYTES
    return () => {
      for (let i = 0; i < MANY; i++) readHead(bytes, view, 0, limit, salt as never, 0, head)
    }
  },
  'crc32, 80 B': () => crc(80),
  'crc32, 1 KiB': () => crc(1024),
  'reply bulk, 64 B': () => {
    const writer = new ReplyWriter(2, Buffer.alloc(128 * 1024))
    const value = Buffer.alloc(VALUE_BYTES, 'v')
    return () => {
      writer.length = 0
      for (let i = 0; i < MANY; i++) writer.bulk(value, 0, value.length)
    }
  },
  'cache get, 64 B': () => {
    const cache = new ValueCache(128 * 1024 * 1024)
    const value = Buffer.alloc(VALUE_BYTES, 'v')
    for (let i = 0; i < KEYS / 2; i++) cache.put(i, i + 1, value, 0, value.length)
    const into = new Slice()
    let at = 0
    return () => {
      for (let i = 0; i < MANY; i++) {
        at = (at + SCATTER) % (KEYS / 2)
        cache.get(at, at + 1, into)
      }
    }
  },
  'cache put, 64 B': () => {
    const cache = new ValueCache(64 * 1024 * 1024)
    const value = Buffer.alloc(VALUE_BYTES, 'v')
    let at = 0
    return () => {
      for (let i = 0; i < MANY; i++) {
        at = (at + SCATTER) % KEYS
        cache.put(at, at + 1, value, 0, value.length)
      }
    }
  },
}

function decode(request: Buffer): () => void {
  const chunk = Buffer.concat(Array.from({ length: MANY }, () => request))
  const decoder = new RequestDecoder({ maxBulkBytes: 512 * 1024 * 1024, maxQueryBytes: 1024 * 1024 * 1024 })
  return () => {
    decoder.feed(chunk, 0, chunk.length)
    let count = 0
    while (decoder.next() === READY) count++
    decoder.keep()
    if (count !== MANY) throw new Error(`${count} commands of ${MANY}`)
  }
}

function filledKeydir(): Keydir {
  const keydir = new Keydir()
  for (let i = 0; i < KEYS; i++) {
    const entry = keydir.insert(1, sliceOf(keyOf(i)))
    keydir.place(entry, 0, i * 128, VALUE_BYTES, i + 1, TYPE_STRING, false)
  }
  return keydir
}

function someKeys(): Slice[] {
  return Array.from({ length: MANY }, (_, i) => sliceOf(keyOf((i * SCATTER) % KEYS)))
}

function crc(length: number): () => void {
  const bytes = Buffer.alloc(length, 'x')
  return () => {
    for (let i = 0; i < MANY; i++) crc32(bytes, 0, length)
  }
}

const wanted = process.argv.slice(2)
const bench = new Bench({ time: 1000, warmupTime: 300 })
for (const [name, make] of Object.entries(tasks)) {
  if (wanted.length === 0 || wanted.some((word) => name.includes(word))) bench.add(name, make())
}
await bench.run()
for (const task of bench.tasks) {
  const result = task.result as { latency?: { p50: number; p75: number } } | undefined
  if (result?.latency === undefined) throw new Error(`${task.name} failed: ${JSON.stringify(task.result)}`)
  const ns = (ms: number): string => ((ms * 1e6) / MANY).toFixed(1)
  console.log(
    `${task.name.padEnd(24)} ${ns(result.latency.p50).padStart(8)} ns  (three quarters within ${ns(result.latency.p75)})`,
  )
}
