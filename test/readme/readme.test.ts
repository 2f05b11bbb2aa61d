// What the README says and the code knows better.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { describe, expect, test } from 'vitest'
import { commandTable } from '../../src/commands/table.ts'
import { directives } from '../../src/config/directives.ts'
import { renderInfo } from '../../src/observability/info.ts'
import { clients } from '../clients/matrix.ts'
import { commandsIn, commandsMarkdown, readmePath } from './commands-table.ts'

const root = dirname(readmePath)
const readme = readFileSync(readmePath, 'utf8')
const scripts = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts as Record<string, string>

test('the list of commands is the command table (npx tsx test/readme/commands-table.ts writes it)', () => {
  expect(commandsIn(readme)).toBe(commandsMarkdown())
})

test('every command says since when it is there and what it costs', () => {
  const rows = commandsMarkdown()
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| command '))
  expect(rows.length).toBeGreaterThan(200)
  expect(
    rows.filter((row) => !/^\| [A-Z][A-Z0-9_ -]+ \| \d+\.\d+\.\d+ \| \S[^|]* \| /.test(row.replaceAll('\\|', '/'))),
  ).toEqual([])
})

test('the clients that are tried are named', () => {
  const section = /## Clients\n([\s\S]*?)\n## /.exec(readme)?.[1] ?? ''
  expect(clients.filter(({ name }) => !section.includes(name.split(',')[0]!)).map(({ name }) => name)).toEqual([])
})

describe.each([
  'README.md',
  'src/README.md',
  'test/README.md',
  'CHANGELOG.md',
  '.github/CONTRIBUTING.md',
])('%s', (name) => {
  const path = join(root, name)
  const text = readFileSync(path, 'utf8')

  test('links to files that exist', () => {
    const targets = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)/g)].map((match) => match[1]!)
    expect(targets.filter((target) => !existsSync(join(dirname(path), target)))).toEqual([])
  })

  test('names scripts that exist', () => {
    const named = [...text.matchAll(/npm run ([a-z:]+)/g)].map((match) => match[1]!)
    expect(named.filter((script) => scripts[script] === undefined)).toEqual([])
  })
})

test('what the README calls absent is absent', () => {
  const absent = /## What is absent\n([\s\S]*?)\n## /.exec(readme)?.[1] ?? ''
  const names = [...absent.matchAll(/\b[A-Z]{4,}\b/g)].map((match) => match[0])
  expect(names).toEqual(expect.arrayContaining(['SORT', 'EVAL', 'FCALL']))
  expect(names.filter((name) => commandTable.byName.has(name))).toEqual([])
})

test('the directives the README names exist', () => {
  const named = [
    ...readme.matchAll(
      /`(?:--)?((?:merge|value-cache|segment|disk|on|unsafe|append|proto|protected|require)[a-z-]*-?[a-z-]*)(?: [^`]*)?`/g,
    ),
  ]
  const words = named.map((match) => match[1]!).filter((word) => /-|^(appendfsync|requirepass)$/.test(word))
  expect(words.length).toBeGreaterThan(5)
  expect(words.filter((word) => !(word in directives))).toEqual([])
})

test('the fields of INFO that the README names exist', () => {
  const fields = new Set([...readme.matchAll(/`(casky_[a-z_]+)`/g)].map((match) => match[1]!))
  expect(fields.size).toBeGreaterThan(5)
  expect([...fields].filter((field) => !infoText().includes(`\n${field}:`))).toEqual([])
})

/** Everything INFO can say, about a server of which nothing is known but zeros. */
function infoText(): string {
  const zeros: object = new Proxy(() => 0, {
    get: (_, name) => {
      if (name === Symbol.iterator) return () => [][Symbol.iterator]()
      if (name === Symbol.toPrimitive) return () => 0
      if (typeof name === 'string' && typeof Number.prototype[name as keyof number] === 'function') return () => '0'
      return zeros
    },
  })
  return renderInfo(['everything'], zeros as Parameters<typeof renderInfo>[1])
}

test('the map has every source file, and no other', () => {
  const map = readFileSync(join(root, 'src', 'README.md'), 'utf8')
  const tables = map.split('\n').filter((line) => line.startsWith('| `'))
  const named = tables.flatMap((line) => [...line.split('|')[1]!.matchAll(/`([^`]+\.ts)`/g)].map((match) => match[1]!))
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .map((path) => path.split(sep).join('/'))
    .filter((path) => path.endsWith('.ts'))
  expect([...named].sort()).toEqual([...files].sort())
})
