// Casky's engine by itself beside two others that a Node program can embed: lmdb (a B+ tree in mapped memory) and classic-level (LevelDB).
//
//   npm run build && npm ci --prefix test/bench/micro && npx tsx test/bench/micro/engines.ts [keys]
//
// The same work for all: keys in scattered order are written in batches of 1000, whose promises are awaited; then all are read in another
// scattered order, a thousand at a time; a tenth is written again; and the program reads how large its directory is. None of them syncs each
// write: Casky does every second, lmdb (its default) after each commit in the background, LevelDB leaves it to the system.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { open } from 'lmdb'
import { directoryBytes } from '../../acceptance/disk.ts'
import { keyOf, loadedValue } from '../../harness/loader.ts'

interface Contender {
  readonly name: string
  put(key: Buffer, value: Buffer): Promise<unknown>
  get(key: Buffer): Promise<unknown> | unknown
  /** What was put is in the store's hands: wait for it. */
  settle(puts: Promise<unknown>[]): Promise<unknown>
  close(): Promise<unknown>
}

const count = Number(process.argv[2] ?? 1_000_000)
const BATCH = 1000
const VALUE_BYTES = 64
/** Two primes: walks over all keys in scattered orders. */
const SCATTER = 15485863
const OTHER_SCATTER = 32452843

const built = '../../../dist/engine/store.js' // its worker runs from the build
const { openStore } = (await import(built)) as typeof import('../../../src/engine/store.ts')

const makers: Readonly<Record<string, (dir: string) => Promise<Contender>>> = {
  casky: async (dir) => {
    const store = await openStore(dir)
    return {
      name: 'casky engine',
      put: (key, value) => store.put(key, value),
      get: (key) => store.get(key),
      settle: (puts) => Promise.all(puts),
      close: () => store.close(),
    }
  },
  lmdb: async (dir) => {
    const store = open<Buffer, Buffer>({ path: dir, keyEncoding: 'binary', encoding: 'binary' })
    return {
      name: 'lmdb',
      put: (key, value) => store.put(key, value),
      get: (key) => store.getBinary(key),
      settle: (puts) => Promise.all(puts),
      close: () => store.close(),
    }
  },
  'classic-level': async (dir) => {
    const store = new ClassicLevel<Buffer, Buffer>(dir, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    await store.open()
    return {
      name: 'classic-level',
      put: (key, value) => store.put(key, value),
      get: (key) => store.get(key),
      settle: (puts) => Promise.all(puts),
      close: () => store.close(),
    }
  },
}

console.log(`${count} keys of 16 bytes, values of ${VALUE_BYTES}; operations a second`)
console.log('engine              write        read     rewrite   on disk')
for (const make of Object.values(makers)) {
  const dir = mkdtempSync(join(tmpdir(), 'casky-engines-'))
  const contender = await make(dir)
  const write = await timed(count, SCATTER, (batch) =>
    contender.settle(batch.map((i) => contender.put(key(i), value(i)))),
  )
  const read = await timed(count, OTHER_SCATTER, async (batch) => {
    for (const got of await Promise.all(batch.map((i) => contender.get(key(i))))) {
      if (got === null || got === undefined) throw new Error(`${contender.name} has lost a key`)
    }
  })
  const rewrite = await timed(count / 10, SCATTER, (batch) =>
    contender.settle(batch.map((i) => contender.put(key(i), value(i)))),
  )
  await contender.close()
  const rate = (perSecond: number): string => Math.round(perSecond).toLocaleString('en').padStart(11)
  const mib = Math.round(directoryBytes(dir) / 1024 / 1024)
  console.log(`${contender.name.padEnd(14)} ${rate(write)} ${rate(read)} ${rate(rewrite)}   ${mib} MiB`)
  rmSync(dir, { recursive: true, force: true })
}

function key(i: number): Buffer {
  return Buffer.from(keyOf(i), 'latin1')
}

function value(i: number): Buffer {
  return Buffer.from(loadedValue(i, VALUE_BYTES), 'latin1')
}

/** Does `work` with numbers below `count` in scattered order, a batch at a time. Returns how many a second. */
async function timed(total: number, stride: number, work: (batch: number[]) => Promise<unknown>): Promise<number> {
  const started = performance.now()
  for (let done = 0; done < total; done += BATCH) {
    await work(Array.from({ length: Math.min(BATCH, total - done) }, (_, i) => ((done + i) * stride) % count))
  }
  return (total / (performance.now() - started)) * 1000
}
