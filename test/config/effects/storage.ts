// Effects of the directives about files, memory and merging.

import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { hurt } from '../../engine/damage.ts'
import { run } from '../../harness/child.ts'
import { caskyMain, freePort, type Server } from '../../harness/server.ts'
import type { Client, Effects, World } from './world.ts'

export const storageEffects: Effects = {
  async dir(world) {
    const server = await world.start([])
    expect(readdirSync(server.dir)).toContain('MANIFEST')
    const client = await world.connect(server)
    expect(await client.call('CONFIG', 'SET', 'dir', '/tmp')).toMatch(/can't set protected config$/)
  },

  'shutdown-on-sigterm': (world) => endsWithout(world, 'shutdown-on-sigterm', 'SIGTERM'),
  'shutdown-on-sigint': (world) => endsWithout(world, 'shutdown-on-sigint', 'SIGINT'),

  async appendfsync(world) {
    const client = await world.connect(await world.start(['--appendfsync', 'always']))
    const syncs = async (): Promise<number> => Number(await client.info('casky_syncs'))
    await client.call('SET', 'a', '1')
    const before = await syncs()
    await client.call('SET', 'a', '2')
    await client.call('SET', 'a', '3')
    expect(await syncs()).toBeGreaterThanOrEqual(before + 2)
    await client.set('appendfsync', 'no')
    await client.call('SET', 'a', '4')
    const still = await syncs()
    for (let i = 0; i < 100; i++) await client.call('SET', 'a', String(i))
    expect(await syncs()).toBe(still)
  },

  async 'segment-size'(world) {
    const server = await world.start(['--segment-size', '1kb', '--merge-enabled', 'no'])
    const client = await world.connect(server)
    const sizes = (): number[] => dataFiles(server).map((name) => statSync(join(server.dir, name)).size)
    const fillUntil = (isSo: () => boolean): Promise<void> =>
      client.until(async () => {
        await client.fill('a', 50)
        return isSo()
      })
    await fillUntil(() => newest(server) > 5)
    await client.set('segment-size', '100mb')
    await fillUntil(() => Math.max(...sizes()) > 256 * 1024)
  },

  async 'segment-age'(world) {
    const server = await world.start(['--segment-age', '1'])
    const client = await world.connect(server)
    const grows = async (): Promise<void> => {
      const before = newest(server)
      await client.fill('a', 5)
      await client.until(async () => newest(server) > before)
    }
    await grows()
    await client.set('segment-age', '1000')
    await client.set('segment-age', '1')
    await grows()
  },

  async 'value-cache-size'(world) {
    const client = await world.connect(await world.start(['--value-cache-size', '0']))
    const hits = async (): Promise<number> => {
      await client.fill('a', 10)
      for (let i = 0; i < 10; i++) expect(await client.call('GET', `a${i}`)).toBe('v'.repeat(100))
      return Number(await client.info('casky_value_cache_hits'))
    }
    expect(await hits()).toBe(0)
    await client.set('value-cache-size', '16mb')
    expect(await client.info('casky_value_cache_capacity')).toBe(String(16 * 1024 ** 2))
    expect(await hits()).toBeGreaterThan(0)
  },

  async 'disk-reserve'(world) {
    const server = await world.start(['--disk-reserve', '1mb'])
    const client = await world.connect(server)
    const path = join(server.dir, 'reserve')
    await client.until(async () => statSync(path, { throwIfNoEntry: false })?.size === 1024 ** 2)
    const none = await world.start(['--disk-reserve', '0'])
    expect(existsSync(join(none.dir, 'reserve'))).toBe(false)
  },

  async rdbcompression(world) {
    const client = await world.connect(await world.start(['--rdbcompression', 'no']))
    await client.call('SET', 'a', 'v'.repeat(1000))
    expect(String(await client.call('DUMP', 'a')).length).toBeGreaterThan(1000)
    await client.set('rdbcompression', 'yes')
    expect(String(await client.call('DUMP', 'a')).length).toBeLessThan(100)
  },

  async 'on-corruption'(world) {
    const { dir } = await world.start([])
    const store = join(dir, 'hurt')
    const first = await world.start(['--segment-size', '1kb'], { dir: store })
    const client = await world.connect(first)
    await client.fill('a', 30)
    await first.halt()
    for (const name of readdirSync(store)) if (!/\.data$|^MANIFEST$|^LOCK$/.test(name)) rmSync(join(store, name))
    hurt(store, 'a3', 'head')
    const refused = await run(process.execPath, [caskyMain, '--port', String(await freePort()), '--dir', store])
    expect(refused.code).toBe(1)
    expect(refused.stdout).toContain('Cannot open the store')
    const served = await world.connect(await world.start(['--on-corruption', 'serve'], { dir: store }))
    expect(await served.call('GET', 'a29')).toBe('v'.repeat(100))
  },

  async 'unsafe-no-lock'(world) {
    const { dir } = await world.start([])
    const env = { PATH: '' } // no flock there
    const args = ['--port', String(await freePort()), '--dir', join(dir, 'unlocked')]
    const refused = await run(process.execPath, [caskyMain, ...args], { env })
    expect(refused.code).toBe(1)
    expect(refused.stdout).toMatch(/lock/)
    const server = await world.start(['--unsafe-no-lock', 'yes'], { env })
    expect(await (await world.connect(server)).call('PING')).toBe('PONG')
  },

  async 'merge-enabled'(world) {
    const client = await world.connect(await world.start(['--merge-enabled', 'no', ...EAGER]))
    await dead(client)
    expect(await client.info('casky_merges')).toBe('0')
    await client.set('merge-enabled', 'yes')
    await client.until(async () => (await client.info('casky_merges')) !== '0')
  },

  async 'merge-interval-ms'(world) {
    const client = await world.connect(await world.start(EAGER))
    await dead(client)
    await client.until(async () => (await client.info('casky_merges')) !== '0')
    await client.set('merge-interval-ms', '2000000000')
    const due = async (): Promise<number> => {
      const status = (await client.call('MERGE', 'STATUS')) as unknown[]
      return Number(status[status.indexOf('next_check_in_ms') + 1])
    }
    await client.until(async () => (await due()) > 1_000_000)
  },

  async 'merge-window'(world) {
    const client = await world.connect(await world.start(['--merge-window', 'never', ...EAGER]))
    await dead(client)
    expect(await client.info('casky_merges')).toBe('0')
    await client.set('merge-window', 'always')
    await client.until(async () => (await client.info('casky_merges')) !== '0')
  },

  async 'merge-rate'(world) {
    const quiet = ['--segment-size', '4kb', '--merge-enabled', 'no']
    const slow = await world.connect(await world.start(['--merge-rate', '1', ...quiet]))
    await dead(slow)
    expect(await slow.call('MERGE')).toBe('Background merge started')
    await slow.fill('c', 50)
    expect(await slow.info('casky_merge_state')).toBe('running') // it would take an hour

    const fast = await world.connect(await world.start(quiet))
    await dead(fast)
    expect(await fast.call('MERGE', 'WAIT')).toBeGreaterThan(0)
    await dead(fast)
    await fast.set('merge-rate', '1')
    expect(await fast.call('MERGE')).toBe('Background merge started')
    await fast.fill('c', 50)
    expect(await fast.info('casky_merge_state')).toBe('running')
  },

  async 'scrub-rate'(world) {
    const slow = await world.connect(await world.start(['--scrub-rate', '1']))
    await slow.fill('a', 50)
    await slow.call('SAVE')
    expect(await slow.call('SCRUB')).toBe('Background scrub started')
    await slow.fill('a', 50)
    expect(await slow.info('casky_scrub_state')).toBe('running') // it would take an hour

    const fast = await world.connect(await world.start([]))
    await fast.fill('a', 50)
    await fast.call('SAVE')
    expect(await fast.call('SCRUB', 'WAIT')).toBe(0)
    await fast.set('scrub-rate', '1')
    expect(await fast.call('SCRUB')).toBe('Background scrub started')
    await fast.fill('a', 50)
    expect(await fast.info('casky_scrub_state')).toBe('running')
  },

  // A segment is worth it by a threshold, and picked when one has passed a trigger.
  'merge-trigger-fragmentation': (world) =>
    verdictsTurn(
      world,
      'merge-trigger-fragmentation',
      ['100', '1'],
      ['worth it', 'picked'],
      [...NO_SMALL, ...FAR_TRIGGERS],
    ),
  'merge-trigger-segments': (world) =>
    verdictsTurn(
      world,
      'merge-trigger-segments',
      ['1000', '0'],
      ['worth it, but too little in all', 'picked'],
      [...NO_SMALL, '--merge-trigger-fragmentation', '1', '--merge-trigger-dead-bytes', '1gb'],
    ),
  'merge-trigger-dead-bytes': (world) =>
    verdictsTurn(
      world,
      'merge-trigger-dead-bytes',
      ['1gb', '1'],
      ['worth it', 'picked'],
      [...NO_SMALL, ...FAR_TRIGGERS],
    ),
  'merge-threshold-fragmentation': (world) =>
    verdictsTurn(
      world,
      'merge-threshold-fragmentation',
      ['100', '1'],
      ['too little dead', 'worth it'],
      [...['--merge-threshold-small-file', '0', '--merge-threshold-dead-bytes', '1gb'], ...FAR_TRIGGERS],
    ),
  'merge-threshold-dead-bytes': (world) =>
    verdictsTurn(
      world,
      'merge-threshold-dead-bytes',
      ['1gb', '1'],
      ['too little dead', 'worth it'],
      [...['--merge-threshold-small-file', '0', '--merge-threshold-fragmentation', '100'], ...FAR_TRIGGERS],
    ),
  async 'merge-threshold-small-file'(world) {
    const client = await world.connect(
      await world.start(['--merge-enabled', 'no', '--merge-threshold-small-file', '0']),
    )
    await client.fill('a', 5)
    expect(await client.call('SAVE')).toBe('OK')
    expect(await client.verdicts()).toEqual(['nothing dead'])
    await client.set('merge-threshold-small-file', '1mb')
    expect(await client.verdicts()).toEqual(['small, but alone'])
  },
}

const EAGER = ['--segment-size', '4kb', '--merge-interval-ms', '20', '--merge-trigger-segments', '0']
const NO_SMALL = ['--merge-threshold-small-file', '0', '--merge-threshold-dead-bytes', '1']
const FAR_TRIGGERS = [
  ...['--merge-trigger-fragmentation', '100', '--merge-trigger-segments', '0', '--merge-trigger-dead-bytes', '1gb'],
]

const dataFiles = ({ dir }: Server): string[] => readdirSync(dir).filter((name) => name.endsWith('.data'))
const newest = (server: Server): number => Math.max(...dataFiles(server).map((name) => Number.parseInt(name, 10)))

/** Segments of which half is dead. */
async function dead(client: Client): Promise<void> {
  await client.fill('a', 120)
  await client.fill('a', 60)
}

/** The image of the keys is written at the end, unless it is told not to be. */
async function endsWithout(
  world: World,
  name: 'shutdown-on-sigint' | 'shutdown-on-sigterm',
  signal: NodeJS.Signals,
): Promise<void> {
  const { dir } = await world.start([])
  const ended = async (folder: string, args: readonly string[], value: string | null): Promise<boolean> => {
    const store = join(dir, folder)
    const server = await world.start(args, { dir: store })
    const client = await world.connect(server)
    await client.fill('a', 5)
    if (value !== null) await client.set(name, value)
    server.child.kill(signal)
    expect((await server.child.exited).code).toBe(0)
    return readdirSync(store).includes('keydir.image')
  }
  expect(await ended('a', [], null)).toBe(true)
  expect(await ended('b', [`--${name}`, 'nosave'], null)).toBe(false)
  expect(await ended('c', [`--${name}`, 'nosave'], 'default')).toBe(true)
}

async function verdictsTurn(
  world: World,
  name: Parameters<Client['set']>[0],
  values: readonly [string, string],
  words: readonly [string, string],
  args: readonly string[],
): Promise<void> {
  const first = args.indexOf(`--${name}`)
  const others = first < 0 ? args : args.filter((_, i) => i !== first && i !== first + 1)
  const quiet = ['--segment-size', '4kb', '--merge-enabled', 'no']
  const client = await world.connect(await world.start([...quiet, ...others, `--${name}`, values[0]]))
  await client.fill('a', 120)
  for (let i = 0; i < 120; i += 2) await client.call('SET', `a${i}`, 'w')
  const said = async (word: string): Promise<boolean> => (await client.verdicts()).some((it) => it.startsWith(word))
  await client.until(() => said(words[0])) // sealed by then
  expect(await said(words[1])).toBe(false)
  await client.set(name, values[1])
  expect(await said(words[1])).toBe(true)
}
