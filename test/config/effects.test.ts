// Every directive that has an effect, seen having it: at the start, and at run time where CONFIG SET takes it. The tables must be
// complete, and what they claim to have given and set is checked.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { directives, type Name } from '../../src/config/directives.ts'
import { caskyIsBuilt, projectRoot } from '../harness/server.ts'
import { networkEffects } from './effects/network.ts'
import { storageEffects } from './effects/storage.ts'
import { watchingEffects } from './effects/watching.ts'
import { type Effects, World } from './effects/world.ts'

const tables: readonly Effects[] = [networkEffects, storageEffects, watchingEffects]
const effects: Effects = Object.assign({}, ...tables)
const names = Object.keys(directives) as Name[]

test('no directive is without one, and none is in two tables', () => {
  expect(Object.keys(effects).sort()).toEqual([...names].sort())
  expect(tables.flatMap((table) => Object.keys(table)).length).toBe(names.length)
})

// They start some seventy servers: before a release all are seen, at other times every second one.
const isFull = process.env['CASKY_TEST_FULL'] === '1'
const seen = names.filter((_, i) => isFull || i % 2 === 0)

describe.skipIf(!caskyIsBuilt()).concurrent('seen', () => {
  for (const name of seen) {
    const effect = effects[name]
    if (typeof effect === 'string') {
      test(`${name}: in ${effect}`, () => {
        const path = join(projectRoot, 'test', effect)
        expect(existsSync(path)).toBe(true)
        expect(readFileSync(path, 'utf8')).toContain(name)
      })
    } else if (effect !== undefined) {
      test(name, async () => {
        const world = new World()
        try {
          await effect(world)
        } finally {
          await world.end()
        }
        expect([...world.givenAtStart]).toContain(name)
        if (directives[name].change === 'live') expect([...world.setAtRunTime]).toContain(name)
      })
    }
  }
})
