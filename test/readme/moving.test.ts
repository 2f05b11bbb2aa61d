// The README's recipe for moving to another server, word for word.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { run } from '../harness/child.ts'
import { skipWithout } from '../harness/programs.ts'
import { startServer } from '../harness/server.ts'
import { readmePath } from './commands-table.ts'

const recipe = /<!-- moving -->\n```sh\n([\s\S]*?)```/.exec(readFileSync(readmePath, 'utf8'))?.[1] ?? ''

test.skipIf(skipWithout('redis-cli') || skipWithout('redis-server'))(
  'what has moved to another server is the same, with its time to live',
  async () => {
    expect(recipe).toContain('restore')
    const from = await startServer('casky')
    const others = [await startServer('casky'), await startServer('redis')]
    try {
      const source = await from.connect()
      const values: [string, Buffer][] = [
        ['plain', Buffer.from('value')],
        ['with a space and a "quote"', Buffer.from('')],
        ['bytes', Buffer.from([0, 10, 13, 255, 10, 10])],
        ['large', Buffer.alloc(300_000, 'x')],
      ]
      for (const [key, value] of values) await source.call('SET', key, value)
      const at = Date.now() + 1_000_000
      await source.call('PEXPIREAT', 'plain', String(at))
      for (const to of others) {
        const script = recipe.replaceAll('6379', String(from.port)).replaceAll('7000', String(to.port))
        expect(await run('sh', ['-euc', script])).toMatchObject({ code: 0, stderr: '' })
        const target = await to.connect()
        for (const [key, value] of values) expect(await target.call('GET', key)).toEqual(value)
        expect(await target.call('PEXPIRETIME', 'plain')).toBe(at)
        expect(await target.call('PEXPIRETIME', 'large')).toBe(-1)
        expect(await target.call('DBSIZE')).toBe(values.length)
      }
    } finally {
      for (const server of [from, ...others]) await server.stop()
    }
  },
)
