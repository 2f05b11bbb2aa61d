import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { directives } from '../../src/config/directives.ts'
import { inertGroups } from '../../src/config/inert.ts'
import { find } from '../../src/config/table.ts'
import { configOf, memoryFiles } from './memory-files.ts'

const example = readFileSync(new URL('../../casky.conf.example', import.meta.url), 'latin1')
const [withEffect, without] = example.split(/^#+ WITHOUT MEANING HERE #+$/m) as [string, string]
const named = withEffect
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(' ')[0]!)

test('the example names every directive with effect, in no other words than its name, and nothing else', () => {
  expect([...new Set(named)].sort()).toEqual(Object.keys(directives).sort())
})

test('the example changes nothing: its values are the defaults', () => {
  const config = configOf({ argv: ['c'], files: memoryFiles({ '/start/c': example }) })
  expect(config.match(['*'])).toEqual(configOf({}).match(['*']))
  for (const [name, row] of Object.entries(directives)) {
    if (name === 'client-output-buffer-limit') continue // one line a class
    expect(withEffect).toContain(`\n${name} ${row.default}\n`)
  }
})

test('before each directive stands what it does', () => {
  const lines = withEffect.split('\n')
  for (const name of Object.keys(directives)) {
    let at = lines.findIndex((line) => line.startsWith(`${name} `)) - 1
    while (at >= 0 && /^[a-z]/.test(lines[at]!)) at-- // directives that share a comment
    expect(lines[at], name).toMatch(/^# ./)
  }
})

test('the section without meaning lists exactly those, aliases too, each group with its reason', () => {
  const listed = [...without.matchAll(/^# {5}(.*)$/gm)].flatMap((match) => match[1]!.split(' '))
  const inert = inertGroups.flatMap((group) =>
    Object.entries(group.rows).flatMap(([name, row]) => [name, ...row.aliases]),
  )
  expect(listed.sort()).toEqual(inert.sort())
  for (const { reason } of inertGroups) expect(without).toContain(`# ${reason}\n`)
})

test('every word in it that looks like a variable of the environment is one', () => {
  for (const [, name] of example.matchAll(/CASKY_([A-Z_]+)(?==)/g)) {
    if (name === 'PORT_' || name === 'EXTRA_FLAGS') continue
    expect(find(name!.toLowerCase().replaceAll('_', '-')), name).toBeDefined()
  }
})

test('most of it is explanation, and no line is too long to read', () => {
  const lines = example.split('\n').filter((line) => line !== '')
  expect(lines.filter((line) => line.startsWith('#')).length / lines.length).toBeGreaterThan(0.8)
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(128)
})
