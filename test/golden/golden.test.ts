// Directories made by released formats, which every later Casky must open, and a second reader of the format in another language.

import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import {
  FLAG_BATCH,
  FLAG_EXPIRED,
  FLAG_EXPIRY,
  KIND_ANCHOR,
  KIND_BATCH_END,
  KIND_SYSTEM,
  KIND_TOMBSTONE,
  KIND_TOUCH,
  KIND_VALUE,
} from '../../src/engine/record.ts'
import { allRecords, dataPath, manifestOf } from '../engine/files.ts'
import { bytesOf, cleanUp, copyOf, freshDirectory, removeFiles, TestStore } from '../engine/test-store.ts'
import { randomFrom } from '../harness/random.ts'
import { type Row, rowsOf, sorted } from './contents.ts'

afterEach(cleanUp)

const HERE = fileURLToPath(new URL('.', import.meta.url))
const READER = path.join(HERE, 'read.py')
const versions = fs.readdirSync(HERE).filter((name) => /^v\d+$/.test(name))

const python = (directory: string): ReturnType<typeof spawnSync> => spawnSync('python3', [READER, directory])

function readByPython(directory: string): Row[] {
  const { status, stdout, stderr } = python(directory)
  expect({ status, stderr: String(stderr) }).toEqual({ status: 0, stderr: '' })
  return sorted(JSON.parse(String(stdout)))
}

async function readByEngine(directory: string): Promise<Row[]> {
  const store = await TestStore.open(directory)
  const rows = rowsOf(await store.contents())
  expect(store.warnings.filter((warning) => !warning.startsWith('The log ends in bytes'))).toEqual([])
  await store.close()
  return rows
}

test('the first format is here', () => {
  expect(versions).toContain('v1')
})

describe.each(versions)('%s', (version) => {
  const directory = path.join(HERE, version)
  const expected: Row[] = JSON.parse(fs.readFileSync(path.join(HERE, `${version}.expected.json`), 'utf8'))

  test('the reader in Python finds the keys that were written', () => {
    expect(expected.length).toBeGreaterThan(40)
    expect(readByPython(directory)).toEqual(expected)
  })

  test('the engine finds them: by hints, without hints, by the image of its own stop; and the reader after it', async () => {
    const before = bytesOf(directory)
    const withHints = copyOf(directory)
    expect(await readByEngine(withHints)).toEqual(expected)
    expect(await readByEngine(withHints)).toEqual(expected)
    expect(readByPython(withHints)).toEqual(expected)
    const withoutHints = copyOf(directory)
    expect(removeFiles(withoutHints, '.hint').length).toBeGreaterThan(0)
    expect(await readByEngine(withoutHints)).toEqual(expected)
    expect(bytesOf(directory)).toEqual(before)
  })

  test('a merge of all of it changes nothing', async () => {
    const store = await TestStore.open(copyOf(directory))
    await store.merge()
    expect(rowsOf(await store.contents())).toEqual(expected)
    await store.close()
    expect(readByPython(store.directory)).toEqual(expected)
  })
})

test('v1 holds every kind of record in every place', () => {
  const directory = path.join(HERE, 'v1')
  const records = allRecords(directory)
  const kinds = new Set(records.map(({ kind }) => kind))
  const all = [KIND_VALUE, KIND_TOMBSTONE, KIND_BATCH_END, KIND_TOUCH, KIND_SYSTEM, KIND_ANCHOR]
  expect([...kinds].sort()).toEqual(all)
  const some = (kind: number, flags: number): boolean =>
    records.some((record) => record.kind === kind && record.flags === flags)
  expect(some(KIND_VALUE, FLAG_EXPIRY)).toBe(true)
  expect(some(KIND_VALUE, FLAG_BATCH)).toBe(true)
  expect(some(KIND_VALUE, FLAG_BATCH | FLAG_EXPIRY)).toBe(true)
  expect(some(KIND_TOMBSTONE, FLAG_EXPIRED)).toBe(true)
  expect(some(KIND_TOUCH, 0)).toBe(true)
  expect(some(KIND_TOUCH, FLAG_EXPIRY)).toBe(true)
  const { segments } = manifestOf(directory)
  const merged = segments.find(({ merged }) => merged)!
  const kindsMerged = new Set(records.filter(({ segment }) => segment === merged.number).map(({ kind }) => kind))
  expect([...kindsMerged].sort()).toEqual([KIND_VALUE, KIND_TOMBSTONE, KIND_TOUCH, KIND_ANCHOR])
  const hinted = segments.filter(({ number }) => fs.existsSync(dataPath(directory, number).replace('.data', '.hint')))
  expect(hinted.length).toBeGreaterThan(0)
  expect(segments.some((segment) => segment.sealed && !hinted.includes(segment))).toBe(true)
  const open = segments.filter(({ sealed }) => !sealed)
  expect(open.length).toBe(2)
  const torn = open.map(({ number }) => fs.readFileSync(dataPath(directory, number), 'latin1')).join('')
  expect(torn).toContain('torn')
})

test('the reader agrees with the engine on what no script thought of', async () => {
  const random = randomFrom(20_261_121)
  const store = await TestStore.open(freshDirectory(), { segmentSizeBytes: 2000 })
  for (let i = 0; i < 600; i++) {
    const key = `k${random.below(40)}`
    const database = random.below(3)
    const at = random.chance(0.3) ? store.clock.now() + random.between(1000, 2 ** 40) : 0
    const change = random.below(20)
    if (change < 10) store.put(key, 'x'.repeat(random.below(100)), at, database)
    else if (change < 13) store.remove(key, database)
    else if (change < 17) store.setExpiry(key, at, database)
    else if (change === 17) store.batch(() => ['a', 'b', key].forEach((each) => void store.put(each, key, at, database)))
    else if (change === 18) store.engine.swapDatabases(database, random.below(3))
    else if (random.chance(0.1)) store.engine.flushDatabase(database)
    await store.tick()
    if (i % 150 === 149) {
      if (random.chance(0.5)) await store.merge()
      await store.quiet()
      expect(readByPython(store.directory)).toEqual(rowsOf(await store.contents()))
    }
  }
  await store.close()
  expect(readByPython(store.directory).length).toBeGreaterThan(20)
})

test('the reader notices damage, and stays short', () => {
  const copy = copyOf(path.join(HERE, 'v1'))
  const victim = manifestOf(copy).segments[0]!
  const bytes = fs.readFileSync(dataPath(copy, victim.number))
  bytes[Math.floor(bytes.length / 2)]! ^= 1
  fs.writeFileSync(dataPath(copy, victim.number), bytes)
  const { status, stderr } = python(copy)
  expect(status).not.toBe(0)
  expect(String(stderr)).toContain('segment 1 is damaged')
  expect(fs.readFileSync(READER, 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(100)
})
