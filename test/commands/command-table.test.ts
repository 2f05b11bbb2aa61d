// The table: a name finds its row in any case and nothing else finds one; keys are where the row says.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sliceOf } from '../../src/base/slice.ts'
import { ALL_KEYS, type Command, FIRST_KEY, type KeyRange, PAIRED_KEYS, TWO_KEYS } from '../../src/commands/command.ts'
import { CommandTable, keysOf } from '../../src/commands/command-table.ts'
import { commandTable } from '../../src/commands/table.ts'

const row = (name: string, keys: KeyRange | null = null): Command => ({
  name,
  arity: -1,
  flags: 0,
  keys,
  run: () => {},
  summary: '',
  since: '1.0.0',
  group: 'generic',
  complexity: '',
})

describe('look-up', () => {
  it('finds every command, in any case', () => {
    for (const [name, command] of commandTable.byName) {
      expect(commandTable.lookup(sliceOf(name))).toBe(command)
      expect(commandTable.lookup(sliceOf(name.toLowerCase()))).toBe(command)
      expect(commandTable.lookup(sliceOf(name[0]! + name.slice(1).toLowerCase()))).toBe(command)
    }
  })

  it('agrees with a Map about any bytes', () => {
    const names = [...commandTable.byName.keys()]
    const near = fc
      .tuple(fc.constantFrom(...names), fc.nat(20), fc.nat(255))
      .map(([name, at, byte]) => name.slice(0, at) + String.fromCharCode(byte) + name.slice(at + 1))
    fc.assert(
      fc.property(
        fc.oneof(
          near,
          fc.string({ unit: 'binary', maxLength: 12 }).map((it) => Buffer.from(it).toString('latin1')),
        ),
        (text) => {
          // toUpperCase folds more than ASCII; a name has only ASCII letters.
          const upper = text.replace(/[a-z]/g, (letter) => letter.toUpperCase())
          expect(commandTable.lookup(sliceOf(text))).toBe(commandTable.byName.get(upper))
        },
      ),
    )
  })

  it('does not take a byte for a letter that differs from it in one bit', () => {
    const table = new CommandTable([[row('GET'), row('A-B')]])
    expect(table.lookup(sliceOf('\x07ET'))).toBeUndefined()
    expect(table.lookup(sliceOf('a\rb'))).toBeUndefined()
    expect(table.lookup(sliceOf('a-b'))?.name).toBe('A-B')
  })

  it('tells names apart whose hashes meet', () => {
    const names = Array.from({ length: 300 }, (_, i) => `CMD${i.toString(36).toUpperCase()}`)
    const table = new CommandTable([names.map((name) => row(name))])
    for (const name of names) expect(table.lookup(sliceOf(name))?.name).toBe(name)
    expect(table.lookup(sliceOf('CMD'))).toBeUndefined()
  })

  it('stops at the length of a name: neither empty nor huge ones are found', () => {
    expect(commandTable.lookup(sliceOf(''))).toBeUndefined()
    expect(commandTable.lookup(sliceOf('GET'.padEnd(100_000, 'x')))).toBeUndefined()
  })

  it('refuses two rows of one name', () => {
    expect(() => new CommandTable([[row('GET')], [row('GET')]])).toThrow('two commands are called GET')
  })
})

describe('keys of a command line', () => {
  it.each([
    [FIRST_KEY, 3, [1]],
    [TWO_KEYS, 3, [1, 2]],
    [ALL_KEYS, 4, [1, 2, 3]],
    [PAIRED_KEYS, 5, [1, 3]],
    [PAIRED_KEYS, 4, [1, 3]],
    [TWO_KEYS, 2, [1]],
    [ALL_KEYS, 1, []],
    [null, 3, []],
    [{ first: 2, last: -2, step: 1 }, 5, [2, 3]],
  ] as const)('%j of %i arguments', (keys, count, positions) => {
    expect(keysOf(row('X', keys), count)).toEqual(positions)
  })
})

describe('rows', () => {
  const all = [...commandTable.byName.values()].flatMap((it) => [it, ...(it.subcommands?.values() ?? [])])

  it.each(
    all.map((it) => [it.name, it] as const),
  )('%s says all that COMMAND DOCS and the README need', (_, command) => {
    expect(command.name).toMatch(/^[A-Z_-]+(\|[A-Z-]+)?$/)
    expect(command.summary).toMatch(/^[A-Z].*\.$/)
    expect(command.since).toMatch(/^\d+\.\d+\.\d+$/)
    expect(command.complexity).not.toBe('')
    expect(command.arity).not.toBe(0)
    // A value that a handler needs belongs to a key; DEBUG OBJECT's is one, though Redis does not say so.
    if (command.values && command.name !== 'DEBUG') expect(command.keys).not.toBeNull()
    const specifications = command.access?.length ?? 1
    if (specifications > 1) {
      const { first, last, step } = command.keys!
      expect(step).toBe(1)
      expect([first + specifications - 1, -1]).toContain(last)
    }
  })
})
