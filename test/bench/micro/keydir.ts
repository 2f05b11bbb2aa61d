// What one call of the keydir and of the value cache costs: npx tsx test/bench/micro/keydir.ts [keys]
//
// Random keys of 16 bytes, so at a million keys and more each step is a cache miss: index, entry, key. Times are processor time of this
// process, because the machine is shared; loops and the making of keys are measured apart and taken off.

import { Slice } from '../../../src/base/slice.ts'
import { ValueCache } from '../../../src/engine/cache/value-cache.ts'
import { Keydir } from '../../../src/engine/keydir/keydir.ts'

const keys = Number(process.argv[2] ?? 1e6)
const CALLS = 2_000_000

const key = new Slice(Buffer.from('key:000000000000', 'latin1'))
function setKey(prefix: number, n: number): void {
  key.bytes[0] = prefix
  for (let at = 15; at > 3; at--) {
    key.bytes[at] = 48 + (n % 10)
    n = (n / 10) | 0
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

const order = new Int32Array(CALLS)
for (let i = 0; i < CALLS; i++) order[i] = Math.floor(Math.random() * keys)

/** Nanoseconds a call, after one round to warm up. */
function cost(call: (n: number) => unknown): number {
  for (let i = 0; i < CALLS / 10; i++) call(order[i] as number)
  const started = cpuMs()
  for (let i = 0; i < CALLS; i++) call(order[i] as number)
  return ((cpuMs() - started) / CALLS) * 1e6
}

const making = cost((n) => setKey(107, n))
function report(what: string, ns: number): void {
  console.log(`${what.padEnd(34)} ${ns.toFixed(0).padStart(6)} ns`)
}

const keydir = new Keydir()
const started = cpuMs()
for (let i = 0; i < keys; i++) {
  setKey(107, i)
  const hash = keydir.hash(0, key)
  if (keydir.find(0, key, hash) < 0) keydir.place(keydir.insert(0, key, hash), 1, i, 64, i, 0, false)
}
report('find, insert and place, growing', ((cpuMs() - started) / keys) * 1e6 - making)

const hit = (n: number): number => {
  setKey(107, n)
  return keydir.find(0, key)
}
const miss = (n: number): number => {
  setKey(108, n)
  return keydir.find(0, key)
}
const replace = (n: number): number => {
  setKey(107, n)
  const e = keydir.find(0, key)
  keydir.unlink(e)
  keydir.free(e)
  return keydir.insert(0, key)
}
report('find, hit', cost(hit) - making)
report('find, miss', cost(miss) - making)
report(
  'place',
  cost((n) => keydir.place(n, 3, n, 100, n, 0, false)),
)
report('delete and insert again', cost(replace) - making)
report(
  'set an expiry',
  cost((n) => keydir.setExpiry(n, 1e12 + ((n * 7919) % 1_000_003))),
)
console.log(`${(keydir.bytes().total / keys - 16).toFixed(1)} bytes a key besides the key, with rows`)

const value = Buffer.alloc(64, 1)
const into = new Slice()
for (const [what, capacity] of [
  ['all fit', 256 * 1024 * 1024],
  ['32 MiB', 32 * 1024 * 1024],
] as const) {
  const cache = new ValueCache(capacity)
  const put = cost((n) => cache.put(n % 1_000_000, 1, value, 0, 64))
  report(`cache put, 1M values, ${what}`, put)
  const get = cost((n) => cache.get(n % 1_000_000, 1, into))
  report(`cache get, 1M values, ${what}`, get)
}
