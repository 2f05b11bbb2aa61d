// The environment that Casky wants to be started in (threads of the pool, the allocator's large pages) can't be set from inside, so it stands wherever
// somebody starts it. Figures are only comparable if all of these say the same.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { projectRoot } from '../harness/server.ts'

const places = ['package.json', 'Dockerfile', 'README.md', 'test/harness/server.ts']

const mentioned = (file: string, name: string): string[] => {
  const text = readFileSync(join(projectRoot, file), 'utf8')
  return Array.from(text.matchAll(new RegExp(`${name}['"]?[=:]\\s*['"]?([\\w.:=]+)`, 'g')), ([, value]) => value!)
}

it.each(['UV_THREADPOOL_SIZE', 'GLIBC_TUNABLES'])('%s is the same wherever Casky is started', (name) => {
  const values = places.map((file) => {
    const found = mentioned(file, name).filter((value) => name !== 'UV_THREADPOOL_SIZE' || value.length > 0)
    expect(found.length, `${file} sets ${name}`).toBeGreaterThan(0)
    return found[0]
  })
  expect(new Set(values).size, values.join(' | ')).toBe(1)
})
