// A real server on a disk that fails, lies, hangs. The simulation (test/simulation) does this to the engine by the thousand; here it is
// the process itself, with its threads, its file system and its exit code.
//
//   npx vitest run test/faults                    a few cases; CASKY_TEST_FULL=1: more, and what takes its time
//   npm run soak -- real-faults                   every call in every way
//   npx tsx test/acceptance/durability-6-failed-fsync.ts, durability-7-slow-disk.ts

import { closeSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { lockDirectory } from '../../src/engine/lock.ts'
import type { RawConnection } from '../harness/connection.ts'
import { skipWithout } from '../harness/programs.ts'
import { encodeRequest, show } from '../harness/resp.ts'
import { anySeed } from '../harness/seed.ts'
import { type Server, startServer } from '../harness/server.ts'
import { realFaults } from '../soak/real-faults.ts'
import { Shim } from './control.ts'
import { FSYNC_STORIES, failedFsync } from './failed-fsync.ts'
import { skipWithoutLoopDevices } from './failing-disk.ts'
import { SCENES, setStage, tellUnder } from './real-faults.ts'

const FULL = process.env.CASKY_TEST_FULL === '1'

const left: (() => unknown)[] = []
afterEach(async () => {
  for (const undo of left.splice(0).reverse()) await undo()
})

/** A server whose disk obeys. */
async function shimmed(...args: string[]): Promise<{ server: Server; shim: Shim; dir: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'casky-shimmed-'))
  left.push(() => rmSync(dir, { recursive: true, force: true }))
  const shim = new Shim(dir)
  left.push(() => shim.close())
  const server = await startServer('casky', { dir, args, env: shim.env })
  left.push(() => server.crash())
  left.push(() => shim.heal())
  return { server, shim, dir }
}

describe.skipIf(skipWithout('cc'))('the shim', () => {
  it('sees writes and syncs, fails one and no other, and is told so', async () => {
    const { server, shim } = await shimmed('--appendfsync', 'always', '--disk-reserve', '0')
    const client = await server.connect()
    const before = shim.calls
    expect(await client.call('SET', 'a', '1')).toBe('OK')
    const made = shim.history().slice(before)
    expect(made.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['write 0000000001.data', 'sync 0000000001.data'])
    shim.add({ action: 'fail', error: 'ENOSPC', kinds: ['write'], times: 1, ending: '.data' })
    expect(show(await client.call('SET', 'a', '2'))).toContain('MISCONF')
    expect(shim.fired).toBe(1)
    await vi.waitFor(async () => expect(await client.call('SET', 'a', '3')).toBe('OK'), 120_000)
    expect(show(await client.call('GET', 'a'))).toBe('"3"')
  })

  // A judge that acquits everybody would acquit Casky too: an fsync that only pretends is nothing to a process that is killed, but a
  // write that only pretends, of the end of the log, loses what was acknowledged.
  it.runIf(FULL)('lies so that the judge of faults that are no lies condemns', async () => {
    const stage = await setStage(SCENES[0]!, 11)
    left.push(() => stage.close())
    const write = stage.calls.filter(({ kind, name }) => kind === 'write' && name.endsWith('.data'))[20]!
    const fault = { call: write.number, kind: write.kind, name: write.name }
    const lie = await tellUnder(stage, { ...fault, way: { action: 'lie: nothing', forever: true } }, 12)
    expect(lie.fired).toBe(true)
    const strict = await tellUnder(stage, { ...fault, way: { action: 'lie: nothing', forever: true } }, 12, false)
    expect(strict.problems.join('\n')).toContain('lost')
  })
})

// Found by failing every call of a run: the last close of all threw, and a server whose disk was ill ended with a stack trace.
it('a lock whose close fails is let go of, and nobody throws', () => {
  const dir = mkdtempSync(join(tmpdir(), 'casky-lock-close-'))
  left.push(() => rmSync(dir, { recursive: true, force: true }))
  const lock = lockDirectory(dir)
  const descriptor = readdirSync('/proc/self/fd').find((fd) => linkOf(fd) === join(dir, 'LOCK'))
  closeSync(Number(descriptor)) // the next close of it fails, with EBADF
  expect(() => lock.release()).not.toThrow()
  expect(() => lockDirectory(dir).release()).not.toThrow()
})

function linkOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`)
  } catch {
    return '' // the one that listed them
  }
}

describe.skipIf(skipWithout('cc'))('one file call of a real server goes wrong, in any way', () => {
  it('and a clean start shows what was acknowledged', async () => {
    const seed = anySeed()
    const tally = await realFaults({ seed, sample: FULL ? 30 : 2, scenes: FULL ? SCENES : SCENES.slice(0, 1) })
    expect(tally.failures.join('\n\n'), `seed ${seed}`).toBe('')
    expect(tally.cases).toBe(FULL ? 30 : 2)
  }, 300_000)

  it.runIf(FULL)(
    'and another one of the start after it',
    async () => {
      const seed = anySeed()
      const tally = await realFaults({ seed, pairs: 24, scenes: SCENES.slice(0, 1) })
      expect(tally.failures.join('\n\n'), `seed ${seed}`).toBe('')
      expect(tally.cases).toBeGreaterThanOrEqual(24)
    },
    300_000,
  )
})

describe.skipIf(!FULL || skipWithout('cc') || skipWithoutLoopDevices())('an fsync that fails on a real disk', () => {
  it.each(
    FSYNC_STORIES,
  )('loses nothing acknowledged: $appendfsync, page cache $cache, merges $restless', async (story) => {
    const seed = anySeed()
    const outcome = await failedFsync(story, seed)
    expect(outcome.problems.join('\n'), `seed ${seed}`).toBe('')
    expect(outcome.refused).toBeGreaterThan(0)
  })
})

describe.skipIf(!FULL || skipWithout('cc'))('a disk that hangs', () => {
  /** Pings so often that whatever is not held up would have been answered meanwhile. */
  const pings = async (connection: RawConnection, count = 2000): Promise<'pings'> => {
    for (let i = 0; i < count; i++) expect(await connection.call('PING')).toBe('PONG')
    return 'pings'
  }

  it('in a sync of `always` holds up the replies that depend on it and nobody else', async () => {
    const { server, shim } = await shimmed('--appendfsync', 'always', '--disk-reserve', '0')
    const [writer, other] = [await server.connect({ replyLimitMs: 150_000 }), await server.connect()]
    expect(await writer.call('SET', 'known', 'value')).toBe('OK')
    shim.closeGate()
    shim.add({ action: 'hold', kinds: ['sync'] })
    const held = writer.call('SET', 'a', '1')
    await vi.waitFor(() => expect(shim.held).toBe(1), 120_000)
    expect(await Promise.race([held, pings(other)])).toBe('pings')
    expect(show(await other.call('GET', 'known'))).toBe('"value"')
    shim.openGate()
    expect(await held).toBe('OK')
  }, 180_000)

  it('in a sync of `everysec` holds up writes at the bound, and nobody who reads', async () => {
    const { server, shim } = await shimmed('--appendfsync', 'everysec', '--disk-reserve', '0')
    const [writer, other] = [await server.connect({ replyLimitMs: 150_000 }), await server.connect()]
    shim.closeGate()
    shim.add({ action: 'hold', kinds: ['sync'] })
    let held: Promise<unknown>
    let answered = 0
    for (;;) {
      held = writer.call('SET', 'count', answered)
      if ((await Promise.race([held, pings(other)])) === 'pings') break
      answered++
    }
    expect(answered).toBeGreaterThan(1)
    expect(shim.held).toBe(1) // one sync at most is under way, and it is why
    expect(show(await other.call('GET', 'count'))).toBe(`"${answered - 1}"`)
    shim.openGate()
    expect(await held).toBe('OK')
  }, 180_000)

  it('in reads holds up who reads from it, and neither writes nor values in memory', async () => {
    const { server, shim } = await shimmed(
      '--appendfsync',
      'always',
      '--value-cache-size',
      '4mb',
      '--disk-reserve',
      '0',
    )
    const writer = await server.connect()
    for (let i = 0; i < 4000; i++) writer.send(encodeRequest(['SET', `k${i}`, 'v'.repeat(2000)]))
    for (let i = 0; i < 4000; i++) await writer.reply()
    expect(await writer.call('SET', 'hot', 'value')).toBe('OK')
    // The event loop bets on the page cache, and loses one bet: from the second slow read on threads wait for them.
    shim.add({ action: 'delay', ms: 30, kinds: ['read'], times: 1 })
    expect(show(await writer.call('GET', 'k100'))).toBe(`"${'v'.repeat(2000)}"`)
    expect(show(await writer.call('GET', 'hot'))).toBe('"value"') // and is in memory from now on
    shim.closeGate()
    shim.add({ action: 'hold', kinds: ['read'] })
    // More of them than there are threads; the oldest keys are the ones that memory has let go.
    const readers = await Promise.all(Array.from({ length: 12 }, () => server.connect({ replyLimitMs: 150_000 })))
    const cold = readers.map((reader, i) => reader.call('GET', `k${i}`))
    await vi.waitFor(() => expect(shim.held).toBeGreaterThan(0), 120_000)
    expect(await pings(writer)).toBe('pings')
    expect(show(await writer.call('GET', 'hot'))).toBe('"value"')
    expect(await writer.call('SET', 'hot', 'again')).toBe('OK')
    shim.openGate()
    for (const reply of cold) expect(show(await reply)).toBe(`"${'v'.repeat(2000)}"`)
  }, 180_000)
})
