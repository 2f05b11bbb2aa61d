// Makes test/golden/v1: npx tsx test/golden/make.ts DIRECTORY
//
// A small store as a kill left it, with every kind of record there is: values with and without expiry, tombstones, one of them by
// expiry, a batch, touches that set and that take away an expiry, the map of databases after a swap and a flush, anchors; in a segment
// that was never merged, in one that was, in one whose hint is missing, and at the end of the log, whose last record is torn.
//
// v1 in the repository was made once and stays: it stands for the directories that people have. This script says how, and makes the
// next one when the format changes.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { dataName } from '../../src/engine/filename.ts'
import { hintPath } from '../engine/files.ts'
import { cleanUp, copyOf, freshDirectory, TestStore } from '../engine/test-store.ts'
import { rowsOf } from './contents.ts'

const FAR = 4_102_444_800_000 // 2100: later than any clock these files will meet

async function make(target: string): Promise<void> {
  const store = await TestStore.open(freshDirectory(), { mergeEnabled: true, mergeIntervalMs: 1000 })

  // Segment 1: old, mostly alive.
  for (let byte = 0; byte < 256; byte += 15) store.put(String.fromCharCode(byte), `byte ${byte}`)
  store.put('', 'the empty key')
  store.put('empty', '')
  store.put('__proto__', 'a name like any other')
  store.put('\xf0\x9f\x90\xbb', 'four bytes of UTF-8')
  store.put('half of it', '\xf0\x9f')
  store.put('lines', '*1\r\n$4\r\nPING\r\n\x00')
  store.put('long', 'x'.repeat(1500))
  store.put('wide', 'has an expiry', FAR)
  store.put('touched', 'had none', 0)
  store.put('persisted', 'had one', FAR)
  store.put('victim', 'deleted later')
  store.put('gone', 'expires', store.clock.now() + 500)
  store.put('same key', 'in database 0')
  store.put('same key', 'in database 1', 0, 1)
  store.put('same key', 'in database 2', 0, 2)
  store.put('flushed', 'with its database', 0, 2)
  await store.seal()

  // Segment 2: mostly dead, so it is merged without segment 1; its tombstones and touches live on in the output.
  for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, 'x'.repeat(80))
  store.remove('victim')
  store.setExpiry('touched', FAR + 1)
  store.setExpiry('persisted', 0)
  store.put('young', 'in a merged segment', FAR + 2)
  await store.seal()
  for (let i = 0; i < 20; i++) store.put(`garbage ${i}`, '')
  await store.seal()
  await store.quiet()
  store.clock.advance(1300) // the merge, and the expiry of 'gone'
  await store.until(() => store.engine.merge.status().merges === 1)

  // A segment whose hint is lost.
  store.engine.flushDatabase(2)
  store.engine.swapDatabases(0, 1)
  store.put('same key', 'in database 2, after the flush', FAR + 3, 2)
  store.batch(() => {
    store.put('member 1', 'of a batch')
    store.put('member 2', 'of a batch', FAR + 4)
    store.remove('garbage 3', 1)
    store.setExpiry('long', FAR + 5, 1)
  })
  await store.seal()
  await store.quiet()
  const unhinted = store.engine.log.active.number - 1

  // The end of the log: a batch that is whole, and a record that is torn.
  store.batch(() => {
    store.put('last 1', 'whole', FAR + 6)
    store.remove('empty', 1)
    store.put('last 2', 'whole', 0, 3)
  })
  await store.tick()
  const expected = rowsOf(await store.contents())
  store.put('torn', 'this record lacks its end')
  await store.tick()
  await store.quiet()
  const end = store.engine.log.active
  const copy = copyOf(store.directory)
  await store.close()

  fs.truncateSync(path.join(copy, dataName(end.number)), end.sizeBytes - 5)
  const lost = fs.readdirSync(copy).includes(path.basename(hintPath(copy, unhinted)))
  if (lost) fs.unlinkSync(hintPath(copy, unhinted))
  fs.rmSync(target, { recursive: true, force: true })
  fs.mkdirSync(target, { recursive: true })
  for (const name of fs.readdirSync(copy)) fs.copyFileSync(path.join(copy, name), path.join(target, name))
  const lines = expected.map((row) => `  ${JSON.stringify(row)}`).join(',\n')
  fs.writeFileSync(path.join(path.dirname(target), `${path.basename(target)}.expected.json`), `[\n${lines}\n]\n`)
  cleanUp()
}

const [target] = process.argv.slice(2)
if (target === undefined) console.error('usage: make.ts DIRECTORY (which is replaced)')
else void make(target)
