import { readdirSync, readFileSync } from 'node:fs'
import { relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { breaches, type Sources } from './rules.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

function tree(): Sources {
  const sources = new Map<string, string>()
  for (const entry of readdirSync(`${ROOT}src`, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue
    const path = `${entry.parentPath}${sep}${entry.name}`
    sources.set(relative(ROOT, path).split(sep).join('/'), readFileSync(path, 'utf8'))
  }
  return sources
}

test('the sources keep the rules of structure', () => {
  const sources = tree()
  expect(sources.size).toBeGreaterThan(10)
  expect(breaches(sources)).toEqual([])
})

// What each rule says about sources that break it, and about the nearest that do not.

const BASE = ['src/base/slice.ts', 'export const x = 1'] as const

function complaints(...files: (readonly [string, string])[]): string[] {
  return breaches(new Map([BASE, ...files]))
}

describe('layers', () => {
  test.each([
    ['src/base/a.ts', 'src/engine/b.ts', 'base must not import engine'],
    ['src/engine/a.ts', 'src/resp/b.ts', 'engine must not import resp'],
    ['src/resp/a.ts', 'src/engine/b.ts', 'resp must not import engine'],
    ['src/engine/a.ts', 'src/commands/b.ts', 'engine must not import commands'],
    ['src/commands/a.ts', 'src/server/b.ts', 'commands must not import server'],
    ['src/server/a.ts', 'src/tools/b.ts', 'server must not import tools'],
    ['src/server/a.ts', 'src/main.ts', 'server must not import main'],
  ])('%s may not import %s', (from, to, why) => {
    const target = to === 'src/main.ts' ? '../main.ts' : `../${to.slice(4)}`
    const file = [to, 'export const y = 1'] as const
    expect(complaints([from, `// first line\nimport { y } from '${target}'`], file)).toEqual([`${from}:2: ${why}`])
    expect(complaints([from, `import type { Y } from '${target}'`], file)).toEqual([`${from}:1: ${why}`])
    expect(complaints([from, `const y = await import('${target}')`], file)).toEqual([`${from}:1: ${why}`])
    expect(complaints([from, `export { y } from '${target}'\nexport const z = 1`], file)).toEqual([`${from}:1: ${why}`])
  })

  test('an import may go down or stay', () => {
    expect(
      complaints(
        ['src/main.ts', "import { a } from './server/a.ts'"],
        ['src/server/a.ts', "import {\n  b,\n} from '../commands/b.ts'\nimport { x } from '../base/slice.ts'"],
        ['src/commands/b.ts', "import { c } from '../engine/keydir/c.ts'"],
        ['src/engine/keydir/c.ts', "import { d } from '../d.ts'\nimport { x } from '../../base/slice.ts'"],
        ['src/engine/d.ts', "// import { z } from '../resp/z.ts'\n/*\nimport { z } from '../resp/z.ts'\n*/"],
      ),
    ).toEqual([])
  })

  test('a directory that is no layer, and an import of nothing', () => {
    expect(complaints(['src/lib/a.ts', ''])).toEqual(['src/lib/a.ts:1: lib is no layer'])
    expect(complaints(['src/base/a.ts', "import { b } from './b.ts'"])).toEqual([
      'src/base/a.ts:1: imports ./b.ts, which does not exist',
    ])
  })
})

describe('cycles', () => {
  const b = ['src/engine/b.ts', "import { c } from './c.ts'"] as const
  const c = ['src/engine/c.ts', "\nimport { a } from './a.ts'"] as const

  test('are found, with the line that closes them', () => {
    expect(complaints(['src/engine/a.ts', "import { b } from './b.ts'"], b, c)).toEqual([
      'src/engine/c.ts:2: import cycle src/engine/a.ts > src/engine/b.ts > src/engine/c.ts > src/engine/a.ts',
    ])
  })

  test('of types alone are none', () => {
    expect(complaints(['src/engine/a.ts', "import type { b } from './b.ts'"], b, c)).toEqual([])
  })
})

describe('doors', () => {
  test.each([
    ['src/engine/a.ts', "import { Socket } from 'node:net'", 'node:net here; the door to sockets is src/server/'],
    [
      'src/server/a.ts',
      "import * as fs from 'node:fs'",
      'node:fs here; the door to files is src/engine/node-storage.ts',
    ],
    ['src/engine/a.ts', "import fs from 'fs'", 'fs here; the door to files is src/engine/node-storage.ts'],
    ['src/engine/a.ts', "import pino from 'pino'", 'pino here; the door to logging is src/observability/'],
    ['src/engine/a.ts', "import crc from 'crc-32'", 'crc-32 here; the door to checksums is src/base/crc32.ts'],
    [
      'src/engine/a.ts',
      "import { Worker } from 'node:worker_threads'",
      'node:worker_threads here; the door to threads is src/engine/worker-driver.ts',
    ],
    ['src/server/a.ts', 'const t = Date.now()', 'Date.now here; the door to time is src/base/clock.ts'],
    ['src/server/a.ts', 'setTimeout(run, 1)', 'setTimeout here; the door to time is src/base/clock.ts'],
    ['src/server/a.ts', 'setImmediate(run)', 'setImmediate here; the door to time is src/base/clock.ts'],
    ['src/server/a.ts', 'const t = performance.now()', 'performance. here; the door to time is src/base/clock.ts'],
    ['src/server/a.ts', 'const p = process.env.PORT', 'process.env here; the door to the environment is src/main.ts'],
  ])('%s: %s', (path, code, why) => {
    expect(complaints([path, code])).toEqual([`${path}:1: ${why}`])
  })

  test('are open where they stand', () => {
    expect(
      complaints(
        ['src/server/a.ts', "import { Socket } from 'node:net'\n// no setTimeout here\nconst d = new Date(ms)"],
        ['src/engine/node-storage.ts', "import * as fs from 'node:fs'"],
        ['src/base/clock.ts', 'export const now = () => Date.now()'],
        ['src/main.ts', 'start(process.env, process.argv)'],
      ),
    ).toEqual([])
  })
})

describe('drawers', () => {
  test.each([
    'src/base/utils.ts',
    'src/base/string-util.ts',
    'src/engine/index.ts',
    'src/server/helpers.ts',
  ])('%s', (path) => {
    expect(complaints([path, 'export const z = 1'])).toEqual([`${path}:1: a drawer, not a name`])
  })

  test('barrels', () => {
    expect(complaints(['src/engine/all.ts', "// All.\nexport { x } from '../base/slice.ts'"])).toEqual([
      'src/engine/all.ts:1: a barrel',
    ])
    expect(complaints(['src/engine/all.ts', "const own = 1\nexport * from '../base/slice.ts'"])).toEqual([
      'src/engine/all.ts:2: export * hides where things come from',
    ])
    expect(complaints(['src/engine/hash-index.ts', 'export const z = 1'])).toEqual([])
  })
})
