// The README's list of commands, made from the command table.
//
//   npx tsx test/readme/commands-table.ts      writes it between the two marks in README.md

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Command } from '../../src/commands/command.ts'
import { commandTable } from '../../src/commands/table.ts'

export const readmePath = fileURLToPath(new URL('../../README.md', import.meta.url))

const BEGIN = '<!-- commands: made by test/readme/commands-table.ts -->\n'
const END = '<!-- end of commands -->'

/** Markdown: each group's commands in a line, behind it a table; then the names of those that are not quite as in Redis. */
export function commandsMarkdown(): string {
  const commands = [...commandTable.byName.values()]
  const lines: string[] = []
  for (const group of new Set(commands.map((command) => command.group))) {
    const members = commands.filter((command) => command.group === group)
    lines.push(
      `<details><summary><b>${group}</b>: ${members.map(nameWithSubcommands).join(' · ')}</summary>`,
      '',
      '| command | since | complexity | not as in Redis |',
      '|---|---|---|---|',
      ...members.flatMap((command) => [command, ...subcommands(command)]).map(row),
      '',
      '</details>',
      '',
    )
  }
  const different = commands
    .flatMap((each) => [each, ...subcommands(each)])
    .filter(({ difference }) => difference !== undefined)
  lines.push(`Not quite as in Redis, the tables say how: ${different.map(shown).join(', ')}.`)
  return `${lines.join('\n')}\n`
}

function row(command: Command): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ')
  return `| ${shown(command)} | ${command.since} | ${cell(command.complexity)} | ${cell(command.difference ?? '')} |`
}

const shown = (command: Command): string => command.name.replace('|', ' ')

/** What stands between the marks. */
export function commandsIn(readme: string): string {
  const [start, end] = marks(readme)
  return readme.slice(start, end)
}

function nameWithSubcommands(command: Command): string {
  const names = subcommands(command).map(({ name }) => name.split('|')[1])
  return names.length === 0 ? command.name : `${command.name} (${names.join(' ')})`
}

function subcommands(command: Command): Command[] {
  return [...(command.subcommands?.values() ?? [])]
}

function marks(readme: string): readonly [number, number] {
  const begin = readme.indexOf(BEGIN)
  const end = readme.indexOf(END)
  if (begin < 0 || end < begin) throw new Error('README.md has lost the marks around the list of commands')
  return [begin + BEGIN.length, end]
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const readme = readFileSync(readmePath, 'utf8')
  const [start, end] = marks(readme)
  writeFileSync(readmePath, readme.slice(0, start) + commandsMarkdown() + readme.slice(end))
}
