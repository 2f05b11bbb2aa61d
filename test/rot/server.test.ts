// Rot under the whole server: the same damages, on real files, as clients, operators and supervisors see them. What the engine makes of each is
// judged in rot.test.ts; here the server must say the same through GET, INFO, SCRUB, the log and its exit code.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { sliceOf } from '../../src/base/slice.ts'
import { run } from '../harness/child.ts'
import type { RawConnection } from '../harness/connection.ts'
import { randomFrom } from '../harness/random.ts'
import { ReplyError } from '../harness/resp.ts'
import { caskyIsBuilt, caskyMain, freePort, startServer } from '../harness/server.ts'
import { blocks, type Damage, flipped, missing } from './damage.ts'
import { type DataSet, dataSets, type Way } from './data-set.ts'
import { emptyTally, Judge } from './judge.ts'
import type { Disk } from './memory-storage.ts'
import { RotStore } from './store.ts'

const FULL = process.env['CASKY_TEST_FULL'] === '1'
const SEED = 2
const scratch = mkdtempSync(join(tmpdir(), 'casky-rot-'))
const QUIET = ['--merge-enabled', 'no', '--scrub-rate', '0', '--disk-reserve', '0']

afterAll(() => rmSync(scratch, { recursive: true, force: true }))

let directories = 0
function written(disk: Disk): string {
  const directory = join(scratch, String(directories++))
  mkdirSync(directory)
  for (const [name, bytes] of disk) writeFileSync(join(directory, name), bytes)
  return directory
}

const info = async (client: RawConnection, field: string): Promise<number> => {
  const text = String(await client.call('INFO', 'everything'))
  return Number(new RegExp(`^${field}:(?:count=)?(.*)\r$`, 'm').exec(text)?.[1])
}

/** Every key as a client sees it, beside the engine on the same disk in memory. Returns how many are errors. */
async function expectSame(client: RawConnection, engine: RotStore, set: DataSet): Promise<number> {
  let errors = 0
  let selected = -1
  for (const { database, key } of set.live.values()) {
    if (selected !== database) await client.call('SELECT', String(database))
    selected = database
    const reply = await client.call('GET', Buffer.from(key, 'latin1'))
    const value = engine.get(database, sliceOf(key))
    if (value instanceof Error) {
      expect(reply, key).toBeInstanceOf(ReplyError)
      errors++
    } else if (value === null) {
      expect(reply, key).toBe(null)
    } else {
      expect((reply as Buffer).equals(value.copy()), key).toBe(true)
    }
  }
  return errors
}

async function refuses(directory: string): Promise<void> {
  const args = [caskyMain, '--port', String(await freePort()), '--dir', directory, ...QUIET]
  const { code, stdout, stderr } = await run(process.execPath, args, { input: '' })
  expect(code).toBe(1)
  expect(stdout + stderr).toContain('Cannot open the store: Records are lost')
}

async function endToEnd(set: DataSet, damage: Damage): Promise<void> {
  new Judge(set).judge(damage, emptyTally())
  const directory = written(damage.disk)
  let engine = RotStore.open(damage.disk)
  const isRefused = engine instanceof Error
  if (isRefused) {
    await refuses(directory)
    engine = RotStore.open(damage.disk, { onCorruption: 'serve' })
  }
  if (engine instanceof Error) throw engine
  const server = await startServer('casky', {
    dir: directory,
    args: [...QUIET, ...(isRefused ? ['--on-corruption', 'serve'] : [])],
  })
  try {
    const client = await server.connect({ replyLimitMs: 150_000 })
    const errors = await expectSame(client, engine, set)
    expect(await info(client, 'casky_corrupt_reads')).toBe(errors)
    if (errors > 0) expect(await info(client, 'errorstat_ERR')).toBe(errors)
    if (errors > 0) expect(server.child.output()).toMatch(/A value could not be read .* key=/)
    if (errors > 0 || isRefused)
      expect(server.child.output()).toMatch(/Damage found|could not be read|records are lost/)
    const found = (await client.call('SCRUB', 'WAIT')) as number
    if (errors > 0) expect(found).toBeGreaterThan(0)
    expect(await info(client, 'casky_scrub_last_damaged')).toBe(found)
    expect((await info(client, 'casky_damaged_segments')) > 0).toBe(found > 0)
    expect(await expectSame(client, engine, set)).toBe(errors)
    client.close()
    expect((await server.halt()).code).toBe(0)
  } finally {
    await server.stop()
  }
}

describe.skipIf(!caskyIsBuilt())('a server on a hurt disk', () => {
  const sets = dataSets(SEED)
  const random = randomFrom(SEED)
  const files = (set: DataSet, ending: string): string[] => [...set.disk.keys()].filter((name) => name.endsWith(ending))
  const bitOf = (way: Way, ending: string): [DataSet, Damage] => {
    const set = sets[way]
    const name = random.pick(files(set, ending))
    return [set, flipped(set.disk, name, random.below(set.disk.get(name)!.length * 8))]
  }
  const cases: [string, () => [DataSet, Damage]][] = []
  const many = FULL ? 3 : 1
  for (let n = 0; n < many; n++) {
    cases.push([`a bit of data, read at the start (${n})`, () => bitOf('data', '.data')])
    if (!FULL) break
    cases.push([`a bit of data, behind a hint (${n})`, () => bitOf('hints', '.data')])
    cases.push([`a bit of data, behind an image (${n})`, () => bitOf('image', '.data')])
    cases.push([`a bit of a hint (${n})`, () => bitOf('hints', '.hint')])
    cases.push([`a bit of MANIFEST (${n})`, () => bitOf('data', 'MANIFEST')])
    cases.push([`a block (${n})`, () => [sets.data, random.pick([...blocks(sets.data, SEED)])]])
    cases.push([`a file (${n})`, () => [sets.hints, random.pick([...missing(sets.hints.disk)])]])
  }

  test.each(cases)('%s', async (_, make) => {
    await endToEnd(...make())
  })

  test('what rots while it runs: an error for its key, found by SCRUB in the background thread, told in INFO', async () => {
    const set = sets.hints
    const judge = new Judge(set)
    const directory = written(set.disk)
    const server = await startServer('casky', { dir: directory, args: QUIET })
    try {
      const client = await server.connect({ replyLimitMs: 150_000 })
      expect(await client.call('SCRUB', 'WAIT')).toBe(0)
      const segment = set.segments.find(({ records }) => records.length > 30)!
      const record = segment.records.find((each) => judge.ownerOf(segment, each) !== null && each.value.length > 8)!
      const owner = judge.ownerOf(segment, record)!
      writeFileSync(
        join(directory, segment.name),
        flipped(set.disk, segment.name, (record.end - 1) * 8).disk.get(segment.name)!,
      )
      await client.call('SELECT', String(owner.database))
      expect(await client.call('GET', Buffer.from(owner.key, 'latin1'))).toBeInstanceOf(ReplyError)
      expect(await client.call('SCRUB', 'WAIT')).toBe(1)
      expect(await info(client, 'casky_scrub_last_damaged_keys')).toBe(1)
      expect(await info(client, 'casky_damaged_segments')).toBe(1)
      expect(await info(client, 'casky_scrubs')).toBe(2)
      expect(server.child.output()).toMatch(/Damage found .* key=/)
      await client.call('SET', Buffer.from(owner.key, 'latin1'), 'written again')
      expect(String(await client.call('GET', Buffer.from(owner.key, 'latin1')))).toBe('written again')
      client.close()
      expect((await server.halt()).code).toBe(0)
    } finally {
      await server.stop()
    }
  })
})
