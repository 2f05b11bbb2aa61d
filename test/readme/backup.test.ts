// The README's recipe for a backup of a running server, word for word, under load: the copy must be the data at one instant.

import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type Run, run } from '../harness/child.ts'
import type { RawConnection } from '../harness/connection.ts'
import { findProgram, skipWithout } from '../harness/programs.ts'
import { encodeRequest } from '../harness/resp.ts'
import { startServer } from '../harness/server.ts'
import { readmePath } from './commands-table.ts'

const folder = mkdtempSync(join(tmpdir(), 'casky-backup-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const recipe = /<!-- backup -->\n```sh\n([\s\S]*?)```/.exec(readFileSync(readmePath, 'utf8'))?.[1] ?? ''

/** One client writes 0, 1, 2, ... under key:0, key:1, ... and overwrites `newest` with each, twenty at a time. */
class Writer {
  acknowledged = 0
  private readonly connection: RawConnection
  private stopped = false
  private readonly work: Promise<void>

  constructor(connection: RawConnection) {
    this.connection = connection
    this.work = this.write()
  }

  async stop(): Promise<void> {
    this.stopped = true
    await this.work
  }

  private async write(): Promise<void> {
    while (!this.stopped) {
      const requests: Buffer[] = []
      for (let i = this.acknowledged; i < this.acknowledged + 20; i++) {
        requests.push(encodeRequest(['SET', `key:${i}`, String(i)]), encodeRequest(['SET', 'newest', String(i)]))
      }
      this.connection.send(Buffer.concat(requests))
      for (const _ of requests) await this.connection.reply()
      this.acknowledged += 20
    }
  }
}

/** A cp that takes its time where it hurts: behind a segment that may still be written to, it waits for two more segments. */
const SLOW_COPY = `
newest() { ls -r "$DATA"/*.data | head -n "$1"; }
for last in "$@"; do :; done
for file in "$@"; do
  [ "$file" != "$last" ] || exit 0
  open=no
  if newest 2 | grep -qxF "$file"; then open=yes; fi
  ${findProgram('cp')} "$file" "$last"
  [ $open = no ] || for again in 1 2; do
    before=$(newest 1)
    while [ "$(newest 1)" = "$before" ]; do sleep 0.01; done
  done
done`

function program(name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(folder, name), 0o755)
}

test.skipIf(skipWithout('redis-cli'))('the copy of a running server is the data at one instant', async () => {
  expect(recipe).toContain('redis-cli -e save')
  const options = ['--segment-size', '256kb', '--merge-interval-ms', '500']
  const server = await startServer('casky', { args: options })
  program('redis-cli', `exec ${findProgram('redis-cli')} -p ${server.port} "$@"`)
  program('cp', SLOW_COPY)
  const writer = new Writer(await server.connect())
  const client = await server.connect()
  const backup = join(folder, 'copy')
  try {
    while (Number(await client.call('DBSIZE')) < 20_000) await client.call('PING')
    const before = Number(await client.call('GET', 'newest'))
    const follow = (): Promise<Run> =>
      run('sh', ['-c', recipe], {
        env: { PATH: `${folder}:${process.env['PATH']}`, DATA: server.dir, BACKUP: backup },
      })
    expect(await follow()).toMatchObject({ code: 0, stderr: '' })
    expect(String(await client.call('CONFIG', 'GET', 'merge-enabled'))).toBe('merge-enabled,yes')
    const files = readdirSync(backup)
    expect((await follow()).code, 'the directory is there already: an error ends it').not.toBe(0)
    expect(readdirSync(backup)).toEqual(files)
    expect(String(await client.call('CONFIG', 'GET', 'merge-enabled')), 'whatever happens').toBe('merge-enabled,yes')
    await writer.stop()

    expect(readdirSync(backup).length).toBeGreaterThan(3)
    const copy = await startServer('casky', { dir: backup })
    try {
      const reader = await copy.connect()
      const newest = Number(await reader.call('GET', 'newest'))
      expect(newest).toBeGreaterThanOrEqual(before)
      const keys = Number(await reader.call('DBSIZE')) - 1
      // `newest` is written right behind each key: between the two there is one instant at which the key is one ahead.
      expect([newest + 1, newest + 2]).toContain(keys)
      for (let from = 0; from < keys; from += 1000) {
        const names = Array.from({ length: Math.min(1000, keys - from) }, (_, i) => `key:${from + i}`)
        expect(await reader.call('EXISTS', ...names)).toBe(names.length)
      }
      expect(copy.child.output()).not.toMatch(/damage/i)
    } finally {
      await copy.stop()
    }
  } finally {
    await writer.stop()
    await server.stop()
  }
})
